"""Lines of growing files, and structured lines among them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.engine.local.observe import Observed
from jupyter_mlops.engine.logs import _LONGEST, Tail, event_of, log_line, read


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def test_a_tail_gives_whole_lines_from_where_it_stopped(tmp_path: Path) -> None:
    path = tmp_path / "log"
    tail = Tail(path)
    assert list(tail.lines()) == []  # not there yet
    append(path, b"one\ntw")
    assert list(tail.lines()) == ["one"]
    append(path, b"o\r\n\nthree")
    assert list(tail.lines()) == ["two", ""]
    assert list(tail.lines(final=True)) == ["three"]
    assert list(tail.lines(final=True)) == []


@given(
    st.lists(st.text(alphabet=st.characters(exclude_characters="\n\r", codec="utf-8"), max_size=6), max_size=8), st.integers(1, 7)
)
def test_however_a_file_grows_its_lines_are_the_same(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], piece: int
) -> None:
    path = tmp_path_factory.mktemp("tail") / "log"
    path.touch()
    tail, seen = Tail(path), []
    data = "".join(line + "\n" for line in lines).encode()
    for at in range(0, len(data), piece):  # pieces cut characters in two
        append(path, data[at : at + piece])
        seen += tail.lines()
    assert seen + list(tail.lines(final=True)) == lines


def test_a_line_without_an_end_does_not_fill_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "log"
    append(path, b"x" * (3 * _LONGEST) + b"\nend\n")
    lines = list(Tail(path).lines())
    assert sum(len(line) for line in lines) == 3 * _LONGEST + 3
    assert max(len(line) for line in lines) <= 2 * _LONGEST
    assert lines[-1] == "end"


def test_bytes_that_are_no_text_do_not_stop_a_reader(tmp_path: Path) -> None:
    append(tmp_path / "log", b"\xff\xfe ok\n")
    assert list(Tail(tmp_path / "log").lines()) == ["\ufffd\ufffd ok"]


@pytest.mark.parametrize(
    ("text", "event"),
    [
        ('@mlops {"event": "cell", "k": 1}', {"event": "cell", "k": 1}),
        ('@mlops {"event": 1}', None),
        ("@mlops [1]", None),
        ("@mlops {", None),
        ("@mlops", None),
        (' @mlops {"event": "cell"}', None),
        ("plain", None),
    ],
)
def test_only_whole_structured_lines_are_events(text: str, event: object) -> None:
    assert event_of(text) == event
    assert log_line("s", text).text == text


@pytest.mark.parametrize(
    ("time", "seconds"), [('"2026-01-01T00:00:00Z"', 1767225600.0), ("12.5", 12.5), ("null", None), ('"soon"', None)]
)
def test_an_events_time_is_its_lines_time(time: str, seconds: float | None) -> None:
    assert log_line("s", f'@mlops {{"event": "x", "time": {time}}}').time == seconds


def test_following_reads_what_came_before_the_end(tmp_path: Path) -> None:
    first, second = tmp_path / "a.log", tmp_path / "b.log"
    first.write_text("1\n")
    looks = iter(range(10))

    def look() -> tuple[dict[str, Path], bool]:
        turn = next(looks)
        if turn == 1:
            append(first, b"2\n")
            second.write_text("3")
        return ({"a": first, "b": second} if turn else {"a": first}), turn == 2

    assert [(line.step, line.text) for line in read(look, follow=True)] == [("a", "1"), ("a", "2"), ("b", "3")]


def observed(tmp_path: Path, *lines: str) -> Observed:
    (tmp_path / "log").write_text("".join(f"@mlops {line}\n" for line in lines))
    seen = Observed(Tail(tmp_path / "log"))
    seen.look()
    return seen


def test_progress_counts_finished_cells(tmp_path: Path) -> None:
    cell = '{{"event": "cell", "phase": "{}", "cell": {}, "k": {}, "n": 3}}'
    seen = observed(tmp_path, cell.format("started", 4, 1))
    assert (seen.progress, seen.running_cell, seen.reported) == ((0, 3), 4, False)
    seen = observed(tmp_path, cell.format("started", 4, 1), cell.format("succeeded", 4, 1), cell.format("started", 6, 2))
    assert (seen.progress, seen.running_cell, seen.reported) == ((1, 3), 6, True)
    seen = observed(tmp_path, cell.format("failed", 6, 2))
    assert (seen.progress, seen.running_cell) == ((1, 3), None)


@pytest.mark.parametrize(
    "line",
    [
        '{"event": "cell", "k": 5, "n": 3}', '{"event": "cell", "k": "1", "n": 3}', '{"event": "metric", "name": 1, "value": 2}',
        '{"event": "metric", "name": "x", "value": "high"}', '{"event": "metric", "name": "x", "value": NaN}', '{"event": "model"}',
        '{"event": "new kind"}',
    ],
)  # fmt: skip
def test_what_a_notebook_prints_to_fool_us_is_left_alone(tmp_path: Path, line: str) -> None:
    seen = observed(tmp_path, line)
    assert (seen.progress, seen.metrics, seen.models) == (None, {}, [])


def test_the_report_has_the_last_word(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text(
        '{"metrics": {"acc": 0.9, "bad": null}, "models": [{"name": "m", "tag": "v2", "digest": "d"}]}'
    )
    seen = observed(
        tmp_path, '{"event": "metric", "name": "acc", "value": 0.5}', '{"event": "model", "name": "m", "tag": "v2", "digest": "d"}'
    )
    seen.finish((tmp_path / "nowhere", tmp_path))
    assert (seen.metrics, seen.models) == ({"acc": 0.9}, [{"name": "m", "tag": "v2", "digest": "d"}])
