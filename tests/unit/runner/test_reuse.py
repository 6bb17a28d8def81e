"""A run that resumes another takes over what has not changed, runs what has, and comes out as if all had been run."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.pipeline.pipeline import Options, Parameter
from jupyter_mlops.runner.plan import read_plan
from jupyter_mlops.runner.reuse import SAID
from tests.unit.runner.staging import Ran, Stage

CELLS = (
    "import random\nrandom.seed(7)\nrows = [1, 2, 3]\nshared = rows",
    "rows.append(random.random())\nopen('made.txt', 'w').write('made')\nprint('second', len(rows))",
    "print('third', shared is rows, round(rows[-1], 6), open('made.txt').read(), random.random())",
)
RAN_AGAIN = "runs again: "


@dataclass
class Twice:
    """One registry, run after run, each in folders of its own."""

    root: Path
    number: int = 0
    env: Mapping[str, str] = field(default_factory=dict)
    fresh_folders: bool = False

    def run(self, cells: Sequence[str], given: Mapping[str, Any] | None = None, **settings: Any) -> list[Ran]:
        """The next run; it resumes the one before."""
        for path in [*self.root.glob("work*"), *self.root.glob("out-*"), *self.root.glob("term-*")]:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        self.number += 1
        before = f"run-{self.number - 1}" if self.number > 1 else ""
        settings = {"env": self.env, "resume": before, "fresh_folders": self.fresh_folders, **settings}
        self.stage = Stage(self.root, cells, run_name=f"run-{self.number}", **settings)
        for name, text in self.files.items():
            (self.root / "work").mkdir(exist_ok=True)
            (self.root / "work" / name).write_text(text)
        return self.stage.run(given)

    files: dict[str, str] = field(default_factory=dict)


@pytest.fixture
def twice(tmp_path: Path) -> Twice:
    return Twice(tmp_path)


def cached(ran: Sequence[Ran]) -> list[bool]:
    return [one.report["cached"] for one in ran]


def text(one: Ran) -> str:
    """What the cells printed, without the word about the taking over."""
    return "".join(output["text"] for cell in one.outputs.values() for output in cell.get("outputs", []) if "text" in output)


@pytest.mark.slow
@pytest.mark.parametrize("fresh_folders", [False, True])
def test_nothing_changed_runs_nothing(tmp_path: Path, fresh_folders: bool) -> None:
    twice = Twice(tmp_path, fresh_folders=fresh_folders)
    first = twice.run(CELLS)
    again = twice.run(CELLS)
    assert cached(first) == [False] * 3
    assert cached(again) == [True] * 3
    assert [one.code for one in again] == [0] * 3
    assert [one.state for one in again] == [one.state for one in first]
    assert [one.outputs for one in again] == [one.outputs for one in first]
    assert [one.report["cells"] for one in again] == [one.report["cells"] for one in first]
    for one in again:
        assert "taken over from run-1" in one.stdout
        assert [event["phase"] for event in one.events if event["event"] == "step"] == ["started", "succeeded"]


@pytest.mark.slow
def test_the_failed_step_is_mended_and_those_before_it_are_taken_over(twice: Twice) -> None:
    broken = (*CELLS[:2], "rows.push(1)")
    first = twice.run(broken)
    assert [one.code for one in first] == [0, 0, 1]
    mended = twice.run(CELLS)
    assert cached(mended) == [True, True, False]
    whole = Twice(twice.root / "apart")
    whole.root.mkdir()
    assert text(mended[2]) == text(whole.run(CELLS)[2])
    assert RAN_AGAIN + "it did not succeed in run-1" in mended[2].stdout


@pytest.mark.slow
def test_a_run_that_resumed_can_be_resumed(twice: Twice) -> None:
    twice.run(CELLS)
    twice.run(CELLS)
    assert cached(twice.run(CELLS)) == [True] * 3


@pytest.mark.slow
def test_what_follows_a_changed_step_runs_too_unless_it_is_given_the_same(twice: Twice) -> None:
    twice.run(("x = 1", "y = x + 1", "print(y)"))
    assert cached(twice.run(("x = 1", "y = x + 2", "print(y)"))) == [True, False, False]
    said = twice.run(("x = 1", "y = x + 3", "print(y)"))
    assert "its cells have changed" in said[1].stdout
    assert "given by the steps before" in said[2].stdout
    assert text(said[2]) == "4\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("x = 1", "x = 1  # the first"),
        ("x = 1", "\nx = (1)\n\n"),
        ("x = f(1,\n  2)", "x = f(1, 2)"),
        ("%time x = 1", "%time x = 1\n"),
    ],
)
def test_comments_and_layout_change_nothing(twice: Twice, before: str, after: str) -> None:
    start = "def f(a, b):\n    return a + b"
    twice.run((start, before))
    assert cached(twice.run((start, after))) == [True, True]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "after"),
    [("x = 1", "x = 1.0"), ("x = 1", "x = True"), ("'a doc'\nx = 1", "x = 1"), ("x = 1", "x = 1\nx"), ("!echo 1", "!echo 2")],
)
def test_what_means_something_else_runs_again(twice: Twice, before: str, after: str) -> None:
    twice.run((before,))
    again = twice.run((after,))
    assert cached(again) == [False]
    assert SAID["source"] in again[0].stdout


@pytest.mark.slow
def test_a_parameter_with_another_value_runs_its_step_again(twice: Twice) -> None:
    parameters = [Parameter("lr", "float", 0.1, 1, 1)]
    cells = ("a = 1", "lr = 0.1", "print(lr + a)")
    twice.run(cells, {"lr": 0.1}, parameters=parameters)
    again = twice.run(cells, {"lr": 0.5}, parameters=parameters)
    assert again[0].report["phase"] == "succeeded"
    assert SAID["parameters"] in again[1].stdout
    assert text(again[2]) == "1.5\n"


@pytest.mark.slow
def test_a_changed_file_of_the_folder_runs_again_and_the_notebook_itself_does_not_count(twice: Twice) -> None:
    cells = ("data = open('data.csv').read()", "print(data)")
    twice.files = {"data.csv": "1,2", "stage.ipynb": "{}"}
    twice.run(cells)
    twice.files = {"data.csv": "1,2,3", "stage.ipynb": "{ }"}
    again = twice.run(cells)
    assert SAID["files"] in again[0].stdout
    assert text(again[1]) == "1,2,3\n"


@pytest.mark.slow
def test_a_changed_module_runs_again(twice: Twice, tmp_path: Path) -> None:
    folder = tmp_path / "beside"
    folder.mkdir()
    (folder / "helper.py").write_text("V = 1\n")
    twice.run(("import helper", "print(helper.V)"), folder=folder)
    assert cached(twice.run(("import helper", "print(helper.V)"), folder=folder)) == [True, True]
    (folder / "helper.py").write_text("V = 2\n")
    again = twice.run(("import helper", "print(helper.V)"), folder=folder)
    assert SAID["modules"] in again[0].stdout
    assert text(again[1]) == "2\n"


@pytest.mark.slow
def test_the_environment_counts_and_a_secret_does_not(twice: Twice) -> None:
    options = {0: Options(env={"MODE": "a"}, secrets=({"env": "TOKEN", "secret": "s", "key": "k"},))}
    twice.env = {"MODE": "a", "TOKEN": "first-secret"}
    first = twice.run(("x = 1",), options=options)
    twice.env = {"MODE": "a", "TOKEN": "second-secret"}
    assert cached(twice.run(("x = 1",), options=options)) == [True]
    twice.env = {"MODE": "b", "TOKEN": "second-secret"}
    again = twice.run(("x = 1",), options=options)
    assert SAID["environment"] in again[0].stdout
    twice.env = {"MODE": "b", "TOKEN": "second-secret", "MLOPS_IMAGE": "other:2"}
    assert SAID["environment"] in twice.run(("x = 1",), options=options)[0].stdout
    assert "secret" not in str(first[0].report)


@pytest.mark.slow
def test_metrics_and_models_are_told_again_and_registered_once(twice: Twice) -> None:
    cells = (
        "from jupyter_mlops import log_metrics, log_model\nfrom sklearn.dummy import DummyClassifier",
        "log_metrics(accuracy=0.5)\nlog_model(DummyClassifier().fit([[0], [1]], [0, 1]), 'net')",
        "print('end')",
    )
    first = twice.run(cells)
    again = twice.run(cells)
    assert cached(again) == [True] * 3
    assert again[1].report["models"] == first[1].report["models"] != []
    assert again[1].report["metrics"] == {"accuracy": 0.5}
    assert {event["event"] for event in again[1].events} >= {"metric", "model"}
    assert list(twice.stage.store.tags("models/net")) == ["latest", "v1", "v1.modelpack"]


@pytest.mark.slow
def test_the_files_that_a_step_made_are_there_again(twice: Twice, tmp_path: Path) -> None:
    twice.run(CELLS)
    twice.run(CELLS)
    assert (tmp_path / "work" / "made.txt").read_text() == "made"


@pytest.mark.slow
def test_what_was_taken_over_outlives_the_run_it_came_from(twice: Twice) -> None:
    from jupyter_mlops.registry.runs import RunRecords

    twice.run(CELLS)
    second = twice.run(CELLS)
    RunRecords(twice.stage.store).delete("stage", "run-1")
    assert twice.stage.state(second[2].state)["names"]
    assert cached(twice.run(CELLS)) == [True] * 3


@pytest.mark.parametrize("resume", ["run-0", "nobody"])
def test_a_run_that_left_nothing_is_no_error(tmp_path: Path, resume: str) -> None:
    ran = Stage(tmp_path, ("x = 1",), resume=resume).run()
    assert (ran[0].code, ran[0].report["cached"]) == (0, False)
    assert f"{resume} has left nothing of it" in ran[0].stdout


@pytest.mark.slow
def test_a_damaged_state_runs_again(twice: Twice) -> None:
    first = twice.run(("x = 1",))
    blob = twice.root / "registry" / "runs" / "stage" / "blobs" / "sha256" / first[0].state.removeprefix("sha256:")
    blob.unlink()
    for other in (twice.root / "registry").rglob(first[0].state.removeprefix("sha256:")):
        other.unlink()
    again = twice.run(("x = 1",))
    assert (again[0].code, cached(again)) == (0, [False])


def test_every_part_of_a_key_has_its_words(twice: Twice) -> None:
    ran = twice.run(("x = 1",))
    assert set(ran[0].report["key"]) == set(SAID)
    assert read_plan(next((twice.root / "cache" / "bundles").iterdir())).step("s0").secrets == ()
