"""What was delivered, compared with the plan; and a real run that tells it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.flow import Workbench
from jupyter_mlops.oci.artifact import push_artifact
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.oci.names import REPORT, REPORT_CONFIG
from jupyter_mlops.pipeline.pipeline import Link, Pipeline, Step
from jupyter_mlops.registry.bundles import push_bundle
from jupyter_mlops.registry.deliveries import compare, deliveries_of_run
from jupyter_mlops.settings import Settings, Storage

PLAN = Pipeline(
    "nb",
    "nb.ipynb",
    (Step("load", (0, 1)), Step("clean", (2,)), Step("train", (3, 4))),
    (
        Link(0, 1, ("inside",), "data"),
        Link(1, 2, ("df", "limit"), "data"),
        Link(2, 3, ("clean",), "code"),
        Link(1, 4, ("out.csv",), "file"),
    ),
)


def account(delivered: dict[str, str], **more: Any) -> dict[str, Any]:
    return {"delivered": delivered, "changed": {}, "removed": [], "carriers": [], "files": [], **more}


CASES: dict[str, tuple[dict[str, Any], list[Any], list[Any]]] = {
    "as planned": ({"clean": account({"df": "1", "limit": "2"}), "train": account({"clean": "3"})}, [], []),
    "an edge that moved nothing": (
        {"clean": account({"df": "1"})}, [], [{"from": "load", "to": "clean", "name": "limit"}]
    ),
    "a value without an edge": (
        {"train": account({"clean": "3", "df": "1"})}, [{"step": "train", "name": "df", "with": []}], []
    ),
    "a value that shares parts": (
        {"clean": account({"df": "1", "view": "1", "limit": "2"})}, [{"step": "clean", "name": "view", "with": ["df"]}], []
    ),
    "a step that the plan does not have": ({"other": account({"x": "1"})}, [], []),
    "a step that has not ended": ({"load": account({})}, [], []),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_compare(name: str) -> None:
    accounts, unplanned, unused = CASES[name]
    found = compare(PLAN, accounts)
    assert (found["unplanned"], found["unused"]) == (unplanned, unused)


def test_steps_are_told_in_document_order_and_by_name() -> None:
    found = compare(PLAN, {"train": account({}), "load": account({}, changed={"df": "1"}, files=["a.csv"])})
    assert found["steps"] == [
        {"step": "load", "delivered": [], "changed": ["df"], "removed": [], "carriers": [], "files": ["a.csv"]},
        {"step": "train", "delivered": [], "changed": [], "removed": [], "carriers": [], "files": []},
    ]


def written(folder: Path) -> Path:
    sources = (
        ("load", "numbers = [1, 2]\nsame = numbers\nlimit = 3"),
        ("use", "numbers.append(limit)"),
        ("show", "print(same, eval('limit'))"),
    )
    cells = [
        {"cell_type": "code", "id": f"c{n}", "metadata": {"tags": [f"step:{step}"]}, "source": source, "outputs": [],
         "execution_count": None}
        for n, (step, source) in enumerate(sources)
    ]  # fmt: skip
    path = folder / "nb.ipynb"
    path.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}))
    return path


def test_reports_that_are_damaged_or_of_another_time_are_left_out(tmp_path: Path) -> None:
    bench = Workbench(Settings(Storage(tmp_path / "home")))
    notebook = bench.read(written(tmp_path))
    store = Layout(tmp_path / "registry")
    bundle = push_bundle(store, notebook, bench.convert(notebook))
    workflow = {"spec": {"arguments": {"parameters": [{"name": "mlops-bundle", "value": bundle}]}}}
    assert deliveries_of_run(store, "nb", "nb-1", workflow) is None
    for tag, report in (
        ("report.nb-1.load", {"step": "load", "account": account({})}),
        ("report.nb-1.use", {"step": "use"}),
        ("report.nb-1.show", {"step": "show", "account": {"delivered": {}}}),
        ("report.nb-2.use", {"step": "use", "account": account({})}),
    ):
        push_artifact(store, "runs/nb", REPORT, report, [], config_type=REPORT_CONFIG, tags=[tag])
    found = deliveries_of_run(store, "nb", "nb-1", workflow)
    assert found is not None
    assert [one["step"] for one in found["steps"]] == ["load"]
    assert deliveries_of_run(store, "nb", "nb-1", {}) is None


@pytest.mark.slow
def test_a_run_tells_what_was_delivered(tmp_path: Path) -> None:
    bench = Workbench(Settings(Storage(tmp_path / "home")))
    path = written(tmp_path)
    *_, run = bench.engine.watch(bench.run(path).name)
    assert run.phase == "Succeeded", run.failure
    found = deliveries_of_run(bench.store, run.pipeline, run.name, run.workflow)
    assert found is not None
    assert [(one["step"], one["delivered"], one["changed"]) for one in found["steps"]] == [
        ("load", [], ["limit", "numbers", "same"]),
        ("use", ["limit", "numbers", "same"], ["numbers", "same"]),
        ("show", ["limit", "numbers", "same"], []),
    ]
    assert {"step": "use", "name": "same", "with": ["numbers"]} in found["unplanned"]
    *_, again = bench.engine.watch(bench.resume(run.name).name)
    assert [step.cached for step in again.steps] == [True, True, True]
    taken = deliveries_of_run(bench.store, again.pipeline, again.name, again.workflow)
    assert taken is not None
    assert taken["steps"] == found["steps"]
    bench.engine.control(run.name, "delete")
    assert deliveries_of_run(bench.store, run.pipeline, run.name, run.workflow) is None
