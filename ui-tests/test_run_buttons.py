"""Every button of a run on this machine, and what is seen when server or kernel die in the middle of one."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from lab import Lab, again, kernels, kill, lab
from pages import RUN_PATIENCE, LabPage, browser, chromium, notebook, quiet
from playwright.sync_api import Page, expect
from run_buttons import GATED, buttons

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(600),
    pytest.mark.skipif(chromium() is None, reason="no Chromium: install it with the system's package manager, or set CHROMIUM"),
]

GATE = """\
import time
from pathlib import Path
print('begun', flush=True)
while not Path({gate!r}).exists():
    time.sleep(0.05)
print('opened')"""


@pytest.fixture
def page() -> Iterator[Page]:
    with browser() as chrome:
        yield chrome.new_page(viewport={"width": 1280, "height": 900})


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Lab]:
    """With a notebook whose step goes on until a file is there, and one that runs it by a magic."""
    waiting = GATE.format(gate=str(tmp_path / "gate"))
    books: dict[str, Sequence[str | dict[str, Any]]] = {
        "gated": GATED,
        "waits": [waiting],
        "magic": ["%load_ext jupyter_mlops\n%mlops run waits.ipynb"],
    }
    paths = [notebook(tmp_path / "books" / f"{name}.ipynb", cells) for name, cells in books.items()]
    with lab(tmp_path / "server", paths) as running:
        yield running


def test_the_buttons_of_a_run(page: Page, server: Lab) -> None:
    ui = LabPage(page, server).open()
    left = buttons(ui, "gated.ipynb", "buttons")
    found = server.api("GET", f"runs/{left}")
    assert isinstance(found, dict)
    assert found["parameters"] == {"seconds": 0}
    assert ui.errors == []


def test_a_server_that_is_killed_in_the_middle_of_a_run(page: Page, server: Lab, tmp_path: Path) -> None:
    ui = LabPage(page, server).open()
    sidebar = ui.open_notebook("waits.ipynb").convert()
    run = sidebar.run()
    view = sidebar.open_run(run)
    expect(view.phase.first).to_have_text("Running", timeout=RUN_PATIENCE)
    kill(server)
    expect(sidebar.section("Runs").get_by_role("alert")).to_contain_text("Jupyter Server does not answer", timeout=RUN_PATIENCE)
    expect(view.failure.first).to_contain_text("Jupyter Server does not answer", timeout=RUN_PATIENCE)
    ui.shot("killed-1-gone")
    with again(server):
        expect(sidebar.section("Runs").get_by_role("alert")).to_have_count(0, timeout=RUN_PATIENCE)
        expect(view.phase.first).to_have_text("Running")
        (tmp_path / "gate").touch()
        sidebar.expect_phase(run, "Succeeded")
        expect(view.phase.first).to_have_text("Succeeded", timeout=RUN_PATIENCE)
        expect(view.box.get_by_role("alert")).to_have_count(0)
        assert sidebar.runs() == [run]
        ui.shot("killed-2-back")


def test_a_kernel_that_is_killed_in_the_middle_of_the_magic(page: Page, server: Lab, tmp_path: Path) -> None:
    ui = LabPage(page, server).open()
    opened = ui.open_notebook("magic.ipynb")
    sidebar = ui.show_sidebar()
    expect(page.get_by_role("button", name="Python 3 (ipykernel) | Idle")).to_be_visible(timeout=RUN_PATIENCE)
    opened.cell(0).locator(".cm-content").click()
    page.keyboard.press("Control+Enter")
    mini = opened.panel.locator(".jp-mlops-mini").get_by_role("status")
    expect(mini).to_have_text("Running", timeout=RUN_PATIENCE)
    [run] = sidebar.runs()
    [kernel] = kernels(server)
    os.kill(kernel, signal.SIGKILL)
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Kernel Restarting", timeout=RUN_PATIENCE)
    ui.shot("killed-3-kernel")
    dialog.get_by_role("button", name="Ok").click()
    expect(mini).to_have_text("Running")
    (tmp_path / "gate").touch()
    sidebar.expect_phase(run, "Succeeded")
    expect(mini).to_have_text("Succeeded", timeout=RUN_PATIENCE)
    quiet(page)
    ui.shot("killed-4-kernel-back")
    assert ui.errors == []
