"""load_dataset: the same in a step and in a kernel, and noted as what the run's models were made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.errors import Corrupt, NotFound, WrongUsage
from jupyter_mlops.oci.artifact import push_artifact
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.oci.modelpack import TITLE
from jupyter_mlops.oci.names import DATASET, DATASET_CONFIG
from jupyter_mlops.oci.store import Descriptor
from jupyter_mlops.runner import load, record
from tests.unit.runner.staging import Stage

np = pytest.importorskip("numpy")
pd = pytest.importorskip("pandas")

IMPORT = "import numpy as np, pandas as pd\nfrom jupyter_mlops import load_dataset, log_dataset"


@pytest.fixture(autouse=True)
def fresh_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "_PROCESS", record._Process())


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """The registry of this machine, and a working folder."""
    layout = Layout(tmp_path / "home")
    monkeypatch.setattr(record, "home_store", lambda: layout)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return layout


@pytest.mark.slow
def test_a_step_loads_what_an_earlier_one_recorded(tmp_path: Path) -> None:
    stage = Stage(
        tmp_path,
        [
            f"{IMPORT}\nlog_dataset(pd.DataFrame({{'a': [1, 2]}}), 'rows')",
            "for _ in range(2):\n    found = load_dataset('rows:v1')\nprint(found.a.sum(), list(found.columns))",
        ],
    )
    first = stage.step("s0")
    assert "used" not in first.report
    second = stage.step("s1", first.state)
    assert second.code == 0, second.stdout
    assert second.stream(1) == "3 ['a']\n"
    (entry,) = first.report["datasets"]
    assert second.report["used"] == [{"kind": "dataset", **entry}], "once, however often it was loaded"


@pytest.mark.slow
def test_what_the_step_itself_recorded_is_the_newest(tmp_path: Path, home: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    """In a kernel it is published at once, in a step at its end: both load it."""
    cell = (
        f"{IMPORT}\nlog_dataset(np.arange(2), 'numbers')\nlog_dataset(np.arange(5), 'numbers')\nprint(load_dataset('numbers').tolist())\n"
        "import pathlib; pathlib.Path('f.txt').write_text('x')\nlog_dataset('f.txt', 'file')\nprint(sorted(p.name for p in load_dataset('file').iterdir()))"
    )
    stage = Stage(tmp_path, [cell])
    ran = stage.step("s0")
    assert ran.code == 0, ran.stdout
    exec(cell, {})
    assert ran.stream(0) == capsys.readouterr().out == "[0, 1, 2, 3, 4]\n['f.txt']\n"
    versions = {one["digest"]: (one["name"], one["tag"]) for one in ran.report["datasets"]}
    assert [versions[one["digest"]] for one in ran.report["used"]] == [("numbers", "v2"), ("file", "v1")]
    known = {versions[digest]: count for digest, count in ran.report["known"].items()}
    assert known == {("numbers", "v1"): 0, ("numbers", "v2"): 0, ("file", "v1"): 1}, "made of what had been loaded by then"


@pytest.mark.parametrize(
    ("data", "check"),
    [
        (pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}), lambda found: found.to_dict("list") == {"a": [1, 2], "b": ["x", "y"]}),
        (np.eye(3, dtype="float32"), lambda found: found.dtype == np.float32 and (found == np.eye(3)).all()),
    ],
    ids=["frame", "array"],
)
def test_a_value_comes_back(home: Layout, data: Any, check: Any) -> None:
    record.log_dataset(data, "it")
    for reference in ("it", "it:latest", "it:v1", f"it@{home.get_manifest('datasets/it', 'v1').descriptor.digest}"):
        assert check(load.load_dataset(reference))
    (used,) = record.recorder_of_process().used
    assert (used["kind"], used["name"], used["tag"]) == ("dataset", "it", "v1")


def test_files_come_back(home: Layout, tmp_path: Path) -> None:
    (tmp_path / "in" / "sub").mkdir(parents=True)
    (tmp_path / "in" / "sub" / "b.txt").write_text("b")
    (tmp_path / "in" / "a.txt").write_text("a")
    record.log_dataset(tmp_path / "in", "team/files")
    assert load.load_dataset("team/files") == Path("files")
    assert load.load_dataset("team/files:v1", tmp_path / "out") == tmp_path / "out"
    for folder in (Path("files"), tmp_path / "out"):
        assert {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} == {"a.txt", "sub/b.txt"}
    Path("files/a.txt").write_text("changed")
    load.load_dataset("team/files")
    assert Path("files/a.txt").read_text() == "a", "it is again as it was recorded"


def test_damage_leaves_what_was_there(home: Layout, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("right")
    record.log_dataset(tmp_path / "a.txt", "files")
    manifest = home.get_manifest("datasets/files", "v1")
    blob = home.blob_path("datasets/files", manifest.document["layers"][0]["digest"])
    blob.unlink()
    blob.write_bytes(b"wrong")
    Path("files").mkdir()
    Path("files/a.txt").write_text("mine")
    with pytest.raises(Corrupt):
        load.load_dataset("files")
    assert [(path.name, path.read_text()) for path in Path("files").iterdir()] == [("a.txt", "mine")]
    assert record.recorder_of_process().used == []


def test_a_frame_in_parquet_without_pyarrow_says_so(home: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    layer = home.put_blob("datasets/rows", b"PAR1", "application/vnd.apache.parquet")
    titled = Descriptor(layer.media_type, layer.digest, layer.size, {TITLE: "data.parquet"})
    facts = {"version": 1, "source": "frame"}
    push_artifact(home, "datasets/rows", DATASET, facts, [titled], config_type=DATASET_CONFIG, tags=["v1"])
    monkeypatch.setattr(load, "find_spec", lambda _: None)
    with pytest.raises(WrongUsage, match="pyarrow is not installed") as refused:
        load.load_dataset("rows")
    assert refused.value.code == "needs-pyarrow"


@pytest.mark.parametrize(
    ("reference", "error", "code"),
    [
        ("nothing", NotFound, "dataset-not-found"),
        ("rows:v9", NotFound, "version-not-found"),
        ("rows@sha256:" + "0" * 64, NotFound, "version-not-found"),
        ("NO", WrongUsage, "invalid-name"),
    ],
)
def test_what_is_not_there(home: Layout, reference: str, error: type[Exception], code: str) -> None:
    record.log_dataset(np.arange(2), "rows")
    with pytest.raises(error) as raised:
        load.load_dataset(reference)
    assert raised.value.code == code  # type: ignore[attr-defined]


@pytest.mark.parametrize("title", ["../up.txt", "/up.txt", "a\\b"])
def test_a_file_that_would_lie_outside_is_refused(home: Layout, title: str) -> None:
    layer = home.put_blob("datasets/evil", b"x", "text/plain")
    evil = Descriptor(layer.media_type, layer.digest, layer.size, {TITLE: title})
    push_artifact(home, "datasets/evil", DATASET, {"source": "x"}, [evil], config_type=DATASET_CONFIG, tags=["v1"])
    with pytest.raises(Corrupt, match="file named"):
        load.load_dataset("evil")
    assert not Path("../up.txt").exists()
