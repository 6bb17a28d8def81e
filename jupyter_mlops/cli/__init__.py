"""``jupyter mlops …``: the product from a terminal or a script.

``main`` finds the command and imports that command alone: ``--help`` and a typing error answer before anything heavy is
loaded. Each command is a module with ``HELP``, ``EXAMPLES``, ``configure`` (its arguments) and ``run`` (what it does).
"""

from __future__ import annotations

from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of the console script ``jupyter-mlops``; returns the exit code."""
    import sys

    from jupyter_mlops.cli.command import execute

    return execute(sys.argv[1:] if argv is None else list(argv))
