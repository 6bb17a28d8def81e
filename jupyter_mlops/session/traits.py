"""Objects with traits: widgets and all that is configured by traitlets, with the callbacks that were hung on them.

traitlets leaves them out of a pickle, expecting the constructor to hang them up again. What a cell hung up by ``observe`` or
``link`` is in no constructor: it would be gone, and nothing would say so.
"""

from __future__ import annotations

import copyreg
import sys
from typing import Any


def reduce_with_traits(value: Any) -> Any:
    """An object with callbacks of its own; NotImplemented for any other."""
    library: Any = sys.modules.get("traitlets.traitlets")
    if library is None or not isinstance(value, library.HasTraits):
        return NotImplemented
    own = _own(value, library.EventHandler)
    if not own:
        return NotImplemented
    parts: Any = object.__reduce_ex__(value, 4)
    make, arguments, state = parts[:3]
    if make is not copyreg.__newobj__:  # type: ignore[attr-defined]
        return NotImplemented
    return make, arguments, (state, own), None, None, set_with_traits


def _own(value: Any, of_class: Any) -> list[tuple[str, str, list[Any]]]:
    """(trait, kind of change, callbacks) of those that are no part of the class."""
    found = []
    for trait, kinds in value._trait_notifiers.items():  # noqa: SLF001  (there is no other list)
        for kind, callbacks in kinds.items():
            if own := [one for one in callbacks if not isinstance(one, of_class)]:
                found.append((trait, kind, own))
    return found


def set_with_traits(value: Any, given: tuple[Any, list[tuple[str, str, list[Any]]]]) -> None:
    """Give an object what it held, and hang its callbacks up."""
    state, own = given
    value.__setstate__(state)
    for trait, kind, callbacks in own:
        for callback in callbacks:
            value._add_notifiers(callback, trait, kind)  # noqa: SLF001  (``observe`` takes names of traits that exist only)
