"""Scans that were made before: a notebook is analysed again after every edit, and most of its cells are as they were.

A scan is a function of the cell and of what it looked at above it: binds, groups of names, the future import. Both are kept
with its facts; while they hold, the facts do. So analysing again scans the changed cell, and those that what it changed reaches.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from threading import Lock

from jupyter_mlops.dataflow.facts import Bind, CellFacts
from jupyter_mlops.dataflow.groups import Step
from jupyter_mlops.dataflow.names import Binds
from jupyter_mlops.dataflow.scan import Above, scan
from jupyter_mlops.notebook.document import Cell

Key = tuple[int, str, bool]
"""Place in the notebook, source, and whether annotations are put off."""


@dataclass(frozen=True, slots=True)
class Known:
    """A scan, with what it saw and did above the cell."""

    facts: CellFacts
    binds: Mapping[str, Bind | None]
    alias: Mapping[str, frozenset[str]]
    share: Mapping[str, frozenset[str]]
    alias_steps: tuple[Step, ...]
    share_steps: tuple[Step, ...]
    lazy: bool

    def holds(self, above: Above) -> bool:
        """Whether all that the scan looked at is as it was."""
        binds = above.binds
        for name, bind in self.binds.items():
            now = binds.get(name)
            if now is not bind and now != bind:
                return False
        return above.alias.fits(self.alias) and above.share.fits(self.share)

    def again(self, above: Above) -> CellFacts:
        """The facts, with what the cell does to ``above`` done."""
        above.alias.again(self.alias_steps)
        above.share.again(self.share_steps)
        above.lazy = self.lazy
        groups = above.alias.all()
        return self.facts if self.facts.groups == groups else replace(self.facts, groups=groups)


class Looked(Binds):
    """Binds of the cells above, writing down which were asked for."""

    def __init__(self, binds: Mapping[str, Bind]) -> None:
        self._binds, self._get = binds, binds.get
        self.seen: dict[str, Bind | None] = {}

    def get(self, name: str, default: Bind | None = None) -> Bind | None:  # type: ignore[override]
        """The bind of a name, or the default."""
        found = self.seen[name] = self._get(name)
        return default if found is None else found

    def __iter__(self) -> Iterator[str]:
        return iter(self._binds)

    def __len__(self) -> int:
        return len(self._binds)


class Memory:
    """The last scans, shared by the threads of a server.

    Args:
        most: cells that are kept; the one that was not used for the longest time goes first.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: OrderedDict[Key, Known] = OrderedDict()
        self._lock = Lock()

    def scan(self, cell: Cell, above: Above) -> CellFacts:
        """The facts about a cell, scanned now or before; ``above`` becomes what holds after it."""
        key = (cell.index, cell.source, above.lazy)
        with self._lock:
            known = self._known.get(key)
            if known is not None:
                self._known.move_to_end(key)
        if known is not None and known.holds(above):
            return known.again(above)
        looked = Looked(above.binds)
        inside = Above(looked, above.alias, above.share, above.lazy)
        above.alias.start()
        above.share.start()
        facts = scan(cell, inside)
        above.lazy = inside.lazy
        new = Known(
            facts,
            looked.seen,
            above.alias.seen,
            above.share.seen,
            tuple(above.alias.steps),
            tuple(above.share.steps),
            inside.lazy,
        )
        with self._lock:
            self._known[key] = new
            if len(self._known) > self._most:
                self._known.popitem(last=False)
        return facts

    def __len__(self) -> int:
        return len(self._known)
