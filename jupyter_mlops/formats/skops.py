"""scikit-learn's estimators by skops: no pickle, so that reading one runs no code of the file's own.

It keeps an estimator only if all its classes are on the list of ``allowed`` and what is read back is the estimator bit for bit,
which is tried when it is written. skops names the parts by their memory addresses and dates them; they are named by their
order here, so that the same estimator is the same bytes.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from jupyter_mlops.errors import PlatformError
from jupyter_mlops.formats.alike import alike
from jupyter_mlops.formats.allowed import is_allowed
from jupyter_mlops.formats.base import Runs, UnsuitedError, Written
from jupyter_mlops.formats.byvalue import needs_notebook
from jupyter_mlops.formats.scikit import is_estimator

SCHEMA = "schema.json"
DATE = (1980, 1, 1, 0, 0, 0)
"""The first that a zip file can hold."""


@dataclass(frozen=True, slots=True)
class Skops:
    """``model.skops``: preferred where skops is installed."""

    name: str = "skops"
    needs: tuple[str, ...] = ("skops", "scikit-learn")
    runs: Runs = "nothing"

    def owns(self, model: Any) -> bool:
        """Estimators, pipelines and searches, where skops is installed."""
        return is_estimator(model) and find_spec("skops") is not None

    def write(self, model: Any, folder: Path) -> Written:
        """Raises UnsuitedError where not all of it can be kept."""
        if needs_notebook(model):
            raise UnsuitedError("the model has classes or functions of the notebook")
        data = _dumped(model)
        names = _unknown(data)
        if names:
            raise UnsuitedError(f"it does not know {', '.join(names[:3])}")
        try:
            same = alike(model, _loaded(data))
        except Exception as error:
            raise UnsuitedError(f"what it wrote cannot be read back: {type(error).__name__}: {error}") from error
        if not same:
            raise UnsuitedError("what it wrote reads back as another model")
        (folder / "model.skops").write_bytes(data)
        return Written(self.name, "model.skops", pickle=False)

    def read(self, path: Path, card: Mapping[str, Any]) -> Any:
        """The estimator; nothing that is on no list is made."""
        del card
        data = path.read_bytes()
        try:
            names = _unknown(data)
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise PlatformError(
                f"{path.name} is no model of skops: {error}", code="model-file", fix="Register the model again with log_model."
            ) from error
        if names:
            raise PlatformError(
                f"{path.name} holds {', '.join(names[:3])}, which no model that is known holds",
                code="model-format",
                fix="Do not use this file, or register the model with format='sklearn' if it is your own.",
            )
        return _loaded(data)


def _dumped(model: Any) -> bytes:
    """The same bytes for the same model. Raises UnsuitedError."""
    from skops.io import dumps

    try:
        return steady(dumps(model))
    except Exception as error:  # it has no error of its own for what it does not know
        raise UnsuitedError(f"it cannot write it: {type(error).__name__}: {error}") from error


def _loaded(data: bytes) -> Any:
    from skops.io import get_untrusted_types, loads

    return loads(data, trusted=[name for name in get_untrusted_types(data=data) if is_allowed(name)])


def _unknown(data: bytes) -> list[str]:
    """Names in a file that neither skops knows for harmless nor a list has."""
    from skops.io import get_untrusted_types

    return [name for name in get_untrusted_types(data=data) if not is_allowed(name)]


def steady(data: bytes) -> bytes:
    """A file of skops with its parts named by their order and dated the same."""
    with zipfile.ZipFile(io.BytesIO(data)) as source:
        parts = {name: source.read(name) for name in source.namelist()}
    schema = json.loads(parts.pop(SCHEMA))
    numbers: dict[int, int] = {}
    files: dict[str, str] = {}
    for node in _nodes(schema):
        if isinstance(node.get("__id__"), int):
            node["__id__"] = numbers.setdefault(node["__id__"], len(numbers) + 1)
        file = node.get("file")
        if isinstance(file, str) and file in parts:
            node["file"] = files.setdefault(file, f"{len(files) + 1}{Path(file).suffix}")
    kept = {SCHEMA: json.dumps(schema, separators=(",", ":")).encode(), **{files.get(name, name): parts[name] for name in parts}}
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as made:  # layers are not compressed: they are shared by their bytes
        for name in sorted(kept):
            made.writestr(zipfile.ZipInfo(name, DATE), kept[name])
    return target.getvalue()


def _nodes(part: Any) -> Iterator[dict[str, Any]]:
    """All objects of a JSON document, in its order."""
    waiting = [part]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            yield one
            waiting.extend(reversed(list(one.values())))
        elif isinstance(one, list):
            waiting.extend(reversed(one))
