"""scikit-learn's estimators by joblib: a pickle, of classes that are installed, or by value where the notebook has its own."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_mlops.formats.base import Runs, Written
from jupyter_mlops.formats.byvalue import check_minor, dump_by_value, holds_code, needs_notebook
from jupyter_mlops.formats.calling import predicts


def is_estimator(model: Any) -> bool:
    """Whether it is one of scikit-learn's estimators with ``predict``, or a class made in their way."""
    base = sys.modules.get("sklearn.base")
    return base is not None and isinstance(model, base.BaseEstimator) and predicts(model)


@dataclass(frozen=True, slots=True)
class Sklearn:
    """``model.joblib``, which KServe's own server of scikit-learn reads too."""

    name: str = "sklearn"
    needs: tuple[str, ...] = ("scikit-learn", "joblib")
    runs: Runs = "joblib"

    def owns(self, model: Any) -> bool:
        """Estimators, pipelines and searches."""
        return is_estimator(model)

    def write(self, model: Any, folder: Path) -> Written:
        """By joblib; by value where a class is the notebook's, since ``__main__`` is another module where it is served."""
        path = folder / "model.joblib"
        if needs_notebook(model):
            dump_by_value(model, path)
        else:
            import joblib

            joblib.dump(model, path)
        return Written(self.name, path.name, pickle=True)

    def read(self, path: Path, card: Mapping[str, Any]) -> Any:
        """The estimator."""
        import joblib

        if holds_code(path):
            check_minor(card)
        return joblib.load(path)
