# Long on purpose: the whole contract of a port is read in one file by whoever writes an adapter.
"""Conformance suites of the ports ``oci.store.Store`` and ``registry.base.Registry``: what holds, whatever keeps the bytes.

An adapter passes when a subclass with a fixture ``store`` (empty for every test) passes::

    class TestMine(StoreConformance):
        @pytest.fixture
        def store(self, tmp_path):
            return MyStore(tmp_path)
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.errors import Conflict, NotFound, WrongUsage
from jupyter_mlops.oci.artifact import artifact_document, layers_of, push_artifact, read_config
from jupyter_mlops.oci.descriptor import to_dict
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.oci.modelpack import PublishedModel, publish_model
from jupyter_mlops.oci.names import METRICS, OCI_INDEX, OCI_LAYER
from jupyter_mlops.oci.open import open_store
from jupyter_mlops.oci.store import Manifest, Store
from jupyter_mlops.oci.tar import Archive
from jupyter_mlops.registry.copy import copy
from jupyter_mlops.registry.events import history
from jupyter_mlops.registry.layout import registry_of
from jupyter_mlops.registry.models import Models
from jupyter_mlops.registry.runs import RunRecords

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

    @pytest.mark.parametrize(
        ("start", "count"), [(0, 8), (7, 100_000), (99_990, 10), (99_990, 500), (100_000, 1), (200_000, 5), (3, 0), (0, 200_000)]
    )
    def test_a_part_of_a_blob(self, store: Store, start: int, count: int) -> None:
        """From any byte on; what is past the end is not there, which is no error."""
        data = b"".join(number.to_bytes(4, "big") for number in range(25_000))
        blob = store.put_blob(REPOSITORY, data, OCI_LAYER)
        assert store.read_range(REPOSITORY, blob.digest, start, count) == data[start : start + count]
        with pytest.raises(NotFound):
            store.read_range(REPOSITORY, ABSENT, start, count or 1)

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

    def test_what_is_new_is_the_same_blob(self, store: Store, tmp_path: Path) -> None:
        """Also where it is there already, and large enough to be sent while it is hashed."""
        path = tmp_path / "file"
        path.write_bytes(bytes(range(256)) * 40_000)
        archive = Archive({"a": path})
        for way in (path, archive, b"small"):
            blobs = [store.put_blob(REPOSITORY, way, OCI_LAYER, new=new) for new in (True, False, True)]
            assert len(set(map(repr, blobs))) == 1
            with store.open_blob(REPOSITORY, blobs[0].digest) as stream:
                assert len(b"".join(iter(lambda: stream.read(1 << 20), b""))) == blobs[0].size

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
            lambda: store.read_range(name, ABSENT, 0, 1),
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


class RegistryConformance:
    """What holds for every registry: the port ``registry.base.Registry``, and what people do with it.

    A subclass has a fixture ``store`` (empty for every test).
    """

    def test_repositories_are_listed_by_prefix(self, store: Store) -> None:
        """Sorted; what other tools or we ourselves need is not among them."""
        registry = registry_of(store)
        assert list(registry.repositories()) == []
        for name in ("runs/b", "models/two", "models/one", "runs/a"):
            push_artifact(store, name, KIND, {"name": name}, tags=["v1"])
        assert list(registry.repositories()) == ["models/one", "models/two", "runs/a", "runs/b"]
        assert list(registry.repositories("models/")) == ["models/one", "models/two"]
        assert registry.store is store

    def test_a_tag_is_pointed_and_taken_off(self, store: Store) -> None:
        """What it named stays, by its other tags and by its digest."""
        registry, first, second = registry_of(store), push(store, "a", tags=("v1",)), push(store, "b", tags=("v2",))
        registry.point(REPOSITORY, "champion", first.descriptor.digest)
        assert store.get_manifest(REPOSITORY, "champion").data == first.data
        registry.point(REPOSITORY, "champion", second.descriptor.digest)
        assert store.get_manifest(REPOSITORY, "champion").data == second.data
        registry.delete(REPOSITORY, "champion")
        assert list(store.tags(REPOSITORY)) == ["v1", "v2"]
        assert store.get_manifest(REPOSITORY, "v2").data == second.data
        with pytest.raises(NotFound):
            registry.point(REPOSITORY, "x", ABSENT)
        with pytest.raises(WrongUsage):
            registry.point(REPOSITORY, "not a tag", first.descriptor.digest)

    def test_a_manifest_goes_with_all_its_tags(self, store: Store) -> None:
        """And nothing else."""
        registry, first = registry_of(store), push(store, "a", tags=("v1", "latest"))
        second = push(store, "b", tags=("v2",))
        registry.delete(REPOSITORY, first.descriptor.digest)
        assert list(store.tags(REPOSITORY)) == ["v2"]
        assert store.get_manifest(REPOSITORY, "v2").data == second.data
        with pytest.raises(NotFound):
            store.get_manifest(REPOSITORY, first.descriptor.digest)

    def test_all_are_deleted_or_none(self, store: Store) -> None:
        """So that a misspelt name does no harm."""
        registry = registry_of(store)
        push(store, "a", tags=("v1",))
        for missing in ("nothing", ABSENT):
            with pytest.raises(NotFound):
                registry.delete(REPOSITORY, "v1", missing)
        assert list(store.tags(REPOSITORY)) == ["v1"]

    def test_usage_counts_what_is_there(self, store: Store) -> None:
        """In bytes and manifests; ``own`` leaves out what another repository has too."""
        shared, mine = b"s" * 1000, b"m" * 500
        for name, contents in (("models/one", (shared, mine)), ("models/two", (shared,))):
            layers = [store.put_blob(name, content, OCI_LAYER) for content in contents]
            push_artifact(store, name, KIND, {"name": name}, layers, tags=["v1", "latest"])
        usage = {each.repository: each for each in registry_of(store).usage()}
        assert set(usage) == {"models/one", "models/two"}
        assert usage["models/one"].bytes >= 1500  # noqa: PLR2004 - the layers above
        assert usage["models/one"].bytes - usage["models/one"].own >= 1000  # noqa: PLR2004 - the shared one
        assert usage["models/two"].manifests == 1

    def test_collecting_takes_nothing_that_a_tag_leads_to(self, store: Store) -> None:
        """Referrers included."""
        manifest = push(store, tags=("v1",))
        about = push_artifact(store, REPOSITORY, "application/x.about", {}, subject=manifest.descriptor)
        registry = registry_of(store)
        registry.collect(dry_run=True)
        registry.collect(REPOSITORY, grace=0)
        assert read_config(store, REPOSITORY, store.get_manifest(REPOSITORY, "v1")) == {"content": "a"}
        (found,) = store.referrers(REPOSITORY, manifest.descriptor.digest)
        assert found.digest == about.descriptor.digest
        assert read_config(store, REPOSITORY, store.get_manifest(REPOSITORY, about.descriptor.digest)) == {}

    def test_referrers_of_what_is_gone_go_with_it(self, store: Store) -> None:
        """At the latest when the repository is collected."""
        manifest = push(store, tags=("v1",))
        push_artifact(store, REPOSITORY, "application/x.about", {}, subject=manifest.descriptor)
        registry = registry_of(store)
        registry.delete(REPOSITORY, manifest.descriptor.digest)
        registry.collect(REPOSITORY, grace=0)
        assert list(store.tags(REPOSITORY)) == []

    def test_one_at_a_time_holds_a_repository(self, store: Store) -> None:
        """Threads with stores of their own, as processes have them."""
        inside, most = [0], [0]

        def change() -> None:
            with registry_of(open_store(store.address)).exclusive(REPOSITORY):
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                open_store(store.address).tags(REPOSITORY)
                inside[0] -= 1

        together([change] * 4)
        assert most == [1]

    def test_no_two_publishers_get_the_same_version(self, store: Store, tmp_path: Path) -> None:
        """Nor does one of them lose what it published; the same key is one version however often it is tried."""
        folder = tmp_path / "model"
        folder.mkdir()
        (folder / "model.bin").write_bytes(b"w" * 1000)
        made: list[PublishedModel] = []

        def publish(key: str) -> None:
            there = open_store(store.address)
            made.append(publish_model(there, "churn", folder, key=key, annotations={}, metrics={"m": 1.0}))

        together([partial(publish, str(number)) for number in range(6)])
        tags = [one.tag for one in made]
        assert len(set(tags)) == len(made) == 6, tags  # noqa: PLR2004 - as many as were started
        for one in made:
            assert store.get_manifest("models/churn", one.tag).descriptor.digest == one.digest, f"{one.tag} was lost"
        newest = max(made, key=lambda one: int(one.tag[1:]))
        assert store.get_manifest("models/churn", "latest").descriptor.digest == newest.digest, "latest is an older one"
        publish("3")
        assert made[-1] in made[:-1], "the same key was published twice"

    def test_models_are_listed_named_unpacked_and_deleted(self, store: Store, tmp_path: Path) -> None:
        """The way that a person sees."""
        folder = tmp_path / "model"
        folder.mkdir()
        (folder / "mlops.json").write_text('{"version": 1, "signature": {"inputs": [{"name": "x", "datatype": "FP64"}]}}')
        for number in range(3):
            (folder / "model.bin").write_bytes(bytes([number]) * 1000)
            publish_model(store, "churn", folder, key=str(number), annotations={"format": "f"}, metrics={"m": number / 10})
        models = Models(store)
        (churn,) = models.list()
        assert [version.tag for version in churn.versions] == ["v3", "v2", "v1"]
        assert [dict(version.metrics) for version in churn.versions] == [{"m": 0.2}, {"m": 0.1}, {"m": 0.0}]
        assert churn.versions[0].inputs == ({"name": "x", "datatype": "FP64"},)
        models.set_alias("churn", "champion", "v1")
        models.set_alias("churn", "champion", "v2")
        assert [version.aliases for version in models.get("churn").versions] == [("latest",), ("champion",), ()]
        digests = [version.digest for version in churn.versions]
        assert [event["to"] for event in history(store, "models/churn", digests)] == ["v1", "v2"]
        models.extract(models.find("churn:champion"), tmp_path / "out")
        assert (tmp_path / "out" / "models" / "model.bin").read_bytes() == b"\x01" * 1000
        with pytest.raises(Conflict):
            models.delete("churn", "v2")
        models.delete("churn", "v3")
        assert [(version.tag, version.aliases) for version in models.get("churn").versions] == [
            ("v2", ("champion", "latest")),
            ("v1", ()),
        ]
        assert publish_model(store, "churn", folder, key="again", annotations={}, metrics={}).tag == "v4"
        models.remove_alias("churn", "champion")
        for tag in ("v4", "v2", "v1"):
            models.delete("churn", tag)
        assert models.list() == []
        with pytest.raises(NotFound):
            models.find("churn")

    def test_records_of_runs_are_put_read_and_deleted(self, store: Store) -> None:
        """And with a run what its steps left."""
        records = RunRecords(store)
        for run in ("r1", "r2"):
            push_artifact(store, "runs/p", KIND, {"run": run}, tags=[f"state.{run}.load"])
            records.put("p", run, {"name": run, "phase": "Succeeded"}, {"load.log": f"log of {run}".encode()})
        assert records.pipelines() == ["p"]
        assert records.runs("p") == ["r1", "r2"]
        assert records.get("p", "r1")["name"] == "r1"
        with records.open("p", "r2", "load.log") as stream:
            assert stream.read() == b"log of r2"
        records.delete("p", "r1")
        assert records.runs("p") == ["r2"]
        assert "state.r1.load" not in store.tags("runs/p")
        with pytest.raises(NotFound, match="r1"):
            records.get("p", "r1")
        with records.open("p", "r2", "load.log") as stream:
            assert stream.read() == b"log of r2"

    def test_a_model_is_copied_to_another_store_and_back(self, store: Store, tmp_path: Path) -> None:
        """With its referrers and its other tags, byte for byte; a second time nothing is sent."""
        folder = tmp_path / "model"
        folder.mkdir()
        (folder / "model.bin").write_bytes(b"w" * 3_000_000)
        local, back = Layout(tmp_path / "local"), Layout(tmp_path / "back")
        made = publish_model(local, "churn", folder, key="k", annotations={}, metrics={"m": 0.5})
        for _ in range(2):
            copy(local, store, "models/churn", "v1")  # type: ignore[arg-type] # every store of ours copies
        copy(store, back, "models/churn", "v1")  # type: ignore[arg-type] # the same
        for there in (store, back):
            assert there.get_manifest("models/churn", "v1").descriptor.digest == made.digest
            assert (
                there.get_manifest("models/churn", "v1.modelpack").data == local.get_manifest("models/churn", "v1.modelpack").data
            )
            assert len(there.referrers("models/churn", made.digest, METRICS)) == 1
        Models(back).extract(Models(back).find("churn:v1"), tmp_path / "out")
        assert (tmp_path / "out" / "models" / "model.bin").read_bytes() == b"w" * 3_000_000
        other = publish_model(Layout(tmp_path / "other"), "churn", folder, key="k2", annotations={}, metrics={})
        assert other.digest != made.digest
        with pytest.raises(Conflict):
            copy(Layout(tmp_path / "other"), store, "models/churn", "v1")  # type: ignore[arg-type] # the same
        with pytest.raises(NotFound):
            copy(store, back, "models/churn", "v9")  # type: ignore[arg-type] # the same


def together(work: Sequence[Callable[[], None]]) -> None:
    """Do all of it at the same time, and raise what one of them raises."""
    with ThreadPoolExecutor(len(work)) as pool:
        for future in [pool.submit(each) for each in work]:
            future.result()
