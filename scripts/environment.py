"""Makes this checkout ready: an environment of its own in ``.venv``, everything installed, the front end built.

Standard library only, since it runs before anything is installed. Each piece is done again only when what it is made from has
changed, so that the second call takes a second.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
import venv
from collections.abc import Iterable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / "python"
BUILD_NEEDS = (
    "hatchling>=1.5",
    "hatch-nodejs-version>=0.3.2",
    "hatch-jupyter-builder>=0.5",
    "jupyter-builder>=1.2,<2",
    "editables",
)


class Missing(SystemExit):
    """Something that only the person at this machine can install; the message says what and how."""

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(f"\n{what}\n  fix: {fix}")


def run(*command: str | Path, quiet: bool = True, env: Mapping[str, str] | None = None) -> None:
    """Run a command in the checkout; when a quiet one fails, its output is shown."""
    environ = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "VIRTUAL_ENV": str(VENV), **(env or {})}
    words = [str(word) for word in command]
    done = subprocess.run(
        words,
        cwd=ROOT,
        env=environ,
        check=False,
        text=True,
        stdout=subprocess.PIPE if quiet else None,
        stderr=subprocess.STDOUT if quiet else None,
    )
    if done.returncode:
        if quiet:
            print(done.stdout[-8000:])
        raise SystemExit(f"\nfailed ({done.returncode}): {' '.join(words)}")


def digest(paths: Iterable[Path]) -> str:
    """One digest over files and folders, names included."""
    found = hashlib.sha256(sys.version.encode())
    for path in paths:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                found.update(str(file.relative_to(ROOT)).encode() + b"\0" + file.read_bytes())
    return found.hexdigest()


def stage(name: str, made_from: Iterable[Path], *, needs: Iterable[Path] = ()) -> bool:
    """True if the stage has to be done; announces it. ``finish`` marks it done."""
    stamp = VENV / f".stage-{name}"
    current = stamp.exists() and stamp.read_text() == digest(made_from) and all(path.exists() for path in needs)
    if not current:
        print(f"  {name} …", end="", flush=True)
    return not current


def finish(name: str, made_from: Iterable[Path], since: float) -> None:
    """Mark a stage done and print what it took."""
    (VENV / f".stage-{name}").write_text(digest(made_from))
    print(f" {time.monotonic() - since:.0f} s")


def check_machine() -> None:
    """Python and Node are what this cannot install by itself."""
    if sys.version_info < (3, 10):
        raise Missing(
            f"Python {sys.version.split()[0]} is too old.", "install Python 3.10 or newer and use it to start this script"
        )
    node = shutil.which("node")
    if node is None:
        raise Missing("Node.js is not here; it builds the front end.", "install Node.js 20.19 or newer")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip().lstrip("v")
    if tuple(int(part) for part in version.split(".")[:2]) < (20, 19):
        raise Missing(f"Node.js {version} is too old to build the front end.", "install Node.js 20.19 or newer")


def prepare() -> None:
    """Everything, in order. Safe to call again at any time."""
    check_machine()
    print("Preparing .venv (minutes the first time, a second later)")
    if not PYTHON.exists():
        since = time.monotonic()
        print("  environment …", end="", flush=True)
        try:
            venv.create(VENV, with_pip=True, clear=VENV.exists())
        except subprocess.CalledProcessError as error:
            raise Missing("Python cannot make environments here.", "install the package python3-venv of your system") from error
        print(f" {time.monotonic() - since:.0f} s")
    pip = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    python_parts = [ROOT / "pyproject.toml", ROOT / "package.json"]
    script = BIN / "jupyter-mlops"
    since = time.monotonic()
    if stage("build tools", python_parts, needs=[BIN / "jlpm"]):
        run(*pip, *BUILD_NEEDS)
        finish("build tools", python_parts, since)
    since = time.monotonic()
    modules = [ROOT / "package.json", ROOT / "yarn.lock"]
    if stage("front-end packages", modules, needs=[ROOT / "node_modules"]):
        run("jlpm", "install", "--immutable")
        finish("front-end packages", modules, since)
    since = time.monotonic()
    sources = [
        ROOT / "src",
        ROOT / "labextension" / "schema",
        ROOT / "labextension" / "style",
        ROOT / "package.json",
        ROOT / "tsconfig.json",
    ]
    dist = ROOT / "labextension" / "dist"
    if stage("front end", sources, needs=[dist / "package.json"]):
        shutil.rmtree(dist, ignore_errors=True)
        run("jlpm", "build:prod")
        finish("front end", sources, since)
    since = time.monotonic()
    if stage("Python packages", python_parts, needs=[script]):
        run(*pip, "--no-build-isolation", "-e", ".[test]", env={"SKIP_JUPYTER_BUILDER": "1"})
        run("jupyter-builder", "develop", ".", "--overwrite")
        # Done a second time, it puts this into what it links to, and a wheel would hold it twice.
        (dist / "install.json").unlink(missing_ok=True)
        finish("Python packages", python_parts, since)
