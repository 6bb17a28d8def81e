"""The Check button in a real browser: equal, not equal, progress, stop, and a reload in the middle."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lab import Lab, lab
from pages import DARK, RUN_PATIENCE, LabPage, browser, chromium, notebook
from playwright.sync_api import Page, expect

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(600),
    pytest.mark.skipif(chromium() is None, reason="no Chromium: install it with the system's package manager, or set CHROMIUM"),
]

SAME: list[Any] = ["xs = [1, 2, 3]", {"source": "print('total', sum(xs))", "metadata": {"mlops": {"step": "show"}}}]
CLOCK: list[Any] = ["import time", {"source": "print('at', time.time_ns())", "metadata": {"mlops": {"step": "show"}}}]
SLOW = ["import time\ntime.sleep(600)"]


@pytest.fixture
def page() -> Iterator[Page]:
    with browser() as chrome:
        yield chrome.new_page(viewport={"width": 1280, "height": 900})


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Lab]:
    books = {"same": SAME, "clock": CLOCK, "slow": SLOW}
    paths = [notebook(tmp_path / "books" / f"{name}.ipynb", cells) for name, cells in books.items()]
    with lab(tmp_path / "server", paths, settings=DARK) as running:
        yield running


def check(ui: LabPage, name: str) -> Any:
    """Press Check; the panel's section of the pipeline."""
    section = ui.open_notebook(name).convert().section("Pipeline")
    section.get_by_role("button", name="Check", exact=True).click()
    return section


def test_a_notebook_that_is_equal_stays_so_until_it_is_changed(page: Page, server: Lab) -> None:
    ui = LabPage(page, server).open()
    section = check(ui, "same.ipynb")
    verdict = section.locator(".jp-mlops-verdict")
    expect(verdict).to_contain_text("Equal: ", timeout=RUN_PATIENCE)
    expect(verdict).to_contain_text("1 output")
    ui.shot("check-equal")
    page.reload()
    section = ui.open_notebook("same.ipynb").convert().section("Pipeline")
    expect(section.locator(".jp-mlops-verdict")).to_contain_text("Equal: ", timeout=RUN_PATIENCE)
    expect(section.get_by_text("has changed since it was checked")).to_have_count(0)
    assert ui.errors == []


def test_a_notebook_that_reads_the_clock_is_told_with_its_cell(page: Page, server: Lab) -> None:
    ui = LabPage(page, server).open()
    section = check(ui, "clock.ipynb")
    expect(section.locator(".jp-mlops-verdict")).to_contain_text("Not decided", timeout=RUN_PATIENCE)
    apart = section.locator(".jp-mlops-apart").first
    expect(apart).to_contain_text("Output stdout")
    expect(apart).to_contain_text("step show")
    expect(apart.locator("pre")).to_have_count(2)
    ui.shot("check-clock")
    apart.get_by_role("button", name="cell 1").click()
    assert ui.open_notebook("clock.ipynb").active() == 1
    ui.show_sidebar()
    ui.narrow()
    assert ui.cut_off("#jupyter-mlops-sidebar") == []
    assert ui.violations("#jupyter-mlops-sidebar") == []
    ui.shot("check-clock-narrow")
    assert ui.errors == []


def test_a_check_survives_a_reload_and_is_stopped(page: Page, server: Lab) -> None:
    ui = LabPage(page, server).open()
    section = check(ui, "slow.ipynb")
    expect(section.locator(".jp-mlops-check")).to_contain_text("single kernel: cell 0 (1 of 1)", timeout=RUN_PATIENCE)
    ui.shot("check-progress")
    page.reload()
    section = ui.open_notebook("slow.ipynb").convert().section("Pipeline")
    stop = section.get_by_role("button", name="Stop Check")
    expect(stop).to_be_visible(timeout=RUN_PATIENCE)
    expect(section.get_by_role("button", name="Check", exact=True)).to_be_disabled()
    stop.focus()
    page.keyboard.press("Enter")
    expect(section.get_by_text("The check was stopped.")).to_be_visible(timeout=RUN_PATIENCE)
    assert ui.errors == []


def test_a_check_in_light_and_wide(page: Page, tmp_path: Path) -> None:
    path = notebook(tmp_path / "books" / "clock.ipynb", CLOCK)
    with lab(tmp_path / "server", [path]) as running:
        ui = LabPage(page, running).open()
        section = check(ui, "clock.ipynb")
        expect(section.locator(".jp-mlops-verdict")).to_contain_text("Not decided", timeout=RUN_PATIENCE)
        ui.narrow(620)
        texts = section.locator(".jp-mlops-apart").first.locator("dd")
        boxes = [texts.nth(index).bounding_box() or {} for index in range(2)]
        assert boxes[0]["y"] == boxes[1]["y"], "where there is room, both texts stand beside each other"
        assert ui.cut_off("#jupyter-mlops-sidebar") == []
        assert ui.violations("#jupyter-mlops-sidebar") == []
        ui.shot("check-clock-wide-light")
        assert ui.errors == []
