"""Steps changed by the mouse in a real browser: each change is seen, can be undone, and writes no more than it takes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lab import Lab, lab
from pages import DARK, LabPage, browser, chromium, notebook
from playwright.sync_api import Locator, Page, expect

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(600),
    pytest.mark.skipif(chromium() is None, reason="no Chromium: install it with the system's package manager, or set CHROMIUM"),
]

CELLS: list[Any] = [
    {"source": "raw = [1, 2]", "metadata": {"mlops": {"step": "load"}}},
    "mid = raw + [3]",
    "fit = sum(mid)",
    {"source": "print(2)", "metadata": {"mlops": {"step": "show"}}},
]


@pytest.fixture(params=["dark", "light"])
def server(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[Lab, str]]:
    path = notebook(tmp_path / "books" / "live.ipynb", CELLS)
    with lab(tmp_path / "server", [path], settings=DARK if request.param == "dark" else None) as running:
        yield running, str(request.param)


@pytest.fixture
def page() -> Iterator[Page]:
    with browser() as chrome:
        yield chrome.new_page(viewport={"width": 1280, "height": 1000})


class Steps:
    """The list of steps in the panel, and the menu of each."""

    def __init__(self, ui: LabPage) -> None:
        self.ui = ui
        self.section = ui.sidebar.pipeline
        self.rows = self.section.get_by_role("list", name="Steps", exact=True).locator("> li")

    def are(self, *names: str) -> None:
        expect(self.rows.locator(".jp-mlops-step-name")).to_have_text(list(names))

    def menu(self, name: str) -> Locator:
        self.ui.page.get_by_role("button", name=f"Change the step {name}", exact=True).click()
        return self.ui.page.get_by_role("menu").last

    def choose(self, name: str, *labels: str) -> None:
        """Open the menu of a step and go down its lines."""
        self.menu(name)
        for label in labels:
            # A line that opens a menu of its own has no name for those who do not see it: that is Lumino's.
            line = self.ui.page.locator(".lm-Menu-item").filter(has_text=label)
            line.hover()
        line.click()


def metadata(server: Lab) -> list[Any]:
    """Of each cell, as it is saved."""
    return [cell["metadata"] for cell in json.loads((server.root / "live.ipynb").read_text())["cells"]]


def test_the_menu_of_a_step(server: tuple[Lab, str], page: Page) -> None:
    running, theme = server
    before = metadata(running)
    ui = LabPage(page, running).open()
    opened = ui.open_notebook("live.ipynb")
    opened.convert()
    steps = Steps(ui)
    steps.are("load", "show")

    steps.choose("load", "Begin a Step At", "cell 2")
    steps.are("load", "load-2", "show")
    ui.shot(f"steps-split-{theme}")

    steps.choose("load-2", "Rename Step…")
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox").fill("Fit it")
    ui.shot(f"steps-rename-{theme}")
    page.keyboard.press("Enter")
    steps.are("load", "Fit it", "show")

    steps.choose("show", "Keep in Order Behind", "Wait for load")
    node = steps.section.get_by_role("button", name="show, cell 3, needs load", exact=True)
    expect(node).to_be_visible()
    node.click(button="right")
    expect(page.get_by_role("menuitem", name="No Longer Wait for load", exact=True)).to_be_visible()
    ui.shot(f"steps-menu-{theme}")
    page.get_by_role("menuitem", name="No Longer Wait for load", exact=True).click()
    expect(node).to_have_count(0)

    steps.choose("Fit it", "Join With the Step Before")
    steps.are("load", "show")
    assert metadata(running) == before
    ui.narrow()
    assert ui.cut_off("#jupyter-mlops-sidebar") == []
    assert ui.violations("#jupyter-mlops-sidebar") == []
    ui.shot(f"steps-narrow-{theme}")
    assert ui.errors == []


def test_one_undo_takes_a_change_back(server: tuple[Lab, str], page: Page) -> None:
    running, _ = server
    ui = LabPage(page, running).open()
    opened = ui.open_notebook("live.ipynb")
    opened.convert()
    steps = Steps(ui)
    steps.choose("load", "Join With the Step After")
    steps.are("load")
    page.get_by_role("menuitem", name="Edit", exact=True).click()
    page.get_by_role("menuitem", name="Undo Cell Operation").click()
    opened.convert()
    steps.are("load", "show")


def test_a_cell_begins_a_step_from_its_own_menu_and_by_the_keyboard(server: tuple[Lab, str], page: Page) -> None:
    running, theme = server
    ui = LabPage(page, running).open()
    opened = ui.open_notebook("live.ipynb")
    opened.convert()
    steps = Steps(ui)
    opened.cell(1).click(button="right")
    page.get_by_role("menuitem", name="Begin a Pipeline Step at This Cell", exact=True).click()
    steps.are("load", "load-2", "show")
    page.get_by_role("button", name="Change the step load-2", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("menuitem", name="Rename Step…", exact=True)).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("menuitem", name="Rename Step…", exact=True)).to_have_count(0)
    steps.choose("load-2", "Options of the Step…")
    expect(page.locator("#jp-property-inspector").get_by_text("memory", exact=False).first).to_be_visible()
    ui.shot(f"steps-options-{theme}")


def test_a_step_is_left_out_and_its_cell_taken_back_in(server: tuple[Lab, str], page: Page) -> None:
    running, theme = server
    before = metadata(running)
    ui = LabPage(page, running).open()
    opened = ui.open_notebook("live.ipynb")
    opened.convert()
    steps = Steps(ui)
    steps.choose("show", "Leave This Step Out")
    steps.are("load")
    assert metadata(running)[3] == {"mlops": {"step": "show", "skip": True}}
    opened.cell(3).click(button="right")
    line = page.get_by_role("menuitem", name="Take Cell Back Into the Pipeline", exact=True)
    expect(line).to_be_visible()
    ui.shot(f"steps-skipped-{theme}")
    line.click()
    steps.are("load", "show")
    assert metadata(running) == before
    assert ui.errors == []


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_a_finding_is_mended_by_its_button(tmp_path: Path, page: Page, theme: str) -> None:
    cells = ["import torch\nnet = torch.zeros(2).cuda()", "import os\ntoken = os.environ['TOKEN']"]
    path = notebook(tmp_path / "books" / "gpu.ipynb", cells)
    with lab(tmp_path / "server", [path], settings=DARK if theme == "dark" else None) as running:
        ui = LabPage(page, running).open()
        ui.open_notebook("gpu.ipynb").convert()
        findings = ui.sidebar.pipeline.get_by_role("list", name="Findings", exact=True)
        expect(findings.get_by_text("gpu-unasked", exact=True)).to_be_visible()
        expect(findings.get_by_role("button", name="Open the Form", exact=True)).to_be_visible()
        ui.narrow()
        findings.get_by_role("button", name="Ask for One GPU", exact=True).scroll_into_view_if_needed()
        assert ui.cut_off("#jupyter-mlops-sidebar") == []
        assert ui.violations("#jupyter-mlops-sidebar") == []
        ui.shot(f"steps-findings-{theme}")
        findings.get_by_role("button", name="Ask for One GPU", exact=True).click()
        expect(findings.get_by_text("gpu-unasked", exact=True)).to_have_count(0)
        saved = json.loads((running.root / "gpu.ipynb").read_text())["cells"]
        assert [cell["metadata"] for cell in saved] == [{"mlops": {"gpu": 1}}, {}]
        findings.get_by_role("button", name="Open the Form", exact=True).click()
        expect(page.locator("#jp-property-inspector").get_by_text("memory", exact=False).first).to_be_visible()
        assert ui.errors == []
