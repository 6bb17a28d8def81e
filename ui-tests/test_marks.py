"""The graph of a pipeline with control flow says which step runs for each item, under a condition, and at the end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lab import Lab, lab
from pages import DARK, LabPage, browser, chromium, notebook
from playwright.sync_api import Page, expect

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(600),
    pytest.mark.skipif(chromium() is None, reason="no Chromium: install it with the system's package manager, or set CHROMIUM"),
]


def step(name: str, source: str, **options: Any) -> dict[str, Any]:
    return {"source": source, "metadata": {"mlops": {"step": name, **options}}}


CELLS = [
    step("load", "rates = [0.1, 0.01]\nscore = 0"),
    step("train", "score = rate * 2", each="rate in rates", gpu=2),
    step("improve", "score = 1", when="max(score) < 0.9"),
    step("report", "print(outcome)", **{"finally": "outcome"}),
]
WORDS = {"train": "each rate · 2 GPUs", "improve": "if max(score) < 0.9", "report": "at the end"}


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
    section = ui.open_notebook("flow.ipynb").convert().section("Pipeline")
    graph = section.get_by_label("Steps and what they need")
    for words in WORDS.values():
        expect(graph).to_contain_text(words)
    graph.scroll_into_view_if_needed()
    ui.shot(f"marks-{theme}")
    ui.narrow()
    assert ui.cut_off("#jupyter-mlops-sidebar") == []
    ui.shot(f"marks-narrow-{theme}")
    assert ui.errors == []
