"""MLflow in and out: real MLflow reads what we write and writes what we read; nothing of a model is loaded for it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml  # noqa: TID253 - what MLflow's files are written in
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.errors import MlopsError, NotAllowed, WrongUsage
from jupyter_mlops.formats.table import read
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.oci.modelpack import publish_model
from jupyter_mlops.registry.imports import import_model
from jupyter_mlops.registry.mlflow import card_of
from jupyter_mlops.registry.mlflowout import export_mlflow
from jupyter_mlops.registry.mlflowtypes import COLUMNS, from_mlflow, to_mlflow
from jupyter_mlops.registry.models import Models
from jupyter_mlops.runner.card import write_model
from jupyter_mlops.serving.server.loaders import load

needs_mlflow = pytest.mark.skipif(find_spec("mlflow") is None, reason="MLflow is not installed: pip install mlflow-skinny")

START = """
import json, sys, warnings
warnings.simplefilter("ignore")
import mlflow, numpy as np, pandas as pd
from pathlib import Path
from sklearn.linear_model import LogisticRegression
from mlflow.models import infer_signature
X = pd.DataFrame({"age": [1, 2, 3, 4], "rate": [1.5, 2.5, 0.5, 1.0]})
y = np.array([0, 1, 0, 1])
m = LogisticRegression().fit(X, y)
"""
ROWS = [[1, 1.5], [2, 2.5], [3, 0.5], [4, 1.0]]


def in_mlflow(code: str, folder: Path) -> Any:
    """What a program prints as JSON at its end; a process of its own, since MLflow warns and patches."""
    done = subprocess.run(
        [sys.executable, "-c", START + code], cwd=folder, capture_output=True, text=True, check=False, timeout=150,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder), "MLFLOW_TRACKING_URI": folder.as_uri()},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture
def store(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "registry")


# -- with MLflow itself ----------------------------------------------------------------------------------------------------

AS = "signature=infer_signature(X, m.predict(X)), input_example=X.head(2)"
OWN = """import mlflow
class M(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return [0, 1, 0, 1]
mlflow.models.set_model(M())
"""
SAVED = {
    "skops": (f"mlflow.sklearn.save_model(m, 'out', {AS})", "skops"),
    "pickle": (f"mlflow.sklearn.save_model(m, 'out', serialization_format='pickle', {AS})", "python"),
    "cloudpickle": (f"mlflow.sklearn.save_model(m, 'out', serialization_format='cloudpickle', {AS})", "python"),
    "own code": (f"Path('m.py').write_text({OWN!r}); mlflow.pyfunc.save_model('out', python_model='m.py', {AS})", "mlflow"),
}
IMPORT = f"sys.path.insert(0, {str(Path(__file__).parents[3])!r})\nfrom jupyter_mlops.formats.calling import predict_of\nfrom jupyter_mlops.formats.table import NAMES"


@needs_mlflow
@pytest.mark.slow
@pytest.mark.parametrize(("code", "expected"), SAVED.values(), ids=SAVED)
def test_what_mlflow_saves_is_ours_and_goes_back_as_it_was(code: str, expected: str, store: Layout, tmp_path: Path) -> None:
    predicted = in_mlflow(code + "\nprint(json.dumps([int(one) for one in m.predict(X)]))", tmp_path)
    import_model(store, tmp_path / "out", "churn")
    models = Models(store)
    version = models.find("churn")
    card = version.card
    assert (version.format, card["format"], card["pickle"]) == (expected, expected, expected != "skops")
    assert [(one["name"], one["datatype"]) for one in version.inputs] == [("age", "INT64"), ("rate", "FP64")]
    assert card["signature"]["kind"] == "columns"
    assert card["sample"]["instances"] == [{"age": 1, "rate": 1.5}, {"age": 2, "rate": 2.5}]
    assert card["packages"]["scikit-learn"] if expected != "mlflow" else card["packages"]["mlflow"]
    assert card["mlflow"]["mlflow_version"]
    assert "python_function" in card["mlflow"]["flavors"]
    models.extract(version, tmp_path / "pulled")
    frame = pytest.importorskip("pandas").DataFrame(ROWS, columns=["age", "rate"]).astype({"age": "int64"})
    if expected == "mlflow":  # in a process of its own: it changes warnings and more
        read = "NAMES['mlflow'].read(Path('pulled/models/MLmodel'), {})"
        assert in_mlflow(f"{IMPORT}\nprint(predict_of({read})(X))", tmp_path) == predicted
    else:
        assert list(load(tmp_path / "pulled" / "models", card, "listed")(frame)) == predicted
    export_mlflow(models, version, tmp_path / "back")
    assert files(tmp_path / "back") == files(tmp_path / "out")


def files(folder: Path) -> dict[str, bytes]:
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return {name: data for name, data in found.items() if "__pycache__" not in name}


LOADED = """
import sys
found = mlflow.pyfunc.load_model("out")
example = mlflow.models.Model.load("out").load_input_example("out")
print(json.dumps({"predicted": np.asarray(found.predict(X if len(sys.argv) < 2 else X.values)).tolist(),
    "inputs": found.metadata.get_input_schema().to_dict(),
    "example": example.to_dict("list"), "flavors": sorted(found.metadata.flavors)}))
"""


@needs_mlflow
@pytest.mark.slow
@pytest.mark.parametrize("wanted", ["skops", "sklearn", "python"])
def test_mlflow_loads_what_we_write(wanted: str, store: Layout, tmp_path: Path) -> None:
    pandas, linear = pytest.importorskip("pandas"), pytest.importorskip("sklearn.linear_model")
    frame = pandas.DataFrame(ROWS, columns=["age", "rate"]).astype({"age": "int64"})
    model = linear.LogisticRegression().fit(frame, [0, 1, 0, 1])
    (tmp_path / "in").mkdir()
    write_model(tmp_path / "in", model, "churn", data=frame, metrics={}, wanted=wanted)
    publish_model(store, "churn", tmp_path / "in", key="1", annotations={"format": wanted}, metrics={})
    models = Models(store)
    export_mlflow(models, models.find("churn"), tmp_path / "out")
    found = in_mlflow(LOADED, tmp_path)
    assert found["predicted"] == model.predict(frame).tolist()
    assert [(one["name"], one["type"]) for one in found["inputs"]] == [("age", "long"), ("rate", "double")]
    assert found["example"] == {"age": [1, 2, 3], "rate": [1.5, 2.5, 0.5]}
    assert ("sklearn" in found["flavors"]) == (wanted == "skops")
    needs = (tmp_path / "out" / "requirements.txt").read_text().splitlines()
    assert any(line.startswith("scikit-learn==") for line in needs)
    environment = yaml.safe_load((tmp_path / "out" / "python_env.yaml").read_text())
    assert environment["python"].startswith(f"{sys.version_info[0]}.{sys.version_info[1]}.")
    assert yaml.safe_load((tmp_path / "out" / "conda.yaml").read_text())["dependencies"][-1]["pip"] == needs
    assert not (tmp_path / "out" / "mlops.json").exists()


def boosted(framework: str, kind: str) -> Any:
    """A model that gives labels or numbers, trained on ``ROWS``."""
    module = pytest.importorskip(framework)
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(ROWS * 10, columns=["age", "rate"])
    if kind == "Booster":
        data = module.DMatrix(frame, [0, 1, 0, 1] * 10) if framework == "xgboost" else module.Dataset(frame, [0, 1, 0, 1] * 10)
        return module.train(
            {"objective": "binary:logistic"} if framework == "xgboost" else {"objective": "binary", "verbose": -1}, data, 5
        )
    more = {"verbose": -1, "min_child_samples": 1} if framework == "lightgbm" else {}
    return getattr(module, kind)(n_estimators=5, **more).fit(frame, [0, 1, 0, 1] * 10)


FRAMEWORKS = [
    ("xgboost", "Booster"), ("xgboost", "XGBClassifier"), ("xgboost", "XGBRegressor"), ("lightgbm", "Booster"),
    ("lightgbm", "LGBMClassifier"), ("lightgbm", "LGBMRegressor"),
]  # fmt: skip


@needs_mlflow
@pytest.mark.slow
@pytest.mark.parametrize(("framework", "kind"), FRAMEWORKS)
def test_mlflow_loads_boosters_that_we_write(framework: str, kind: str, store: Layout, tmp_path: Path) -> None:
    model = boosted(framework, kind)
    frame = pytest.importorskip("pandas").DataFrame(ROWS, columns=["age", "rate"])
    (tmp_path / "in").mkdir()
    card = write_model(tmp_path / "in", model, "b", data=frame, metrics={})
    assert card["format"] == framework
    publish_model(store, "b", tmp_path / "in", key="1", annotations={"format": framework}, metrics={})
    models = Models(store)
    export_mlflow(models, models.find("b"), tmp_path / "out")
    found = in_mlflow(LOADED, tmp_path)
    expected = load(tmp_path / "in", card, "never")(frame)
    assert found["predicted"] == pytest.approx(expected.tolist(), abs=1e-6)
    assert (framework in found["flavors"]) == (kind not in {"LGBMClassifier", "LGBMRegressor"})


BOOSTED = """
import {framework} as f
b = f.{kind}(**{options}).fit(pd.concat([X] * 10), list(y) * 10)
mlflow.{framework}.save_model(b{part}, "out", {named})
print(json.dumps(np.asarray(b.predict(X)).tolist()))
"""


@needs_mlflow
@pytest.mark.slow
@pytest.mark.parametrize(
    ("framework", "kind", "options", "expected"),
    [
        ("xgboost", "XGBClassifier", {"n_estimators": 5}, "xgboost"),
        ("lightgbm", "LGBMRegressor", {"n_estimators": 5, "verbose": -1, "min_child_samples": 1}, "lightgbm"),
        ("lightgbm", "LGBMClassifier", {"n_estimators": 5, "verbose": -1, "min_child_samples": 1}, "mlflow"),
    ],
)
def test_boosters_that_mlflow_saves_are_ours(
    framework: str, kind: str, options: dict[str, Any], expected: str, store: Layout, tmp_path: Path
) -> None:
    """LightGBM's estimators MLflow writes as pickles, which it reads itself; its boosters and XGBoost's are theirs."""
    pytest.importorskip(framework)
    part = ".booster_" if kind == "LGBMRegressor" else ""
    code = BOOSTED.format(framework=framework, kind=kind, options=options, part=part, named="signature=infer_signature(X)")
    predicted = in_mlflow(code, tmp_path)
    import_model(store, tmp_path / "out", "b")
    models = Models(store)
    version = models.find("b")
    assert version.format == expected
    models.extract(version, tmp_path / "pulled")
    if expected != "mlflow":
        frame = pytest.importorskip("pandas").DataFrame(ROWS, columns=["age", "rate"])
        assert load(tmp_path / "pulled" / "models", version.card, "never")(frame).tolist() == pytest.approx(predicted, abs=1e-6)


@needs_mlflow
@pytest.mark.slow
def test_a_graph_goes_there_and_back(store: Layout, tmp_path: Path) -> None:
    """ONNX: ours is read by MLflow, and what MLflow saved of it is ours again, the very file."""
    pandas, linear = pytest.importorskip("pandas"), pytest.importorskip("sklearn.linear_model")
    skl2onnx = pytest.importorskip("skl2onnx")
    frame = pandas.DataFrame(ROWS, columns=["age", "rate"]).astype("float32")
    model = linear.LogisticRegression().fit(frame, [0, 1, 0, 1])
    graph = skl2onnx.to_onnx(model, frame.to_numpy(), options={"zipmap": False})
    (tmp_path / "in").mkdir()
    card = write_model(tmp_path / "in", graph, "g", data=frame.to_numpy(), metrics={})
    assert card["format"] == "onnx"
    publish_model(store, "g", tmp_path / "in", key="1", annotations={"format": "onnx"}, metrics={})
    models = Models(store)
    export_mlflow(models, models.find("g"), tmp_path / "out")
    code = """
found = mlflow.pyfunc.load_model("out").predict(X.to_numpy().astype("float32"))
import onnx
mlflow.onnx.save_model(onnx.load("out/model.onnx"), "again", signature=infer_signature(X))
print(json.dumps(found["label"].tolist()))
"""
    assert in_mlflow(code, tmp_path) == model.predict(frame).tolist()
    import_model(store, tmp_path / "again", "g")
    version = models.find("g:v2")
    assert (version.format, version.card["pickle"], version.inputs[0]["name"]) == ("onnx", False, "age")
    models.extract(version, tmp_path / "pulled")
    answer = load(tmp_path / "pulled" / "models", version.card, "never")(frame)
    assert answer.tolist() == model.predict(frame).tolist()


# -- without MLflow --------------------------------------------------------------------------------------------------------


def folder_of(place: Path, flavors: dict[str, Any], **more: Any) -> Path:
    place.mkdir(exist_ok=True)
    (place / "MLmodel").write_text(yaml.safe_dump({"flavors": flavors, **more}))
    return place


PYTHON = {"python_function": {"loader_module": "mlflow.sklearn", "python_version": "3.11.7"}}
FLAVORS: dict[str, tuple[dict[str, Any], tuple[str, str, bool]]] = {
    "skops": ({"sklearn": {"pickled_model": "f.skops", "serialization_format": "skops"}}, ("skops", "f.skops", False)),
    "pickle": ({"sklearn": {"pickled_model": "f.pkl", "serialization_format": "pickle"}}, ("python", "f.pkl", True)),
    "a pickle by another name": ({"sklearn": {"pickled_model": "f.bin"}, **PYTHON}, ("mlflow", "MLmodel", True)),
    "code beside it": ({"sklearn": {"pickled_model": "f.pkl", "code": "code"}, **PYTHON}, ("mlflow", "MLmodel", True)),
    "xgboost": ({"xgboost": {"data": "f.ubj", "model_class": "xgboost.sklearn.XGBClassifier"}}, ("xgboost", "f.ubj", False)),
    "lightgbm": ({"lightgbm": {"data": "f.lgb", "model_class": "lightgbm.basic.Booster"}}, ("lightgbm", "f.lgb", False)),
    "old lightgbm": ({"lightgbm": {"data": "f.lgb"}}, ("lightgbm", "f.lgb", False)),
    "an estimator of lightgbm": (
        {"lightgbm": {"data": "f.pkl", "model_class": "lightgbm.sklearn.LGBMClassifier"}, **PYTHON},
        ("mlflow", "MLmodel", True),
    ),
    "onnx": ({"onnx": {"data": "f.onnx"}, **PYTHON}, ("onnx", "f.onnx", False)),
    "onnx in a folder": ({"onnx": {"data": "sub/f.onnx"}, **PYTHON}, ("mlflow", "MLmodel", True)),
    "pytorch": ({"pytorch": {"model_data": "data"}, **PYTHON}, ("mlflow", "MLmodel", True)),
    "python": (PYTHON, ("mlflow", "MLmodel", True)),
}


@pytest.mark.parametrize(("flavors", "expected"), FLAVORS.values(), ids=FLAVORS)
def test_flavors(flavors: dict[str, Any], expected: tuple[str, str, bool], tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("f.skops", "f.pkl", "f.bin", "f.ubj", "f.lgb", "f.onnx", "sub/f.onnx"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "requirements.txt").write_text(
        "# comment\nscikit-learn==1.5.0\nnumpy[x]==2.0 ; python_version > '3'\npandas # any\n-e .\n"
    )
    card = card_of(folder_of(tmp_path, flavors, run_id="abc", mlflow_version="2.1"))
    assert (card["format"], card["file"], card["pickle"]) == expected
    assert card["packages"] == {"scikit-learn": "1.5.0", "numpy": "2.0"}
    assert card["requirements"] == ["scikit-learn==1.5.0", "numpy[x]==2.0 ; python_version > '3'", "pandas", "-e ."]
    assert card["mlflow"] == {"flavors": sorted(flavors), "run_id": "abc", "mlflow_version": "2.1"}
    assert card.get("python") == ("3.11.7" if "python_function" in flavors else None)


BAD: dict[str, tuple[Callable[[Path], Any], str]] = {
    "no YAML": (lambda place: (place / "MLmodel").write_text("a: [1"), "not YAML"),
    "objects": (lambda place: (place / "MLmodel").write_text("a: !!python/object/apply:os.system ['touch owned']"), "not YAML"),
    "no map": (lambda place: (place / "MLmodel").write_text("- 1"), "says nothing"),
    "nothing": (lambda place: (place / "MLmodel").write_text(""), "says nothing"),
    "no text": (lambda place: (place / "MLmodel").write_bytes(b"\xff\xfe\x00\x80"), "cannot be read"),
    "deep": (lambda place: (place / "MLmodel").write_text("[" * 5000), "not YAML"),
    "much": (lambda place: (place / "MLmodel").write_bytes(b"#" * (5 << 20)), "more than"),
    "no flavor": (lambda place: folder_of(place, {}), "no flavor"),
    "flavors of text": (lambda place: folder_of(place, {"sklearn": "yes"}), "no flavor"),
    "a file that is not there": (lambda place: folder_of(place, {"onnx": {"data": "model.onnx"}}), "not there"),
    "a file outside": (lambda place: folder_of(place, {"onnx": {"data": "../out.onnx"}}), "not there"),
    "an absolute file": (lambda place: folder_of(place, {"onnx": {"data": "/etc/hostname"}}), "not there"),
    "no python_function": (lambda place: folder_of(place, {"spark": {"model_data": "x"}}), "neither by us"),
}


@pytest.mark.parametrize(("make", "why"), BAD.values(), ids=BAD)
def test_a_bad_folder_is_refused_and_says_why(make: Callable[[Path], Any], why: str, tmp_path: Path) -> None:
    (tmp_path / "out.onnx").write_bytes(b"x")
    (tmp_path / "in").mkdir()
    make(tmp_path / "in")
    with pytest.raises(WrongUsage, match=why) as refused:
        card_of(tmp_path / "in")
    assert (refused.value.code, bool(refused.value.fix)) == ("bad-mlmodel", True)
    assert not Path("owned").exists()


EXAMPLES = [
    ({"columns": ["a", "b"], "data": [[1, 2], [3, 4], [5, 6], [7, 8]]}, [{"a": 1, "b": 2}, {"a": 3, "b": 4}, {"a": 5, "b": 6}]),
    ([[1, 2], [3, 4]], [[1, 2], [3, 4]]),
    ({"inputs": [[1.5]]}, [[1.5]]),
    ({"inputs": {"a": [1]}}, None),
    ({"columns": ["a"], "data": [[1, 2], 3]}, None),
    ("text", None),
]


@pytest.mark.parametrize(("example", "expected"), EXAMPLES)
def test_input_examples(example: Any, expected: Any, tmp_path: Path) -> None:
    (tmp_path / "input_example.json").write_text(json.dumps(example))
    said = {"saved_input_example_info": {"artifact_path": "input_example.json"}}
    card = card_of(folder_of(tmp_path, PYTHON, **said))
    assert (card.get("sample") or {}).get("instances") == expected


@pytest.mark.parametrize("path", ["../secret.json", "/etc/passwd", "sub/in.json", "input.parquet", ""])
def test_an_example_is_of_the_folder_alone(path: str, tmp_path: Path) -> None:
    (tmp_path / "secret.json").write_text("[[1]]")
    card = card_of(folder_of(tmp_path / "in", PYTHON, saved_input_example_info={"artifact_path": path}))
    assert "sample" not in card


columns = st.lists(
    st.fixed_dictionaries(
        {"name": st.text(min_size=1, max_size=5), "type": st.sampled_from(sorted(COLUMNS)), "required": st.just(True)}
    ),
    min_size=1,
    max_size=4,
)
tensors = st.lists(
    st.fixed_dictionaries(
        {
            "type": st.just("tensor"),
            "tensor-spec": st.fixed_dictionaries(
                {"dtype": st.sampled_from(["int64", "float32", "bool"]), "shape": st.lists(st.integers(-1, 9), min_size=1)}
            ),
        }
    ),
    min_size=1,
    max_size=3,
)


@given(columns, tensors)
def test_a_signature_survives_both_ways(inputs: list[Any], outputs: list[Any]) -> None:
    """As far as V2 has a type for it: text, bytes and times are one."""
    there = from_mlflow({"inputs": json.dumps(inputs), "outputs": json.dumps(outputs)})
    assert there["kind"] == "columns"
    back = to_mlflow(there)
    assert back is not None
    same = {"binary": "string", "datetime": "string"}
    assert json.loads(back["inputs"]) == [{**one, "type": same.get(one["type"], one["type"])} for one in inputs]
    assert json.loads(back["outputs"]) == outputs
    assert from_mlflow(back) == there


@pytest.mark.parametrize(
    ("inputs", "kind", "expected"),
    [
        ('[{"type": "long"}]', "tensor", [("input-0", "INT64", [-1])]),
        (
            '[{"type": "tensor", "name": "x", "tensor-spec": {"dtype": "float16", "shape": [-1, 3]}}]',
            "tensor",
            [("x", "FP32", [-1, 3])],
        ),
        ('[{"type": "array", "name": "x", "items": {"type": "long"}}]', "columns", [("x", "BYTES", None)]),
        ("no JSON", "any", []),
        ("{}", "any", []),
        (None, "any", []),
        ("[5]", "any", []),
        ('[{"type": "tensor", "tensor-spec": 5}]', "tensor", [("input-0", "BYTES", [-1])]),
    ],
)
def test_signatures(inputs: Any, kind: str, expected: list[Any]) -> None:
    found = from_mlflow({"inputs": inputs})
    assert (found["kind"], [(one["name"], one["datatype"], one.get("shape")) for one in found["inputs"]]) == (kind, expected)


def test_what_mlflow_has_nothing_for_is_refused(store: Layout, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "x").write_bytes(b"x")
    (tmp_path / "in" / "mlops.json").write_text(json.dumps({"format": "numpy", "file": "x"}))
    publish_model(store, "a", tmp_path / "in", key="1", annotations={}, metrics={})
    models = Models(store)
    with pytest.raises(WrongUsage, match="numpy") as refused:
        export_mlflow(models, models.find("a"), tmp_path / "out")
    assert refused.value.code == "not-for-mlflow"
    (tmp_path / "there").mkdir()
    with pytest.raises(WrongUsage) as refused:
        export_mlflow(models, models.find("a"), tmp_path / "there")
    assert refused.value.code == "folder-exists"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "registry", "there"]


def test_mlflows_own_runs_code_and_takes_mlflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that it is read only where that is allowed."""
    monkeypatch.setitem(sys.modules, "mlflow", None)
    for rule in ("never", "listed"):
        with pytest.raises(NotAllowed):
            read(tmp_path / "MLmodel", {"format": "mlflow"}, rule)
    with pytest.raises(MlopsError) as refused:
        read(tmp_path / "MLmodel", {"format": "mlflow"}, "any")
    assert (refused.value.code, "mlflow" in refused.value.fix) == ("model-framework", True)
