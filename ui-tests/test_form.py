"""The form of a cell in JupyterLab's property inspector: every key is there, and what it writes is what Python reads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lab import Lab, lab
from pages import DARK, RUN_PATIENCE, LabPage, browser, chromium, notebook
from playwright.sync_api import Page, expect

from jupyter_mlops.notebook.metadata import read_requests
from jupyter_mlops.notebook.read import parse
from jupyter_mlops.testing.serving import eventually

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(600),
    pytest.mark.skipif(chromium() is None, reason="no Chromium: install it with the system's package manager, or set CHROMIUM"),
]


@pytest.fixture(params=["dark", "light"])
def server(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[Lab, str]]:
    path = notebook(tmp_path / "books" / "form.ipynb", ["x = 1", "y = 2"])
    with lab(tmp_path / "server", [path], settings=DARK if request.param == "dark" else None) as running:
        yield running, str(request.param)


@pytest.fixture
def page() -> Iterator[Page]:
    with browser() as chrome:
        yield chrome.new_page(viewport={"width": 1280, "height": 1000})


def test_the_form_writes_what_is_filled_in_and_nothing_else(server: tuple[Lab, str], page: Page) -> None:
    running, theme = server
    path = running.root / "form.ipynb"
    before = json.loads(path.read_text())["cells"]
    ui = LabPage(page, running).open()
    opened = ui.open_notebook("form.ipynb")
    opened.cell(0).click()
    page.locator('.lm-TabBar-tab[data-id="jp-property-inspector"]').click()
    page.get_by_text("Pipeline step", exact=True).click()
    form = page.locator(".jp-MetadataForm", has_text="Cells with the same step")
    ui.shot(f"form-{theme}")
    filled = {
        "step": "train",
        "gpu": "2",
        "memory": "16Gi",
        "timeout": "2h",
        "when": "x > 0",
        "each": "rate in [1, 2]",
        "outputs": "model:x",
    }
    for key, value in filled.items():
        field = form.locator(f'input[id$="/mlops/{key}"]')
        field.fill(value)
        field.press("Tab")  # the form draws itself anew after each change
        expect(field).to_have_value(value)
    form.locator("select").select_option(label="off")
    form.locator('input[id$="/mlops/timeout"]').scroll_into_view_if_needed()
    ui.shot(f"form-filled-{theme}")
    cells = saved(ui, path)
    options = {
        "step": "train", "gpu": 2, "memory": "16Gi", "timeout": "2h", "when": "x > 0", "each": "rate in [1, 2]", "cache": "off",
        "outputs": "model:x",
    }  # fmt: skip
    assert cells[0]["metadata"]["mlops"] == options
    assert cells[1]["metadata"] == before[1]["metadata"], "a cell that nobody touched is as it was"
    requests = read_requests(parse(path.read_text(), path.name))
    assert requests.diagnostics == ()
    assert {key: requests.cells[0].options[key] for key in ("gpu", "timeout", "each", "outputs")} == {
        "gpu": 2, "timeout": 7200, "each": "rate in [1, 2]", "outputs": ("model:x",),
    }  # fmt: skip
    for key in filled:
        form.locator(f'input[id$="/mlops/{key}"]').fill("")
        form.locator(f'input[id$="/mlops/{key}"]').press("Tab")
        expect(form.locator(f'input[id$="/mlops/{key}"]')).to_have_value("")
    assert set(saved(ui, path)[0]["metadata"].get("mlops", {})) == {"cache"}, "what is emptied is gone"
    assert ui.errors == []


def saved(ui: LabPage, path: Path) -> list[dict[str, Any]]:
    """The cells in the file after it is saved."""
    stamp = path.stat().st_mtime_ns
    ui.page.keyboard.press("Control+s")
    eventually(lambda: path.stat().st_mtime_ns != stamp, RUN_PATIENCE / 1000)
    cells: list[dict[str, Any]] = json.loads(path.read_text())["cells"]
    return cells
