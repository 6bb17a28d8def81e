"""The formats in order of preference, and the two questions that are asked of them: which keeps a model, which reads a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_mlops.errors import PlatformError, WrongUsage
from jupyter_mlops.formats.base import Format, UnsuitedError, Written
from jupyter_mlops.formats.boosters import Lightgbm, Xgboost
from jupyter_mlops.formats.gate import Rule, check
from jupyter_mlops.formats.huggingface import Huggingface
from jupyter_mlops.formats.mlflow import Mlflow
from jupyter_mlops.formats.onnx import Onnx
from jupyter_mlops.formats.plain import Numpy, Python
from jupyter_mlops.formats.scikit import Sklearn
from jupyter_mlops.formats.skops import Skops
from jupyter_mlops.formats.torch import Torch, TorchScript
from jupyter_mlops.formats.weights import Safetensors

FORMATS: tuple[Format, ...] = (
    Xgboost(), Lightgbm(), Onnx(), Skops(), Sklearn(), Huggingface(), TorchScript(), Torch(), Python(), Numpy(), Safetensors(),
    Mlflow(),
)  # fmt: skip
"""What runs no code when it is read comes first, the framework's own before what takes anything."""

NAMES = {each.name: each for each in FORMATS}


def keepers(model: Any, wanted: str = "") -> tuple[Format, ...]:
    """The formats that may keep a model, in order; the one that is wanted alone, where one is.

    Raises:
        WrongUsage: code ``not-a-model``, or ``model-format``: no such format, or it is for other models.
    """
    if wanted and wanted not in NAMES:
        raise WrongUsage(f"there is no format '{wanted}'", code="model-format", fix=f"Give one of {', '.join(NAMES)}, or none.")
    owners = tuple(each for each in FORMATS if each.owns(model))
    if not owners:
        raise WrongUsage(
            f"a {type(model).__name__} is not a model",
            code="not-a-model",
            fix="Give an estimator of scikit-learn, a module of PyTorch, an object with predict(rows), or a function of rows.",
        )
    found = tuple(each for each in owners if wanted in {"", each.name})
    if not found:
        raise _unfit(model, wanted, "it is for other models", owners)
    return found


def write(model: Any, folder: Path, wanted: str = "") -> Written:
    """Write a model in the format that is wanted, or in the first that keeps it.

    Raises:
        WrongUsage: as :func:`keepers`, or none of them keeps this one.
        TypeError, AttributeError, RecursionError, pickle.PicklingError: no file can hold it.
    """
    reasons = []
    tried = keepers(model, wanted)
    for each in tried:
        try:
            written = each.write(model, folder)
        except UnsuitedError as error:
            reasons.append(f"{each.name}: {error}")
            continue
        return Written(written.format, written.file, written.pickle, "; ".join(reasons))
    raise _unfit(model, wanted or tried[0].name, "; ".join(reasons), tuple(one for one in keepers(model) if one not in tried))


def _unfit(model: Any, wanted: str, why: str, others: tuple[Format, ...]) -> WrongUsage:
    return WrongUsage(
        f"a {type(model).__name__} cannot be kept as {wanted}: {why}",
        code="model-format",
        fix=f"Give {' or '.join(each.name for each in others) or 'another model'}, or no format.",
    )


def read(path: Path, card: Mapping[str, Any], rule: Rule) -> Any:
    """The model that a file holds, as :meth:`Format.read` gives it.

    Args:
        path: the file.
        card: what is said of it; its ``format`` decides who reads it.
        rule: what the policy allows it to run.

    Raises:
        NotAllowed: code ``pickle-refused``: the rule does not let it in. Nothing of it was run.
        PlatformError: code ``model-format``: nobody knows the card's format. ``model-framework``: what it needs is not
            installed. Others as the format says.
    """
    name = str(card.get("format", ""))
    known = NAMES.get(name)
    if known is None:
        raise PlatformError(f"model format '{name}' is not known; one of {', '.join(NAMES)}", code="model-format")
    check(path, known.runs, rule, card)
    try:
        return known.read(path, card)
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in {_module(each) for each in known.needs}:
            raise  # the model's own code asks for it, and says so
        raise PlatformError(
            f"reading a model of format {name} takes {missing}, which is not installed here",
            code="model-framework",
            fix=f"pip install {' '.join(known.needs)}",
        ) from error


def _module(distribution: str) -> str:
    """The module that a distribution brings."""
    return {"scikit-learn": "sklearn"}.get(distribution, distribution.replace("-", "_"))
