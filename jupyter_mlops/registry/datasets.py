"""Datasets that steps recorded: ``datasets/<name>``, versions ``v1``, ``v2``, …, files as layers.

A file is a blob by its digest, so that a version stores the files that changed, and two versions are compared without reading
one of them.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from jupyter_mlops.errors import Corrupt, NotFound, PlatformError, WrongUsage
from jupyter_mlops.oci.artifact import layers_of, read_config
from jupyter_mlops.oci.modelpack import CREATED, TITLE, version_number
from jupyter_mlops.oci.names import ANNOTATION
from jupyter_mlops.oci.parallel import each, lanes
from jupyter_mlops.oci.progress import Progress, opened_all
from jupyter_mlops.oci.reference import check_repository
from jupyter_mlops.oci.store import Descriptor, Manifest, Store
from jupyter_mlops.registry.base import Registry
from jupyter_mlops.registry.catalogue import Catalogue, Kind, Listed, index_of
from jupyter_mlops.registry.events import deletion
from jupyter_mlops.registry.index import Index
from jupyter_mlops.registry.layout import registry_of
from jupyter_mlops.registry.reading import Reader
from jupyter_mlops.registry.suggest import suggestion
from jupyter_mlops.registry.times import seconds

PREFIX = "datasets/"
LATEST = "latest"
CARD_TYPE = "application/ld+json"
"""Media type of the Croissant card that lies beside the files, see ``runner/croissant.py``."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """One version of a dataset; ``facts`` is its config (schema, rows, source), ``bytes`` the size of its files."""

    name: str
    tag: str
    digest: str
    created: float
    bytes: int
    run: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def reference(self) -> str:
        """What a lineage names: ``datasets/<name>@sha256:…``."""
        return f"{PREFIX}{self.name}@{self.digest}"


@dataclass(frozen=True, slots=True)
class DatasetFile:
    """One file: its path in the dataset, digest, and bytes."""

    path: str
    digest: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Changes:
    """What one version has that another has not; columns are compared by name and type."""

    added: tuple[DatasetFile, ...]
    removed: tuple[DatasetFile, ...]
    changed: tuple[tuple[DatasetFile, DatasetFile], ...]
    same: int
    columns: tuple[tuple[str, str | None, str | None], ...]
    """Name, type before, type after; None where it is not there."""

    rows: tuple[int | None, int | None]


class Datasets:
    """The datasets of a store."""

    def __init__(self, store: Store, registry: Registry | None = None, index: Index | None = None) -> None:
        """``registry`` and ``index`` are found by the kind of store when they are not given."""
        self._store = store
        self._registry = registry or registry_of(store)
        kind = Kind(lambda tag: version_number(tag) is not None, self._facts, _summary)
        reader = Reader(store, kind.shown)
        self._catalogue = Catalogue(store, reader, index or index_of(store), kind)

    def list(self) -> Sequence[Dataset]:
        """The newest version of each, by name."""
        found = self._catalogue.summaries(self._registry.repositories(PREFIX), PREFIX)
        return [
            Dataset(repository.removeprefix(PREFIX), head["tag"], head["digest"], **head["facts"])
            for repository, head in found.items()
        ]

    def versions(self, name: str) -> Sequence[Dataset]:
        """All versions, newest first. Raises WrongUsage and NotFound as :meth:`find`."""
        listed = self._catalogue.read(check_repository(f"{PREFIX}{name}"))
        if not listed.tags:
            known = [one.name for one in self.list()]
            raise NotFound(f"no dataset named {name!r}", code="dataset-not-found", fix=suggestion(name, known, "dataset"))
        return [Dataset(name, tag, listed.tags[tag], **listed.facts[listed.tags[tag]]) for tag in _newest_first(listed.tags)]

    def find(self, reference: str) -> Dataset:
        """``NAME`` (the newest), ``NAME:TAG``, ``NAME:latest`` or ``NAME@DIGEST``.

        Raises:
            WrongUsage: code ``invalid-name``.
            NotFound: the fix lists what there is.
            Corrupt: it is there, but damaged.
        """
        name, _, digest = reference.removeprefix(PREFIX).partition("@")
        name, _, tag = name.partition(":")
        versions = self.versions(name)
        for version in versions:
            if version.digest == digest if digest else tag in {"", LATEST, version.tag}:
                return version
        if tag in self._store.tags(f"{PREFIX}{name}"):
            self._store.get_manifest(f"{PREFIX}{name}", tag)  # says what is wrong with it
        known = [version.digest if digest else version.tag for version in versions]
        raise NotFound(
            f"dataset {name} has no version {digest or tag!r}",
            code="version-not-found",
            fix=suggestion(digest or tag, known, "version"),
        )

    def files(self, version: Dataset) -> Sequence[DatasetFile]:
        """Its files by path, without the card that was made for it. Raises NotFound, Corrupt."""
        return [DatasetFile(_title(layer), layer.digest, layer.size) for layer in self._layers(version) if not _is_card(layer)]

    def pull(self, version: Dataset, folder: Path, progress: Progress | None = None) -> Sequence[DatasetFile]:
        """Write its files, and its card, into a folder that is not there yet: whole and verified, or not at all.

        ``progress`` is told of each file.

        Raises:
            WrongUsage: code ``folder-exists``.
            Corrupt: a file is damaged, or would lie outside of the folder.
            PlatformError: code ``unwritable``.
        """
        if folder.exists():
            raise WrongUsage(f"{folder} is there already", code="folder-exists", fix="Name another folder, or remove it.")
        layers = self._layers(version)
        repository = f"{PREFIX}{version.name}"
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
            try:
                fresh.chmod(0o755)  # mkdtemp's folder is for its maker alone
                streams = opened_all(self._store, repository, layers, progress)
                each(lambda one: _write(*one, fresh), zip(layers, streams, strict=True), lanes(self._store))
                fresh.rename(folder)
            except BaseException:
                shutil.rmtree(fresh, ignore_errors=True)
                raise
        except OSError as error:
            raise PlatformError(
                f"cannot write {folder}: {error.strerror}", code="unwritable", fix="Name another folder."
            ) from error
        return self.files(version)

    def diff(self, before: Dataset, after: Dataset) -> Changes:
        """What changed between two versions, of one dataset or of two; nothing is read but their manifests."""
        old, new = ({file.path: file for file in self.files(version)} for version in (before, after))
        both = sorted(old.keys() & new.keys())
        changed = tuple((old[path], new[path]) for path in both if old[path].digest != new[path].digest)
        return Changes(
            tuple(new[path] for path in sorted(new.keys() - old.keys())),
            tuple(old[path] for path in sorted(old.keys() - new.keys())),
            changed,
            len(both) - len(changed),
            tuple(_columns(before.facts, after.facts)),
            (before.facts.get("rows"), after.facts.get("rows")),
        )

    def delete(self, name: str, tag: str, *, reason: str = "") -> None:
        """Delete a version and free what only it needs. Its number is not used again; ``latest`` moves to the newest left.

        Raises:
            NotFound: no such dataset or version.
        """
        version = self.find(f"{name}:{tag}")
        repository = f"{PREFIX}{name}"
        with self._registry.exclusive(repository):
            deletion(self._store, repository, tag=version.tag, digest=version.digest, reason=reason)
            self._registry.delete(repository, version.digest)
            left = _newest_first(self._store.tags(repository))
            if left and LATEST not in self._store.tags(repository):
                self._registry.point(repository, LATEST, self._store.get_manifest(repository, left[0]).descriptor.digest)
        self._registry.collect(repository)

    # -- inside ------------------------------------------------------------------------------------------------------------

    def _facts(self, repository: str, manifest: Manifest) -> Mapping[str, Any]:
        notes = manifest.descriptor.annotations
        return {
            "created": seconds(notes.get(CREATED, "")),
            "bytes": sum(layer.size for layer in layers_of(manifest) if not _is_card(layer)),
            "run": notes.get(ANNOTATION + "run"),
            "facts": read_config(self._store, repository, manifest),
        }

    def _layers(self, version: Dataset) -> Sequence[Descriptor]:
        manifest = self._store.get_manifest(f"{PREFIX}{version.name}", version.digest)
        return [layer for layer in layers_of(manifest) if _title(layer)]


def _write(layer: Descriptor, opened: AbstractContextManager[BinaryIO], folder: Path) -> None:
    """One file into its place. Raises Corrupt, OSError."""
    path = PurePosixPath(_title(layer))
    if path.is_absolute() or ".." in path.parts or "\\" in str(path):
        raise Corrupt(f"the dataset holds a file named {_title(layer)!r}", code="unsafe-path", fix="Do not use this dataset.")
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    with opened as source, target.open("xb") as file:
        shutil.copyfileobj(source, file, 1 << 20)


def to_json(version: Dataset) -> dict[str, Any]:
    """As REST and ``--json`` show it."""
    return {
        "name": version.name,
        "tag": version.tag,
        "digest": version.digest,
        "created": version.created,
        "bytes": version.bytes,
        "run": version.run,
        "rows": version.facts.get("rows"),
        "columns": list(version.facts.get("columns") or ()),
    }


def changes_json(changes: Changes) -> dict[str, Any]:
    """What differs, as REST and ``--json`` show it."""
    return {
        "added": [asdict(file) for file in changes.added],
        "removed": [asdict(file) for file in changes.removed],
        "changed": [{"path": new.path, "from": old.digest, "to": new.digest} for old, new in changes.changed],
        "same": changes.same,
        "columns": [{"name": name, "from": was, "to": now} for name, was, now in changes.columns],
        "rows": {"from": changes.rows[0], "to": changes.rows[1]},
    }


def _newest_first(tags: Sequence[str] | Mapping[str, str]) -> list[str]:
    numbers = [(number, tag) for tag in tags if (number := version_number(tag)) is not None]
    return [tag for _, tag in sorted(numbers, reverse=True)]


def _summary(listed: Listed) -> Mapping[str, Any]:
    """The newest version."""
    if not listed.tags:
        return {}
    tag = _newest_first(listed.tags)[0]
    return {"tag": tag, "digest": listed.tags[tag], "facts": listed.facts[listed.tags[tag]]}


def _title(layer: Descriptor) -> str:
    return str(layer.annotations.get(TITLE, ""))


def _is_card(layer: Descriptor) -> bool:
    return layer.media_type == CARD_TYPE


def _columns(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[tuple[str, str | None, str | None]]:
    """Columns that one has and the other has not, or of another type."""
    old, new = ({str(column.get("name")): _type(column) for column in facts.get("columns") or ()} for facts in (before, after))
    for name in [*old, *(name for name in new if name not in old)]:
        if old.get(name) != new.get(name):
            yield name, old.get(name), new.get(name)


def _type(column: Mapping[str, Any]) -> str:
    with suppress(KeyError):
        return str(column["arrow"])
    return str(column.get("datatype", ""))
