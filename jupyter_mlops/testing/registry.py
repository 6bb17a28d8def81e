"""Conformance suite of the port ``oci.store.Store``: what every store does, whatever holds the bytes.

An adapter passes when a subclass with a fixture ``store`` (empty for every test) passes::

    class TestMine(StoreConformance):
        @pytest.fixture
        def store(self, tmp_path):
            return MyStore(tmp_path)
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.errors import NotFound, WrongUsage
from jupyter_mlops.oci.artifact import artifact_document, layers_of, push_artifact, read_config
from jupyter_mlops.oci.descriptor import to_dict
from jupyter_mlops.oci.names import OCI_INDEX, OCI_LAYER
from jupyter_mlops.oci.open import open_store
from jupyter_mlops.oci.store import Manifest, Store

KIND = "application/vnd.example.thing.v1+json"
REPOSITORY = "models/one"
ABSENT = "sha256:" + 64 * "0"


def push(store: Store, content: str = "a", *, tags: tuple[str, ...] = (), **more: Any) -> Manifest:
    """A small artifact whose digest depends on ``content``."""
    layer = store.put_blob(REPOSITORY, content.encode(), OCI_LAYER)
    return push_artifact(store, REPOSITORY, KIND, {"content": content}, [layer], tags=tags, **more)


class StoreConformance:
    """What holds for every store."""

    @pytest.mark.parametrize("size", [0, 1, 65_537, 3_000_000])
    def test_a_blob_comes_back_as_it_was(self, store: Store, size: int) -> None:
        """Of any size, under the digest that anybody can compute."""
        data = bytes(range(256)) * (size // 256 + 1)
        data = data[:size]
        blob = store.put_blob(REPOSITORY, data, OCI_LAYER)
        assert (blob.digest, blob.size, blob.media_type) == ("sha256:" + hashlib.sha256(data).hexdigest(), size, OCI_LAYER)
        with store.open_blob(REPOSITORY, blob.digest) as stream:
            assert stream.read() == data
        with store.open_blob(REPOSITORY, blob.digest) as stream:
            assert b"".join(iter(lambda: stream.read(4097), b"")) == data

    def test_bytes_a_path_and_chunks_are_the_same_blob(self, store: Store, tmp_path: Path) -> None:
        """Three ways in, one digest; a reused buffer as a chunk is taken as it was when it was handed over."""
        path = tmp_path / "file"
        path.write_bytes(b"abcdef")

        def reused() -> Iterator[memoryview]:
            buffer = bytearray(2)
            for start in (b"ab", b"cd", b"ef"):
                buffer[:] = start
                yield memoryview(buffer)

        ways = [store.put_blob(REPOSITORY, way, OCI_LAYER) for way in (b"abcdef", path, [b"abc", b"", b"def"], reused())]
        assert len({blob.digest for blob in ways}) == 1
        with store.open_blob(REPOSITORY, ways[0].digest) as stream:
            assert stream.read() == b"abcdef"

    def test_what_is_not_there_is_not_found(self, store: Store) -> None:
        """Blob, manifest and tag, in a known repository and in an unknown one; listings are empty instead."""
        push(store, tags=("v1",))
        for repository in (REPOSITORY, "models/unknown"):
            for ask in (store.open_blob, store.get_manifest):
                with pytest.raises(NotFound):
                    ask(repository, ABSENT)
            with pytest.raises(NotFound):
                store.get_manifest(repository, "nothing")
            assert list(store.referrers(repository, ABSENT)) == []
        assert list(store.tags("models/unknown")) == []

    @pytest.mark.parametrize("name", ["", "Upper", "a//b", "../a", "a/..", "/a", "a/", "a b", "ä", "a" * 300, "_a", "a:b", "-a"])
    def test_a_bad_repository_name_says_the_rule(self, store: Store, name: str) -> None:
        """Nothing unchecked becomes a path."""
        for ask in (
            lambda: store.put_blob(name, b"", OCI_LAYER),
            lambda: store.open_blob(name, ABSENT),
            lambda: store.tags(name),
            lambda: store.get_manifest(name, "v1"),
        ):
            with pytest.raises(WrongUsage) as refused:
                ask()
            assert refused.value.code == "invalid-name"
            assert refused.value.fix

    @pytest.mark.parametrize("tag", ["", ".a", "-a", "a b", "a/b", "a:b", "ä", "a" * 129, "../x"])
    def test_a_bad_tag_is_refused(self, store: Store, tag: str) -> None:
        """And the manifest does not get in by its other tags."""
        with pytest.raises(WrongUsage):
            push(store, tags=("good", tag))
        assert list(store.tags(REPOSITORY)) == []

    def test_a_manifest_by_tag_and_by_digest(self, store: Store) -> None:
        """The very same bytes, with the config that was pushed."""
        manifest = push(store, tags=("v1", "latest"), annotations={"a": "b"})
        for reference in ("v1", "latest", manifest.descriptor.digest):
            found = store.get_manifest(REPOSITORY, reference)
            assert found.data == manifest.data
            assert found.descriptor.digest == "sha256:" + hashlib.sha256(found.data).hexdigest()
            assert (found.descriptor.artifact_type, dict(found.descriptor.annotations)) == (KIND, {"a": "b"})
        assert read_config(store, REPOSITORY, manifest) == {"content": "a"}
        assert [layer.size for layer in layers_of(manifest)] == [1]

    def test_the_same_document_has_the_same_digest(self, store: Store) -> None:
        """Whatever the order of its keys."""
        layer = store.put_blob(REPOSITORY, b"{}", KIND)
        document = artifact_document(KIND, layer, [layer], annotations={"a": "1", "b": "2"})
        backwards = dict(reversed(document.items()))
        assert store.put_manifest(REPOSITORY, document).data == store.put_manifest(REPOSITORY, backwards).data

    def test_a_tag_moves_and_what_it_left_stays_by_digest(self, store: Store) -> None:
        """Tags are sorted, and each names one manifest."""
        first, second = push(store, "a", tags=("v2", "v10", "latest")), push(store, "b", tags=("v1", "latest"))
        assert list(store.tags(REPOSITORY)) == ["latest", "v1", "v10", "v2"]
        assert store.get_manifest(REPOSITORY, "latest").data == second.data
        third = push(store, "c", tags=("v2", "v10"))
        assert store.get_manifest(REPOSITORY, "v10").data == third.data
        assert store.get_manifest(REPOSITORY, first.descriptor.digest).data == first.data

    def test_a_manifest_over_what_is_not_there_is_refused(self, store: Store) -> None:
        """So that whoever sees a tag can have all of it."""
        there = store.put_blob(REPOSITORY, b"{}", KIND)
        absent = {"mediaType": KIND, "digest": ABSENT, "size": 2}
        for document in (
            {**artifact_document(KIND, there, []), "layers": [absent]},
            {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [absent]},
        ):
            with pytest.raises(NotFound):
                store.put_manifest(REPOSITORY, document, tags=["v1"])
        assert list(store.tags(REPOSITORY)) == []

    def test_what_is_no_manifest_is_refused(self, store: Store) -> None:
        """Also one that is too large for any registry."""
        large = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [], "annotations": {"a": "x" * (4 << 20)}}
        for document in ({}, {"schemaVersion": 1}, {"schemaVersion": 2, "mediaType": "text/plain"}, large):
            with pytest.raises(WrongUsage):
                store.put_manifest(REPOSITORY, document)

    def test_an_index_and_its_children(self, store: Store) -> None:
        """A child without a tag is found by its digest."""
        children = [push(store, content) for content in "ab"]
        document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [to_dict(child.descriptor) for child in children]}
        index = store.put_manifest(REPOSITORY, document, tags=["v1"])
        assert store.get_manifest(REPOSITORY, "v1").document["manifests"][1]["digest"] == children[1].descriptor.digest
        assert store.get_manifest(REPOSITORY, children[0].descriptor.digest).data == children[0].data
        assert index.descriptor.media_type == OCI_INDEX

    def test_referrers(self, store: Store) -> None:
        """Those of one manifest, by type, with their annotations; also of one that is not there yet."""
        subject, other = push(store, "a", tags=("v1",)), push(store, "b", tags=("v2",))
        notes = {"metric": "0.5"}
        metric = push_artifact(store, REPOSITORY, "application/x.metric", {}, subject=subject.descriptor, annotations=notes)
        push_artifact(store, REPOSITORY, "application/x.event", {"n": 1}, subject=subject.descriptor)
        push_artifact(store, REPOSITORY, "application/x.event", {"n": 2}, subject=other.descriptor)
        assert len(store.referrers(REPOSITORY, subject.descriptor.digest)) == 2  # noqa: PLR2004 - pushed above
        (found,) = store.referrers(REPOSITORY, subject.descriptor.digest, "application/x.metric")
        assert (found.digest, found.artifact_type, dict(found.annotations)) == (
            metric.descriptor.digest,
            "application/x.metric",
            notes,
        )
        assert list(store.referrers(REPOSITORY, subject.descriptor.digest, "application/x.unknown")) == []

    def test_repositories_keep_apart(self, store: Store) -> None:
        """A blob of one is not seen in another, though its bytes may be shared."""
        blob = store.put_blob(REPOSITORY, b"mine", OCI_LAYER)
        with pytest.raises(NotFound):
            store.open_blob("models/two", blob.digest)
        assert store.put_blob("models/two", b"mine", OCI_LAYER) == blob
        with store.open_blob("models/two", blob.digest) as stream:
            assert stream.read() == b"mine"

    def test_the_address_leads_back(self, store: Store) -> None:
        """Another process that is handed the address sees the same."""
        manifest = push(store, tags=("v1",))
        again = open_store(store.address)
        assert again.get_manifest(REPOSITORY, "v1").data == manifest.data
        assert again.address == store.address
