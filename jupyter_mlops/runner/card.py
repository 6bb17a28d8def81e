"""A model as a folder: one file that loads it again, and ``mlops.json`` that says what it is (``docs/formats.md``)."""

from __future__ import annotations

import json
import pickle
import platform
import sys
import types
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from jupyter_mlops.errors import NotStorable
from jupyter_mlops.formats.calling import predict_of
from jupyter_mlops.formats.modules import as_rows
from jupyter_mlops.formats.table import keepers, write
from jupyter_mlops.runner.signature import describe, plain

VERSION = 1
CARD = "mlops.json"
_NAMED = {
    "numpy": "numpy", "pandas": "pandas", "scipy": "scipy", "joblib": "joblib", "scikit-learn": "sklearn", "skops": "skops",
    "xgboost": "xgboost", "lightgbm": "lightgbm", "catboost": "catboost", "torch": "torch", "onnx": "onnx",
    "onnxruntime": "onnxruntime", "safetensors": "safetensors", "transformers": "transformers", "cloudpickle": "cloudpickle",
}  # fmt: skip
"""Distributions whose version is recorded if their module is loaded: those that a model file depends on."""


def write_model(
    folder: Path,
    model: Any,
    name: str,
    *,
    data: Any,
    metrics: Mapping[str, float],
    wanted: str = "",
    kernel: str = "python3",
    image: str = "",
) -> dict[str, Any]:
    """Write the model and its card into a folder and return the card.

    Args:
        folder: an empty one.
        model: what is registered.
        name: under which name.
        data: a few rows of what it takes, or None.
        metrics: numbers that belong to it.
        wanted: name of a format; '' for the first that keeps the model.
        kernel: that of the notebook.
        image: the step's; '' where there is none.

    Raises:
        WrongUsage: it is no model, the format does not keep it, or it does not take the data.
        NotStorable: it cannot be pickled.
    """
    keepers(model, wanted)  # before it is called with anything
    signature, sample = describe(as_rows(data), None if data is None else predict_of(model))
    try:
        written = write(model, folder, wanted)
    except (TypeError, pickle.PicklingError, AttributeError, RecursionError) as error:
        raise NotStorable(
            f"the model {name} cannot be stored: {error}",
            fix="Remove open files, locks, generators or connections from it before logging it.",
        ) from error
    card: dict[str, Any] = {
        "version": VERSION,
        "format": written.format,
        "file": written.file,
        "pickle": written.pickle,  # joblib's file is one too, which its name does not tell
        "name": name,
        "class": class_of(model),
        "python": platform.python_version(),
        "kernel": kernel,
        "packages": _packages(),
        "signature": _with_features(signature, model),
        "metrics": {key: plain(value) for key, value in metrics.items()},
    }
    if written.note:
        card["format_note"] = written.note
    if image:
        card["image"] = image
    if sample:
        card["sample"] = {"instances": sample}
    (folder / CARD).write_text(json.dumps(card, indent=1, sort_keys=True, allow_nan=False), encoding="utf-8")
    return card


def class_of(model: Any) -> str:
    """Dotted name of its class; a function's own name."""
    what = model if isinstance(model, (types.FunctionType, types.MethodType)) else type(model)
    return f"{what.__module__}.{what.__qualname__}"


def _with_features(signature: dict[str, Any], model: Any) -> dict[str, Any]:
    """What the estimator itself remembers of its training data."""
    names, count = getattr(model, "feature_names_in_", None), getattr(model, "n_features_in_", None)
    found = dict(signature)
    if names is not None:
        found["feature_names"] = [str(name) for name in names]
    if count is not None:
        found["n_features"] = int(count)
    return found


def _packages() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for name, module in _NAMED.items():
        if module in sys.modules:
            with suppress(PackageNotFoundError):
                found[name] = version(name)
    return found


def predictor(model: Any) -> Callable[[Any], Any]:
    """What is called with rows."""
    found: Callable[[Any], Any] = getattr(model, "predict", model)
    return found
