"""Notebooks with ``each``, ``when`` and ``finally`` on the local engine give what the equivalent plain Python gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pytest

from jupyter_mlops.flow import Workbench
from jupyter_mlops.testing.engine import phases, wait
from tests.control_flow import EQUAL, Cell, plain

if TYPE_CHECKING:
    from jupyter_mlops.engine.base import Run
    from tests.unit.engine.conftest import Lab

nbformat = pytest.importorskip("nbformat")


class Flow:
    """A notebook whose cells carry options, in the lab's project folder."""

    def __init__(self, lab: Lab, *cells: Cell) -> None:
        self.lab, self.bench = lab, Workbench(lab.settings)
        self.path = lab.project / "flow.ipynb"
        self.write(cells)

    def write(self, cells: Sequence[Cell]) -> None:
        made = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": "P", "language": "python"}})
        for source, options in cells:
            tags = options.pop("tags", [])
            made.cells.append(nbformat.v4.new_code_cell(source, metadata={"mlops": options, "tags": tags}))
        nbformat.write(made, self.path)

    def run(self, resume: str | None = None, **parameters: Any) -> Run:
        run = self.bench.run(self.path, parameters, resume=resume)
        return wait(self.lab.engine, run.name, seconds=120)

    def texts(self, run: Run) -> list[str]:
        """What each cell has printed, in the executed notebook."""
        assert run.executed is not None
        document = nbformat.read(run.executed, as_version=4)
        nbformat.validate(document)
        return ["".join(x.get("text", "") for x in cell["outputs"]) for cell in document.cells]


def said(run: Run) -> str:
    return f"{run.phase} {phases(run)} {run.failure}"


@pytest.mark.slow
@pytest.mark.parametrize("key", EQUAL)
def test_a_notebook_gives_what_plain_python_gives(lab: Lab, key: str) -> None:
    cells, equivalent = EQUAL[key]
    flow = Flow(lab, *((source, dict(options)) for source, options in cells))
    run = flow.run()
    assert run.phase == "Succeeded", said(run)
    assert flow.texts(run)[-1] == plain(equivalent)


# -- what fails, and how it is said ------------------------------------------------------------------------------------


RATES: Cell = ("rates = [1, 0, 2]", {"step": "load"})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cells", "code", "cell", "words"),
    [
        ([RATES, ("share = 1 / rate", {"step": "train", "each": "rate in rates"})], "step-failed", 1, "ZeroDivisionError"),
        (
            [("rates, seen = [1], []\nadd = seen.append", {"step": "load"}), ("add(rate)", {"step": "train", "each": "rate in rates"})],
            "branch-changes", 1, "add",
        ),
        (
            [
                ("rates = [1, 2]", {"step": "load"}),
                ("open('model.txt', 'w').write(str(rate))", {"step": "train", "each": "rate in rates"}),
                ("print(rate)", {"step": "best"}),
            ],
            "branch-files", 1, "model.txt",
        ),
        ([("rates = 3", {"step": "load"}), ("x = rate", {"step": "train", "each": "rate in rates"})], "control-flow", 1, "not a list"),
        (
            [("rates = [{1, 2}]", {"step": "load"}), ("x = rate", {"step": "train", "each": "rate in rates"})],
            "control-flow", 1, "item 0 is a set",
        ),
        (
            [("rates = list(range(501))", {"step": "load"}), ("x = rate", {"step": "train", "each": "rate in rates"})],
            "control-flow", 1, "501 items",
        ),
        (
            [("rates = ['x' * 70_000]", {"step": "load"}), ("x = rate", {"step": "train", "each": "rate in rates"})],
            "control-flow", 1, "65536 bytes",
        ),
        ([("n = 1", {"step": "load"}), ("n = 2", {"step": "tune", "when": "n / 0 > 1"})], "control-flow", 1, "ZeroDivisionError"),
        (
            [
                ("n = 1", {"step": "load"}),
                ("extra = 2", {"step": "tune", "when": "n > 1"}),
                ("n = 2", {"step": "more"}),
                ("print(extra)", {"step": "show"}),
            ],
            "step-failed", 3, "NameError",
        ),
        (
            [
                ("rates = [1, 2]", {"step": "load"}),
                ("if rate > 1:\n    best = rate", {"step": "train", "each": "rate in rates"}),
                ("print(best)", {"step": "show"}),
            ],
            "not-storable", 1, "branch 0 of step train does not bind it",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said_with_its_cell(lab: Lab, cells: list[Cell], code: str, cell: int, words: str) -> None:
    run = Flow(lab, *((source, dict(options)) for source, options in cells)).run()
    assert run.phase == "Failed"
    assert run.failure is not None
    assert (run.failure.code, run.failure.cell) == (code, cell), run.failure
    assert words in run.failure.message
    assert run.failure.fix


@pytest.mark.slow
def test_what_branches_hang_on_the_process_stays_with_them_and_is_said(lab: Lab) -> None:
    run = Flow(
        lab,
        ("import time\nrates = [1, 2]", {"step": "load"}),
        ("def zone():\n    return rate\ntime.zone = zone\nshown = time.zone()", {"step": "train", "each": "rate in rates"}),
        ("print(shown, hasattr(time, 'zone'))", {"step": "show"}),
    ).run()
    assert run.phase == "Succeeded", said(run)
    text = "".join(line.text for line in lab.engine.logs(run.name))
    assert "what branches of train put onto other objects stays with them: time.zone" in text
    assert "[1, 2] False" in text


@pytest.mark.slow
def test_a_run_that_failed_in_one_branch_goes_on_from_there(lab: Lab) -> None:
    flow = Flow(
        lab,
        ("rates = [1, 0, 2]", {"step": "load"}),
        ("share = 10 / rate if rate or mended else 1 / 0\nprint(share)", {"step": "train", "each": "rate in rates"}),
        ("print(share)", {"step": "best"}),
    )
    flow.lab.notebook.unlink()
    failed = flow.run()
    assert (failed.phase, phases(failed)["train(1)"]) == ("Failed", "Failed")
    assert failed.failure is not None
    assert (failed.failure.step, failed.failure.cell, failed.failure.line) == ("train(1)", 1, 1)
    flow.write(
        [
            ("rates = [1, 4, 2]", {"step": "load"}),
            ("share = 10 / rate if rate or mended else 1 / 0\nprint(share)", {"step": "train", "each": "rate in rates"}),
            ("print(share)", {"step": "best"}),
        ]
    )
    again = flow.run(resume=failed.name)
    assert again.phase == "Succeeded", said(again)
    assert not any(step.cached for step in again.steps)  # another list is another state
    third = flow.run(resume=again.name)
    assert {step.name: step.cached for step in third.steps if step.name != "train"} == dict.fromkeys(
        ("load", "train(0)", "train(1)", "train(2)", "best"), True
    )
    assert flow.texts(third)[-1] == "[10.0, 2.5, 5.0]\n"


@pytest.mark.slow
def test_finished_branches_are_taken_over(lab: Lab, tmp_path: Any) -> None:
    gate = tmp_path / "gate"
    flow = Flow(
        lab,
        ("import pathlib\nnames = ['a', 'b']", {"step": "load"}),
        (
            f"assert name == 'a' or pathlib.Path({str(gate)!r}).exists()\nlong = name * 3",
            {"step": "train", "each": "name in names"},
        ),
        ("print(long)", {"step": "show"}),
    )
    failed = flow.run()
    assert phases(failed)["train(0)"] == "Succeeded"
    gate.write_text("")
    again = flow.run(resume=failed.name)
    assert again.phase == "Succeeded", said(again)
    assert [step.name for step in again.steps if step.cached] == ["load", "train(0)"]
    assert flow.texts(again)[-1] == "['aaa', 'bbb']\n"


@pytest.mark.slow
def test_the_end_runs_after_a_failure_with_the_state_of_what_finished(lab: Lab) -> None:
    flow = Flow(
        lab,
        ("kept = [1]", {"step": "load"}),
        ("1 / 0", {"step": "train"}),
        ("print(outcome, kept)", {"step": "report", "finally": "outcome"}),
    )
    run = flow.run()
    assert (run.phase, phases(run)) == ("Failed", {"load": "Succeeded", "train": "Failed", "report": "Succeeded"})
    assert run.failure is not None
    assert (run.failure.step, run.failure.cell) == ("train", 1)
    assert flow.texts(run)[-1] == "Failed [1]\n"


@pytest.mark.slow
def test_outputs_of_branches_stand_below_each_other_in_the_order_of_items(lab: Lab) -> None:
    flow = Flow(lab, ("import time\nprint(n)\ntime.sleep(0.3 / n)", {"step": "many", "each": "n in [1, 2, 3]"}))
    run = flow.run()
    assert run.phase == "Succeeded", said(run)
    assert flow.texts(run) == ["1\n2\n3\n"]
    assert [line.step for line in lab.engine.logs(run.name, step="many") if line.event is None] == ["many(0)", "many(1)", "many(2)"]


@pytest.mark.slow
def test_a_step_without_cache_runs_again(lab: Lab) -> None:
    flow = Flow(lab, ("a = 1", {"step": "first"}), ("b = 2", {"step": "second", "cache": "off"}), ("c = 3", {"step": "third"}))
    again = flow.run(resume=flow.run().name)
    assert [step.name for step in again.steps if step.cached] == ["first", "third"]


@pytest.mark.slow
def test_a_claim_is_a_folder_that_outlives_the_run(lab: Lab) -> None:
    options = {"step": "a", "volumes": [{"claim": "data", "mount": "/data"}, {"mount": "/scratch"}], "env": {"DATA": "/data/in"}}
    source = (
        "import os, pathlib\nplace = pathlib.Path(os.environ['DATA'])\nplace.mkdir(exist_ok=True)\n"
        "print(len(list(place.iterdir())))\n(place / str(len(list(place.iterdir())))).touch()"
    )
    flow = Flow(lab, (source, options))
    assert [flow.texts(run)[0] for run in (flow.run(), flow.run())] == ["0\n", "1\n"]


@pytest.mark.slow
def test_only_what_an_expression_reads_reaches_a_step(lab: Lab) -> None:
    flow = Flow(
        lab,
        ("rates = [1]\nother = 5", {"tags": ["parameters"], "step": "train2"}),
        ("print(rates, other)", {"step": "train2"}),
        ("print(rate)", {"step": "each", "each": "rate in rates"}),
    )
    run = flow.run(rates=[3, 4])
    assert run.phase == "Succeeded", said(run)
    assert flow.texts(run) == ["", "[3, 4] 5\n", "3\n4\n"]


@pytest.mark.slow
def test_a_list_that_is_a_parameter_needs_no_step_before(lab: Lab) -> None:
    flow = Flow(
        lab,
        ("rates = [1, 2]", {"tags": ["parameters"], "step": "train", "each": "rate in rates"}),
        ("double = rate * 2", {"step": "train"}),
        ("print(rate, double)", {"step": "show"}),
    )
    run = flow.run(rates=[5])
    assert run.phase == "Succeeded", said(run)
    assert flow.texts(run)[-1] == "[5] [10]\n"


@pytest.mark.slow
def test_a_branch_is_tried_again_like_any_step(lab: Lab, tmp_path: Any) -> None:
    once = tmp_path / "once"
    flow = Flow(
        lab,
        (
            (
                f'%%step many --each "n in [1, 2]" --retries 1\nimport pathlib\nonce = pathlib.Path({str(once)!r})\n'
                "if n == 2 and not once.exists():\n    once.touch()\n    1 / 0\ndouble = n * 2"
            ),
            {},
        ),
        ("%%step show\nprint(n, double)", {}),
    )
    run = flow.run()
    assert run.phase == "Succeeded", said(run)
    assert flow.texts(run)[-1] == "[1, 2] [2, 4]\n"
    nodes = [node["name"].partition(".")[2] for node in run.workflow["status"]["nodes"].values()]
    assert {"many", "many(0:0:1)", "many(1:1:2)", "many(1:1:2)(0)", "many(1:1:2)(1)", "show"} <= set(nodes)


@pytest.mark.slow
def test_a_stopped_run_stops_its_branches_and_runs_its_end(lab: Lab) -> None:
    flow = Flow(
        lab,
        ("import time\nprint('begun')\ntime.sleep(600)", {"step": "many", "each": "n in [1, 2]"}),
        ("print(outcome)", {"step": "report", "finally": "outcome"}),
    )
    run = flow.bench.run(flow.path)
    wait(lab.engine, run.name, lambda now: any(step.name == "many(0)" and step.phase == "Running" for step in now.steps))
    lab.engine.control(run.name, "stop")
    run = wait(lab.engine, run.name, seconds=60)
    assert run.phase == "Stopped"
    found = phases(run)
    assert (found["many(0)"], found["report"]) == ("Stopped", "Succeeded")
    assert flow.texts(run)[-1] == "Failed\n"
