"""The text that starts a step's container, as the runner ships it.

It is data to the compiler: ``runner`` stands apart from the flow (it travels into steps), so its file is read as a packaged
resource and never imported.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

LIMIT = 4096
"""Bytes; the text stands in the manifest once for each container template."""


@cache
def bootstrap_text() -> str:
    """Standard-library Python, at most ``LIMIT`` bytes: without empty lines and those for our linters, indented by one space."""
    text = files("jupyter_mlops.runner").joinpath("bootstrap.py").read_text(encoding="utf-8")
    lines = (line for line in text.splitlines(keepends=True) if line.strip() and not line.startswith(("# mypy:", "# ruff:")))
    return "".join(" " * ((len(line) - len(line.lstrip(" "))) // 2) + line.lstrip(" ") for line in lines)
