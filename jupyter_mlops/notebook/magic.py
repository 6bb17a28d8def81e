"""The lines of a cell that speak to this product: ``%%step NAME [options]``, ``%mlops …`` and ``%load_ext jupyter_mlops``.

They are for the person at the notebook. In a pipeline ``%%step`` names the step and its body is the cell's code; the others
run nowhere. Lines are blanked, never removed, so that a line number still means the same line of the cell.
"""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

STEP = re.compile(r"^%%step\b[ \t]*(?P<line>[^\n]*)")
PRODUCT_LINE = re.compile(r"^[ \t]*%(?:mlops\b|(?:re|un)?load_ext[ \t]+jupyter_mlops\b)")
MENTIONED = ("%mlops", "jupyter_mlops", "%%step")

FLAGS: Mapping[str, str] = {
    "--gpu": "gpu",
    "--gpu-resource": "gpu_resource",
    "--cpu": "cpu",
    "--memory": "memory",
    "--shm": "shm",
    "--queue": "queue",
    "--image": "image",
    "--retries": "retries",
    "--timeout": "timeout",
    "--output": "outputs",
    "--env": "env",
    "--secret": "secrets",
    "--node-selector": "node_selector",
    "--resource": "resources",
    "--toleration": "tolerations",
    "--volume": "volumes",
    "--cache": "cache",
    "--each": "each",
    "--when": "when",
    "--finally": "finally",
}
"""Option of ``%%step`` → key of the metadata schema."""

PAIRS = frozenset({"env", "node_selector", "resources"})
NUMBERS = frozenset({"gpu", "retries"})


@dataclass(frozen=True, slots=True)
class StepLine:
    """A parsed ``%%step`` line: the step's name, its options as the metadata schema has them, and what could not be read."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


def step_line(source: str) -> StepLine | None:
    """The ``%%step`` line of a cell, or None where its first line that is not blank is something else."""
    match = STEP.match(source.lstrip("\n \t"))
    return parse_step(match["line"]) if match else None


def parse_step(line: str) -> StepLine:
    """What follows ``%%step``: ``NAME [--gpu N] [--cpu Q] [--memory Q] [--image REF] [--output model] …``, see docs/metadata.md."""
    try:
        words = shlex.split(line)
    except ValueError as error:
        return StepLine("", problems=(f"the line cannot be read: {error}",))
    names: list[str] = []
    options: dict[str, Any] = {}
    problems: list[str] = []
    rest = iter(words)
    for word in rest:
        if not word.startswith("-"):
            names.append(word)
            continue
        flag, equals, value = word.partition("=")
        key = FLAGS.get(flag)
        if key is None:
            problems.append(f"unknown option {flag}; there are {', '.join(sorted(FLAGS))}")
            continue
        if not equals:
            value = next(rest, "")
        problem = _take(options, key, value)
        if problem:
            problems.append(f"{flag}: {problem}")
    if not names or (len(names) > 1 and not problems):  # the value of an unknown option looks like a name
        problems.append("it needs one name" if not names else f"it takes one name, not {' '.join(names)}")
    return StepLine(names[0] if names else "", options, tuple(problems))


def _take(options: dict[str, Any], key: str, value: str) -> str:
    """Put one option's value into the schema's shape; the problem, or ''."""
    if not value:
        return "a value is missing"
    if key in PAIRS:
        name, equals, text = value.partition("=")
        if not equals:
            return f"expected NAME=VALUE, not {value!r}"
        options.setdefault(key, {})[name] = text
    elif key == "secrets":
        match = re.fullmatch(r"([^=]+)=([^:=]+):([^:=]+)", value)
        if not match:
            return "expected ENV=SECRET:KEY"
        options.setdefault(key, []).append({"env": match[1], "secret": match[2], "key": match[3]})
    elif key == "outputs":
        options.setdefault(key, []).append(value)
    elif key == "tolerations":
        match = re.fullmatch(r"([^=:]+)(?:=([^=:]*))?(?::(\w+))?", value)
        if not match:
            return "expected KEY[=VALUE][:EFFECT]"
        told = {"key": match[1], "operator": "Exists"} if match[2] is None else {"key": match[1], "value": match[2]}
        options.setdefault(key, []).append(told | ({"effect": match[3]} if match[3] else {}))
    elif key == "volumes":
        match = re.fullmatch(r"([^:]*):(/[^:]*)(:ro)?", value)
        if not match:
            return "expected CLAIM:/path, CLAIM:/path:ro, or :/path for an empty folder"
        claim = {"claim": match[1]} if match[1] else {}
        options.setdefault(key, []).append({**claim, "mount": match[2], **({"read_only": True} if match[3] else {})})
    elif key == "finally":
        options[key] = value == "true" or value
    else:
        options[key] = int(value) if key in NUMBERS and value.isdecimal() else value
    return ""


def strip_product_lines(source: str) -> str:
    """The code of a cell without the lines that speak to this product, every other line on its number.

    An indented line becomes ``pass``, since its block may hold nothing else. Text that only looks like such a line (inside a
    string of a cell that is plain Python) stays.
    """
    if not any(word in source for word in MENTIONED) or _is_python(source):
        return source
    lines = source.split("\n")
    first = next((i for i, line in enumerate(lines) if line.strip()), 0)
    if STEP.match(lines[first].lstrip()):
        lines[first] = ""
    i = 0
    while i < len(lines):
        if PRODUCT_LINE.match(lines[i]):
            indent = lines[i][: len(lines[i]) - len(lines[i].lstrip())]
            while lines[i].endswith("\\") and i + 1 < len(lines):
                lines[i] = ""
                i += 1
            lines[i] = f"{indent}pass" if indent else ""
        i += 1
    return "\n".join(lines)


def _is_python(source: str) -> bool:
    try:
        ast.parse(source)
    except (SyntaxError, ValueError):
        return False
    return True
