"""Steps beside each other on a real Argo: proved by the source, learned from a run, and refused by name where two met.

The notebook that learns keeps its source: a parameter decides whether one step changes what the other reads.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.cluster.base import Cluster
from jupyter_mlops.engine.argo.engine import ArgoEngine
from jupyter_mlops.engine.base import Run, Submission
from jupyter_mlops.flow import Workbench
from jupyter_mlops.notebook.document import Notebook
from jupyter_mlops.notebook.read import parse
from jupyter_mlops.oci.open import open_store
from jupyter_mlops.registry.bundles import push_bundle, source_digest
from jupyter_mlops.registry.learned import read, with_learned
from jupyter_mlops.settings import Settings, Storage, Target
from jupyter_mlops.testing.engine import phases, wait
from jupyter_mlops.workflow.compile import compile_workflow
from tests.cluster.conftest import fresh_namespace
from tests.unit.notebook_building import document

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

SECONDS = 240
CERTAIN = {
    "load": "x = [3, 1, 2]\nprint(x)",
    "left": "a = sum(x)\nprint('left', a)\na",
    "right": "b = max(x)\nprint('right', b)\nb",
    "deep": "c = b * 2",
    "join": "print(a, b, c)",
}
LEARNING = {
    "load": "import random\nx = [3, 7, 2]",
    "left": "a = getattr(x, how)(7)",
    "right": "b = random.Random(len(x)).random()",
    "join": "print(x, a, round(b, 6))",
}


def notebook(name: str, cells: Mapping[str, str]) -> Notebook:
    how: tuple[str, list[str]] = ('how = "count"', ["parameters", "step:load"])
    made = document(how, *((source, [f"step:{step}"]) for step, source in cells.items()))
    return parse(json.dumps(made), f"{name}.ipynb")


@pytest.fixture(scope="module")
def argo(cluster: Cluster, registry: str, python_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArgoEngine]:
    home = tmp_path_factory.mktemp("home")
    with fresh_namespace(cluster, "a-branches") as namespace:
        target = Target("kit", namespace=namespace, registry=f"http://{registry}/{namespace}", image=python_image)
        yield ArgoEngine(Settings(storage=Storage(home=home)), cluster, target, open_store(target.registry))


def ran(argo: ArgoEngine, found: Notebook, how: str = "count", resume: str = "") -> Run:
    """Convert with what was learned, push, compile, submit, and wait."""
    store, source = argo._store, source_digest(found)
    pipeline = replace(Workbench().convert(found), python="3.11")
    pipeline, _ = with_learned(store, pipeline, source, resume or None)
    bundle = push_bundle(store, found, pipeline)
    made = compile_workflow(
        pipeline, bundle=bundle, source_digest=source, target=argo._target, parameters={"how": how}, resume=resume
    )
    name = argo.submit(Submission(made, f"/home/someone/{found.name}.ipynb")).name
    run = wait(argo, name, seconds=SECONDS)
    assert argo._recorder.record(name)  # by a thread otherwise, and what is not recorded teaches nothing yet
    return run


def depends(run: Run) -> dict[str, str]:
    tasks = next(one for one in run.workflow["spec"]["templates"] if "dag" in one)["dag"]["tasks"]
    return {task["name"]: task.get("depends", "") for task in tasks}


def printed(argo: ArgoEngine, run: Run, step: str) -> str:
    return "".join(f"{line.text}\n" for line in argo.logs(run.name, step=step) if line.event is None)


def test_what_the_source_proves_runs_side_by_side_and_counts_as_in_one_kernel(argo: ArgoEngine) -> None:
    run = ran(argo, notebook("certain", CERTAIN))
    assert run.phase == "Succeeded", (phases(run), run.failure)
    assert depends(run) == {
        "load": "", "left": "load.Succeeded", "right": "load.Succeeded", "deep": "left.Succeeded && right.Succeeded",
        "join": "deep.Succeeded",
    }  # fmt: skip
    assert printed(argo, run, "join") == "6 3 6\n"
    assert run.executed is not None
    cells = json.loads(Path(run.executed).read_text())["cells"]
    assert [cell["execution_count"] for cell in cells] == [1, 2, 3, 4, 5, 6]
    assert [output.get("data", {}).get("text/plain") for output in cells[3]["outputs"]] == [None, "3"]


def test_runs_teach_and_a_join_refuses_two_versions_by_name(argo: ArgoEngine) -> None:
    found = notebook("learning", LEARNING)
    first = ran(argo, found)
    assert first.phase == "Succeeded", (phases(first), first.failure)
    assert depends(first)["right"] == "left.Succeeded"

    second = ran(argo, found)
    assert second.phase == "Succeeded", (phases(second), second.failure)
    assert depends(second) == {
        "load": "", "left": "load.Succeeded", "right": "load.Succeeded", "join": "left.Succeeded && right.Succeeded",
    }  # fmt: skip
    assert printed(argo, second, "join") == printed(argo, first, "join")

    third = ran(argo, found, how="append")
    assert third.phase == "Failed"
    failure: Any = third.failure
    assert (failure.code, failure.step) == ("two-versions", "join")
    assert "the steps left and right ran beside each other, and left changed x" in failure.message
    assert "--pin left right" in failure.fix

    last = ran(argo, found, how="append", resume=third.name)
    assert last.phase == "Succeeded", (phases(last), last.failure)
    assert depends(last)["right"] == "left.Succeeded"
    assert [step.name for step in last.steps if step.cached] == ["load", "left"]
    assert ("left", "right") in read(argo._store, "learning", source_digest(found)).met
