"""Both ends of the versions of ``kubernetes`` that are supported: the tests of cluster access, with the client of other environments.

On demand, since it needs environments that somebody prepared (a cluster's network may reach no package index)::

    python -m venv oldest && oldest/bin/pip install "kubernetes==26.1.0" "urllib3<2" pytest pytest-timeout msgspec filelock pyyaml
    CLUSTER_CLIENTS=oldest/bin/python pytest -m "slow and cluster" tests/cluster/test_client_versions.py

Several are separated as in PATH.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from jupyter_mlops.cluster.base import Cluster

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
CLIENTS = [Path(part).absolute() for part in os.environ.get("CLUSTER_CLIENTS", "").split(os.pathsep) if part]


def test_environments_were_given() -> None:
    if not CLIENTS:
        pytest.skip("NOT RUN: CLUSTER_CLIENTS names no Python with another version of the kubernetes client")


@pytest.mark.parametrize("tests", ["tests/unit/cluster", "tests/cluster/test_access.py"])
@pytest.mark.parametrize("python", CLIENTS, ids=lambda python: python.parents[1].name)
def test_access_with_this_client(cluster: Cluster, python: Path, tests: str) -> None:
    folder = ROOT / tests if (ROOT / tests).is_dir() else (ROOT / tests).parent
    arguments = ["-q", "-p", "no:cacheprovider", "-m", "not slow", f"--confcutdir={folder}", tests]
    done = subprocess.run(
        # Older clients leave a file open when a provider renews a token: theirs, and no failure of ours.
        [python, "-m", "pytest", *arguments, "-W", "ignore::pytest.PytestUnraisableExceptionWarning"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
