"""The real command line in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, which must be one JSON document and nothing else."""
        return json.loads(self.out)


@pytest.fixture
def environment(mlops_home: Path, tmp_path: Path) -> dict[str, str]:
    """Variables of a command: a home of the test's own, no colours, no Jupyter of anybody else."""
    return {**os.environ, "JUPYTER_MLOPS_HOME": str(mlops_home), "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"), "NO_COLOR": "1"}


@pytest.fixture
def mlops(environment: dict[str, str], tmp_path: Path) -> Callable[..., Done]:
    """``mlops("run", "a.ipynb", "--json")``."""

    def call(*words: str, stdin: str = "", timeout: float = 120) -> Done:
        done = subprocess.run(
            [sys.executable, "-m", "jupyter_mlops.cli", *words],
            input=stdin, capture_output=True, text=True, env=environment, cwd=tmp_path, timeout=timeout, check=False,
        )  # fmt: skip
        return Done(done.returncode, done.stdout, done.stderr)

    return call
