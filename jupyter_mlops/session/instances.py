"""Instances of the notebook's classes: made without running the notebook's constructors, and then given what they had.

Loading a plain pickle runs code of the class: ``__new__`` with arguments it may not take, ``__init__`` of an exception,
``append`` or ``__setitem__`` of a list or dict with manners of its own, ``__setstate__`` looked up on an instance that answers for
every attribute. In one kernel that code ran once. So here an object is made by the first ``__new__`` above it that is not the
notebook's, and filled by the methods of ``object``, ``list``, ``dict`` and ``set``. Only a class that says itself how it
is pickled (``__reduce__``, ``__getstate__``, ``__getnewargs__``) is taken at its word.
"""

from __future__ import annotations

import copyreg
from typing import Any

from jupyter_mlops.session.arguments import reduce_part
from jupyter_mlops.session.traits import reduce_with_traits

_WITH_MANNERS = frozenset({"__main__", "bokeh.core.property.wrappers"})
"""Modules whose lists and dicts tell others of every change, which they cannot before they have their attributes."""

_UNSTORABLE = {"tokenizers.trainers": "its state is kept by no pickle"}
"""Modules whose instances pickle, but cannot be made again."""

_NEWOBJ = {"__newobj__", "__newobj_ex__"}
_PLAIN_EXCEPTIONS = (BaseException.__reduce__, OSError.__reduce__, ImportError.__reduce__)


def reduce_instance(value: Any) -> Any:
    """An instance by our rules; NotImplemented for what pickles as well by Python's."""
    kind: Any = type(value)
    if isinstance(value, BaseException):
        return _reduce_exception(value)
    if kind.__module__ in _UNSTORABLE:
        raise TypeError(_UNSTORABLE[kind.__module__])
    if kind.__reduce_ex__ is not object.__reduce_ex__ or kind in copyreg.dispatch_table:
        return NotImplemented
    if issubclass(kind, (set, frozenset)) and kind.__module__ == "__main__" and kind.__reduce__ is kind.__base__.__reduce__:
        return _reduce_set(value)
    if kind.__module__ == "argparse":
        return reduce_part(value)
    if kind.__reduce__ is not object.__reduce__:
        return NotImplemented
    if (found := reduce_with_traits(value)) is not NotImplemented:
        return found
    maker = _maker(kind)
    answers = hasattr(kind, "__getattr__") and not hasattr(kind, "__setstate__")
    contents = kind.__module__ in _WITH_MANNERS and issubclass(kind, (list, dict))
    if maker is None and not answers and not contents:
        return NotImplemented
    parts: Any = object.__reduce_ex__(value, 4)
    make, arguments, state, items, pairs = (*parts, None, None, None)[:5]
    if maker is not None and getattr(make, "__name__", "") in _NEWOBJ:
        make, arguments = make_instance, (maker, *_arguments(make.__name__, arguments))
    filling = (list(items) if items is not None else None, list(pairs) if pairs is not None else None)
    return make, arguments, (state, *filling), None, None, set_instance


def _maker(kind: Any) -> Any:
    """The class whose ``__new__`` makes this one without running the notebook's; None where nothing has to be avoided."""
    own = [cls for cls in kind.__mro__ if "__new__" in vars(cls)]
    if not own or not _avoided(own[0]) or hasattr(kind, "__getnewargs_ex__") or _tells_arguments(kind):
        return None
    return next((cls for cls in own if not _avoided(cls)), None)


def _avoided(cls: Any) -> bool:
    """Whether a class's ``__new__`` is not run: the notebook's, and what asks for arguments that no pickle keeps."""
    if cls.__module__ == "__main__":
        return True
    make: Any = getattr(vars(cls)["__new__"], "__func__", None)
    code = getattr(make, "__code__", None)
    if code is None or any(hasattr(cls, name) for name in ("__getnewargs__", "__getnewargs_ex__")):
        return False
    return bool(code.co_argcount - len(make.__defaults__ or ()) > 1)


def _tells_arguments(kind: Any) -> bool:
    teller = next((cls for cls in kind.__mro__ if "__getnewargs__" in vars(cls)), None)
    return teller is not None and teller.__module__ == "__main__"


def _arguments(maker: str, arguments: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
    """(class, arguments for ``__new__``) of what ``object.__reduce_ex__`` gave."""
    if maker == "__newobj_ex__":
        return arguments[0], tuple(arguments[1])
    return arguments[0], tuple(arguments[1:])


def make_instance(maker: Any, kind: Any, arguments: tuple[Any, ...]) -> Any:
    """An empty instance."""
    return maker.__new__(kind, *arguments)


def set_instance(value: Any, given: tuple[Any, list[Any] | None, list[Any] | None]) -> None:
    """Give an instance its attributes, items and entries, past what its class would do when they are set."""
    state, items, pairs = given
    if items:
        list.extend(value, items)
    for key, entry in pairs or ():
        dict.__setitem__(value, key, entry)
    if state is None:
        return
    if hasattr(type(value), "__setstate__"):
        type(value).__setstate__(value, state)
        return
    attributes, slots = state if isinstance(state, tuple) and len(state) == 2 else (state, None)  # noqa: PLR2004
    if attributes:
        object.__getattribute__(value, "__dict__").update(attributes)
    for name, content in (slots or {}).items():
        object.__setattr__(value, name, content)


def _reduce_set(value: Any) -> Any:
    """A set of a class of the notebook."""
    kind = type(value)
    base = frozenset if issubclass(kind, frozenset) else set
    given = tuple(base.__iter__(value)) if base is frozenset else ()
    rest = () if base is frozenset else tuple(base.__iter__(value))
    return make_set, (base, kind, given), (rest, dict(getattr(value, "__dict__", None) or {})), None, None, fill_set


def make_set(base: Any, kind: Any, members: tuple[Any, ...]) -> Any:
    """A set; a frozen one with its members."""
    return base.__new__(kind, members) if members else base.__new__(kind)


def fill_set(value: Any, given: tuple[tuple[Any, ...], dict[str, Any]]) -> None:
    """Give a set its members and attributes."""
    if given[0]:
        set.update(value, given[0])
    if given[1]:
        object.__getattribute__(value, "__dict__").update(given[1])


def _reduce_exception(value: BaseException) -> Any:
    """An exception with its cause, context and traceback, which Python's own pickle drops."""
    kind: Any = type(value)
    if kind.__reduce_ex__ is not object.__reduce_ex__ or kind.__reduce__ not in _PLAIN_EXCEPTIONS:
        return NotImplemented
    linked = (value.__cause__, value.__context__, value.__suppress_context__, value.__traceback__)
    own = any(cls.__module__ == "__main__" and {"__new__", "__init__"} & set(vars(cls)) for cls in kind.__mro__)
    if not own and linked == (None, None, False, None):
        return NotImplemented
    reduced: Any = value.__reduce__()
    make, arguments, *rest = reduced
    if own:
        make, arguments = make_exception, (kind, value.args)
    attributes = rest[0] if rest else None
    if hasattr(kind, "__setstate__") and kind.__setstate__ is not BaseException.__setstate__:
        return NotImplemented
    return make, arguments, (attributes, *linked), None, None, set_exception


def make_exception(kind: Any, arguments: tuple[Any, ...]) -> Any:
    """An exception without its constructor."""
    maker = next(cls for cls in kind.__mro__ if "__new__" in vars(cls) and cls.__module__ != "__main__")
    made = maker.__new__(kind, *arguments)
    made.args = arguments
    return made


def set_exception(value: BaseException, given: tuple[Any, ...]) -> None:
    """Give an exception its attributes and where it came from."""
    attributes, value.__cause__, value.__context__, value.__suppress_context__, value.__traceback__ = given
    if attributes:
        value.__setstate__(attributes)
