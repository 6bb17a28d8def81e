"""A look into the live kernel before a run: what would be handed from step to step, how large it is, and what cannot be stored.

Static analysis knows names and not sizes; a step of a pipeline knows them, but late. The kernel that the notebook was written
in has the values now. They are examined by the very code that stores them in a step (``session.components``), so
what is said here is what would happen; large buffers are looked at and not copied, and nothing is written. The
values are those that the kernel has at this moment, which is said with them.
"""

from __future__ import annotations

import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_mlops.kernel.page import Line, Page, Part, Table
from jupyter_mlops.session.components import group
from jupyter_mlops.session.scope import Scope

if TYPE_CHECKING:
    from jupyter_mlops.pipeline.pipeline import Pipeline

LARGE = 256 << 20
"""Bytes from which handing something on is worth a thought: some seconds of a step, on a usual network."""


@dataclass(frozen=True, slots=True)
class Crossing:
    """Names that go together from one step to others, since they share something changeable; most go alone."""

    names: tuple[str, ...]
    types: tuple[str, ...]
    size: int
    """Bytes; 0 for what cannot be stored."""

    made: tuple[str, ...]
    """Steps that bind or change them."""

    needed: tuple[str, ...]
    """Later steps that read them."""

    reason: str = ""
    """Why it cannot be stored; '' if it can."""


@dataclass(frozen=True, slots=True)
class Preflight:
    """What would cross the boundaries of a pipeline's steps, the largest first, and names that the kernel does not have."""

    crossings: tuple[Crossing, ...]
    absent: tuple[str, ...]


def preflight(pipeline: Pipeline, namespace: dict[str, Any], shell: Any = None) -> Preflight:
    """Examine the values of a kernel that a run of this pipeline would hand on.

    Args:
        pipeline: the notebook's plan.
        namespace: of the kernel, the very dict, since functions are known by it; not changed.
        shell: its IPython shell, for values that hold it.
    """
    made, needed = _crossing_names(pipeline)
    values = {name: namespace[name] for name in made if name in namespace and not isinstance(namespace[name], types.ModuleType)}
    groups, lost = group(values, Scope(namespace, shell, Path.cwd()))
    found = [
        _crossing(one.names, values, made, needed, len(one.pickled.stream) + sum(buffer.nbytes for buffer in one.pickled.buffers))
        for one in groups
    ]
    found += [_crossing((name,), values, made, needed, 0, why.reason) for name, why in lost.items()]
    found.sort(key=lambda one: (not one.reason, -one.size, one.names))
    return Preflight(tuple(found), tuple(sorted(name for name in made if name not in namespace)))


def joined(crossing: Crossing, large: int = LARGE) -> tuple[str, str] | None:
    """(first, last) of the steps that, made one, keep it from crossing; None where that is no cure, or none is needed.

    What cannot be stored has to stay in one process until it was needed last. What is only large is worth that where one
    step needs it.
    """
    if crossing.reason:
        return crossing.made[0], crossing.needed[-1]
    if crossing.size >= large and len(crossing.needed) == 1:
        return crossing.made[-1], crossing.needed[0]
    return None


def in_words(count: int) -> str:
    """Bytes in decimal units: 1.9 GB."""
    value, unit = float(count), "B"
    for following in ("KB", "MB", "GB", "TB"):
        if value < 1000:  # noqa: PLR2004 - decimal units
            break
        value, unit = value / 1000, following
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"


def _crossing_names(pipeline: Pipeline) -> tuple[dict[str, dict[str, None]], dict[str, dict[str, None]]]:
    """(steps that make, steps that need) of each name that some step hands to a later one, in the order of the steps."""
    made: dict[str, dict[str, None]] = {}
    needed: dict[str, dict[str, None]] = {}
    for link in sorted(pipeline.links, key=lambda link: (link.source, link.target)):
        source, target = pipeline.step_of(link.source), pipeline.step_of(link.target)
        if source is None or target is None or source == target or link.kind == "file":
            continue
        for name in link.names:
            made.setdefault(name, {})[source] = None
            needed.setdefault(name, {})[target] = None
    return made, needed


def _crossing(
    names: tuple[str, ...],
    values: Mapping[str, Any],
    made: Mapping[str, Iterable[str]],
    needed: Mapping[str, Iterable[str]],
    size: int,
    reason: str = "",
) -> Crossing:
    return Crossing(
        names,
        tuple(type(values[name]).__name__ for name in names),
        size,
        tuple(dict.fromkeys(step for name in names for step in made[name])),
        tuple(dict.fromkeys(step for name in names for step in needed[name])),
        reason,
    )


def advice(crossing: Crossing, notebook: str, large: int = LARGE) -> tuple[str, str] | None:
    """(what is wrong, a line that mends it); None where nothing is."""
    names, first, last = " and ".join(crossing.names), crossing.made[0], crossing.needed[-1]
    join = f"Make it one step: jupyter mlops steps {notebook} --join {crossing.made[-1]} {crossing.needed[0]}"
    if crossing.reason:
        return f"{names} cannot be stored ({crossing.reason}): keep with {first} what {last} does with it", join
    if crossing.size >= large:
        if len(crossing.needed) == 1:
            fix = f"{join}, or make less of {names} in {first}"
        else:
            fix = f"Make less of {names} in {first} (columns, types, a sample), or delete it with del after its last use"
        return f"{in_words(crossing.size)} would cross: keep {names} with step {first}", fix
    return None


def preflight_page(found: Preflight, notebook: str) -> Page:
    """What ``%mlops preflight`` shows."""
    if not found.crossings and not found.absent:
        return Page((Line(f"No value goes from step to step of {notebook}."),))
    total = sum(one.size for one in found.crossings)
    head = ("names", "type", "size", "from", "to")
    rows = tuple(
        (
            ", ".join(one.names),
            ", ".join(dict.fromkeys(one.types)),
            "cannot be stored" if one.reason else in_words(one.size),
            ", ".join(one.made),
            ", ".join(one.needed),
        )
        for one in found.crossings
    )
    parts: list[Part] = [
        Line(f"{in_words(total)} would go from step to step of {notebook}, as this kernel has it now", "strong"),
        Table(head, rows),
    ]
    for one in found.crossings:
        said = advice(one, notebook)
        if said is not None:
            parts += [Line(f"! {said[0]}"), Line(said[1], "quiet")]
    shared = [one for one in found.crossings if len(one.names) > 1]
    parts += [Line(f"{' and '.join(one.names)} share something changeable and go together.", "quiet") for one in shared]
    if found.absent:
        parts.append(Line(f"Not in this kernel yet: {', '.join(found.absent)}. Run their cells, and look again.", "quiet"))
    return Page(tuple(parts))
