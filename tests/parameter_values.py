"""Parameters of every kind, with values that lose something easily, and the notebook that shows what arrives."""

from __future__ import annotations

import json
from typing import Any

VALUES: dict[str, tuple[str, Any, str]] = {
    "negative": ("-1", -20, "-20"),
    "big": ("1", 2**70 + 1, str(2**70 + 1)),
    "small": ("0.5", 5e-324, "5e-324"),
    "exact": ("0.5", 0.1 + 0.2, "0.30000000000000004"),
    "whole": ("1.0", 3.0, "3"),
    "switch": ("False", True, "yes"),
    "text": ("'a'", 'it\'s "q" {{workflow.name}} {{=1}} %s \\ $x `y` ü\u20ac\U0001f600\tend', 'it\'s "q" {{workflow.name}} {{=1}} %s \\ $x `y` ü\u20ac\U0001f600\tend'),
    "number_like": ("'a'", "007", "007"),
    "empty": ("'a'", "", ""),
    "nothing": ("None", None, "null"),
    "something": ("None", {"a": [None, -1]}, '{"a": [null, -1]}'),
    "many": ("[]", [1, -2.5, None, True, "{{x}}", [[]], {"k": "ü"}], '[1, -2.5, null, true, "{{x}}", [[]], {"k": "ü"}]'),
    "table": ("{}", {"{{k}}": {"deep": [0.1]}, "": -0.0}, '{"{{k}}": {"deep": [0.1]}, "": -0.0}'),
    "mode": ("'fast'", "slow & sure", "slow & sure"),
    "level": ("1", 2, "2"),
}  # fmt: skip
"""Name → default as source, value, and the value as the command line has it."""

ANNOTATIONS = {"mode": ": Literal['fast', 'slow & sure']", "level": ": Literal[1, 2]", "whole": ": float"}
TYPED: dict[str, Any] = {name: value for name, (_, value, _) in VALUES.items()}
WRITTEN: dict[str, str] = {name: text for name, (_, _, text) in VALUES.items()}


def notebook() -> str:
    """Three steps: the parameters, what of them is used, and a cell that uses none."""
    lines = [f"{name}{ANNOTATIONS.get(name, '')} = {default}" for name, (default, _, _) in VALUES.items()]
    shown = f"import json\nvalues = {{name: globals()[name] for name in {sorted(VALUES)!r}}}\nprint(repr(values))"
    cells = [
        ("from typing import Literal\n" + "\n".join(lines), ["parameters", "step:setup"]),
        (shown, ["step:show"]),
        ("print('none')", ["step:other"]),
    ]
    made: list[dict[str, Any]] = [
        {"cell_type": "code", "id": f"c{n}", "metadata": {"tags": tags}, "source": source, "outputs": [], "execution_count": None}
        for n, (source, tags) in enumerate(cells)
    ]
    spec = {"kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}}
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": spec, "cells": made})


def expected() -> str:
    """What the second cell prints."""
    return repr({name: TYPED[name] for name in sorted(TYPED)}) + "\n"
