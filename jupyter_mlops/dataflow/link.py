"""All cells: versions of names in document order, and which version each read takes.

Pruned SSA over cells. A bind or a change makes the next version of a name; a read takes exactly one. A bind on some paths only,
of a name that is read later, takes the old value in and passes one on. One pass forward and one backward, so the cost grows
with the notebook and not with its square.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from jupyter_mlops.dataflow.doubts import doubts_of
from jupyter_mlops.dataflow.facts import Analysis, Bind, CellFacts, Flow, FlowKind
from jupyter_mlops.dataflow.memory import Memory
from jupyter_mlops.dataflow.names import BUILTINS, Binds
from jupyter_mlops.dataflow.scan import Above
from jupyter_mlops.notebook.document import Cell


@dataclass(slots=True)
class Version:
    """A name as one cell left it. ``needs``: the versions that running its definition again would read."""

    place: int
    bind: Bind
    needs: dict[str, Version] = field(default_factory=dict)


class Current(Binds):
    """The binds of the current versions, as a scan sees them, without a copy for each cell."""

    def __init__(self, versions: Mapping[str, Version]) -> None:
        self._versions = versions

    def get(self, name: str, default: Bind | None = None) -> Bind | None:  # type: ignore[override]
        """The bind of a name, or the default."""
        found = self._versions.get(name)
        return default if found is None else found.bind

    def __iter__(self) -> Iterator[str]:
        return iter(self._versions)

    def __len__(self) -> int:
        return len(self._versions)


MEMORY = Memory(4096)
"""Scans of this process: four notebooks of a thousand cells."""


def analyse(cells: Sequence[Cell], memory: Memory = MEMORY) -> Analysis:
    """The data flow between code cells, in document order. Nothing is run; nothing raises for what a person wrote.

    Args:
        cells: the code cells.
        memory: scans made before; those of cells that are as they were are not made again.
    """
    linker = Linker(memory)
    with uncollected():
        for cell in cells:
            linker.add(cell)
        return linker.finish()


@contextmanager
def uncollected() -> Iterator[None]:
    """Python's collector waits: trees and facts stay, so that looking through them again and again frees nothing.

    It is a quarter of the time of a long notebook. Threads that come together may let it start before the last has ended,
    and never leave it off.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


class Linker:
    """Takes cells one by one; ``finish`` draws the flows."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._versions: dict[str, Version] = {}
        self._above = Above(Current(self._versions))
        self._facts: list[CellFacts] = []
        self._reads: list[dict[str, Version | None]] = []
        """For each cell: the version of each name that it reads, or of a name that it binds on some paths only."""

        self._edges: dict[tuple[int, int, FlowKind], set[str]] = {}
        self._unresolved: dict[int, set[str]] = {}

    def add(self, cell: Cell) -> None:
        """Scan the next cell and make its versions."""
        place = len(self._facts)
        facts = self._memory.scan(cell, self._above)
        self._facts.append(facts)
        before = self._versions
        kept = (facts.conditional | facts.carried) & before.keys()
        self._reads.append({name: before.get(name) for name in _read(facts) | kept})
        made = {name: self._version(place, bind, facts) for name, bind in facts.defs.items()}
        for version in made.values():
            code = version.bind.code
            if code is not None:
                version.needs |= {name: made[name] for name in code.beside if name in made and made[name] is not version}
        for name in facts.deletes:
            self._versions.pop(name, None)
        for name in facts.mutations - facts.defs.keys():
            old = self._versions.get(name)
            if old is not None:
                self._versions[name] = Version(place, replace(old.bind, certain=True), old.needs)
        self._versions.update(made)

    def _version(self, place: int, bind: Bind, facts: CellFacts) -> Version:
        """A new version; what its definition reads eagerly is taken from where it stands."""
        if bind.code is None:
            return Version(place, bind)
        eager = bind.code.eager | bind.code.types
        return Version(
            place, bind, {name: self._versions[name] for name in eager if name in self._versions and name not in facts.deletes}
        )

    def finish(self) -> Analysis:
        """Flows, unresolved names and diagnostics."""
        live_after = self._live()
        for place, facts in enumerate(self._facts):
            merged = facts.conditional & live_after[place]
            taken = _read(facts) | facts.carried
            for name, version in sorted(self._reads[place].items(), key=lambda item: item[0]):
                if version is not None and (name in merged or name in taken):
                    self._use(name, version, place, set())
                elif version is None and name not in BUILTINS:
                    self._unresolved.setdefault(place, set()).add(name)
        self._link_files()
        self._credit_stars()
        facts_of = tuple(self._facts)
        number = [facts.cell for facts in facts_of]
        flows = tuple(
            Flow(number[source], number[target], frozenset(names), kind)
            for (source, target, kind), names in sorted(self._edges.items())
        )
        unresolved = {number[place]: frozenset(names) for place, names in self._unresolved.items()}
        return Analysis(facts_of, flows, unresolved, doubts_of(facts_of, unresolved))

    def _live(self) -> list[set[str]]:
        """For each cell the names that are read after it before they are bound for certain.

        Only names bound on some paths somewhere matter, which keeps the sets small.
        """
        wanted = set().union(*(facts.conditional for facts in self._facts)) if self._facts else set()
        live: set[str] = set()
        after: list[set[str]] = []
        for facts in reversed(self._facts):
            after.append(set(live))
            live -= {name for name, bind in facts.defs.items() if bind.certain} | facts.deletes
            live |= (_read(facts) | facts.mutations) & wanted
        return after[::-1]

    def _use(self, name: str, version: Version, target: int, seen: set[int]) -> None:
        """A cell takes a version; of code also what its statement needs, from where it stood."""
        code = version.bind.code
        if version.place != target:
            self._edges.setdefault((version.place, target, "code" if code else "data"), set()).add(name)
        if code is not None and id(version) not in seen:
            seen.add(id(version))
            for needed, its in version.needs.items():
                self._use(needed, its, target, seen)

    def _link_files(self) -> None:
        """A file is taken from the last cell above that wrote it."""
        writers: dict[str, int] = {}
        for place, facts in enumerate(self._facts):
            for path in facts.reads_files | facts.modules:
                if path in writers:
                    self._edges.setdefault((writers[path], place, "file"), set()).add(path)
            writers.update(dict.fromkeys(facts.writes_files, place))

    def _credit_stars(self) -> None:
        """A name that nobody binds comes from the last star import above, if there is one."""
        last: int | None = None
        for place, facts in enumerate(self._facts):
            if facts.stars:
                last = place
            if last is not None and place in self._unresolved:
                del self._unresolved[place]
                if last != place:
                    self._edges.setdefault((last, place, "code"), set()).add("*")


def _read(facts: CellFacts) -> frozenset[str]:
    """Names that a cell reads, in one way or another."""
    return facts.refs | facts.closure_refs | facts.type_refs
