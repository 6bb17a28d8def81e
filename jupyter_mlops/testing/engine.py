# Long on purpose: the whole contract of a port is read in one file by whoever writes an adapter.
"""Conformance suite of the engine port: what every adapter does, whoever wrote it.

An adapter's tests subclass ``EngineConformance``, give an ``engine`` fixture, and switch off by a flag what it cannot do::

    class TestMyEngine(EngineConformance):
        @pytest.fixture
        def engine(self, tmp_path):
            return MyEngine(...)

Workflows of the suite are plain: ``python3 -c`` in one container a step, no bundle, no registry. An adapter whose steps take
long overrides ``finished``, so that the runs of ``RUNS`` go on beside each other.
"""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar

import pytest

from jupyter_mlops.engine.base import DONE, Engine, Run, Submission, Verb
from jupyter_mlops.errors import Conflict, MlopsError, NotFound, Refused
from jupyter_mlops.testing.engine_runs import DIGEST, RUNS, VALUES, Step, workflow

__all__ = ["RUNS", "EngineConformance", "Step", "phases", "wait", "workflow"]


def wait(engine: Engine, name: str, until: Callable[[Run], bool] = lambda run: run.phase in DONE, *, seconds: float = 60) -> Run:
    """The run once ``until`` holds; fails the test if that takes too long."""
    end = time.monotonic() + seconds
    while not until(run := engine.get(name)):
        assert time.monotonic() < end, f"{name} is still {run.phase}: {[(s.name, s.phase, s.message) for s in run.steps]}"
        time.sleep(0.02)
    return run


def phases(run: Run) -> dict[str, str]:
    """Phase by step."""
    return {step.name: step.phase for step in run.steps}


class EngineConformance:
    """What every engine does."""

    streams_logs: ClassVar[bool] = True
    """Lines can be followed while a step runs."""

    sees_events: ClassVar[bool] = True
    """Progress, models and metrics of structured lines reach the run."""

    seconds: ClassVar[float] = 60
    """How long a small run may take here."""

    reaction: ClassVar[float] = 1.5
    """Seconds that a step of a test waits for the engine to notice what it does."""

    def document(self, *steps: Step, **options: Any) -> dict[str, Any]:
        """The Workflow of a test; an adapter puts its image here."""
        return workflow(*steps, **options)

    @pytest.fixture
    def engine(self) -> Engine:
        """The adapter under test."""
        raise NotImplementedError

    @pytest.fixture
    def submit(self, engine: Engine) -> Iterator[Callable[..., Run]]:
        """Submits a workflow of steps, and deletes the run when the test is over."""
        names: list[str] = []

        def start(*steps: Step, **options: Any) -> Run:
            run = engine.submit(Submission(self.document(*steps, **options)))
            names.append(run.name)
            return run

        yield start
        for name in names:
            with contextlib.suppress(NotFound):
                engine.control(name, "delete")

    @pytest.fixture
    def finished(self, engine: Engine, submit: Callable[..., Run]) -> Callable[[str], Run]:
        """Gives one of ``RUNS`` when it is over."""

        def run(key: str) -> Run:
            steps, options = RUNS[key]
            return self.finish(engine, submit(*steps, **options))

        return run

    def finish(self, engine: Engine, run: Run) -> Run:
        """The run when it is done."""
        return wait(engine, run.name, seconds=self.seconds)

    # -- running -----------------------------------------------------------------------------------------------------------

    def test_a_submitted_run_is_there_at_once(self, engine: Engine, submit: Callable[..., Run]) -> None:
        """Submit returns before the work is done."""
        run = submit(("load", "time.sleep(0.3)"), ("train", "pass"))
        assert run.phase in {"Pending", "Running"}
        assert run.pipeline == "conformance"
        assert [step.name for step in run.steps] == ["load", "train"]
        again = engine.get(run.name)
        assert (again.name, again.created) == (run.name, run.created)
        assert again.revision >= run.revision
        assert engine.list(limit=1)[0].name == run.name

    def test_a_run_that_succeeded_has_times_phases_and_cells(self, finished: Callable[[str], Run]) -> None:
        """What the plan and the status say."""
        run = finished("simple")
        assert (run.phase, phases(run), run.failure) == ("Succeeded", {"load": "Succeeded", "train": "Succeeded"}, None)
        assert run.started is not None
        assert run.finished is not None
        assert run.created <= run.finished + 1
        assert [step.cells for step in run.steps] == [(0,), (1,)]
        assert run.steps[1].needs == ("load",)
        assert [step.cause for step in run.steps] == [None, None]
        assert run.source_digest.startswith("sha256:")
        assert (run.paused, run.resumed) == (False, None)

    def test_a_step_hands_its_output_to_the_next(self, finished: Callable[[str], Run]) -> None:
        """Output parameters travel as text, exactly, less one newline at the end."""
        run = finished("output")
        assert run.phase == "Succeeded", run.failure

    def test_a_missing_output_is_its_default(self, finished: Callable[[str], Run]) -> None:
        """A step that writes nothing hands on the default."""
        assert finished("default").phase == "Succeeded"

    def test_parameters_reach_every_step(self, finished: Callable[[str], Run]) -> None:
        """Values arrive as JSON text and are shown with the run."""
        run = finished("parameters")
        assert run.phase == "Succeeded", run.failure
        assert dict(run.parameters) == VALUES

    def test_steps_without_links_may_run_beside_each_other(self, finished: Callable[[str], Run]) -> None:
        """All of them run, whatever the order."""
        assert set(phases(finished("beside")).values()) == {"Succeeded"}

    # -- failing -----------------------------------------------------------------------------------------------------------

    def test_a_failure_names_step_cell_and_line(self, finished: Callable[[str], Run]) -> None:
        """The termination message of a step is the run's failure; later steps are skipped."""
        run = finished("failure")
        assert (run.phase, phases(run)) == ("Failed", {"load": "Succeeded", "train": "Failed", "test": "Skipped"})
        failure = run.failure
        assert failure is not None
        assert (failure.code, failure.cell, failure.line, failure.step, failure.blame) == ("step-failed", 3, 2, "train", "user")
        assert (failure.message, failure.fix, failure.traceback) == ("ValueError: no", "f", ("t",))

    def test_a_step_that_says_nothing_still_fails_with_a_reason(self, finished: Callable[[str], Run]) -> None:
        """An exit code alone is told in words."""
        run = finished("silent")
        assert run.failure is not None
        assert "7" in run.failure.message
        assert run.failure.step == "only"
        assert run.failure.fix

    def test_a_step_that_is_retried_can_succeed(self, finished: Callable[[str], Run]) -> None:
        """``retryStrategy.limit`` more attempts; the run's failure is that of none of them."""
        run = finished("retried")
        assert (run.phase, phases(run), run.failure) == ("Succeeded", {"flaky": "Succeeded"}, None)

    def test_a_step_past_its_time_is_ended(self, finished: Callable[[str], Run]) -> None:
        """``timeout`` ends it and is said."""
        run = finished("late")
        assert run.phase in {"Failed", "Error"}  # Argo says Error where the time was over before there was a pod
        assert run.failure is not None
        assert run.failure.code == "timeout"

    @pytest.mark.parametrize(
        ("path", "value"),
        [
            (("spec", "entrypoint"), "nowhere"),
            (("spec", "templates", 0, "dag", "tasks", 0, "template"), "nowhere"),
            (("spec", "templates", 1, "container", "args"), ["{{inputs.parameters.nothing}}"]),
        ],
    )
    def test_a_document_that_cannot_run_is_refused(self, engine: Engine, path: Sequence[Any], value: Any) -> None:
        """Before anything starts, with the field."""
        document = self.document(("only", "pass"))
        target: Any = document
        for key in path[:-1]:
            target = target[key]
        target[path[-1]] = value
        before = [run.name for run in engine.list()]
        with pytest.raises(Refused) as caught:
            engine.submit(Submission(document))
        assert caught.value.where.field or caught.value.diagnostics
        assert [run.name for run in engine.list()] == before

    # -- control flow ------------------------------------------------------------------------------------------------------

    def test_a_task_runs_once_for_each_item(self, engine: Engine, finished: Callable[[str], Run]) -> None:
        """``withParam``: a step for the task, then one for each branch; each has its log, and the task has all."""
        run = finished("branches")
        assert run.phase == "Succeeded", (phases(run), run.failure)
        assert phases(run) == dict.fromkeys(("list", "each", "each(0)", "each(1)", "all"), "Succeeded")
        assert {line.step: line.text for line in engine.logs(run.name, step="each")} == {"each(0)": "0:a=22", "each(1)": "1:0.5"}
        assert [line.text for line in engine.logs(run.name, step="each(1)")] == ["1:0.5"]

    def test_no_items_are_no_branches(self, finished: Callable[[str], Run]) -> None:
        """The task is skipped, and what follows goes on."""
        run = finished("no branches")
        assert (run.phase, phases(run)) == ("Succeeded", {"list": "Succeeded", "each": "Skipped", "all": "Succeeded"}), run.failure

    def test_a_branch_that_fails_fails_the_task(self, finished: Callable[[str], Run]) -> None:
        """What follows does not run, and the failure is the branch's."""
        run = finished("a branch fails")
        found = phases(run)
        assert (run.phase, found["each"], found["each(1)"], found["all"]) == ("Failed", "Failed", "Failed", "Skipped")
        assert run.failure is not None
        assert run.failure.step == "each(1)"

    @pytest.mark.parametrize(("key", "phase"), [("condition", "Succeeded"), ("condition not met", "Skipped")])
    def test_a_condition_decides_whether_a_task_runs(self, finished: Callable[[str], Run], key: str, phase: str) -> None:
        """``when``: a task that is skipped does not keep the next one, which can tell."""
        run = finished(key)
        assert (run.phase, phases(run)) == ("Succeeded", {"say": "Succeeded", "each": phase, "all": "Succeeded"}), run.failure

    @pytest.mark.parametrize(
        ("key", "outcome", "ends"),
        [
            ("end", "Succeeded", {"a": "Succeeded", "end": "Succeeded"}),
            ("end of a failure", "Failed", {"a": "Failed", "b": "Skipped", "end": "Succeeded"}),
        ],
    )
    def test_an_exit_handler_runs_whatever_happened(
        self, engine: Engine, finished: Callable[[str], Run], key: str, outcome: str, ends: dict[str, str]
    ) -> None:
        """``onExit``: it learns how the run ended, and changes nothing of that."""
        run = finished(key)
        assert (run.phase, phases(run)) == (outcome, ends)
        assert [line.text for line in engine.logs(run.name, step="end")] == [outcome]

    def test_an_exit_handler_that_fails_fails_the_run(self, finished: Callable[[str], Run]) -> None:
        """Although all else went well."""
        run = finished("end that fails")
        assert (run.phase, phases(run)) == ("Failed", {"a": "Succeeded", "end": "Failed"})
        assert run.failure is not None
        assert run.failure.step == "end"

    def test_an_exit_handler_runs_when_a_run_is_stopped(self, engine: Engine, submit: Callable[..., Run]) -> None:
        """Stopping ends the steps, not what is there to tidy up after them."""
        run = submit(("a", "time.sleep(600)"), last=("end", "print(given)"))
        wait(engine, run.name, lambda now: now.steps[0].phase == "Running", seconds=self.seconds)
        engine.control(run.name, "stop")
        run = self.finish(engine, run)
        assert (run.phase, phases(run)) == ("Stopped", {"a": "Stopped", "end": "Succeeded"}), [step.message for step in run.steps]

    # -- looking -----------------------------------------------------------------------------------------------------------

    def test_an_unknown_run_is_not_found(self, engine: Engine) -> None:
        """By every method alike, also for a name that could not be one."""
        for name in ("no-such-run", "../etc", "", "A b"):
            for ask in (
                engine.get,
                lambda n: next(engine.watch(n)),
                lambda n: list(engine.logs(n)),
                lambda n: engine.control(n, "stop"),
                lambda n: engine.control(n, "delete"),
            ):
                with pytest.raises(NotFound):
                    ask(name)

    def test_watch_tells_every_change_until_the_end(self, engine: Engine, submit: Callable[..., Run]) -> None:
        """Revisions grow, the last state is the end, and a finished run is told once."""
        run = submit(("a", "time.sleep(0.3)"), ("b", "pass"))
        seen = list(engine.watch(run.name))
        assert seen[-1].phase == "Succeeded"
        assert all(one.revision < two.revision for one, two in itertools.pairwise(seen))
        assert [again.phase for again in engine.watch(run.name)] == ["Succeeded"]

    def test_the_list_is_newest_first_and_pages(self, engine: Engine, submit: Callable[..., Run]) -> None:
        """``before`` goes on where a page ended, without gap or repetition; ``pipeline`` selects."""
        names = [submit(("a", "pass"), name="paged").name for _ in range(3)]
        submit(("a", "pass"), name="other")
        first = engine.list(pipeline="paged", limit=2)
        assert [run.name for run in first] == names[:0:-1]
        rest = engine.list(pipeline="paged", limit=2, before=first[-1].created)
        assert [run.name for run in rest] == names[:1]
        assert not engine.list(pipeline="nothing")

    def test_logs_hold_every_line_with_its_step(self, engine: Engine, finished: Callable[[str], Run]) -> None:
        """Output and error, in order; structured lines also as events."""
        run = finished("logs")
        lines = list(engine.logs(run.name))
        assert [(line.step, line.text) for line in lines if line.event is None] == [("a", "one"), ("a", "zwei ü"), ("b", "three")]
        assert [line.event for line in lines if line.event] == [{"event": "metric", "name": "x", "value": 1}]
        assert {line.step for line in engine.logs(run.name, step="b")} == {"b"}
        with pytest.raises(NotFound):
            list(engine.logs(run.name, step="c"))

    def test_logs_can_be_followed(self, engine: Engine, submit: Callable[..., Run]) -> None:
        """A line comes while its step still runs, and following ends with the run."""
        if not self.streams_logs:
            pytest.skip("this engine shows logs when a step is over")
        run = submit(("a", f"print('first', flush=True); time.sleep({self.reaction}); print('last')"))
        lines = engine.logs(run.name, follow=True)
        assert next(lines).text == "first"
        assert engine.get(run.name).phase == "Running"
        assert [line.text for line in lines] == ["last"]

    def test_events_become_progress_models_and_metrics(self, finished: Callable[[str], Run]) -> None:
        """What a step tells while it runs is in the run."""
        if not self.sees_events:
            pytest.skip("this engine does not read structured lines")
        run = finished("events")
        assert run.steps[0].progress == (2, 3)
        assert dict(run.metrics) == {"acc": 0.5}
        assert [dict(model) for model in run.models] == [{"name": "m", "tag": "v1", "digest": DIGEST}]

    # -- acting ------------------------------------------------------------------------------------------------------------

    def test_a_run_can_be_stopped(self, engine: Engine, submit: Callable[..., Run]) -> None:
        """Its step ends, nothing more starts, it counts as stopped and not as failed; stopping again is no error."""
        run = submit(("a", "time.sleep(600)"), ("b", "pass"))
        wait(engine, run.name, lambda now: now.steps[0].phase == "Running", seconds=self.seconds)
        engine.control(run.name, "stop")
        run = self.finish(engine, run)
        assert (run.phase, phases(run), run.failure) == ("Stopped", {"a": "Stopped", "b": "Skipped"}, None)
        assert engine.control(run.name, "stop").phase == "Stopped"

    def test_stopping_what_has_ended_changes_nothing(self, engine: Engine, finished: Callable[[str], Run]) -> None:
        """A run that succeeded stays so, and there is nothing to pause or approve."""
        run = finished("simple")
        assert engine.control(run.name, "stop").phase == "Succeeded"
        verbs: tuple[Verb, ...] = ("pause", "unpause", "approve")
        for verb in verbs:
            with pytest.raises(Conflict):
                engine.control(run.name, verb)

    def test_a_paused_run_starts_nothing_more(self, engine: Engine, submit: Callable[..., Run]) -> None:
        """What runs finishes; the next step starts when the run goes on."""
        run = submit(("a", f"time.sleep({self.reaction})"), ("b", "pass"))
        wait(engine, run.name, lambda now: now.steps[0].phase == "Running", seconds=self.seconds)
        assert engine.control(run.name, "pause").paused
        with pytest.raises(Conflict):
            engine.control(run.name, "approve")
        now = wait(engine, run.name, lambda now: now.steps[0].phase == "Succeeded", seconds=self.seconds)
        assert (now.phase, now.steps[1].phase, now.paused) == ("Running", "Pending", True)
        assert not engine.control(run.name, "unpause").paused
        assert self.finish(engine, run).phase == "Succeeded"

    def test_a_running_run_can_be_deleted(self, engine: Engine, submit: Callable[..., Run]) -> None:
        """It is stopped first, and then gone."""
        run = submit(("a", "time.sleep(600)"))
        wait(engine, run.name, lambda now: now.phase == "Running", seconds=self.seconds)
        engine.control(run.name, "delete")
        with pytest.raises(NotFound):
            engine.get(run.name)
        assert run.name not in {other.name for other in engine.list()}

    def test_an_unknown_verb_is_refused(self, engine: Engine, submit: Callable[..., Run]) -> None:
        """And the run goes on."""
        run = submit(("a", "pass"))
        with pytest.raises(MlopsError):
            engine.control(run.name, "explode")  # type: ignore[arg-type]
        assert self.finish(engine, run).phase == "Succeeded"
