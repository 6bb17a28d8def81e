"""Models with classes or functions of the notebook: stored by value, since where they are served there is no such module."""

from __future__ import annotations

import pickle
import sys
import types
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from jupyter_mlops.errors import PlatformError


def dump_by_value(model: Any, path: Path) -> None:
    """Write a model with what it needs of the notebook and of modules beside it. Raises what pickling raises."""
    import cloudpickle

    with path.open("wb") as file, _local_by_value():
        cloudpickle.dump(model, file, protocol=5)


def needs_notebook(model: Any) -> bool:
    """Whether a class or function of the notebook, or of a module beside it, is in the model."""
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


def holds_code(path: Path) -> bool:
    """Whether a file holds classes or functions by value."""
    with path.open("rb") as stream:
        return b"cloudpickle" in stream.read(1 << 20)  # the first object that is built by it comes early


def check_minor(card: Mapping[str, Any]) -> None:
    """Byte code belongs to one Python minor; another may crash on it, so that it is not even tried.

    Raises:
        PlatformError: code ``version-mismatch``.
    """
    there, here = minor(str(card.get("python", ""))), f"{sys.version_info[0]}.{sys.version_info[1]}"
    if there and there != here:
        raise PlatformError(
            f"version mismatch: the model was made with Python {there}, this is Python {here}",
            code="version-mismatch",
            fix=f"Serve it with a kernel of Python {there}, or register it again from this kernel.",
        )


def minor(python: str) -> str:
    """``3.11`` of ``3.11.7``."""
    return ".".join(python.split(".")[:2])


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
