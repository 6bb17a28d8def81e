"""What another tool asks of the place a step runs in becomes a value of our metadata schema, or is told as lost.

Every value passes the schema's own reader before it is written: an importer never makes a notebook that conversion refuses
for its metadata. Keys that this version's schema does not have are told, not invented.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jupyter_mlops.importers.base import Account
from jupyter_mlops.notebook.schema import KEYS, Unfit

KUEUE = "kueue.x-k8s.io/queue-name"
"""The label that puts a pod into a queue of Kueue: the one label that has a key of its own here."""

GPU = re.compile(r"\bgpu\b|^(?:nvidia\.com|amd\.com|gpu\.intel\.com|habana\.ai)/")


@dataclass(slots=True)
class Wishes:
    """Values of the schema for one step, or for the notebook, with the account of where they came from."""

    account: Account
    values: dict[str, Any] = field(default_factory=dict)

    def put(self, source: str, key: str, value: Any, cell: int | None = None) -> None:
        """Take a value over under a key of the schema; one that does not fit is lost, with what was expected."""
        try:
            KEYS[key].read(value)
        except KeyError:
            self.account.lost(source, f"this version has no key {key!r}", "Set it for the target, or leave it out.", cell)
            return
        except Unfit as error:
            self.account.lost(source, f"the value does not fit {key}: {error}", f"Set {key} in the form of the cell.", cell)
            return
        old = self.values.get(key)
        if isinstance(old, dict) and isinstance(value, Mapping):
            self.values[key] = {**old, **value}
        elif isinstance(old, list) and isinstance(value, list):
            self.values[key] = old + [item for item in value if item not in old]
        else:
            self.values[key] = value
        self.account.taken(source, f"mlops.{key}", cell)

    def limit(self, source: str, name: str, value: str, cell: int | None = None) -> None:
        """An amount of a resource by Kubernetes' name of it."""
        if name in {"cpu", "memory"}:
            self.put(source, name, value, cell)
        elif GPU.search(name):
            self.put(source, "gpu", int(value) if value.isdecimal() else value, cell)
            if name != "nvidia.com/gpu":
                self.put(source, "gpu_resource", name, cell)
        else:
            self.put(source, "resources", {name: value}, cell)

    def label(self, source: str, name: str, value: str, cell: int | None = None) -> None:
        """A label of the pod: the queue's is understood, others have no place here."""
        if name == KUEUE:
            self.put(source, "queue", value, cell)
        else:
            self.account.lost(source, f"pods do not get the label {name}", "Let an admission policy of the cluster set it.", cell)
