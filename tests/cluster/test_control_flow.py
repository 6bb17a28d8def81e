"""``each``, ``when`` and ``finally`` on a real Argo: the same table of notebooks as on this machine, and how failures look.

All Workflows are created at once, since most of their time is spent waiting.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from jupyter_mlops.cluster.base import Cluster
from jupyter_mlops.engine.argo.engine import ArgoEngine
from jupyter_mlops.engine.base import Run, Submission
from jupyter_mlops.oci.open import open_store
from jupyter_mlops.settings import Settings, Storage, Target
from jupyter_mlops.testing.engine import phases, wait
from tests.cluster.conftest import fresh_namespace
from tests.cluster.notebooks import compiled, submit_notebook
from tests.control_flow import EQUAL, Cell, plain

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

SECONDS = 480
BROKEN: list[Cell] = [
    ("rates = [1, 0, 2]\nkept = 5", {"step": "load"}),
    ("share = 10 / rate", {"step": "train", "each": "rate in rates"}),
    ("print(share)", {"step": "best"}),
    ("print(outcome, kept, 'share' in globals())", {"step": "report", "finally": "outcome"}),
]
CHOSEN = [key for key in EQUAL if not key.startswith(("functions", "random"))]
"""Those in which an engine has a part; the others are the runner's alone."""


@pytest.fixture(scope="module")
def argo(cluster: Cluster, registry: str, python_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArgoEngine]:
    home = tmp_path_factory.mktemp("home")
    with fresh_namespace(cluster, "h-argo-flow") as namespace:
        target = Target("kit", namespace=namespace, registry=f"http://{registry}/{namespace}", image=python_image)
        yield ArgoEngine(Settings(storage=Storage(home=home)), cluster, target, open_store(target.registry))


@pytest.fixture(scope="module")
def begun(argo: ArgoEngine) -> Mapping[str, str]:
    made = {}
    for number, (key, cells) in enumerate([*((key, EQUAL[key][0]) for key in CHOSEN), ("broken", BROKEN)]):
        steps = [(str(options["step"]), source) for source, options in cells]
        asked = {str(options["step"]): {k: v for k, v in options.items() if k != "step"} for _, options in cells}
        target = argo._target
        made[key] = submit_notebook(argo, argo._store, target, steps, name=f"flow-{number}", options=asked).name
    return made


def printed(argo: ArgoEngine, run: Run, step: str) -> str:
    return "".join(f"{line.text}\n" for line in argo.logs(run.name, step=step) if line.event is None)


@pytest.mark.parametrize("key", CHOSEN)
def test_a_notebook_gives_on_argo_what_plain_python_gives(argo: ArgoEngine, begun: Mapping[str, str], key: str) -> None:
    run = wait(argo, begun[key], seconds=SECONDS)
    assert run.phase == "Succeeded", (phases(run), run.failure)
    last: Any = EQUAL[key][0][-1][1]["step"]
    assert printed(argo, run, last) == plain(EQUAL[key][1])


def test_one_branch_fails_and_the_end_still_runs(argo: ArgoEngine, begun: Mapping[str, str]) -> None:
    run = wait(argo, begun["broken"], seconds=SECONDS)
    assert run.phase == "Failed"
    found = phases(run)
    assert {name: found[name] for name in ("load", "train", "train(1)", "best", "report")} == {
        "load": "Succeeded", "train": "Failed", "train(1)": "Failed", "best": "Skipped", "report": "Succeeded",
    }  # fmt: skip
    assert run.failure is not None
    assert (run.failure.cell, run.failure.line, run.failure.step) == (1, 1, "train(1)")
    assert printed(argo, run, "report") == "Failed 5 False\n"


def test_the_end_of_a_run_that_is_stopped_runs(argo: ArgoEngine) -> None:
    """And gets what the last step that finished left."""
    steps = [
        ("load", "kept = 5"),
        ("train", "import time\nprint('now', flush=True)\ntime.sleep(600)"),
        ("report", "print(outcome, kept)"),
    ]
    asked: dict[str, Any] = {"report": {"finally": "outcome"}}
    run = submit_notebook(argo, argo._store, argo._target, steps, name="flow-stopped", options=asked)
    wait(argo, run.name, lambda now: phases(now)["train"] == "Running", seconds=SECONDS)
    argo.control(run.name, "stop")
    run = wait(argo, run.name, seconds=SECONDS)
    assert (run.phase, phases(run)) == ("Stopped", {"load": "Succeeded", "train": "Stopped", "report": "Succeeded"})
    assert printed(argo, run, "report") == "Failed 5\n"


def test_a_resumed_run_takes_branches_over_and_runs_what_is_never_kept(argo: ArgoEngine) -> None:
    """``cache: off`` is a step's own wish; each branch is found by what it depended on."""
    steps = [("load", "kept = 5"), ("train", "share = kept * n"), ("look", "seen = sum(share)"), ("show", "print(share, seen)")]
    asked: dict[str, Any] = {"train": {"each": "n in [1, 2]"}, "look": {"cache": "off"}}
    first = wait(
        argo, submit_notebook(argo, argo._store, argo._target, steps, name="flow-cache", options=asked).name, seconds=SECONDS
    )
    assert first.phase == "Succeeded", first.failure
    document = compiled(argo._store, argo._target, steps, name="flow-cache", resume=first.name, options=asked)
    again = wait(argo, argo.submit(Submission(document, resume=first.name)).name, seconds=SECONDS)
    assert again.phase == "Succeeded", again.failure
    cached = {step.name: step.cached for step in again.steps}
    assert {name: cached[name] for name in ("load", "train(0)", "train(1)", "look")} == {
        "load": True, "train(0)": True, "train(1)": True, "look": False,
    }  # fmt: skip
    told = printed(argo, first, "show")
    assert told == "[5, 10] 15\n"
    assert cached["show"] or printed(argo, again, "show") == told
