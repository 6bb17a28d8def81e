"""log_artifact and log_figure: kept with the run when the step ends, whatever it was called."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_mlops.errors import WrongUsage
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.registry.runs import RunRecords
from jupyter_mlops.runner import record
from jupyter_mlops.runner.artifact import check_name, publish_artifact, write_artifact, write_figure
from tests.unit.runner.staging import Stage

WRITE = (
    "import pathlib\nfrom jupyter_mlops import log_artifact, log_metrics\n"
    "pathlib.Path('out/sub').mkdir(parents=True)\npathlib.Path('out/sub/b.txt').write_text('b')\npathlib.Path('a.txt').write_text('a')\n"
    "log_artifact('a.txt')\nlog_artifact('out', 'results')\npathlib.Path('a.txt').write_text('later')\n"
)


@pytest.fixture(autouse=True)
def fresh_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "_PROCESS", record._Process())


def test_a_step_keeps_files_with_the_run(tmp_path: Path) -> None:
    stage = Stage(tmp_path, [WRITE])
    ran = stage.step("s0")
    assert ran.code == 0, ran.stdout
    assert [one["name"] for one in ran.report["artifacts"]] == ["a.txt", "results"]
    assert (ran.report["models"], ran.report["datasets"]) == ([], [])
    (pipeline,) = RunRecords(stage.store).pipelines()
    (tag,) = [one for one in stage.store.tags(f"runs/{pipeline}") if one.startswith("report.")]
    run = tag.split(".")[1]
    records = RunRecords(stage.store)
    records.put(pipeline, run, {"name": run}, {"s0.log": b"hello"})
    assert records.files(pipeline, run) == {"s0.log": 5, "artifacts/a.txt": 1, "artifacts/results/sub/b.txt": 1}
    with records.open(pipeline, run, "artifacts/a.txt") as stream:
        assert stream.read() == b"a", "as it was when it was logged"
    records.delete(pipeline, run)
    assert not [one for one in stage.store.tags(f"runs/{pipeline}") if "artifact" in one]


def test_a_step_that_fails_keeps_nothing(tmp_path: Path) -> None:
    stage = Stage(tmp_path, [WRITE + "raise ValueError"])
    ran = stage.step("s0")
    assert ran.code != 0
    assert "artifacts" not in ran.report


def test_publishing_twice_makes_one(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "registry")
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.png").write_bytes(b"a")
    made = {publish_artifact(layout, "p", "r", "train[0]", 1, folder) for _ in range(2)}
    other = publish_artifact(layout, "p", "r", "train[1]", 1, folder)
    assert len(made) == 1
    assert other not in made
    assert len(layout.tags("runs/p")) == 2
    (layer,) = layout.get_manifest("runs/p", other).document["layers"]
    assert layer["mediaType"] == "image/png"


@pytest.mark.parametrize("name", ["loss.png", "plots/loss.svg", "loss.pdf"])
def test_a_figure_is_the_same_bytes_each_time(tmp_path: Path, name: str) -> None:
    pytest.importorskip("matplotlib").use("agg")
    from matplotlib.figure import Figure

    figure = Figure()
    axes = figure.subplots()
    axes.plot([1, 2, 3])
    written = []
    for number, given in enumerate((figure, figure, axes)):
        folder = tmp_path / str(number)
        write_figure(given, name, folder)
        written.append((folder / name).read_bytes())
    assert written[0][:4] in {b"\x89PNG", b"<?xm", b"%PDF"}
    assert len(set(written)) == 1


def test_in_a_kernel_nothing_is_kept_and_all_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = Layout(tmp_path / "registry")
    monkeypatch.setattr(record, "home_store", lambda: layout)
    (tmp_path / "a.txt").write_text("a")
    assert str(record.log_artifact(tmp_path / "a.txt")) == "artifact a.txt"
    assert layout.repositories() == []
    with pytest.raises(WrongUsage, match="no file or folder"):
        record.log_artifact(tmp_path / "nothing")


@pytest.mark.parametrize("name", ["", "/a", "../a", "a/../../b", "a\\b", ".."])
def test_wrong_names(tmp_path: Path, name: str) -> None:
    with pytest.raises(WrongUsage, match="cannot be the name"):
        check_name(name)


@pytest.mark.parametrize(("figure", "name", "said"), [(5, "a.png", "a int is not a figure"), (5, "a.gif", "is not written as")])
def test_wrong_figures(tmp_path: Path, figure: object, name: str, said: str) -> None:
    with pytest.raises(WrongUsage, match=said):
        write_figure(figure, name, tmp_path)


def test_a_folder_is_copied_whole(tmp_path: Path) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "deep" / "x").write_text("x")
    write_artifact(tmp_path / "in", "all", tmp_path / "out")
    assert (tmp_path / "out" / "all" / "deep" / "x").read_text() == "x"
