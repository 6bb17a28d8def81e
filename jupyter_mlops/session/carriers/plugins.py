"""Carriers of third parties: entry points of the group ``jupyter_mlops.carriers`` in the packages of a step's image.

An entry names a factory, ``my_carriers = mypackage.carriers:MyCarrier``; it gets the step's ``Context`` and returns a carrier. The
lists are read here and not by ``importlib.metadata``, whose import costs more than the rest of a step's carriers together.
"""

from __future__ import annotations

import importlib
import operator
import os
import sys
from collections.abc import Iterable, Iterator
from configparser import ConfigParser
from contextlib import suppress
from typing import Any

from jupyter_mlops.session.carriers.base import Context

GROUP = "jupyter_mlops.carriers"
_MARK = f"[{GROUP}]".encode()


def entries(path: Iterable[str] | None = None) -> dict[str, str]:
    """Name → ``module:attribute`` of every entry on the import path; the first of a name counts."""
    found: dict[str, str] = {}
    for text in _lists(sys.path if path is None else path):
        reader = ConfigParser(delimiters=("=",), interpolation=None)
        reader.optionxform = str  # type: ignore[assignment,method-assign]  # names keep their case
        with suppress(Exception):  # a list that another package broke is that package's affair
            reader.read_string(text)
            for name, place in reader[GROUP].items():
                found.setdefault(name, place.strip())
    return found


def _lists(path: Iterable[str]) -> Iterator[str]:
    """The lists of entry points that have our group."""
    for folder in dict.fromkeys(path):
        try:
            names = sorted(name for name in os.listdir(folder or ".") if name.endswith(".dist-info"))  # noqa: PTH208  (half the time)
        except OSError:
            continue
        for name in names:
            with suppress(OSError), open(os.path.join(folder, name, "entry_points.txt"), "rb") as file:  # noqa: PTH118, PTH123  (the same)
                content = file.read()
                if _MARK in content:
                    yield content.decode("utf-8", "replace")


def factories(context: Context) -> list[Any]:
    """The factories of all entries; one that cannot be imported is told, and the step goes on."""
    found = []
    for name, place in sorted(entries().items()):
        module, _, attribute = place.partition(":")
        try:
            found.append(operator.attrgetter(attribute)(importlib.import_module(module)))
        except Exception as error:  # noqa: BLE001  (code of a third party)
            context.warn(f"the carrier {name} ({place}) cannot be loaded: {type(error).__name__}: {error}")
    return found
