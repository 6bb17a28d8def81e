"""The main job as a person does it: a real browser against a real JupyterLab with token and XSRF.

Open the example, Convert, Run, watch it succeed, Deploy the model, Test it, see the prediction; and what one meets on the
way: a notebook that was not saved, a cell that fails, a server that is started again. Each leaves pictures in
``screenshots/`` for people to look at.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from lab import EXAMPLES, lab
from pages import RUN_PATIENCE, LabPage, browser, chromium, notebook, quiet
from playwright.sync_api import expect

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(600),
    pytest.mark.skipif(chromium() is None, reason="no Chromium here: install it, or set CHROMIUM"),
]


@pytest.fixture
def open_lab(tmp_path: Path):
    """A function that opens notebooks in a Lab of this test's own; it and the browser end with the test."""
    from contextlib import ExitStack

    with ExitStack() as stack:

        def opened(*notebooks: Path, settings: dict[str, object] | None = None) -> LabPage:
            running = stack.enter_context(lab(tmp_path / "lab", notebooks, settings))
            tab = stack.enter_context(browser()).new_page(viewport={"width": 1440, "height": 900})
            return LabPage(tab, running).open()

        yield opened


def test_the_main_job(open_lab) -> None:
    page = open_lab(EXAMPLES)
    book = page.open_notebook("churn.ipynb")
    sidebar = book.convert()
    expect(sidebar.steps.get_by_role("listitem")).to_have_count(6)
    assert book.bands()[0] == "the-customers"
    page.shot("1-converted")

    run = sidebar.run()
    sidebar.expect_phase(run, "Running")
    view = sidebar.open_run(run)
    page.shot("2-running")
    sidebar.expect_phase(run, "Succeeded")
    expect(view.phase).to_have_text("Succeeded", timeout=RUN_PATIENCE)
    quiet(page.page)
    page.shot("3-succeeded")

    sidebar.deploy("churn")
    sidebar.expect_service("churn", "Ready")
    service = sidebar.test_service("churn")
    expect(service.predict()).to_have_count(3)
    for answer in service.predictions.all():
        assert re.search(r"\b[01]\b", answer.inner_text())
    quiet(page.page)
    page.shot("4-predicted")

    assert page.errors == []
    assert page.hosts == {page.lab.url.removeprefix("http://")}, "the page talks to its own server and to nobody else"


def test_what_is_typed_is_saved_before_it_is_converted(open_lab, tmp_path: Path) -> None:
    path = notebook(tmp_path / "typed.ipynb", ["x = 1", "print(x)"])
    page = open_lab(path)
    book = page.open_notebook("typed.ipynb")
    book.type_into(1, "\ninput()")
    sidebar = book.convert()
    expect(sidebar.findings.first).to_contain_text("input")
    assert "input()" in (page.lab.root / "typed.ipynb").read_text()
    expect(sidebar.run_button.and_(page.page.locator(":enabled"))).to_have_count(0)
    page.shot("5-refused")
    sidebar.findings.first.get_by_role("button").first.click()
    assert book.active() == 1


def test_a_failure_leads_to_its_cell(open_lab, tmp_path: Path) -> None:
    path = notebook(
        tmp_path / "fails.ipynb", [{"cell_type": "markdown", "source": "# Ratio"}, "a = 1\nb = 0", "print('before')\na / b"]
    )
    page = open_lab(path)
    sidebar = page.open_notebook("fails.ipynb").convert()
    run = sidebar.run()
    sidebar.expect_phase(run, "Failed")
    view = sidebar.open_run(run)
    expect(view.failure).to_contain_text("division by zero")
    expect(view.failure).to_contain_text("cell 2")
    expect(view.failure).to_contain_text("line 2")
    quiet(page.page)
    page.shot("6-failed")


def test_runs_are_there_after_the_server_was_started_again(tmp_path: Path) -> None:
    path = notebook(tmp_path / "small.ipynb", ["print('hello')"])
    with browser() as running:
        with lab(tmp_path / "first", [path]) as first:
            sidebar = LabPage(running.new_page(), first).open().open_notebook("small.ipynb").convert()
            run = sidebar.run()
            sidebar.expect_phase(run, "Succeeded")
        with lab(tmp_path / "second", [path]) as second:
            shutil.copytree(first.home, second.home, dirs_exist_ok=True)
            page = LabPage(running.new_page(), second).open()
            page.show_sidebar().expect_phase(run, "Succeeded")
            assert page.sidebar.runs() == [run]
