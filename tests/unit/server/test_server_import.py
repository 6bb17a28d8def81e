"""What an import costs is what it loads: a kernel does not pay for the server, nor the server for a cluster it may never see."""

from __future__ import annotations

import subprocess
import sys

import pytest

SERVER = ("jupyter_server", "tornado", "traitlets", "jupyterlab")
HEAVY = ("kubernetes", "oras", "argo_workflows", "numpy", "pandas", "sklearn", "IPython", "ipywidgets", "hera")
CASES = {
    "jupyter_mlops": (*SERVER, *HEAVY, "nbformat", "jsonschema", "yaml", "asyncio", "msgspec"),
    "jupyter_mlops.flow": (*SERVER, *HEAVY, "nbformat", "jsonschema", "yaml", "asyncio"),
    "jupyter_mlops.cli.command": (*SERVER, *HEAVY, "nbformat", "jsonschema", "yaml", "asyncio", "msgspec"),
    "jupyter_mlops.server.app": HEAVY,
}


@pytest.mark.parametrize("module", CASES)
def test_importing_loads_none_of(module: str) -> None:
    code = f"import sys, {module}; print(*sorted(n for n in sys.modules if '.' not in n))"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & set(CASES[module])
