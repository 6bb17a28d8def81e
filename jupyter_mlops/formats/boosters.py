"""Gradient boosting: XGBoost's and LightGBM's own files, which hold trees and no code.

Their wrappers in scikit-learn's way are kept too: XGBoost's file says which one it was; LightGBM's does not know the labels of a
classifier, so these lie beside it. What is written is read back and compared, tree by tree, before it counts.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from jupyter_mlops.errors import PlatformError
from jupyter_mlops.formats.base import Predict, UnsuitedError, Written
from jupyter_mlops.formats.byvalue import is_local

LABELS = "labels.json"
"""Beside LightGBM's file: the labels of a classifier in the order of its classes."""

_FIX = "Register the model again with log_model."
_HALF = 0.5


@dataclass(frozen=True, slots=True)
class Xgboost:
    """``model.ubj``: a ``Booster``, or one of XGBoost's estimators."""

    name: str = "xgboost"
    needs: tuple[str, ...] = ("xgboost",)
    runs: Literal["nothing"] = "nothing"

    def owns(self, model: Any) -> bool:
        """Boosters and estimators of XGBoost that are trained."""
        xgboost = sys.modules.get("xgboost")
        return xgboost is not None and isinstance(model, (xgboost.Booster, xgboost.XGBModel))

    def write(self, model: Any, folder: Path) -> Written:
        """Raises UnsuitedError for a class of the notebook, or an objective that is a function."""
        if is_local(type(model).__module__):
            raise UnsuitedError("its class is the notebook's own")
        if callable(getattr(model, "objective", None)):
            raise UnsuitedError("its objective is a function")
        path = folder / "model.ubj"
        try:
            model.save_model(path)
            again = _xgboost(path)
        except Exception as error:
            path.unlink(missing_ok=True)
            raise UnsuitedError(f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}") from error
        wanted = model.save_raw("ubj") if hasattr(model, "save_raw") else model.get_booster().save_raw("ubj")
        found = again.save_raw("ubj") if hasattr(again, "save_raw") else again.get_booster().save_raw("ubj")
        if bytes(wanted) != bytes(found) or type(again) is not type(model):
            path.unlink()
            raise UnsuitedError("what it wrote reads back as another model")
        return Written(self.name, path.name, pickle=False)

    def read(self, path: Path, card: Mapping[str, Any]) -> Any:
        """The estimator, or the booster."""
        del card
        return _read(path, "XGBoost", lambda: _xgboost(path))


@dataclass(frozen=True, slots=True)
class Lightgbm:
    """``model.txt``: a ``Booster``, or one of LightGBM's estimators."""

    name: str = "lightgbm"
    needs: tuple[str, ...] = ("lightgbm",)
    runs: Literal["nothing"] = "nothing"

    def owns(self, model: Any) -> bool:
        """Boosters and estimators of LightGBM."""
        lightgbm = sys.modules.get("lightgbm")
        return lightgbm is not None and isinstance(model, (lightgbm.Booster, lightgbm.LGBMModel))

    def write(self, model: Any, folder: Path) -> Written:
        """Raises UnsuitedError for a class of the notebook, an objective that is a function, labels that are no JSON."""
        import lightgbm

        if is_local(type(model).__module__):
            raise UnsuitedError("its class is the notebook's own")
        if callable(getattr(model, "objective", None)):
            raise UnsuitedError("its objective is a function")
        try:
            booster = model if isinstance(model, lightgbm.Booster) else model.booster_
            labels = model.classes_.tolist() if isinstance(model, lightgbm.LGBMClassifier) else None
            text = booster.model_to_string(num_iteration=booster.best_iteration)
            same = lightgbm.Booster(model_str=text).model_to_string() == text
            beside = "" if labels is None else json.dumps(labels, allow_nan=False)
        except Exception as error:
            raise UnsuitedError(f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}") from error
        if not same:
            raise UnsuitedError("what it wrote reads back as another model")
        if beside:
            (folder / LABELS).write_text(beside, encoding="utf-8")
        (folder / "model.txt").write_text(text, encoding="utf-8")
        return Written(self.name, "model.txt", pickle=False)

    def read(self, path: Path, card: Mapping[str, Any]) -> Any:
        """The booster; a function that gives labels where the model has some."""
        import lightgbm

        del card
        booster = _read(path, "LightGBM", lambda: lightgbm.Booster(model_file=str(path)))
        beside = path.parent / LABELS
        labels = _read(beside, "LightGBM", lambda: json.loads(beside.read_text(encoding="utf-8"))) if beside.is_file() else None
        return booster if labels is None else _labelled(booster, labels)


def booster_caller(model: Any) -> Predict | None:
    """XGBoost's ``Booster`` over rows, which it takes in a matrix of its own only; None for anything else."""
    xgboost = sys.modules.get("xgboost")
    if xgboost is None or not isinstance(model, xgboost.Booster):
        return None

    def predict(rows: Any) -> Any:
        import numpy as np
        import xgboost

        return model.predict(xgboost.DMatrix(rows if hasattr(rows, "columns") else np.asarray(rows, dtype=float)))

    return predict


def _xgboost(path: Path) -> Any:
    """The booster of a file, or the estimator that the file says it was. Raises what XGBoost raises."""
    import xgboost

    booster = xgboost.Booster(model_file=path)
    said = booster.attr("scikit_learn")
    if said is None:
        return booster
    kind = json.loads(said).get("_estimator_type")
    wanted = {"classifier": xgboost.XGBClassifier, "regressor": xgboost.XGBRegressor}.get(kind, xgboost.XGBRanker)
    model = wanted()
    model.load_model(path)
    return model


def _labelled(booster: Any, labels: list[Any]) -> Predict:
    def predict(rows: Any) -> Any:
        import numpy as np

        chances = np.asarray(booster.predict(rows))
        return np.asarray(labels)[(chances > _HALF).astype(int) if chances.ndim == 1 else chances.argmax(axis=1)]

    return predict


def _read(path: Path, framework: str, read: Any) -> Any:
    try:
        return read()
    except ImportError:
        raise
    except Exception as error:
        said = str(error).strip().partition("\n")[0][:300]
        raise PlatformError(f"{path.name} is no model of {framework}: {said}", code="model-file", fix=_FIX) from error
