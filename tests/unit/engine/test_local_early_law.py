"""A law: whatever steps are tried out of order, a run ends as one kernel does, though the plan were wrong about every step.

The plan is made to say that no step needs another and each may be tried before its turn. What is true of them only the comparison
can find out: the programs do whatever they like to shared containers, closures and classes, draw, and set variables.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from jupyter_mlops.engine.local.machine import Machine
from jupyter_mlops.flow import Workbench
from jupyter_mlops.pipeline.lanes import Section
from jupyter_mlops.testing.engine import wait
from jupyter_mlops.workflow import compile as compiling
from jupyter_mlops.workflow import tasks
from tests.unit.notebook_building import document
from tests.unit.session.one_process import one_namespace
from tests.unit.session.test_any_program import NAMES, PRELUDE, STATEMENTS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.unit.engine.conftest import Lab

MORE = (
    "{x} = random.random()", "os.environ['{x}'] = str(len(os.environ.get('{y}', '')))", "{x} = os.environ.get('{y}', 0)",
    "other_{x} = [{y}]", "{x}_only = 1", "del {x}\n{x} = []", "touch({x})", "{x} = [{y}]",
)  # fmt: skip
BEGIN = "\n".join(["import os, random", "random.seed(1)", *PRELUDE])
SHOW = """
def tell(value, seen):
    if value is None or isinstance(value, (bool, int, float, str)):
        return repr(value)
    if id(value) in seen:
        return f"#{seen[id(value)]}"
    seen[id(value)] = len(seen)
    parts = [*value.items()] if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    if isinstance(value, np.ndarray):
        return str(value.tolist())
    if hasattr(value, "__dict__") and not isinstance(value, type):
        parts = sorted(vars(value).items())
    parts = [*parts, *(cell.cell_contents for cell in getattr(value, "__closure__", None) or ())]
    return f"{type(value).__name__}({', '.join(tell(part, seen) for part in parts)})"
seen = {}
print(*(tell(globals()[name], seen) for name in "abcd"), random.random(), [os.environ.get(name) for name in "abcd"], len(touch.__dict__))
"""


def program(seed: int) -> list[str]:
    """Cells of one statement or two, about few names each, so that some leave others alone."""
    draw = random.Random(seed)
    cells = []
    for _ in range(4):
        about = draw.sample(NAMES, 2)
        lines = [draw.choice([*STATEMENTS, *MORE * 3]) for _ in range(draw.randint(1, 2))]
        cells.append("\n".join(line.format(**{key: draw.choice(about) for key in "xyz"}) for line in lines))
    return cells


def in_one_kernel(cells: list[str], monkeypatch: pytest.MonkeyPatch) -> str | None:
    """What the last cell prints; None for a program that ends with an exception."""
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    shown = io.StringIO()
    try:
        space = one_namespace([BEGIN, *cells])
        with contextlib.redirect_stdout(shown):
            exec(SHOW, space)
    except (RecursionError, TypeError, AttributeError, NameError, ValueError, KeyError, IndexError):
        return None
    finally:
        for name in NAMES:
            os.environ.pop(name, None)
    return shown.getvalue()


def wrong(pipeline: Any) -> str:
    """A plan that says of every step that it needs nothing and may be tried."""
    steps = [{"name": step.name, "cells": list(step.cells), "needs": [], "early": True} for step in pipeline.steps]
    return json.dumps({"steps": steps})


def ran(lab: Lab, cells: list[str]) -> tuple[str, Mapping[str, str]]:
    """What the last cell of a run prints, and what is said of its steps."""
    bench = Workbench(replace(lab.settings, steps=replace(lab.settings.steps, early_after=0.0)))
    path: Path = lab.project / "nb.ipynb"
    sources = [BEGIN, *cells, SHOW]
    path.write_text(json.dumps(document(*((source, {"tags": [f"step:s{place}"]}) for place, source in enumerate(sources)))))
    run = wait(lab.engine, bench.run(path).name)
    assert run.phase == "Succeeded", (cells, run.failure)
    shown = json.loads(lab.folder(run).executed.read_text())["cells"][-1]["outputs"]
    return "".join(shown[0]["text"]), {step.name: step.message for step in run.steps if step.message}


@pytest.mark.skipif(Machine().processors < 2, reason="an attempt needs a processor of its own")
@pytest.mark.parametrize("first", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (101, 201, 301))])
def test_a_run_with_attempts_is_one_kernel(lab: Lab, monkeypatch: pytest.MonkeyPatch, first: int) -> None:
    monkeypatch.setattr(compiling, "plan_annotation", wrong)
    monkeypatch.setattr(tasks, "sections", lambda pipeline: tuple(Section(((step,),)) for step in pipeline.steps))
    said: list[str] = []
    seeds = (seed for seed in range(first, first + 100))
    programs = ((cells, expected) for seed in seeds if (expected := in_one_kernel(cells := program(seed), monkeypatch)) is not None)
    for cells, expected in (next(programs) for _ in range(6)):
        shown, messages = ran(lab, cells)
        assert shown == expected, (cells, messages)
        said += messages.values()
    print(*sorted(said), sep="\n")
    assert any(message.endswith("verified") for message in said)
    assert any(message.startswith("ran again in order") for message in said)
