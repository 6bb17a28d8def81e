"""Lanes that met become a chain, or stay failed where running again would not be as good as never having run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jupyter_mlops.engine.local.again import again
from jupyter_mlops.engine.local.folder import RunFolder
from jupyter_mlops.engine.local.manifest import Program, Task, Template

TEMPLATE = Template("run", {"command": ["x"]})
MET = "the steps b and d ran beside each other, and b changed x, which d may read"


def link(name: str, *needs: str, **more: str) -> Task:
    state = f"{{{{tasks.{needs[0]}.outputs.parameters.state}}}}" if needs else ""
    return Task(name, TEMPLATE, needs, {"step": name, "state": state, **more}, frozenset({"x"}))


LANES = Program(
    "main",
    (
        link("a"), link("b", "a", lane=""), link("c", "b"), link("d", "a", lane="b,c"), link("e", "d"),
        link("f", "a", "c", "e", join="b+c,d+e"), link("g", "f"),
    ),
    {},
)  # fmt: skip
INSIDE = frozenset("abcdefg")


def failed(code: str = "two-versions", message: str = MET) -> str:
    return f"main: Error (exit code 2): {json.dumps({'code': code, 'message': message, 'step': 'f'})}"


def reported(folder: Path, **files: list[str]) -> RunFolder:
    for step in "bcde":
        out = folder / "pods" / step / "mlops" / "out"
        out.mkdir(parents=True)
        (out / "report.json").write_text(json.dumps({"account": {"files": files.get(step, [])}}))
    return RunFolder(folder)


def test_the_lanes_after_the_first_run_in_order(tmp_path: Path) -> None:
    found = again(LANES, LANES.tasks[5], INSIDE, reported(tmp_path), failed())
    assert found is not None
    assert [task.name for task in found.tasks] == ["d", "e", "f"]
    assert [task.needs for task in found.program.tasks] == [(), ("a",), ("b",), ("c",), ("d",), ("e",), ("f",)]
    assert [dict(task.arguments) for task in found.tasks] == [
        {"step": "d", "state": "{{tasks.c.outputs.parameters.state}}", "lane": ""},
        {"step": "e", "state": "{{tasks.d.outputs.parameters.state}}"},
        {"step": "f", "state": "{{tasks.e.outputs.parameters.state}}", "join": ""},
    ]
    assert found.program.tasks[:3] == LANES.tasks[:3]
    assert found.why == "ran again in order: b changed x, which d may read"


def test_two_sections_become_one_chain(tmp_path: Path) -> None:
    two = link("f", "a", join="b,c;d,e")
    program = Program("main", (*LANES.tasks[:5], two), {})
    found = again(program, two, INSIDE, reported(tmp_path), failed())
    assert found is not None
    assert [task.name for task in found.tasks] == ["c", "d", "e", "f"]


@pytest.mark.parametrize(
    ("inside", "files", "message"),
    [
        (INSIDE - {"e"}, {}, failed()),
        (INSIDE, {"d": ["made.txt"]}, failed()),
        (INSIDE, {}, failed("step-failed")),
        (INSIDE, {}, "main: Error (exit code 1)"),
    ],
    ids=["one may act outside", "one wrote a file", "another failure", "no words"],
)
def test_what_stays_failed(tmp_path: Path, inside: frozenset[str], files: dict[str, list[str]], message: str) -> None:
    assert again(LANES, LANES.tasks[5], inside, reported(tmp_path, **files), message) is None


def test_a_step_without_a_report_may_have_written(tmp_path: Path) -> None:
    assert again(LANES, LANES.tasks[5], INSIDE, RunFolder(tmp_path), failed()) is None


def test_a_step_that_joins_nothing_just_failed(tmp_path: Path) -> None:
    assert again(LANES, LANES.tasks[6], INSIDE, reported(tmp_path), failed()) is None
