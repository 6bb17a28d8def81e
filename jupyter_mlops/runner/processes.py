"""Compares what of the process a kernel and a pipeline left: settings of libraries, generators, environment, import path.

Each is a carrier's value (``session.carriers``), so that what is compared is what a later step would get. What a carrier says
is nothing where the notebook changed nothing. History, imports and metrics are compared elsewhere or differ as a matter of course.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jupyter_mlops.runner.alike import Alike, Unlike
from jupyter_mlops.session.account import DRAWN
from jupyter_mlops.session.carrying import Bytes
from jupyter_mlops.session.pickler import loads
from jupyter_mlops.session.scope import Scope
from jupyter_mlops.session.transfer import Blobs

ELSEWHERE = frozenset({"history", "imports", "metrics"})

OF_KERNELS = "Trio's signal handling"
"""In the pattern of a filter of warnings that the shell of a kernel adds, and that of a step does not need."""

Filter = tuple[Any, ...]
"""A row of ``warnings.filters``: action, pattern of the message, category, pattern of the module, line."""

UNTOUCHED = "as at the start"
CHANGED = "changed by the notebook"


def differing(
    first: Mapping[str, str],
    second: Mapping[str, str],
    blobs: Blobs,
    scopes: tuple[Scope, Scope],
    alike: Alike,
    *,
    seeded: bool,
) -> Iterator[tuple[str, Unlike]]:
    """(carrier, first difference) of all carriers that are not alike.

    Args:
        first: carrier → digest of its value in the single kernel.
        second: the same in the pipeline.
        blobs: where both lie.
        scopes: namespaces in which their functions and classes are found again.
        alike: the comparison of the names, which may share objects with them.
        seeded: whether the notebook seeds generators.
    """
    for name in sorted((first.keys() | second.keys()) - (ELSEWHERE if seeded else ELSEWHERE | DRAWN)):
        digests = first.get(name), second.get(name)
        if digests[0] == digests[1]:
            continue
        if None in digests:
            said = [UNTOUCHED if digest is None else CHANGED for digest in digests]
            yield name, Unlike(name, said[0], said[1])
            continue
        values = [_value(name, blobs, str(digest), scope) for digest, scope in zip(digests, scopes, strict=True)]
        found = alike.compare(name, *values)
        if found is not None:
            yield name, found


def _value(name: str, blobs: Blobs, digest: str, scope: Scope) -> Any:
    stream, buffers, _ = pickle.loads(blobs.get(digest))
    value = loads(stream, [Bytes(buffer) for buffer in buffers], scope)
    if name == "warnings":
        return in_one_order([one for one in value if OF_KERNELS not in getattr(one[1], "pattern", "")])
    return value


def in_one_order(filters: Sequence[Filter]) -> list[Filter]:
    """The one list for all that decide alike: libraries put filters in front when they load, a step maybe in another order."""
    left, ordered = list(filters), []
    while left:
        free = [one for index, one in enumerate(left) if not any(_decides(before, one) for before in left[:index])]
        ordered.append(min(free, key=repr))
        left.remove(ordered[-1])
    return ordered


def _decides(first: Filter, second: Filter) -> bool:
    """Whether a warning may match both, so that it matters which comes first; the text of a pattern is taken for its own."""
    if first[1] != second[1] and (first[1] or second[1]):
        return False
    return issubclass(first[2], second[2]) or issubclass(second[2], first[2])
