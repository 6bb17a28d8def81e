"""Page objects: what a person does in JupyterLab with this product, by the names that a person sees.

Everything is found by role and name, as assistive technology would; ids and classes only where JupyterLab itself offers
nothing else.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lab import Lab
from playwright.sync_api import Browser, Error, Locator, Page, expect, sync_playwright

REPOSITORY = Path(__file__).parent.parent
SCREENSHOTS = REPOSITORY / "screenshots"
AXE = REPOSITORY / "node_modules" / "axe-core" / "axe.min.js"

PATIENCE = int(os.environ.get("MLOPS_UI_PATIENCE", "30000"))
"""Milliseconds for anything that the page or the server does at once."""

expect.set_options(timeout=PATIENCE)

RUN_PATIENCE = 120_000
"""Milliseconds for a run or a service to end or start."""

CUT_OFF = """(selector) => {
    const said = node => (node.getAttribute('aria-label') || node.textContent || node.tagName).trim().slice(0, 60);
    const found = [];
    for (const root of document.querySelectorAll(selector)) {
        if (root.offsetParent === null) continue;
        const edge = root.getBoundingClientRect().right + 1;
        for (const node of [root, ...root.querySelectorAll('*')]) {
            if (!(node instanceof HTMLElement) || node.closest('pre, textarea, .jp-mlops-graph, .jp-OutputArea')) continue;
            const box = node.getBoundingClientRect();
            if (box.width === 0 && box.height > 0 && node.textContent.trim()) found.push(`no room: ${said(node)}`);
            if (box.width === 0 || box.height === 0) continue;
            const style = getComputedStyle(node);
            if (box.right > edge && style.visibility !== 'hidden') found.push(`out of sight: ${said(node)}`);
            const wide = node.scrollWidth > node.clientWidth + 1 && style.display !== 'inline';
            if (wide && ['auto', 'scroll'].includes(style.overflowX)) found.push(`scrolls sideways: ${said(node)}`);
            if (wide && style.textOverflow === 'ellipsis' && !node.closest('[title]')) found.push(`shortened: ${said(node)}`);
            if (wide && node.tagName === 'BUTTON' && style.textOverflow !== 'ellipsis') found.push(`button too narrow: ${said(node)}`);
        }
    }
    return [...new Set(found)];
}"""
"""What of a part of the page does not fit: beyond its edge, scrolled sideways, or shortened and nowhere said in full."""

FOCUS = """() => {
    const node = document.activeElement;
    let inner = node;
    while (inner.shadowRoot && inner.shadowRoot.activeElement) inner = inner.shadowRoot.activeElement;
    const style = getComputedStyle(inner);
    const ringed = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0;
    const label = node.labels && node.labels.length ? node.labels[0].innerText : '';
    const name = node.getAttribute('aria-label') || label || node.innerText || node.title || '';
    return {name: name.trim().split('\\n')[0], role: node.getAttribute('role') || node.tagName.toLowerCase(),
        seen: ringed || style.boxShadow !== 'none', ours: node.closest(%s) !== null};
}"""
"""What has the focus: its name, whether that is seen, and whether it is in a part of the page."""

NARROW = 240
"""Pixels of a narrow sidebar: ten less than JupyterLab's own least width."""

DARK: dict[str, object] = {"@jupyterlab/apputils-extension:themes": {"theme": "JupyterLab Dark"}}
"""Settings of JupyterLab's dark theme."""


def chromium() -> str | None:
    """The system's Chromium: nothing is downloaded. ``CHROMIUM`` names another one; None if there is none."""
    found = (shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))
    return os.environ.get("CHROMIUM") or next((path for path in found if path), None)


@contextmanager
def browser() -> Iterator[Browser]:
    """A headless Chromium. As root its sandbox does not work, and containers run as root."""
    arguments = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium(), args=arguments)
        try:
            yield running
        finally:
            running.close()


def notebook(path: Path, cells: Sequence[str | Mapping[str, Any]]) -> Path:
    """Write a notebook. A text is a code cell; a mapping has ``source`` and what else a cell has."""
    made = []
    for index, cell in enumerate(cells):
        given: Mapping[str, Any] = {"source": cell} if isinstance(cell, str) else cell
        code: dict[str, Any] = {"outputs": [], "execution_count": None} if given.get("cell_type", "code") == "code" else {}
        made.append({"cell_type": "code", "id": f"cell-{index}", "metadata": {}, **code, **given})
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    document = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": kernel}, "cells": made}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))
    return path


class LabPage:
    """JupyterLab in one tab. Collects where requests go and what breaks."""

    def __init__(self, page: Page, lab: Lab) -> None:
        self.page = page
        self.lab = lab
        self.hosts: set[str] = set()
        self.errors: list[str] = []
        page.set_default_timeout(PATIENCE)
        page.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def open(self) -> LabPage:
        """Sign in and wait until the page is there."""
        self.page.goto(self.lab.page)
        # The launcher is opened last, after the layout was restored; the splash may not be there yet, or be gone already.
        self.page.locator(".jp-Launcher-content").wait_for(timeout=RUN_PATIENCE)
        self.page.locator("#jupyterlab-splash").wait_for(state="detached", timeout=RUN_PATIENCE)
        return self

    def open_notebook(self, name: str) -> NotebookPage:
        """Open a notebook from the file browser."""
        self.file(name).dblclick()
        found = NotebookPage(self, name)
        found.panel.locator(".jp-Cell").first.wait_for()
        return found

    def file(self, name: str) -> Locator:
        """A file in the file browser, which is shown if it is not."""
        self._side_tab("filebrowser")
        return self.page.locator(f'.jp-DirListing-item[title^="Name: {name}"]')

    def _side_tab(self, widget: str) -> None:
        """Show a widget of the left side; pressing the tab of one that is shown would hide it."""
        tab = self.page.locator(f'.lm-TabBar-tab[data-id="{widget}"]')
        if tab.get_attribute("aria-selected") != "true":
            tab.click()

    @property
    def sidebar(self) -> Sidebar:
        """The product's sidebar."""
        return Sidebar(self)

    @property
    def run_view(self) -> RunPage:
        """The run view in front."""
        return RunPage(self)

    @property
    def service_view(self) -> ServicePage:
        """The service view in front."""
        return ServicePage(self)

    def show_sidebar(self) -> Sidebar:
        """Open the sidebar by its tab; an open one stays."""
        self._side_tab("jupyter-mlops-sidebar")
        sidebar = self.sidebar
        expect(sidebar.box).to_be_visible()
        return sidebar

    def shot(self, name: str) -> None:
        """A picture for people to look at."""
        SCREENSHOTS.mkdir(exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png")

    def narrow(self, width: int = NARROW) -> None:
        """Make the left side as narrow as somebody who drags its edge; JupyterLab itself stops at 250 pixels."""
        self.page.add_style_tag(content=f"* {{ --jp-sidebar-min-width: {width}px !important; }}")
        tab = self.page.locator('.lm-TabBar-tab[data-id="jupyter-mlops-sidebar"]')
        tab.click()  # JupyterLab reads the least width when a side is shown
        tab.click()
        stack = self.page.locator("#jp-left-stack")
        box = stack.bounding_box()
        assert box is not None
        edge = box["x"] + box["width"]
        self.page.mouse.move(edge, box["y"] + 300)
        self.page.mouse.down()
        self.page.mouse.move(box["x"] + width, box["y"] + 300, steps=5)
        self.page.mouse.up()
        assert abs((stack.bounding_box() or {"width": 0})["width"] - width) < 5, stack.bounding_box()

    def cut_off(self, selector: str) -> list[str]:
        """What of a part of the page does not fit in it; nothing is what one wants."""
        return [str(found) for found in self.page.evaluate(CUT_OFF, selector)]

    def stops(self, selector: str, most: int = 150) -> list[dict[str, Any]]:
        """What Tab comes to in a part of the page, from where the focus is until it leaves it."""
        found: list[dict[str, Any]] = []
        for _ in range(most):
            self.page.keyboard.press("Tab")
            now = self.page.evaluate(FOCUS % json.dumps(selector))
            if not now["ours"] and found:
                break
            if now["ours"]:
                found.append(now)
        return found

    def violations(self, selector: str, ignore: str | None = None) -> list[str]:
        """What axe finds wrong below a selector. ``ignore``: a part that is not ours, such as what a notebook printed.

        ``aria-allowed-attr`` is left out: JupyterLab's own ``jp-button`` fails it.
        """
        self.page.evaluate(f"{AXE.read_text()};0")
        found = self.page.evaluate(
            """async ([include, exclude]) => {
                const where = {include: [include], exclude: exclude ? [exclude] : []};
                const result = await axe.run(where, {rules: {'aria-allowed-attr': {enabled: false}}});
                return result.violations.map(v => v.id + ': ' + v.nodes.map(n => n.html).join(' | '));
            }""",
            [selector, ignore],
        )
        return [str(violation) for violation in found]


class NotebookPage:
    """An open notebook."""

    def __init__(self, lab_page: LabPage, name: str) -> None:
        self.lab_page = lab_page
        self.name = name
        self.panel = lab_page.page.locator(".jp-NotebookPanel:visible")

    def convert(self) -> Sidebar:
        """Press Convert in the toolbar and wait for the outcome: a pipeline, or why not."""
        self.panel.get_by_role("toolbar").get_by_text("Convert", exact=True).click()
        return self.lab_page.sidebar.converted(self.name)

    def type_into(self, cell: int, text: str) -> None:
        """Add text at the end of a cell, as a person would."""
        editor = self.cell(cell).locator(".cm-content")
        editor.click()
        self.lab_page.page.keyboard.press("Control+End")
        self.lab_page.page.keyboard.type(text)

    def cell(self, index: int) -> Locator:
        """A cell by its place among all."""
        return self.panel.locator(f'.jp-Cell[data-windowed-list-index="{index}"]')

    def active(self) -> int:
        """Place of the active cell."""
        return int(self.panel.locator(".jp-Cell.jp-mod-active").get_attribute("data-windowed-list-index") or -1)

    def bands(self) -> list[str]:
        """Names of the steps that begin at cells, in order."""
        marked = self.panel.locator(".jp-Cell[data-mlops-step]").all()
        return [cell.get_attribute("data-mlops-step") or "" for cell in marked]


class Sidebar:
    """The sidebar with its four sections."""

    def __init__(self, lab_page: LabPage) -> None:
        self.lab_page = lab_page
        self.box = lab_page.page.get_by_role("region", name="MLOps", exact=True)

    def section(self, name: str) -> Locator:
        """Content of a section, opened if it is not."""
        title = self.box.locator(f'.jp-AccordionPanel-title[aria-label="{name} Section"]')
        # A section opens by itself when it gets its first content; a click at that moment would close it.
        for _ in range(3):
            if title.get_attribute("aria-expanded") != "true":
                title.locator(".lm-AccordionPanel-titleLabel").click()
            with suppress(AssertionError):
                expect(title).to_have_attribute("aria-expanded", "true", timeout=1000)
                break
        section = self.box.locator(f'.jp-mlops-section[aria-labelledby="{title.get_attribute("id")}"]')
        expect(section).to_be_visible()
        return section

    @property
    def pipeline(self) -> Locator:
        """The pipeline of the notebook in front."""
        return self.section("Pipeline")

    def converted(self, name: str) -> Sidebar:
        """Wait until a notebook is converted or refused."""
        pipeline = self.pipeline
        expect(pipeline.get_by_text(name, exact=True)).to_be_visible()
        outcome = self.steps.or_(pipeline.get_by_role("list", name="Findings")).or_(pipeline.get_by_role("alert"))
        outcome.first.wait_for()
        return self

    @property
    def steps(self) -> Locator:
        """List of the steps."""
        return self.pipeline.get_by_role("list", name="Steps", exact=True)

    @property
    def findings(self) -> Locator:
        """Findings about the notebook."""
        return self.pipeline.get_by_role("list", name="Findings").get_by_role("listitem")

    def parameter(self, name: str) -> Locator:
        """Field of a parameter."""
        return self.pipeline.get_by_role("form", name="Parameters").get_by_label(name, exact=True)

    @property
    def run_button(self) -> Locator:
        """The button that starts a run."""
        return self.pipeline.get_by_role("button", name="Run", exact=True)

    def run(self) -> str:
        """Press Run; the name of the run that this starts."""
        before = self.runs()
        self.run_button.click()
        expect(self._runs).to_have_count(len(before) + 1)
        return next(name for name in self.runs() if name not in before)

    def runs(self) -> list[str]:
        """Names of the runs that are listed."""
        return [run.get_attribute("data-run") or "" for run in self._runs.all()]

    def open_run(self, name: str) -> RunPage:
        """Open a run from the list."""
        self._run(name).get_by_role("button").first.click()
        return self.lab_page.run_view.shown(name)

    def expect_phase(self, name: str, phase: str) -> None:
        """Wait until a run is in a phase."""
        icon = self._run(name).get_by_role("img", name=phase, exact=True)
        expect(icon).to_be_visible(timeout=RUN_PATIENCE)

    @property
    def models(self) -> Locator:
        """Registered models."""
        return self.section("Models").locator("[data-model]")

    def deploy(self, model: str) -> None:
        """Deploy the newest version of a model."""
        item = self.section("Models").locator(f'[data-model="{model}"]')
        item.get_by_role("button", name=re.compile("^Deploy")).first.click()

    def service(self, name: str) -> Locator:
        """A service of the list."""
        return self.section("Services").locator(f'[data-service="{name}"]')

    def expect_service(self, name: str, phase: str) -> None:
        """Wait until a service is in a phase."""
        expect(self.service(name).get_by_role("status")).to_have_text(phase, timeout=RUN_PATIENCE)

    def test_service(self, name: str) -> ServicePage:
        """Open the Test form of a service."""
        self.service(name).get_by_role("button", name=f"Test {name}").click()
        return self.lab_page.service_view.shown(name)

    @property
    def _runs(self) -> Locator:
        return self.section("Runs").locator("[data-run]")

    def _run(self, name: str) -> Locator:
        return self.section("Runs").locator(f'[data-run="{name}"]')


class _View:
    """A view of ours in the main area."""

    def __init__(self, lab_page: LabPage) -> None:
        self.lab_page = lab_page
        self.box = lab_page.page.locator(".jp-mlops-view:visible")

    def tab(self, name: str) -> Locator:
        """Go to a tab; what it shows."""
        self.box.get_by_role("tab", name=name).click()
        return self.box.get_by_role("tabpanel", name=name)

    @property
    def phase(self) -> Locator:
        """The phase in the head of the view."""
        return self.box.locator(".jp-mlops-head").get_by_role("status")


class RunPage(_View):
    """The view of a run."""

    def shown(self, name: str) -> RunPage:
        """Wait until it shows a run."""
        expect(self.box.get_by_text(name).first).to_be_visible()
        return self

    @property
    def steps(self) -> Locator:
        """Steps in the graph."""
        return self.box.get_by_role("list", name="Steps of the run").get_by_role("button")

    def step(self, name: str, phase: str) -> Locator:
        """A step of the graph in a phase."""
        return self.steps.and_(self.lab_page.page.get_by_role("button", name=re.compile(f"^{name}, {phase},")))

    def press(self, name: str) -> None:
        """Press a button of the head."""
        self.box.get_by_role("button", name=name, exact=True).click()

    @property
    def failure(self) -> Locator:
        """Why the run failed."""
        return self.box.get_by_role("alert")


class ServicePage(_View):
    """The view of a service."""

    def shown(self, name: str) -> ServicePage:
        """Wait until it shows a service."""
        expect(self.box.get_by_role("heading", name=name, exact=True)).to_be_visible()
        return self

    @property
    def rows(self) -> Locator:
        """The rows that are sent."""
        return self.box.get_by_label("Rows (JSON)")

    def predict(self) -> Locator:
        """Press Predict; the rows of the table with the answer."""
        self.box.get_by_role("button", name="Predict", exact=True).click()
        return self.predictions

    @property
    def predictions(self) -> Locator:
        """Rows of the answer, its head left out."""
        return self.box.get_by_role("table", name="Predictions").locator("tbody tr")


def quiet(page: Page) -> None:
    """Close the notifications that would lie over what a picture is of; one may go by itself meanwhile."""
    for button in page.get_by_role("button", name="Hide notification").all():
        with suppress(Error):
            button.click(timeout=1000)
