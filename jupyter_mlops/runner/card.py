"""A model as a folder: one file that loads it again, and ``mlops.json`` that says what it is (``docs/formats.md``)."""

from __future__ import annotations

import json
import pickle
import platform
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from jupyter_mlops.errors import NotStorable, WrongUsage
from jupyter_mlops.runner.signature import describe, plain

VERSION = 1
CARD = "mlops.json"
_NAMED = ("numpy", "pandas", "scipy", "joblib", "scikit-learn", "xgboost", "lightgbm", "catboost", "torch", "cloudpickle")
"""Distributions whose version is recorded if they are loaded: those that a model file depends on."""


def write_model(
    folder: Path, model: Any, name: str, *, data: Any, metrics: Mapping[str, float], kernel: str = "python3", image: str = ""
) -> dict[str, Any]:
    """Write the model and its card into a folder and return the card; ``kernel`` is that of the notebook, ``image`` the step's.

    Raises:
        WrongUsage: it is no model, or does not take the data.
        NotStorable: it cannot be pickled.
    """
    kind = format_of(model)
    file = "model.joblib" if kind == "sklearn" else "model.pkl"
    signature, sample = describe(data, getattr(model, "predict", model))
    if kind == "sklearn":
        signature = _with_features(signature, model)
    try:
        _write(model, folder / file, kind)
    except (TypeError, pickle.PicklingError, AttributeError, RecursionError) as error:
        raise NotStorable(
            f"the model {name} cannot be stored: {error}",
            fix="Remove open files, locks, generators or connections from it before logging it.",
        ) from error
    card: dict[str, Any] = {
        "version": VERSION,
        "format": kind,
        "file": file,
        "pickle": True,  # both files are: joblib's too, which its name does not tell
        "name": name,
        "class": class_of(model),
        "python": platform.python_version(),
        "kernel": kernel,
        "packages": _packages(),
        "signature": signature,
        "metrics": {key: plain(value) for key, value in metrics.items()},
    }
    if image:
        card["image"] = image
    if sample:
        card["sample"] = {"instances": sample}
    (folder / CARD).write_text(json.dumps(card, indent=1, sort_keys=True, allow_nan=False), encoding="utf-8")
    return card


def format_of(model: Any) -> str:
    """``sklearn`` for its estimators, ``python`` for what has ``predict`` or is a function.

    Raises:
        WrongUsage: code ``not-a-model``.
    """
    base = sys.modules.get("sklearn.base")
    predicts = callable(getattr(model, "predict", None))
    if base is not None and isinstance(model, base.BaseEstimator) and predicts:
        return "sklearn"
    if (predicts and not isinstance(model, type)) or isinstance(model, (types.FunctionType, types.MethodType)):
        return "python"
    raise WrongUsage(
        f"a {type(model).__name__} is not a model",
        code="not-a-model",
        fix="Give a scikit-learn estimator with predict, an object with a method predict(rows), or a function of rows.",
    )


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

    modules = {"scikit-learn": "sklearn"}
    found = {}
    for name in _NAMED:
        if modules.get(name, name) in sys.modules:
            with suppress(PackageNotFoundError):
                found[name] = version(name)
    return found


def _write(model: Any, path: Path, kind: str) -> None:
    """By joblib for an estimator of importable classes; else by value, since ``__main__`` is another module where it is served."""
    if kind == "sklearn" and not _of_notebook(model):
        import joblib

        joblib.dump(model, path)
        return
    import cloudpickle

    with path.open("wb") as file, _local_by_value():
        cloudpickle.dump(model, file, protocol=5)


class _Finder(pickle.Pickler):
    """Walks a value and notes whether a class or function of the notebook or of a module beside it is in it."""

    found = False

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, (type, types.FunctionType)) and is_local(getattr(value, "__module__", None)):
            self.found = True
            return str, ()
        return NotImplemented


class _Nowhere:
    """A file that keeps nothing."""

    def write(self, data: Any) -> int:
        return len(data)


def _of_notebook(model: Any) -> bool:
    finder = _Finder(_Nowhere(), protocol=5)
    with suppress(Exception):  # not picklable by name: then by value is the only way
        finder.dump(model)
        return finder.found
    return True


def is_local(module: str | None) -> bool:
    """Whether a module is the notebook or lies in the working folder, so that it is not there where a model is served."""
    if module in {"__main__", None}:
        return True
    file = getattr(sys.modules.get(str(module)), "__file__", None)
    if not isinstance(file, str):
        return False
    path = Path(file)
    return path.is_relative_to(Path.cwd()) and not {"site-packages", "dist-packages"}.intersection(path.parts)


@contextmanager
def _local_by_value() -> Iterator[None]:
    """Let cloudpickle take local modules by value too."""
    import cloudpickle

    modules = [module for name, module in list(sys.modules.items()) if name != "__main__" and is_local(name)]
    registered = []
    for module in modules:
        with suppress(ValueError, TypeError, AttributeError):
            cloudpickle.register_pickle_by_value(module)
            registered.append(module)
    try:
        yield
    finally:
        for module in registered:
            cloudpickle.unregister_pickle_by_value(module)


def predictor(model: Any) -> Callable[[Any], Any]:
    """What is called with rows."""
    found: Callable[[Any], Any] = getattr(model, "predict", model)
    return found
