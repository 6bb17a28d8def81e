"""log_model, log_metrics, log_dataset: in a step once and only when it commits, in a kernel at once."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.errors import NotStorable, WrongUsage
from jupyter_mlops.formats import table
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.oci.tar import extract_all
from jupyter_mlops.pipeline.pipeline import Options
from jupyter_mlops.runner import card, record, signature
from jupyter_mlops.runner.dataset import write_dataset
from tests.unit.runner.staging import Stage

MODEL = "class M:\n    def predict(self, rows): return [len(r) + k for r in rows]\nk = 10\nm = M()"


np = pytest.importorskip("numpy")
pd = pytest.importorskip("pandas")


@pytest.fixture(autouse=True)
def fresh_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "_PROCESS", record._Process())


def versions(store: Layout, name: str) -> list[str]:
    return [tag for tag in store.tags(f"models/{name}") if tag[1:].isdigit()]


def unpacked(store: Layout, name: str, tag: str, folder: Path) -> Path:
    index = store.get_manifest(f"models/{name}", tag).document
    image = store.get_manifest(f"models/{name}", index["manifests"][0]["digest"]).document
    extract_all([store.open_blob(f"models/{name}", layer["digest"]) for layer in image["layers"]], folder)
    return folder / "models"


# -- in a step ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_step_publishes_once_however_often_it_runs(tmp_path: Path) -> None:
    cells = [
        MODEL,
        "from jupyter_mlops import log_metrics, log_model\nlog_metrics(loss=0.5)\nlog_model(m, 'mine', metrics={'acc': 1})\nlog_model(m, 'mine')",
    ]
    stage = Stage(tmp_path, cells)
    first = stage.step("s0")
    second = stage.step("s1", first.state)
    assert second.code == 0, second.stdout
    again = stage.step("s1", first.state)
    assert versions(stage.store, "mine") == ["v1", "v2"]
    assert second.report["models"] == again.report["models"]
    assert [model["tag"] for model in second.report["models"]] == ["v1", "v2"]
    told = [{k: v for k, v in event.items() if k != "event"} for event in second.events if event["event"] == "model"]
    assert told == second.report["models"]
    stage.run_name = "run-2"
    assert stage.step("s1", first.state).code == 0
    assert versions(stage.store, "mine") == ["v1", "v2", "v3", "v4"]


def test_a_step_that_fails_publishes_nothing(tmp_path: Path) -> None:
    stage = Stage(tmp_path, [MODEL + "\nfrom jupyter_mlops import log_model\nlog_model(m, 'mine')\n1/0"])
    assert stage.step("s0").code == 1
    assert versions(stage.store, "mine") == []


@pytest.mark.slow
def test_metrics_of_earlier_steps_belong_to_later_models(tmp_path: Path) -> None:
    cells = [
        "from jupyter_mlops import log_metrics\nlog_metrics({'rows': 5}, loss=0.9)\nfor i in range(3):\n    log_metrics(loss=1 / (i + 1), step=i)",
        MODEL,
        "from jupyter_mlops import log_model\nshown = log_model(m, 'mine', data=[[1, 2], [3]], metrics={'acc': 0.5})\nshown",
        "print(shown)",
    ]
    stage = Stage(tmp_path, cells)
    ran = stage.run()
    assert [one.code for one in ran] == [0] * 4, ran[-1].stdout
    assert [(e["name"], e["value"], e.get("step")) for e in ran[0].events if e["event"] == "metric"][2:] == [
        ("loss", 1.0, 0),
        ("loss", 0.5, 1),
        ("loss", 1 / 3, 2),
    ]
    assert ran[0].report["metrics"] == {"rows": 5.0, "loss": 1 / 3}
    assert ran[2].report["metrics"] == {}
    notes = stage.store.get_manifest("models/mine", "v1").descriptor.annotations
    found = {key.rpartition("metric.")[2]: float(text) for key, text in notes.items() if ".metric." in key}
    assert found == {"rows": 5.0, "loss": 1 / 3, "acc": 0.5}
    assert notes["io.github.jupyter-mlops.key"] == "run-1/s2/1"
    assert ran[2].displays(2) == ["model mine"]
    assert "registered when this step ends" in ran[2].outputs["2"]["outputs"][0]["data"]["text/html"]
    assert "mine" in ran[3].stream(3)


def test_a_model_of_the_notebook_works_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "helper.py").write_text("def twice(x): return 2 * x\n")
    cells = [
        "import helper\nbase = 100\ndef predict(rows): return [helper.twice(r) + base for r in rows]\nfrom jupyter_mlops import log_model\nlog_model(predict, 'fn', data=[1, 2])"
    ]
    stage = Stage(tmp_path, cells, folder=tmp_path / "project")
    ran = stage.step("s0")
    assert ran.code == 0, ran.stdout
    folder = unpacked(stage.store, "fn", "v1", tmp_path / "model")
    about = json.loads((folder / "mlops.json").read_text())
    assert (about["format"], about["file"], about["sample"]) == ("python", "model.pkl", {"instances": [1, 2]})
    code = "import pickle, sys; print(pickle.load(open(sys.argv[1], 'rb'))([5]))"
    done = subprocess.run([sys.executable, "-c", code, str(folder / "model.pkl")], capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout == "[110]\n", done.stderr


@pytest.mark.slow
def test_the_step_option_registers_a_variable(tmp_path: Path) -> None:
    options = {0: Options(outputs=("model:m",)), 1: Options(outputs=("model",)), 2: Options(outputs=("model:nope",))}
    stage = Stage(tmp_path, [MODEL, "model = m", "x = 1"], options=options)
    ran = stage.run()
    assert [one.code for one in ran] == [0, 0, 1]
    assert versions(stage.store, "m") == ["v1"]
    assert versions(stage.store, "stage") == ["v1"]
    assert (ran[2].failure or {})["code"] == "no-output"


def test_what_is_wrong_with_a_call_stops_the_cell(tmp_path: Path) -> None:
    ran = Stage(tmp_path, ["from jupyter_mlops import log_model\nx = 1\nlog_model(len, 'Not Valid')"]).step("s0")
    said = ran.failure or {}
    assert (ran.code, said["code"], said["line"]) == (1, "invalid-name", 3)
    assert said["fix"]


# -- in any kernel -----------------------------------------------------------------------------------------------------


def test_outside_a_step_it_is_published_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(tmp_path))
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))

    def predict(rows: list[int]) -> list[int]:
        return rows

    record.log_metrics({"a": 1.5})
    made = [record.log_model(predict, "echo", data=[1]) for _ in range(2)]
    assert [one.tag for one in made] == ["v1", "v2"]
    store = Layout(tmp_path / "registry")
    assert versions(store, "echo") == ["v1", "v2"]
    assert store.get_manifest("models/echo", "v1").descriptor.digest == made[0].digest
    assert str(made[0]) == "model echo"
    assert "echo:v1" in made[0]._repr_html_()
    assert made[0].metrics == {"a": 1.5}
    frame = pd.DataFrame({"x": [1, 2]})
    assert [record.log_dataset(frame, "rows").tag for _ in range(2)] == ["v1", "v2"]
    assert list((tmp_path / "tmp").iterdir()) == []


# -- the card ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("wanted", "format_", "file", "pickled"), [("", "skops", "model.skops", False), ("sklearn", "sklearn", "model.joblib", True)]
)
def test_the_card_of_an_estimator(tmp_path: Path, wanted: str, format_: str, file: str, pickled: bool) -> None:
    from sklearn.linear_model import LogisticRegression

    frame = pd.DataFrame({"age": [1, 2, 3, 4], "score": [0.5, float("nan"), 1.5, 2.0], "ok": [True, False, True, False]}).fillna(0)
    model = LogisticRegression().fit(frame, [0, 1, 0, 1])
    about = card.write_model(
        tmp_path, model, "m", data=frame, metrics={"auc": float("nan"), "acc": 0.5}, wanted=wanted, kernel="py3-own"
    )
    assert about["kernel"] == "py3-own"
    assert (about["format"], about["file"], about["pickle"]) == (format_, file, pickled)
    assert json.loads((tmp_path / "mlops.json").read_text()) == about
    assert about["signature"]["inputs"] == [
        {"name": "age", "datatype": "INT64"}, {"name": "score", "datatype": "FP64"}, {"name": "ok", "datatype": "BOOL"},
    ]  # fmt: skip
    assert about["signature"]["kind"] == "columns"
    assert about["signature"]["outputs"] == [{"name": "predict", "datatype": "INT64", "shape": [-1]}]
    assert about["signature"]["feature_names"] == ["age", "score", "ok"]
    assert len(about["sample"]["instances"]) == 3
    assert about["metrics"] == {"auc": None, "acc": 0.5}
    assert about["class"] == "sklearn.linear_model._logistic.LogisticRegression"
    assert about["packages"]["scikit-learn"]
    assert table.read(tmp_path / file, about, "listed").predict(frame).tolist() == model.predict(frame).tolist()


def test_no_data_no_rows(tmp_path: Path) -> None:
    from sklearn.linear_model import LinearRegression

    about = card.write_model(tmp_path, LinearRegression().fit([[1.0], [2.0]], [1, 2]), "m", data=None, metrics={})
    assert "sample" not in about
    assert about["signature"]["inputs"] == []
    assert about["signature"]["n_features"] == 1


SIGNATURES: dict[str, tuple[Any, dict[str, Any], list[Any]]] = {
    "array": (
        np.arange(8, dtype="f4").reshape(4, 2),
        {"kind": "tensor", "inputs": [{"name": "input-0", "datatype": "FP32", "shape": [-1, 2]}], "shape": [-1, 2]},
        [[0, 1], [2, 3], [4, 5]],
    ),
    "rows": ([[1, "a"], [2, "b"]], {"kind": "any", "inputs": []}, [[1, "a"], [2, "b"]]),
    "series": (
        pd.Series(["x", "y"], name="text"),
        {"kind": "tensor", "inputs": [{"name": "text", "datatype": "BYTES", "shape": [-1]}], "shape": [-1]},
        ["x", "y"],
    ),
    "types": (
        pd.DataFrame(
            {
                "i": np.array([1], "i2"),
                "u": np.array([1], "u1"),
                "n": pd.array([None], "Int64"),
                "t": pd.to_datetime(["2024-01-01"]),
                "c": pd.Categorical(["k"]),
            }
        ),
        {
            "kind": "columns",
            "inputs": [
                {"name": "i", "datatype": "INT16"},
                {"name": "u", "datatype": "UINT8"},
                {"name": "n", "datatype": "INT64"},
                {"name": "t", "datatype": "BYTES"},
                {"name": "c", "datatype": "BYTES"},
            ],
            "shape": [-1, 5],
        },
        [{"i": 1, "u": 1, "n": None, "t": "2024-01-01 00:00:00", "c": "k"}],
    ),
}


@pytest.mark.parametrize("name", SIGNATURES)
def test_signatures(name: str) -> None:
    data, expected, sample = SIGNATURES[name]
    found, rows = signature.describe(data, None)
    assert {**expected, "outputs": []} == found
    assert rows == sample
    json.dumps(rows, allow_nan=False)


def unstorable() -> Any:
    lock = __import__("threading").Lock()
    return lambda rows: [lock for _ in rows]


WRONG: dict[str, tuple[Any, dict[str, Any], type[Exception]]] = {
    "no model": (5, {}, WrongUsage),
    "a class": (dict, {}, WrongUsage),
    "no rows": (lambda rows: rows, {"data": []}, WrongUsage),
    "an empty frame": (lambda rows: rows, {"data": pd.DataFrame({"a": []})}, WrongUsage),
    "rows it does not take": (lambda rows: rows.nope, {"data": [1]}, WrongUsage),
    "a lock": (unstorable(), {}, NotStorable),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_models(case: str, tmp_path: Path) -> None:
    model, options, error = WRONG[case]
    with pytest.raises(error) as caught:
        card.write_model(tmp_path, model, "m", **{"data": None, "metrics": {}, **options})
    assert caught.value.fix


@pytest.mark.parametrize("value", ["much", None, [1]])
def test_a_metric_is_a_number(value: Any) -> None:
    with pytest.raises(WrongUsage, match="'m'"):
        record.log_metrics({"m": value})


def test_a_metric_that_is_not_finite_is_kept_as_text(tmp_path: Path) -> None:
    ran = Stage(tmp_path, ["from jupyter_mlops import log_metrics\nlog_metrics(loss=float('nan'), ok=1)"]).step("s0")
    assert ran.code == 0, ran.stdout
    assert [event["value"] for event in ran.events if event["event"] == "metric"] == ["nan", 1.0]
    assert ran.report["metrics"] == {"ok": 1.0}


# -- datasets ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_datasets_are_versions_keyed_by_run_and_call(tmp_path: Path) -> None:
    cells = [
        "import pandas as pd\nfrom jupyter_mlops import log_dataset\nlog_dataset(pd.DataFrame({'a': [1, 2]}), 'rows')\nopen('f.txt', 'w').write('x')\nlog_dataset('f.txt', 'file')"
    ]
    stage = Stage(tmp_path, cells)
    ran = [stage.step("s0"), stage.step("s0")]
    assert ran[0].code == 0, ran[0].stdout
    assert ran[0].report["datasets"] == ran[1].report["datasets"]
    assert [(entry["name"], entry["tag"]) for entry in ran[0].report["datasets"]] == [("rows", "v1"), ("file", "v1")]
    assert [event["name"] for event in ran[0].events if event["event"] == "dataset"] == ["rows", "file"]
    manifest = stage.store.get_manifest("datasets/file", "v1")
    with stage.store.open_blob("datasets/file", manifest.document["layers"][0]["digest"]) as stream:
        assert stream.read() == b"x"


def test_what_a_dataset_is(tmp_path: Path) -> None:
    for name in ("frame", "array", "folder"):
        (tmp_path / name).mkdir()
    facts = write_dataset(pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}), tmp_path / "frame")
    assert facts.rows == 2
    assert [(each["name"], each["datatype"], each["arrow"]) for each in facts.columns] == [
        ("a", "INT64", "int64"), ("b", "BYTES", "large_string"),
    ]  # fmt: skip
    assert write_dataset(np.arange(3), tmp_path / "array").rows == 3
    assert np.load(tmp_path / "array" / "data.npy").tolist() == [0, 1, 2]
    write_dataset(tmp_path / "frame", tmp_path / "folder")
    assert {path.name for path in (tmp_path / "folder").iterdir()} == {path.name for path in (tmp_path / "frame").iterdir()}
    for wrong in (5, tmp_path / "nowhere"):
        with pytest.raises(WrongUsage):
            write_dataset(wrong, tmp_path / "folder")


def test_a_frame_where_pyarrow_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    facts = write_dataset(pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}), tmp_path)
    assert (facts.rows, facts.columns) == (2, [{"name": "a", "datatype": "INT64"}, {"name": "b", "datatype": "BYTES"}])
    assert (tmp_path / "data.csv").read_text() == "a,b\n1,x\n2,y\n"


def test_a_handle_travels() -> None:
    handle = record.Logged("model", "<m>", "v1", "sha256:" + "0" * 64, {"a": 1.0})
    assert pickle.loads(pickle.dumps(handle)) == handle
    assert "<m>" not in handle._repr_html_()
