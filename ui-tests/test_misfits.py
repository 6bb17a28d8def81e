"""A cluster that is away keeps no notebook from being shown: it is said where its images would be, and no more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab import Lab, lab
from pages import DARK, RUN_PATIENCE, LabPage, browser, chromium, notebook
from playwright.sync_api import Page, expect

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(600),
    pytest.mark.skipif(chromium() is None, reason="no Chromium: install it with the system's package manager, or set CHROMIUM"),
]

KUBECONFIG = {
    "apiVersion": "v1", "kind": "Config", "current-context": "dev",
    "contexts": [{"name": "dev", "context": {"cluster": "one", "user": "me", "namespace": "ml"}}],
    "clusters": [{"name": "one", "cluster": {"server": "https://127.0.0.1:9"}}],
    "users": [{"name": "me", "user": {"token": "none"}}],
}  # fmt: skip


@pytest.fixture
def page() -> Iterator[Page]:
    with browser() as chrome:
        yield chrome.new_page(viewport={"width": 1280, "height": 1000})


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """Somebody with a kubeconfig whose cluster is away."""
    config = tmp_path / "kubeconfig"
    config.write_text(json.dumps(KUBECONFIG))
    config.chmod(0o600)
    monkeypatch.setenv("KUBECONFIG", str(config))
    book = notebook(tmp_path / "books" / "a.ipynb", ["import tornado\nprint('ok')"])
    with lab(tmp_path / "server", [book], settings=DARK) as running:
        yield running


def test_a_cluster_that_is_away_leaves_the_notebook_as_it_is_shown(page: Page, server: Lab) -> None:
    server.api("PUT", "default-target", {"target": "dev"})
    ui = LabPage(page, server).open()
    section = ui.open_notebook("a.ipynb").convert().section("Pipeline")
    expect(section.get_by_role("list", name="Steps", exact=True).get_by_role("listitem")).to_have_count(1)
    said = section.get_by_role("alert").filter(has_text="does not answer")
    expect(said).to_be_visible(timeout=RUN_PATIENCE)
    expect(said.get_by_role("button", name="Retry")).to_be_visible()
    expect(section.get_by_role("button", name="Run", exact=True)).to_be_enabled()
    ui.shot("misfit-away-dark")
    assert ui.errors == []
