"""What a step evaluates at its end for the step after it: whether it runs, or the items it runs for.

The expression stands in the notebook's metadata and is Python, like the cells beside it; it is read where their names are. Only
JSON leaves the session, so that an item is the same value on every engine.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_mlops.errors import Where, WrongUsage
from jupyter_mlops.runner.plan import Ask, Plan

MOST_ITEMS = 500
"""Branches of one step at most: Argo keeps a node of a kB or two for each in an object of 1 MiB."""

MOST_BYTES = 65_536
"""Bytes of all items as they stand in the Workflow's status."""


def answer(ask: Ask, namespace: Mapping[str, Any], plan: Plan, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """``{"go": bool}`` or ``{"items": list}``.

    Raises:
        WrongUsage: code ``control-flow``: the expression fails, or its value is no list of JSON values; no true or false.
    """
    values = {parameter.name: parameters.get(parameter.name, parameter.default) for parameter in plan.parameters}
    try:
        found = eval(compile(ask.expression, f"<{ask.kind} of {ask.step}>", "eval"), {**values, **namespace})  # noqa: S307
        if ask.kind == "when":
            return {"go": bool(found)}
    except Exception as error:
        raise _wrong(ask, f"{type(error).__name__}: {error}", "Correct the expression, or the names that it reads.") from error
    if not isinstance(found, (list, tuple, range)):
        raise _wrong(ask, f"it is a {type(found).__name__}, not a list", "Make it a list.")
    items = list(found)
    for place, item in enumerate(items):
        if not _is_json(item):
            fix = "Use numbers, texts, True, False, None, and lists and dicts of them (`.tolist()` of an array)."
            raise _wrong(ask, f"item {place} is a {type(item).__name__}, which JSON does not hold", fix)
    if len(items) > MOST_ITEMS:
        raise _wrong(ask, f"it has {len(items)} items; {MOST_ITEMS} are the limit", "Let each item stand for several values.")
    if len(items_text(items)) > MOST_BYTES:
        raise _wrong(ask, f"its items take more than {MOST_BYTES} bytes", "Let items be indices or names, and look the rest up.")
    return {"items": items}


def _wrong(ask: Ask, what: str, fix: str) -> WrongUsage:
    return WrongUsage(
        f"{ask.kind} of step {ask.step}, {ask.expression!r}: {what}", code="control-flow", fix=fix, where=Where(cell=ask.cell)
    )


def _is_json(value: Any) -> bool:
    """Whether JSON gives back the very value."""
    if isinstance(value, float):
        return type(value) is float and math.isfinite(value)
    if isinstance(value, list):
        return all(map(_is_json, value))
    if isinstance(value, dict):
        return all(type(key) is str and _is_json(item) for key, item in value.items())
    return value is None or type(value) in {bool, int, str}


def write_answer(found: Mapping[str, Any], out: Path) -> None:
    """Put an answer where the Workflow reads it."""
    out.mkdir(parents=True, exist_ok=True)
    if "go" in found:
        (out / "go").write_text("true" if found["go"] else "false")
    if "items" in found:
        (out / "items").write_text(items_text(found["items"]))


def items_text(items: list[Any]) -> str:
    """Items as ``withParam`` takes them: texts ``INDEX:JSON``, the JSON with ``=XX`` for all that Argo could touch."""
    return json.dumps([f"{index}:{_item_text(item)}" for index, item in enumerate(items)])


def _item_text(item: Any) -> str:
    return re.sub(r"[^A-Za-z0-9.,:+_-]", lambda found: f"={ord(found[0]):02X}", json.dumps(item, ensure_ascii=True))
