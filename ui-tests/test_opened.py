"""Opening a notebook, converting it and looking at its form leaves it as it is: no unsaved mark is of our doing."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lab import Lab, lab
from pages import RUN_PATIENCE, LabPage, browser, chromium, notebook
from playwright.sync_api import Locator, Page, expect

from jupyter_mlops.testing.serving import eventually

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(600),
    pytest.mark.skipif(chromium() is None, reason="no Chromium: install it with the system's package manager, or set CHROMIUM"),
]

KERNEL = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {
        "codemirror_mode": {"name": "ipython", "version": 3}, "file_extension": ".py", "mimetype": "text/x-python", "name": "python",
        "nbconvert_exporter": "python", "pygments_lexer": "ipython3", "version": platform.python_version(),
    },
}  # fmt: skip
"""What JupyterLab writes into a notebook when its kernel comes up, and marks it as unsaved if it was not there."""

CELLS: list[str | dict[str, Any]] = [
    {"source": "rates = [1, 2]", "metadata": {"mlops": {"step": "load"}}},
    {
        "source": "y = rate",
        "metadata": {"mlops": {"step": "fit", "each": "rate in rates", "secrets": [{"env": "half"}]}, "tags": ["t"]},
    },
    "print(y)",
]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Lab]:
    """A notebook that a kernel has seen, and one that none has."""
    books = tmp_path / "books"
    whole, bare = notebook(books / "whole.ipynb", CELLS), notebook(books / "bare.ipynb", CELLS)
    whole.write_text(json.dumps({**json.loads(whole.read_text()), "metadata": KERNEL}))
    with lab(tmp_path / "server", [whole, bare]) as running:
        yield running


@pytest.fixture
def page() -> Iterator[Page]:
    with browser() as chrome:
        yield chrome.new_page(viewport={"width": 1280, "height": 1000})


def tab(page: Page) -> Locator:
    """The tab of the notebook in front; an unsaved one is marked."""
    return page.locator(".lm-DockPanel-tabBar .lm-TabBar-tab.lm-mod-current")


def looked_at(ui: LabPage, name: str) -> None:
    """Open a notebook, wait for its kernel, convert it, and go through the forms of its cells."""
    opened = ui.open_notebook(name)
    expect(ui.page.get_by_text("Python 3 (ipykernel) | Idle")).to_be_visible(timeout=RUN_PATIENCE)
    opened.convert()
    ui.page.locator('.lm-TabBar-tab[data-id="jp-property-inspector"]').click()
    ui.page.get_by_text("Pipeline step", exact=True).click()
    for cell in range(len(CELLS)):
        opened.cell(cell).click()
        expect(ui.page.locator(".jp-mlops-option")).not_to_have_count(0)


def test_a_notebook_that_is_looked_at_is_not_changed(server: Lab, page: Page) -> None:
    path = server.root / "whole.ipynb"
    before, stamp = path.read_bytes(), path.stat().st_mtime_ns
    ui = LabPage(page, server).open()
    looked_at(ui, "whole.ipynb")
    expect(ui.page.locator('.jp-mlops-option[data-key="secrets"] .jp-mlops-row')).to_have_count(0)
    assert "jp-mod-dirty" not in (tab(page).get_attribute("class") or "")
    assert (path.read_bytes(), path.stat().st_mtime_ns) == (before, stamp), "not even saved"
    assert ui.errors == []


def test_what_is_unsaved_in_a_notebook_without_a_kernel_is_the_kernels_alone(server: Lab, page: Page) -> None:
    path = server.root / "bare.ipynb"
    before = json.loads(path.read_text())
    ui = LabPage(page, server).open()
    looked_at(ui, "bare.ipynb")
    page.keyboard.press("Control+s")

    def saved() -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = json.loads(path.read_text())
        except ValueError:  # it is being written
            return None
        return found if "language_info" in found["metadata"] else None

    after = eventually(saved, RUN_PATIENCE / 1000)
    assert after is not None
    assert after["metadata"] == KERNEL
    assert [("".join(cell["source"]), cell["metadata"]) for cell in after["cells"]] == [
        (cell["source"], cell["metadata"]) for cell in before["cells"]
    ]
    assert ui.errors == []
