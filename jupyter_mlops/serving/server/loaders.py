"""From a model folder to a callable: one loader per ``format`` of the card.

A loader may run the model's own code (a pickle does), so it is only ever called in the model server's process, on a
folder whose bytes were verified against a digest that this user recorded. Which that is, the backend decides.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jupyter_mlops.errors import PlatformError

Predict = Callable[[Any], Any]
CARD = "mlops.json"


def read_card(folder: Path) -> tuple[Path, Mapping[str, Any]]:
    """The folder that holds the card, and the card. Raises PlatformError where there is none that can be read."""
    for place in (folder, folder / "models"):
        path = place / CARD
        if path.is_file():
            try:
                return place, dict(json.loads(path.read_text(encoding="utf-8")))
            except (OSError, TypeError, ValueError) as error:
                raise PlatformError(f"{path.name} of the model cannot be read: {error}", code="model-card") from error
    raise PlatformError(f"the model folder has no {CARD}", code="model-card", fix="Register the model again with log_model.")


def load(folder: Path, card: Mapping[str, Any]) -> Predict:
    """Load the model that the card describes. Raises PlatformError, or whatever the model's own code raises."""
    kind = str(card.get("format", ""))
    if kind not in LOADERS:
        raise PlatformError(f"model format '{kind}' is not known; one of {', '.join(LOADERS)}", code="model-format")
    name = str(card.get("file", ""))
    path = folder / name
    if not name or path.parent != folder or not path.is_file():
        raise PlatformError(
            f"the model file '{name}' is missing", code="model-file", fix="Register the model again with log_model."
        )
    return LOADERS[kind](path, card)


def _sklearn(path: Path, card: Mapping[str, Any]) -> Predict:
    import joblib

    if _holds_code(path):
        _check_minor(card)
    return _predict_of(joblib.load(path))


def _python(path: Path, card: Mapping[str, Any]) -> Predict:
    """A function or object of a notebook, by value."""
    import cloudpickle

    _check_minor(card)
    with path.open("rb") as stream:
        return _predict_of(cloudpickle.load(stream))


def _check_minor(card: Mapping[str, Any]) -> None:
    """Byte code belongs to one Python minor; another may crash on it, so that it is not even tried."""
    there, here = _minor(str(card.get("python", ""))), f"{sys.version_info[0]}.{sys.version_info[1]}"
    if there and there != here:
        raise PlatformError(
            f"version mismatch: the model was made with Python {there}, this is Python {here}",
            code="version-mismatch",
            fix=f"Serve it with a kernel of Python {there}, or register it again from this kernel.",
        )


def _holds_code(path: Path) -> bool:
    """Whether an estimator was stored with classes or functions of a notebook, by value."""
    with path.open("rb") as stream:
        return b"cloudpickle" in stream.read(1 << 20)  # the first object that is built by it comes early


def _numpy(path: Path, _card: Mapping[str, Any]) -> Predict:
    """Arrays of a linear model: ``rows @ weights + bias``; no code is run when they are read."""
    import numpy as np

    loaded = np.load(path, allow_pickle=False)
    arrays = {"coef": loaded} if isinstance(loaded, np.ndarray) else {name: loaded[name] for name in loaded.files}
    weights = next((arrays[name] for name in ("coef", "coef_", "weights", "W", "w") if name in arrays), None)
    bias = next((arrays[name] for name in ("intercept", "intercept_", "bias", "b") if name in arrays), 0.0)
    if weights is None:
        raise PlatformError(
            f"{path.name} holds {', '.join(sorted(arrays)) or 'nothing'}; a linear model needs an array 'coef' or 'weights'",
            code="model-format",
            fix="Register a function or an object with a predict method instead.",
        )
    return lambda rows: np.asarray(rows, dtype=float) @ weights + bias


LOADERS: dict[str, Callable[[Path, Mapping[str, Any]], Predict]] = {"sklearn": _sklearn, "python": _python, "numpy": _numpy}


def _predict_of(model: Any) -> Predict:
    predict = getattr(model, "predict", None)
    if callable(predict):
        return predict  # type: ignore[no-any-return]
    if callable(model):
        return model  # type: ignore[no-any-return]
    raise PlatformError(
        f"the model is {type(model).__module__}.{type(model).__qualname__}, which has no predict and cannot be called",
        code="model-format",
        fix="Register a function or an object with a predict method.",
    )


def drift(card: Mapping[str, Any]) -> list[str]:
    """How this interpreter differs from the one that made the model, a sentence each."""
    from importlib.metadata import PackageNotFoundError, version

    found = []
    here, there = f"{sys.version_info[0]}.{sys.version_info[1]}", _minor(str(card.get("python", "")))
    if there and there != here:
        found.append(f"Python {here} serves a model made with Python {there}")
    for name, wanted in dict(card.get("packages") or {}).items():
        try:
            installed = version(name)
        except PackageNotFoundError:
            found.append(f"{name} {wanted} made the model and is not installed here")
            continue
        if installed != wanted:
            found.append(f"{name} {installed} serves a model made with {wanted}")
    return found


def _minor(python: str) -> str:
    return ".".join(python.split(".")[:2])
