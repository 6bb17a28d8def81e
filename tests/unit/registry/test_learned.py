"""What runs teach about the order of steps: the table of accounts, and real runs that learn, branch, clash and learn again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.fitting import ordered
from jupyter_mlops.flow import Workbench
from jupyter_mlops.oci.artifact import push_artifact
from jupyter_mlops.oci.names import LEARNED, LEARNED_CONFIG
from jupyter_mlops.registry.bundles import source_digest
from jupyter_mlops.registry.layout import Layout
from jupyter_mlops.registry.learned import Learned, are_apart, learn, read, tag_of, with_learned
from jupyter_mlops.settings import Settings, Storage, Target
from tests.unit.notebook_building import document


def account(**more: Any) -> dict[str, Any]:
    return {"delivered": {}, "changed": {}, "removed": [], "carriers": [], "files": [], "asked": [], **more}


BOUND = account(changed={"a": "1"})


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (account(), account(), True),
        (BOUND, account(changed={"b": "2"}, asked=["x"]), True),
        (BOUND, account(asked=["a"]), False),
        (BOUND, account(changed={"a": "2"}), False),
        (BOUND, account(changed={"a": "1"}), True),
        (BOUND, account(changed={"a": "1"}, asked=["a"]), False),
        (BOUND, account(asked=["a"], again=["a"]), True),
        (BOUND, account(changed={"a": "2"}, asked=["a"]), False),
        (BOUND, account(removed=["a"]), False),
        (account(removed=["a"]), account(asked=["a"]), False),
        (account(asked=["b"]), account(changed={"b": "2"}), True),
        (BOUND, account(everything=True), False),
        (account(everything=True), account(changed={"b": "2"}), True),
        (account(files=["f"]), account(), False),
        (account(), account(files=["f"]), True),
        (account(carriers=["environ"]), account(), False),
        (account(), account(carriers=["environ"]), True),
        (account(carriers=["history", "imports"]), account(carriers=["history", "imports"]), True),
        (account(carriers=["random"]), account(), True),
        (account(carriers=["random"]), account(carriers=["random"]), False),
        (account(changed={"hook:x": "1"}), account(), False),
        ({key: value for key, value in account().items() if key != "asked"}, account(), False),
        (account(), {key: value for key, value in account().items() if key != "asked"}, False),
    ],
)  # fmt: skip
def test_what_an_account_says_of_two_steps(first: dict[str, Any], second: dict[str, Any], expected: bool) -> None:
    assert are_apart(first, second) is expected


CELLS: dict[str, str] = {
    "load": "import random\nx = [3, 7, 2]",
    "left": "import json\na = getattr(x, open('how.txt').read().strip())(7)\nprint('left', a)",
    "right": "import json\nb = random.Random(len(x)).random()\nprint('right', b)",
    "join": "print(x, a, b)",
}


def written(folder: Path, how: str) -> Path:
    """A notebook whose steps are apart or meet by what a file says: the source is the same."""
    (folder / "how.txt").write_text(how)
    path = folder / "nb.ipynb"
    path.write_text(json.dumps(document(*((source, [f"step:{step}"]) for step, source in CELLS.items()))))
    return path


def joined(run: Any) -> list[str]:
    """Tasks that were to bring lanes together."""
    tasks = next(one for one in run.workflow["spec"]["templates"] if "dag" in one)["dag"]["tasks"]
    return [task["name"] for task in tasks if any(one["name"] == "join" for one in task["arguments"]["parameters"])]


@pytest.mark.slow
def test_runs_teach_and_are_checked_again(tmp_path: Path) -> None:
    bench = Workbench(Settings(Storage(tmp_path / "home")))
    path = written(tmp_path, "count")
    notebook = bench.read(path)
    assert not bench.convert(notebook).independent
    *_, first = bench.engine.watch(bench.run(path).name)
    assert first.phase == "Succeeded", first.failure
    assert joined(first) == []

    kept = tag_of(source_digest(notebook))
    seen = ordered(bench, notebook, bench.convert(notebook))
    assert seen.independent == (("left", "right"),)
    assert [(one.code, one.cell) for one in seen.diagnostics if one.code == "side-by-side"] == [("side-by-side", 2)]
    assert kept not in bench.store.tags("runs/nb"), "looking writes nothing"

    told: list[Any] = []
    *_, second = bench.engine.watch(bench.run(path, tell=told.append).name)
    assert second.phase == "Succeeded", second.failure
    assert joined(second) == ["join"]
    [note] = [one for one in told if one.code == "side-by-side"]
    assert (note.severity, note.cell) == ("info", 2)
    assert "left and right" in note.message

    written(tmp_path, "append")
    *_, third = bench.engine.watch(bench.run(path).name)
    assert third.phase == "Succeeded", third.failure
    assert joined(third) == ["join"]
    assert {step.name: step.message for step in third.steps if step.message} == {
        "right": "ran again in order: left changed x, which right may read"
    }

    *_, last = bench.engine.watch(bench.run(path).name)
    assert last.phase == "Succeeded", last.failure
    assert joined(last) == []
    found = read(bench.store, "nb", source_digest(notebook))
    assert ("left", "right") in found.apart & found.met
    planned, notes = with_learned(bench.store, bench.convert(notebook), source_digest(notebook))
    assert not planned.independent
    assert not notes


@pytest.mark.parametrize("registry", ["", "http://127.0.0.1:9"])
def test_a_registry_that_does_not_answer_leaves_document_order(tmp_path: Path, registry: str) -> None:
    bench = Workbench(Settings(Storage(tmp_path / "home")), Target("dev", registry=registry))
    notebook = bench.read(written(tmp_path, "count"))
    planned = bench.convert(notebook)
    assert ordered(bench, notebook, planned) == planned


def test_what_is_kept_is_read_tolerantly(tmp_path: Path) -> None:
    store, source = Layout(tmp_path), "sha256:0123456789abcdef"
    assert read(store, "nb", source) == Learned()
    assert learn(store, "nb", source, ["a", "b"]) == Learned()
    kept = Learned(frozenset({("a", "b")}), frozenset(), frozenset({"r"}))
    for damage, expected in (
        ({}, kept),
        ({"version": 2}, Learned()),
        ({"source": "other"}, Learned()),
        ({"apart": [["a"]]}, Learned()),
    ):
        said = {**kept.to_json(source), **damage}
        push_artifact(store, "runs/nb", LEARNED, said, [], config_type=LEARNED_CONFIG, tags=[tag_of(source)])
        assert read(store, "nb", source) == expected
