"""A version as a folder that MLflow loads. Nothing of the model is loaded for it, and MLflow need not be installed.

What came from MLflow goes back as it came. Of the rest a flavor of MLflow's own reads the file where there is one; joblib's
files and models by value are read by a few lines that lie beside them, since MLflow would take them for plain pickles.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from jupyter_mlops.errors import WrongUsage
from jupyter_mlops.oci.disk import explained
from jupyter_mlops.oci.progress import Progress
from jupyter_mlops.registry.mlflow import MLMODEL
from jupyter_mlops.registry.mlflowtypes import to_mlflow
from jupyter_mlops.registry.models import Models, ModelVersion

LOADER = "jupyter_mlops_model"
_ENVIRONMENT = {"conda": "conda.yaml", "virtualenv": "python_env.yaml"}
_READ = {
    "sklearn": "import joblib\n\n    model = joblib.load(path)",
    "python": 'import cloudpickle\n\n    with open(path, "rb") as file:\n        model = cloudpickle.load(file)',
    "lightgbm": """import json
    import os

    import lightgbm
    import numpy

    booster, beside = lightgbm.Booster(model_file=path), os.path.join(os.path.dirname(path), "labels.json")
    model = booster
    if os.path.isfile(beside):
        with open(beside, encoding="utf-8") as file:
            labels = numpy.asarray(json.load(file))

        def model(rows):
            chances = numpy.asarray(booster.predict(rows))
            return labels[(chances > 0.5).astype(int) if chances.ndim == 1 else chances.argmax(axis=1)]""",
}
"""Format → how a file is read that no flavor of MLflow reads as it is: of LightGBM's estimators MLflow wants pickles."""

_CODE = '''"""Reads the file beside it for MLflow; jupyter-mlops wrote this."""


class Model:
    def __init__(self, model):
        self.model = model

    def predict(self, model_input, params=None):
        return getattr(self.model, "predict", self.model)(model_input)


def _load_pyfunc(path):
    {read}
    return Model(model)
'''


def export_mlflow(models: Models, version: ModelVersion, folder: Path, progress: Progress | None = None) -> None:
    """Write a version into a new folder, which appears whole or not at all; ``progress`` is told of its layers.

    Raises:
        WrongUsage: code ``folder-exists``, or ``not-for-mlflow``: MLflow has nothing that reads such a model.
        NotFound, Corrupt, PlatformError: as ``Models.extract``.
    """
    if folder.exists():
        raise WrongUsage(f"{folder} exists", code="folder-exists", fix="Give a folder that does not exist.")
    card = models.card(version)
    if "mlflow" not in card and str(card.get("format")) not in (*_FLAVORS, *_READ):
        raise _no_flavor(version, f"it has nothing for the format {card.get('format')}")
    with explained(folder.parent):
        folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as scratch:
        models.extract(version, Path(scratch) / "files", progress)
        made = Path(scratch) / "files" / "models"
        with explained(folder.parent):
            (made / "mlops.json").unlink(missing_ok=True)
            if not (made / MLMODEL).is_file():
                _write(version, card, made)
            made.rename(folder)


def _write(version: ModelVersion, card: Mapping[str, Any], folder: Path) -> None:
    """``MLmodel`` and what it names, beside the model's file."""
    import yaml

    flavors = _flavors(version, card, folder)
    python = str(card.get("python") or "3.11")
    needs = _requirements(card)
    example = _example(folder, (card.get("sample") or {}).get("instances"))
    said: dict[str, Any] = {
        "artifact_path": version.name,
        "flavors": flavors,
        "model_uuid": version.digest.partition(":")[2][:32],
        "utc_time_created": datetime.fromtimestamp(version.created, timezone.utc).strftime("%Y-%m-%d %H:%M:%S.%f"),
        "metadata": {"jupyter_mlops": {"model": version.reference, "version": version.tag, "run": version.run}},
    }
    signature = to_mlflow(card.get("signature") or {})
    said.update({"signature": signature} if signature else {})
    said.update({"saved_input_example_info": example} if example else {})
    build = ["pip", "setuptools", "wheel"]
    environment = {"python": python, "build_dependencies": build, "dependencies": ["-r requirements.txt"]}
    conda = {"name": "mlflow-env", "channels": ["conda-forge"], "dependencies": [f"python={python}", "pip", {"pip": needs}]}
    for name, document in ((MLMODEL, said), ("python_env.yaml", environment), ("conda.yaml", conda)):
        (folder / name).write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    (folder / "requirements.txt").write_text("".join(f"{line}\n" for line in needs), encoding="utf-8")


def _flavors(version: ModelVersion, card: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The framework's flavor where MLflow has one for the file, and how to call the model without knowing the framework."""
    kind, file = str(card["format"]), str(card["file"])
    python = {"env": dict(_ENVIRONMENT), **({"python_version": str(card["python"])} if card.get("python") else {})}
    if kind in _READ and not _is_booster(kind, card):
        (folder / "code").mkdir(exist_ok=True)
        (folder / "code" / f"{LOADER}.py").write_text(_CODE.format(read=_READ[kind]), encoding="utf-8")
        return {"python_function": {**python, "loader_module": LOADER, "code": "code", "data": file}}
    flavor, conf = _FLAVORS[kind](version, card, folder / file)
    place = {"model_path": file, "predict_fn": "predict"} if flavor == "sklearn" else {"data": file}
    return {flavor: {**conf, "code": None}, "python_function": {**python, "loader_module": f"mlflow.{flavor}", **place}}


def _skops(version: ModelVersion, card: Mapping[str, Any], file: Path) -> tuple[str, dict[str, Any]]:
    """With the names of its classes that are on our list: MLflow's skops makes no other."""
    from jupyter_mlops.formats.allowed import is_allowed

    try:
        from skops.io import get_untrusted_types
    except ImportError as error:
        raise _no_flavor(version, "skops has to tell the classes in it, and is not installed", "pip install skops") from error
    names = [name for name in get_untrusted_types(data=file.read_bytes()) if is_allowed(name)]
    conf = {"pickled_model": file.name, "serialization_format": "skops", "skops_trusted_types": names or None}
    return "sklearn", {**conf, "sklearn_version": _version_of(card, "scikit-learn")}


def _xgboost(version: ModelVersion, card: Mapping[str, Any], file: Path) -> tuple[str, dict[str, Any]]:
    del version
    kind = str(card.get("class") or "")
    kind = kind if kind.startswith("xgboost.") else "xgboost.core.Booster"
    conf = {"data": file.name, "model_class": kind, "model_format": file.suffix.removeprefix(".") or "ubj"}
    return "xgboost", {**conf, "xgb_version": _version_of(card, "xgboost")}


def _lightgbm(version: ModelVersion, card: Mapping[str, Any], file: Path) -> tuple[str, dict[str, Any]]:
    del version
    conf = {"data": file.name, "model_class": "lightgbm.basic.Booster"}
    return "lightgbm", {**conf, "lgb_version": _version_of(card, "lightgbm")}


def _is_booster(kind: str, card: Mapping[str, Any]) -> bool:
    """Whether it is LightGBM's own, which MLflow reads as it is."""
    return kind == "lightgbm" and str(card.get("class") or "Booster").endswith("Booster")


def _onnx(version: ModelVersion, card: Mapping[str, Any], file: Path) -> tuple[str, dict[str, Any]]:
    del version
    return "onnx", {"data": file.name, "onnx_version": _version_of(card, "onnx"), "providers": ["CPUExecutionProvider"]}


_FLAVORS = {"skops": _skops, "xgboost": _xgboost, "lightgbm": _lightgbm, "onnx": _onnx}
"""Format → flavor and what it says."""


def _version_of(card: Mapping[str, Any], package: str) -> str | None:
    found = (card.get("packages") or {}).get(package)
    return str(found) if found else None


def _requirements(card: Mapping[str, Any]) -> list[str]:
    """What loading it takes: as they were said where it came from, else the packages that it was made with."""
    if card.get("requirements"):
        return [str(line) for line in card["requirements"]]
    return ["mlflow", *(f"{name}=={version}" for name, version in sorted(dict(card.get("packages") or {}).items()))]


def _example(folder: Path, rows: Any) -> dict[str, Any] | None:
    """The sample as MLflow's input example: a table where the rows are objects, else an array."""
    if not isinstance(rows, list) or not rows:
        return None
    example: Any = rows
    serving, said = {"inputs": example}, {"type": "ndarray"}
    if all(isinstance(row, dict) for row in rows):
        example = {"columns": list(rows[0]), "data": [[row.get(name) for name in rows[0]] for row in rows]}
        serving, said = {"dataframe_split": example}, {"type": "dataframe", "pandas_orient": "split"}
    (folder / "input_example.json").write_text(json.dumps(example), encoding="utf-8")
    (folder / "serving_input_example.json").write_text(json.dumps(serving), encoding="utf-8")
    return {"artifact_path": "input_example.json", "serving_input_path": "serving_input_example.json", **said}


def _no_flavor(version: ModelVersion, why: str, fix: str = "") -> WrongUsage:
    return WrongUsage(
        f"{version.name}:{version.tag} cannot be written for MLflow: {why}",
        code="not-for-mlflow",
        fix=fix or "Its files as they are: jupyter mlops models pull",
    )
