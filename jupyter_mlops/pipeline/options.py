"""What the cells of a step ask for becomes the step's ``Options``.

The notebook's metadata gives the defaults of every step; a step's cells override them, in document order. Objects (``env``,
``resources``, …) are merged by name, lists are joined, and of two cells that ask for different values the first counts,
which is said.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from jupyter_mlops.errors import Diagnostic
from jupyter_mlops.notebook.metadata import Request
from jupyter_mlops.pipeline.pipeline import Options

DEFAULT = Options()
FIELD: Mapping[str, str] = {"finally": "final"}
"""Key of the metadata → field of ``Options``, where Python keeps the key for itself."""

KEY_OF: Mapping[str, str] = {field: key for key, field in FIELD.items()}


def step_options(defaults: Mapping[str, Any], requests: Iterable[Request]) -> tuple[Options, list[Diagnostic]]:
    """The options of one step and what contradicts itself in it."""
    values: dict[str, Any] = {}
    found: list[Diagnostic] = []
    for request in requests:
        for key, value in request.options.items():
            old = values.get(key)
            if isinstance(value, dict):
                found += [
                    _conflict(f"{key}.{name}", request.cell) for name in value if old and old.get(name, value[name]) != value[name]
                ]
                values[key] = {**value, **(old or {})}
            elif isinstance(value, tuple):
                values[key] = (*(old or ()), *(item for item in value if item not in (old or ())))
            elif old is None:
                values[key] = value
            elif old != value:
                found.append(_conflict(key, request.cell))
    for key, value in defaults.items():
        values[key] = {**value, **values.get(key, {})} if isinstance(value, dict) else values.get(key, value)
    return Options(**{FIELD.get(key, key): value for key, value in values.items()}), found


def _conflict(key: str, cell: int) -> Diagnostic:
    message = f"{key} in cell {cell} differs from that of an earlier cell of the same step, which counts"
    return Diagnostic("conflicting-options", "warning", message, cell, fix="Keep the option in one cell of the step.")


def set_options(options: Options) -> dict[str, Any]:
    """Only what is set, as JSON has it: the form of the REST interface and of ``convert --json``."""
    chosen = {f.name: getattr(options, f.name) for f in fields(options) if getattr(options, f.name) != getattr(DEFAULT, f.name)}
    return {KEY_OF.get(name, name): True if name == "final" and value == "" else _plain(value) for name, value in chosen.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    return [_plain(item) for item in value] if isinstance(value, tuple) else value
