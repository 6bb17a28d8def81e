"""Files, folders, links and modules beside a notebook, on this machine: a step finds what a kernel finds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jupyter_mlops.errors import Diagnostic
from jupyter_mlops.flow import Workbench
from jupyter_mlops.notebook.document import Cell
from jupyter_mlops.packing import data_only, left_behind
from jupyter_mlops.registry import datafiles
from jupyter_mlops.registry.bundles import Packed
from jupyter_mlops.settings import Settings, Storage
from jupyter_mlops.testing.engine import wait
from tests.travelling import SHOWN, write


def test_a_step_here_finds_everything(tmp_path: Path) -> None:
    path = write(tmp_path / "work földer", large=1000)
    bench = Workbench(Settings(Storage(tmp_path / "home")))
    run = wait(bench.engine, bench.run(path).name)
    assert run.phase == "Succeeded", run.failure
    cells = json.loads(Path(str(run.executed)).read_text(encoding="utf-8"))["cells"]
    assert "".join(output["text"] for output in cells[1]["outputs"]) == SHOWN
    assert cells[2]["outputs"][0]["text"] == "True\n"


def test_what_travels_and_what_stays_is_known_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, large=5000)
    monkeypatch.setattr(datafiles, "LIMIT", 4000)
    bench = Workbench(Settings(Storage(tmp_path / "home")))
    packed: Packed = data_only(bench.settings, bench.read(path), tmp_path)
    assert sorted(packed.data) == [
        "%s {x} $y.txt", "a name with spaces.txt", "beside module.txt", "folder ö/deep er/two.txt", "folder ö/one.txt",
        "größe €😀.txt", "link.txt", "many/a 1.csv", "many/b.csv", "plain.txt", "quote'\"s.txt",
    ]  # fmt: skip


@pytest.mark.parametrize("rules", [{}, {"file_limit": "1Ki"}, {"file_ignore": ["*.txt", "many"]}, {"file_limit": "1Gi"}])
def test_what_steps_may_hand_on_says_nothing_of_the_data_beside_the_notebook(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rules: dict[str, object]
) -> None:
    path = write(tmp_path, large=5000)
    document = json.loads(path.read_text(encoding="utf-8"))
    document["metadata"]["mlops"] = rules
    path.write_text(json.dumps(document), encoding="utf-8")
    monkeypatch.setattr(datafiles, "LIMIT", 4000)
    bench = Workbench(Settings(Storage(tmp_path / "home")))
    packed = data_only(bench.settings, bench.read(path), tmp_path)
    assert {"plain.txt", "many/b.csv"} <= set(packed.data)
    assert "large file.bin" not in packed.data


@pytest.mark.parametrize(
    ("left", "words"),
    [
        ({"big file.bin": 70 << 20, "b": 3}, "too large to travel to a cluster: big file.bin (70 MiB), b (3 bytes)"),
        ({f"f{n}": n for n in range(20)}, "and more"),
    ],
)
def test_what_stays_is_named_with_its_size(left: dict[str, int], words: str) -> None:
    (found,) = left_behind({"left": left})
    assert isinstance(found, Diagnostic)
    assert (found.code, found.severity, "64 MiB" in found.fix) == ("data-left", "warning", True)
    assert "whatever its file_limit" in found.fix
    assert words in found.message


@pytest.mark.parametrize(
    ("sources", "left", "place"),
    [
        (["x = 1", "y = 2\nz = load('data/big.csv')"], {"data/big.csv": 70 << 20, "b": 3}, (1, 2)),
        (["for name in glob('data/*.csv'): pass"], {"data/big.csv": 70 << 20}, (None, None)),
        (["glob('data/*.csv')", "load('other.csv')"], {"data/big.csv": 70 << 20, "other.csv": 3}, (1, 1)),
        ([], {"data/big.csv": 70 << 20}, (None, None)),
    ],
)
def test_what_stays_has_the_line_that_names_it(
    sources: list[str], left: dict[str, int], place: tuple[int | None, int | None]
) -> None:
    (found,) = left_behind({"left": left}, [Cell(index, "code", source) for index, source in enumerate(sources)])
    assert (found.cell, found.line) == place


def test_nothing_is_said_where_all_travels() -> None:
    assert left_behind(None) == left_behind({}) == left_behind({"left": {}}) == ()


FILES = [
    ("write", "open('big.ckpt', 'wb').write(b'x' * 300_000)\nopen('rows.csv', 'w').write('1,2')"),
    ("read", "print(open('rows.csv').read())"),
]


@pytest.mark.parametrize(
    ("rules", "code"),
    [
        ({}, ""),
        ({"file_limit": "100Ki"}, "files-too-large"),
        ({"file_limit": "100Ki", "file_ignore": ["*.ckpt"]}, ""),
        ({"file_limit": "1Mi"}, ""),
    ],
)
def test_the_notebook_says_what_files_are_handed_on(tmp_path: Path, rules: dict[str, object], code: str) -> None:
    cells = [
        {"cell_type": "code", "metadata": {"mlops": {"step": step}}, "source": source, "outputs": [], "execution_count": None}
        for step, source in FILES
    ]
    path = tmp_path / "work" / "n.ipynb"
    path.parent.mkdir()
    path.write_text(json.dumps({"cells": cells, "metadata": {"mlops": rules}, "nbformat": 4, "nbformat_minor": 4}))
    bench = Workbench(Settings(Storage(tmp_path / "home")))
    run = wait(bench.engine, bench.run(path).name)
    if not code:
        assert run.phase == "Succeeded", run.failure
        return
    assert run.failure is not None
    assert (run.failure.code, run.failure.step) == (code, "write")
    assert "more than 100 KiB; the biggest: big.ckpt (293 KiB)" in run.failure.message
    assert "file_ignore" in str(run.failure.fix)
