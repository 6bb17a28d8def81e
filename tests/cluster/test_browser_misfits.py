"""What an image lacks stands beside Run before anything is submitted to a real cluster, and another Python refuses the run."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from lab import Lab, lab
from pages import DARK, RUN_PATIENCE, LabPage, browser, chromium, notebook
from playwright.sync_api import Page, expect

from jupyter_mlops.cluster.base import Cluster
from jupyter_mlops.testing.embedded import embedded_registry
from tests.cluster.conftest import fresh_namespace
from tests.unit.server.test_server_images import put

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.browser,
    pytest.mark.timeout(600),
    pytest.mark.skipif(chromium() is None, reason="no Chromium here: install it, or set CHROMIUM"),
]

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture
def page() -> Iterator[Page]:
    with browser() as chrome:
        yield chrome.new_page(viewport={"width": 1280, "height": 1000})


@pytest.fixture
def images(tmp_path: Path) -> Iterator[str]:
    """A registry that is read from here only: no pod is started of its images."""
    with embedded_registry(tmp_path / "images") as address:
        yield address


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    with fresh_namespace(cluster, "h-misfit") as name:
        yield name


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Lab]:
    book = notebook(tmp_path / "books" / "a.ipynb", ["import tornado\nprint('ok')"])
    with lab(tmp_path / "server", [book], settings=DARK) as running:
        yield running


def test_an_image_that_does_not_fit_is_said_before_a_run(page: Page, server: Lab, images: str, namespace: str) -> None:
    found = server.api("GET", "targets")
    assert isinstance(found, dict)
    target = str(next(one["name"] for one in found["targets"] if not one["local"]))
    path = f"targets/{quote(target, safe='')}"
    server.api("PUT", path, {"namespace": namespace, "registry": images, "image": put(images, HERE)})
    server.api("PUT", "default-target", {"target": target})
    ui = LabPage(page, server).open()
    section = ui.open_notebook("a.ipynb").convert().section("Pipeline")
    beside = section.locator(".jp-mlops-misfits")
    expect(beside).to_contain_text("lacks tornado", timeout=RUN_PATIENCE)
    expect(beside).to_contain_text("Before a run: ")
    expect(beside).to_contain_text("pip install tornado==")
    environment = section.locator(".jp-mlops-environment")
    expect(environment).to_contain_text("step/image:v1")
    expect(environment).to_contain_text(f"Python {HERE} · 0 packages")
    ui.shot("misfit-image-dark")
    server.api("PUT", path, {"image": put(images, "3.9")})
    environment.get_by_role("button", name="Look Again").click()
    expect(beside).to_contain_text("would refuse a run", timeout=RUN_PATIENCE)
    expect(beside).to_contain_text("has Python 3.9")
    expect(beside).to_contain_text("Use an image with Python")
    ui.shot("misfit-python-dark")
    section.get_by_role("button", name="Run With…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("has Python 3.9", timeout=RUN_PATIENCE)
    ui.shot("misfit-run-with-dark")
    dialog.get_by_role("button", name="Cancel").click()
    section.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator(".Toastify__toast").get_by_text("has Python 3.9")).to_be_visible(timeout=RUN_PATIENCE)
    assert ui.sidebar.runs() == []
    ui.narrow()
    assert ui.cut_off("#jupyter-mlops-sidebar") == []
    assert ui.violations("#jupyter-mlops-sidebar") == []
    ui.shot("misfit-image-narrow-dark")
    assert ui.errors == []
