"""What a person at a browser sees of a run on a real cluster: every button, a dark and narrow page, and a server that dies.

One JupyterLab and one namespace for all of them, since a run on a cluster takes its time. The same is done on this machine's
target in ``ui-tests/test_run_buttons.py`` and ``ui-tests/test_narrow.py``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from lab import again, kill, lab
from pages import DARK, RUN_PATIENCE, LabPage, browser, chromium, notebook, quiet
from playwright.sync_api import Browser, expect
from run_buttons import GATED, buttons, run_with

from jupyter_mlops.cluster.base import WORKFLOWS, Cluster
from jupyter_mlops.testing.engine import workflow
from tests.cluster.conftest import fresh_namespace
from tests.cluster.test_browser_main_job import Place

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.browser,
    pytest.mark.timeout(900),
    pytest.mark.skipif(chromium() is None, reason="no Chromium here: install it, or set CHROMIUM"),
]

SIDEBAR, VIEW, DIALOG = "#jupyter-mlops-sidebar", ".jp-mlops-view", ".jp-Dialog-content"
APPROVAL = {"name": "ask", "suspend": {}}


@pytest.fixture(scope="module")
def place(cluster: Cluster, registry: str, python_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("lab")
    paths = [notebook(folder / "notebooks" / "gated.ipynb", GATED)]
    with fresh_namespace(cluster, "h-buttons") as namespace, lab(folder / "server", paths, settings=DARK) as running:
        found = Place(running, namespace, registry, python_image, folder / "server")
        found.settle()
        yield found


@pytest.fixture
def jp_asyncio_loop() -> None:
    """No event loop for each test: Playwright's own runs as long as the browser is open."""


@pytest.fixture
def jp_server_cleanup() -> None:
    """Nothing to clean up: the servers of these tests are processes of their own."""


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    with browser() as running:
        yield running


@pytest.fixture
def ui(chrome: Browser, place: Place) -> Iterator[LabPage]:
    """At the cluster's target."""
    context = chrome.new_context(viewport={"width": 1000, "height": 900})
    try:
        page = LabPage(context.new_page(), place.lab).open()
        page.show_sidebar().box.get_by_label("Target", exact=True).select_option(place.target)
        yield page
        assert page.errors == []
    finally:
        context.close()


def fits(ui: LabPage, selector: str, name: str) -> None:
    """Nothing of a part is cut off or breaks a rule; a picture is taken first, for whoever looks why."""
    quiet(ui.page)
    ui.shot(f"cluster-narrow-{name}")
    assert ui.cut_off(selector) == []
    assert ui.violations(selector, ignore=".jp-mlops-outputs") == []


def test_every_button_of_a_run(ui: LabPage, place: Place) -> None:
    left = buttons(ui, "gated.ipynb", "cluster-buttons")
    ui.narrow()
    view = ui.sidebar.open_run(left)
    expect(view.phase.first).to_have_text("Succeeded")
    fits(ui, VIEW, "run")
    for section in ("Pipeline", "Runs", "Models", "Services", "Targets"):
        expect(ui.sidebar.section(section)).to_be_visible()
    fits(ui, SIDEBAR, "sidebar")
    item = ui.sidebar.section("Targets").locator(f'[data-target="{place.target}"]')
    item.locator("button[aria-label^='Settings of']").click()
    expect(ui.page.get_by_role("dialog")).to_be_visible()
    fits(ui, DIALOG, "settings")
    ui.page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    run_with(ui, "gated.ipynb", [], target="local")
    ui.show_sidebar().box.get_by_label("Target", exact=True).select_option("local")
    expect(ui.sidebar.section("Runs").locator("[data-run]")).to_have_count(1)
    [run] = ui.sidebar.runs()
    ui.sidebar.expect_phase(run, "Succeeded")


def test_a_step_that_waits_for_a_person(ui: LabPage, place: Place, cluster: Cluster) -> None:
    made = waiting_workflow()
    name = str(cluster.create(WORKFLOWS, made, place.namespace)["metadata"]["name"])
    sidebar = ui.sidebar
    sidebar.expect_phase(name, "Running")
    view = sidebar.open_run(name)
    view.box.get_by_role("button", name="Approve", exact=True).wait_for(timeout=RUN_PATIENCE)
    expect(view.steps.first).to_contain_text("waits for a person")
    ui.shot("cluster-buttons-approve")
    view.press("Approve")
    expect(view.phase.first).to_have_text("Succeeded", timeout=RUN_PATIENCE)
    sidebar.expect_phase(name, "Succeeded")


def waiting_workflow() -> dict[str, object]:
    """A Workflow with our labels whose only step waits for a person; nobody's notebook has such a step."""
    made = workflow(("ask", ""))
    made["metadata"]["generateName"] = "asks-"
    made["metadata"].pop("name", None)
    made["metadata"].setdefault("labels", {})["app.kubernetes.io/managed-by"] = "jupyter-mlops"
    made["metadata"]["annotations"]["jupyter-mlops.github.io/plan"] = json.dumps(
        {"steps": [{"name": "ask", "cells": [], "needs": []}]}
    )
    made["spec"]["templates"] = [APPROVAL if one["name"] == "ask" else one for one in made["spec"]["templates"]]
    return made


def test_a_server_that_is_killed_in_the_middle_of_a_run(ui: LabPage, place: Place) -> None:
    """The last test of the module: the server that it starts again ends with it."""
    sidebar = ui.open_notebook("gated.ipynb").convert()
    sidebar.parameter("seconds").fill("25")
    run = sidebar.run()
    view = sidebar.open_run(run)
    expect(view.step("first", "Running").or_(view.step("second", "Running")).first).to_be_visible(timeout=RUN_PATIENCE)
    kill(place.lab)
    alert = sidebar.section("Runs").get_by_role("alert")
    expect(alert).to_contain_text("Jupyter Server does not answer", timeout=RUN_PATIENCE)
    expect(view.failure.first).to_contain_text("Jupyter Server does not answer", timeout=RUN_PATIENCE)
    ui.shot("cluster-killed-gone")
    with again(place.lab):
        expect(alert).to_have_count(0, timeout=RUN_PATIENCE)
        sidebar.expect_phase(run, "Succeeded")
        expect(view.phase.first).to_have_text("Succeeded", timeout=RUN_PATIENCE)
        expect(view.box.get_by_role("alert")).to_have_count(0)
        ui.shot("cluster-killed-back")
