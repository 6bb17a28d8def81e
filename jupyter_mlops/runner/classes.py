"""One class again where branches bring copies of it: what they made are instances of the class that the notebook has.

A class of the notebook travels by value, together with its instances. Each branch so brings a class of its own, although none
changed it (that is refused); left alone, ``isinstance`` would be false for what a branch made.
"""

from __future__ import annotations

import enum
import gc
from contextlib import suppress
from typing import Any


def make_one(copy: type, own: type) -> None:
    """Put a class in the place of its copy, wherever the copy is referred to: as a type, in containers and in attributes.

    Not in tuples and sets, which do not change.
    """
    if copy is own:
        return
    if issubclass(copy, enum.Enum) and issubclass(own, enum.Enum):
        for name, member in copy.__members__.items():
            if name in own.__members__:
                _replace(member, own.__members__[name])
    _replace(copy, own)


def _replace(old: Any, new: Any) -> None:
    for holder in gc.get_referrers(old):
        if holder is old or holder is new or isinstance(holder, type):
            continue
        if isinstance(old, type) and type(holder) is old:
            with suppress(TypeError):  # another layout: it keeps its class
                holder.__class__ = new
        elif isinstance(holder, dict):
            for key in [key for key, value in holder.items() if value is old]:
                holder[key] = new
        elif isinstance(holder, list):
            holder[:] = [new if item is old else item for item in holder]
        else:
            own = getattr(holder, "__dict__", None)
            if isinstance(own, dict):
                for key in [key for key, value in own.items() if value is old]:
                    own[key] = new
