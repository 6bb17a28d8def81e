"""What of a model is called with rows: its ``predict``, or the model itself."""

from __future__ import annotations

import types
from typing import Any

from jupyter_mlops.errors import PlatformError
from jupyter_mlops.formats.base import Predict
from jupyter_mlops.formats.boosters import booster_caller
from jupyter_mlops.formats.modules import caller, is_module
from jupyter_mlops.formats.onnx import graph_caller, is_graph


def predicts(model: Any) -> bool:
    """Whether it has a method ``predict``."""
    return callable(getattr(model, "predict", None))


def can_be_called(model: Any) -> bool:
    """Whether it is a model in the widest sense: an object with ``predict``, a function of rows, or a module of PyTorch."""
    functions = (types.FunctionType, types.MethodType)
    return (predicts(model) and not isinstance(model, type)) or isinstance(model, functions) or is_module(model)


def predict_of(model: Any) -> Predict:
    """What is called with rows.

    Raises:
        PlatformError: code ``model-format``: there is nothing to call.
    """
    if booster := booster_caller(model):
        return booster
    if is_graph(model):
        return graph_caller(model)
    predict = getattr(model, "predict", None)
    if callable(predict):
        return predict  # type: ignore[no-any-return]
    if is_module(model):
        return caller(model)
    if callable(model):
        return model  # type: ignore[no-any-return]
    raise PlatformError(
        f"the model is {type(model).__module__}.{type(model).__qualname__}, which has no predict and cannot be called",
        code="model-format",
        fix="Register a function or an object with a predict method.",
    )
