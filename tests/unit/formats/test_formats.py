"""What every format must do, over a table of models; and how the choice between formats falls."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.errors import PlatformError, WrongUsage
from jupyter_mlops.formats import table
from jupyter_mlops.formats.allowed import judge, loader_of
from jupyter_mlops.formats.base import Written
from jupyter_mlops.formats.boosters import LABELS
from jupyter_mlops.formats.calling import predict_of

NUMBERS = ("a", "b")
ALL = ("a", "b", "c")
ANSWERS = [0, 1, 1, 0, 1, 0] * 4


def rows(columns: tuple[str, ...]) -> Any:
    import pandas as pd

    data = {"a": [0.0, 1.0, 2.0, 3.0] * 6, "b": [5.0, 1.0, 4.0, 2.0, 3.0, 0.0] * 4, "c": list("xyxz") * 6}
    return pd.DataFrame(data)[list(columns)]


class Doubler:
    """An object with predict."""

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def predict(self, rows: Any) -> Any:
        import numpy as np

        return np.asarray(rows, dtype=float) @ [self.factor, 1.0]


def total(rows: Any) -> Any:
    import numpy as np

    return np.asarray(rows, dtype=float).sum(axis=1)


def part(name: str, *values: Any, **options: Any) -> Any:
    """An object of a class of scikit-learn, e.g. ``svm.SVC``."""
    module, _, name = name.rpartition(".")
    return getattr(import_module(f"sklearn.{module}"), name)(*values, **options)


def boosted(framework: str, name: str, **options: Any) -> Any:
    """A small estimator of XGBoost or LightGBM."""
    quiet = {"verbose": -1, "min_child_samples": 2} if framework == "lightgbm" else {}
    return getattr(import_module(framework), name)(n_estimators=3, **quiet, **options)


def booster(framework: str) -> Any:
    """What these frameworks train by themselves."""
    module = import_module(framework)
    if framework == "xgboost":
        return module.train({"objective": "binary:logistic"}, module.DMatrix(rows(NUMBERS), ANSWERS), 3)
    options = {"objective": "binary", "verbose": -1, "min_data_in_leaf": 2}
    return module.train(options, module.Dataset(rows(NUMBERS), ANSWERS), 3)


def graph(*names: str) -> Any:
    """A model of scikit-learn as ONNX: its inputs are one matrix, or a column for each name."""
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType

    data = rows(NUMBERS).to_numpy(dtype="float32")
    if not names:
        return to_onnx(part("linear_model.LogisticRegression").fit(data, ANSWERS), data[:1])
    columns = part("compose.ColumnTransformer", [(name, "passthrough", [name]) for name in names])
    model = pipeline(columns, part("linear_model.LinearRegression")).fit(rows(NUMBERS), ANSWERS)
    return to_onnx(model, initial_types=[(name, FloatTensorType([None, 1])) for name in names])


def pipeline(*parts: Any) -> Any:
    return part("pipeline.make_pipeline", *parts)


def mapped(function: str) -> Any:
    return pipeline(
        part("preprocessing.FunctionTransformer", getattr(import_module("numpy"), function)), part("linear_model.LinearRegression")
    )


def columns() -> Any:
    encoder = [("kind", part("preprocessing.OneHotEncoder"), ["c"])]
    return pipeline(part("compose.ColumnTransformer", encoder, remainder="passthrough"), part("linear_model.LogisticRegression"))


def objective(truth: Any, guess: Any) -> Any:
    import numpy as np

    return guess - truth, np.ones_like(guess)


def search() -> Any:
    return part("model_selection.GridSearchCV", part("linear_model.LogisticRegression"), {"C": [1, 2]}, cv=2)


@dataclass(frozen=True)
class Case:
    """A model and what is expected of it: the format that keeps it when none is wanted."""

    new: Callable[[], Any]
    format: str
    columns: tuple[str, ...] = NUMBERS
    answers: Any = field(default_factory=lambda: ANSWERS)

    def make(self) -> Any:
        model = self.new()
        return model.fit(rows(self.columns), self.answers) if hasattr(model, "fit") else model


CASES = {
    "linear": Case(lambda: part("linear_model.LinearRegression"), "skops"),
    "vectors": Case(lambda: pipeline(part("preprocessing.StandardScaler"), part("svm.SVC")), "skops"),
    "forest": Case(lambda: part("ensemble.RandomForestClassifier", 5, random_state=1), "skops"),
    "boosting": Case(lambda: part("ensemble.GradientBoostingRegressor", n_estimators=4, random_state=1), "skops"),
    "histograms": Case(lambda: part("ensemble.HistGradientBoostingClassifier", max_iter=3, random_state=1), "skops"),
    "neighbours": Case(lambda: part("neighbors.KNeighborsClassifier", 3), "skops"),
    "descent": Case(lambda: part("linear_model.SGDClassifier", random_state=1), "skops"),
    "function that is listed": Case(lambda: mapped("log1p"), "skops"),
    "search": Case(search, "skops"),
    "columns": Case(columns, "skops", ALL),
    "function that is not": Case(lambda: mapped("asarray"), "sklearn"),
    "xgboost's classifier": Case(lambda: boosted("xgboost", "XGBClassifier"), "xgboost"),
    "xgboost's regressor": Case(lambda: boosted("xgboost", "XGBRegressor"), "xgboost"),
    "xgboost's forest": Case(lambda: boosted("xgboost", "XGBRFClassifier"), "skops"),
    "xgboost's booster": Case(lambda: booster("xgboost"), "xgboost"),
    "xgboost in a pipeline": Case(
        lambda: pipeline(part("preprocessing.StandardScaler"), boosted("xgboost", "XGBRegressor")), "skops"
    ),
    "lightgbm's classifier": Case(lambda: boosted("lightgbm", "LGBMClassifier"), "lightgbm", answers=[7, 9, 9, 7, 9, 7] * 4),
    "lightgbm's three classes": Case(lambda: boosted("lightgbm", "LGBMClassifier"), "lightgbm", answers=[7, 9, 11, 7, 9, 11] * 4),
    "lightgbm's regressor": Case(lambda: boosted("lightgbm", "LGBMRegressor"), "lightgbm"),
    "lightgbm's booster": Case(lambda: booster("lightgbm"), "lightgbm"),
    "lightgbm with an objective of ours": Case(lambda: boosted("lightgbm", "LGBMRegressor", objective=objective), "sklearn"),
    "graph": Case(graph, "onnx"),
    "graph of columns": Case(lambda: graph("a", "b"), "onnx"),
    "object": Case(lambda: Doubler(2.0), "python"),
    "function": Case(lambda: total, "python"),
}

READ = """
import json, sys
from pathlib import Path
import pandas as pd
from jupyter_mlops.formats import table
from jupyter_mlops.formats.calling import predict_of
folder, rows = Path(sys.argv[1]), pd.read_json(sys.argv[2])
card = json.loads((folder / "card.json").read_text())
print(json.dumps([float(one) for one in predict_of(table.read(folder / card["file"], card, "any"))(rows).ravel()]))
"""
"""A process without the notebook: what it has of the model is the file."""


def written(name: str, folder: Path, wanted: str = "") -> Written:
    return table.write(CASES[name].make(), folder, wanted)


@pytest.mark.parametrize("name", CASES)
def test_the_first_format_that_keeps_a_model(name: str, tmp_path: Path) -> None:
    found = written(name, tmp_path)
    assert found.format == CASES[name].format
    assert {path.name for path in tmp_path.iterdir()} - {LABELS} == {found.file}


@pytest.mark.parametrize("name", CASES)
def test_it_is_read_and_answers_alike_in_another_process(name: str, tmp_path: Path) -> None:
    model, case = CASES[name].make(), CASES[name]
    for each in table.keepers(model):
        folder = tmp_path / each.name
        folder.mkdir()
        try:
            found = table.write(model, folder, each.name)
        except WrongUsage:
            assert each.name != case.format
            continue
        card = {"format": found.format, "file": found.file, "python": ".".join(map(str, sys.version_info[:3]))}
        (folder / "card.json").write_text(json.dumps(card))
        (folder / "rows.json").write_text(rows(case.columns).to_json())
        command = [sys.executable, "-c", READ, str(folder), str(folder / "rows.json")]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        answers = [float(one) for one in predict_of(model)(rows(case.columns)).ravel()]
        assert json.loads(done.stdout) == answers, each.name


@pytest.mark.parametrize("name", CASES)
def test_what_is_said_of_pickles_is_true(name: str, tmp_path: Path) -> None:
    found = written(name, tmp_path)
    loader = loader_of(found.file)
    assert found.pickle == (loader is not None)
    data = (tmp_path / found.file).read_bytes()
    assert found.pickle == (data[:1] == b"\x80"), "a pickle says so in its first byte"
    assert found.pickle == (table.NAMES[found.format].runs != "nothing")
    if loader is not None and found.format == "sklearn":
        assert not judge(tmp_path / found.file, loader).unreadable


@pytest.mark.parametrize("name", [name for name in CASES if CASES[name].format not in {"sklearn", "python"}])
def test_the_same_model_is_the_same_bytes(name: str, tmp_path: Path) -> None:
    model, (one, other) = CASES[name].make(), (tmp_path / "one", tmp_path / "other")
    for folder in (one, other):
        folder.mkdir()
        file = table.write(model, folder).file
    assert (one / file).read_bytes() == (other / file).read_bytes()


@pytest.mark.parametrize("wanted", ["sklearn", "python"])
def test_the_format_that_is_wanted_is_taken(wanted: str, tmp_path: Path) -> None:
    found = written("linear", tmp_path, wanted)
    assert (found.format, found.note, found.pickle) == (wanted, "", True)


WRONG = {
    "unknown format": ("linear", "onyx", "there is no format 'onyx'"),
    "format of other models": ("object", "sklearn", "cannot be kept as sklearn: it is for other models"),
    "format that cannot keep it": (
        "function that is not",
        "skops",
        "cannot be kept as skops: skops: it does not know numpy.asarray",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_wishes(case: str, tmp_path: Path) -> None:
    name, wanted, said = WRONG[case]
    with pytest.raises(WrongUsage) as caught:
        written(name, tmp_path, wanted)
    assert said in str(caught.value)
    assert caught.value.fix


def test_why_the_preferred_format_was_not_taken_is_told(tmp_path: Path) -> None:
    assert written("function that is not", tmp_path).note == "skops: it does not know numpy.asarray"
    assert not written("linear", tmp_path).note


@pytest.mark.parametrize("model", [3, "text", Doubler, None, [1]])
def test_what_is_no_model(model: Any, tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match="is not a model"):
        table.write(model, tmp_path)


FILES = {
    "no format": ("", "model.bin", "model format '' is not known"),
    "unknown format": ("onyx", "model.bin", "model format 'onyx' is not known"),
    "skops that is none": ("skops", "model.skops", "is no model of skops"),
    "xgboost that is none": ("xgboost", "model.ubj", "is no model of XGBoost"),
    "lightgbm that is none": ("lightgbm", "model.txt", "is no model of LightGBM"),
    "onnx that is none": ("onnx", "model.onnx", "is no graph that onnxruntime takes"),
    "array that is none of a linear model": ("numpy", "model.npz", "a linear model needs an array"),
}


@pytest.mark.parametrize("case", FILES)
def test_wrong_files(case: str, tmp_path: Path) -> None:
    name, file, said = FILES[case]
    path = tmp_path / file
    if file.endswith(".npz"):
        import numpy as np

        np.savez(path, other=[1.0])
    else:
        path.write_bytes(b"garbage")
    with pytest.raises(PlatformError) as caught:
        table.read(path, {"format": name}, "any")
    assert said in str(caught.value)


def test_a_framework_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = written("linear", tmp_path, "sklearn")
    monkeypatch.setitem(sys.modules, "joblib", None)
    with pytest.raises(PlatformError) as caught:
        table.read(tmp_path / found.file, {"format": "sklearn"}, "any")
    assert (caught.value.code, caught.value.fix) == ("model-framework", "pip install scikit-learn joblib")


def test_a_file_of_skops_with_a_name_that_is_on_no_list_is_not_read(tmp_path: Path) -> None:
    from sklearn.base import BaseEstimator
    from skops.io import dumps

    marker = tmp_path / "called"

    class Opener(BaseEstimator):
        def __setstate__(self, state: Any) -> None:
            marker.touch()

    Opener.__module__, Opener.__qualname__ = "sys", "Opener"
    sys.Opener = Opener  # type: ignore[attr-defined]
    try:
        (tmp_path / "model.skops").write_bytes(dumps(Opener()))
        with pytest.raises(PlatformError, match=r"holds sys\.Opener"):
            table.read(tmp_path / "model.skops", {"format": "skops"}, "any")
    finally:
        del sys.Opener  # type: ignore[attr-defined]
    assert not marker.exists()


def test_models_of_before_are_read(tmp_path: Path) -> None:
    """Formats that earlier versions wrote keep their names and files."""
    found = written("forest", tmp_path, "sklearn")
    assert (found.format, found.file) == ("sklearn", "model.joblib")
    assert {"sklearn", "python", "numpy"} <= set(table.NAMES)
