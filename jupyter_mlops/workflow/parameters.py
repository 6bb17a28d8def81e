"""Values for a run's parameters: checked against the pipeline before anything starts.

Values come typed (REST, magics) or as text (command line). Text is read by the parameter's type, so that ``-p name=1`` is
the text ``1`` for a ``str`` and a number for an ``int``.
"""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Mapping
from typing import Any

from jupyter_mlops.errors import Where, WrongUsage
from jupyter_mlops.pipeline.pipeline import Parameter, Pipeline
from jupyter_mlops.workflow.limits import MAX_ARGUMENT

LARGEST = MAX_ARGUMENT - 1024
"""Bytes of a value as JSON: each is an argument of a step's program, beside its name."""

TRUE, FALSE = frozenset({"true", "1", "yes", "on"}), frozenset({"false", "0", "no", "off"})
EXPECTED = {
    "int": "a whole number",
    "float": "a number (inf and nan are none to JSON, in which values travel)",
    "bool": "true or false",
    "str": "a text",
    "none": "JSON",
    "list": "a JSON list such as [1, 2]",
    "dict": 'a JSON object such as {"a": 1}',
}


def check_parameters(pipeline: Pipeline, given: Mapping[str, Any]) -> dict[str, Any]:
    """Every parameter of the pipeline with its value: the given one where there is one, else the default.

    Raises:
        WrongUsage: ``unknown-parameter`` or ``bad-parameter``, naming it and what there is.
    """
    known = {parameter.name: parameter for parameter in pipeline.parameters}
    for name in given:
        if name not in known:
            raise _unknown(name, list(known), pipeline.notebook)
    found = {
        name: _value(parameter, given[name], pipeline.notebook) if name in given else parameter.default
        for name, parameter in known.items()
    }
    for name, value in found.items():
        _check_travels(known[name], value, pipeline.notebook)
    return found


def _check_travels(parameter: Parameter, value: Any, notebook: str) -> None:
    """A value goes to its step as an argument in UTF-8, of which neither kernel nor Argo takes a longer one."""
    where = Where(notebook, parameter.cell, parameter.line, parameter.name)
    try:
        size = len(json.dumps(value, ensure_ascii=False).encode())
    except UnicodeEncodeError:
        fix = "Take the half of a surrogate pair out of it."
        raise WrongUsage(f"parameter {parameter.name} holds what is no Unicode text", "bad-parameter", fix, where) from None
    if size > LARGEST:
        message = f"parameter {parameter.name} takes {size} bytes; {LARGEST} are the limit"
        raise WrongUsage(message, "bad-parameter", "Write it to a file beside the notebook, and read that.", where)


def _unknown(name: str, known: list[str], notebook: str) -> WrongUsage:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"Did you mean {near[0]}? " if near else ""
    there = f"There are: {', '.join(known)}." if known else "The notebook has none: tag a cell with `parameters`."
    return WrongUsage(f"{notebook} has no parameter {name}", "unknown-parameter", hint + there, Where(notebook, field=name))


def _value(parameter: Parameter, given: Any, notebook: str) -> Any:
    try:
        if parameter.type == "enum":
            return _choice(parameter, given)
        if given is None or (given == "null" and parameter.type != "str"):
            return _none(parameter)
        return _from_text(parameter.type, given) if isinstance(given, str) else _typed(parameter.type, given)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        expected = f"one of {_shown(parameter.choices)}" if parameter.type == "enum" else EXPECTED[parameter.type]
        message = f"parameter {parameter.name} is {_text(given)[:60]!r}; expected {expected}"
        fix = f"Its default is {json.dumps(parameter.default, ensure_ascii=False)}."
        raise WrongUsage(message, "bad-parameter", fix, Where(notebook, parameter.cell, parameter.line, parameter.name)) from error


def _text(given: Any) -> str:
    """A value in words; an integer of more than 4,300 digits has none."""
    try:
        return str(given)
    except (ValueError, RecursionError):
        return f"a very long {type(given).__name__}"


def _shown(choices: tuple[Any, ...]) -> str:
    return ", ".join(json.dumps(choice, ensure_ascii=False) for choice in choices)


def _none(parameter: Parameter) -> None:
    """None, for parameters whose default says that it may be None."""
    if parameter.default is not None:
        raise ValueError(parameter.name)


def _choice(parameter: Parameter, given: Any) -> Any:
    """The choice that is the given value, or whose text or JSON it is."""
    for choice in parameter.choices:
        if type(given) is type(choice) and given == choice:
            return choice
    for choice in parameter.choices:
        if isinstance(given, str) and given in {str(choice), json.dumps(choice)}:
            return choice
    if given is None or given == "null":
        return _none(parameter)
    raise ValueError(given)


def _from_text(kind: str, text: str) -> Any:
    """A value from the command line."""
    if kind == "str":
        return text
    if kind == "bool":
        if text.lower() in TRUE | FALSE:
            return text.lower() in TRUE
        raise ValueError(text)
    if kind == "int":
        return int(text)
    if kind == "float":
        return _typed("float", float(text))
    if kind == "none":
        return _typed("none", _json_or_text(text))
    return _typed(kind, json.loads(text, parse_constant=_refuse))


def _json_or_text(text: str) -> Any:
    """For a parameter without a type: JSON if it is, else the text itself."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except ValueError:
        return text


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


def _typed(kind: str, given: Any) -> Any:
    """A value that came typed, if the parameter takes it."""
    number = isinstance(given, (int, float)) and not isinstance(given, bool)
    finite = isinstance(given, int) or (number and math.isfinite(given))
    fits = {
        "int": number and finite and given == int(given),
        "float": number and finite,
        "bool": isinstance(given, bool),
        "str": isinstance(given, str),
        "list": isinstance(given, list),
        "dict": isinstance(given, dict),
        "none": True,
    }
    if not fits[kind]:
        raise ValueError(given)
    if kind in {"none", "list", "dict", "int"}:
        json.dumps(given, allow_nan=False)  # raises where a run could not be given it
    return {"int": int, "float": float}[kind](given) if kind in {"int", "float"} else given
