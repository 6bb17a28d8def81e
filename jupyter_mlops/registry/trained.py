"""The datasets of a model: told by the statements about it, so that a card and its lineage can never say two things."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from jupyter_mlops.oci.modelpack import model_repository
from jupyter_mlops.registry.lineage import Lineage
from jupyter_mlops.registry.models import ModelVersion
from jupyter_mlops.registry.provenance import Thing

ROOM = "datasets/"


@dataclass(frozen=True, slots=True)
class Trained:
    """A version of a dataset that has to do with a model."""

    name: str
    tag: str
    digest: str
    how: Literal["loaded", "registered"]
    """Loaded before the model was made (``load_dataset``), or registered by the same run (``log_dataset``)."""

    def to_json(self) -> dict[str, Any]:
        """As ``--json`` shows it."""
        return {"name": self.name, "tag": self.tag, "digest": self.digest, "how": self.how}


def datasets_of(lineage: Lineage, version: ModelVersion) -> tuple[Trained, ...]:
    """The datasets of a version, those that were loaded first; empty where no run told of it.

    Raises:
        PlatformError: the store does not answer.
    """
    thing = Thing(model_repository(version.name), version.tag, version.digest)
    found: dict[str, Trained] = {}
    for origin in lineage.origins(thing):
        for one in origin.inputs:
            _note(found, one, "loaded")
    for origin in lineage.origins(thing):
        for one in origin.siblings:
            _note(found, one, "registered")
    return tuple(found.values())


def _note(found: dict[str, Trained], thing: Thing, how: Literal["loaded", "registered"]) -> None:
    if thing.repository.startswith(ROOM):
        found.setdefault(thing.digest, Trained(thing.repository.removeprefix(ROOM), thing.tag, thing.digest, how))
