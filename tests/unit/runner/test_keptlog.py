"""The log that goes into a report: whole while it is small, first and last part of a long one, in bounded memory."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.runner.keptlog import KeptLog
from jupyter_mlops.runner.progress import Log, tell_argo
from tests.unit.laws import law


@law
@given(st.lists(st.binary(max_size=50), max_size=20))
def test_a_small_log_is_kept_whole(parts: list[bytes]) -> None:
    kept = KeptLog(1000)
    for part in parts:
        kept.add(part)
    assert kept.content() == b"".join(parts)
    assert kept.size == len(b"".join(parts))


@law
@given(st.lists(st.integers(1, 40), min_size=1, max_size=60))
def test_first_and_last_lines_of_a_long_one(lengths: list[int]) -> None:
    kept, whole = KeptLog(100), b""
    for number, length in enumerate(lengths):
        line = str(number % 10).encode() * length + b"\n"
        kept.add(line)
        whole += line
    content = kept.content()
    first, said, rest = content.partition("… ".encode())
    assert whole.startswith(first)
    assert len(content) <= 200 + 100
    if said:
        count, _, last = rest.partition(" bytes are left out here …\n".encode())
        assert whole == first + whole[len(first) : len(first) + int(count)] + last
    else:
        assert content == whole


@pytest.mark.parametrize("size", [1, 100, 1 << 18, (1 << 18) + 1, 5 << 20])
def test_its_memory_is_bounded(size: int) -> None:
    kept = KeptLog(1 << 20)
    for _ in range((8 << 20) // max(size, 1 << 12)):
        kept.add(b"x" * size)
    assert sum(map(len, kept._last)) <= (1 << 20) + max(size, 1 << 18)
    assert len(kept.content()) <= (2 << 20) + 100


def test_the_log_keeps_what_it_writes() -> None:
    stream = io.StringIO()
    log = Log(stream)
    log.text("no line end")
    log.event("cell", phase="started", cell=1)
    log.text("é\udc80\n")
    assert log.content().decode() == stream.getvalue().replace("\udc80", "?")
    assert json.loads(log.content().decode().splitlines()[1].removeprefix("@mlops ")) == {
        "event": "cell",
        "phase": "started",
        "cell": 1,
    }
    assert log.size == len(log.content())


def test_progress_for_argo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tell_argo(1, 2)
    monkeypatch.setenv("ARGO_PROGRESS_FILE", str(tmp_path / "progress"))
    tell_argo(1, 2)
    assert (tmp_path / "progress").read_text() == "1/2\n"
    monkeypatch.setenv("ARGO_PROGRESS_FILE", str(tmp_path / "no" / "progress"))
    tell_argo(2, 2)
