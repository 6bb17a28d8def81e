"""The state that a step begins with: that of the step before, what a skipped one passes on, or branches brought together.

The Workflow hands on one digest, that of the last step which surely left a state, and says how the step between ended. What that
one left, or its branches, is found by the reports that they pushed before they ended. Branches come together so: names that they
bound become lists in the order of the items; the process (options, environment, random generators) is as it was before them
where they differ; files are those of all of them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from jupyter_mlops.errors import Corrupt, NotFound, Refused, Where
from jupyter_mlops.oci.artifact import read_config
from jupyter_mlops.oci.store import Store
from jupyter_mlops.runner.arguments import Arguments
from jupyter_mlops.runner.branch import stored_by
from jupyter_mlops.runner.classes import make_one
from jupyter_mlops.runner.join import bring_sides, sides_of
from jupyter_mlops.runner.plan import Plan, StepPlan
from jupyter_mlops.runner.sources import runnable
from jupyter_mlops.session.attached import attached_names, place_of
from jupyter_mlops.session.mentions import Mentions
from jupyter_mlops.session.scope import Scope
from jupyter_mlops.session.session import Asked, load_state
from jupyter_mlops.session.state import FileEntry, Lost, State
from jupyter_mlops.session.transfer import Blobs, deliver, reach

SKIPPED = "Skipped"
LIST = "list"
SILENT = frozenset({"history", "imports", "metrics", "random", "numpy.random", "torch.random"})
"""Carriers in which branches differ as a matter of course."""


@dataclass(frozen=True)
class Branch:
    """What one branch left."""

    digest: str
    state: State
    bound: tuple[str, ...]
    defined: tuple[str, ...]


@dataclass(frozen=True)
class Before:
    """The session before a step."""

    digest: str
    """What the step depends on: the digest of a state, or one made of those of the branches."""

    state: State
    warnings: tuple[str, ...] = ()
    lists: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Name → the branches whose values its list holds."""

    kept: Mapping[str, int] = field(default_factory=dict)
    """Name → the branch whose definition counts."""

    branches: tuple[Branch, ...] = ()
    skipped: int = 0
    """Cells of lanes that come before this step in the document and run beside it: their places in the history stay free."""

    def asked(self, asked: Asked) -> Asked:
        """What cells ask of the state, and what gathered values do."""
        mentions = asked.mentions
        mine = frozenset(self.lists) | frozenset(self.kept)
        loads = (mentions.loads | self._mentions()) - mine
        more = Mentions(loads, mentions.deletes - mine, mentions.stores, mentions.modules)
        return replace(asked, mentions=more)

    def _mentions(self) -> frozenset[str]:
        """Names of the state that gathered values ask for."""
        found: set[str] = set()
        for number, name in self._wanted():
            state = self.branches[number].state
            for digest in reach([name], state)[0]:
                component = state.components[digest]
                found |= {*component.mentions, *(other for other in component.names if other in self.state.names)}
        return frozenset(found) - set(self.lists) - set(self.kept)

    def place(self, store: Store, repository: str, scope: Scope) -> tuple[str, ...]:
        """Put gathered values into the namespace; their names."""
        values: dict[tuple[int, str], Any] = {}
        mine = {*self.lists, *self.kept}
        for number, branch in enumerate(self.branches):
            names = [name for wanted, name in self._wanted() if wanted == number and name in branch.state.names]
            digests = list(dict.fromkeys(branch.state.names[name] for name in names))
            touched = {name for digest in digests for name in branch.state.components[digest].names}
            saved = {name: scope.namespace[name] for name in touched if name in scope.namespace}
            deliver(digests, branch.state, Blobs(store, repository, dict(branch.state.sizes)), scope)
            values |= {(number, name): scope.namespace[name] for name in names}
            for name in touched:
                loaded = scope.namespace.pop(name, None)
                if name not in mine and isinstance(loaded, type) and isinstance(saved.get(name), type):
                    make_one(loaded, saved[name])
            scope.namespace.update(saved)
        for name, numbers in self.lists.items():
            scope.namespace[name] = [values[number, name] for number in numbers]
        for name, number in self.kept.items():
            if (number, name) in values:
                scope.namespace[name] = values[number, name]
        return (*self.lists, *self.kept)

    def _wanted(self) -> Iterable[tuple[int, str]]:
        yield from ((number, name) for name, numbers in self.lists.items() for number in numbers)
        yield from ((number, name) for name, number in self.kept.items())


def state_before(store: Store, arguments: Arguments, plan: Plan, step: StepPlan) -> Before:
    """The state that a step begins with.

    Raises:
        Refused: branches that cannot come together, by name or file.
        Corrupt, NotFound: the store does not hold what the Workflow says.
    """
    if step.final is not None:
        return _last(store, arguments, plan)
    if arguments.join or arguments.lane:
        return _beside(store, arguments, plan)
    return _after(store, arguments, plan, arguments.state, arguments.after)


def _beside(store: Store, arguments: Arguments, plan: Plan) -> Before:
    """The states of steps that ran beside each other as one, and for a lane the place in the history where it would be."""
    base = load_state(store, arguments.repository, arguments.state)
    found, digests = bring_sides(store, arguments.repository, base, sides_of(arguments.join), partial(report_of, store, arguments))
    skipped = places(plan, arguments.lane)
    digest = _digest(arguments.state, digests) if digests else arguments.state
    return Before(digest, replace(found, count=found.count + skipped), skipped=skipped)


def places(plan: Plan, lane: str) -> int:
    """How many cells of these steps IPython counts."""
    steps = [plan.step(name) for name in lane.split(",") if name]
    return sum(bool(runnable(plan.sources.get(cell, "")).strip()) for step in steps for cell in step.cells)


def _after(store: Store, arguments: Arguments, plan: Plan, digest: str, after: str) -> Before:
    base = load_state(store, arguments.repository, digest)
    if not after:
        return Before(digest, base)
    name, _, phase = after.partition(":")
    between = plan.step(name)
    if not between.each:
        if phase == SKIPPED:
            return Before(digest, base)
        reached = str(report_of(store, arguments, name).get("state"))
        return Before(reached, load_state(store, arguments.repository, reached))
    count = len(items_of(store, arguments, plan, between))
    branches = []
    for number in range(count):
        report = report_of(store, arguments, f"{name}.{number}")
        reached, told = str(report["state"]), report.get("control") or {}
        state = load_state(store, arguments.repository, reached)
        branches.append(Branch(reached, state, tuple(told.get("bound", ())), tuple(told.get("defined", ()))))
    return bring_together(digest, base, branches, plan, between)


def items_of(store: Store, arguments: Arguments, plan: Plan, step: StepPlan) -> Sequence[Any]:
    """The items of a step: in the plan, else as the step before found them."""
    if step.items is not None:
        return step.items
    asker = plan.steps[plan.steps.index(step) - 1]
    told = report_of(store, arguments, asker.name).get("control") or {}
    found = told.get("items")
    if not isinstance(found, list):
        raise Corrupt(f"the report of {asker.name} does not say the items of {step.name}", fix="Run the notebook again.")
    return found


def report_of(store: Store, arguments: Arguments, label: str) -> Mapping[str, Any]:
    """The report of a step of this run that has succeeded. Raises NotFound, Corrupt."""
    manifest = store.get_manifest(arguments.repository, f"report.{arguments.run}.{label}")
    found = read_config(store, arguments.repository, manifest)
    if found.get("phase") != "succeeded" or not found.get("state"):
        raise Corrupt(f"the report of {label} does not say that it succeeded", fix="Run the notebook again.")
    return found


def _last(store: Store, arguments: Arguments, plan: Plan) -> Before:
    """The state of the last step that has left one, for the step that runs at the end."""
    steps = [step for step in plan.steps if step.final is None]
    while steps:
        step = steps.pop()
        try:
            if not step.each:
                digest = str(report_of(store, arguments, step.name)["state"])
                return Before(digest, load_state(store, arguments.repository, digest))
            base = _last(store, arguments, replace(plan, steps=tuple(steps))) if steps else Before("", State())
            if not base.branches:
                return _after(store, arguments, plan, base.digest, f"{step.name}:Succeeded")
        except (NotFound, Corrupt):
            continue  # it has not run, or not all of it
    return Before("", State())


def bring_together(digest: str, base: State, branches: Sequence[Branch], plan: Plan, step: StepPlan) -> Before:
    """Branches as one state. Raises Refused."""
    if not branches:
        stored, _ = stored_by([runnable(plan.sources.get(cell, "")) for cell in step.cells])
        empty = sorted(stored | {step.each})
        rest = {name: found for name, found in base.names.items() if name not in empty}
        return Before(_digest(digest, []), replace(base, names=rest), (), dict.fromkeys(empty, ()), {}, ())
    bound = sorted({name for branch in branches for name in branch.bound})
    defined = {name for branch in branches for name in branch.defined}
    lists: dict[str, tuple[int, ...]] = {}
    kept_of: dict[str, int] = {}
    lost = {name: note for name, note in base.lost.items() if name not in bound}
    for name in bound:
        having = [number for number, branch in enumerate(branches) if name in branch.state.names]
        note = next((branch.state.lost[name] for branch in branches if name in branch.state.lost), None)
        if name in defined and having:
            kept_of[name] = having[-1]
        elif len(having) == len(branches):
            lists[name] = tuple(having)
        else:
            missing = next(number for number in range(len(branches)) if number not in having)
            lost[name] = note or Lost(LIST, f"branch {missing} of step {step.name} does not bind it", step.cells[0])
    gone = {name for name in base.names if any(name not in branch.state.names for branch in branches)} - set(bound)
    names = {name: found for name, found in base.names.items() if name not in bound and name not in gone}
    carriers, warnings = _carriers(base, branches, step)
    warnings += _unhung(base, branches, step)
    state = replace(
        base, names=names, lost=lost, carriers=carriers, count=max(branch.state.count for branch in branches),
        **_files(base, branches, step), sizes=_sizes(base, branches),
    )  # fmt: skip
    depends = _digest(digest, [branch.digest for branch in branches])
    return Before(depends, state, tuple(warnings), lists, kept_of, tuple(branches))


def _carriers(base: State, branches: Sequence[Branch], step: StepPlan) -> tuple[dict[str, str], list[str]]:
    """The process where all branches left it alike, else as it was before; what is undone so is said."""
    found: dict[str, str] = {}
    undone = []
    for name in sorted({*base.carriers, *(name for branch in branches for name in branch.state.carriers)}):
        values = {branch.state.carriers.get(name) for branch in branches}
        value = values.pop() if len(values) == 1 else base.carriers.get(name)
        if values and name not in SILENT:
            undone.append(name)
        if value is not None:
            found[name] = value
    said = f"branches of {step.name} leave these different, so that they are as before it: {', '.join(undone)}"
    return found, [said] if undone else []


def _unhung(base: State, branches: Sequence[Branch], step: StepPlan) -> list[str]:
    """What branches hung on the process (a patch, a printer) stays with each: which of theirs should count nobody said."""
    theirs = {name for branch in branches for name in attached_names(branch.state.names) if name not in base.names}
    places = ", ".join(sorted(place_of(name) for name in theirs))
    return [f"what branches of {step.name} put onto other objects stays with them: {places}"] if places else []


def _files(base: State, branches: Sequence[Branch], step: StepPlan) -> dict[str, Any]:
    """Files of all branches. Raises Refused where two leave different ones under a name."""
    made: dict[str, FileEntry] = dict(base.files)
    changed: dict[str, tuple[int, str]] = {}
    removed = set(base.removed)
    for number, branch in enumerate(branches):
        own = {name: entry for name, entry in branch.state.files.items() if base.files.get(name) != entry}
        gone = (set(branch.state.removed) - set(base.removed)) | (set(base.files) - set(branch.state.files))
        for name, mark in [*((name, entry.digest) for name, entry in own.items()), *((name, "") for name in gone)]:
            other = changed.setdefault(name, (number, mark))
            if other[1] != mark:
                raise Refused(
                    f"branches {other[0]} and {number} of step {step.name} both write {name}",
                    code="branch-files",
                    fix=f"Name the file after {step.each}, or write it in the next step.",
                    where=Where(cell=step.cells[0]),
                )
        made |= own
        removed |= set(branch.state.removed)
    for name in [name for name, (_, mark) in changed.items() if not mark]:
        made.pop(name, None)
    return {"files": dict(sorted(made.items())), "removed": tuple(sorted(removed - set(made)))}


def _sizes(base: State, branches: Sequence[Branch]) -> dict[str, int]:
    found = dict(base.sizes)
    for branch in branches:
        found |= branch.state.sizes
    return found


def _digest(base: str, reached: Sequence[str]) -> str:
    text = json.dumps([base, *reached])
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()
