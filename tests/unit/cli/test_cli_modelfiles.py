"""``jupyter mlops models import`` and ``export``."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml  # noqa: TID253 - what MLflow's files are written in


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What MLflow writes for a scikit-learn model, in short."""
    place = tmp_path / "mlruns"
    place.mkdir()
    flavors = {"sklearn": {"pickled_model": "model.pkl", "serialization_format": "pickle"}}
    (place / "MLmodel").write_text(yaml.safe_dump({"flavors": flavors, "run_id": "abc"}))
    (place / "model.pkl").write_bytes(pickle.dumps({"a": 1}))
    return place


def test_in_and_out_again(folder: Path, tmp_path: Path, mlops: Callable[..., Any]) -> None:
    said = mlops("models", "import", "mlruns", "churn")
    assert "churn:v1 is registered, python" in said.out
    assert "names nothing but data and classes of known libraries" in said.err
    shown = mlops("models", "show", "churn", "--json").json
    assert shown["card"]["mlflow"] == {"flavors": ["sklearn"], "run_id": "abc"}
    assert "churn:v1 is in back" in mlops("models", "export", "churn:v1", "back", "--format", "mlflow").out
    for path in folder.iterdir():
        assert (tmp_path / "back" / path.name).read_bytes() == path.read_bytes()
    again = mlops("models", "export", "churn:v1", "back", "--format", "mlflow")
    assert (again.code, "back exists" in again.err) == (2, True)
    assert mlops("models", "export", "churn:v1", "two", "--format", "mlflow", "--json").json["folder"] == "two"


def test_a_folder_of_hugging_face_says_what_is_not_run(tmp_path: Path, mlops: Callable[..., Any]) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "config.json").write_text(json.dumps({"model_type": "x", "auto_map": {}}))
    (tmp_path / "in" / "model.safetensors").write_bytes(b"\x02\0\0\0\0\0\0\0{}")
    said = mlops("models", "import", "in", "net")
    assert "net:v1 is registered, huggingface" in said.out
    assert "auto_map" in said.err
    assert mlops("models", "import", "in", "net", "--json").json["tag"] == "v2"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("import", "nothing", "churn"), "there is no nothing"),
        (("import", "mlruns"), "import FOLDER NAME"),
        (("import", "mlruns", "No Name"), "not a valid model name"),
        (("export", "churn", "out"), "--format mlflow"),
        (("export", "churn", "out", "--format", "onnx"), "not onnx"),
        (("export", "churn", "out", "--format", "mlflow"), "no model named 'churn'"),
    ],
)
def test_wrong_words(words: tuple[str, ...], said: str, folder: Path, mlops: Callable[..., Any]) -> None:
    assert folder.exists()
    done = mlops("models", *words)
    assert done.code == 2
    assert said in done.err
    assert "Traceback" not in done.err
