"""The reference: a real kernel of the notebook's kernelspec runs the cells in order, as Restart & Run All does.

It is started as Jupyter starts it, with the person's own environment and IPython profile, except for three things: it keeps
no history in the profile, it has the hash seed that steps have, and this product's folder is a scratch one. Cells with the
tag ``skip`` are no part of the pipeline and are not run here either.
"""

from __future__ import annotations

import json
import os
import queue
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
        """The cells that run, in document order."""
        return sorted(cell for step in self.pipeline.steps for cell in step.cells)


class _Died(Exception):
    """The kernel's process ended."""


def run_kernel(ground: Ground, view: View, scratch: Path, tell: Tell, label: str = "single kernel") -> Side:
    """Run the notebook in a kernel of its own.

    Raises:
        PlatformError: code ``kernel-not-starting``, or the kernel cannot be watched.
    """
    scratch.mkdir(parents=True)
    outputs = Outputs()
    try:
        with _kernel(ground, view.folder, scratch) as client:
            return _Reference(ground, view, scratch, client, outputs).run(tell, label)
    except _Died as died:
        cell = died.args[0]
        return Side(outputs.cells, {}, (str(view.folder),), stopped=Stopped(cell, None, DIED))


class _Reference:
    """One run in one kernel."""

    def __init__(self, ground: Ground, view: View, scratch: Path, client: Any, outputs: Outputs) -> None:
        self._ground, self._view, self._scratch, self._client, self._outputs = ground, view, scratch, client, outputs
        self._cells: dict[int, int] = {}
        """Execution count → cell."""

    def run(self, tell: Tell, label: str) -> Side:
        ground = self._ground
        self._ask("begin", ground.pipeline.name, ground.pipeline.kernel or "python3", str(self._scratch))
        total, stopped, source = len(ground.cells), None, ""
        for number, cell in enumerate(ground.cells, start=1):
            tell(f"{label}: cell {cell} ({number} of {total})")
            source = runnable(ground.notebook.cells[cell].source)
            if source.strip() and not self._run(cell, source) and MAY_RAISE not in ground.notebook.cells[cell].tags:
                stopped = cell
                break
            self._assign(cell)
        out = self._scratch / "answer.json"
        self._ask("end", ground.registry, ground.repository, str(out), self._cells, stopped, source)
        return self._side(json.loads(out.read_text(encoding="utf-8")))

    def _side(self, answer: Mapping[str, Any]) -> Side:
        failure = answer["failure"]
        return Side(
            outputs=self._outputs.cells,
            files=self._view.files(),
            folders=(str(self._view.folder),),
            state=str(answer["state"]),
            stopped=Stopped(failure["cell"], failure["line"], failure["error"], failure["message"]) if failure else None,
            logged=tuple(f"{one['kind']} {one['name']}" for one in answer["logged"]),
            metrics=answer["metrics"],
            path=tuple(answer["path"]),
        )

    def _run(self, cell: int, source: str) -> bool:
        """Run a cell and keep its outputs; whether it ended without an exception."""
        self._outputs.begin(cell)
        waiting = self._client.execute(source, allow_stdin=False, stop_on_error=False)
        for kind, content in self._messages(waiting, cell):
            if kind == "execute_input":
                self._cells[int(content["execution_count"])] = cell
            _take(self._outputs, kind, content)
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
            self._ask("assign", values)

    def _ask(self, function: str, *arguments: Any) -> None:
        """Call a function of ``runner.plain`` in the kernel without a trace in its namespace, history or counts."""
        inside = (
            f"import sys\nsys.path.append({str(self._ground.library)!r})\ntry:\n    from jupyter_mlops.runner import plain\n"
            f"finally:\n    sys.path.remove({str(self._ground.library)!r})\nplain.{function}(*{arguments!r})\n"
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
