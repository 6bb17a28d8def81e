"""Every noun of the product as a page: pipeline, run, model, service, prediction, error.

Pure: values in, a ``Page`` out. Words stand for every state, never a colour alone.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jupyter_mlops.kernel.page import Block, Line, Page, Part, Table
from jupyter_mlops.views import seconds

if TYPE_CHECKING:
    from jupyter_mlops.engine.base import Failure, Run, StepRun
    from jupyter_mlops.errors import Diagnostic, MlopsError
    from jupyter_mlops.pipeline.pipeline import Parameter, Pipeline
    from jupyter_mlops.registry.models import Model, ModelVersion
    from jupyter_mlops.serving.base import Service
    from jupyter_mlops.serving.predict import Prediction
    from jupyter_mlops.targets.check import Health
    from jupyter_mlops.targets.find import Found

MARK: Mapping[str, str] = {
    "Pending": "○", "Running": "●", "Loading": "●", "Ready": "✓", "Succeeded": "✓", "Failed": "✗", "Error": "✗", "Stopped": "■",
    "Skipped": "-",
}  # fmt: skip
"""A sign before the word of a phase: it is found faster in a column than the word."""


LEVELS: Mapping[str, str] = {"ok": "✓ ok", "warn": "! to look at", "fail": "✗ wrong", "skip": "- skipped"}


def pipeline_page(pipeline: Pipeline, written: str | None = None) -> Page:
    """What ``convert`` found: steps, parameters, doubts."""
    rows = tuple((step.name, _cells(step.cells), ", ".join(step.needs), step.title) for step in pipeline.steps)
    parts: list[Part] = [
        Line(f"{pipeline.notebook} is a pipeline of {_count(len(rows), 'step')}", "strong"),
        Table(("step", "cells", "needs", "from"), rows),
    ]
    if pipeline.parameters:
        head = ("parameter", "type", "default")
        parts.append(Table(head, tuple((p.name, _kind(p), _json(p.default)) for p in pipeline.parameters)))
    parts += _diagnostics(pipeline.diagnostics)
    if written is not None:
        parts.append(Line(f"Argo Workflow written to {written}"))
    return Page(tuple(parts))


def run_page(run: Run, tail: Sequence[str] = (), *, home: str | None = None, now: float | None = None) -> Page:
    """A run with its steps, what it made, and why it failed; ``tail`` are the last lines of its logs."""
    moment = time.time() if now is None else now
    took = seconds(run.started, run.finished, moment)
    parts: list[Part] = [
        Line(f"{phase(run.phase)}: {run.name}{'' if took is None else f', {duration(took)}'}", "strong"),
        Table(("step", "state", "cells", "time"), tuple(_step(step, moment) for step in run.steps)),
    ]
    for step in run.steps:
        if step.cause is not None and run.finished is None and (step.failing or step.phase == "Pending"):
            state = "failed" if step.failing else "waits"
            parts += [Line(f"{step.name} {state}: {step.cause.message}"), *([Line(step.cause.fix)] if step.cause.fix else [])]
    if run.failure is not None:
        parts += _failure(run.failure)
    elif tail and run.finished is None:
        parts.append(Block(tuple(tail)))
    if run.metrics:
        parts.append(Line(f"metrics: {metrics(run.metrics)}"))
    parts += [Line(f"model {model['name']}:{model['tag']} registered") for model in run.models]
    if run.executed and run.finished is not None:
        parts.append(Line(f"executed notebook: {run.executed}", "quiet"))
    about = {"run": run.name, "phase": run.phase, "target": run.target}
    return Page(tuple(parts), about if home is None else {**about, "home": home})


def runs_page(runs: Sequence[Run], now: float | None = None) -> Page:
    """Runs, newest first."""
    if not runs:
        return Page((Line("No runs yet. %mlops run starts one."),))
    moment = time.time() if now is None else now
    rows = tuple(
        (run.name, phase(run.phase), _span(run.started, run.finished, moment), age(run.created, moment), metrics(run.metrics))
        for run in runs
    )
    return Page((Table(("run", "state", "time", "started", "metrics"), rows),))


def logs_page(name: str, lines: Sequence[str], left_out: int) -> Page:
    """The end of a run's or service's log."""
    head = f"log of {name}" + (f", last {len(lines)} lines; {left_out} earlier ones left out" if left_out else "")
    return Page((Line(head, "strong"), Block(tuple(lines)) if lines else Line("nothing was printed", "quiet")))


def models_page(models: Sequence[Model], now: float | None = None) -> Page:
    """One line a model: its newest version."""
    if not models:
        return Page((Line("No models yet. log_model(model, name) in a cell registers one."),))
    moment = time.time() if now is None else now
    rows = tuple((model.name, *_version(model.versions[0], moment), str(len(model.versions))) for model in models if model.versions)
    return Page((Table(("model", "newest", "aliases", "metrics", "made", "versions"), rows),))


def model_page(model: Model, now: float | None = None) -> Page:
    """All versions of a model, newest first."""
    moment = time.time() if now is None else now
    rows = tuple((*_version(version, moment), version.digest) for version in model.versions)
    return Page((Line(model.name, "strong"), Table(("version", "aliases", "metrics", "made", "digest"), rows)))


def services_page(services: Sequence[Service]) -> Page:
    """All services."""
    if not services:
        return Page((Line("No services yet. %mlops deploy MODEL starts one."),))
    rows = tuple((service.name, phase(service.phase), service.model, service.url) for service in services)
    return Page((Table(("service", "state", "model", "address"), rows),))


def service_page(service: Service, log: Sequence[str] = ()) -> Page:
    """One service: where it is, and what stops it from being ready."""
    parts: list[Part] = [Line(f"{phase(service.phase)}: {service.name} serves {service.model}", "strong")]
    if service.url:
        parts.append(Line(f"address: {service.url}"))
    if service.ready:
        parts.append(Line(f"%mlops predict {service.name} calls it with the rows recorded at training.", "quiet"))
    parts += [Line(text) for text in (service.message, service.fix) if text]
    if log:
        parts.append(Block(tuple(log)))
    return Page(tuple(parts))


def targets_page(rows: Sequence[tuple[Found, Health | None]], default: str) -> Page:
    """All targets, with what is remembered of their health."""
    table = tuple(
        (
            found.target.name,
            "default" if found.target.name == default else "",
            "✓ ok" if found.target.local else _health(health),
            found.target.namespace,
            found.target.registry,
        )
        for found, health in rows
    )
    hint = Line("%mlops targets NAME --check looks whether a cluster works; %mlops use NAME makes it the default.", "quiet")
    return Page((Table(("target", "", "health", "namespace", "registry"), table), hint))


def target_page(found: Found, health: Health | None) -> Page:
    """One target with every finding of its last check."""
    parts: list[Part] = [Line(f"{found.target.name}: {found.title}", "strong")]
    if health is None:
        parts.append(Line(f"%mlops targets {found.target.name} --check looks whether it works.", "quiet"))
        return Page(tuple(parts))
    rows = tuple((LEVELS[check.level], check.title, check.why) for check in health.checks)
    parts.append(Table(("", "check", "what was seen"), rows))
    for check in health.checks:
        if check.fix:
            parts += [Line(f"{check.title}:"), Block(tuple(check.fix.splitlines()))]
    return Page(tuple(parts))


def _health(health: Health | None) -> str:
    if health is None:
        return "not checked"
    return LEVELS[health.level] + (f" ({health.problem.title})" if health.problem else "")


def prediction_page(service: str, prediction: Prediction) -> Page:
    """What a service answered."""
    answers = tuple((str(index), _json(value)) for index, value in enumerate(prediction.predictions))
    head = Line(f"{service} answered {_count(len(answers), 'row')} in {prediction.milliseconds:.1f} ms", "strong")
    return Page((head, Table(("row", "prediction"), answers)))


def error_page(error: MlopsError) -> Page:
    """An error in the form of the house: what, where, how to get on, and every finding of a refusal."""
    parts: list[Part] = [Line(f"✗ {error}", "strong")]
    if error.fix:
        parts.append(Line(error.fix))
    parts += _diagnostics(getattr(error, "diagnostics", ()))
    blame = {"user": "", "platform": " (this machine, the registry or the cluster)", "us": " (a bug of jupyter-mlops)"}[error.blame]
    parts.append(Line(f"code: {error.code}{blame}", "quiet"))
    return Page(tuple(parts))


def help_page(text: str) -> Page:
    """A help text as it is."""
    return Page((Block(tuple(text.rstrip().splitlines())),))


def phase(word: str) -> str:
    """A phase with its sign."""
    return f"{MARK.get(word, '?')} {word}"


def duration(value: float) -> str:
    """Seconds as people say them."""
    minute, hour = 60, 3600
    if value < minute:
        return f"{value:.1f} s"
    if value < hour:
        return f"{int(value // minute)} min {int(value % minute)} s"
    return f"{int(value // hour)} h {int(value % hour // minute)} min"


def age(created: float, now: float) -> str:
    """How long ago; nothing for 0, the time of what has none."""
    return "" if created == 0 else f"{duration(max(0.0, now - created))} ago"


def metrics(values: Mapping[str, float]) -> str:
    """Metrics on one line, four digits that count."""
    return ", ".join(f"{name} {value:.4g}" for name, value in values.items())


def _kind(parameter: Parameter) -> str:
    return f"one of {', '.join(map(_json, parameter.choices))}" if parameter.choices else parameter.type


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _version(version: ModelVersion, now: float) -> tuple[str, str, str, str]:
    return version.tag, ", ".join(version.aliases), metrics(version.metrics), age(version.created, now)


def _step(step: StepRun, now: float) -> tuple[str, str, str, str]:
    done = _cells(step.cells) if step.progress is None else f"{step.progress[0]} of {step.progress[1]}"
    return step.name, phase(step.phase), done, _span(step.started, step.finished, now)


def _span(started: float | None, finished: float | None, now: float) -> str:
    took = seconds(started, finished, now)
    return "" if took is None else duration(took)


def _failure(failure: Failure) -> list[Part]:
    said = f"cell {failure.cell}" in failure.message  # the runner's messages name the place themselves
    place = ", ".join(
        word
        for word in (
            f"step {failure.step}" if failure.step else "",
            "" if failure.cell is None or said else f"cell {failure.cell}",
            "" if failure.line is None or said else f"line {failure.line}",
        )
        if word
    )
    parts: list[Part] = [Line(f"{failure.message}{f' ({place})' if place else ''}")]
    if failure.fix:
        parts.append(Line(failure.fix))
    if failure.traceback:
        parts.append(Block(tuple(failure.traceback)))
    return parts


def _diagnostics(found: Sequence[Diagnostic]) -> list[Part]:
    if not found:
        return []
    rows = tuple(
        (
            item.severity,
            "" if item.cell is None else str(item.cell),
            "" if item.line is None else str(item.line),
            item.message,
            item.fix,
            item.code,
        )
        for item in found
    )
    return [Table(("", "cell", "line", "what", "how to get on", "code"), rows)]


def _cells(cells: Sequence[int]) -> str:
    """``1-3, 7`` for 1, 2, 3, 7."""
    runs: list[list[int]] = []
    for cell in sorted(cells):
        if runs and cell == runs[-1][-1] + 1:
            runs[-1].append(cell)
        else:
            runs.append([cell])
    return ", ".join(str(part[0]) if len(part) == 1 else f"{part[0]}-{part[-1]}" for part in runs)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
