"""``jupyter mlops import``: where the notebook goes, what is never overwritten, and how the account is shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.cli import main
from jupyter_mlops.errors import Conflict, WrongUsage
from jupyter_mlops.importing import import_file
from tests.unit.importers.samples import ELYRA8, KALE2, PAPERMILL, SCHEDULER, nb


@pytest.fixture(autouse=True)
def _home(mlops_home: Path) -> None:
    pass


def test_the_account_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", str(KALE2.write(tmp_path))]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[0] == f"{tmp_path}/notebook.ipynb (Kale 2.x) → {tmp_path}/discs.ipynb: 3 steps"
    taken, rest = out.partition("not needed here")[::2]
    needless, lost = rest.partition("\nlost\n")[::2]
    assert "  limit:cpu:2 (cell 4): mlops.cpu\n" in taken
    assert "  kfp_host: no Kubeflow Pipelines is needed" in needless
    assert "  katib_metadata: no search is run" in lost
    assert "      fix: " in lost


def test_the_account_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", str(ELYRA8.write(tmp_path)), "--json"]) == 0
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert list(answer) == ["format", "source", "notebook", "steps", "report", "diagnostics"]
    assert [step["name"] for step in answer["steps"]] == ["load", "train", "check"]
    assert {item["outcome"] for item in answer["report"]} == {"taken", "not-needed", "lost"}
    assert set(answer["report"][0]) == {"field", "cell", "outcome", "meaning", "fix"}


def test_a_refusal_lists_every_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.json").write_text("{}")
    assert main(["import", str(tmp_path / "x.json"), "--json"]) == 2
    shown = capsys.readouterr()
    assert json.loads(shown.out)["error"]["code"] == "not-importable"
    assert "Traceback" not in shown.err


def test_what_conversion_refuses_is_said_with_the_notebook_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.ipynb"
    path.write_text(json.dumps(nb(("a = (", ["block:a"]))))
    assert main(["import", str(path), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["steps"] == []
    assert [one["code"] for one in answer["diagnostics"]] == ["syntax-error"]
    assert Path(answer["notebook"]).is_file()


def test_in_place_writes_over_the_source_and_is_done_once(tmp_path: Path) -> None:
    path = PAPERMILL.write(tmp_path)
    path.chmod(0o640)
    written = import_file(path, in_place=True)
    assert written.path == path
    assert "injected-parameters" not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("words", [["--in-place", "-o", "x"], ["--in-place"]])
def test_in_place_needs_a_notebook_and_no_other_place(words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", str(ELYRA8.write(tmp_path)), *words]) == 2
    assert "fix: " in capsys.readouterr().err
    assert not (tmp_path / "analysis.ipynb").exists()


@pytest.mark.parametrize(
    ("output", "expected"), [("out", "out/discs.ipynb"), ("deep/er", "deep/er/discs.ipynb"), ("out/mine.ipynb", "out/mine.ipynb")]
)
def test_another_folder_is_told_of_files_beside_the_source(output: str, expected: str, tmp_path: Path) -> None:
    written = import_file(KALE2.write(tmp_path), tmp_path / output)
    assert written.path == tmp_path / expected
    assert written.path.is_file()
    assert written.imported.items[-1].field == "(folder)"


def test_no_other_file_is_overwritten(tmp_path: Path) -> None:
    path = KALE2.write(tmp_path)
    (tmp_path / "discs.ipynb").write_text("mine")
    with pytest.raises(Conflict, match="is there already") as caught:
        import_file(path)
    assert caught.value.code == "file-exists"
    assert (tmp_path / "discs.ipynb").read_text() == "mine"


def test_a_notebook_that_was_read_is_never_the_one_written(tmp_path: Path) -> None:
    path = SCHEDULER.write(tmp_path)
    before = (tmp_path / "report.ipynb").read_bytes()
    assert import_file(path).path == tmp_path / "report_imported.ipynb"
    assert (tmp_path / "report.ipynb").read_bytes() == before


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    path = KALE2.write(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(WrongUsage, match="cannot write"):
        import_file(path, tmp_path / "file" / "below")
