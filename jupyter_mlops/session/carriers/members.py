"""Members that one package put onto the classes of another: ``tqdm.pandas()`` gives every DataFrame a ``progress_apply``.

Seen from the member itself: a function that stands in a class of pandas and was defined in another package. That is asked of the
classes that people extend, which costs a few milliseconds; asking every class of every package would cost more than the step.
Where importing the other package again is enough (it registered an accessor, say), that is done; otherwise the function
travels.
"""

from __future__ import annotations

import importlib
import operator
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from jupyter_mlops.session.carriers.base import Context

CLASSES: Mapping[str, tuple[str, ...]] = {
    "pandas": (
        "DataFrame", "Series", "Index", "core.groupby.generic.DataFrameGroupBy", "core.groupby.generic.SeriesGroupBy",
        "core.groupby.groupby.GroupBy", "core.window.rolling.Rolling", "core.window.expanding.Expanding",
    ),
    "matplotlib": ("colors.Colormap", "axes.Axes", "figure.Figure"),
    "polars": ("DataFrame", "LazyFrame", "Series", "Expr"),
    "xarray": ("DataArray", "Dataset"),
    "torch": ("Tensor", "nn.Module"),
    "sklearn": ("base.BaseEstimator",),
    "PIL": ("Image.Image",),
}  # fmt: skip
"""Package → classes that others extend."""


class Members:
    """(class, member) → the module that defined it, and what it is."""

    def __init__(self, _: Context, package: str) -> None:
        """``package``: whose classes are looked at."""
        self.name, self.module = f"members.{package}", package

    def capture(self) -> Any:
        """See :class:`Carrier`."""
        found = []
        for path in CLASSES[self.module]:
            owner = _class(self.module, path)
            for name, value in sorted(vars(owner).items()) if owner is not None else ():
                origin = _origin(value)
                if origin and _foreign(origin, self.module):
                    found.append(((path, name), (origin, value)))
        return found or None

    def restore(self, value: Any) -> None:
        """See :class:`Carrier`."""
        for (path, name), (origin, member) in value:
            with suppress(ImportError):
                importlib.import_module(origin)
            owner = _class(self.module, path, load=True)
            if owner is not None and _origin(vars(owner).get(name)) != origin:
                setattr(owner, name, member)


def _class(package: str, path: str, *, load: bool = False) -> Any:
    """A class of a package that is loaded; ``load`` imports the module of the package that it stands in."""
    module = ".".join([package, *path.split(".")[:-1]])
    if load and module not in sys.modules:
        with suppress(ImportError):
            importlib.import_module(module)
    with suppress(AttributeError):
        return operator.attrgetter(path)(sys.modules[package])
    return None


def _origin(value: Any) -> str:
    """Name of the module in which a member was defined; '' where that cannot be told or it is no code."""
    inner = next(_unwrapped(value), None)
    origin = getattr(inner, "__module__", None) if callable(inner) or isinstance(inner, type) else None
    return origin if isinstance(origin, str) else ""


def _unwrapped(value: Any) -> Iterator[Any]:
    """What is in a method, a property, an accessor."""
    for part in ("__func__", "fget", "_accessor"):
        if not isinstance(value, type) and (inner := getattr(value, part, None)) is not None:
            yield inner
    yield value


def _foreign(origin: str, package: str) -> bool:
    """Whether a module is neither of the package, nor the notebook, nor one of those that packages are built with."""
    root = origin.partition(".")[0]
    return root not in {package, "__main__", "numpy", "jupyter_mlops"} and root not in sys.stdlib_module_names


FACTORIES = tuple(partial(Members, package=package) for package in CLASSES)
