"""Words on a terminal: what others wrote commands nothing, numbers read well, JSON is JSON."""

from __future__ import annotations

import io
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.cli.console import COLOUR, Console, ago, clean, duration, size
from jupyter_mlops.cli.convert import ranges
from jupyter_mlops.cli.progress import BAR, bar
from jupyter_mlops.errors import Diagnostic, Refused


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\ttext", "plain\ttext"),
        ("\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m"),
        ("\x1b[2J\x1b[Hcleared", "cleared"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("a\rb\x08c\x9bd", "abcd"),
        ("\x1bcreset", "reset"),
        ("ünïcode ✓", "ünïcode ✓"),
    ],
)
def test_only_colours_pass(text: str, shown: str) -> None:
    assert clean(text) == shown


@pytest.mark.slow
@given(st.text(alphabet=st.characters(codec="utf-8") | st.sampled_from("\x1b[]0;m\x07\\")))
def test_nothing_that_commands_a_terminal_is_left(text: str) -> None:
    left = COLOUR.sub("", clean(text))
    assert "\x1b]" not in left
    assert not any(ord(sign) < 32 and sign not in "\t\n\x1b" for sign in left)
    assert clean(clean(text)) == clean(clean(clean(text)))


@pytest.mark.parametrize(
    ("value", "shown"), [(None, "-"), (0.04, "0.0 s"), (12.34, "12.3 s"), (200, "3 m 20 s"), (7500, "2 h 5 m"), (3600, "1 h 0 m")]
)
def test_durations(value: float | None, shown: str) -> None:
    assert duration(value) == shown


@pytest.mark.parametrize(
    ("passed", "shown"),
    [(-5, "0 s ago"), (5, "5 s ago"), (119, "1 min ago"), (7200, "2 h ago"), (86400 * 3, "3 days ago"), (86400 * 90, "2026-")],
)
def test_times(passed: float, shown: str) -> None:
    now = 1795000000.0
    assert ago(now - passed, now).startswith(shown)


@pytest.mark.parametrize("when", [None, 0.0])
def test_no_time_is_not_1970(when: float | None) -> None:
    assert ago(when) == "-"


@pytest.mark.parametrize(
    ("count", "shown"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 KB"), (1_500_000, "1.5 MB"), (2.5e12, "2.5 TB")]
)
def test_sizes(count: int, shown: str) -> None:
    assert size(count) == shown


@pytest.mark.parametrize(("cells", "shown"), [((), ""), ((3,), "3"), ((1, 2, 3, 6), "1-3, 6"), ((0, 2, 4), "0, 2, 4")])
def test_ranges_of_cells(cells: tuple[int, ...], shown: str) -> None:
    assert ranges(cells) == shown


@given(st.lists(st.integers(0, 300), unique=True).map(sorted))
def test_ranges_name_every_cell_once(cells: list[int]) -> None:
    named = []
    for part in filter(None, ranges(cells).split(", ")):
        first, _, last = part.partition("-")
        named += range(int(first), int(last or first) + 1)
    assert named == cells


@pytest.mark.parametrize(("done", "total"), [(0, 0), (0, 6), (3, 6), (6, 6), (9, 6)])
def test_bars_never_overflow(done: int, total: int) -> None:
    assert len(bar(done, total).split(" ")[0]) == BAR


def test_json_has_no_nan() -> None:
    out = io.StringIO()
    Console(out, io.StringIO()).emit({"a": [math.nan, 1.5, {"b": math.inf}], "c": (1, 2)})
    assert json.loads(out.getvalue()) == {"a": [None, 1.5, {"b": None}], "c": [1, 2]}


def test_a_table_aligns_its_columns_and_cannot_be_broken_by_what_it_shows() -> None:
    out = io.StringIO()
    Console(out, io.StringIO()).table(("A", "B"), [("x", "1"), ("longer\x1b[2J", "2")])
    assert out.getvalue().splitlines() == ["A       B", "x       1", "longer  2"]


def test_a_refusal_lists_every_finding_with_its_fix() -> None:
    err = io.StringIO()
    found = (Diagnostic("a", "error", "first", 1, 2, "do this"), Diagnostic("b", "warning", "second"))
    Console(io.StringIO(), err).error(Refused("first", fix="do this", diagnostics=found))
    lines = err.getvalue().splitlines()
    assert lines[0] == "error: first"
    assert "cell 1:2" in lines[1]
    assert "[a]" in lines[1]
    assert lines[2].strip() == "fix: do this"
    assert "second" in lines[3]
    assert len(lines) == 4
