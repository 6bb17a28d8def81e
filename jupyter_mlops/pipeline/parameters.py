"""The parameters of a notebook: what the cell tagged ``parameters`` assigns, with types, and never as source text.

A default is a literal, so that a run can be given another one as JSON. What is computed there stays code, which a warning
says: a person who expects to set it would otherwise wonder in silence.
"""

from __future__ import annotations

import ast
import io
import json
import math
import re
import tokenize
from collections.abc import Iterable, Iterator
from typing import Any

from jupyter_mlops.errors import Diagnostic
from jupyter_mlops.notebook.document import Cell
from jupyter_mlops.notebook.magic import strip_product_lines
from jupyter_mlops.notebook.syntax import NotPython, translate
from jupyter_mlops.pipeline.pipeline import Parameter

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
"""Argo's parameter names hold ASCII only."""

TYPES: tuple[tuple[type, str], ...] = (
    (bool, "bool"), (int, "int"), (float, "float"), (str, "str"), (type(None), "none"), (list, "list"), (dict, "dict"),
)  # fmt: skip
"""In this order, since a bool is an int."""

ANNOTATED = {
    "int": "int",
    "float": "float",
    "bool": "bool",
    "str": "str",
    "list": "list",
    "List": "list",
    "dict": "dict",
    "Dict": "dict",
}


ARTICLE = {
    "int": "a whole number", "float": "a number with a fraction", "bool": "a truth value", "str": "a text", "list": "a list",
    "dict": "a dict",
}  # fmt: skip


def type_name(value: Any) -> str:
    """The parameter type of a JSON-like value."""
    return next(name for kind, name in TYPES if isinstance(value, kind))


def read_parameters(cells: Iterable[Cell]) -> tuple[tuple[Parameter, ...], list[Diagnostic]]:
    """The parameters that these cells define. Of two definitions the later one counts, as it does in the notebook."""
    parameters: dict[str, Parameter] = {}
    found: list[Diagnostic] = []
    for cell in cells:
        try:
            python = translate(strip_product_lines(cell.source))
        except NotPython:  # the scan says so
            continue
        comments = _comments(python.text)
        for name, value, annotation, line in _assignments(python.tree):
            at = python.origin(line)
            parameter = _parameter(
                name, value, annotation, Parameter(name, "none", None, cell.index, at, (), comments.get(line, ""))
            )
            if isinstance(parameter, str):
                message = f"{name} in cell {cell.index} is not a parameter: {parameter}"
                fix = "Assign a literal (number, text, bool, None, list or dict), or move the line to another cell."
                found.append(Diagnostic("parameter-not-literal", "warning", message, cell.index, at, fix))
                continue
            if annotation is not None and (said := _contradiction(annotation, parameter)):
                message = f"{name} in cell {cell.index} is annotated {ast.unparse(annotation)}, but its default is {said}"
                fix = f"A run takes the type of the default ({parameter.type}): correct the annotation, or the default."
                found.append(Diagnostic("parameter-annotation", "warning", message, cell.index, at, fix))
            if name in parameters and parameters[name].cell != cell.index:
                message = f"parameter {name} is defined again in cell {cell.index}; this definition counts"
                found.append(Diagnostic("duplicate-parameter", "warning", message, cell.index, at, "Define it once."))
            parameters[name] = parameter
    return tuple(parameters.values()), found


def _assignments(tree: ast.Module) -> Iterator[tuple[str, ast.expr, ast.expr | None, int]]:
    """(name, value, annotation, line) of each plain assignment at the top of a cell."""
    for node in tree.body:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    yield target.id, node.value, None, node.lineno
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            yield node.target.id, node.value, node.annotation, node.lineno


def _parameter(name: str, value: ast.expr, annotation: ast.expr | None, draft: Parameter) -> Parameter | str:
    """The parameter, or why it is none."""
    if not NAME.fullmatch(name):
        return "its name holds letters that Argo does not take in a parameter"
    try:
        default = ast.literal_eval(value)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return "its value is computed, not a literal"
    if not _is_json(default):
        return "its value is no JSON value"
    kind, choices = type_name(default), ()
    if annotation is not None:
        kind, choices = _annotated(annotation, kind, default)
    return Parameter(name, kind, default, draft.cell, draft.line, choices, draft.description)


def _is_json(value: Any) -> bool:
    """Whether JSON gives back the very value: no tuples, sets, bytes, NaN, no keys that are not text."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, list):
        return all(map(_is_json, value))
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_json(item) for key, item in value.items())
    return value is None or isinstance(value, (bool, int, str))


def _annotated(annotation: ast.expr, kind: str, default: Any) -> tuple[str, tuple[Any, ...]]:
    """The type that an annotation names, and the choices of a ``Literal``; an annotation that says another thing is ignored."""
    alternatives = [part for part in _alternatives(_unquoted(annotation)) if not _is_none(part)]
    if len(alternatives) != 1:
        return kind, ()
    node = alternatives[0]
    if (choices := _choices(node)) is not None:
        return ("enum", choices) if _among(default, choices) or default is None else (kind, ())
    named = ANNOTATED.get(_last_name(node.value if isinstance(node, ast.Subscript) else node), kind)
    fits = default is None or named == kind or (named, kind) == ("float", "int")
    return (named if fits else kind), ()


def _contradiction(annotation: ast.expr, parameter: Parameter) -> str:
    """How an annotation says another thing than the default, which is told; '' where it does not, or names what is not known."""
    default, kind = parameter.default, type_name(parameter.default)
    if default is None or parameter.type == "enum":
        return ""
    for node in _alternatives(_unquoted(annotation)):
        choices = _choices(node)
        named = ANNOTATED.get(_last_name(node.value if isinstance(node, ast.Subscript) else node))
        fits = named == kind or (named, kind) in {("float", "int"), ("int", "bool"), ("float", "bool")}
        if fits or _among(default, choices or ()) or (named is None and choices is None and not _is_none(node)):
            return ""
    return f"{json.dumps(default, ensure_ascii=False)[:60]}, {ARTICLE[kind]}"


def _among(value: Any, choices: tuple[Any, ...]) -> bool:
    """Whether a value is one of the choices; 1 is neither True nor 1.0."""
    return any(type(value) is type(choice) and value == choice for choice in choices)


def _choices(node: ast.expr) -> tuple[Any, ...] | None:
    """The values of a ``Literal``; None for anything else."""
    if not (isinstance(node, ast.Subscript) and _last_name(node.value) == "Literal"):
        return None
    try:
        return tuple(ast.literal_eval(part) for part in (node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]))
    except ValueError:
        return None


def _unquoted(annotation: ast.expr) -> ast.expr:
    """An annotation that is written as a text, read."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        try:
            return ast.parse(annotation.value, mode="eval").body
        except SyntaxError:
            return annotation
    return annotation


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _alternatives(node: ast.expr) -> list[ast.expr]:
    """The parts of ``A | B``, ``Optional[A]`` and ``Union[A, B]``."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _alternatives(node.left) + _alternatives(node.right)
    if isinstance(node, ast.Subscript) and _last_name(node.value) in {"Optional", "Union"}:
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        return [alternative for part in parts for alternative in _alternatives(part)]
    return [node]


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _comments(text: str) -> dict[int, str]:
    """Line → the comment at its end; a comment on a line of its own describes nothing."""
    found: dict[int, str] = {}
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT and token.line[: token.start[1]].strip():
                found[token.start[0]] = token.string.lstrip("#: ").rstrip()
    except (tokenize.TokenError, SyntaxError):  # IPython's translation may hold what only the compiler reads
        pass
    return found
