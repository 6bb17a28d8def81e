"""Formats that need no framework of their own: any Python object by value, and the arrays of a linear model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_mlops.errors import PlatformError
from jupyter_mlops.formats.base import Runs, UnsuitedError, Written
from jupyter_mlops.formats.byvalue import check_minor, dump_by_value
from jupyter_mlops.formats.calling import can_be_called


@dataclass(frozen=True, slots=True)
class Python:
    """A function of rows, or an object with ``predict``, with the code that it needs of the notebook."""

    name: str = "python"
    needs: tuple[str, ...] = ("cloudpickle",)
    runs: Runs = "pickle"

    def owns(self, model: Any) -> bool:
        """All that can be called with rows."""
        return can_be_called(model)

    def write(self, model: Any, folder: Path) -> Written:
        """By cloudpickle."""
        dump_by_value(model, folder / "model.pkl")
        return Written(self.name, "model.pkl", pickle=True)

    def read(self, path: Path, card: Mapping[str, Any]) -> Any:
        """In the Python minor version that made it, and in no other."""
        import cloudpickle

        check_minor(card)
        with path.open("rb") as stream:
            return cloudpickle.load(stream)


@dataclass(frozen=True, slots=True)
class Numpy:
    """Arrays of a linear model: ``rows @ weights + bias``; no code is run when they are read. They come from elsewhere."""

    name: str = "numpy"
    needs: tuple[str, ...] = ("numpy",)
    runs: Runs = "nothing"

    def owns(self, model: Any) -> bool:
        """None: an array alone does not say what is to be done with it."""
        del model
        return False

    def write(self, model: Any, folder: Path) -> Written:
        """Not offered."""
        del model, folder
        raise UnsuitedError("arrays are served, not registered")

    def read(self, path: Path, card: Mapping[str, Any]) -> Any:
        """An ``npy`` of weights, or an ``npz`` with weights and bias."""
        import numpy as np

        del card
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            arrays = {"coef": loaded}
        else:
            with loaded:
                arrays = {name: loaded[name] for name in loaded.files}
        weights = next((arrays[name] for name in ("coef", "coef_", "weights", "W", "w") if name in arrays), None)
        bias = next((arrays[name] for name in ("intercept", "intercept_", "bias", "b") if name in arrays), 0.0)
        if weights is None:
            raise PlatformError(
                f"{path.name} holds {', '.join(sorted(arrays)) or 'nothing'}; a linear model needs an array 'coef' or 'weights'",
                code="model-format",
                fix="Register a function or an object with a predict method instead.",
            )
        return lambda rows: np.asarray(rows, dtype=float) @ weights + bias
