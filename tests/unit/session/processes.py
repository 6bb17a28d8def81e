"""Every cell in a process of its own, without the cost of starting one: forks of this process, each with a fresh shell.

What a step does between its start and its end is done by the same session, shell and carriers; only bootstrap and bundle are
left out. The real steps (``tests/unit/runner``) run the same notebooks the long way.
"""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import re
import subprocess
import sys
import tempfile
import traceback
import urllib.request
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_mlops.errors import MlopsError
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.runner.asks import asked_by
from jupyter_mlops.runner.loop import Loop
from jupyter_mlops.runner.outputs import Outputs
from jupyter_mlops.runner.progress import Log
from jupyter_mlops.runner.shell import make_shell
from jupyter_mlops.session.carriers.base import Context
from jupyter_mlops.session.session import Session, load_state

KEEPERS = ("matplotlib", "matplotlib_inline", "mpl_toolkits", "pylab")
"""Packages that keep open figures and their tie to a shell: what another test left there would be in every fork."""

ADDRESS = re.compile(r"0x[0-9a-f]{6,}")


THREADED = ("lightgbm", "xgboost")
"""Libraries with a pool of OpenMP's threads: where another test of this process used it, a fork of it waits forever."""


def apart(module: str, name: str) -> None:
    """Call ``judge(name)`` of a module of tests in a process that has run nothing yet. Raises what it says, as text."""
    code = f"from {module} import judge; judge({name!r})"
    place = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code], cwd=place, capture_output=True, text=True, check=False, timeout=150)
    assert done.returncode == 0, done.stderr


class Failed(AssertionError):
    """A child process ended with an exception; its text is the traceback."""


def in_fork(work: Callable[[], Any]) -> Any:
    """What ``work`` returns, worked out in a child process; what it raises is raised here as text."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            try:
                found: Any = (True, work())
            except BaseException:  # the parent raises it
                found = (False, traceback.format_exc())
            with os.fdopen(writing, "wb") as out:
                out.write(pickle.dumps(found))
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        data = stream.read()
    os.waitpid(child, 0)
    done, value = pickle.loads(data) if data else (False, "the child died")
    if not done:
        raise Failed(value)
    return value


@dataclass(frozen=True)
class Cell:
    """What a cell did: what it printed and showed, and how it ended."""

    printed: str
    shown: list[str] = field(default_factory=list)
    error: str = ""


class _Kernel:
    """A shell of this process; made in a child only, since it becomes ``__main__``."""

    def __init__(self, root: Path, count: int = 1) -> None:
        forget(*KEEPERS)
        urllib.request.install_opener(None)  # another test's; the module itself is everybody's
        os.chdir(root)
        self.outputs = Outputs()
        self.shell = make_shell(self.outputs, Log(), count, Path(tempfile.mkdtemp(dir=root.parent)))
        self.loop = Loop(self.shell)

    def run(self, source: str, number: int) -> Cell:
        """Run a cell."""
        self.outputs.begin(number)
        text = io.StringIO()
        with contextlib.redirect_stdout(text), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = self.loop.run(source)
        error = result.error_before_exec or result.error_in_exec
        shown = [str(x["data"].get("text/plain")) for x in self.outputs.cells[number] if "data" in x]
        said = f"{type(error).__name__}: {error}" if error is not None else ""
        return Cell(ADDRESS.sub("0x", text.getvalue()), [ADDRESS.sub("0x", one) for one in shown], said)


def in_one_process(cells: Sequence[str]) -> list[Cell]:
    """One kernel."""
    with tempfile.TemporaryDirectory() as folder:

        def work() -> list[Cell]:
            (Path(folder) / "work").mkdir()
            kernel = _Kernel(Path(folder) / "work")
            return [kernel.run(source, number) for number, source in enumerate(cells)]

        found: list[Cell] = in_fork(work)
    return found


@dataclass
class Steps:
    """A notebook, each cell in a process of its own."""

    folder: Path
    state: str = ""
    done: list[Cell] = field(default_factory=list)
    warned: list[str] = field(default_factory=list)

    def run(self, source: str) -> Cell:
        """Run one more cell.

        Raises:
            Failed: it could not be given what it asks for, or not be stored what it left.
        """
        number = len(self.done)
        root = self.folder / f"work-{number}"
        root.mkdir()
        cell, self.state, warned = in_fork(lambda: self._step(source, number, root))
        self.done.append(cell)
        self.warned += warned
        return cell

    def _step(self, source: str, number: int, root: Path) -> tuple[Cell, str, list[str]]:
        store = Layout(self.folder / "registry")
        before = load_state(store, "runs/steps", self.state)
        kernel = _Kernel(root, before.count)
        context = Context(root, kernel.shell)
        session = Session(store, "runs/steps", before, context)
        try:
            session.restore(asked_by([source], kernel.shell, {*before.names, *before.lost}))
        except MlopsError as error:
            raise Failed(f"{type(error).__name__}: {error}") from error
        names = set(kernel.shell.user_ns)
        cell = kernel.run(source, number)
        context.cells.append(source)
        made = dict.fromkeys(set(kernel.shell.user_ns) - names, number)
        return cell, session.finish(made, kernel.shell.execution_count, f"state.{number}"), context.warnings


def in_processes(cells: Sequence[str]) -> list[Cell]:
    """One process a cell."""
    with tempfile.TemporaryDirectory() as folder:
        steps = Steps(Path(folder))
        for source in cells:
            steps.run(source)
        return steps.done


def forget(*packages: str) -> None:
    """Unload packages, so that they are imported as by a process that has just begun: another test may have used them."""
    for name in list(sys.modules):
        if name.partition(".")[0] in packages:
            del sys.modules[name]


def warm(*modules: str) -> None:
    """Import what every child would import, before the forks: what the libraries keep is nobody's yet."""
    shell = ("interactiveshell", "displaypub", "displayhook", "extensions", "error")
    for module in (*(f"IPython.core.{name}" for name in shell), "asyncio", "traitlets.config", *modules):
        with contextlib.suppress(ImportError):
            __import__(module)
    sys.stdout.flush()
