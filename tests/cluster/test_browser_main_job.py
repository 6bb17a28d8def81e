"""The main job on a real cluster, as a person does it in a real browser: a notebook becomes an endpoint on KServe.

Settings of the target in a dialog and its checks; convert; run on Argo with a request for a GPU; the model with its metrics in
the cluster's registry; deploy; predict. And what one meets on the way: an image that does not exist. Pictures of it lie in
``screenshots/`` for people to look at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from lab import Lab, lab
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

WIDE = 1280
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
    missing = [{"source": "x = 1", "metadata": {"mlops": {"step": "first", "image": f"{registry}/no-such-image:1"}}}]
    books = {"training": TRAINING, "missing": missing}
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
    expect(service.predict()).to_have_count(3)
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
