"""The port of engines on a cluster: Workflow objects, read and changed through the Kubernetes API.

The engine holds nothing that cannot be found again: it shows what the API server and the registry say. Where a watch serves,
it watches; a question is answered by reading.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, get_args

from jupyter_mlops.cluster.base import WORKFLOWS, Cluster
from jupyter_mlops.engine.argo import control
from jupyter_mlops.engine.argo.executed import ExecutedFiles
from jupyter_mlops.engine.argo.fields import refuse_misspelled
from jupyter_mlops.engine.argo.history import History
from jupyter_mlops.engine.argo.installed import check_not_removed
from jupyter_mlops.engine.argo.listing import newest, selector
from jupyter_mlops.engine.argo.logs import Followed, read_pods, sources
from jupyter_mlops.engine.argo.looking import Looking, bundle_of
from jupyter_mlops.engine.argo.nodes import unpack
from jupyter_mlops.engine.argo.patience import briefly
from jupyter_mlops.engine.argo.recording import RECORDED, Recorder
from jupyter_mlops.engine.argo.reports import Report, Reports, text_lines
from jupyter_mlops.engine.argo.stage import MANAGED, Stage
from jupyter_mlops.engine.argo.submission import prepare
from jupyter_mlops.engine.argo.telling import Tellings
from jupyter_mlops.engine.argo.view import Scene, view
from jupyter_mlops.engine.base import DONE, LogLine, Run, Submission, Verb
from jupyter_mlops.engine.branches import group_of, label_of
from jupyter_mlops.engine.decode import run_of
from jupyter_mlops.engine.local.names import check_name
from jupyter_mlops.engine.logs import event_of
from jupyter_mlops.engine.times import moment
from jupyter_mlops.errors import Conflict, MlopsError, NotFound, WrongUsage
from jupyter_mlops.registry.runs import RunRecords

if TYPE_CHECKING:
    from jupyter_mlops.oci.store import Store
    from jupyter_mlops.settings import Settings, Target

QUICK, PATIENT = 1.0, 10.0
"""Seconds that reports are waited for: while a run is watched, and when it is recorded."""

BRIEF = 3.0
"""Seconds that a question about a run is held up by the registry."""

MOST_REVISIONS = 1000


class ArgoEngine:
    """Runs Workflows on a cluster."""

    def __init__(self, settings: Settings, cluster: Cluster, target: Target, store: Store) -> None:
        self._cluster, self._target, self._store = cluster, target, store
        self.namespace = target.namespace or cluster.namespace
        self._tellings = Tellings(cluster, self.namespace)
        self._reports = Reports(store)
        self._looking = Looking(cluster, self.namespace, self._tellings, self._reports)
        self._files = ExecutedFiles(settings, store, self._reports, target.name)
        self._history = History(store, target.name, self.namespace)
        self._recorder = Recorder(
            cluster, self.namespace, store, complete=self._complete, logs=self._static_logs, executed=self._executed
        )
        self._revisions: OrderedDict[str, tuple[object, int]] = OrderedDict()
        self._final: set[str] = set()
        self._lock = threading.Lock()

    # -- starting ----------------------------------------------------------------------------------------------------------

    def submit(self, submission: Submission) -> Run:
        """Create the Workflow, after the API server took it with a strict dry run.

        Raises:
            Refused: the Workflow cannot run, or the API server does not take it; ``where.field`` or the diagnostics say where.
            NotFound: the run to resume is not there.
            Conflict: a run of that name exists.
            NotAllowed, Unavailable: the API server.
        """
        document = prepare(submission, self._target, self.namespace)
        refuse_misspelled(document, self._cluster)
        if submission.resume:
            self.get(submission.resume)
        created = self._cluster.create(WORKFLOWS, document, self.namespace)
        run = replace(run_of(created, {"notebook": submission.notebook}), target=self._target.name)
        self._files.note(run.name, submission.notebook)
        return run

    # -- looking -----------------------------------------------------------------------------------------------------------

    def get(self, name: str) -> Run:
        """The run as it is now; one whose Workflow is gone as it was recorded. Raises NotFound."""
        document = self._document(name)
        if document is None:
            return self._recorded(name)
        run, scene = self._look(document, QUICK)
        if run.phase in DONE and not _is_recorded(document):
            self._settle(document)
        executed = briefly(lambda: self._assembled(run, scene), BRIEF, lambda: self._files.existing(name))
        return replace(run, executed=executed)

    def list(self, *, pipeline: str | None = None, limit: int = 50, before: float | None = None) -> Sequence[Run]:
        """Newest first: Workflows, and runs whose Workflow is gone from their records."""
        documents, names = newest(self._cluster, self.namespace, selector(MANAGED, pipeline), limit, before)
        found = [self._shown(scene, whole=False) for scene in self._looking.scenes(documents)]
        for run, document in zip(found, documents, strict=True):
            if run.phase in DONE:
                self._settle(document)
        past = briefly(lambda: self._history.page(pipeline, names, limit, before), BRIEF, self._history.hangs)
        return sorted([*found, *past], key=lambda run: -run.created)[:limit]

    def watch(self, name: str) -> Iterator[Run]:
        """The run now, then at every change, until it is done or deleted.

        Raises:
            NotFound: no such run; code ``no-such-kind`` also where Argo itself is removed while the run is watched.
        """
        document = self._document(name)
        if document is None or _is_recorded(document):
            yield self.get(name)
            return
        last: Run | None = None
        with Stage(self._cluster, self.namespace, self._tellings, name) as stage:
            for _ in stage:
                if name not in stage.workflows or stage.workflows[name]["metadata"].get("deletionTimestamp"):
                    check_not_removed(self._cluster, self.namespace)
                    return
                run = self._watched(stage.scene(name))
                if run.phase in DONE:
                    run = self.get(name)
                if last is None or run.revision > last.revision or run.phase in DONE:
                    last = run
                    yield run
                if run.phase in DONE:
                    return

    def changes(self, stop: threading.Event) -> Iterator[Run]:
        """Every run of the namespace, then each that changes; see :func:`jupyter_mlops.engine.argo.watching.changes`."""
        from jupyter_mlops.engine.argo.watching import changes

        return changes(self, stop)

    def stage(self) -> Stage:
        """Watches over all runs of the namespace."""
        return Stage(self._cluster, self.namespace, self._tellings)

    def staged(self, stage: Stage, name: str) -> Run:
        """A run of a stage; one that is over is recorded."""
        scene = stage.scene(name)
        run = self._watched(scene)
        if run.phase in DONE:
            self._settle(scene.workflow)
        return run

    def logs(self, name: str, *, step: str | None = None, follow: bool = False) -> Iterator[LogLine]:
        """Lines in the order in which they were written; from the registry where the pods are gone. Raises NotFound."""
        document = self._document(name)
        run = self._recorded(name) if document is None else self._plain(document)
        if step is not None and step not in {known.name for known in run.steps}:
            names = ", ".join(known.name for known in run.steps)
            raise NotFound(f"run {name!r} has no step {step!r}", code="step-not-found", fix=f"Its steps are {names}.")
        if follow and document is not None and run.phase not in DONE:
            return Followed(self._cluster, self.namespace, name, step).lines()
        return self._static_logs(run, step)

    # -- acting ------------------------------------------------------------------------------------------------------------

    def control(self, name: str, verb: Verb) -> Run:
        """Do it and return the run as it then is, or was. Raises NotFound, WrongUsage, Conflict."""
        if verb not in get_args(Verb):
            raise WrongUsage(f"a run cannot be told to {verb!r}", fix=f"Use {', '.join(get_args(Verb))}.")
        document = self._document(name)
        run = self._recorded(name) if document is None else self._plain(document)
        if verb == "delete":
            return self._delete(run, document)
        if verb == "stop":
            if document is not None and run.phase not in DONE:
                control.stop(self._cluster, self.namespace, name)
            return self.get(name)
        if document is None or run.phase in DONE:
            raise Conflict(f"{name} is over ({run.phase}): there is nothing to {verb}", code="run-over")
        if verb == "approve":
            control.approve(self._cluster, self.namespace, name)
        else:
            control.pause(self._cluster, self.namespace, name, paused=verb == "pause")
        return self.get(name)

    def _delete(self, run: Run, document: Mapping[str, Any] | None) -> Run:
        """Stop it, delete its Workflow with its pods, and what it left in the registry; models stay."""
        if document is not None:
            if run.phase not in DONE:
                with suppress(NotFound):
                    run = self._plain(control.stop(self._cluster, self.namespace, run.name))
            control.delete(self._cluster, self.namespace, run.name, str(document["metadata"].get("uid") or ""))
        self._recorder.finish(run.name)
        RunRecords(self._store).delete(run.pipeline, run.name)
        self._history.forget(run.name)
        self._reports.forget(run.name)
        self._files.forget(run.name)
        return run

    # -- reading -----------------------------------------------------------------------------------------------------------

    def _document(self, name: str) -> Mapping[str, Any] | None:
        """The Workflow; None if there is none (any more)."""
        try:
            document = self._cluster.get(WORKFLOWS, check_name(name), self.namespace)
        except NotFound as error:
            if error.code == "no-such-kind":
                raise
            return None
        return None if (document.get("metadata") or {}).get("deletionTimestamp") else document

    def _look(self, document: Mapping[str, Any], wait: float) -> tuple[Run, Scene]:
        """A run with all that its pods, their events and its reports say."""
        scene = Scene(document) if _is_recorded(document) else self._looking.scene(document, wait)
        return self._shown(scene), scene

    def _watched(self, scene: Scene) -> Run:
        """A run that is being watched."""
        if not _is_recorded(scene.workflow):
            self._looking.complete(scene, QUICK)
        return self._shown(scene)

    def _plain(self, document: Mapping[str, Any]) -> Run:
        """A run as its Workflow alone tells it."""
        return replace(run_of(unpack(document)[0]), target=self._target.name)

    def _shown(self, scene: Scene, *, whole: bool = True) -> Run:
        """A scene as a run, with a revision that grows with each change that can be seen.

        One that is not ``whole`` (of a list, which reads less) is no news by what it lacks.
        """
        name = str((scene.workflow.get("metadata") or {}).get("name") or "")
        run = view(scene, target=self._target.name, notebook=self._files.noted(name), executed=self._files.existing(name))
        plain = replace(run, workflow={}, revision=0), tuple(told.report for told in scene.told.values())
        with self._lock:
            before, revision = self._revisions.get(name, (None, 0))
            if not whole:
                return replace(run, revision=max(run.revision, revision))
            if before != plain:
                revision = max(run.revision, revision + 1)
            self._revisions[name] = (plain, revision)
            self._revisions.move_to_end(name)
            while len(self._revisions) > MOST_REVISIONS:
                self._revisions.popitem(last=False)
        return replace(run, revision=revision)

    # -- what outlives the pods --------------------------------------------------------------------------------------------

    def _settle(self, document: Mapping[str, Any]) -> None:
        """Let a finished run be recorded, if it is one of ours and is not."""
        labels = (document.get("metadata") or {}).get("labels") or {}
        if not _is_recorded(document) and labels.get("app.kubernetes.io/managed-by") == "jupyter-mlops" and not self._reports.away:
            self._recorder.soon(str(document["metadata"]["name"]))

    def _complete(self, name: str) -> Run:
        """A finished run with all that can be known, for its record."""
        document = self._document(name)
        if document is None:
            raise NotFound(f"{name} was deleted", code="run-not-found")
        return self._look(document, PATIENT)[0]

    def _recorded(self, name: str) -> Run:
        """A run whose Workflow is gone. Raises NotFound."""
        run = self._history.get(check_name(name))
        return replace(run, notebook=self._files.noted(name), executed=self._fetched(run))

    def _assembled(self, run: Run, scene: Scene) -> str | None:
        """The executed notebook as far as it is known."""
        if _is_recorded(scene.workflow):
            return self._fetched(run)
        return self._executed(run, scene)

    def _executed(self, run: Run, scene: Scene | None = None) -> str | None:
        """Put the executed notebook together from the steps' reports."""
        bundle = bundle_of(run.workflow)
        if not bundle or self._reports.away:
            return self._files.existing(run.name)
        repository = bundle.partition("@")[0]
        if scene is None:
            scene = Scene(run.workflow)
            self._looking.complete(scene, PATIENT)
        reports: dict[str, Report] = dict(scene.reports)
        for step in run.steps:
            tag = f"report.{run.name}.{label_of(step.name)}"
            if step.name not in reports and step.phase == "Running" and (report := self._reports.now(repository, tag)):
                reports[step.name] = report
        return self._files.refresh(run, bundle, reports)

    def _fetched(self, run: Run) -> str | None:
        """The executed notebook of a recorded run, fetched once."""
        if (existing := self._files.existing(run.name)) is not None and run.name in self._final:
            return existing
        with suppress(MlopsError, OSError):
            with self._history.open(run.pipeline, run.name, "executed.ipynb") as stream:
                path = self._files.write(run.name, stream.read())
            self._final.add(run.name)
            return path
        return existing

    def _static_logs(self, run: Run, step: str | None = None) -> Iterator[LogLine]:
        """What has been written by now: of each step from its pods, else from the registry."""
        pods = self._looking.pods(run.name)
        found = sources(run.workflow, pods, step)
        there = {source.step for source in found if source.container == "main"}
        begun = sorted((one for one in run.steps if one.started is not None), key=lambda one: one.started or 0.0)
        groups = {group_of(one.name) for one in begun}  # have no pods, and no log, of their own
        wanted = [one for one in begun if one.name not in groups and step in {None, one.name, group_of(one.name)}]
        gone = [one.name for one in wanted if one.name not in there and one.phase in DONE]
        if not gone:
            yield from read_pods(self._cluster, self.namespace, found)
            return
        for one in begun:
            if one.name in gone:
                yield from self._pushed_log(run, one.name)
            yield from read_pods(self._cluster, self.namespace, [source for source in found if source.step == one.name])

    def _pushed_log(self, run: Run, step: str) -> Iterator[LogLine]:
        """A step's log from its report, else from the run's record."""
        repository = bundle_of(run.workflow).partition("@")[0]
        report = self._reports.of_finished([(repository, run.name, step)], PATIENT).get(step) if repository else None
        if report is not None and report.log is not None:
            for text in self._reports.log(repository, report):
                yield _line(step, text)
            return
        with suppress(NotFound), self._history.open(run.pipeline, run.name, f"{step}.log") as stream:
            for text in text_lines(stream):
                yield _line(step, text)


def _is_recorded(document: Mapping[str, Any]) -> bool:
    return RECORDED in ((document.get("metadata") or {}).get("annotations") or {})


def _line(step: str, text: str) -> LogLine:
    """A line that no kubelet gave a time to."""
    event = event_of(text)
    said = event.get("time") if event else None
    return LogLine(step, text, float(said) if isinstance(said, int | float) else moment(said), event)
