"""The state of a scan: which names are surely bound, read from above, changed, deleted, and which are one object.

Definite assignment: a name that is read while it is not surely bound in this cell comes from above. The walkers of
``flow.py`` and those on top of it move through the statements and call ``read``, ``bind``, ``mutate`` and ``delete`` here.
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from jupyter_mlops.dataflow.facts import NO_NAMES, Bind, Definition, Doubt, DoubtKind, Question, Severity
from jupyter_mlops.dataflow.groups import Groups
from jupyter_mlops.dataflow.scopes import Scopes
from jupyter_mlops.errors import Diagnostic

BUILTINS = frozenset(dir(builtins)) | {
    "__class__", "__name__", "__doc__", "__builtins__", "__annotations__", "get_ipython", "display", "exit", "quit", "_exit_code",
}  # fmt: skip
"""Names that every kernel has. ``__file__`` is not among them: no notebook has one."""

HISTORY = re.compile(r"_+|_i+|_i?\d+|_[iod]h|In|Out")


@dataclass(slots=True)
class Context:
    """What all walkers of one cell share: its number, the way back to its lines, and what was found."""

    cell: int
    scopes: Scopes
    origin: Callable[[int], int]
    line: int = 1
    """Line of the cell that is being walked."""

    diagnostics: list[Diagnostic] = field(default_factory=list)
    requirements: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Draft:
    """Facts of a cell while it is scanned."""

    defs: dict[str, Bind] = field(default_factory=dict)
    refs: set[str] = field(default_factory=set)
    closure_refs: set[str] = field(default_factory=set)
    type_refs: set[str] = field(default_factory=set)
    mutates: set[str] = field(default_factory=set)
    carried: set[str] = field(default_factory=set)
    deletes: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)
    unguarded: set[str] = field(default_factory=set)
    stars: list[str] = field(default_factory=list)
    setup: list[str] = field(default_factory=list)
    reads_files: set[str] = field(default_factory=set)
    writes_files: set[str] = field(default_factory=set)
    asks_files: dict[str, int] = field(default_factory=dict)
    imports: dict[str, int] = field(default_factory=dict)
    star_lines: dict[str, int] = field(default_factory=dict)
    modules: set[str] = field(default_factory=set)
    doubts: list[Doubt] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    lines: dict[str, int] = field(default_factory=dict)
    calls: set[str] = field(default_factory=set)
    quoted: set[str] = field(default_factory=set)
    """Names from above that stand in texts, where no symbol table sees them."""


class Binds(Mapping[str, "Bind"]):
    """Binds by name, of which a subclass says how one is found; asked mostly for what is absent, so without an exception."""

    def get(self, name: str, default: Bind | None = None) -> Bind | None:  # type: ignore[override]
        """The bind of a name, or the default."""
        raise NotImplementedError

    def __getitem__(self, name: str) -> Bind:
        found = self.get(name)
        if found is None:
            raise KeyError(name)
        return found

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.get(name) is not None


class Layered(Binds):
    """The binds of a scope before those around it. A ``ChainMap`` does it too, at five times the price of a look."""

    def __init__(self, own: Mapping[str, Bind], around: Mapping[str, Bind]) -> None:
        self._own, self._around = own, around

    def get(self, name: str, default: Bind | None = None) -> Bind | None:  # type: ignore[override]
        """The innermost bind of a name, or the default."""
        found = self._own.get(name)
        return self._around.get(name, default) if found is None else found

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys((*self._around, *self._own)))

    def __len__(self) -> int:
        return len(set(self._own).union(self._around))


class Names:
    """Names of one scope, as far as a scan has come.

    Args:
        context: Of the cell.
        above: What the cells above bound, or what encloses this scope.
        must: Names surely bound before the scan starts.
        shadow: Names that are local here and never the notebook's.
    """

    def __init__(self, context: Context, above: Mapping[str, Bind], must: Iterable[str] = (), shadow: Iterable[str] = ()) -> None:
        self.context = context
        self.above = above
        self.draft = Draft()
        self.must = set(must)
        self.shadow = list(shadow)
        self.alias = Groups()
        """Names of one object."""

        self.share = Groups()
        """Names whose objects may share memory: a view and what it shows."""

        self.lazy = False
        """``from __future__ import annotations`` is in force."""

        self.branches_open = 0
        self.guards = 0
        """Depth of ``try`` statements that catch NameError."""

        self.fallbacks = 0
        """Depth of ``try`` statements that catch what a missing file or module raises."""

        self.statement_reads: set[str] = set()
        self._reach: dict[str, frozenset[str]] = {}

    # -- what is known -----------------------------------------------------------------------------------------------------

    def bind_of(self, name: str) -> Bind | None:
        """What the name is bound to here, from this cell or from above."""
        own = self.draft.defs.get(name)
        return own or (None if name in self.must else self.above.get(name))

    def is_module(self, name: str) -> bool:
        """Whether the name is bound by an import."""
        bind = self.bind_of(name)
        return bind is not None and bind.code is not None and bind.code.kind == "import"

    def is_builtin(self, name: str) -> bool:
        """Whether the name means the builtin: nobody has bound it."""
        return name in BUILTINS and name not in self.shadow and name not in self.must and self.bind_of(name) is None

    def classes_in_play(self) -> frozenset[str]:
        """Classes of the notebook whose instances the value of this statement may hold."""
        found: set[str] = set()
        for name in self.statement_reads:
            bind = self.bind_of(name)
            if bind is not None:
                found |= bind.classes
                if bind.code is not None and bind.code.kind == "class":
                    found.add(name)
        return frozenset(found)

    # -- what a statement does -----------------------------------------------------------------------------------------------

    def read(self, name: str, *, via: bool = False) -> None:
        """A name is read, and with it whatever its functions and classes read when they run."""
        if name in self.shadow:
            return
        if not self._touch(name, via=via):
            return
        bind = self.bind_of(name)
        if bind is None:
            return
        if bind.code is not None or bind.classes:
            for inner in self._reachable(name):
                self._touch(inner, via=True)
        if bind.code is not None:
            self.draft.doubts += [Doubt(doubt.kind, f"{name}()", self.context.line) for doubt in bind.code.doubts]

    def _touch(self, name: str, *, via: bool) -> bool:
        """Note one read; False for IPython's history, which no cell binds."""
        self.statement_reads.add(name)
        self.draft.used.add(name)
        if name in self.must:
            return True
        if HISTORY.fullmatch(name) and name not in self.above and name not in self.draft.defs:
            self.draft.doubts.append(Doubt("history", name, self.context.line))
            return False
        (self.draft.closure_refs if via else self.draft.refs).add(name)
        self.draft.lines.setdefault(name, self.context.line)
        if not self.guards:
            self.draft.unguarded.add(name)
        return True

    def _reachable(self, name: str) -> frozenset[str]:
        """Names that the functions and classes behind a name read when they run, transitively; without itself."""
        known = self._reach.get(name)
        if known is not None:
            return known
        bind = self.bind_of(name)
        if bind is None or (bind.code is None and not bind.classes):
            return NO_NAMES
        seen: set[str] = set()
        todo = [name]
        while todo:
            bind = self.bind_of(todo.pop())
            if bind is not None:
                inner = (bind.code.deferred if bind.code else NO_NAMES) | bind.classes
                todo += inner - seen
                seen |= inner
        seen.discard(name)
        reached = self._reach[name] = frozenset(seen)
        return reached

    def read_type(self, name: str) -> None:
        """A name is read by an annotation."""
        if name not in self.shadow and name not in self.must:
            self.draft.type_refs.add(name)
            self.draft.lines.setdefault(name, self.context.line)
            self.draft.unguarded.add(name)

    def bind(
        self,
        name: str,
        *,
        certain: bool = True,
        code: Definition | None = None,
        classes: frozenset[str] = NO_NAMES,
        unstorable: str = "",
    ) -> None:
        """A name gets a new value."""
        if name in self.shadow:
            return
        old = self.bind_of(name)
        if code or classes or (old and (old.code or old.classes)):
            self._reach.clear()
        if code and old and old.code and self.branches_open:
            code = code.or_else(old.code)
        kept = name in self.draft.defs and name in self.must and self.draft.defs[name].certain
        self.draft.defs[name] = Bind(certain or kept, self.context.line, code, classes, None, unstorable)
        self._part(name)
        if certain:
            self.must.add(name)

    def mutate(self, name: str | None) -> None:
        """The value of a name may change in place, and with it that of every name for the same object."""
        if name is None or name in self.shadow:
            return
        self.read(name)
        one = self.alias.of(name)
        for other in self.same(name):
            if other not in self.must:
                self.draft.mutates.add(other)
                if other not in one:
                    self.draft.carried.add(other)

    def same(self, name: str) -> set[str]:
        """All names of the object that the name is bound to, and of those that may share its memory."""
        return {inner for other in self.share.of(name) for inner in self.alias.of(other)} | self.alias.of(name)

    def _part(self, name: str) -> None:
        """A name has another object from here on; on one path only, it may still have the old one."""
        old = self.alias.of(name) | self.share.of(name)
        if self.branches_open and len(old) > 1:
            self.share.join(sorted(old))
        elif len(self.share.of(name)) > 1:
            self.share.leave(name)
        if len(self.alias.of(name)) > 1:
            self.alias.leave(name)

    def delete(self, name: str) -> None:
        """``del name``. On one path only it leaves the name in doubt: it may be gone, or as it was."""
        if name in self.shadow:
            return
        own = self.draft.defs.get(name)
        if self.branches_open:
            self.read(name)
            self.must.discard(name)
            if own is None:
                self.draft.mutates.add(name)
            return
        if own is None:
            self.read(name)
            self.draft.deletes.add(name)
        else:
            self.forget(name)
            if name in self.above:
                self.draft.deletes.add(name)
        self._part(name)

    def asks_file(self, path: str) -> None:
        """A file is read; where that surely happens, and nothing is made of its absence, it has to be there."""
        self.draft.reads_files.add(path)
        if not self.branches_open and not self.fallbacks and path not in self.draft.writes_files:
            self.draft.asks_files.setdefault(path, self.context.line)

    def asks_module(self, module: str) -> None:
        """A module is imported; the same."""
        if not self.branches_open and not self.fallbacks:
            self.draft.imports.setdefault(module, self.context.line)

    def forget(self, name: str) -> None:
        """A name that this cell bound is gone again."""
        self._reach.clear()
        self.draft.defs.pop(name, None)
        self.must.discard(name)

    # -- what is said ------------------------------------------------------------------------------------------------------

    def at(self, line: int) -> None:
        """Go on at a line of the text being walked."""
        self.context.line = self.context.origin(line)

    def doubt(self, kind: DoubtKind, what: str) -> None:
        """Something here cannot be read off the source."""
        self.draft.doubts.append(Doubt(kind, what, self.context.line))

    def note(self, code: str, severity: Severity, message: str, fix: str) -> None:
        """A finding on the current line."""
        self.context.diagnostics.append(Diagnostic(code, severity, message, self.context.cell, self.context.line, fix))
