"""What can be wrong with a notebook, row by row: each is told with code, cell, line, one sentence, one fix and its place in the docs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Literal

import pytest

from jupyter_mlops.errors import Diagnostic, Refused
from jupyter_mlops.flow import Workbench
from jupyter_mlops.session.merge import Clash, refuse
from jupyter_mlops.settings import Settings, Storage
from tests.unit.notebook_building import document

ROOT = Path(__file__).parents[3]
KERNEL = {"kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}}
ROWS: dict[str, tuple[list[Any], str, str, int | None, int | None, str]] = {
    "syntax error": (["x = 1", "y = 2\nif y\n    z = 3"], "syntax-error", "error", 1, 2, "cell 1"),
    "unknown magic that binds": (["x = 1\n%mystery table << x"], "unknown-magic", "warning", 0, 2, "%mystery"),
    "unknown cell magic": (["\n%%mystery out\nx"], "unknown-magic", "warning", 0, 2, "mystery"),
    "history": (["1 + 1", "x = 3\ny = _1"], "history", "warning", 1, 2, "_1"),
    "history list": (["x = 3\ny = Out[1]"], "history", "warning", 0, 2, "Out"),
    "exec": (["x = 1\nexec('y = x')"], "dynamic", "warning", 0, 2, "exec"),
    "globals()": (["x = 1\n\nglobals()['y'] = x"], "dynamic", "warning", 0, 3, "globals"),
    "cycle": ([("x = 1", ["step:a", "prev:b"]), ("y = x", ["step:b", "prev:a"])], "cycle", "error", 1, 1, "wait for each other"),
    "duplicate step": ([("x = 1", ["step:a"]), ("y = x", ["step:b"]), ("z = y", ["step:a"])], "duplicate-step", "error", 2, 1, "'a' again"),
    "deleted name": (["x = 1", "del x", "y = 2\nprint(x)"], "deleted-name", "warning", 2, 2, "x"),
    "never-bound name": (["x = 1\nprint(nowhere)"], "undefined-name", "warning", 0, 2, "nowhere"),
    "a later cell's name": (["x = 1\nprint(late)", "late = 2"], "bound-later", "warning", 0, 2, "late"),
    "unstorable value": (
        [("import threading\nlock = threading.Lock()", ["step:a"]), ("x = 1\nwith lock:\n    pass", ["step:b"])],
        "not-storable", "warning", 0, 2, "lock",
    ),
    "missing file": (["import pandas as pd\nrows = pd.read_csv('gone.csv')"], "missing-file", "warning", 0, 2, "gone.csv"),
    "missing local module": (["x = 1\nimport gone_helpers"], "missing-module", "warning", 0, 2, "gone_helpers"),
    "shadowed parameter": ([("lr = 1", ["parameters"]), "x = 2\nlr = 5"], "shadowed-parameter", "warning", 1, 2, "lr"),
    "contradicted annotation": ([("n = 1\nlr: int = 'x'", ["parameters"])], "parameter-annotation", "warning", 0, 2, "lr"),
    "computed parameter": ([("n = 1\nlr = n + 1", ["parameters"])], "parameter-not-literal", "warning", 0, 2, "lr"),
    "star import": (["x = 1\nfrom gone_helpers import *"], "star-import", "warning", 0, 2, "gone_helpers"),
    "a cell in another language": (["x = 1", "%%R\nx <- 1"], "other-language", "warning", 1, 1, "R"),
    "a branch that changes what came from before": (
        [("rates, seen = [1], []", ["step:load"]), ("x = 1\nseen.append(rate)", {"mlops": {"step": "train", "each": "rate in rates"}})],
        "control-flow", "error", 1, 2, "seen",
    ),
    "input": (["x = 1\nname = input()"], "input-call", "error", 0, 2, "input"),
}  # fmt: skip
"""Cells, and what is told: code, severity, cell, line, and a part of the message."""


def told(tmp_path: Path, cells: list[Any], metadata: dict[str, Any]) -> list[Diagnostic]:
    path = tmp_path / "nb.ipynb"
    path.write_text(json.dumps(document(*cells, metadata=metadata)))
    bench = Workbench(Settings(Storage(tmp_path / "home")))
    try:
        return list(bench.convert(bench.read(path), tmp_path).diagnostics)
    except Refused as refused:
        return list(refused.diagnostics)


def check(found: Diagnostic, page: str = "docs/notebooks.md") -> None:
    """The parts that every diagnostic has; ``page`` explains it."""
    for text in (found.message, found.fix):
        assert text.strip() == text != ""
        assert "\n" not in text
        assert "Traceback" not in text
        assert len(text) < 300
    assert not found.message.endswith(".")
    assert not re.search(r"[a-z)]\. [A-Z]", found.message), "one sentence"
    told_at, _, anchor = found.docs.partition("#")
    assert told_at == "docs/notebooks.md"
    assert f'<a id="{anchor}"></a>' in (ROOT / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("row", ROWS)
def test_every_row_is_told_with_its_place_and_its_fix(tmp_path: Path, row: str) -> None:
    cells, code, severity, cell, line, words = ROWS[row]
    every = told(tmp_path, cells, KERNEL)
    found = [one for one in every if one.code == code]
    assert len(found) == 1, every
    assert (found[0].severity, found[0].cell, found[0].line) == (severity, cell, line), found[0]
    assert words in found[0].message
    for one in every:
        check(one)


def test_a_notebook_in_another_language(tmp_path: Path) -> None:
    (found,) = told(tmp_path, ["x <- 1"], {"kernelspec": {"name": "ir", "language": "R", "display_name": "R"}})
    assert (found.code, found.severity) == ("other-language", "error")
    check(found)


def test_a_notebook_without_any_of_it_is_told_nothing(tmp_path: Path) -> None:
    assert told(tmp_path, [("lr: float = 0.1", ["parameters"]), "x = lr * 2", "print(x)"], KERNEL) == []


RUNS: dict[str, tuple[list[Any], dict[str, Any], str, str, tuple[int, int], str]] = {
    "unstorable value": (
        [("x = 1\nrows = (n for n in [1])", ["step:a"]), ("print(rows)", ["step:b"])],
        {}, "not-storable", "b", (0, 2), "rows",
    ),
    "a file over the limit": (
        [("x = 1\nopen('big.bin', 'wb').write(bytes(1 << 20))", ["step:a"]), ("print(x)", ["step:b"])],
        {"file_limit": "100Ki"}, "files-too-large", "a", (0, 2), "big.bin",
    ),
    "a file over the limit, by a name that is put together": (
        [("x = 1", ["step:a"]), ("\ny = x\nopen('big' + '.bin', 'wb').write(bytes(1 << 20))", ["step:b"]), ("print(y)", ["step:c"])],
        {"file_limit": "100Ki"}, "files-too-large", "b", (1, 2), "big.bin",
    ),
}  # fmt: skip
"""Cells, metadata, and the failure of the run: code, step, cell and line, a word of it."""


@pytest.mark.slow
@pytest.mark.parametrize("row", RUNS)
def test_what_only_a_run_can_see_is_told_as_well(tmp_path: Path, row: str) -> None:
    cells, metadata, code, step, place, words = RUNS[row]
    path = tmp_path / "nb.ipynb"
    path.write_text(json.dumps(document(*cells, metadata={**KERNEL, "mlops": metadata})))
    bench = Workbench(Settings(Storage(tmp_path / "home")))
    *_, run = bench.engine.watch(bench.run(path).name)
    assert run.failure is not None
    assert (run.failure.code, run.failure.step, (run.failure.cell, run.failure.line)) == (code, step, place), run.failure
    assert words in run.failure.message
    check(Diagnostic(code, "error", run.failure.message, *place, run.failure.fix), "docs/errors.md")


@pytest.mark.parametrize("how", ["both", "read"])
def test_two_versions_at_a_join_are_told_with_both_steps(how: Literal["both", "read"]) -> None:
    """That a real join refuses them is shown where runs learn (``registry/test_learned.py``)."""
    with pytest.raises(Refused) as caught:
        refuse([Clash("name", "rates", "left", "right", how)])
    told_of = caught.value
    assert told_of.code == "two-versions"
    assert all(word in told_of.message for word in ("rates", "left", "right"))
    check(Diagnostic(told_of.code, "error", told_of.message, fix=told_of.fix), "docs/errors.md")
