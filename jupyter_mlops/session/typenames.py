"""Names for types that the notebook made: ``TypeVar``, ``ParamSpec``, ``NewType`` and the like.

Python pickles them by the name they have in their module; the notebook's module is new in every step. cloudpickle gives
type variables a random id, with which the same notebook would never have the same bytes twice.
"""

from __future__ import annotations

import sys
import typing
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jupyter_mlops.session.pickler import Pickler

KINDS: tuple[type, ...] = tuple(
    kind
    for kind in (getattr(typing, name, None) for name in ("TypeVar", "ParamSpec", "TypeVarTuple", "NewType", "TypeAliasType"))
    if isinstance(kind, type)
)


def reduce_type_name(_: Pickler, value: Any) -> Any:
    """A name of the notebook by what it stands for; NotImplemented for one that can be imported."""
    name = str(value.__name__)
    if getattr(sys.modules.get(str(value.__module__)), name, None) is value and value.__module__ != "__main__":
        return NotImplemented
    kind = type(value).__name__
    if kind == "NewType":
        return make_type_name, (kind, name, (value.__supertype__,), {}, value.__module__)
    if kind == "TypeVarTuple":
        return make_type_name, (kind, name, (), {}, value.__module__)
    if kind == "TypeAliasType":
        return make_type_name, (kind, name, (value.__value__,), {"type_params": value.__type_params__}, value.__module__)
    given = {"bound": value.__bound__, "covariant": value.__covariant__, "contravariant": value.__contravariant__}
    if getattr(value, "__infer_variance__", False):
        given = {"bound": value.__bound__, "infer_variance": True}
    return make_type_name, (kind, name, getattr(value, "__constraints__", ()), given, value.__module__)


def make_type_name(kind: str, name: str, arguments: tuple[Any, ...], options: dict[str, Any], module: str) -> Any:
    """The same again."""
    made = getattr(typing, kind)(name, *arguments, **options)
    if kind != "TypeAliasType":
        made.__module__ = module
    return made
