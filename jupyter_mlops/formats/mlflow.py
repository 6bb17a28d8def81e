"""What only MLflow reads: flavors of other frameworks, and models with code of their own beside them. They come from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_mlops.formats.base import Runs, UnsuitedError, Written


@dataclass(frozen=True, slots=True)
class Mlflow:
    """The folder of an ``MLmodel``, by its flavor ``python_function``. Loading it runs code of the folder."""

    name: str = "mlflow"
    needs: tuple[str, ...] = ("mlflow",)
    runs: Runs = "anything"

    def owns(self, model: Any) -> bool:
        """None: what is in a notebook is kept by the format of its own framework."""
        del model
        return False

    def write(self, model: Any, folder: Path) -> Written:
        """Not offered."""
        del model, folder
        raise UnsuitedError("a model is written for MLflow when it is exported")

    def read(self, path: Path, card: Mapping[str, Any]) -> Any:
        """``mlflow.pyfunc`` of the folder that the file is in."""
        import mlflow.pyfunc

        del card
        return mlflow.pyfunc.load_model(str(path.parent))
