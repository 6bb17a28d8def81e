"""What the administrator of a namespace says to everybody in it: the ConfigMap ``jupyter-mlops``.

So that a person in a pod, or with nothing but a kubeconfig, has to set nothing. It can say what any setting of a target
says but the namespace, which it stands in. Others than the administrator may be able to write to it, so it is read as
input: a value that cannot be right is a finding, and no reason to fail.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from jupyter_mlops.cluster.base import CONFIG_MAPS, Cluster
from jupyter_mlops.errors import NotAllowed, NotFound, WrongUsage
from jupyter_mlops.targets.values import KEYS, check_value

CONFIG_MAP = "jupyter-mlops"
KNOWN = tuple(key for key in KEYS if key != "namespace")


@dataclass(frozen=True, slots=True)
class Given:
    """What a namespace gives. ``there`` is None where we may not look."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    there: bool | None = False
    problems: tuple[str, ...] = ()
    """Keys and values that were left out of account, and why."""


def given(cluster: Cluster, namespace: str) -> Given:
    """The settings of a namespace; none where it has no such ConfigMap, or where we may not look.

    Raises:
        Unavailable: the cluster does not answer.
        NotAllowed: code ``cluster-login``.
    """
    try:
        data = cluster.get(CONFIG_MAPS, CONFIG_MAP, namespace).get("data") or {}
    except NotFound:
        return Given()
    except NotAllowed as error:
        if error.code == "cluster-login":
            raise
        return Given(there=None)
    settings, problems = {}, []
    for key, value in data.items():
        name = key.replace("-", "_")
        if name not in KNOWN:
            near = get_close_matches(name, KNOWN, 1)
            problems.append(f"{key}: no such setting" + (f"; did they mean {near[0]}?" if near else ""))
            continue
        try:
            settings[name] = check_value(name, value)
        except WrongUsage as error:
            problems.append(f"{error.message}. {error.fix}")
    return Given({key: value for key, value in settings.items() if value}, True, tuple(problems))
