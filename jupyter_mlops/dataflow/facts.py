"""The values of the analysis: what one cell does to names, and what flows between cells.

The words are those of ``tests/corpus/README.md``, where each is defined with cases.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from jupyter_mlops.errors import Diagnostic

DefinitionKind = Literal["function", "lambda", "class", "import", "type"]
FlowKind = Literal["data", "code", "file"]
DoubtKind = Literal["dynamic", "history", "opaque"]
Severity = Literal["error", "warning", "info"]
Role = Literal["", "load", "train", "evaluate"]

NO_NAMES: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Question:
    """A call that waits for a person: ``input()`` or ``getpass()``."""

    name: str
    line: int


@dataclass(frozen=True, slots=True)
class Doubt:
    """Something that cannot be read off the source; ``what`` is the name or magic that causes it."""

    kind: DoubtKind
    what: str
    line: int


@dataclass(frozen=True, slots=True)
class Definition:
    """A statement that makes code: def, class, lambda bound to a name, import, type alias."""

    kind: DefinitionKind
    eager: frozenset[str] = NO_NAMES
    """Names from above that the statement itself reads: defaults, decorators, bases, a class body."""

    beside: frozenset[str] = NO_NAMES
    """Names that the statement reads and the same cell bound before it."""

    types: frozenset[str] = NO_NAMES
    """Names that only its annotations read."""

    deferred: frozenset[str] = NO_NAMES
    """Names of the notebook that its body reads when it is called."""

    writes: frozenset[str] = NO_NAMES
    """Names of the notebook that its body binds when it is called (``global``)."""

    mutates: frozenset[str] = NO_NAMES
    """Names of the notebook whose values its body changes when it is called."""

    params: tuple[str, ...] = ()
    mutates_params: frozenset[str] = NO_NAMES
    module: str = ""
    """Of an import: ``a.b``, or ``a.b:name``."""

    questions: tuple[Question, ...] = ()
    doubts: tuple[Doubt, ...] = ()

    def or_else(self, other: Definition) -> Definition:
        """This definition where another one may stand instead: on one path only it took the name. A call does what either does."""
        if "import" in {self.kind, other.kind}:
            return self
        places = {place for place, name in enumerate(other.params) if name in other.mutates_params}
        return replace(
            self,
            deferred=self.deferred | other.deferred,
            writes=self.writes | other.writes,
            mutates=self.mutates | other.mutates,
            mutates_params=self.mutates_params | {name for place, name in enumerate(self.params) if place in places},
        )


@dataclass(slots=True)
class Bind:
    """What a cell bound to a name. ``certain`` settles when the cell's branches have joined; the rest never changes."""

    certain: bool
    line: int = field(compare=False)
    code: Definition | None = None
    classes: frozenset[str] = NO_NAMES
    """Classes of the notebook whose instances may be in the value."""

    const: str | None = None
    """The text, where a text literal was bound: paths of files are often named once, at the top."""

    kind: str = ""
    """Class of the value, where the statement shows it: one of the table of effects, e.g. ``pandas.DataFrame``; else ''."""

    unstorable: str = ""
    """What the value surely is where such a value cannot be stored: ``a generator``, ``an open file``."""


@dataclass(frozen=True, slots=True)
class CellFacts:
    """What one cell does. Names are those of the notebook's namespace."""

    cell: int
    defs: Mapping[str, Bind] = field(default_factory=dict)
    refs: frozenset[str] = NO_NAMES
    closure_refs: frozenset[str] = NO_NAMES
    type_refs: frozenset[str] = NO_NAMES
    mutations: frozenset[str] = NO_NAMES
    carried: frozenset[str] = NO_NAMES
    """The part of ``mutations`` that is another object, whose memory the cell may change: taken in, and passed on."""

    deletes: frozenset[str] = NO_NAMES
    used: frozenset[str] = NO_NAMES
    """Every name that is read, bound above or here."""

    guarded: frozenset[str] = NO_NAMES
    """Names that are only read where a NameError is caught."""

    stars: tuple[str, ...] = ()
    setup: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    reads_files: frozenset[str] = NO_NAMES
    writes_files: frozenset[str] = NO_NAMES
    asks_files: Mapping[str, int] = field(default_factory=dict)
    """File → line, for files that the cell surely reads and has not made itself."""

    makes_files: bool = False
    """Whether it may make files that the source does not name: shell commands, downloads, archives."""

    imports: Mapping[str, int] = field(default_factory=dict)
    """Module → line, for modules that the cell surely imports, with no way out where they are missing."""

    star_lines: Mapping[str, int] = field(default_factory=dict)
    """Module of a star import → line."""

    modules: frozenset[str] = NO_NAMES
    """Files that an import of the cell would read if a cell wrote them."""

    doubts: tuple[Doubt, ...] = ()
    questions: tuple[Question, ...] = ()
    lines: Mapping[str, int] = field(default_factory=dict)
    """Line on which a name from above is first read."""

    groups: tuple[frozenset[str], ...] = ()
    """Names that are one and the same object after the cell."""

    work: bool = False
    """Whether it does more than import, define, set constants and set up."""

    empty: bool = False
    """Nothing but comments and blank lines."""

    role: Role = ""
    """What its calls are for, where they are of the kind that everybody's notebooks have."""

    diagnostics: tuple[Diagnostic, ...] = ()

    @property
    def conditional(self) -> frozenset[str]:
        """Names bound on some paths only."""
        return frozenset(name for name, bind in self.defs.items() if not bind.certain)

    @property
    def deferred(self) -> dict[str, frozenset[str]]:
        """Definition → names that it reads when it is called."""
        return {name: bind.code.deferred for name, bind in self.defs.items() if bind.code}

    @property
    def flags(self) -> frozenset[str]:
        """Kinds of doubt."""
        return frozenset(doubt.kind for doubt in self.doubts)


@dataclass(frozen=True, slots=True)
class Flow:
    """Names that flow from one cell to another; cells are indices of the notebook."""

    source: int
    target: int
    names: frozenset[str]
    kind: FlowKind


@dataclass(frozen=True, slots=True)
class Analysis:
    """A notebook's data flow. ``facts`` has one entry for each cell that was given, in document order."""

    facts: tuple[CellFacts, ...]
    flows: tuple[Flow, ...]
    unresolved: Mapping[int, frozenset[str]]
    """Cell → names that nobody above it binds."""

    diagnostics: tuple[Diagnostic, ...]
