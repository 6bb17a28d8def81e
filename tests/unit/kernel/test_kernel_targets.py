"""Targets in a cell: the list, a check, the default, and commands that go elsewhere."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from jupyter_mlops.engine.base import Failure, LogLine
from jupyter_mlops.errors import NotFound
from jupyter_mlops.kernel import present
from jupyter_mlops.kernel.completion import complete
from jupyter_mlops.kernel.magics import register
from jupyter_mlops.kernel.page import as_html, as_text
from jupyter_mlops.settings import Target
from jupyter_mlops.targets.check import Check, Health
from jupyter_mlops.targets.find import Found
from tests.unit.kernel.kernel_story import ScriptedEngine, a_run
from tests.unit.kernel.test_kernel_magics import ScriptedBench, a_service, notebook, ran  # noqa: F401  (a fixture)

HERE = Found(Target(), "This machine")
DEV = Found(Target("dev", "dev", "ml", "https://r.example"), "one, namespace ml", "https://one.example")
HEALTH = Health((Check("TK01", "ok", "API server", "answers"), Check("TR01", "fail", "registry", "away", "first\nsecond")), 1.0)


class ScriptedTargets:
    """Two targets, one of them checked when asked."""

    default = "local"

    def __init__(self):
        self.known = None

    def list(self):
        return (HERE, DEV)

    def found(self, name=None):
        for one in self.list():
            if one.target.name == (name or self.default):
                return one
        raise NotFound(f"there is no target {name!r}", code="target-not-found", fix="There are local, dev.")

    def health(self, name):
        return self.known if name == "dev" else None

    def check(self, name):
        self.known = HEALTH
        return HEALTH

    def use(self, name):
        self.found(name)
        self.default = name


@pytest.fixture
def bench(shell, notebook):  # noqa: F811
    made = ScriptedBench(ScriptedEngine([a_run(), a_run("Succeeded")], [LogLine("load", "read\n")]), targets=ScriptedTargets())
    register(shell, made)
    return made


def text(shown):
    return shown[-1]["text/plain"]


def test_the_list_shows_what_is_remembered(shell, bench):
    _, shown, _ = ran(shell, "%mlops targets")
    assert "not checked" in text(shown)
    assert "✓ ok" in text(shown)
    ran(shell, "%mlops targets dev --check")
    _, shown, _ = ran(shell, "%mlops targets")
    assert "✗ wrong (registry)" in text(shown)


def test_one_target_shows_every_finding_and_its_fix(shell, bench):
    _, shown, _ = ran(shell, "%mlops targets dev")
    assert "--check looks whether it works" in text(shown)
    _, shown, _ = ran(shell, "%mlops targets dev --check")
    for part in ("✓ ok", "API server", "✗ wrong", "away", "first", "second"):
        assert part in text(shown)


def test_use_chooses_the_default(shell, bench):
    result, shown, _ = ran(shell, "%mlops use dev")
    assert result.success
    assert bench.targets.default == "dev"
    assert "dev is the target" in text(shown)
    result, shown, _ = ran(shell, "%mlops use nowhere")
    assert not result.success
    assert "There are local, dev." in text(shown)
    assert bench.targets.default == "dev"


@pytest.mark.parametrize(
    ("line", "asked"),
    [
        ("%mlops run --target dev --resume churn-1", [("at", "dev"), ("churn.ipynb", {}, None, "churn-1")]),
        ("%mlops deploy churn --target dev --gpu 2", [("at", "dev"), ("churn", None, None, None, 2)]),
        ("%mlops predict churn --target dev", [("at", "dev"), ("churn", None)]),
        ("%mlops runs --target dev", [("at", "dev")]),
        ("%mlops logs --target dev", [("at", "dev")]),
        ("%mlops models --target dev", [("at", "dev")]),
        ("%mlops services --target dev", [("at", "dev")]),
        ("%mlops stop churn-x7k2q --target dev", [("at", "dev")]),
    ],
)
def test_commands_go_where_they_are_told(shell, bench, line, asked):
    result, _, _ = ran(shell, line)
    assert result.success
    assert bench.asked == asked


def test_a_target_completes(bench):
    assert complete("", "%mlops run --target ", lambda: bench) == ["local", "dev"]
    assert complete("d", "%mlops use d", lambda: bench) == ["dev"]
    assert complete("lo", "%mlops targets lo", lambda: bench) == ["local"]


def test_a_step_that_waits_says_why_until_the_run_is_done():
    run = a_run()
    cause = Failure("no-gpu", "no node has a free GPU", fix="Ask for fewer, or wait.")
    waiting = replace(run, steps=(replace(run.steps[0], phase="Pending", cause=cause), *run.steps[1:]))
    shown = as_text(present.run_page(waiting))
    assert f"{run.steps[0].name} waits: no node has a free GPU\nAsk for fewer, or wait." in shown
    assert "waits" not in as_text(present.run_page(replace(waiting, finished=5.0, phase="Succeeded")))


@pytest.mark.parametrize("phase", ["Pending", "Running"])
def test_a_step_that_has_failed_is_not_said_to_wait(phase):
    run = a_run()
    cause = Failure("out-of-memory", "it took more than 64Mi", fix="Give it more.")
    failing = replace(run, steps=(replace(run.steps[0], phase=phase, cause=cause, failing=True), *run.steps[1:]))
    shown = as_text(present.run_page(failing))
    assert f"{run.steps[0].name} failed: it took more than 64Mi\nGive it more." in shown
    assert "waits" not in shown


def test_a_service_that_settles_is_told_by_its_backend(shell, bench):
    story = [a_service("Pending"), a_service("Ready")]
    seen = []

    class Settles(SimpleNamespace):
        def settle(self, name, namespace, timeout):
            seen.append((name, timeout))
            yield from story

        def get(self, name, namespace):
            return story[-1]

        def logs(self, name, namespace, follow=False):
            return iter(())

    bench.services = Settles()
    bench.target = Target("dev")
    result, shown, _ = ran(shell, "%mlops deploy churn")
    assert result.success
    assert seen[0] == ("churn", 300.0)
    assert "✓ Ready" in text(shown)


def test_what_others_wrote_is_escaped():
    check = Check("TK03", "warn", "settings", "<script>alert(1)</script>", "<b>")
    assert "<script>" not in as_html(present.target_page(DEV, Health((check,), 1.0)))
