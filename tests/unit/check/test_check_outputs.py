"""Outputs: what counts as the same, and how a difference is said."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_mlops.check.outputs import RULES, compare, normal


def stream(text: str, name: str = "stdout") -> dict[str, Any]:
    return {"output_type": "stream", "name": name, "text": text}


def shown(data: dict[str, Any], kind: str = "display_data") -> dict[str, Any]:
    return {"output_type": kind, "data": data, "metadata": {}}


def error(name: str, text: str) -> dict[str, Any]:
    return {"output_type": "error", "ename": name, "evalue": text, "traceback": ["…"]}


WIDGET = "application/vnd.jupyter.widget-view+json"
SAME: dict[str, tuple[list[Any], list[Any], int]] = {
    "text": ([stream("a\n")], [stream("a\n")], 1),
    "text in pieces": ([stream("a\n"), stream("b\n")], [stream("a\nb\n")], 1),
    "two streams in another order": ([stream("a"), stream("w", "stderr")], [stream("w", "stderr"), stream("a")], 2),
    "nothing and no text": ([stream("")], [], 0),
    "a list of lines": ([{**stream(""), "text": ["a\n", "b"]}], [stream("a\nb")], 1),
    "an error and its traceback": ([error("ValueError", "no")], [{**error("ValueError", "no"), "traceback": []}], 1),
    "asking": ([error("StdinNotImplementedError", "kernel")], [error("StdinNotImplementedError", "step")], 1),
    "a styled table": ([shown({"text/html": "<t id=T_0a1b2>"})], [shown({"text/html": "<t id=T_9f8e7>"})], 1),
    "a model's diagram": ([shown({"text/html": "#sk-container-id-1"})], [shown({"text/html": "#sk-container-id-3"})], 1),
    "a widget": ([shown({WIDGET: {"model_id": "0" * 32}})], [shown({WIDGET: {"model_id": "f" * 32}})], 1),
    "timing": ([stream("Wall time: 3 ms\nok\n")], [stream("Wall time: 9 s\nok\n")], 1),
    "an address": ([stream("<Plot at 0x7f0102030405>, <Plot at 0x1234567>\n")], [stream("<Plot at 0x7f9992030405>, <Plot at 0x2234567>\n")], 1),
    "an SVG": (
        [shown({"image/svg+xml": '<dc:date>2026</dc:date><path id="m0123456789"/><use href="#m0123456789"/>'})],
        [shown({"image/svg+xml": '<dc:date>2027</dc:date><path id="mabcdef0123"/><use href="#mabcdef0123"/>'})],
        1,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SAME)
def test_same(name: str) -> None:
    single, pipeline, count = SAME[name]
    found = compare({3: single}, {3: pipeline})
    assert found.differences == ()
    assert found.equal == count


DIFFERENT: dict[str, tuple[list[Any], list[Any], str, str, str]] = {
    "text": ([stream("a\nb\n")], [stream("a\nc\n")], "stdout", "b", "c"),
    "more text": ([stream("a\n")], [stream("a\nc\n")], "stdout", "no more lines", "c"),
    "no text": ([stream("a\n")], [], "stdout", "a", "nothing"),
    "a number": ([stream("at 0x7f01")], [stream("at 0x7f02")], "stdout", "at 0x7f01", "at 0x7f02"),
    "one object that is two": (
        [stream("<P at 0x7f0102> <P at 0x7f0102>")], [stream("<P at 0x7f0102> <P at 0x7f0304>")], "stdout",
        "<P at <id 6.1>> <P at <id 6.1>>", "<P at <id 6.1>> <P at <id 6.2>>",
    ),
    "a result": ([shown({"text/plain": "1"}, "execute_result")], [shown({"text/plain": "2"})], "text/plain", "1", "2"),
    "a second display": (
        [shown({"text/plain": "1"})] * 2, [shown({"text/plain": "1"})], "text/plain (2)", "1", "nothing"
    ),
    "an error": ([error("ValueError", "no")], [error("KeyError", "no")], "error", "ValueError: no", "KeyError: no"),
    "an error's text": ([error("ValueError", "a")], [error("ValueError", "b")], "error", "ValueError: a", "ValueError: b"),
    "a picture's size": ([shown({"image/png": "abc"})], [shown({"image/png": "abcd"})], "image/png", "3 characters", "4 characters"),
    "ids that are exchanged": (
        [shown({"text/plain": "T_00000 T_11111 T_00000"})], [shown({"text/plain": "T_00000 T_11111 T_11111"})],
        "text/plain", "<id 1.1> <id 1.2> <id 1.1>", "<id 1.1> <id 1.2> <id 1.2>",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DIFFERENT)
def test_different(name: str) -> None:
    single, pipeline, what, first, second = DIFFERENT[name]
    (found,) = compare({3: single}, {3: pipeline}).differences
    assert (found.kind, found.cell, found.what, found.single, found.pipeline) == ("output", 3, what, first, second)


def test_pictures_of_one_size_are_told_apart() -> None:
    (found,) = compare({0: [shown({"image/png": "abc"})]}, {0: [shown({"image/png": "abd"})]}).differences
    assert found.single != found.pipeline


def test_only_cells_before_the_one_where_a_side_stopped() -> None:
    assert compare({1: [stream("a")], 4: [stream("x")]}, {1: [stream("a")]}, before=4).differences == ()


def test_a_path_below_the_folder_of_each_side() -> None:
    sides = {0: [stream("/tmp/a/x.csv\n")]}, {0: [stream("/tmp/home/work/x.csv\n")]}
    assert compare(*sides, (("/tmp/a",), ("/tmp/home/work", "/tmp/home"))).differences == ()


def test_a_warning_names_its_cell_by_a_file_that_no_other_process_has() -> None:
    sides = (
        {0: [stream("/tmp/ipykernel_12/345.py:3: UserWarning: no\n")]},
        {0: [stream("<ipython-input-2-0a>:3: UserWarning: no\n")]},
    )
    assert compare(*sides).differences == ()
    assert len(compare(sides[0], {0: [stream("<ipython-input-2-0a>:4: UserWarning: no\n")]}).differences) == 1


def test_every_rule_has_a_reason_and_replaces_something() -> None:
    examples = ("0123456789abcdef0123456789abcdef", "T_0123a", "sk-container-id-7", 'id="m0123456789"', "Wall time: 3 s",
                "3 ms ± 1 µs per loop (mean ± std. dev. of 7 runs)", "<dc:date>now</dc:date>", "CPU times: user 1 s", "<Axes at 0x7f0102>",
                "/tmp/ipykernel_12/345.py:3: UserWarning: no", "<ipython-input-2-0a>:3: UserWarning: no")  # fmt: skip
    for reason, pattern in RULES:
        assert reason
        assert any(pattern.search(text) for text in examples), reason
    assert all(normal(text) != text for text in examples)
