"""What made a version, and what was made of it: the statements of a store, read both ways.

A statement lies with what it is about, so that the way up is one look; the way down needs those of all repositories. They are
remembered in the local index as lists are, and are the same again when it was deleted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from jupyter_mlops.errors import Corrupt, NotFound, WrongUsage
from jupyter_mlops.oci.artifact import read_config
from jupyter_mlops.oci.descriptor import subject_of
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.oci.modelpack import version_number
from jupyter_mlops.oci.store import Manifest, Store
from jupyter_mlops.registry.base import Registry
from jupyter_mlops.registry.catalogue import index_of, stamp_of
from jupyter_mlops.registry.index import Index
from jupyter_mlops.registry.layout import registry_of
from jupyter_mlops.registry.provenance import MEDIA_TYPE, PREDICATE, Thing, made_by, record_lineage
from jupyter_mlops.registry.runs import RunRecords
from jupyter_mlops.registry.suggest import suggestion

ROOMS = ("models/", "datasets/")
_ROW = "lineage/"
DEPTH = 50
"""Generations that are followed at most."""


@dataclass(frozen=True, slots=True)
class Origin:
    """One statement in short: what it is about, the run that made it, and the versions that it was made of."""

    thing: Thing
    run: str
    pipeline: str
    notebook: str
    commit: str
    dirty: bool
    parameters: Mapping[str, Any]
    materials: tuple[Mapping[str, Any], ...]
    inputs: tuple[Thing, ...]
    engine: str = "local"
    finished: str = ""
    siblings: tuple[Thing, ...] = ()
    """What else the run made."""


@dataclass(frozen=True, slots=True)
class Node:
    """A version in a tree of versions. ``origins`` is what made it; ``next`` what it was made of, or what was made of it."""

    thing: Thing
    origins: tuple[Origin, ...] = ()
    next: tuple[Node, ...] = field(default=())
    missing: bool = False
    """It was deleted."""

    again: bool = False
    """What leads on from it stands at another place of the tree, so that no tree is larger than what there is."""


class Lineage:
    """The lineage of a store."""

    def __init__(self, store: Store, registry: Registry | None = None, index: Index | None = None) -> None:
        """``registry`` and ``index`` are found by the kind of store when they are not given."""
        self._store = store
        self._registry = registry or registry_of(store)
        self._index = index or index_of(store)

    def find(self, reference: str) -> Thing:
        """``[models/|datasets/]NAME[:TAG|@DIGEST]``; without the room a model first, without a tag the newest version.

        Raises:
            NotFound: code ``version-not-found``.
            WrongUsage: code ``invalid-name``.
        """
        rooms = [room for room in ROOMS if reference.startswith(room)] or ROOMS
        plain = reference if len(rooms) > 1 else reference.removeprefix(rooms[0])
        name, _, digest = plain.partition("@")
        name, _, tag = name.partition(":")
        for room in rooms:
            if (found := self._version(room + name, tag, digest)) is not None:
                return found
        known = [one.partition("/")[2] for room in rooms for one in self._registry.repositories(room)]
        fix = suggestion(name, known, "model or dataset")
        raise NotFound(f"there is no version {reference!r}", code="version-not-found", fix=fix)

    def up(self, thing: Thing) -> Node:
        """What made it, and what made that."""
        return self._up(thing, set(), frozenset())

    def down(self, thing: Thing) -> Node:
        """What was made of it, and of that."""
        return self._down(thing, self._children(), set(), frozenset())

    def made_of(self, repository: str, digest: str) -> Sequence[Thing]:
        """The versions that are there and were made of this one."""
        return [thing for thing in self._children().get((repository, digest), ()) if self._is_there(thing)]

    def origins(self, thing: Thing) -> Sequence[Origin]:
        """The statements about one version."""
        return [one for one in self._of(thing.repository) if one.thing.digest == thing.digest]

    def reindex(self) -> tuple[int, int]:
        """Forget the index, write statements that runs never got to write, read all; (statements, of them new)."""
        if self._index is not None:
            self._index.clear()
        new = 0
        records = RunRecords(self._store, self._registry)
        for pipeline in records.pipelines():
            for run in records.runs(pipeline):
                with suppress(NotFound, Corrupt, WrongUsage):
                    workflow = records.workflow(pipeline, run)
                    digest = records.digest(pipeline, run)
                    made = made_by(self._store, pipeline, run, records.get(pipeline, run), workflow, digest)
                    new += record_lineage(self._store, made)
        return sum(len(self._of(repository)) for repository in self._repositories()), new

    # -- inside ------------------------------------------------------------------------------------------------------------

    def _up(self, thing: Thing, drawn: set[str], above: frozenset[str]) -> Node:
        if thing.digest in drawn:
            return Node(thing, again=True)
        drawn.add(thing.digest)
        seen = above | {thing.digest}
        origins = tuple(self.origins(thing))
        inputs = {one.digest: one for origin in origins for one in origin.inputs if one.digest not in seen}
        following = () if len(seen) > DEPTH else tuple(self._up(one, drawn, seen) for one in inputs.values())
        return Node(thing, origins, following, missing=not self._is_there(thing))

    def _down(
        self, thing: Thing, children: Mapping[tuple[str, str], Sequence[Thing]], drawn: set[str], above: frozenset[str]
    ) -> Node:
        if thing.digest in drawn:
            return Node(thing, again=True)
        drawn.add(thing.digest)
        seen = above | {thing.digest}
        made = [one for one in children.get((thing.repository, thing.digest), ()) if one.digest not in seen]
        following = () if len(seen) > DEPTH else tuple(self._down(one, children, drawn, seen) for one in made)
        return Node(thing, tuple(self.origins(thing)), following, missing=not self._is_there(thing))

    def _children(self) -> Mapping[tuple[str, str], Sequence[Thing]]:
        """(Repository, digest) → what was made of it."""
        found: dict[tuple[str, str], dict[str, Thing]] = {}
        for repository in self._repositories():
            for origin in self._of(repository):
                for one in origin.inputs:
                    found.setdefault((one.repository, one.digest), {})[origin.thing.digest] = origin.thing
        return {key: sorted(things.values(), key=lambda one: one.uri) for key, things in found.items()}

    def _repositories(self) -> Sequence[str]:
        return [name for room in ROOMS for name in self._registry.repositories(room)]

    def _of(self, repository: str) -> Sequence[Origin]:
        """The statements of one repository, from the index where nothing changed."""
        stamp = stamp_of(self._store, repository)
        row = self._index.body(_ROW + repository) if self._index is not None and stamp else None
        if row is not None and row.stamp == stamp:
            return [_origin(repository, said) for said in row.value["statements"]]
        statements = list(self._statements(repository))
        if self._index is not None and stamp:
            self._index.put(_ROW + repository, stamp, {}, {"statements": statements})
        return [_origin(repository, said) for said in statements]

    def _statements(self, repository: str) -> Iterator[Mapping[str, Any]]:
        """Those that can be read, and are ours to read."""
        for manifest in self._manifests(repository):
            with suppress(NotFound, Corrupt, WrongUsage):
                said = read_config(self._store, repository, manifest)
                subject = (said.get("subject") or [{}])[0]
                about = f"sha256:{(subject.get('digest') or {}).get('sha256')}"
                if said.get("predicateType") == PREDICATE and about == subject_of(manifest.document):
                    yield said

    def _manifests(self, repository: str) -> Iterator[Manifest]:
        """Manifests of statements. In a folder its index tells them; a registry is asked for those of each version."""
        if isinstance(self._store, Layout):
            known = self._store.index(repository).manifests
            digests = [digest for digest, one in sorted(known.items()) if one.artifact_type == MEDIA_TYPE]
        else:
            versions = [tag for tag in self._store.tags(repository) if version_number(tag) is not None]
            subjects = {self._store.get_manifest(repository, tag).descriptor.digest for tag in versions}
            told = [one for digest in sorted(subjects) for one in self._store.referrers(repository, digest, MEDIA_TYPE)]
            digests = [one.digest for one in told]
        for digest in digests:
            with suppress(NotFound, Corrupt, WrongUsage):
                yield self._store.get_manifest(repository, digest)

    def _version(self, repository: str, tag: str, digest: str) -> Thing | None:
        tags = self._store.tags(repository)
        numbered = sorted((number, one) for one in tags if (number := version_number(one)) is not None)
        if not numbered:
            return None
        with suppress(NotFound):
            wanted = digest or tag or numbered[-1][1]
            found = self._store.get_manifest(repository, wanted).descriptor.digest
            for _, one in reversed(numbered):
                if one == tag or self._store.get_manifest(repository, one).descriptor.digest == found:
                    return Thing(repository, one, found)
        return None

    def _is_there(self, thing: Thing) -> bool:
        with suppress(NotFound, Corrupt, WrongUsage):
            return bool(self._store.get_manifest(thing.repository, thing.digest))
        return False


def to_json(node: Node) -> dict[str, Any]:
    """As REST and ``--json`` show it."""
    return {
        "repository": node.thing.repository,
        "tag": node.thing.tag,
        "digest": node.thing.digest,
        "missing": node.missing,
        "again": node.again,
        "origins": [
            {
                "run": one.run, "pipeline": one.pipeline, "notebook": one.notebook, "commit": one.commit, "dirty": one.dirty,
                "parameters": dict(one.parameters), "engine": one.engine, "finished": one.finished,
                "materials": [dict(material) for material in one.materials],
            }
            for one in node.origins
        ],
        "next": [to_json(one) for one in node.next],
    }  # fmt: skip


def _origin(repository: str, said: Mapping[str, Any]) -> Origin:
    """A statement in short; what is not there is empty."""
    definition, details = (_part(_part(said, "predicate"), key) for key in ("buildDefinition", "runDetails"))
    outside, metadata = _part(definition, "externalParameters"), _part(details, "metadata")
    dependencies = [one for one in definition.get("resolvedDependencies") or () if isinstance(one, Mapping)]
    subject = said["subject"][0]
    git = next((one for one in dependencies if one.get("name") == "git"), {})
    inputs = [thing for one in dependencies if (thing := _thing(str(one.get("uri") or ""))) is not None]
    besides = [one for one in details.get("byproducts") or () if isinstance(one, Mapping)]
    return Origin(
        thing=Thing(repository, str(subject.get("name", "")).rpartition(":")[2], f"sha256:{subject['digest']['sha256']}"),
        run=str(metadata.get("invocationId") or ""),
        pipeline=str(_part(definition, "internalParameters").get("pipeline") or ""),
        notebook=str(outside.get("notebook") or ""),
        commit=str(_part(git, "digest").get("gitCommit") or ""),
        dirty=bool(_part(git, "annotations").get("dirty")),
        parameters=_part(outside, "parameters"),
        materials=tuple(one for one in dependencies if one is not git and _thing(str(one.get("uri") or "")) is None),
        inputs=tuple(inputs),
        engine=str(_part(details, "builder").get("id") or "").rpartition("/")[2],
        finished=str(metadata.get("finishedOn") or ""),
        siblings=tuple(thing for one in besides if (thing := _thing(str(one.get("uri") or ""))) is not None),
    )


def _part(whole: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = whole.get(key)
    return found if isinstance(found, Mapping) else {}


def _thing(uri: str) -> Thing | None:
    """The version that a statement names, or None."""
    plain, _, digest = uri.removeprefix("oci:").partition("@")
    repository, _, tag = plain.rpartition(":")
    return Thing(repository, tag, digest) if uri.startswith("oci:") and repository.startswith(ROOMS) and digest else None
