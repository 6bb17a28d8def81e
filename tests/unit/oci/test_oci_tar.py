"""Tar: the same files give the same bytes anywhere, and nothing unpacks outside its folder."""

import io
import os
import tarfile
from contextlib import nullcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.errors import Corrupt, PlatformError, WrongUsage
from jupyter_mlops.oci import tar as module
from jupyter_mlops.oci.digest import digest_of
from jupyter_mlops.oci.tar import extract_all, files_below, read_member, tar_chunks
from jupyter_mlops.oci.verify import verified

part = st.text(st.characters(exclude_characters="/\x00", exclude_categories=["Cs"]), min_size=1, max_size=60).filter(
    lambda p: p not in {".", ".."} and len(p.encode()) < 200
)
trees = st.dictionaries(st.lists(part, min_size=1, max_size=3).map("/".join), st.binary(max_size=2000), min_size=1, max_size=6)


def tar(files, prefix=""):
    return b"".join(bytes(chunk) for chunk in tar_chunks(files, prefix=prefix))


def streams(*archives):
    return [nullcontext(io.BytesIO(archive)) for archive in archives]


def whole(files):
    """No file may be the folder of another."""
    return not any(other.startswith(name + "/") for name in files for other in files)


@given(trees.filter(whole))
def test_what_is_packed_unpacks_equal(tmp_path_factory, files):
    target = tmp_path_factory.mktemp("t") / "out"
    extract_all(streams(tar(files, "models/")), target, below="models/")
    assert {name: path.read_bytes() for name, path in files_below(target).items()} == {
        "models/" + name: data for name, data in files.items()
    }


@given(trees.filter(whole))
def test_python_and_the_order_of_files_agree(files):
    archive = tar(files)
    assert archive == tar(dict(reversed(files.items())))
    assert len(archive) % 512 == 0
    with tarfile.open(fileobj=io.BytesIO(archive)) as read:
        members = read.getmembers()
        assert all((m.mtime, m.uid, m.gid, m.uname) == (0, 0, 0, "") for m in members)
        assert {m.name for m in members if m.isreg()} == set(files)


@given(st.dictionaries(part, st.binary(max_size=3000), max_size=5), st.sampled_from([512, 700, 1024, 4096]))
def test_every_chunk_but_the_last_is_whole_wherever_members_begin(files, size):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CHUNK", size)
        chunks = [bytes(chunk) for chunk in tar_chunks(files)]
    assert b"".join(chunks) == tar(files)
    assert {len(chunk) for chunk in chunks[:-1]} <= {size}
    assert 0 < len(chunks[-1]) <= size


@pytest.mark.parametrize("by", [-3000, -1, 1, 3000])
def test_a_file_that_changes_while_it_is_packed_is_named(tmp_path, by):
    path = tmp_path / "weights"
    path.write_bytes(b"x" * 5000)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CHUNK", 1024)
        chunks = tar_chunks({"weights": path})
        next(chunks)
        os.truncate(path, 5000 + by)
        with pytest.raises(WrongUsage, match=f"{path} changed while it was read") as raised:
            list(chunks)
    assert raised.value.code == "invalid-folder"


def test_a_file_that_is_gone_is_named(tmp_path):
    for chunks in (tar_chunks({"gone": tmp_path / "gone"}), tar_chunks({"a": tmp_path})):
        with pytest.raises(PlatformError, match=f"cannot read {tmp_path}") as raised:
            list(chunks)
        assert raised.value.code == "unreadable"


def test_neither_machine_nor_hour_shows(tmp_path):
    digests = set()
    for number in range(2):
        folder = tmp_path / str(number)
        (folder / "sub").mkdir(parents=True)
        for name in ("b", "sub/a") if number else ("sub/a", "b"):
            (folder / name).write_text(name)
            os.utime(folder / name, (number, number))
            (folder / name).chmod(0o600 if number else 0o755)
        digests.add(digest_of(tar(files_below(folder), "models/")))
    assert len(digests) == 1


def test_the_bytes_are_those_of_a_year_ago():
    """A change here would store every model of everybody again."""
    assert digest_of(tar({"model.joblib": b"x", "sub/mlops.json": b"{}"}, "models/")) == (
        "sha256:947486069b161a1a8b168bd2b0e5dbd81651bb172b6e28ee80288005bcc9a3f7"
    )


def test_gnu_tar_reads_it(tmp_path):
    import shutil
    import subprocess

    if shutil.which("tar") is None:
        pytest.skip("no tar on this machine")
    (tmp_path / "a.tar").write_bytes(tar({"n" * 150: b"long", "ü": b"umlaut", "p/q": b""}))
    listed = subprocess.run(
        ["tar", "tf", "a.tar", "--quoting-style=literal"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert set(listed.stdout.split()) == {"n" * 150, "ü", "p/", "p/q"}
    assert listed.stderr == ""


def hostile(name, kind=tarfile.REGTYPE, link=""):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, link
        archive.addfile(info)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "archive",
    [
        hostile("../evil"),
        hostile("models/../../evil"),
        hostile("/evil"),
        hostile("elsewhere/x"),
        hostile("modelsx"),
        hostile("models/link", tarfile.SYMTYPE, "/etc/passwd"),
        hostile("models/link", tarfile.LNKTYPE, "/etc/passwd"),
        hostile("models/pipe", tarfile.FIFOTYPE),
        hostile("models/device", tarfile.CHRTYPE),
        hostile("models/a") + hostile("models/a"),
    ][:9],
)
def test_nothing_gets_outside(tmp_path, archive):
    target = tmp_path / "in" / "out"
    with pytest.raises(Corrupt):
        extract_all(streams(archive), target, below="models/")
    assert [path.name for path in tmp_path.rglob("*")] == ["in"], "and nothing is left"


@pytest.mark.parametrize("second", [{"models/a": b"2"}, {"models/a/b": b"2"}])
def test_two_layers_do_not_overwrite_each_other(tmp_path, second):
    with pytest.raises(Corrupt):
        extract_all(streams(tar({"models/a": b"1"}), tar(second)), tmp_path / "out", below="models/")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "damage", [lambda b: b[:700], lambda b: b"\xff" * len(b), lambda b: b[:-1] + b"\x01", lambda b: b[:600] + b"!" + b[601:]]
)
def test_a_damaged_layer_is_named_by_its_digest_and_leaves_nothing(tmp_path, damage):
    archive = tar({"models/a": b"x" * 600})
    broken = damage(archive)
    with pytest.raises(Corrupt, match=digest_of(archive)):
        extract_all([verified(io.BytesIO(broken), digest_of(archive), len(broken), "/place")], tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_something_in_it_is_not_touched(tmp_path):
    (tmp_path / "mine").write_text("keep")
    with pytest.raises(WrongUsage) as refused:
        extract_all(streams(tar({"a": b""})), tmp_path)
    assert refused.value.code == "folder-exists"
    assert (tmp_path / "mine").read_text() == "keep"


def test_one_member_is_read_and_the_rest_verified():
    archive = tar({"models/a": b"1", "models/mlops.json": b"{}", "models/z": b"x" * 5000})
    assert read_member(io.BytesIO(archive), "models/mlops.json", 10) == b"{}"
    assert read_member(io.BytesIO(archive), "models/none", 10) is None
    with pytest.raises(Corrupt, match="more than 1"):
        read_member(io.BytesIO(archive), "models/mlops.json", 1)
    broken = archive[:-2000] + b"!" + archive[-1999:]
    with pytest.raises(Corrupt, match=digest_of(archive)):
        read_member(verified(io.BytesIO(broken), digest_of(archive), len(broken), "/place"), "models/mlops.json", 10)


def test_only_files_can_be_packed(tmp_path):
    with pytest.raises(WrongUsage, match="no files"):
        files_below(tmp_path)
    (tmp_path / "real").write_text("x")
    (tmp_path / "link").symlink_to("real")
    assert set(files_below(tmp_path)) == {"link", "real"}, "a link to a file is that file"
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(WrongUsage, match="pipe is not a file"):
        files_below(tmp_path)
