"""What every button of a run does, as somebody sees it who only presses buttons: the same on each target.

Nothing is loaded anew in between: what a button did has to be seen by itself.
"""

from __future__ import annotations

import re

from pages import RUN_PATIENCE, LabPage, RunPage, Sidebar, quiet
from playwright.sync_api import expect

GATED = [
    {"source": "print('first')", "metadata": {"mlops": {"step": "first"}}},
    {"source": "seconds = 600", "metadata": {"tags": ["parameters"], "mlops": {"step": "second"}}},
    {
        "source": "import time\nend = time.monotonic() + seconds\nwhile time.monotonic() < end:\n    time.sleep(0.1)\nprint('over')",
        "metadata": {"mlops": {"step": "second"}},
    },
]
"""A step that is over at once, and one that takes as long as a parameter says."""


def buttons(ui: LabPage, name: str, picture: str) -> str:
    """Pause, Continue, Stop, Resume, Run With… and Delete, on the current target; the run that is left, which succeeded."""
    sidebar = ui.open_notebook(name).convert()
    first = sidebar.run()
    view = sidebar.open_run(first)
    _pause_and_continue(view)
    expect(view.step("second", "Running")).to_be_visible(timeout=RUN_PATIENCE)
    quiet(ui.page)
    ui.shot(f"{picture}-running")
    view.press("Stop")
    expect(view.phase.first).to_have_text("Stopped", timeout=RUN_PATIENCE)
    sidebar.expect_phase(first, "Stopped")
    ui.shot(f"{picture}-stopped")

    view.press("Resume")
    second = _new(sidebar, [first])
    view = ui.run_view.shown(second)
    expect(view.box.get_by_text(f"goes on from {first}")).to_be_visible()
    expect(view.box.get_by_text("From the cache", exact=True)).to_be_visible(timeout=RUN_PATIENCE)
    quiet(ui.page)
    ui.shot(f"{picture}-resumed")
    sidebar.section("Runs").get_by_role("button", name=f"Stop {second}").click()
    expect(view.phase.first).to_have_text("Stopped", timeout=RUN_PATIENCE)

    third = run_with(ui, name, [first, second], resume=first)
    sidebar.expect_phase(third, "Succeeded")
    for done in (second, first):
        _delete(ui, sidebar, done)
    assert third in sidebar.runs()
    return third


def run_with(ui: LabPage, name: str, before: list[str], *, resume: str = "", target: str = "") -> str:
    """Run With… another parameter, and another target or a run to go on from; the new run."""
    ui.page.get_by_role("tab", name=name).click()
    sidebar = ui.sidebar
    sidebar.pipeline.get_by_role("button", name="Run With…").click()
    form = ui.page.get_by_role("dialog")
    if target:
        form.get_by_label("Target", exact=True).select_option(target)
    if resume:
        form.get_by_label("Go on from", exact=True).select_option(resume)
    form.get_by_label("seconds", exact=True).fill("0")
    ui.shot("run-with")
    form.get_by_role("button", name="Run", exact=True).click()
    if target:
        expect(ui.page.get_by_role("dialog")).to_have_count(0)
        return ""
    return _new(sidebar, before)


def _pause_and_continue(view: RunPage) -> None:
    view.press("Pause")
    expect(view.box.get_by_text("paused", exact=True)).to_be_visible()
    view.press("Continue")
    expect(view.box.get_by_text("paused", exact=True)).to_have_count(0)
    expect(view.box.get_by_role("button", name="Pause", exact=True)).to_be_visible()


def _delete(ui: LabPage, sidebar: Sidebar, run: str) -> None:
    view = sidebar.open_run(run)
    view.press("Delete this run")
    ui.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(sidebar.section("Runs").locator(f'[data-run="{run}"]')).to_have_count(0, timeout=RUN_PATIENCE)
    expect(ui.page.get_by_role("tab", name=run)).to_have_count(0)  # its view has nothing to show any more


def _new(sidebar: Sidebar, before: list[str]) -> str:
    found = sidebar.section("Runs").locator("[data-run]")
    expect(found).to_have_count(len(before) + 1, timeout=RUN_PATIENCE)
    [name] = set(sidebar.runs()) - set(before)
    assert re.fullmatch(r"[-a-z0-9]+", name)
    return name
