"""Objects that show another object without holding a copy: weak references and proxies, views of dicts, parts of memory.

Each is stored as the object that it shows and the way of showing it, so that a change is still seen through it. A pickle keeps
what a weak reference means alive only until it is loaded: whoever held it strongly has come with it, or it dies, as it would have.
"""

from __future__ import annotations

import gc
import re
import types
import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jupyter_mlops.session.pickler import Pickler

DICT_VIEWS: dict[type, str] = {type({}.keys()): "keys", type({}.values()): "values", type({}.items()): "items"}


def reduce_weakref(_: Pickler, reference: weakref.ref[Any]) -> Any:
    """A weak reference; a dead one stays dead. The pickle keeps the target alive until its strong holders are there."""
    if type(reference) is not weakref.ref:
        return NotImplemented
    target = reference()
    if target is None:
        return dead_reference, ()
    return make_reference, (target, getattr(reference, "__callback__", None))


def reduce_method(pickler: Pickler, method: types.MethodType) -> Any:
    """A method that is bound to a class which is imported (``smf.ols``): by its name, as the class itself is."""
    owner, name = method.__self__, getattr(method.__func__, "__name__", "")
    if isinstance(owner, type) and pickler.by_reference(owner) and getattr(owner, name, None) == method:
        return getattr, (owner, name)
    return NotImplemented


class _Mortal:
    """Something to refer to for a moment."""

    def method(self) -> None:
        """A method to refer to."""


def dead_reference() -> weakref.ref[Any]:
    """A reference whose target is gone."""
    return weakref.ref(_Mortal())


def make_reference(target: Any, callback: Any) -> weakref.ref[Any]:
    """A reference with its callback."""
    return weakref.ref(target, callback) if callback is not None else weakref.ref(target)


def reduce_weak_method(_: Pickler, reference: weakref.WeakMethod[Any]) -> Any:
    """A weak reference to a bound method."""
    method = reference()
    return (dead_method, ()) if method is None else (weakref.WeakMethod, (method,))


def dead_method() -> weakref.WeakMethod[Any]:
    """One whose object is gone."""
    return weakref.WeakMethod(_Mortal().method)


def reduce_proxy(_: Pickler, proxy: Any) -> Any:
    """A weak proxy: by what it stands for, which only a method that is asked through it tells.

    Raises:
        TypeError: its target is gone; a dead proxy says nothing that could be stored.
    """
    try:
        target = proxy.__repr__.__self__
    except ReferenceError as error:
        raise TypeError("the object of this weak proxy is gone") from error
    return weakref.proxy, (target,)


def reduce_weak_mapping(_: Pickler, mapping: Any) -> Any:
    """``WeakValueDictionary`` and ``WeakKeyDictionary``: their live entries."""
    return type(mapping), (dict(mapping.items()),)


def reduce_mapping_proxy(_: Pickler, proxy: types.MappingProxyType[Any, Any]) -> Any:
    """A read-only view of a mapping; cloudpickle would copy it. Of a class's own namespace it is asked again."""
    (owner,) = gc.get_referents(proxy)
    return types.MappingProxyType, (owner,)


def reduce_dict_view(_: Pickler, view: Any) -> Any:
    """``d.keys()``, ``d.values()`` or ``d.items()`` of the dict that it shows."""
    (owner,) = gc.get_referents(view)
    return show_dict, (owner, DICT_VIEWS[type(view)])


def show_dict(owner: dict[Any, Any], kind: str) -> Any:
    """A view of a dict."""
    return getattr(owner, kind)()


def reduce_match(_: Pickler, match: re.Match[Any]) -> Any:
    """What a regular expression found: by looking again, in the way that finds the same.

    Raises:
        TypeError: no way does, since the text is no text or has changed.
    """
    where = (match.pos, match.endpos)
    for way, place in (("search", where), ("fullmatch", where), ("match", (match.start(), match.endpos))):
        again = getattr(match.re, way)(match.string, *place)
        if again is not None and (again.regs, again.lastindex) == (match.regs, match.lastindex):
            return look_again, (match.re, way, match.string, place)
    raise TypeError("this match cannot be found again in its text")


def look_again(pattern: re.Pattern[Any], way: str, text: Any, place: tuple[int, int]) -> Any:
    """A match that was found before."""
    return getattr(pattern, way)(text, *place)
