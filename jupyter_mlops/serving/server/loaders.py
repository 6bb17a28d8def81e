"""From a model folder to a callable: its card says which of the ``formats`` reads it.

Reading may run the model's own code (a pickle does), so it is only ever called in the model server's process, on a
folder whose bytes were verified against a digest that this user recorded. Which that is, the backend decides.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_mlops.errors import PlatformError
from jupyter_mlops.formats.base import Predict
from jupyter_mlops.formats.byvalue import minor
from jupyter_mlops.formats.calling import predict_of
from jupyter_mlops.formats.gate import Rule
from jupyter_mlops.formats.table import read

__all__ = ["CARD", "Predict", "drift", "load", "read_card"]

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


def load(folder: Path, card: Mapping[str, Any], rule: Rule) -> Predict:
    """Load the model that the card describes, if the rule lets it in.

    Raises NotAllowed, PlatformError, or whatever the model's own code raises.
    """
    name = str(card.get("file", ""))
    path = folder / name
    if not name or path.parent != folder or not path.exists():
        raise PlatformError(
            f"the model file '{name}' is missing", code="model-file", fix="Register the model again with log_model."
        )
    return predict_of(read(path, card, rule))


def drift(card: Mapping[str, Any]) -> list[str]:
    """How this interpreter differs from the one that made the model, a sentence each."""
    from importlib.metadata import PackageNotFoundError, version

    found = []
    here, there = f"{sys.version_info[0]}.{sys.version_info[1]}", minor(str(card.get("python", "")))
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
