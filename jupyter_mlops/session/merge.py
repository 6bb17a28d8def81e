"""Steps that ran beside each other from one state become one state, if in document order they would have left the same.

Two sides, an earlier A and a later B, are as good as A and then B only if nothing that A changed was delivered to B, asked for
or changed by B: names by their components, removed names, parts of the process, files. What a step reads of the process or of
files is not seen, so that a changed part of the process, a patch or hook that hangs on it, or a file, is taken for read by every
later side. A needless clash costs time; a missed one would be a silent difference. Nothing is loaded here: what ``history`` and
``imports`` hold is brought together by the caller, who can read it; both differ as a matter of course.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, Literal, NoReturn

from jupyter_mlops.errors import Refused, Where
from jupyter_mlops.session.account import DRAWN, MERGED, Account, is_ours
from jupyter_mlops.session.attached import is_attached
from jupyter_mlops.session.state import State


@dataclass(frozen=True)
class Side:
    """What one step, or a chain of them, left: its name, the state and the account."""

    step: str
    state: State
    account: Account


@dataclass(frozen=True)
class Clash:
    """What keeps two sides from coming together."""

    kind: Literal["name", "carrier", "file"]
    what: str
    first: str
    second: str
    how: Literal["both", "read"]
    """``both`` changed it, or the second may have ``read`` what the first changed."""

    @property
    def message(self) -> str:
        """One sentence."""
        what = {"name": self.what, "file": f"the file {self.what}", "carrier": f"the process ({self.what})"}[self.kind]
        both = f"both changed {what}"
        read = f"{self.first} changed {what}, which {self.second} may read"
        return f"the steps {self.first} and {self.second} ran beside each other, and {both if self.how == 'both' else read}"


def clashes(base: State, sides: Sequence[Side]) -> tuple[Clash, ...]:
    """Everything that keeps the sides from being as good as one after the other.

    Args:
        base: the state that all of them ran from.
        sides: in document order.
    """
    return tuple(clash for first, second in combinations(sides, 2) for clash in _between(base, first, second))


def merge(base: State, sides: Sequence[Side]) -> State:
    """The state that the sides would have left one after the other; ``history`` and ``imports`` are the last side's.

    Raises:
        Refused: code ``two-versions``, naming what clashes and both steps.
    """
    found = clashes(base, sides)
    if found:
        refuse(found)
    merged = base
    for side in sides:
        merged = _with(merged, base, side.state)
    used = {*merged.names.values()}
    return replace(merged, components={digest: one for digest, one in merged.components.items() if digest in used})


def refuse(found: Sequence[Clash]) -> NoReturn:
    """Refuse what clashes. Raises Refused."""
    first, more = found[0], f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    raise Refused(
        first.message + more,
        code="two-versions",
        fix=f"Run the notebook again: what was seen is remembered. To pin the order: --pin {first.first} {first.second}.",
        where=Where(field=first.what),
    )


def _between(base: State, first: Side, second: Side) -> Iterator[Clash]:
    changed, later = _names(base, first.state), _names(base, second.state)
    given = {*second.account.delivered, *second.account.asked}
    for name in sorted(changed):
        if name in later and name not in given and _same_anew(name, base, first.state, second.state):
            continue
        if name in later:
            yield Clash("name", name, first.step, second.step, "both")
        elif name in given or second.account.everything or is_attached(name):
            yield Clash("name", name, first.step, second.step, "read")
    touched = _differing(base.carriers, second.state.carriers)
    for name in sorted(_differing(base.carriers, first.state.carriers) - MERGED):
        if name in touched:
            yield Clash("carrier", name, first.step, second.step, "both")
        elif name not in DRAWN or second.account.everything:
            yield Clash("carrier", name, first.step, second.step, "read")
    written = _files(base, second.state)
    for name in sorted(_files(base, first.state)):
        yield Clash("file", name, first.step, second.step, "both" if name in written else "read")


def _same_anew(name: str, base: State, first: State, second: State) -> bool:
    """Whether both made the same value under a name that was not there before, as two equal imports do."""
    there = name in base.names or name in base.lost or is_attached(name)
    return not there and name in first.names and first.names.get(name) == second.names.get(name)


def _names(base: State, after: State) -> set[str]:
    """Names that are not what they were."""
    found = _differing(base.names, after.names) | _differing(base.lost, after.lost)
    return {name for name in found if is_ours(name)}


def _files(base: State, after: State) -> set[str]:
    return _differing(base.files, after.files) | (set(base.removed) ^ set(after.removed))


def _differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> set[str]:
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


def _with(merged: State, base: State, after: State) -> State:
    """The merged state with what one side changed of the base."""
    return replace(
        merged,
        count=after.count,
        names=_changed(merged.names, base.names, after.names),
        lost=_changed(merged.lost, base.lost, after.lost),
        components={**merged.components, **after.components},
        carriers=_changed(merged.carriers, base.carriers, after.carriers),
        files=_changed(merged.files, base.files, after.files),
        removed=tuple(sorted((set(merged.removed) | set(after.removed)) - (set(base.removed) - set(after.removed)))),
        sizes={**merged.sizes, **after.sizes},
    )


def _changed(merged: Mapping[str, Any], base: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    own = _differing(base, after)
    kept = {name: value for name, value in merged.items() if name not in own}
    return kept | {name: value for name, value in after.items() if name in own}
