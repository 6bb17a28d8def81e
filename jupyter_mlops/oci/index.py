"""``index.json`` of a layout as a value: which manifests there are, and which tags point at them.

An entry is a descriptor; one with the annotation ``org.opencontainers.image.ref.name`` is a tag, one without only keeps a
manifest reachable by digest (a child of an index, a referrer, what a tag left). zot keeps its folders in the same way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from jupyter_mlops.errors import Corrupt
from jupyter_mlops.oci.canonical import canonical, parse_object
from jupyter_mlops.oci.descriptor import from_dict, to_dict
from jupyter_mlops.oci.digest import is_digest
from jupyter_mlops.oci.names import OCI_INDEX
from jupyter_mlops.oci.reference import is_tag
from jupyter_mlops.oci.store import Descriptor

REF_NAME = "org.opencontainers.image.ref.name"


@dataclass(frozen=True)
class Index:
    """The entries, in the order of the file. Each change makes a new value."""

    entries: Sequence[Mapping[str, Any]] = ()

    @cached_property
    def tags(self) -> Mapping[str, str]:
        """Tag → digest. Names that cannot be tags, which other tools may have written, are not shown."""
        return {tag: entry["digest"] for entry in self.entries if (tag := _tag(entry)) is not None}

    @cached_property
    def manifests(self) -> Mapping[str, Descriptor]:
        """Digest → descriptor of every manifest that has an entry, without the tag."""
        return {entry["digest"]: from_dict(_plain(entry), "index.json") for entry in self.entries}

    def resolve(self, reference: str) -> str | None:
        """The digest that a tag points at, or the digest itself if it has an entry."""
        return (reference if reference in self.manifests else None) if is_digest(reference) else self.tags.get(reference)

    def with_manifest(self, descriptor: Descriptor, tags: Iterable[str]) -> Index:
        """With an entry for the manifest, and these tags on it and on nothing else."""
        moved = set(tags)
        entry = to_dict(
            Descriptor(descriptor.media_type, descriptor.digest, descriptor.size, artifact_type=descriptor.artifact_type)
        )
        kept = self._without(moved)
        known = {tag for other in kept if other["digest"] == descriptor.digest and (tag := _tag(other))}
        rest = [other for other in kept if other["digest"] != descriptor.digest]
        names = sorted(known | moved)
        return Index((*rest, *({**entry, "annotations": {REF_NAME: name}} for name in names)) if names else (*rest, entry))

    def without_tag(self, tag: str) -> Index:
        """Without the tag. Its manifest stays reachable by digest until it is collected."""
        return Index(self._without({tag}))

    def without_manifest(self, digest: str) -> Index:
        """Without the manifest and all its tags."""
        return Index(tuple(entry for entry in self.entries if entry["digest"] != digest))

    def to_bytes(self) -> bytes:
        """The file."""
        return canonical({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": list(self.entries)})

    def _without(self, tags: set[str]) -> tuple[Mapping[str, Any], ...]:
        """The entries with these tags taken off; a manifest that loses its last one keeps an entry without."""
        gone = [entry for entry in self.entries if _tag(entry) in tags]
        kept = [entry for entry in self.entries if _tag(entry) not in tags]
        present = {entry["digest"] for entry in kept}
        bare = {entry["digest"]: _plain(entry) for entry in gone if entry["digest"] not in present}
        return (*kept, *bare.values())


def parse_index(data: bytes, place: str) -> Index:
    """The value of an ``index.json``.

    Raises:
        Corrupt: it is none; ``place`` is named.
    """
    document = parse_object(data, place)
    entries = document.get("manifests")
    if not isinstance(entries, list):
        raise Corrupt(f"{place} has no list of manifests", fix="Restore the file; its blobs are still there.")
    for entry in entries:
        from_dict(entry, place)
    return Index(tuple(entries))


def _tag(entry: Mapping[str, Any]) -> str | None:
    """The tag of an entry, or None."""
    name = (entry.get("annotations") or {}).get(REF_NAME)
    return name if isinstance(name, str) and is_tag(name) else None


def _plain(entry: Mapping[str, Any]) -> dict[str, Any]:
    """An entry without its tag."""
    annotations = {key: value for key, value in (entry.get("annotations") or {}).items() if key != REF_NAME}
    plain = {key: value for key, value in entry.items() if key != "annotations"}
    return {**plain, "annotations": annotations} if annotations else plain
