"""What a person asked of a cell, from four views of the same metadata: the ``mlops`` key, ``%%step``, plain tags, Kale's tags.

Read tolerantly and once; later rooms see only a ``Request``. Where two views name the same thing, the more deliberate one
counts: ``mlops`` metadata, then ``%%step``, then tags. Kale's tags name steps, parameters and resources; they never
change a result. A value that cannot be right is an error with its cell, since running without the GPU or the secret that
was asked for would be a silent difference; an unknown key or option is only a warning.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from jupyter_mlops.errors import Diagnostic
from jupyter_mlops.notebook.document import Cell, Notebook
from jupyter_mlops.notebook.magic import FLAGS, step_line
from jupyter_mlops.notebook.schema import KEYS, Unfit

KEY = "mlops"
FLAG_OF = {key: flag for flag, key in FLAGS.items()}
PARAMETER_TAGS = frozenset({"parameters", "pipeline-parameters"})
JOINS = frozenset({"imports", "functions", "pipeline-metrics"})
"""Kale's tags that say what a cell holds but not which step it is in: such a cell joins the step above."""

GPU_VENDORS = ("nvidia.com/", "amd.com/", "gpu.intel.com/", "habana.ai/")
DOCS = "docs/metadata.md lists the keys and their values."


@dataclass(frozen=True, slots=True)
class Request:
    """What one cell asks for. ``options`` holds values as ``pipeline.Options`` has them, only those that were given."""

    cell: int
    step: str | None = None
    skip: bool = False
    parameters: bool = False
    prev: tuple[str, ...] = ()
    """Steps that Kale's ``prev:`` tags name."""

    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Requests:
    """All requests of a notebook, by cell index, the defaults of every step, and what was wrong with them."""

    cells: Mapping[int, Request]
    defaults: Mapping[str, Any]
    diagnostics: tuple[Diagnostic, ...]


def read_requests(notebook: Notebook) -> Requests:
    """The requests of every code cell and of the notebook."""
    found: list[Diagnostic] = []
    defaults = _options(notebook.metadata.get(KEY), found, None)
    return Requests({cell.index: _request(cell, found) for cell in notebook.code}, defaults, tuple(found))


def unfit(options: Mapping[str, Any]) -> dict[str, str]:
    """Why values of a cell's ``mlops`` metadata do not fit, by their key: what a form shows at the field.

    The words are those of the finding that refuses the notebook. Keys that are not known have none: they are kept.
    """
    said = {}
    for name, value in options.items():
        key = KEYS.get(name)
        if key is not None and key.cell and value is not None:
            try:
                key.read(value)
            except Unfit as error:
                said[name] = str(error)
    return said


def _request(cell: Cell, found: list[Diagnostic]) -> Request:
    """One cell's request: tags first, then what overrides them."""
    step, skip, parameters, prev, tagged = _from_tags(cell, found)
    values: dict[str, Any] = dict(tagged)
    line = step_line(cell.source)
    if line is not None:
        for problem in line.problems:
            message = f"%%step in cell {cell.index}: {problem}"
            found.append(
                Diagnostic("invalid-metadata", "error", message, cell.index, _first_line(cell), "Use %%step NAME [options].")
            )
        step = line.name or step
        values |= _checked(line.options, found, cell.index, "%%step", _first_line(cell))
    own = _options(cell.metadata.get(KEY), found, cell.index)
    values |= own
    step, skip = values.pop("step", step), values.pop("skip", skip)
    return Request(cell.index, step, skip, parameters, prev, values)


def _first_line(cell: Cell) -> int:
    """Number of the first line that is not blank."""
    return next((i for i, line in enumerate(cell.source.split("\n"), 1) if line.strip()), 1)


def _options(raw: Any, found: list[Diagnostic], cell: int | None) -> dict[str, Any]:
    """The values under ``mlops`` of a cell, or of the notebook where ``cell`` is None."""
    if raw is None:
        return {}
    place = "the notebook" if cell is None else f"cell {cell}"
    if not isinstance(raw, Mapping):
        message = f"the metadata {KEY!r} of {place} is not an object"
        found.append(Diagnostic("invalid-metadata", "error", message, cell, fix=DOCS))
        return {}
    return _checked(raw, found, cell, "metadata", None)


def _checked(raw: Mapping[str, Any], found: list[Diagnostic], cell: int | None, view: str, line: int | None) -> dict[str, Any]:
    """Values that fit, as the schema's readers return them; a diagnostic for every other."""
    values: dict[str, Any] = {}
    for name, value in raw.items():
        key = KEYS.get(name)
        if key is None or not (key.notebook if cell is None else key.cell):
            found.append(_unknown_key(str(name), cell, key is not None))
            continue
        if value is None:
            continue
        try:
            values[name] = key.read(value)
        except Unfit as error:
            label = FLAG_OF.get(name, name) if view == "%%step" else name
            message = f"{label} {_place(cell)} is {_shown(name, value)}: {error}"
            found.append(Diagnostic("invalid-metadata", "error", message, cell, line, DOCS))
    return values


def _shown(name: str, value: Any) -> str:
    """A value for a message; what could be a secret is never repeated."""
    return "not fit" if name in {"secrets", "env"} else repr(value)[:60]


def _place(cell: int | None) -> str:
    return "of the notebook" if cell is None else f"of cell {cell}"


def _unknown_key(name: str, cell: int | None, known: bool) -> Diagnostic:
    if known and cell is not None:
        message, fix = f"the key {name!r} {_place(cell)} belongs to the notebook", "Move it to the metadata of the notebook."
    elif known:
        message, fix = f"the key {name!r} {_place(cell)} belongs to a cell", "Move it to the metadata of a cell."
    else:
        near = difflib.get_close_matches(name, KEYS, n=1)
        message = f"unknown key {name!r} in the metadata {KEY!r} {_place(cell)}"
        fix = f"Did you mean {near[0]!r}? {DOCS}" if near else DOCS
    return Diagnostic("invalid-metadata", "warning", message, cell, fix=fix)


def _from_tags(cell: Cell, found: list[Diagnostic]) -> tuple[str | None, bool, bool, tuple[str, ...], dict[str, Any]]:
    """Step, skip, parameters, prev and options that plain tags and Kale's tags name."""
    step: str | None = None
    prev: list[str] = []
    values: dict[str, Any] = {}
    for tag in cell.tags:
        kind, colon, rest = tag.partition(":")
        if not colon:
            continue
        if kind in {"step", "block"} and rest.strip(" ;"):
            step = rest.split(";")[0].strip()
        elif kind == "prev":
            prev += [name.strip() for name in rest.split(";") if name.strip()]
        else:
            for key, value in _kale_options(kind, rest):
                try:
                    _merge(values, key, KEYS[key].read(value))
                except Unfit as error:  # noqa: PERF203 - a few tags
                    message = f"tag {tag!r} of cell {cell.index}: {error}"
                    found.append(Diagnostic("invalid-metadata", "error", message, cell.index, fix="Correct or remove the tag."))
    tags = set(cell.tags)
    return step, "skip" in tags, bool(tags & PARAMETER_TAGS), tuple(prev), values


def _merge(values: dict[str, Any], key: str, value: Any) -> None:
    """Several tags may fill one key that holds several things."""
    old = values.get(key)
    if isinstance(old, dict):
        values[key] = {**old, **value}
    elif isinstance(old, tuple):
        values[key] = old + value
    else:
        values[key] = value


def _kale_options(kind: str, rest: str) -> Iterator[tuple[str, Any]]:
    """Kale's ``limit:NAME:VALUE``, ``image:REF``, ``secret:NAME:KEY:ENV`` as keys of the schema; other tags mean nothing."""
    if kind == "image" and rest:
        yield "image", rest
    elif kind == "secret":
        name, _, tail = rest.partition(":")
        key, _, env = tail.partition(":")
        yield "secrets", [{"secret": name, "key": key, "env": env}]
    elif kind == "limit":
        name, _, value = rest.rpartition(":")
        if name in {"cpu", "memory"}:
            yield name, value
        elif name.startswith(GPU_VENDORS) or re.search(r"\bgpu\b", name):
            yield "gpu", int(value) if value.isdecimal() else value
            yield "gpu_resource", name
        else:
            yield "resources", {name: value}
