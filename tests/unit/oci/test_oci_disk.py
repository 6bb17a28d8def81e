"""What a large file asks of the disk while it is written."""

import errno
import hashlib
import os

import pytest

from jupyter_mlops.oci import disk
from jupyter_mlops.oci.disk import Upload

PIECES = [3, 1, 10, 2, 2, 2, 2, 25, 1]
"""Kibibytes."""


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Kibibytes where the disk hears of mebibytes."""
    monkeypatch.setattr(disk, "_AHEAD", 8 << 10)


def write(tmp_path):
    upload = Upload(tmp_path)
    expected = b""
    for number, size in enumerate(PIECES):
        piece = bytes([number]) * (size << 10)
        upload.write(piece)
        expected += piece
    assert upload.digest == "sha256:" + hashlib.sha256(expected).hexdigest()
    upload.commit(tmp_path / "whole")
    assert (tmp_path / "whole").read_bytes() == expected


@pytest.mark.skipif(not hasattr(os, "posix_fadvise"), reason="this system takes no such advice")
def test_what_is_written_is_on_its_way_to_the_disk_long_before_it_is_synced(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(disk.os, "posix_fadvise", lambda _, start, count, advice: asked.append((start, count, advice)))
    write(tmp_path)
    assert [start + count for start, count, _ in asked[:-1]] == [start for start, _, _ in asked[1:]], "each part once"
    assert [count >> 10 for _, count, _ in asked] == [14, 8, 25]
    assert asked[0][0] == 0
    assert {advice for _, _, advice in asked} == {os.POSIX_FADV_DONTNEED}


def test_a_system_that_takes_no_advice_loses_nothing(monkeypatch, tmp_path):
    monkeypatch.delattr(disk.os, "posix_fadvise", raising=False)
    write(tmp_path)


def test_a_file_system_that_refuses_advice_loses_nothing(monkeypatch, tmp_path):
    def refuse(*_):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(disk.os, "posix_fadvise", refuse, raising=False)
    write(tmp_path)
