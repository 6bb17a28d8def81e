"""The first module of ours that a step runs: it makes the import of all others quick, and imports them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from jupyter_mlops.runner import compiled


def main(argv: Sequence[str], bundle: str) -> NoReturn:
    """Run a step from its unpacked bundle, as ``jupyter_mlops.runner.main`` does, and end the process."""
    compiled.use(Path(bundle), shared=any(argument.startswith("file:") for argument in argv))
    from jupyter_mlops.runner.main import main as run

    run(argv, bundle)
