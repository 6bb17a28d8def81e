"""The main job on a real cluster, as a person does it in a real browser: a notebook becomes an endpoint on KServe.

Settings of the target in a dialog and its checks; convert; run on Argo with a request for a GPU; the model with its metrics in
the cluster's registry; deploy; predict. Then what one meets on the way: an image that does not exist, the keyboard alone, a
narrow sidebar, a server that is killed in the middle. Pictures of it lie in ``screenshots/`` for people to look at.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from lab import Lab, _command, _environment, _wait, lab
from pages import RUN_PATIENCE, LabPage, browser, chromium, notebook, quiet
from playwright.sync_api import Browser, Locator, expect

from jupyter_mlops.cluster.base import Cluster
from tests.cluster.conftest import fresh_namespace
from tests.cluster.test_cli_main_job import offer, offered

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.browser,
    pytest.mark.timeout(600),
    pytest.mark.skipif(chromium() is None, reason="no Chromium here: install it, or set CHROMIUM"),
]

WIDE, NARROW = 1280, 240
TRAINING = [
    {"cell_type": "markdown", "source": "# Data"},
    "rows = [[1.0, 0.0], [2.0, 1.0], [3.0, 0.0], [4.0, 1.0]]\nlabels = [0, 1, 0, 1]\nprint('rows', len(rows))",
    {"cell_type": "markdown", "source": "# Train"},
    {
        "source": "from sklearn.linear_model import LogisticRegression\nmodel = LogisticRegression().fit(rows, labels)\n"
        "print('trained')",
        "metadata": {"mlops": {"step": "train", "gpu": 1}},
    },
    {
        "source": "from jupyter_mlops import log_metrics, log_model\nlog_metrics({'accuracy': 1.0})\n"
        "log_model(model, 'tiny', data=rows)",
        "metadata": {"mlops": {"step": "train"}},
    },
]
NO_IMAGE = [
    {"source": "x = 1", "metadata": {"mlops": {"step": "first", "image": "REGISTRY/no-such-image:1"}}},
]
LONG = ["import time\nfor i in range(60):\n    print('tick', i, flush=True)\n    time.sleep(0.5)"]


class Place:
    """A namespace, and a JupyterLab whose kubeconfig reaches it."""

    def __init__(self, server: Lab, namespace: str, registry: str, image: str, folder: Path) -> None:
        self.lab, self.namespace, self.image, self.folder = server, namespace, image, folder
        self.registry = f"http://{registry}/{namespace}"
        found = server.api("GET", "targets")
        assert isinstance(found, dict)
        self.target = str(next(one["name"] for one in found["targets"] if not one["local"]))

    def settle(self) -> None:
        """What the first test sets by hand, for the others."""
        settings = {"namespace": self.namespace, "registry": self.registry, "image": self.image}
        self.lab.api("PUT", f"targets/{quote(self.target, safe='')}", settings)


@pytest.fixture(scope="module")
def place(cluster: Cluster, registry: str, python_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("lab")
    missing = [{**NO_IMAGE[0], "metadata": {"mlops": {"step": "first", "image": f"{registry}/no-such-image:1"}}}]
    books = {"training": TRAINING, "missing": missing, "long": LONG}
    paths = [notebook(folder / "notebooks" / f"{name}.ipynb", cells) for name, cells in books.items()]
    before = offered(cluster)
    with fresh_namespace(cluster, "h-browser") as namespace, lab(folder / "server", paths) as running:
        offer(cluster, max(before, 1))
        try:
            yield Place(running, namespace, registry, python_image, folder / "server")
        finally:
            offer(cluster, before)


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
    context = chrome.new_context(viewport={"width": WIDE, "height": 900})
    try:
        page = LabPage(context.new_page(), place.lab).open()
        yield page
        assert page.hosts <= {place.lab.url.split("//")[1], ""}
        assert page.errors == []
    finally:
        context.close()


def picker(ui: LabPage) -> Locator:
    return ui.sidebar.box.get_by_label("Target", exact=True)


def choose(ui: LabPage, target: str) -> None:
    ui.show_sidebar()
    picker(ui).select_option(target)


def dialog(ui: LabPage) -> Locator:
    return ui.page.get_by_role("dialog")


def test_the_main_job(ui: LabPage, place: Place) -> None:
    sidebar = ui.show_sidebar()
    targets = sidebar.section("Targets")
    item = targets.locator(f'[data-target="{place.target}"]')
    item.get_by_role("button", name=re.compile("^Settings of")).click()
    form = dialog(ui)
    form.get_by_label("Namespace", exact=True).fill(place.namespace)
    form.get_by_label("Registry", exact=True).fill(place.registry)
    form.get_by_label("Image", exact=True).fill(place.image)
    ui.shot("cluster-1-settings")
    form.get_by_role("button", name="Save and Check").click()
    expect(item.get_by_text(re.compile("of .* checks passed"))).to_be_visible()
    assert item.get_by_text("Does not work").count() == 0, item.inner_text()
    ui.shot("cluster-2-targets")
    assert ui.violations("#jupyter-mlops-sidebar") == []

    item.get_by_role("button", name=re.compile("^Use ")).click()
    expect(picker(ui)).to_have_value(place.target)
    sidebar.box.locator('.jp-AccordionPanel-title[aria-label="Targets Section"] .lm-AccordionPanel-titleLabel').click()
    sidebar = ui.open_notebook("training.ipynb").convert()
    run = sidebar.run()
    view = sidebar.open_run(run)
    expect(view.box.get_by_text(place.target).first).to_be_visible()
    sidebar.expect_phase(run, "Running")
    ui.shot("cluster-3-running")
    expect(view.phase.first).to_have_text("Succeeded", timeout=RUN_PATIENCE)
    expect(view.box.get_by_text("accuracy")).to_be_visible()
    expect(view.tab("Logs").get_by_text("trained", exact=True)).to_be_visible()
    view.tab("Overview")
    quiet(ui.page)
    ui.shot("cluster-4-succeeded")
    assert ui.violations(".jp-mlops-view") == []

    sidebar.deploy("tiny")
    form = dialog(ui)
    expect(form.locator(".jp-mlops-mode .jp-mlops-chip")).to_be_visible()
    ui.shot("cluster-5-deploy")
    form.get_by_role("button", name="Deploy", exact=True).click()
    sidebar.expect_service("tiny", "Ready")
    service = sidebar.test_service("tiny")
    expect(service.predict()).to_have_count(4)
    quiet(ui.page)
    ui.shot("cluster-6-predicted")
    assert ui.violations(".jp-mlops-view") == []
    logs = service.tab("Logs")
    expect(logs.get_by_role("log")).to_be_visible()
    ui.shot("cluster-7-service-logs")


def test_an_image_that_does_not_exist_is_said_with_its_fix(ui: LabPage, place: Place) -> None:
    place.settle()
    choose(ui, place.target)
    sidebar = ui.open_notebook("missing.ipynb").convert()
    run = sidebar.run()
    view = sidebar.open_run(run)
    waiting = view.box.locator(".jp-mlops-waiting")
    expect(waiting).to_contain_text("no-such-image", timeout=RUN_PATIENCE)
    expect(waiting.locator(".jp-mlops-fix")).to_be_visible()
    quiet(ui.page)
    ui.shot("cluster-8-waiting")
    waiting.get_by_text("Show what the cluster said").click()
    expect(waiting.locator("pre")).to_contain_text("no-such-image")
    ui.shot("cluster-9-facts")
    assert ui.violations(".jp-mlops-view") == []
    view.box.get_by_role("button", name="Stop", exact=True).click()
    sidebar.expect_phase(run, "Stopped")
    expect(view.box.get_by_role("button", name="Resume", exact=True)).to_be_visible()


def test_the_main_flow_by_keyboard_alone(ui: LabPage, place: Place) -> None:
    """From the notebook to a run and its view without a mouse."""
    place.settle()
    choose(ui, place.target)
    book = ui.open_notebook("long.ipynb")
    book.cell(0).locator(".cm-content").click()
    keyboard = ui.page.keyboard
    keyboard.press("Escape")
    palette(ui, "Convert Notebook to Pipeline")
    sidebar = ui.sidebar.converted("long.ipynb")
    sidebar.run_button.focus()
    reached = tab_to(ui, lambda name: name == "Run", back=True) or tab_to(ui, lambda name: name == "Run")
    assert reached, "Run is reached by Tab"
    before = set(sidebar.runs())
    sidebar.run_button.focus()
    keyboard.press("Enter")
    expect(ui.sidebar._runs).to_have_count(len(before) + 1)
    [run] = set(sidebar.runs()) - before
    sidebar._run(run).get_by_role("button").first.focus()
    keyboard.press("Enter")
    view = ui.run_view.shown(run)
    stop = view.box.get_by_role("button", name="Stop", exact=True)
    expect(stop).to_be_visible()
    stop.focus()
    keyboard.press("Enter")
    sidebar.expect_phase(run, "Stopped")
    picker(ui).focus()
    keyboard.press("Home")
    expect(picker(ui)).to_have_value("local")
    keyboard.press("End")
    expect(picker(ui)).not_to_have_value("local")


def palette(ui: LabPage, command: str) -> None:
    """Run a command by the command palette, typed."""
    ui.page.keyboard.press("Control+Shift+C")
    ui.page.get_by_role("dialog").or_(ui.page.locator(".jp-ModalCommandPalette, #command-palette")).first.wait_for()
    ui.page.keyboard.type(command)
    ui.page.locator(".lm-CommandPalette-item.lm-mod-active").first.wait_for()
    ui.page.keyboard.press("Enter")


def tab_to(ui: LabPage, wanted, *, back: bool = False, most: int = 40) -> bool:
    """Press Tab until an element of that name has the focus."""
    for _ in range(most):
        name = ui.page.evaluate("document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.innerText ?? ''")
        if wanted(str(name).strip()):
            return True
        ui.page.keyboard.press("Shift+Tab" if back else "Tab")
    return False


def test_narrow_and_dark(chrome: Browser, place: Place, tmp_path: Path) -> None:
    place.settle()
    context = chrome.new_context(viewport={"width": WIDE, "height": 900}, color_scheme="dark")
    try:
        ui = LabPage(context.new_page(), place.lab).open()
        ui.page.evaluate("window.jupyterapp?.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})")
        menu(ui, "Settings", "Theme", "JupyterLab Dark")
        choose(ui, place.target)
        sidebar = ui.show_sidebar()
        sidebar.section("Targets")
        ui.open_notebook("training.ipynb").convert()
        narrow(ui)
        ui.shot("cluster-10-dark-narrow")
        wider = ui.page.evaluate(
            """() => [...document.querySelectorAll('#jupyter-mlops-sidebar .jp-mlops-scroll')]
                .filter(e => e.offsetParent && e.scrollWidth > e.clientWidth + 1)
                .map(e => e.closest('.jp-mlops-section').getAttribute('aria-labelledby'))"""
        )
        assert wider == [], "nothing has to be scrolled sideways"
        assert ui.violations("#jupyter-mlops-sidebar") == []
        run = sidebar.runs()[-1]
        sidebar.open_run(run)
        ui.page.locator(".jp-mlops-head").wait_for()
        ui.shot("cluster-11-dark-run")
        assert ui.violations(".jp-mlops-view") == []
        assert ui.errors == []
    finally:
        context.close()


def menu(ui: LabPage, *names: str) -> None:
    """Choose from the menu bar."""
    ui.page.get_by_role("menubar", name="main menu").get_by_text(names[0], exact=True).click()
    for name in names[1:]:
        ui.page.locator(".lm-Menu-itemLabel").get_by_text(name, exact=True).click()


def narrow(ui: LabPage) -> None:
    """Drag the sidebar's edge until it has the narrow width."""
    box = ui.sidebar.box.bounding_box()
    assert box is not None
    edge = box["x"] + box["width"] + 1
    ui.page.mouse.move(edge, 500)
    ui.page.mouse.down()
    ui.page.mouse.move(box["x"] + NARROW, 500, steps=4)
    ui.page.mouse.up()


def test_a_server_that_is_killed_in_the_middle(chrome: Browser, cluster: Cluster, place: Place, tmp_path: Path) -> None:
    """The run goes on without it; the page says that nothing answers, and is right again when the server is back."""
    folder = tmp_path / "second"
    path = notebook(tmp_path / "long.ipynb", LONG)
    with lab(folder, [path]) as running:
        place_there = Place(running, place.namespace, place.registry.split("/")[2], place.image, folder)
        place_there.registry = place.registry
        place_there.settle()
        context = chrome.new_context(viewport={"width": WIDE, "height": 900})
        try:
            ui = LabPage(context.new_page(), running).open()
            choose(ui, place.target)
            sidebar = ui.open_notebook("long.ipynb").convert()
            run = sidebar.run()
            view = sidebar.open_run(run)
            expect(view.phase.first).to_have_text("Running", timeout=RUN_PATIENCE)
            os.kill(running.pid, signal.SIGKILL)
            expect(view.box.get_by_text("does not answer").first).to_be_visible(timeout=RUN_PATIENCE)
            ui.shot("cluster-12-server-gone")
            port = int(running.url.rsplit(":", 1)[1])
            again = subprocess.Popen(
                _command(running.root, port),
                env=_environment(folder, running.home, running.token),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            try:
                _wait(running, again)
                expect(view.phase.first).to_have_text("Succeeded", timeout=RUN_PATIENCE)
                expect(view.box.get_by_text("does not answer")).to_have_count(0, timeout=RUN_PATIENCE)
                sidebar.expect_phase(run, "Succeeded")
            finally:
                again.terminate()
                again.wait()
        finally:
            context.close()
