"""A namespace as an administrator makes it ready for people in pods, and what such a person works on.

The person is a service account with the rights that ``targets/rights.py`` lists and no more; registry and image are in the
namespace's ConfigMap, so that nobody sets anything.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from jupyter_mlops.cluster.base import CONFIG_MAPS, SERVICE_ACCOUNTS, Cluster
from jupyter_mlops.targets.rights import RUN, SERVE, SETTINGS
from tests.cluster.conftest import allow, fresh_namespace

PERSON = "person"
"""The service account of the person's pods."""

TRAIN = """\
from sklearn.linear_model import LogisticRegression
import pandas as pd

rows = pd.DataFrame({"age": [20, 30, 50, 60], "charges": [10.0, 20.0, 80.0, 90.0]})
clf = LogisticRegression().fit(rows, [0, 0, 1, 1])
print("trained on", len(rows), "rows")"""
LOG = """\
from jupyter_mlops import log_metrics, log_model

log_metrics({"accuracy": clf.score(rows, [0, 0, 1, 1])})
log_model(clf, "pod-model", data=rows)"""


def notebook() -> dict[str, Any]:
    """A notebook that trains a model and registers it."""
    cells = [
        {"id": f"c{n}", "cell_type": "code", "source": source, "metadata": {}, "outputs": [], "execution_count": None}
        for n, source in enumerate((TRAIN, LOG))
    ]
    metadata = {
        "kernelspec": {"name": "python3", "display_name": "Python 3"},
        "language_info": {"name": "python", "version": "3.11"},
    }
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": cells}


@contextlib.contextmanager
def namespace_for_people(cluster: Cluster, prefix: str, registry: str, image: str) -> Iterator[str]:
    """A namespace with the account of a person, and what its administrator says of registry and image."""
    with fresh_namespace(cluster, prefix) as name:
        cluster.create(SERVICE_ACCOUNTS, {"metadata": {"name": PERSON}}, name)
        rules = [
            {"apiGroups": [right.kind.group], "resources": [right.resource], "verbs": list(right.verbs)}
            for right in (*RUN, *SERVE, *SETTINGS)
        ]
        allow(cluster, name, PERSON, rules)
        data = {"registry": f"http://{registry}/{name}", "image": image}
        cluster.create(CONFIG_MAPS, {"metadata": {"name": "jupyter-mlops"}, "data": data}, name)
        yield name


def pod_of(name: str, container: dict[str, Any], volumes: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """A pod as a notebook server is one: not root, its own service account, an empty home."""
    spec = {
        "serviceAccountName": PERSON,
        "restartPolicy": "Never",
        "securityContext": {"runAsNonRoot": True, "runAsUser": 1000, "fsGroup": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [
            {
                **container,
                "name": "main",
                "workingDir": "/home/me",
                "env": [
                    {"name": "HOME", "value": "/home/me"},
                    {"name": "PYTHONDONTWRITEBYTECODE", "value": "1"},
                    *container.get("env", ()),
                ],
                "volumeMounts": [{"name": "home", "mountPath": "/home/me"}, *container.get("volumeMounts", ())],
                "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
            }
        ],
        "volumes": [{"name": "home", "emptyDir": {}}, *(volumes or ())],
    }
    return {"metadata": {"name": name}, "spec": spec}


def same_python(image: str) -> str:
    """The image, if what is installed here can be put upon it."""
    minor = ".".join(map(str, sys.version_info[:2]))
    if f":{minor}" not in image:
        pytest.skip(f"NOT RUN: the image {image} has another Python than {minor}, from which its libraries are taken")
    return image
