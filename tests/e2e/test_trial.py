"""``scripts/trial.py``: a folder of anybody's notebooks becomes a table, and what is in the folder stays as it was."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def trial() -> ModuleType:
    spec = importlib.util.spec_from_file_location("trial_script", ROOT / "scripts/trial.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["trial_script"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def notebook(path: Path, *sources: str, **metadata: Any) -> Path:
    cells = [
        {"cell_type": "code", "id": f"c{n}", "metadata": {}, "source": source, "outputs": [], "execution_count": None}
        for n, source in enumerate(sources)
    ]
    spec = {"kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}, **metadata}
    path.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": spec, "cells": cells}))
    return path


SCRIPT = '''\
"""About."""
# %%
# Load
# ----
#
# Two lines of text.
x = [1]

# %% Plot
print(x)
# a comment of the code
####################################
# Only text.
'''


def test_the_cells_of_a_script(trial: ModuleType) -> None:
    found = [(cell["cell_type"], cell["source"]) for cell in trial.cells_of(SCRIPT)]
    assert found == [
        ("code", '"""About."""'),
        ("markdown", "Load\n----\n\nTwo lines of text."),
        ("code", "x = [1]"),
        ("code", "print(x)\n# a comment of the code"),
        ("markdown", "Only text."),
    ]


@pytest.mark.parametrize(
    ("name", "text", "taken"),
    [
        ("a.ipynb", "{}", True),
        ("a.py", "# %%\nx = 1", True),
        ("a.py", "####################\n# text", True),
        ("a.py", "x = 1  # %%", False),
        ("a.txt", "# %%", False),
        (".ipynb_checkpoints/a.ipynb", "{}", False),
    ],
)
def test_what_is_tried(trial: ModuleType, tmp_path: Path, name: str, text: str, taken: bool) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text)
    assert list(trial.found([tmp_path], "*")) == ([tmp_path / name] if taken else [])
    assert list(trial.found([tmp_path], "b*")) == []


def test_one_step_a_cell_keeps_the_rest(trial: ModuleType) -> None:
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": "# A"},
        {"cell_type": "code", "metadata": {"tags": ["skip"]}, "source": ["x = 1\n", "y = 2"]},
        {"cell_type": "code", "metadata": {}, "source": [" \n"]},
    ]
    found = trial.cut_by_cells({"cells": cells, "nbformat": 4})
    assert [cell["metadata"] for cell in found["cells"]] == [{}, {"tags": ["skip"], "mlops": {"step": "cell-1"}}, {}]
    assert (found["nbformat"], cells[1]["metadata"]) == (4, {"tags": ["skip"]})


VERDICTS: dict[str, tuple[dict[str, Any], int | None, tuple[str, str]]] = {
    "equal": ({"outcome": "equal", "differences": [], "stopped": None}, 0, ("equal", "")),
    "both stop": (
        {"outcome": "equal", "differences": [], "stopped": {"cell": 3, "line": 2, "error": "KeyError"}},
        0,
        ("equal", "both stop at cell 3, line 2: KeyError"),
    ),
    "the first that is ours": (
        {
            "outcome": "different",
            "stopped": None,
            "differences": [
                {"kind": "output", "what": "stdout", "path": "", "cell": 1, "single": "1", "pipeline": "2", "unsteady": True},
                {"kind": "value", "what": "x", "path": "x[0]", "cell": 2, "single": "3", "pipeline": "4", "unsteady": False},
            ],
        },
        1,
        ("different", "cell 2: value x[0]: 3 | 4"),
    ),
    "refused": (
        {"outcome": "refused", "error": {"code": "input-call", "message": "cell 0 asks"}},
        2,
        ("refused", "input-call: cell 0 asks"),
    ),
    "nothing": ({}, 1, ("failed", "the last line")),
    "too long": ({}, None, ("timeout", "the last line")),
}


@pytest.mark.parametrize("name", VERDICTS)
def test_what_a_check_said(trial: ModuleType, name: str) -> None:
    document, code, expected = VERDICTS[name]
    row = trial.judged(trial.Row("a.ipynb", "cells", 1), trial.Answer(1.0, code, document, "first\nthe last line"))
    assert (row.outcome, row.note) == expected
    assert name != "equal" or trial.line_of(row).split()[:3] == ["a.ipynb", "cells", "1"]


def test_a_folder_becomes_a_table(trial: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    notebook(folder / "asks.ipynb", "x = input('name? ')")
    notebook(folder / "good.ipynb", "x = [1]", "x.append(len(open('data.txt').read()))\nx")
    (folder / "broken.ipynb").write_text("{")
    (folder / "data.txt").write_text("abc")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert trial.main([str(folder), "--cuts", "cells", "--limit", "150", "--json", str(tmp_path / "found.json")]) == 0
    rows = {row["notebook"]: row for row in json.loads((tmp_path / "found.json").read_text())}
    assert {name: row["outcome"] for name, row in rows.items()} == {
        "asks.ipynb": "refused",
        "broken.ipynb": "refused",
        "good.ipynb": "equal",
    }
    assert (rows["good.ipynb"]["cells"], rows["good.ipynb"]["steps"], rows["good.ipynb"]["diagnostics"]) == (2, 2, [])
    assert rows["asks.ipynb"]["diagnostics"][0].startswith("error input-call 0:1 ")
    assert capsys.readouterr().out.splitlines()[-1] == "3 trials: 2 refused, 1 equal"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_what_takes_too_long_is_ended(trial: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "scratch").mkdir()
    endless = notebook(tmp_path / "theirs" / "endless.ipynb", "while True: pass")
    row = trial.tried(endless, "proposed", tmp_path / "scratch", 8.0)
    assert (row.outcome, trial.FINE.isdisjoint({row.outcome})) == ("timeout", True)
