"""Preflight, environment and Check's toolbar button in a real browser, with a real kernel."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lab import Lab, lab
from pages import DARK, RUN_PATIENCE, LabPage, NotebookPage, browser, chromium, notebook
from playwright.sync_api import Locator, Page, expect

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(600),
    pytest.mark.skipif(chromium() is None, reason="no Chromium: install it with the system's package manager, or set CHROMIUM"),
]


def named(source: str, step: str) -> dict[str, Any]:
    return {"source": source, "metadata": {"mlops": {"step": step}}}


CELLS: list[Any] = [
    named("import tornado\nimport beside\nrows = [1, 2, 3]\nsame = rows\ngen = (x for x in rows)\ntoken = 'hunter2'", "load"),
    named("rows.append(4)\nprint(len(same), len(token))", "clean"),
    named("total = next(gen) + sum(rows)\nprint(total)", "train"),
]
MISSING: list[Any] = ["import nowhere_at_all\nprint('ok')"]


@pytest.fixture(params=["dark", "light"])
def server(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[Lab, str]]:
    books = tmp_path / "books"
    paths = [
        notebook(books / "live.ipynb", CELLS),
        notebook(books / "missing.ipynb", MISSING),
        notebook(books / "fresh.ipynb", ["x = 1"]),
    ]
    beside = books / "beside.py"
    beside.write_text("VALUE = 1\n")
    with lab(tmp_path / "server", [*paths, beside], settings=DARK if request.param == "dark" else None) as running:
        yield running, str(request.param)


@pytest.fixture
def page() -> Iterator[Page]:
    with browser() as chrome:
        yield chrome.new_page(viewport={"width": 1280, "height": 1000})


def run_all(ui: LabPage, opened: NotebookPage) -> None:
    """Run every cell in the notebook's own kernel."""
    ui.page.get_by_role("menuitem", name="Run", exact=True).click()
    ui.page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    expect(opened.cell(2).locator(".jp-OutputArea-output")).to_contain_text("11", timeout=RUN_PATIENCE)


def press(section: Locator, name: str) -> None:
    section.get_by_role("button", name=name, exact=True).click()


def test_a_live_kernel_is_looked_into_and_a_fix_is_written(page: Page, server: tuple[Lab, str]) -> None:
    running, theme = server
    ui = LabPage(page, running).open()
    opened = ui.open_notebook("live.ipynb")
    section = opened.convert().section("Pipeline")
    run_all(ui, opened)
    counts = [cell.inner_text() for cell in opened.panel.locator(".jp-InputPrompt").all()]
    press(section, "Preflight")
    crossings = section.get_by_role("list", name="What goes from step to step")
    expect(crossings).to_contain_text("gen", timeout=RUN_PATIENCE)
    expect(crossings).to_contain_text("cannot be stored")
    expect(crossings).to_contain_text("rows, same")
    expect(crossings).to_contain_text("share something that can change")
    expect(section).not_to_contain_text("hunter2")
    assert [cell.inner_text() for cell in opened.panel.locator(".jp-InputPrompt").all()] == counts
    crossings.scroll_into_view_if_needed()
    ui.shot(f"preflight-{theme}")
    environment = section.locator(".jp-mlops-environment")
    expect(environment).to_contain_text("tornado", timeout=RUN_PATIENCE)
    expect(environment).to_contain_text("beside")
    environment.scroll_into_view_if_needed()
    ui.shot(f"environment-{theme}")
    assert opened.bands() == ["load", "clean", "train"]
    expect(section).not_to_contain_text("jupyter mlops steps")
    press(section, "Make load to train One Step")
    expect(section.get_by_role("list", name="Steps", exact=True).get_by_role("listitem")).to_have_count(1)
    expect(section.get_by_text("No value of this kernel goes from step to step.")).to_be_visible(timeout=RUN_PATIENCE)
    expect(section.locator(".jp-mlops-misfits")).to_have_count(0)
    ui.shot(f"preflight-fixed-{theme}")
    cells = json.loads((running.root / "live.ipynb").read_text())["cells"]
    assert [cell["metadata"].get("mlops") for cell in cells].count(None) >= 2, "only what is needed is written"
    ui.narrow()
    assert ui.cut_off("#jupyter-mlops-sidebar") == []
    assert ui.violations("#jupyter-mlops-sidebar") == []
    ui.shot(f"preflight-narrow-{theme}")
    assert "hunter2" not in running.log.read_text()
    assert ui.errors == []


def test_a_busy_kernel_is_waited_for_and_given_up(page: Page, server: tuple[Lab, str]) -> None:
    running, theme = server
    ui = LabPage(page, running).open()
    opened = ui.open_notebook("fresh.ipynb")
    section = opened.convert().section("Pipeline")
    opened.type_into(0, "\nimport time\ntime.sleep(600)")
    page.keyboard.press("Control+Enter")
    expect(opened.panel.locator(".jp-InputPrompt").first).to_contain_text("*")
    press(section, "Preflight")
    expect(section.get_by_text("Waiting for the kernel, which is busy…")).to_be_visible()
    ui.shot(f"preflight-busy-{theme}")
    press(section, "Give Up")
    expect(section.get_by_text("Waiting for the kernel")).to_have_count(0)
    expect(opened.panel.locator(".jp-InputPrompt").first).to_contain_text("*")
    press(section, "Preflight")
    page.get_by_role("menuitem", name="Kernel", exact=True).click()
    page.get_by_role("menuitem", name="Shut Down Kernel", exact=True).click()
    expect(section.get_by_role("alert")).to_contain_text("kernel", timeout=RUN_PATIENCE)
    press(section, "Retry")
    expect(section.get_by_role("alert")).to_contain_text("No kernel runs")
    ui.shot(f"preflight-none-{theme}")
    assert ui.errors == []


def test_what_would_refuse_a_run_stands_beside_run_with_its_fix(page: Page, server: tuple[Lab, str]) -> None:
    running, theme = server
    ui = LabPage(page, running).open()
    section = ui.open_notebook("missing.ipynb").convert().section("Pipeline")
    refused = section.locator(".jp-mlops-misfits")
    expect(refused).to_contain_text("This machine would refuse a run", timeout=RUN_PATIENCE)
    expect(refused).to_contain_text("nowhere_at_all is not installed")
    expect(refused).to_contain_text("pip install nowhere_at_all")
    ui.shot(f"misfit-{theme}")
    ui.narrow()
    assert ui.cut_off("#jupyter-mlops-sidebar") == []
    assert ui.violations("#jupyter-mlops-sidebar") == []
    ui.shot(f"misfit-narrow-{theme}")
    assert ui.errors == []


def test_check_stands_in_the_toolbar_and_saving_is_told_once(page: Page, server: tuple[Lab, str]) -> None:
    running, theme = server
    ui = LabPage(page, running).open()
    opened = ui.open_notebook("fresh.ipynb")
    page.evaluate(
        """() => {
            window.told = new Set();
            new MutationObserver(() => document.querySelectorAll('.Toastify__toast').forEach(toast => {
                if (toast.textContent.includes('Saved ')) window.told.add(toast);
            })).observe(document.body, {childList: true, subtree: true, characterData: true});
        }"""
    )
    opened.type_into(0, "\ny = 2")
    section = opened.convert().section("Pipeline")
    opened.panel.get_by_role("toolbar").get_by_text("Check", exact=True).click()
    expect(section.locator(".jp-mlops-verdict")).to_contain_text("Equal: ", timeout=RUN_PATIENCE)
    assert page.evaluate("window.told.size") == 1
    ui.shot(f"check-toolbar-{theme}")
    assert ui.errors == []
