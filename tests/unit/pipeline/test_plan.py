"""From a notebook to steps: named ones, proposed ones, and what refuses it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_mlops.errors import Refused
from jupyter_mlops.pipeline.contract import to_json
from jupyter_mlops.pipeline.pipeline import Pipeline
from jupyter_mlops.pipeline.plan import plan
from jupyter_mlops.pipeline.propose import MOST
from tests.unit.laws import law
from tests.unit.notebook_building import Spec, notebook

HARD: list[dict[str, Any]] = json.loads((Path(__file__).parents[2] / "corpus" / "hard_cases.json").read_text())


def planned(*cells: Spec, **options: Any) -> Pipeline:
    return plan(notebook(*cells, **options))


def steps(pipeline: Pipeline) -> dict[str, tuple[int, ...]]:
    return {step.name: step.cells for step in pipeline.steps}


def codes(pipeline: Pipeline) -> list[tuple[str, str, int | None]]:
    return [(d.code, d.severity, d.cell) for d in pipeline.diagnostics]


def refused(*cells: Spec) -> Refused:
    with pytest.raises(Refused) as caught:
        planned(*cells)
    return caught.value


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        # tags, metadata and magic name steps alike; a cell without a name joins the step above, the first ones the first step
        ([("x = 1", ["step:a"]), "y = x", ("z = y", ["step:b"])], {"a": (0, 1), "b": (2,)}),
        (["x = 1", ("y = x", {"mlops": {"step": "A b"}}), "%%step c\nz = y"], {"a-b": (0, 1), "c": (2,)}),
        ([("x = 1", ["step:a"]), ("y = x", ["step:a"]), "md:# T", ("z = y", ["step:a"])], {"a": (0, 1, 3)}),
        ([("x = 1", ["step:load_data"]), ("y = x", ["step:load-data"])], {"load-data": (0, 1)}),
        # skip is run by no step, and cuts nothing
        ([("x = 1", ["step:a"]), ("y = 2", ["skip"]), ("z = x", ["step:a"])], {"a": (0, 2)}),
        ([("x = 1", {"mlops": {"step": "a", "skip": True}}), ("z = 2", ["step:b"])], {"b": (1,)}),
        # Kale's other tags join the step they stand in
        ([("import os", ["imports"]), ("k = 1", ["pipeline-parameters"]), ("x = 1", ["step:a"]), ("x", ["pipeline-metrics"])],
         {"a": (0, 1, 2, 3)}),
        # names that Kubernetes does not take
        ([("x = f()", ["step:1. Größe & Maß"]), ("y = 2", ["step:数据"])], {"groesse-and-mass": (0,), "step-2": (1,)}),
    ],
)  # fmt: skip
def test_steps_that_a_person_named(cells: list[Spec], expected: dict[str, tuple[int, ...]]) -> None:
    assert steps(planned(*cells)) == expected


HEADED: list[Spec] = [
    "md:# The title", "import os", "md:## 1. Load\nsome text", "df = load()", "md:### deeper\n```\n# no heading\n```", "df.head()",
    "md:## Train **the** `model`", "m = fit(df)", "m.score()", "md:## Nothing but a text", "md:## Done", "# bye",
]  # fmt: skip


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (HEADED, {"load": (1, 3, 5), "train-the-model": (7, 8, 11)}),
        (["md:# A", "x = f()", "md:# A", "y = f()"], {"a": (1,), "a-2": (3,)}),
        (["md:<h2>Load</h2>", "x = f()", "md:<h2 align='center'>Fit it</h2>", "y = f()"], {"load": (1,), "fit-it": (3,)}),
        (["md:# T", "import os", "md:## Functions", "def f(): pass", "md:## Run", "f()"], {"run": (1, 3, 5)}),
        (["md:# Only one", "x = f()", "y = g(x)"], {"only-one": (1, 2)}),
        (["x = f()", "y = g(x)"], {"test": (0, 1)}),
        (["import os", "def f(): pass"], {"test": (0, 1)}),
        # without headings: cut where training and evaluating begin
        (["import pandas as pd", "df = pd.read_csv('a')", "df = df.dropna()", "X = df[['a']]; y = df.b", "m = make()", "m.fit(X, y)",
          "print(m.score(X, y))", "plot(m)"],
         {"load": (0, 1, 2, 3, 4), "train": (5, 6, 7)}),
        (["df = pd.read_csv('a')", "df = df.dropna()", "m.fit(df)", "m.fit(df.T)", "print(m.score(df))", "plot(m)"],
         {"load": (0, 1), "train": (2, 3), "evaluate": (4, 5)}),
        # a generator keeps its cells together
        (["md:# A", "g = (i for i in range(3))", "md:# B", "print(1)", "md:# C", "list(g)"], {"a": (1, 3, 5)}),
        (["md:# A", "fh = open('x')", "md:# B", "fh.read()"], {"a": (1, 3)}),
    ],
)  # fmt: skip
def test_steps_that_are_proposed(cells: list[Spec], expected: dict[str, tuple[int, ...]]) -> None:
    assert steps(planned(*cells)) == expected


def timed(source: str, seconds: float) -> Spec:
    """A cell with the times that JupyterLab records."""
    minutes, rest = divmod(seconds, 60)
    times = {
        "iopub.execute_input": "2026-01-01T00:00:00.000000Z",
        "shell.execute_reply": f"2026-01-01T00:{int(minutes):02}:{rest:09.6f}Z",
    }
    return source, {"execution": times}


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        # what took minutes is a step of its own result; what took less is not
        ([timed("x = f()", 61), "y = g(x)", "z = y"], {"prepare": (0,), "continue": (1, 2)}),
        ([timed("x = f()", 59), "y = g(x)", "z = y"], {"test": (0, 1, 2)}),
        ([timed("x = f()", 61), "y = g(x)"], {"test": (0, 1)}),
        (["a = f()", timed("m.fit(a)", 600), "print(m.score(a))", "plot(m)"], {"prepare": (0, 1), "evaluate": (2, 3)}),
        # a GPU from the first use to the last
        (["df = read_csv('a')", "df = g(df)", "net = Net().cuda()", "h = go(net)", "print(h)", "plot(h)"],
         {"load": (0, 1), "use-the-gpu": (2, 3), "continue": (4, 5)}),
        (["df = read_csv('a')", "df = g(df)", "device = 'cuda'", "net.to(device)", "net.fit(df)", "print(net.score(df))", "plot()"],
         {"load": (0, 1, 2), "use-the-gpu": (3, 4), "evaluate": (5, 6)}),
        (["a = f()", "b = f()", "x = g('cuda')"], {"test": (0, 1, 2)}),
        # headings are the author's own cuts: no others are made
        (["md:# A", timed("x = f()", 100), "net.cuda()", "y = g()", "z = y", "md:# B", "print(z)"], {"a": (1, 2, 3, 4), "b": (6,)}),
    ],
)  # fmt: skip
def test_cuts_at_what_takes_long_and_what_uses_a_gpu(cells: list[Spec], expected: dict[str, tuple[int, ...]]) -> None:
    assert steps(planned(*cells)) == expected


def test_the_quickest_neighbours_are_joined_when_there_are_too_many() -> None:
    seconds = [50, 1, 1, 50, 50, 50, 50, 50, 50]
    cells = [cell for n, took in enumerate(seconds) for cell in (f"md:## P{n}", timed(f"x{n} = f({n})", took))]
    assert [step.cells for step in planned(*cells).steps if len(step.cells) > 1] == [(3, 5)]


def test_what_is_kept_together_is_said() -> None:
    found = planned("md:# A", "x = f()\ng = (i for i in range(3))", "md:# B", "print(1)", "md:# C", "list(g)")
    (said,) = [said for said in found.diagnostics if said.code != "undefined-name"]
    assert (said.code, said.severity, said.cell, said.line) == ("kept-together", "info", 1, 2)
    assert said.message == "cells 1 to 5 stay in one step: g is a generator, which cannot be handed on"
    assert "make g in cell 5" in said.fix


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ([("net.cuda()", ["step:a"])], [("gpu-unasked", 0)]),
        ([("x = 1", ["step:a"]), ("y = 1\nnet.cuda()", [])], [("gpu-unasked", 1)]),
        ([("net.cuda()", {"mlops": {"step": "a", "gpu": 1}})], []),
        ([("net.cuda()", {"mlops": {"step": "a", "gpu": 0}})], []),
        ([("net.cuda()", {"mlops": {"step": "a", "resources": {"nvidia.com/mig-1g.5gb": "1"}}})], []),
        ([("net.cuda()", {"mlops": {"step": "a", "gpu": 1}}), ("net.cuda()", ["step:b"])], [("gpu-unasked", 1)]),
    ],
)
def test_a_step_that_uses_a_gpu_and_asks_for_none_is_told(cells: list[Spec], expected: list[tuple[str, int]]) -> None:
    found = [said for said in planned(*cells).diagnostics if said.code != "undefined-name"]
    assert [(said.code, said.cell) for said in found] == expected
    assert all("--gpu 1" in said.fix and said.line for said in found)


def test_the_cut_at_training_needs_work_on_both_sides() -> None:
    assert len(planned("m.fit(X)", "print(1)").steps) == 1
    assert len(planned(*["x = f()"] * 3, "m.fit(x)", "m.score(x)").steps) == 2


def test_never_more_than_a_person_takes_in() -> None:
    cells = [cell for n in range(30) for cell in (f"md:## Part {n}", f"x{n} = f({n})")]
    found = planned(*cells)
    assert len(found.steps) == MOST
    assert [cell for step in found.steps for cell in step.cells] == [2 * n + 1 for n in range(30)]


@pytest.mark.parametrize(
    "cells", [[], ["md:# T"], ["", "# comment"], [("x = 1", ["skip"])], ["%load_ext jupyter_mlops\n%mlops run"]]
)
def test_a_notebook_without_code_has_no_steps(cells: list[Spec]) -> None:
    found = planned(*cells)
    assert found.steps == ()
    assert to_json(found)["steps"] == []


def test_needs_are_direct_links() -> None:
    found = planned(("x = 1", ["step:a"]), ("y = x", ["step:b"]), ("z = y", ["step:c"]), ("print(x, z)", ["step:d"]))
    assert {step.name: step.needs for step in found.steps} == {"a": (), "b": ("a",), "c": ("b",), "d": ("a", "c")}


def test_a_declared_order_is_a_need_where_nothing_flows() -> None:
    found = planned(("x = 1", ["step:a"]), ("y = 1", ["step:b"]), ("z = 1", ["step:c", "prev:a"]))
    assert [step.needs for step in found.steps] == [(), (), ("a",)]
    assert found.diagnostics == ()


@pytest.mark.parametrize(
    ("cells", "code", "cell", "words"),
    [
        ([("x = 1", ["step:a"]), ("y = 1", ["step:b"]), ("z = 1", ["step:a"])], "duplicate-step", 2, "begins in cell 0"),
        ([("x = 1", ["step:a", "prev:b"]), ("y = 1", ["step:b", "prev:a"])], "cycle", None, "wait for each other"),
        ([("x = 1", ["step:a", "prev:a"])], "cycle", 0, "a → a"),
        ([("x = 1", ["step:a", "prev:c"]), ("y = 1", ["step:b", "prev:a"]), ("z = 1", ["step:c", "prev:b"])], "cycle", None, "→"),
        (["x = 1", "y = ="], "syntax-error", 1, "does not parse"),
        (["x = 1", "input()"], "input-call", 1, "asks a person"),
        ([("x = 1", {"mlops": {"gpu": "two"}})], "invalid-metadata", 0, "gpu"),
    ],
)
def test_what_refuses_a_notebook(cells: list[Spec], code: str, cell: int | None, words: str) -> None:
    error = refused(*cells)
    assert error.code == code
    assert words in error.message
    assert error.fix
    assert error.where.notebook == "test.ipynb"
    assert error.where.cell == cell or cell is None
    assert error.exit_code == 2


def test_a_refusal_carries_every_diagnostic() -> None:
    error = refused(("x = =", {"mlops": {"gpu": "two", "gpus": 1}}), "input()", "print(nope)")
    found = [(d.code, d.severity, d.cell) for d in error.diagnostics]
    assert sorted(found) == [
        ("input-call", "error", 1),
        ("invalid-metadata", "error", 0),
        ("invalid-metadata", "warning", 0),
        ("syntax-error", "error", 0),
        ("undefined-name", "warning", 2),
    ]
    assert "(and 2 more)" in error.message
    assert len(error.to_dict()["diagnostics"]) == 5


@pytest.mark.parametrize(
    ("cells", "code", "cell"),
    [
        ([("x = 1", ["step:a", "prev:zzz"])], "unknown-step", 0),
        ([("x = 1", ["step:a", "prev:b"]), ("y = 1", ["step:b"])], "order-conflict", 0),
        ([("g = (i for i in [1])", ["step:a"]), ("list(g)", ["step:b"])], "not-storable", 0),
        ([("x = 1", {"mlops": {"step": "a", "gpu": 1}}), ("y = 1", {"mlops": {"step": "a", "gpu": 2}})], "conflicting-options", 1),
    ],
)
def test_what_is_only_said(cells: list[Spec], code: str, cell: int) -> None:
    assert codes(planned(*cells)) == [(code, "warning", cell)]


def test_options_of_a_step_come_from_its_cells_and_the_notebook() -> None:
    found = planned(
        ("x = 1", {"mlops": {"step": "a", "gpu": 1, "env": {"A": "1"}, "outputs": "model"}}),
        ("y = 1", {"mlops": {"env": {"A": "9", "B": "2"}, "outputs": ["model:clf"], "memory": "1Gi"}}),
        ("z = 1", ["step:b"]),
        metadata={"mlops": {"image": "me/x:1", "env": {"A": "0", "C": "3"}, "memory": "2Gi"}},
    )
    first, second = (step.options for step in found.steps)
    assert (first.gpu, first.memory, first.image) == (1, "1Gi", "me/x:1")
    assert first.env == {"A": "1", "B": "2", "C": "3"}
    assert first.outputs == ("model", "model:clf")
    assert (second.gpu, second.memory, second.env) == (None, "2Gi", {"A": "0", "C": "3"})
    assert [(d.code, d.cell) for d in found.diagnostics] == [("conflicting-options", 1)]


def test_kernel_and_python_come_from_the_notebook() -> None:
    metadata = {"kernelspec": {"name": "k"}, "language_info": {"name": "python", "version": "3.12.4"}}
    found = planned("x = 1", metadata=metadata, name="Umsatz 2024.ipynb")
    assert (found.name, found.notebook, found.kernel, found.python) == ("umsatz-2024", "Umsatz 2024.ipynb", "k", "3.12")
    assert planned("x = 1").python == ""


def test_the_contract_of_convert() -> None:
    found = to_json(
        planned(("lr = 0.1  # rate", ["parameters", "step:a"]), ("print(lr, nope)", {"mlops": {"step": "b", "gpu": 1}}))
    )
    assert found == json.loads(json.dumps(found))
    assert found == {
        "pipeline": "test",
        "steps": [
            {"name": "a", "cells": [0], "needs": [], "title": "a"},
            {"name": "b", "cells": [1], "needs": ["a"], "title": "b", "options": {"gpu": 1}},
        ],
        "links": [{"from": 0, "to": 1, "names": ["lr"], "kind": "data"}],
        "parameters": [{"name": "lr", "type": "float", "default": 0.1, "cell": 0, "line": 1, "description": "rate"}],
        "diagnostics": [
            {
                "code": "undefined-name", "severity": "warning", "cell": 1, "line": 1,
                "message": "cell 1 reads nope, which no cell above binds; the run stops here",
                "fix": "Define it above, or correct the name.", "docs": "docs/notebooks.md#undefined-name",
            }
        ],
    }  # fmt: skip


@pytest.mark.parametrize("case", HARD, ids=lambda case: case["name"])
def test_hard_notebooks_convert_or_are_refused_where_they_stop(case: dict[str, Any]) -> None:
    cells = [(source, tags) for source, tags in zip(case["cells"], case["tags"], strict=True)]
    try:
        found = planned(*cells)
    except Refused as error:
        stops = case["expect"]["stops"]
        assert (error.where.cell, error.where.line) == (stops["cell"], stops["line"])  # noqa: PT017
        return
    assert [cell for step in found.steps for cell in step.cells] == list(range(len(cells)))
    if "diagnostic" in case["expect"]:
        said = {(d.cell, d.line) for d in found.diagnostics}
        assert (case["expect"]["diagnostic"]["cell"], case["expect"]["diagnostic"]["line"]) in said
    if case["name"] == "limits_cpu":
        options = found.steps[0].options
        assert (options.cpu, options.memory, options.gpu, options.gpu_resource) == ("2", "4Gi", 1, "nvidia.com/gpu")


CELLS = st.tuples(
    st.sampled_from(
        ["x = f()", "import os", "", "# c", "y = x", "md:# A", "md:## B", "md:text", "m.fit(x)", "m.score(x)", "def f(): pass"]
    ),
    st.sampled_from([[], ["step:a"], ["step:b"], ["step:c"], ["skip"], ["parameters"], ["prev:a"]]),
)


@settings(law, max_examples=150)
@given(st.lists(CELLS, max_size=25), st.booleans())
def test_every_code_cell_is_in_exactly_one_step_in_document_order(cells: list[Any], tagged: bool) -> None:
    cells = [(source, tags if tagged else [t for t in tags if t == "skip"]) for source, tags in cells]
    try:
        found = planned(*cells)
    except Refused as error:
        assert {d.code for d in error.diagnostics if d.severity == "error"} <= {"duplicate-step", "cycle"}  # noqa: PT017
        return
    expected = [i for i, (source, tags) in enumerate(cells) if not source.startswith("md:") and "skip" not in tags]
    covered = [cell for step in found.steps for cell in step.cells]
    assert covered == expected or (not covered and not any(cells[i][0].strip("# c") for i in expected))
    names = [step.name for step in found.steps]
    assert len(set(names)) == len(names)
    for place, step in enumerate(found.steps):
        assert step.cells
        assert set(step.needs) <= set(names[:place])
        assert found.step_of(step.cells[0]) == step.name
    assert found == planned(*cells)
