"""An engine on a folder of its own, whose runs are gone when the test is over."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jupyter_mlops.engine.base import DONE, Run, Submission
from jupyter_mlops.engine.local.engine import LocalEngine
from jupyter_mlops.engine.local.folder import RunFolder
from jupyter_mlops.engine.local.identity import alive
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.settings import Settings, Steps, Storage, Workspace
from jupyter_mlops.testing.engine import Step, wait, workflow


def left_of(run: str) -> list[int]:
    """Processes that belong to any step of a run (their first argument is in no doubt: every step carries the mark)."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"\0MLOPS_POD={run}/".encode() in b"\0" + (entry / "environ").read_bytes():
                found.append(int(entry.name))
    return found


class Lab:
    """An engine, its settings, and a notebook's folder."""

    def __init__(self, root: Path, **workspace: int) -> None:
        self.settings = Settings(
            storage=Storage(home=root / "home", keep_runs=3), steps=Steps(stop_grace=1.0), workspace=Workspace(**workspace)
        )
        self.engine = self.another()
        self.notebook = root / "project" / "nb.ipynb"
        self.notebook.parent.mkdir(exist_ok=True)
        self.notebook.write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')

    @property
    def project(self) -> Path:
        return self.notebook.parent

    def another(self) -> LocalEngine:
        return LocalEngine(self.settings, Layout(self.settings.storage.registry))

    def submit(self, *steps: Step, notebook: bool = False, **options: object) -> Run:
        return self.engine.submit(Submission(workflow(*steps, **options), str(self.notebook) if notebook else None))

    def run(self, *steps: Step, **options: object) -> Run:
        return wait(self.engine, self.submit(*steps, **options).name)

    def folder(self, run: Run) -> RunFolder:
        return RunFolder(self.settings.storage.runs / run.name)

    def supervisor(self, run: Run) -> dict[str, object]:
        return self.folder(run).read_request()["supervisor"]

    def left_of(self, run: Run) -> list[int]:
        return left_of(run.name)

    def text(self, run: Run) -> str:
        return "\n".join(line.text for line in self.engine.logs(run.name))

    def until(self, holds: Callable[[], object], seconds: float = 20) -> None:
        end = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < end, "did not come true in time"
            time.sleep(0.02)

    def close(self) -> None:
        """End all runs, and hold that nothing of them is left."""
        for run in self.engine.list(limit=1000):
            if run.phase not in DONE:
                self.engine.control(run.name, "stop")
        for path in self.settings.storage.runs.glob("[a-z0-9]*"):
            folder = RunFolder(path)
            self.until(lambda f=folder: not f.request.exists() or not alive(f.read_request().get("supervisor")))
            self.until(lambda name=path.name: not left_of(name))


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    here = Lab(tmp_path)
    yield here
    here.close()


@pytest.fixture
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in list(os.environ):
        if name.startswith(("JPY_", "JUPYTERHUB_", "AWS_")):
            monkeypatch.delenv(name)
    return monkeypatch
