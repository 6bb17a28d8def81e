"""The commands of ``%mlops``: each takes its options, calls the workbench and shows pages.

They are thin: what a command does is a method of ``flow.Workbench`` or of a port. They run in the person's kernel, which
need not be the server's environment, and so never ask a Jupyter Server for anything.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_mlops.errors import MlopsError, NotFound, WrongUsage
from jupyter_mlops.kernel import present
from jupyter_mlops.kernel.arguments import assignments
from jupyter_mlops.kernel.display import CellFailed, output
from jupyter_mlops.kernel.follow import follow
from jupyter_mlops.kernel.notebook_path import find_notebook, saved
from jupyter_mlops.kernel.page import Line, Page
from jupyter_mlops.serving.wait import POLL_SECONDS, Settling, until_ready

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from jupyter_mlops.engine.base import Engine, LogLine, Run
    from jupyter_mlops.errors import Diagnostic
    from jupyter_mlops.flow import Workbench
    from jupyter_mlops.serving.base import Service

CLUSTER_PATIENCE = 300.0
"""Seconds for a service of a cluster to become ready: a node that has none of the images pulls gigabytes first."""

LOG_TAIL = 20
"""Lines of a service's log under its status."""


@dataclass(frozen=True)
class Context:
    """What a command works with: this machine, and the shell it was typed into."""

    bench: Workbench
    shell: Any

    def show(self, page: Page) -> None:
        """Show a page as an output of the cell."""
        output(self.shell).show(page)

    @property
    def home(self) -> str:
        """Folder of this machine's state, so that a front end can tell its own runs from those of another machine."""
        return str(self.bench.settings.storage.home)

    def notebook(self, explicit: str | None) -> Path:
        """The notebook that was given, or the one of this kernel."""
        return find_notebook(explicit, self.shell.user_ns)


def convert(context: Context, options: Namespace) -> None:
    """Show the pipeline of a notebook; with ``-o``, write its Workflow."""
    path = context.notebook(options.notebook)
    notebook = context.bench.read(path)
    pipeline = context.bench.convert(notebook)
    if options.output is not None:
        from jupyter_mlops.fitting import ordered
        from jupyter_mlops.targets.imagefit import PATIENT
        from jupyter_mlops.workflow.yaml import dump

        pipeline = ordered(context.bench, notebook, pipeline, PATIENT)
        workflow = context.bench.compile(notebook, pipeline, path.parent)
        target = Path(options.output).expanduser()
        try:
            target.write_text(dump(workflow), encoding="utf-8")
        except OSError as error:
            raise WrongUsage(f"cannot write {target}: {error.strerror}", fix="Give a file in a folder you may write to.") from error
    context.show(present.pipeline_page(pipeline, options.output))


def preflight(context: Context, options: Namespace) -> None:
    """Show what a run would hand from step to step, as this kernel has it now."""
    from jupyter_mlops.kernel.preflight import preflight as look
    from jupyter_mlops.kernel.preflight import preflight_page

    path = context.notebook(options.notebook)
    pipeline = context.bench.convert(context.bench.read(path))
    context.show(preflight_page(look(pipeline, context.shell.user_ns, context.shell), path.name))


def check(context: Context, options: Namespace) -> None:
    """Run a notebook as one kernel and as a pipeline, in processes of their own, and show whether they are equal."""
    from jupyter_mlops.check.check import check as compare
    from jupyter_mlops.kernel.check import check_page

    path = context.notebook(options.notebook)
    what, place = saved(path), output(context.shell)
    verdict = compare(
        context.bench.at("local"),
        path,
        assignments(options.parameter),
        options.kernel,
        lambda line: place.show(Page((Line(line, "quiet"),)), quiet=True),
    )
    place.show(check_page(verdict, what))
    if verdict.outcome == "different":
        raise CellFailed(f"{verdict.notebook}: one kernel and the pipeline differ (see above)")


def run(context: Context, options: Namespace) -> None:
    """Submit a notebook and follow it, unless told to go on."""
    path = context.notebook(options.notebook)
    values = assignments(options.parameter)
    what = saved(path)
    found: list[Diagnostic] = []
    started = context.bench.run(path, values, options.kernel, options.resume, found.append)
    if options.widget:
        from IPython.display import display

        from jupyter_mlops.kernel.widgets import RunView

        display(RunView(started, context.bench))
        return
    note = Line(" ".join([f"Runs {what}.", *(f"{one.message}. {one.fix}" for one in found)]), "quiet")
    place = output(context.shell)
    if options.detach:
        page = present.run_page(started, home=context.home)
        place.show(Page((*page.parts, note, Line(f"%mlops runs {started.name} shows how far it is.", "quiet")), page.run))
        return
    done = _follow(context, started, note)
    if done.phase != "Succeeded":
        raise CellFailed(f"run {done.name}: {done.phase} (see above)")


def _follow(context: Context, started: Run, note: Line) -> Run:
    place = output(context.shell)
    states: list[tuple[str, ...]] = [()]

    def show(now: Run, tail: Sequence[str]) -> None:
        page = present.run_page(now, tail, home=context.home)
        causes = (step.cause.code if step.cause else "" for step in now.steps)
        state = (now.phase, *(step.phase for step in now.steps), *causes)
        place.show(Page((*page.parts, note), page.run), quiet=state == states[-1])
        states[-1] = state

    try:
        return follow(context.bench.engine, started, show)
    except KeyboardInterrupt:
        context.show(Page((Line(f"Not watching any more; the run goes on. %mlops stop {started.name} stops it."),)))
        raise CellFailed(f"interrupted while watching {started.name}") from None


def runs(context: Context, options: Namespace) -> None:
    """List runs, show one, or delete one."""
    engine = context.bench.engine
    if options.run is None:
        if options.delete:
            raise WrongUsage("%mlops runs --delete: which one?", fix="Give its name: %mlops runs RUN --delete")
        context.show(present.runs_page(engine.list(limit=options.limit)))
    elif options.delete:
        engine.control(options.run, "delete")
        context.show(Page((Line(f"{options.run} is deleted; models it registered stay."),)))
    else:
        context.show(present.run_page(engine.get(options.run), home=context.home))


def logs(context: Context, options: Namespace) -> None:
    """The end of what a run printed."""
    engine = context.bench.engine
    name = options.run or _newest(engine)
    lines = [_log_line(line, options.step) for line in engine.logs(name, step=options.step) if line.event is None]
    context.show(present.logs_page(name, lines[-options.tail :], max(0, len(lines) - options.tail)))


def _newest(engine: Engine) -> str:
    for newest in engine.list(limit=1):
        return newest.name
    raise NotFound("there are no runs yet", fix="%mlops run starts one.")


def _log_line(line: LogLine, step: str | None) -> str:
    text = line.text.rstrip("\n")
    return text if step else f"{line.step} │ {text}"


def models(context: Context, options: Namespace) -> None:
    """All models, or the versions of one."""
    if options.model is None:
        context.show(present.models_page(context.bench.models.list()))
    else:
        context.show(present.model_page(context.bench.models.get(options.model)))


def deploy(context: Context, options: Namespace) -> None:
    """Serve a model and wait until it answers."""
    service = context.bench.deploy(options.model, options.name, options.namespace, options.port, gpu=options.gpu)
    place = output(context.shell)
    place.show(present.service_page(service))
    if options.detach:
        return
    limit = context.bench.settings.serving.ready_timeout if context.bench.target.local else CLUSTER_PATIENCE
    service = _wait(context, service, limit, lambda now: place.show(present.service_page(now), quiet=True))
    try:
        place.show(present.service_page(until_ready(context.bench.services, service.name, service.namespace, 0)))
    except MlopsError:
        place.show(present.service_page(service, _log_tail(context, service)))
        raise


def _wait(context: Context, service: Service, limit: float, show: Callable[[Service], None]) -> Service:
    """The service once it is ready, has failed or was stopped, or as it is when the time is over."""
    if isinstance(context.bench.services, Settling):
        now = service
        for now in context.bench.services.settle(service.name, service.namespace, limit):
            show(now)
            if now.ready or now.phase in {"Failed", "Stopped"}:
                break
        return now
    end = time.monotonic() + limit
    while not service.ready and service.phase not in {"Failed", "Stopped"} and time.monotonic() < end:
        time.sleep(POLL_SECONDS)
        service = context.bench.services.get(service.name, service.namespace)
        show(service)
    return service


def _log_tail(context: Context, service: Service) -> tuple[str, ...]:
    return tuple(deque(context.bench.services.logs(service.name, service.namespace), maxlen=LOG_TAIL))


def predict(context: Context, options: Namespace) -> None:
    """Call a service with rows of the notebook, or with the recorded sample."""
    if options.into is not None and not options.into.isidentifier():
        raise WrongUsage(f"--into {options.into}: not a variable's name", fix="For example --into answer")
    data = None if options.data is None else _evaluated(context, options.data)
    answer = context.bench.predict(options.service, data, options.namespace)
    if options.into is not None:
        context.shell.user_ns[options.into] = list(answer.predictions)
    context.show(present.prediction_page(options.service, answer))


def _evaluated(context: Context, expression: str) -> Any:
    try:
        return context.shell.ev(expression)
    except Exception as error:
        message = f"--data {expression}: {type(error).__name__}: {error}"
        raise WrongUsage(message, fix="Give an expression of this notebook, e.g. X_test.head()") from error


def services(context: Context, options: Namespace) -> None:
    """All services, or one with the end of its log."""
    backend = context.bench.services
    if options.service is None:
        found = [one for one in backend.list() if options.namespace in {None, one.namespace}]
        context.show(present.services_page(found))
        return
    service = backend.get(options.service, options.namespace or context.bench.namespace)
    context.show(present.service_page(service, _log_tail(context, service)))


def stop(context: Context, options: Namespace) -> None:
    """Stop the run or the service of that name; a run first, since runs carry a random ending and services do not."""
    if options.namespace is None and _stop_run(context, options):
        return
    backend = context.bench.services
    namespace = options.namespace or context.bench.namespace
    try:
        service = backend.control(options.name, "delete" if options.delete else "stop", namespace)
    except NotFound as error:
        raise NotFound(f"no run or service named {options.name}", fix="%mlops runs and %mlops services list them.") from error
    context.show(Page((Line(f"{options.name} is deleted."),)) if options.delete else present.service_page(service))


def _stop_run(context: Context, options: Namespace) -> bool:
    try:
        stopped = context.bench.engine.control(options.name, "stop")
    except NotFound:
        return False
    if options.delete:
        context.bench.engine.control(options.name, "delete")
        context.show(Page((Line(f"{options.name} is stopped and deleted."),)))
    else:
        context.show(present.run_page(stopped, home=context.home))
    return True


def targets(context: Context, options: Namespace) -> None:
    """All targets, or one with what a check found."""
    known = context.bench.targets
    if options.name is None and not options.check:
        rows = [(found, known.health(found.target.name)) for found in known.list()]
        context.show(present.targets_page(rows, known.default))
        return
    found = known.found(options.name)
    health = known.check(found.target.name) if options.check else known.health(found.target.name)
    context.show(present.target_page(found, health))


def use(context: Context, options: Namespace) -> None:
    """Choose the default target, for this person and not only for this kernel."""
    context.bench.targets.use(options.name)
    chosen = context.bench.targets.default
    context.show(Page((Line(f"{chosen} is the target of commands that name none."),)))


COMMANDS: Mapping[str, Callable[[Context, Namespace], None]] = {
    "convert": convert, "preflight": preflight, "check": check, "run": run, "runs": runs, "logs": logs, "models": models,
    "deploy": deploy, "predict": predict, "services": services, "stop": stop, "targets": targets, "use": use,
}  # fmt: skip
