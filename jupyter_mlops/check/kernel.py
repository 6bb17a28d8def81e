"""The reference: a real kernel of the notebook's kernelspec runs the cells in order, as Restart & Run All does.

It is started as Jupyter starts it, with the person's own environment and IPython profile, except for three things: it keeps
no history in the profile, it has the hash seed that steps have, and this product's folder is a scratch one. Cells with the
tag ``skip`` are no part of the pipeline and are not run here either.
"""

from __future__ import annotations

import json
import os
import queue
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_mlops.check.control import Walk, final_of
from jupyter_mlops.check.folders import View
from jupyter_mlops.check.side import DIED, Side, Stopped, Tell
from jupyter_mlops.errors import PlatformError
from jupyter_mlops.notebook.document import Notebook
from jupyter_mlops.pipeline.pipeline import Pipeline
from jupyter_mlops.runner.outputs import Outputs
from jupyter_mlops.runner.plan import MAY_RAISE, Parameter
from jupyter_mlops.runner.sources import differs, runnable, value_of

START_LIMIT = 120.0
"""Seconds for a kernel to answer for the first time."""

LOOK = 2.0
"""Seconds between two looks whether a silent kernel still lives."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What every plain run of one check shares."""

    notebook: Notebook
    pipeline: Pipeline
    parameters: Mapping[str, Any]
    library: Path
    """Folder that has this product's travelling rooms, for a kernel that has none of it installed."""

    registry: str
    repository: str
    home: Path
    """This product's folder during the check."""

    @property
    def cells(self) -> list[int]:
        """The cells of the pipeline, in document order."""
        return sorted(cell for step in self.pipeline.steps for cell in step.cells)


class _Died(Exception):
    """The kernel's process ended."""


def run_kernel(
    ground: Ground, view: View, scratch: Path, tell: Tell, label: str = "single kernel", until: int | None = None
) -> Side:
    """Run the notebook in a kernel of its own.

    Args:
        ground: what is run.
        view: where it runs.
        scratch: folder for files of the kernel and of this product.
        tell: is told each cell that begins.
        label: what the lines of progress begin with.
        until: only so many steps of the pipeline, and then the one that runs at the end, as if the next had failed.

    Raises:
        PlatformError: code ``kernel-not-starting``, or the kernel cannot be watched.
    """
    scratch.mkdir(parents=True)
    shown = Shown()
    try:
        with _kernel(ground, view.folder, scratch) as client:
            return _Reference(ground, view, scratch, client, shown).run(lambda text: tell(f"{label}: {text}"), until)
    except _Died as died:
        cell = died.args[0]
        at = next((number for number, step in enumerate(ground.pipeline.steps) if cell in step.cells), 0)
        return Side(shown.cells, {}, (str(view.folder),), stopped=Stopped(cell, None, DIED), reached=at)


class Shown:
    """Outputs of all cells. A cell that runs in several branches shows those of each, one after the other."""

    def __init__(self) -> None:
        self._done: dict[int, list[Mapping[str, Any]]] = {}
        self.now = Outputs()
        self.branch = -1

    @property
    def cells(self) -> dict[int, list[Mapping[str, Any]]]:
        """Cell → its outputs."""
        self.settle()
        return self._done

    def settle(self) -> None:
        """What comes now comes after what was there."""
        for cell, outputs in self.now.cells.items():
            self._done.setdefault(cell, []).extend(outputs)
        self.now = Outputs()


class _Reference:
    """One run in one kernel: what ``control`` asks to be run, in the order in which it is asked."""

    def __init__(self, ground: Ground, view: View, scratch: Path, client: Any, shown: Shown) -> None:
        self._ground, self._view, self._scratch, self._client, self._shown = ground, view, scratch, client, shown
        self._cells: dict[int, int] = {}
        """Execution count → cell."""

        self._begun = set[int]()
        self._tell: Tell = lambda _: None

    def run(self, tell: Tell, until: int | None) -> Side:
        """All of the notebook, or its end after so many steps."""
        ground, final = self._ground, final_of(self._ground.pipeline)
        self._tell = tell
        self.ask(
            "begin",
            ground.pipeline.name,
            ground.pipeline.kernel or "python3",
            str(self._scratch),
            ground.registry,
            ground.repository,
        )
        walk = Walk(ground.pipeline, ground.parameters, self, self._view, self._scratch)
        if until is None or final is None:
            walk.run()
        else:
            walk.until(until, final)
        return self._side(self.ask("end", ground.registry, ground.repository), walk)

    def _side(self, answer: Mapping[str, Any], walk: Walk) -> Side:
        return Side(
            outputs=self._shown.cells,
            files=self._view.files(),
            folders=(str(self._view.folder),),
            state=str(answer["state"]),
            stopped=next(iter(walk.stopped), None),
            others=tuple(walk.stopped[1:]),
            unsure=frozenset(walk.unsure),
            reached=walk.reached,
            open=walk.open,
            logged=tuple(f"{one['kind']} {one['name']}" for one in answer["logged"]),
            metrics={name: value for name, value in answer["metrics"].items() if name not in answer["loose"]},
            loose=frozenset(answer["loose"]),
            path=tuple(answer["path"]),
        )

    def cell(self, cell: int) -> Stopped | None:
        """Run a cell; where it stopped, if it did."""
        self._begun.add(cell)
        branch = "" if self._shown.branch < 0 else f", branch {self._shown.branch}"
        self._tell(f"cell {cell}{branch} ({len(self._begun)} of {len(self._ground.cells)})")
        document = self._ground.notebook.cells[cell]
        source = runnable(document.source)
        if source.strip() and not self._run(cell, source) and MAY_RAISE not in document.tags:
            return Stopped(**self.ask("failed", self._cells, cell, source))
        self._assign(cell)
        return None

    def branch(self, number: int) -> None:
        """Outputs of this branch follow those of the one before; -1: of no branch."""
        self._shown.settle()
        self._shown.branch = number

    def sources(self, cells: Sequence[int]) -> list[str]:
        """What cells run."""
        return [runnable(self._ground.notebook.cells[cell].source) for cell in cells]

    def _run(self, cell: int, source: str) -> bool:
        """Run a cell and keep its outputs; whether it ended without an exception."""
        self._shown.now.begin(cell)
        waiting = self._client.execute(source, allow_stdin=False, stop_on_error=False)
        for kind, content in self._messages(waiting, cell):
            if kind == "execute_input":
                self._cells[int(content["execution_count"])] = cell
            _take(self._shown.now, kind, content)
        return bool(self._reply(waiting, cell)["status"] == "ok")

    def _assign(self, cell: int) -> None:
        """Give parameters their values right after the cell that holds the defaults, as a step does."""
        values = {}
        for parameter in self._ground.pipeline.parameters:
            known = Parameter(parameter.name, parameter.type, parameter.default, parameter.cell)
            if parameter.cell == cell and parameter.name in self._ground.parameters:
                given = value_of(self._ground.parameters[parameter.name], known)
                if differs(given, known):
                    values[parameter.name] = given
        if values:
            self.ask("assign", values)

    def ask(self, function: str, *arguments: Any) -> Any:
        """Call a function of ``runner.plain`` in the kernel without a trace in its namespace, history or counts."""
        out = self._scratch / "answer.json"
        inside = (
            f"import json, sys\nsys.path.append({str(self._ground.library)!r})\ntry:\n    from jupyter_mlops.runner import plain\n"
            f"finally:\n    sys.path.remove({str(self._ground.library)!r})\nwith open({str(out)!r}, 'w') as file:\n"
            f"    json.dump(plain.{function}(*{arguments!r}), file)\n"
        )
        code = f"exec(compile({inside!r}, '<check>', 'exec'), {{}})"
        waiting = self._client.execute(code, silent=True, store_history=False, allow_stdin=False)
        for _ in self._messages(waiting, None):
            pass
        reply = self._reply(waiting, None)
        if reply["status"] != "ok":
            raise PlatformError(
                f"the kernel {self._ground.pipeline.kernel} cannot be watched: {reply.get('ename')}: {reply.get('evalue')}",
                code="kernel-not-watched",
                fix="Update jupyter-mlops in the kernel's environment to the version that runs the check.",
            )
        return json.loads(out.read_text(encoding="utf-8"))

    def _messages(self, waiting: str, cell: int | None) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """What the kernel says about a request, until it is idle again."""
        while True:
            try:
                message = self._client.get_iopub_msg(timeout=LOOK)
            except queue.Empty:
                if not self._client.parent.is_alive():
                    raise _Died(cell) from None
                continue
            if message["parent_header"].get("msg_id") != waiting:
                continue
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                return
            yield message["msg_type"], message["content"]

    def _reply(self, waiting: str, cell: int | None) -> Mapping[str, Any]:
        while True:
            try:
                reply = self._client.get_shell_msg(timeout=LOOK)
            except queue.Empty:
                if not self._client.parent.is_alive():
                    raise _Died(cell) from None
                continue
            if reply["parent_header"].get("msg_id") == waiting:
                return dict(reply["content"])


def _take(outputs: Outputs, kind: str, content: Mapping[str, Any]) -> None:
    """An output as a message → as a notebook has it."""
    display = (content.get("transient") or {}).get("display_id")
    if kind == "stream":
        outputs.stream(content["name"], content["text"])
    elif kind == "display_data":
        outputs.display(content["data"], content["metadata"], display)
    elif kind == "update_display_data":
        outputs.update(content["data"], content["metadata"], str(display))
    elif kind == "execute_result":
        outputs.result(content["execution_count"], content["data"], content["metadata"])
    elif kind == "error":
        outputs.error(content["ename"], content["evalue"], content["traceback"])
    elif kind == "clear_output":
        outputs.clear(wait=content["wait"])


@contextmanager
def _kernel(ground: Ground, folder: Path, scratch: Path) -> Iterator[Any]:
    """A running kernel's client, whose ``parent`` is its manager; the kernel ends with the block."""
    from jupyter_client.manager import KernelManager

    manager = KernelManager(kernel_name=ground.pipeline.kernel or "python3", connection_file=str(scratch / "kernel.json"))
    environ = {**os.environ, "PYTHONHASHSEED": "0", "JUPYTER_MLOPS_HOME": str(ground.home)}
    own = (scratch / "kernel.log").open("wb")  # what the kernel says of itself is no output of the notebook
    try:
        manager.start_kernel(
            cwd=str(folder), env=environ, stdout=own, stderr=own, extra_arguments=["--HistoryManager.hist_file=:memory:"]
        )
        client = manager.client()
        client.parent = manager
        client.start_channels()
        client.wait_for_ready(timeout=START_LIMIT)
    except Exception as error:
        if manager.has_kernel:
            manager.shutdown_kernel(now=True)
        own.close()
        raise PlatformError(
            f"the kernel {ground.pipeline.kernel} does not start: {error}",
            code="kernel-not-starting",
            fix="Repair or remove that kernel, or choose another with --kernel.",
        ) from error
    try:
        yield client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()
        own.close()
