"""A check from the path of a notebook to its verdict.

Both sides run in private copies of the notebook's folder and publish to a scratch registry. When something differs, the
notebook runs once more in a second kernel: what differs between two plain runs too (a clock, an address, a draw without a
seed) says nothing about the pipeline, and is told as such, never as equal.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, cast

from jupyter_mlops.check import folders, outputs
from jupyter_mlops.check.control import final_of
from jupyter_mlops.check.kernel import Ground, run_kernel
from jupyter_mlops.check.leftovers import scratch_folder
from jupyter_mlops.check.piped import run_pipeline
from jupyter_mlops.check.side import Side, Tell
from jupyter_mlops.check.verdict import Counts, Difference, Verdict, ordered
from jupyter_mlops.engine.kernels import Kernel, find_kernel
from jupyter_mlops.errors import Bug, WrongUsage
from jupyter_mlops.flow import Workbench
from jupyter_mlops.oci.tar import extract_all
from jupyter_mlops.registry.bundles import repository_of, runner_layer
from jupyter_mlops.session.account import DRAWN
from jupyter_mlops.workflow.parameters import check_parameters

_TURNS = 3
"""Plain runs at most that have to explain differences: two of them may agree by chance where a cell draws."""

_SEEDING = re.compile(r"seed\w*\s*\(")
_JUDGE = "import sys; sys.path.insert(0, sys.argv[3]); from jupyter_mlops.runner.judge import main; sys.exit(main(sys.argv[1:3]))"


def check(
    bench: Workbench,
    path: Path,
    parameters: Mapping[str, Any] | None = None,
    kernel: str | None = None,
    tell: Tell = lambda _: None,
) -> Verdict:
    """Run a notebook both ways and compare.

    Args:
        bench: this machine.
        path: the notebook.
        parameters: values of its parameters, for both sides.
        kernel: kernelspec to use instead of the notebook's.
        tell: is told how far it is.

    Raises:
        Refused: the notebook cannot be a pipeline.
        NotFound: the notebook or the kernel.
        WrongUsage: a parameter, or a target that is not this machine.
        PlatformError: a side could not be run.
    """
    if not bench.target.local:
        raise WrongUsage("a check runs on this machine", fix="Leave out --target.")
    notebook = bench.read(path)
    pipeline = bench.convert(notebook)
    found = find_kernel(kernel or notebook.kernel)
    pipeline = replace(pipeline, kernel=found.name, python=found.minor)
    values = check_parameters(pipeline, parameters or {})
    with scratch_folder() as scratch:
        storage = replace(bench.settings.storage, home=scratch / "home")
        inner = Workbench(replace(bench.settings, storage=storage))
        extract_all([_runner()], scratch / "library")
        ground = Ground(
            notebook, pipeline, values, scratch / "library" / "lib", inner.store.address, repository_of(pipeline), storage.home
        )
        return _Check(bench, inner, ground, path.resolve(), found, scratch, tell).run()


@dataclass(frozen=True)
class _Check:
    """One check in its scratch folder. ``bench`` is the person's, ``inner`` the scratch one."""

    bench: Workbench
    inner: Workbench
    ground: Ground
    notebook: Path
    kernel: Kernel
    scratch: Path
    tell: Tell

    def run(self) -> Verdict:
        """Both sides, then the comparison, then a second kernel if there is anything to explain."""
        single, before = self._plain("single"), self._view("untouched").files()
        view = self._view("pipeline")
        name, values = self.notebook.name, self.ground.parameters
        piped = run_pipeline(self.inner, view, name, values, self.kernel.name, self.tell)
        self.tell("comparing")
        counts, found, uncompared = self._compare(single, piped, before)
        for turn in range(_TURNS if found else 0):
            if not turn or _open(found):
                again = self._plain(f"again{turn or ''}", "differences: the single kernel once more")
                _, unsteady, _ = self._compare(single, again, before)
                keys = {one.key for one in unsteady}
                found = [replace(one, unsteady=one.unsteady or one.key in keys) for one in found]
        found = [one for one in found if not (one.kind == "process" and one.what in DRAWN and one.unsteady)]
        stopped = single.stopped
        agreed = stopped is not None and not any(one.kind == "error" for one in found)
        return Verdict(
            notebook=name,
            counts=counts,
            differences=ordered(found),
            uncompared=tuple(uncompared),
            stopped={"cell": stopped.cell, "line": stopped.line, "error": stopped.error} if stopped and agreed else None,
            kernel=self.kernel.name,
            steps=len(self.ground.pipeline.steps),
            deliveries=piped.deliveries,
        )

    def _view(self, name: str) -> folders.View:
        return folders.view_of(self.notebook.parent, self.scratch / name, self.bench.settings)

    def _plain(self, name: str, label: str = "single kernel") -> Side:
        """One run in one kernel. What a notebook that stopped shows at its end (``finally``), a second kernel finds out.

        That step gets what the last step that ended has left, and the first kernel is past it.
        """
        side = run_kernel(self.ground, self._view(name), self.scratch / f"{name}-kernel", self.tell, label)
        final = final_of(self.ground.pipeline)
        if side.stopped is None or final is None or side.reached >= len(self.ground.pipeline.steps) - 1:
            return side
        view, scratch = self._view(f"{name}-end"), self.scratch / f"{name}-end-kernel"
        end = run_kernel(self.ground, view, scratch, self.tell, f"{label}, at its end", until=side.reached)
        shown = {cell: end.outputs[cell] for cell in final.cells if cell in end.outputs}
        return replace(side, outputs={**side.outputs, **shown}, folders=(*side.folders, *end.folders))

    def _compare(self, first: Side, second: Side, before: Mapping[str, str]) -> tuple[Counts, list[Difference], list[Any]]:
        """Everything that can be compared. Where a side stopped, it has neither final names nor files to compare."""
        stops = list(_stops(first, second))
        last = stops[0].cell if stops else None
        unsure = first.unsure | second.unsure
        sides = [{cell: said for cell, said in side.outputs.items() if cell not in unsure} for side in (first, second)]
        shown = outputs.compare(sides[0], sides[1], (first.folders, second.folders), last)
        found = [*stops, *shown.differences]
        values = files = logged = 0
        uncompared: list[Any] = []
        if first.stopped is None and second.stopped is None:
            judged = self._judged(first, second)
            values, uncompared = len(judged["equal"]), judged["uncompared"]
            if first.open:
                uncompared.append({"name": first.open, "reason": "no step after it brings its branches together"})
            found += [self._value(one) for one in judged["different"]]
            if not any(step.options.each for step in self.ground.pipeline.steps):  # branches each leave their own
                found += [_process(one) for one in judged["process"]]
            files, different = folders.compare(before, first.files, second.files)
            found += different
            logged, apart = _logged(first, second)
            found += apart
        return Counts(values, shown.equal, files, logged), found, uncompared

    def _judged(self, first: Side, second: Side) -> dict[str, Any]:
        """The answer of a process of the notebook's interpreter."""
        asked, answer = self.scratch / "request.json", self.scratch / "judgement.json"
        request = {
            "registry": self.ground.registry, "repository": self.ground.repository, "single": first.state,
            "pipeline": second.state, "path": [*first.path], "seeded": self._seeds(), "folders": [first.folders, second.folders],
        }  # fmt: skip
        asked.write_text(json.dumps(request), encoding="utf-8")
        folder = Path(second.folders[-1])
        environ = {**os.environ, "PYTHONHASHSEED": "0", "JUPYTER_MLOPS_HOME": str(self.ground.home)}
        command = [*self.kernel.command, "-c", _JUDGE, str(asked), str(answer), str(self.ground.library)]
        done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)
        if done.returncode != 0 or not answer.exists():
            said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise Bug(f"the values could not be compared: {said}", fix="Please report this with the notebook.")
        found: dict[str, Any] = json.loads(answer.read_text(encoding="utf-8"))
        answer.unlink()
        return found

    def _seeds(self) -> bool:
        """Whether the notebook calls what seeds a generator, as the word says: ``seed(``, ``seed_everything(``."""
        cells = (self.ground.notebook.cells[cell].source for cell in self.ground.cells)
        return any(_SEEDING.search(source) for source in cells)

    def _value(self, one: Mapping[str, str]) -> Difference:
        return Difference("value", one["name"], one["single"], one["pipeline"], _bound_in(self.ground, one["name"]), one["path"])


def _open(found: Sequence[Difference]) -> bool:
    """Whether a cell differs between plain runs in one thing, and not yet in another that differs here."""
    chance = {one.cell for one in found if one.unsteady and one.cell is not None}
    return any(one.cell in chance and not one.unsteady for one in found)


def _process(one: Mapping[str, str]) -> Difference:
    return Difference("process", one["name"], one["single"], one["pipeline"], path=one["path"])


def _stops(first: Side, second: Side) -> Iterator[Difference]:
    """The difference in where both sides stopped, if there is one."""
    sides = [(side.stopped.cell, side.stopped.line, side.stopped.error) if side.stopped else None for side in (first, second)]
    others = [(one.cell, one.line, one.error) for one in (*first.others, *second.others)]
    if sides[0] != sides[1] and not (first.stopped and second.stopped and {*sides} & {*others}):
        said = [_told(side) for side in (first, second)]
        cell = min((side.stopped.cell for side in (first, second) if side.stopped and side.stopped.cell is not None), default=None)
        yield Difference("error", "stopped", said[0], said[1], cell)


def _told(side: Side) -> str:
    if side.stopped is None:
        return "ran to its end"
    return f"{side.stopped}: {side.stopped.message}" if side.stopped.message else str(side.stopped)


def _logged(first: Side, second: Side) -> tuple[int, list[Difference]]:
    """Models, datasets and metrics of a run."""
    found = []
    if first.logged != second.logged:
        said = [", ".join(side.logged) or "nothing" for side in (first, second)]
        found.append(Difference("logged", "models and datasets", said[0], said[1]))
    for name in sorted((first.metrics.keys() | second.metrics.keys()) - first.loose - second.loose):
        one, other = first.metrics.get(name), second.metrics.get(name)
        if one != other and not (one != one and other is None):  # noqa: PLR0124  (a run has no number for one that is not finite)
            found.append(Difference("logged", f"metric {name}", str(one), str(other)))
    return (len(first.logged) if first.logged == second.logged else 0), found


def _bound_in(ground: Ground, name: str) -> int | None:
    """The last cell that binds a name, for people to look at."""
    from jupyter_mlops.dataflow.link import analyse

    facts = analyse([ground.notebook.cells[cell] for cell in ground.cells]).facts
    return next((one.cell for one in reversed(facts) if name in one.defs or name in one.mutations), None)


@contextmanager
def _runner() -> Iterator[BinaryIO]:
    """The layer of a bundle that has the travelling rooms, as a tar."""
    with gzip.open(io.BytesIO(runner_layer())) as tar:
        yield cast("BinaryIO", tar)
