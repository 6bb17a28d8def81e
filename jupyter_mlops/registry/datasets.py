"""Datasets that steps recorded: ``datasets/<name>``, versions ``v1``, ``v2``, …, files as layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jupyter_mlops.errors import NotFound
from jupyter_mlops.oci.artifact import layers_of, read_config
from jupyter_mlops.oci.modelpack import CREATED, version_number
from jupyter_mlops.oci.names import ANNOTATION
from jupyter_mlops.oci.reference import check_repository
from jupyter_mlops.oci.store import Store
from jupyter_mlops.registry.base import Registry
from jupyter_mlops.registry.layout import registry_of
from jupyter_mlops.registry.suggest import suggestion
from jupyter_mlops.registry.times import seconds


@dataclass(frozen=True, slots=True)
class Dataset:
    """One version of a dataset; ``facts`` is its config (schema, rows, source)."""

    name: str
    tag: str
    digest: str
    created: float
    bytes: int
    run: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


class Datasets:
    """The datasets of a store."""

    def __init__(self, store: Store, registry: Registry | None = None) -> None:
        self._store = store
        self._registry = registry or registry_of(store)

    def list(self) -> Sequence[Dataset]:
        """The newest version of each, by name."""
        names = [repository.partition("/")[2] for repository in self._registry.repositories("datasets/")]
        return [self._read(name, tags[0]) for name in names if (tags := self._tags(name))]

    def find(self, reference: str) -> Dataset:
        """``NAME`` (the newest) or ``NAME:TAG``.

        Raises:
            WrongUsage: code ``invalid-name``.
            NotFound: the fix lists what there is.
        """
        name, _, tag = reference.partition(":")
        check_repository(f"datasets/{name}")
        tags = self._tags(name)
        if not tags:
            known = [each.name for each in self.list()]
            raise NotFound(f"no dataset named {name!r}", code="dataset-not-found", fix=suggestion(name, known, "dataset"))
        if tag and tag not in tags:
            raise NotFound(f"dataset {name} has no version {tag!r}", code="version-not-found", fix=suggestion(tag, tags, "version"))
        return self._read(name, tag or tags[0])

    def _tags(self, name: str) -> Sequence[str]:
        """Versions, newest first."""
        numbers = [(number, tag) for tag in self._store.tags(f"datasets/{name}") if (number := version_number(tag)) is not None]
        return [tag for _, tag in sorted(numbers, reverse=True)]

    def _read(self, name: str, tag: str) -> Dataset:
        repository = f"datasets/{name}"
        manifest = self._store.get_manifest(repository, tag)
        notes = manifest.descriptor.annotations
        return Dataset(
            name,
            tag,
            manifest.descriptor.digest,
            seconds(notes.get(CREATED, "")),
            sum(layer.size for layer in layers_of(manifest)),
            notes.get(ANNOTATION + "run"),
            read_config(self._store, repository, manifest),
        )
