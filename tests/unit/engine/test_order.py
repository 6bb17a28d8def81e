"""Which steps may be tried while another runs: the table of plans, and what a chain is."""

from __future__ import annotations

import json

import pytest

from jupyter_mlops.engine.local.manifest import Output, Program, Task, Template
from jupyter_mlops.engine.local.order import asks_for_devices, chances, needs_of_early

TEMPLATE = Template(
    "run", {"command": ["x"]}, {"step": None, "state": None}, (Output("state", "/s", ""), Output("cached", "/c", ""))
)


def chain(*names: str, **changed: dict[str, object]) -> Program:
    """Tasks each of which takes the state of the one before."""
    found = []
    for place, name in enumerate(names):
        before = names[place - 1] if place else ""
        state = f"{{{{tasks.{before}.outputs.parameters.state}}}}" if before else ""
        known: dict[str, object] = {
            "template": TEMPLATE,
            "needs": (before,) if before else (),
            "arguments": {"step": name, "state": state},
        }
        found.append(Task(name, **{**known, **changed.get(name, {})}))  # type: ignore[arg-type]
    return Program("main", tuple(found), {})


NAMES = ("load", "fit", "plot", "show")
ALL: dict[str, set[str]] = {"load": set(), "fit": {"load"}, "plot": {"load"}, "show": {"fit", "plot"}}
ASKING = Template("ask", {}, {"step": None, "state": None}, (*TEMPLATE.outputs, Output("go", "/g", "false")))

CASES: dict[str, tuple[dict[str, set[str]], dict[str, dict[str, object]], str, set[str], list[tuple[str, tuple[str, ...]]]]] = {
    "beside the one that runs": (ALL, {}, "fit", {"load"}, [("plot", ("fit",))]),
    "two, one after the other in the document": (
        {**ALL, "show": {"load"}}, {}, "fit", {"load"}, [("plot", ("fit",)), ("show", ("fit", "plot"))],
    ),
    "nothing is done yet": (ALL, {}, "load", set(), []),
    "one that needs nothing, from the start": ({**ALL, "fit": set()}, {}, "load", set(), [("fit", ("load",))]),
    "what runs may act outside": ({k: v for k, v in ALL.items() if k != "fit"}, {}, "fit", {"load"}, []),
    "what stands between may": (
        {"load": set(), "fit": set(), "show": set()}, {}, "fit", {"load"}, [],
    ),
    "a condition": (ALL, {"plot": {"when": "a == b"}}, "fit", {"load"}, []),
    "items": (ALL, {"plot": {"items": "[1]"}}, "fit", {"load"}, []),
    "a lane": (ALL, {"plot": {"needs": ("load",)}}, "fit", {"load"}, []),
    "a join": (ALL, {"fit": {"arguments": {"step": "fit", "state": "", "join": "a,b"}}}, "fit", {"load"}, []),
    "one that is asked something": (ALL, {"plot": {"template": ASKING}}, "fit", {"load"}, []),
    "a step that may be skipped before it": (ALL, {"fit": {"needs": ("load", "x")}}, "fit", {"load"}, []),
}  # fmt: skip


@pytest.mark.parametrize(("needs", "changed", "running", "done", "expected"), CASES.values(), ids=CASES)
def test_what_may_be_tried(
    needs: dict[str, set[str]],
    changed: dict[str, dict[str, object]],
    running: str,
    done: set[str],
    expected: list[tuple[str, tuple[str, ...]]],
) -> None:
    found = chances(chain(*NAMES, **changed), {name: frozenset(of) for name, of in needs.items()}, running, done)
    assert [(one.task.name, one.between) for one in found] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, {}),
        ("no json", {}),
        ("[]", {}),
        (json.dumps({"steps": [{"name": "a", "needs": ["b"]}]}), {}),
        (json.dumps({"steps": [{"name": "a", "needs": ["b"], "early": True}]}), {"a": {"b"}}),
        (json.dumps({"steps": [{"name": "a", "needs": ["b"], "early": True, "after": ["c"]}]}), {"a": {"b", "c"}}),
    ],
)
def test_what_the_plan_says(text: str | None, expected: dict[str, set[str]]) -> None:
    assert needs_of_early(text) == expected


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ({}, False),
        ({"requests": {"cpu": "2", "memory": "1Gi", "ephemeral-storage": "1Gi"}}, False),
        ({"limits": {"nvidia.com/gpu": "1"}}, True),
        ({"requests": {"example.com/fpga": 1}}, True),
    ],
)
def test_devices(resources: dict[str, object], expected: bool) -> None:
    assert asks_for_devices({"resources": resources}) is expected
