"""The folder: shared by processes, honest about damage, clear about a full or read-only disk."""

import errno
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from jupyter_mlops.errors import Corrupt, NotFound, PlatformError, StorageFull, Unavailable, WrongUsage
from jupyter_mlops.oci.artifact import push_artifact
from jupyter_mlops.oci.disk import Upload, is_live
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.oci.lock import locked
from jupyter_mlops.oci.names import OCI_LAYER
from jupyter_mlops.oci.open import open_store

KIND = "application/vnd.example.v1+json"


@pytest.fixture
def layout(tmp_path):
    return Layout(tmp_path / "registry")


def blob_file(layout, digest, repository="a"):
    return layout.root / repository / "blobs" / "sha256" / digest[7:]


def names(folder):
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_the_shape_is_that_of_an_image_layout(layout):
    push_artifact(layout, "models/a", KIND, {}, tags=["v1"])
    folder = layout.root / "models" / "a"
    assert names(folder) == ["blobs", "index.json", "oci-layout"]
    assert (folder / "oci-layout").read_text() == '{"imageLayoutVersion":"1.0.0"}'
    assert names(layout.root / "_uploads") == []


def test_reading_makes_no_folder(layout):
    assert layout.tags("a") == []
    with pytest.raises(NotFound):
        layout.get_manifest("a", "v1")
    assert not layout.root.exists()


@pytest.mark.parametrize("name", ["a/blobs", "index.json", "blobs/x", "a/oci-layout/b"])
def test_names_of_the_layout_itself_are_no_repositories(layout, name):
    with pytest.raises(WrongUsage) as refused:
        layout.put_blob(name, b"", OCI_LAYER)
    assert refused.value.code == "invalid-name"


def test_a_blob_is_written_once_and_shared_between_repositories(layout):
    first = layout.put_blob("a", b"x" * 5000, OCI_LAYER)
    inode = blob_file(layout, first.digest).stat().st_ino
    layout.put_blob("a", [b"x" * 5000], OCI_LAYER)
    layout.put_blob("b", b"x" * 5000, OCI_LAYER)
    layout.put_blob("c", iter([b"x" * 5000]), OCI_LAYER)
    assert layout.mount("d", first.digest, "a")
    assert not layout.mount("d", "sha256:" + 64 * "0", "a")
    assert {blob_file(layout, first.digest, each).stat().st_ino for each in "abcd"} == {inode}
    assert names(layout.root / "_uploads") == []


def test_without_hard_links_nothing_is_shared_and_all_works(layout, monkeypatch):
    def refuse(*_args, **_options):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    first = layout.put_blob("a", b"data", OCI_LAYER)
    layout.put_blob("b", b"data", OCI_LAYER)
    assert layout.mount("c", first.digest, "a")
    assert len({blob_file(layout, first.digest, each).stat().st_ino for each in "abc"}) == 3


@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b"", lambda b: b[:-1] + b"!", lambda b: b + b"!"])
def test_damage_is_named_with_digest_and_path(layout, damage):
    blob = layout.put_blob("a", b"precious", OCI_LAYER)
    path = blob_file(layout, blob.digest)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(Corrupt) as found, layout.open_blob("a", blob.digest) as stream:
        stream.read()
    assert blob.digest in found.value.message
    assert str(path) in found.value.message


def test_a_truncated_blob_is_healed_by_storing_it_again(layout):
    blob = layout.put_blob("a", b"precious", OCI_LAYER)
    os.truncate(blob_file(layout, blob.digest), 3)
    layout.put_blob("a", b"precious", OCI_LAYER)
    with layout.open_blob("a", blob.digest) as stream:
        assert stream.read() == b"precious"


def test_a_damaged_manifest_hides_no_other(layout):
    subject = push_artifact(layout, "a", KIND, {}, tags=["v1"])
    good = push_artifact(layout, "a", KIND, {"n": 1}, subject=subject.descriptor)
    bad = push_artifact(layout, "a", KIND, {"n": 2}, subject=subject.descriptor)
    blob_file(layout, bad.descriptor.digest).write_bytes(b"{}")
    assert [each.digest for each in Layout(layout.root).referrers("a", subject.descriptor.digest)] == [good.descriptor.digest]
    with pytest.raises(Corrupt):
        layout.get_manifest("a", bad.descriptor.digest)


def test_a_damaged_index_is_an_error_and_is_not_overwritten(layout):
    push_artifact(layout, "a", KIND, {}, tags=["v1"])
    index = layout.root / "a" / "index.json"
    index.write_text("{")
    for ask in (lambda: layout.tags("a"), lambda: push_artifact(layout, "a", KIND, {}, tags=["v2"])):
        with pytest.raises(Corrupt, match=r"index\.json"):
            ask()
    assert index.read_text() == "{"


def test_a_layer_is_not_a_manifest(layout):
    layer = layout.put_blob("a", b'{"schemaVersion":2,"layers":[]}', OCI_LAYER)
    with pytest.raises(NotFound):
        layout.get_manifest("a", layer.digest)


def test_deleting_a_tag_and_a_manifest(layout):
    manifest = push_artifact(layout, "a", KIND, {}, tags=["v1", "v2"])
    layout.delete("a", "v1")
    assert layout.tags("a") == ["v2"]
    layout.delete("a", manifest.descriptor.digest)
    assert layout.tags("a") == []
    for reference in ("v2", manifest.descriptor.digest):
        with pytest.raises(NotFound):
            layout.get_manifest("a", reference)
        with pytest.raises(NotFound):
            layout.delete("a", reference)


def test_an_index_written_by_somebody_else_is_seen(layout):
    push_artifact(layout, "a", KIND, {}, tags=["v1"])
    assert layout.tags("a") == ["v1"]
    push_artifact(Layout(layout.root), "a", KIND, {}, tags=["v2"])
    assert layout.tags("a") == ["v1", "v2"]


WRITER = """
import sys
from pathlib import Path
from jupyter_mlops.oci.artifact import push_artifact
from jupyter_mlops.oci.layout import Layout
layout = Layout(Path(sys.argv[1]))
for n in range(50):
    push_artifact(layout, "a", "application/x", {"n": n % 7}, tags=[f"p{sys.argv[2]}-{n}", f"last-{n % 5}"])
"""


def test_four_processes_lose_nothing(layout):
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, layout.root, str(number)]) for number in range(4)]
    assert [writer.wait(120) for writer in writers] == [0, 0, 0, 0]
    expected = {f"p{p}-{n}" for p in range(4) for n in range(50)} | {f"last-{n}" for n in range(5)}
    assert set(layout.tags("a")) == expected
    assert len(layout.index("a").manifests) == 7
    assert names(layout.root / "_uploads") == []


def test_threads_of_one_layout_lose_nothing(layout):
    def write(number):
        for n in range(10):
            push_artifact(layout, "a", KIND, {"n": n}, tags=[f"t{number}-{n}"])

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(layout.tags("a")) == 40


def test_exclusive_keeps_others_out_but_not_their_writing(layout):
    with layout.exclusive("a"), pytest.raises(Unavailable) as busy, locked(layout.root / "_locks" / "a.publish", patience=0.05):
        pass
    assert busy.value.code == "locked"
    with layout.exclusive("a"):
        push_artifact(Layout(layout.root), "a", KIND, {}, tags=["v1"])
        with layout.exclusive("b"):
            pass
    with layout.exclusive("a"):
        pass


def test_an_error_of_the_caller_is_not_blamed_on_the_disk(layout):
    with pytest.raises(OSError, match="mine"), layout.exclusive("a"):
        raise OSError(errno.ENOSPC, "mine")

    def chunks():
        yield b"a"
        raise OSError(errno.ENOSPC, "mine")

    with pytest.raises(OSError, match="mine"):
        layout.put_blob("a", chunks(), OCI_LAYER)
    assert names(layout.root / "_uploads") == []


def test_a_file_that_cannot_be_read_is_named(layout, tmp_path):
    with pytest.raises(PlatformError, match="nothing-here"):
        layout.put_blob("a", tmp_path / "nothing-here", OCI_LAYER)


@pytest.fixture
def tiny(tmp_path):
    """A file system of one MiB, where root may mount one."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("needs root to mount a tmpfs; the injected faults below cover the same code")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"cannot mount a tmpfs: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk_is_said_and_loses_nothing(tiny):
    layout = Layout(tiny / "registry")
    push_artifact(layout, "a", KIND, {}, tags=["v1"])
    for data in (b"x" * (2 << 20), [b"x" * 100_000] * 20):
        with pytest.raises(StorageFull) as full:
            layout.put_blob("a", data, OCI_LAYER)
        assert str(layout.root) in full.value.message
        assert "free" in full.value.message
        assert full.value.fix
    assert names(layout.root / "_uploads") == []
    assert layout.get_manifest("a", "v1").document["artifactType"] == KIND
    push_artifact(layout, "a", KIND, {"after": 1}, tags=["v2"])


def test_a_read_only_disk_is_said_and_can_be_read(tiny):
    layout = Layout(tiny / "registry")
    push_artifact(layout, "a", KIND, {}, tags=["v1"])
    subprocess.run(["mount", "-o", "remount,ro", tiny], check=True)
    with pytest.raises(PlatformError) as refused:
        layout.put_blob("a", b"new", OCI_LAYER)
    assert refused.value.code == "read-only"
    assert str(layout.root) in refused.value.message
    assert layout.get_manifest("a", "v1").document["artifactType"] == KIND


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, StorageFull),
        (errno.EDQUOT, StorageFull),
        (errno.EFBIG, StorageFull),
        (errno.EROFS, PlatformError),
        (errno.EIO, PlatformError),
    ],
)
@pytest.mark.parametrize("call", ["write", "fsync", "open"])
def test_every_failing_call_becomes_an_error_of_ours(layout, monkeypatch, number, kind, call):
    push_artifact(layout, "a", KIND, {}, tags=["v1"])
    real = getattr(os, call)

    def fail(target, *rest):
        if call != "open" or "_uploads" in str(target):
            raise OSError(number, os.strerror(number))
        return real(target, *rest)

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(kind) as said:
        push_artifact(layout, "a", KIND, {"more": 1}, tags=["v2"])
    monkeypatch.undo()
    assert str(layout.root) in said.value.message
    assert layout.tags("a") == ["v1"]
    assert names(layout.root / "_uploads") == []


def test_a_file_size_limit_counts_as_full(layout):
    script = (
        "import resource, signal, sys; from pathlib import Path; from jupyter_mlops.oci.layout import Layout\n"
        "from jupyter_mlops.errors import StorageFull\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))\n"
        "try:\n    Layout(Path(sys.argv[1])).put_blob('a', b'x' * 20_000, 'x')\n"
        "except StorageFull as error:\n    print(error.message)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, layout.root], capture_output=True, text=True, check=True)
    assert str(layout.root) in done.stdout


def test_a_live_upload_is_known_from_a_dead_one(tmp_path):
    upload = Upload(tmp_path)
    assert is_live(upload.path)
    left = tmp_path / "left"
    left.write_bytes(b"half")
    assert not is_live(left)
    upload.discard()
    assert names(tmp_path) == ["left"]
    assert is_live(tmp_path / "gone-meanwhile")


@pytest.mark.parametrize("address", ["", "relative/path", "file:relative", "s3://bucket", "file://host/x", "http://"])
def test_an_address_that_is_none_is_refused(address):
    with pytest.raises(WrongUsage) as refused:
        open_store(address)
    assert refused.value.code == "invalid-address"


def test_an_address_with_odd_letters_leads_back(tmp_path):
    layout = Layout(tmp_path / "ä b%20c#d?e")
    assert open_store(layout.address).address == layout.address
    assert isinstance(open_store(layout.address), Layout)
    assert Path(open_store(layout.address).root) == layout.root
