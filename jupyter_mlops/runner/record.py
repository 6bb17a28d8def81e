"""``log_model``, ``log_metrics``, ``log_dataset``: what a notebook hands to the registry, in a step and in any kernel.

In a step the files are written at once (the model may change in the next line) and published when the step commits, so that
a step that fails, is retried or is taken from a cache registers nothing twice: run, step and number of the call are the
key. In an ordinary kernel there is no commit, and publishing happens at once, to the registry of this machine.
"""

from __future__ import annotations

import math
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from jupyter_mlops.errors import NotFound, WrongUsage
from jupyter_mlops.oci.made import note_made
from jupyter_mlops.oci.modelpack import model_repository, publish_model
from jupyter_mlops.oci.reference import check_repository
from jupyter_mlops.oci.store import Store
from jupyter_mlops.runner.patience import patiently
from jupyter_mlops.runner.progress import Log, now


@dataclass(frozen=True)
class Logged:
    """What ``log_model`` and ``log_dataset`` return. ``tag`` is '' until the step has ended."""

    kind: str
    name: str
    tag: str = ""
    digest: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        # The same in a step, which knows no tag yet, and in a kernel: a pipeline shows the text that one kernel shows.
        return f"{self.kind} {self.name}"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        import html  # a table of 2,000 names, which few steps need

        rows = "".join(
            f"<tr><td>{html.escape(name)}</td><td style='text-align:right'>{value:.6g}</td></tr>"
            for name, value in self.metrics.items()
        )
        table = f"<table>{rows}</table>" if rows else ""
        shown = f"{self.name}:{self.tag}" if self.tag else self.name
        told = f"<code>{html.escape(self.digest[:19])}</code>" if self.tag else "registered when this step ends"
        return f"<div><b>{html.escape(self.kind)} {html.escape(shown)}</b> {told}{table}</div>"


@dataclass
class _Pending:
    """Something written and not published yet. ``call`` counts the calls of a step, cell by cell in order."""

    kind: str
    name: str
    folder: Path
    call: int
    facts: Mapping[str, Any]
    metrics: dict[str, float] = field(default_factory=dict)
    known: int = 0
    """How many versions had been loaded by then: it may be made of these, and of none that came later."""

    version: dict[str, str] = field(default_factory=dict)
    """As what loads it notes it; tag and digest come with its publication."""


@dataclass
class Recorder:
    """What a step, or a kernel, has recorded."""

    run: str
    step: str
    pipeline: str
    log: Log | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    """Last value of each loose metric of the run, earlier steps included."""

    own: dict[str, float] = field(default_factory=dict)
    """Those of this step."""

    pending: list[_Pending] = field(default_factory=list)
    calls: int = 0
    kernel: str = "python3"
    """Name of the notebook's kernel."""

    image: str = ""
    """Image of the step's container; '' where there is none."""

    used: list[dict[str, str]] = field(default_factory=list)
    """Versions that were loaded: ``{"kind", "name", "tag", "digest"}``, each once, in order."""

    known: dict[str, int] = field(default_factory=dict)
    """Digest of what was published → how many of ``used`` had been loaded when it was recorded."""

    artifacts: list[dict[str, str]] = field(default_factory=list)
    """Files and figures that were published: ``{"name", "digest"}``."""

    store: Store | None = None
    """The run's registry; None in an ordinary kernel, which has that of this machine."""

    scratch: Path | None = None
    """Where files wait for their publication; the folder for temporary files by default."""

    def folder(self) -> Path:
        """A new folder."""
        return Path(tempfile.mkdtemp(prefix="mlops-record-", dir=self.scratch))

    def metric(self, name: str, value: float, step: int | None) -> None:
        """Note a loose metric."""
        self.metrics[name] = self.own[name] = value
        if self.log is not None:
            number = value if math.isfinite(value) else str(value)
            self.log.event("metric", name=name, value=number, step=step, time=now())

    def add(self, kind: str, name: str, folder: Path, facts: Mapping[str, Any], metrics: dict[str, float]) -> _Pending:
        """Note something to publish."""
        self.calls += 1
        version = {"kind": kind, "name": name, "tag": "", "digest": ""}
        self.pending.append(_Pending(kind, name, folder, self.calls, facts, metrics, len(self.used), version))
        return self.pending[-1]

    def loads(self, version: dict[str, str]) -> None:
        """Note a version that was loaded: what is recorded from here on is made of it."""
        if not any(one is version or (one["digest"] and one == version) for one in self.used):
            self.used.append(version)

    def publish(self, store: Store) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
        """Publish all that is pending: (models, datasets), each ``{"name", "tag", "digest"}``.

        Raises:
            StorageFull, PlatformError, Conflict: the store does not take it.
        """
        models: list[dict[str, str]] = []
        datasets: list[dict[str, str]] = []
        while self.pending:
            one = self.pending[0]
            found = self._patiently(store, one)
            entry = {"name": found.name, "tag": found.tag, "digest": found.digest}
            one.version.update(entry)
            self.known[found.digest] = one.known
            {"model": models, "dataset": datasets}.get(one.kind, self.artifacts).append(entry)
            if self.log is not None:
                self.log.event(one.kind, **entry)
            self.pending.pop(0)
            shutil.rmtree(one.folder, ignore_errors=True)
        return models, datasets

    def _patiently(self, store: Store, one: _Pending) -> Logged:
        """Publish one thing; its key lets it be done twice."""
        if self.log is None:
            return self.publish_one(store, one)
        return patiently(lambda: self.publish_one(store, one), self.log, f"the {one.kind} {one.name}")

    def publish_one(self, store: Store, one: _Pending) -> Logged:
        """Publish one thing under its key."""
        key = f"{self.run}/{self.step}/{one.call}"
        notes = {name: text for name, text in (("run", self.run), ("step", self.step), ("pipeline", self.pipeline)) if text}
        if one.kind == "dataset":
            from jupyter_mlops.runner.dataset import publish_dataset  # most steps record none

            tag, digest = publish_dataset(store, one.name, one.folder, one.facts, key=key, annotations=notes)
            return Logged("dataset", one.name, tag, digest)
        if one.kind == "artifact":
            from jupyter_mlops.runner.artifact import publish_artifact

            # A kernel has no run whose files they could be.
            digest = publish_artifact(store, self.pipeline, self.run, self.step, one.call, one.folder) if self.pipeline else ""
            return Logged("artifact", one.name, digest=digest)
        metrics = {**self.metrics, **one.metrics}
        notes["format"] = str(one.facts["format"])
        if self.image:
            notes["image"] = self.image
        mine = partial(note_made, store)
        made = publish_model(store, one.name, one.folder, key=key, annotations=notes, metrics=metrics, making=mine)
        return Logged("model", made.name, made.tag, made.digest, metrics)


@dataclass
class _Process:
    """The recorder of this process, if a step set one."""

    step: Recorder | None = None
    kernel: Recorder | None = None


_PROCESS = _Process()


def begin(recorder: Recorder) -> None:
    """From now on this process is a step that records."""
    _PROCESS.step = recorder


def log_model(
    model: Any,
    name: str,
    *,
    data: Any = None,
    metrics: Mapping[str, float] | None = None,
    format: str = "",  # noqa: A002 - its name everywhere
) -> Logged:
    """Register a model as the next version of ``name``.

    Args:
        model: a scikit-learn estimator, an object with ``predict(rows)``, or a function of rows.
        name: lower-case letters, digits, ``.``, ``_`` and ``-``.
        data: a few rows of what it takes: its signature and the sample that is published with it come from these, and only
            from these.
        metrics: numbers that belong to this version.
        format: ``skops``, ``sklearn`` (joblib), ``python`` or another; by default the first that keeps the model and that
            needs no pickle, where there is one.

    Raises:
        WrongUsage: the name, the model, the data or a metric cannot be right.
        NotStorable: the model holds something that cannot be stored.
    """
    from jupyter_mlops.runner.card import write_model  # most steps register none

    model_repository(name)
    numbers = _numbers(metrics or {})
    recorder = recorder_of_process()
    folder = recorder.folder()
    try:
        known = {**recorder.metrics, **numbers}
        card = write_model(
            folder, model, name, data=data, metrics=known, wanted=format, kernel=recorder.kernel, image=recorder.image
        )
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return _done(recorder, recorder.add("model", name, folder, {"format": card["format"]}, numbers))


def log_metrics(metrics: Mapping[str, float] | None = None, /, *, step: int | None = None, **named: float) -> None:
    """Record numbers of this run; they belong to every model that is registered in it from now on.

    Args:
        metrics: name → number; more can be given as keywords.
        step: the epoch or iteration they were measured at; the last value of a name counts as its metric.
        named: more of them.

    Raises:
        WrongUsage: a value is no number.
    """
    recorder = recorder_of_process()
    for name, value in _numbers({**(metrics or {}), **named}).items():
        recorder.metric(name, value, step)


def log_dataset(data: Any, name: str) -> Logged:
    """Register a frame, an array, or a file or folder as the next version of a dataset.

    Raises:
        WrongUsage: the name or the data cannot be right.
    """
    from jupyter_mlops.runner.dataset import write_dataset

    check_repository(f"datasets/{name}")
    recorder = recorder_of_process()
    folder = recorder.folder()
    try:
        facts = write_dataset(data, folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return _done(recorder, recorder.add("dataset", name, folder, facts.to_json(), {}))


def log_artifact(path: str | Path, name: str | None = None) -> Logged:
    """Keep a file or folder with the run, under ``name`` or its own. In an ordinary kernel, which is no run, nothing is kept.

    Raises:
        WrongUsage: there is nothing, or the name leads out of the run's files.
    """
    from jupyter_mlops.runner.artifact import write_artifact

    shown = name or Path(path).resolve().name
    return _written("artifact", shown, lambda folder: write_artifact(Path(path), shown, folder))


def log_figure(figure: Any, name: str) -> Logged:
    """Keep a figure of matplotlib with the run, as PNG, SVG or PDF by the end of its name.

    Raises:
        WrongUsage: it is no figure, or the name cannot be right.
    """
    from jupyter_mlops.runner.artifact import write_figure

    return _written("artifact", name, lambda folder: write_figure(figure, name, folder))


def _written(kind: str, name: str, write: Callable[[Path], None]) -> Logged:
    """Write something into a folder of its own and note it."""
    recorder = recorder_of_process()
    folder = recorder.folder()
    try:
        write(folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return _done(recorder, recorder.add(kind, name, folder, {}, {}))


def register_outputs(recorder: Recorder, outputs: tuple[str, ...], namespace: Mapping[str, Any]) -> None:
    """The step option ``outputs``: register variables as ``log_model`` would, unless the step logged that name itself.

    Raises:
        NotFound: code ``no-output``: there is no such variable.
        WrongUsage, NotStorable: it is no model.
    """
    for output in outputs:
        _, _, variable = output.partition(":")
        variable = variable or "model"
        if variable not in namespace:
            raise NotFound(
                f"the step is to register {variable} as a model, and there is no variable {variable}",
                code="no-output",
                fix="Name a variable that the step's cells bind, or remove the step's option outputs.",
            )
        name = recorder.pipeline if variable == "model" else variable.lower().strip("_")
        if not any(one.kind == "model" and one.name == name for one in recorder.pending):
            log_model(namespace[variable], name)


def _done(recorder: Recorder, pending: _Pending) -> Logged:
    """In a step: a note of what will be published. Elsewhere: what was."""
    if recorder is _PROCESS.step:
        return Logged(pending.kind, pending.name, metrics=pending.metrics)
    try:
        return recorder.publish_one(home_store(), pending)
    finally:
        recorder.pending.clear()
        shutil.rmtree(pending.folder, ignore_errors=True)


def recorder_of_process() -> Recorder:
    """The step's recorder; in an ordinary kernel one that publishes at once."""
    if _PROCESS.step is not None:
        return _PROCESS.step
    if _PROCESS.kernel is None:
        _PROCESS.kernel = Recorder(f"kernel-{os.urandom(6).hex()}", "session", "")
    return _PROCESS.kernel


def home_store() -> Store:
    """The registry of this machine.

    ``settings`` is looked up by name: this module travels into steps, where settings do not exist, so that an import
    statement would tie the two rooms together. In a kernel the package is installed whole.
    """
    from importlib import import_module

    from jupyter_mlops.oci.layout import Layout

    return Layout(import_module("jupyter_mlops.settings").Storage().registry)


def _numbers(metrics: Mapping[str, float]) -> dict[str, float]:
    found = {}
    for name, value in metrics.items():
        try:
            found[str(name)] = float(value)
        except (TypeError, ValueError) as error:  # noqa: PERF203  (the error names the metric)
            raise WrongUsage(
                f"metric {name!r} is a {type(value).__name__}, not a number", code="invalid-metric", fix="Give a number."
            ) from error
    return found
