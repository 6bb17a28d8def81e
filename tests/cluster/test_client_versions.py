"""Both ends of the versions of ``kubernetes`` that are supported: the tests of cluster access, each in an environment of its own.

On demand (``-m "slow and cluster"``): it installs packages, and takes a minute for each.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_mlops.cluster.base import Cluster

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "packages",
    [["kubernetes==26.1.0", "urllib3<2"], ["kubernetes==26.1.0"], ["kubernetes"]],
    ids=["oldest-with-old-urllib3", "oldest", "newest"],
)
def test_access_with_this_client(cluster: Cluster, tmp_path: Path, packages: list[str]) -> None:
    python = tmp_path / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", tmp_path], check=True)
    wanted = [*packages, "pytest", "pytest-timeout", "msgspec", "filelock", "pyyaml"]
    installed = subprocess.run([python, "-m", "pip", "install", "-q", *wanted], capture_output=True, text=True)
    if installed.returncode:
        pytest.skip(f"NOT RUN: {packages} cannot be installed here: {installed.stderr.strip()[-300:]}")
    for folder, tests in (("tests/unit/cluster", "tests/unit/cluster"), ("tests/cluster", "tests/cluster/test_access.py")):
        done = subprocess.run(
            # Older clients leave a file open when a provider renews a token: theirs, and no failure of ours.
            [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not slow", f"--confcutdir={folder}", tests]
            + ["-W", "ignore::pytest.PytestUnraisableExceptionWarning"],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout[-5000:]
        assert " passed" in done.stdout
