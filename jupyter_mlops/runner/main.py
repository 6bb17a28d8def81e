"""A step from its arguments to its exit code.

The state is written last, and to the output only when everything else has been stored: an engine that sees it can start
the next step. Whatever happens, a report is left, and on failure the platform gets a message with cell, line and fix.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from jupyter_mlops.errors import Bug, MlopsError, Refused
from jupyter_mlops.oci.open import open_store
from jupyter_mlops.oci.store import Store
from jupyter_mlops.runner import compiled, early, failure, packages, record, reuse
from jupyter_mlops.runner.answer import answer, write_answer
from jupyter_mlops.runner.arguments import Arguments, parse, termination_path
from jupyter_mlops.runner.asks import asked_by, what_was_asked
from jupyter_mlops.runner.branch import Branching
from jupyter_mlops.runner.certificates import add_certificates
from jupyter_mlops.runner.execute import Execution
from jupyter_mlops.runner.gather import state_before
from jupyter_mlops.runner.ipython import provide_ipython
from jupyter_mlops.runner.join import leave_free
from jupyter_mlops.runner.leave import leave
from jupyter_mlops.runner.outputs import Outputs
from jupyter_mlops.runner.patience import patiently
from jupyter_mlops.runner.plan import Plan, StepPlan, evaluated, first_cell, read_plan
from jupyter_mlops.runner.progress import Log, now
from jupyter_mlops.runner.report import Report
from jupyter_mlops.runner.shell import make_shell
from jupyter_mlops.runner.stopping import Stopping
from jupyter_mlops.session.carriers.base import Context
from jupyter_mlops.session.session import Session, load_state
from jupyter_mlops.session.state import this_python


def main(argv: Sequence[str], bundle: str | Path) -> NoReturn:
    """Run a step and end the process. Its code is 0, 1 (the notebook's code), 2 (refused before it ran) or 3 (the platform)."""
    leave(_main(argv, bundle))


def _main(argv: Sequence[str], bundle: str | Path) -> int:
    log = Log()
    try:
        arguments = parse(argv)
        plan = read_plan(Path(bundle))
        step = plan.step(arguments.step)
    except MlopsError as error:
        return _end(failure.of_error(error, "unknown"), log)
    if arguments.commit:
        return _commit(arguments, plan, log)
    return _Step(arguments, plan, step, log).run()


def _commit(arguments: Arguments, plan: Plan, log: Log) -> int:
    """Make what was tried early the step's outcome, or say why not."""
    try:
        early.commit(arguments, plan)
    except MlopsError as error:
        return _end(failure.of_error(error, arguments.step), log)
    return 0


class _Step:
    """One run of one step."""

    def __init__(self, arguments: Arguments, plan: Plan, step: StepPlan, log: Log) -> None:
        self.arguments = arguments
        self.plan = plan
        self.step = step
        self.log = log
        self.outputs = Outputs()
        tag = f"report.{arguments.run}.{arguments.label}"
        self.report = Report(step.name, tag, arguments.out, arguments.repository, self.outputs, log)
        self.execution: Execution | None = None

    def run(self) -> int:
        """All of it; never raises."""
        stopping = Stopping(self._stopped)
        stopping.install()
        self.log.event("step", phase="started", step=self.step.name, time=now())
        failed: failure.Failure | None
        try:
            place = os.environ.get("MLOPS_SCRATCH") or None  # where somebody tidies up after a step that was killed
            with tempfile.TemporaryDirectory(prefix="mlops-step-", dir=place, ignore_cleanup_errors=True) as scratch:
                failed = self._work(Path(scratch))
        except MlopsError as error:
            failed = failure.of_error(error, self.step.name, self.plan.sources, self.step.cells, ran=self.report.cells != [])
        except (failure.Terminated, KeyboardInterrupt):
            cell = self.execution.current if self.execution else None
            failed = failure.Failure("stopped", "the step was stopped", "user", cell, None, self.step.name, "Terminated")
        except Exception as error:  # noqa: BLE001  (the last line of defence: the platform gets a message, not a trace)
            import traceback

            text = f"the runner failed: {type(error).__name__}: {error}"
            frames = traceback.format_exception(error)
            failed = failure.Failure(
                Bug.default_code, text, Bug.blame, None, None, self.step.name, type(error).__name__, frames,
                fix="Please report this with the step's log.",
            )  # fmt: skip
        stopping.remove()
        return self._finish(failed)

    def _stopped(self) -> None:
        if self.execution is not None:
            self.execution.stopping = True

    def _work(self, scratch: Path) -> failure.Failure | None:
        """Restore, run, capture, publish; then, and only then, write the state."""
        arguments = self.arguments
        self._check_python()
        add_certificates(_cache())
        here = arguments.registry.startswith("file:")
        store = open_store(arguments.registry)
        self.report.store = None if arguments.early else store
        found = state_before(store, arguments, self.plan, self.step)
        before = found.state
        if not here:
            self.report.push_beside()
        root = Path.cwd().resolve()
        _provide(self.plan.files, root)
        self.report.key = dict(reuse.key_of(self.plan, self.step, arguments, found, root, _ours(arguments)))
        if arguments.resume and self.step.cache != "off" and self.step.final is None and self._taken_over(store, root):
            return None
        _look_like_a_kernel()
        provide_ipython(store, arguments.bundle, self.plan.no_ipython, _cache())
        if not here:  # on this machine the step's interpreter is the kernel's
            self._check_packages()
        shell = make_shell(self.outputs, self.log, before.count, scratch)
        context = Context(root, shell, frozenset(self.step.declared), rules=self.step.rules)
        session = Session(store, arguments.repository, before, context, _ours(arguments))
        execution = self.execution = Execution(
            self.plan, self.step, shell, self.outputs, self.report, self.log, arguments.parameters
        )
        recorder = self._recorder(scratch, "" if here else os.environ.get("MLOPS_IMAGE", ""))
        context.metrics = recorder.metrics
        recorder.store = store
        sources = execution.sources()
        branch = Branching(self.step, arguments, session)
        with execution.streams.redirected(), shell.builtin_trap:  # what is imported on arrival asks get_ipython, too
            known = {*before.names, *before.lost}
            asked = found.asked(asked_by([*sources, *evaluated(self.step)], shell, known))
            session.restore(asked)
            leave_free(shell, found.skipped)
            execution.made_in |= dict.fromkeys(found.place(store, arguments.repository, session.scope), first_cell(self.step))
            branch.begin()
            with compiled.aside():
                failed = execution.run()
            if failed:
                return failed
            self._answer(shell.user_ns, recorder)
        context.cells += sources
        tag = f"state.{arguments.run}.{arguments.label}{'.early' if arguments.early else ''}"
        state = patiently(
            lambda: session.finish(execution.made_in, shell.execution_count, tag), self.log, f"what {self.step.name} reached"
        )
        self.report.account = what_was_asked(session.account, before, asked, sources, shell.user_ns).to_json()
        self.report.control |= branch.end(load_state(store, arguments.repository, state), execution, shell)
        for task in execution.loop.pending():
            context.warn(f"the asyncio task of {task} had not ended at the step's end, and ended with it")
        context.warnings[:0] = found.warnings
        self.report.warnings += context.warnings
        for message in context.warnings:
            self.log.text(f"warning: {message}\n")
        self.report.models, self.report.datasets = recorder.publish(store)
        self._reached(state)
        return None

    def _recorder(self, scratch: Path, image: str) -> record.Recorder:
        """What ``log_model`` and its like record into."""
        arguments, plan = self.arguments, self.plan
        recorder = record.Recorder(
            arguments.run, arguments.label, plan.pipeline, self.log, kernel=plan.kernel or "python3", scratch=scratch, image=image
        )
        record.begin(recorder)
        self.report.metrics, self.report.artifacts = recorder.own, recorder.artifacts
        self.report.used, self.report.known = recorder.used, recorder.known
        return recorder

    def _answer(self, namespace: dict[str, Any], recorder: record.Recorder) -> None:
        """Note the models that the options ask for, and evaluate what the next step asks."""
        record.register_outputs(recorder, self.step.outputs, namespace)
        if self.arguments.early:
            early.check_quiet(recorder)
        if self.step.ask is not None:
            self.report.control |= answer(self.step.ask, namespace, self.plan, self.arguments.parameters)

    def _taken_over(self, store: Store, root: Path) -> bool:
        """Whether the resumed run had got past this step already; then its state is this run's, and nothing is run."""
        arguments = self.arguments
        earlier = reuse.find_earlier(store, arguments, self.report.key)
        if isinstance(earlier, str):
            self.log.text(f"runs again: {earlier}\n")
            return False
        if arguments.registry.startswith("file:"):  # the working folder is the run's, not the pod's
            reuse.restore_files(store, arguments.repository, earlier.state, root)
        reuse.take_over(earlier, self.report)
        found = store.get_manifest(arguments.repository, self.report.state)
        store.put_manifest(arguments.repository, found.document, tags=[f"state.{arguments.run}.{arguments.label}"])
        self.log.text(f"taken over from {arguments.resume}: nothing that it depends on has changed\n")
        self._reached(self.report.state)
        return True

    def _reached(self, state: str) -> None:
        """Hand the state on: from here on the step has succeeded."""
        self.report.state = state
        out = self.arguments.out
        out.mkdir(parents=True, exist_ok=True)
        if self.report.cached:
            (out / "cached").write_text("true")
        write_answer(self.report.control, out)
        fresh = out / ".state"
        fresh.write_text(state)
        fresh.replace(out / "state")

    def _finish(self, failed: failure.Failure | None) -> int:
        report = self.report
        report.failure = failed
        report.phase = "failed" if failed else "succeeded"
        report.finished = now()
        try:
            if self.arguments.early and not failed:
                (self.arguments.out / "log").write_bytes(self.log.content())
            if failed:
                report.save(final=True)
            else:
                patiently(lambda: report.save(final=True), self.log, f"the report of {self.step.name}")
        except (MlopsError, OSError) as error:
            if failed is None:
                known = error if isinstance(error, MlopsError) else None
                failed = failure.Failure(
                    known.code if known else "platform", f"the report cannot be stored: {error}", "platform", None, None,
                    self.step.name, type(error).__name__, fix=known.fix if known else "Check the folder of the step's output.",
                )  # fmt: skip
                with suppress(OSError):
                    (self.arguments.out / "state").unlink()
        self.log.event("step", phase="failed" if failed else "succeeded", step=self.step.name, time=now())
        return _end(failed, self.log) if failed else 0

    def _check_python(self) -> None:
        """Refuse an image of another Python than the notebook was planned for. Raises Refused."""
        if self.plan.python and self.plan.python != this_python():
            raise Refused(
                f"the notebook's kernel has Python {self.plan.python}, this step's image has {this_python()}",
                code="python-mismatch",
                fix=f"Use an image with Python {self.plan.python}, or run the notebook with a kernel of {this_python()}.",
            )

    def _check_packages(self) -> None:
        """Tell what the image has in another version; refuse one that lacks what the step imports. Raises Refused."""
        found = packages.compare(self.plan.folder, self.step.name)
        for message in packages.warnings(found):
            self.report.warnings.append(message)
            self.log.text(f"warning: {message}\n")
        packages.check(found, os.environ.get("MLOPS_IMAGE", ""))


def _end(failed: failure.Failure, log: Log) -> int:
    """Tell why, and return the exit code."""
    try:
        failure.write_termination(failed, termination_path())
    except OSError as error:
        log.text(f"the termination message cannot be written: {error}\n")
    if failed.cell is None:
        log.text(f"{failed.message}\n{failed.fix}\n" if failed.fix else f"{failed.message}\n")
        log.text("".join(failed.traceback) if failed.blame == "us" else "")
    return failed.exit_code


def _provide(modules: Path, root: Path) -> None:
    """Put local modules beside the notebook where the working folder lacks them, as on a cluster."""
    if not modules.is_dir():
        return
    for path in sorted(modules.rglob("*")):
        target = root / path.relative_to(modules)
        if path.is_file() and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)


def _look_like_a_kernel() -> None:
    """``sys.argv`` and ``sys.path`` as a notebook's kernel has them: nothing of the bootstrap shows."""
    sys.argv[:] = ["ipykernel_launcher.py", "-f", "kernel.json"]
    own = str(Path(__file__).resolve().parents[2])
    sys.path[:] = ["", *(entry for entry in sys.path if entry and str(Path(entry).resolve()) != own)]


def _ours(arguments: Arguments) -> list[Path]:
    """Folders of ours that may lie inside the working folder."""
    return [arguments.out.resolve(), _cache().resolve()]


def _cache() -> Path:
    """Folder for what is unpacked."""
    return Path(os.environ.get("MLOPS_CACHE") or "/mlops/cache")
