"""Runs the cells of one step, one after the other, and stops at the first exception."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from jupyter_mlops.runner import failure
from jupyter_mlops.runner.loop import Loop
from jupyter_mlops.runner.outputs import Outputs
from jupyter_mlops.runner.plan import Plan, StepPlan
from jupyter_mlops.runner.progress import Log, now, tell_argo
from jupyter_mlops.runner.report import Report
from jupyter_mlops.runner.sources import differs, runnable, value_of
from jupyter_mlops.runner.streams import Streams


@dataclass
class Execution:
    """The cells of a step in one shell."""

    plan: Plan
    step: StepPlan
    shell: Any
    outputs: Outputs
    report: Report
    log: Log
    parameters: dict[str, Any]
    files: dict[str, int] = field(default_factory=dict)
    """Code file → cell, for tracebacks."""

    made_in: dict[str, int] = field(default_factory=dict)
    """Name → the cell that bound it last."""

    stopping: bool = False
    """SIGTERM came; the notebook may have caught what it raised."""

    streams: Streams = field(init=False)
    loop: Loop = field(init=False)
    current: int | None = None
    """The cell that runs now."""

    def __post_init__(self) -> None:
        """Its streams, not redirected yet, and its event loop."""
        self.streams = Streams(self.outputs, self.log)
        self.loop = Loop(self.shell)

    def run(self) -> failure.Failure | None:
        """Run all cells; the failure at which it stopped, or None."""
        self._watch_compiler()
        tell_argo(0, len(self.step.cells))
        for number, cell in enumerate(self.step.cells, start=1):
            failed = self._run_cell(cell, number)
            if failed:
                return failed
        return None

    def sources(self) -> list[str]:
        """What the step runs, cell by cell."""
        return [runnable(self.plan.sources.get(cell, "")) for cell in self.step.cells]

    def _run_cell(self, cell: int, number: int) -> failure.Failure | None:
        source = runnable(self.plan.sources.get(cell, ""))
        total = len(self.step.cells)
        self.current = cell
        self.outputs.begin(cell)
        self.log.event("cell", phase="started", cell=cell, k=number, n=total, time=now())
        before = {name: id(value) for name, value in self.shell.user_ns.items()}
        count, began = self.shell.execution_count, time.perf_counter()
        error = self._execute(source)
        if cell in self.plan.may_raise:
            error = None
        if error is None:
            self._assign(cell)
        seconds = round(time.perf_counter() - began, 6)
        if source.strip():
            self.report.counts[cell] = count
        self.made_in.update({n: cell for n, value in self.shell.user_ns.items() if before.get(n) != id(value)})
        phase = "succeeded" if error is None else "failed"
        self.report.cells.append({"cell": cell, "seconds": seconds, "phase": phase})
        self.log.event("cell", phase=phase, cell=cell, k=number, n=total, time=now(), seconds=seconds)
        self.current = None
        if error is not None:
            own = {n: v for n, v in self.shell.user_ns.items() if not n.startswith("_") and n not in self.shell.user_ns_hidden}
            return failure.of_exception(error, self.step.name, cell, self.files, own, source)
        tell_argo(number, total)
        self.report.save()
        return None

    def _execute(self, source: str) -> BaseException | None:
        """Run one cell as a kernel does. An empty one is not run, and takes no number."""
        if not source.strip():
            return None
        result = self.loop.run(source)
        self.streams.drain()
        error: BaseException | None = result.error_before_exec or result.error_in_exec
        if self.stopping:
            raise failure.Terminated
        return error

    def _assign(self, cell: int) -> None:
        """Give parameters their values, right after the cell that holds the defaults."""
        for parameter in self.plan.parameters:
            if parameter.cell == cell and parameter.name in self.parameters:
                given = value_of(self.parameters[parameter.name], parameter)
                if differs(given, parameter):
                    self.shell.user_ns[parameter.name] = given

    def _watch_compiler(self) -> None:
        """Note the code file of each cell as it is compiled."""
        compiler = self.shell.compile
        cache = compiler.cache

        def noting(transformed_code: str, number: int = 0, raw_code: str | None = None) -> str:
            name: str = cache(transformed_code, number, raw_code)
            if self.current is not None:
                self.files[name] = self.current
            return name

        compiler.cache = noting
