"""The graph of a pipeline with control flow says which step runs for each item, under a condition, and at the end."""

from __future__ import annotations

import re
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


def step(name: str, source: str, **options: Any) -> dict[str, Any]:
    return {"source": source, "metadata": {"mlops": {"step": name, **options}}}


CELLS = [
    step("load", "rates = [0.1, 0.01]\nscore = 0"),
    step("train", "score = rate * 2", each="rate in rates", gpu=2, retries=1),
    step("improve", "score = 1", when="max(score) < 0.9"),
    step("report", "print(outcome)", **{"finally": "outcome"}),
]
MARKS = {
    "load": ["cell 0"],
    "train": ["each rate", "2 GPUs", "1 retry"],
    "before-improve": ["before improve"],
    "improve": ["if max(score) < 0.9"],
    "report": ["at the end"],
}
"""What is said under each step's name in the graph, line by line; a step that has no cells says what it is for."""


@pytest.fixture(params=["dark", "light"])
def server(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[Lab, str]]:
    path = notebook(tmp_path / "books" / "flow.ipynb", CELLS)
    with lab(tmp_path / "server", [path], settings=DARK if request.param == "dark" else None) as running:
        yield running, str(request.param)


@pytest.fixture
def page() -> Iterator[Page]:
    with browser() as chrome:
        yield chrome.new_page(viewport={"width": 1280, "height": 1000})


def test_marks_of_control_flow(server: tuple[Lab, str], page: Page) -> None:
    running, theme = server
    ui = LabPage(page, running).open()
    opened = ui.open_notebook("flow.ipynb")
    section = opened.convert().section("Pipeline")
    graph = section.get_by_label("Steps and what they need")
    for name, lines in MARKS.items():
        node = graph.get_by_role("button", name=re.compile(f"^{name},"))
        expect(node.locator(".jp-mlops-node-detail")).to_have_text(lines)
        for line in lines:
            assert line in (node.get_attribute("title") or ""), "in full for whom it is cut short"
    for cell, name in enumerate(["load", "train", "improve", "report"]):
        said = "".join(f" · {line}" for line in MARKS[name] if not line.startswith("cell"))
        found = opened.cell(cell)
        expect(found).to_have_attribute("data-mlops-step", name)
        assert (found.get_attribute("data-mlops-marks") or "") == said
        shown = found.evaluate("node => getComputedStyle(node, '::after').content")
        assert shown.replace('" "', "").strip('"') == name + said
    graph.scroll_into_view_if_needed()
    ui.shot(f"marks-{theme}")
    assert overlaps(graph) == []
    ui.narrow()
    assert ui.cut_off("#jupyter-mlops-sidebar") == []
    assert overlaps(graph) == []
    ui.shot(f"marks-narrow-{theme}")
    assert ui.errors == []


def overlaps(graph: Locator) -> list[str]:
    """Nodes that lie over each other, or do not hold all of their lines."""
    boxes: list[tuple[str, Any]] = [
        (node.inner_text().split("\n")[0], node.bounding_box()) for node in graph.get_by_role("button").all()
    ]
    found = [
        f"{a} over {b}"
        for i, (a, one) in enumerate(boxes)
        for b, other in boxes[i + 1 :]
        if abs(one["x"] - other["x"]) < one["width"]
        and max(one["y"], other["y"]) < min(one["y"] + one["height"], other["y"] + other["height"])
    ]
    cut = "node => [...node.querySelectorAll('.jp-mlops-node-detail')].some(line => line.scrollHeight > line.clientHeight + 1)"
    full = "node => node.querySelector('.jp-mlops-node-text').scrollHeight > node.clientHeight"
    return found + [
        node.inner_text() for node in graph.get_by_role("button").all() if any(node.evaluate(wrong) for wrong in (cut, full))
    ]
