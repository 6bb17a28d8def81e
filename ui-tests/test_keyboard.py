"""From a notebook to a prediction without a mouse, and what somebody hears who does not see the page.

Every stop is reached by Tab, arrows and Enter alone; names and roles are those of the accessibility tree.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from lab import Lab, lab
from pages import FOCUS, RUN_PATIENCE, LabPage, browser, chromium, notebook
from playwright.sync_api import Page, expect

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(600),
    pytest.mark.skipif(chromium() is None, reason="no Chromium: install it with the system's package manager, or set CHROMIUM"),
]

MODEL = """\
from sklearn.linear_model import LogisticRegression
from jupyter_mlops import log_model
rows = [[1.0, 0.0], [2.0, 1.0], [3.0, 0.0], [4.0, 1.0]]
print('trained')
log_model(LogisticRegression().fit(rows, [0, 1, 0, 1]), 'tiny', data=rows)"""


# A browser that is never idle: JupyterLab moves the focus into a dialog when it is. Enter must not reach the button behind it until then.
BUSY = "window.requestIdleCallback = () => 0"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Lab]:
    with lab(tmp_path / "server", [notebook(tmp_path / "training.ipynb", [MODEL])]) as running:
        yield running


@pytest.fixture
def page() -> Iterator[Page]:
    with browser() as chrome:
        yield chrome.new_page(viewport={"width": 1280, "height": 900})


def test_from_a_notebook_to_a_prediction(page: Page, server: Lab) -> None:
    ui = LabPage(page, server).open()
    ui.open_notebook("training.ipynb").cell(0).locator(".cm-content").click()
    page.keyboard.press("Control+Shift+Y")
    sidebar = ui.sidebar.converted("training.ipynb")
    heard = sidebar.box.aria_snapshot()
    for word in ('button "Run"', 'button "Run With…"', 'list "Steps"', 'list "Steps and what they need"'):
        assert word in heard, heard
    page.evaluate(BUSY)
    go(page, "Run With…")
    expect(page.get_by_role("dialog")).to_be_visible()
    expect(page.get_by_role("dialog").get_by_label("Target", exact=True)).to_have_value("local")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert page.evaluate(FOCUS % '"body"')["name"] == "Run With…", "the focus goes back to where it was"
    expect(sidebar.section("Runs").locator("[data-run]")).to_have_count(1)
    [run] = sidebar.runs()
    sidebar.expect_phase(run, "Succeeded")
    sidebar.box.evaluate("node => node.focus()")
    go(page, run)
    view = ui.run_view.shown(run)
    come(page, "Overview")
    page.keyboard.press("End")
    log = view.box.get_by_role("log", name="Log of the run")
    expect(log).to_contain_text("trained")
    expect(view.box.get_by_role("tab", name="Logs")).to_be_focused()
    sidebar.box.evaluate("node => node.focus()")
    go(page, "Deploy tiny v1")
    sidebar.expect_service("tiny", "Ready")
    sidebar.box.evaluate("node => node.focus()")
    go(page, "Test tiny")
    service = ui.service_view.shown("tiny")
    expect(service.rows).not_to_be_empty(timeout=RUN_PATIENCE)
    go(page, "Predict")
    expect(service.predictions).to_have_count(3, timeout=RUN_PATIENCE)
    ui.shot("keyboard")
    heard = service.box.aria_snapshot()
    for word in ('heading "tiny"', "status", 'table "Predictions"', 'textbox "Rows (JSON)"'):
        assert word in heard, heard
    assert ui.errors == []


def come(page: Page, name: str, most: int = 150) -> None:
    """Press Tab until a button or tab of that name has the focus."""
    for _ in range(most):
        now = page.evaluate(FOCUS % '"body"')
        if now["name"] == name and now["role"] in {"button", "tab"}:
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab never came to {name!r}")


def go(page: Page, name: str) -> None:
    """Come to a button, and press it."""
    come(page, name)
    page.keyboard.press("Enter")
