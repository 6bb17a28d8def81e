"""What people install: the wheel, in an environment of its own, on a machine without Node."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def run(*command: object, env: dict[str, str] | None = None) -> str:
    done = subprocess.run([str(c) for c in command], cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built by the build backend itself; the front end is the one that the checkout has built."""
    assert (ROOT / "labextension/dist/package.json").exists(), "build the front end first: jlpm build:prod"
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder)
    return next(folder.glob("*.whl"))


def test_the_wheel_holds_both_halves(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert any(n.endswith("labextensions/jupyter-mlops/package.json") for n in names)
    assert any(n.endswith("labextensions/jupyter-mlops/install.json") for n in names)
    assert any(n.endswith("jupyter_server_config.d/jupyter_mlops.json") for n in names)
    assert "jupyter_mlops/server/api.yaml" in names
    assert "jupyter_mlops/runner/bootstrap.py" in names
    assert not [n for n in names if n.startswith(("tests/", "src/", "node_modules/"))]


def test_the_front_end_is_small(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    total = sum(i.file_size for i in archive.infolist() if "/labextensions/" in i.filename and i.filename.endswith(".js"))
    assert 0 < total < 300_000, f"{total} bytes of JavaScript"


def test_it_installs_and_is_enabled_without_node(wheel: Path, tmp_path: Path) -> None:
    home = tmp_path / "env"
    run(sys.executable, "-m", "venv", home)
    binaries = home / "bin"
    run(binaries / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel)
    environ = {
        "PATH": f"{binaries}:/usr/bin:/bin" if not Path("/usr/bin/node").exists() else str(binaries),
        "HOME": str(tmp_path),
        "JUPYTER_MLOPS_HOME": str(tmp_path / "mlops"),
        "LANG": os.environ.get("LANG", "C.UTF-8"),
    }
    server = run(binaries / "jupyter", "server", "extension", "list", env=environ)
    assert "jupyter_mlops" in server
    assert "OK" in server.split("jupyter_mlops", 1)[1]
    lab = run(binaries / "jupyter", "labextension", "list", env=environ)
    row = next(line for line in lab.splitlines() if "jupyter-mlops" in line)
    assert "enabled" in row
    assert "OK" in row
    assert "convert" in run(binaries / "jupyter", "mlops", "--help", env=environ)
