"""What the look at every byte finds, and what it mends: each damage is made by hand, as a disk or another program would."""

import json
import os

import pytest

from jupyter_mlops.errors import Corrupt, NotFound
from jupyter_mlops.oci.artifact import push_artifact
from jupyter_mlops.oci.layout import MARKER, Layout
from jupyter_mlops.oci.names import OCI_INDEX, OCI_MANIFEST
from jupyter_mlops.registry.collect import blob_files
from jupyter_mlops.registry.fsck import check

KIND = "application/vnd.example.v1+json"


@pytest.fixture
def layout(tmp_path):
    return Layout(tmp_path / "registry")


def publish(layout, name="a", data=b"layer", tag="v1"):
    """One manifest with one layer; both digests."""
    layer = layout.put_blob(name, data, KIND)
    return push_artifact(layout, name, KIND, {}, [layer], tags=[tag]).descriptor.digest, layer.digest


def spoil(path, data=b"wrong"):
    """Other bytes of the same size in a file of its own, as a second disk would have them."""
    size = path.stat().st_size
    path.unlink()
    path.write_bytes((data * size)[:size])


def found(layout, **options):
    return [(damage.repository, damage.what, damage.subject) for damage in check(layout, **options)]


def whole(layout, name, tag="v1"):
    """Whether all that a tag leads to can be read."""
    manifest = Layout(layout.root).get_manifest(name, tag)
    for layer in manifest.document["layers"]:
        with layout.open_blob(name, layer["digest"]) as stream:
            stream.read()
    return True


def test_nothing_is_wrong_with_what_we_write(layout):
    assert found(layout) == []
    publish(layout)
    layout.put_blob("a", b"other", KIND, "sha512")
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}
    absent = {"mediaType": OCI_MANIFEST, "digest": "sha256:" + 64 * "0", "size": 5}
    layout.put_manifest_bytes("a", json.dumps({**index, "manifests": [absent]}).encode(), check=False, tags=["sparse"])
    before = sorted(path.stat().st_mtime_ns for path in layout.root.rglob("*"))
    assert found(layout) == []
    assert found(layout, repair=True) == []
    assert sorted(path.stat().st_mtime_ns for path in layout.root.rglob("*")) == before
    with pytest.raises(NotFound):
        list(check(layout, ["unknown"]))


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_damaged_blob_is_replaced_by_a_sound_one(layout, algorithm):
    publish(layout)
    blob = layout.put_blob("a", b"sound bytes", KIND, algorithm)
    path = layout.blob_path("a", blob.digest)
    spoil(path)
    assert found(layout) == [("a", "damaged", blob.digest)]
    assert path.read_bytes() != b"sound bytes", "only looking changes nothing"
    (damage,) = check(layout, repair=True)
    assert str(layout.pooled(blob.digest)) in damage.repair
    assert path.read_bytes() == b"sound bytes"
    assert [aside.name for aside in (layout.root / "_damaged").iterdir()] == [f"a@{algorithm}-{path.name}"]
    assert found(layout) == []


def test_what_nobody_has_sound_is_moved_aside_so_that_a_push_mends_it(layout):
    digest, layer = publish(layout)
    path = layout.blob_path("a", layer)
    path.write_bytes(b"wrong")  # all names of the file, the pool's too
    assert found(layout) == [("a", "damaged", layer), ("", "pool", layer)]
    (first, missing, pool) = check(layout, repair=True)
    assert "push it again" in first.repair
    assert (missing.what, missing.repair, digest in missing.detail) == ("missing", "", True)
    assert pool.repair
    assert found(layout) == [("a", "missing", layer)]
    layout.put_blob("a", b"layer", KIND)
    assert found(layout) == []
    assert whole(layout, "a")


def test_bytes_come_from_another_repository_where_there_is_no_pool(layout):
    _, layer = publish(layout)
    publish(layout, "b/c")
    for path in (layout.pooled(layer), layout.blob_path("a", layer)):
        path.unlink()
    assert found(layout) == [("a", "missing", layer)]
    (damage,) = check(layout, repair=True)
    assert str(layout.blob_path("b/c", layer)) in damage.repair
    assert whole(layout, "a")


def test_a_manifest_that_is_gone_is_no_longer_listed(layout):
    digest, _ = publish(layout)
    kept, _ = publish(layout, data=b"two", tag="v2")
    for path in (layout.blob_path("a", digest), layout.pooled(digest)):
        path.unlink()
    fresh = Layout(layout.root)
    assert found(fresh) == [("a", "manifest", digest)]
    (damage,) = check(fresh, repair=True)
    assert "tags taken off: v1" in damage.repair
    assert fresh.tags("a") == ["v2"]
    assert fresh.get_manifest("a", "v2").descriptor.digest == kept
    assert found(fresh) == []


def test_a_damaged_manifest_is_mended_and_keeps_its_tag(layout):
    digest, _ = publish(layout)
    spoil(layout.blob_path("a", digest))
    fresh = Layout(layout.root)
    assert found(fresh) == [("a", "damaged", digest)]
    assert all(damage.repair for damage in check(fresh, repair=True))
    assert whole(fresh, "a")


def test_marker_and_index(layout):
    publish(layout)
    marker = layout.root / "a" / "oci-layout"
    marker.unlink()
    assert found(layout) == [("a", "marker", str(marker))]
    assert [damage.repair for damage in check(layout, repair=True)] == ["written"]
    assert marker.read_bytes() == MARKER
    (layout.root / "a" / "index.json").write_text("{")
    (damage,) = check(layout, repair=True)
    assert (damage.what, damage.repair) == ("index", ""), "tags are never guessed"
    with pytest.raises(Corrupt):
        Layout(layout.root).index("a")


def test_a_file_with_several_names_is_read_once(layout, monkeypatch):
    publish(layout)
    publish(layout, "b")
    from jupyter_mlops.registry import fsck

    read = []
    real = fsck.read_chunks
    monkeypatch.setattr(fsck, "read_chunks", lambda path: read.append(path.name) or real(path))
    assert found(layout) == []
    assert len(read) == len(set(read)) == len(list(blob_files(layout.root / "a" / "blobs")))


def test_a_disk_that_does_not_give_bytes_back_is_damage(layout, monkeypatch):
    from jupyter_mlops.errors import PlatformError
    from jupyter_mlops.registry import fsck

    blob = layout.put_blob("a", b"x", KIND)
    publish(layout)

    def fails(path):
        if path.name in blob.digest:
            error = PlatformError(f"cannot read {path}", code="unreadable")
            error.__cause__ = OSError(5, os.strerror(5))
            raise error
        return real(path)

    real = fsck.read_chunks
    monkeypatch.setattr(fsck, "read_chunks", fails)
    assert ("a", "damaged", blob.digest) in found(layout)
