"""A cluster that is away keeps no notebook from being shown: it is said where its images would be, and no more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab import Lab, lab
from pages import DARK, RUN_PATIENCE, LabPage, browser, chromium, notebook
from playwright.sync_api import Page, expect

from tests.unit.cluster.answering import Asked, Reply, answering

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


BIG = 65 << 20
"""Bytes: a little more than may travel."""


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


@pytest.fixture
def empty_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A cluster that answers and has nothing, beside a notebook that names a file which is too large to travel to it."""

    def nothing(_: Asked) -> Reply:
        return Reply(404, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404})

    with answering(nothing) as there:
        config = tmp_path / "kubeconfig"
        config.write_text(json.dumps({**KUBECONFIG, "clusters": [{"name": "one", "cluster": {"server": there.url}}]}))
        config.chmod(0o600)
        monkeypatch.setenv("KUBECONFIG", str(config))
        book = notebook(tmp_path / "books" / "a.ipynb", ["x = 1", "rows = open('big.bin', 'rb').read()"])
        with lab(tmp_path / "server", [book]) as running:
            with (running.root / "big.bin").open("wb") as file:
                file.truncate(BIG)
            running.api("PUT", "targets/dev", {"registry": "http://127.0.0.1:9", "image": "127.0.0.1:9/step:1"})
            yield running


def test_a_file_that_would_not_travel_is_named_before_a_run(page: Page, empty_cluster: Lab) -> None:
    ui = LabPage(page, empty_cluster).open()
    section = ui.open_notebook("a.ipynb").convert().section("Pipeline")
    expect(section.get_by_text("data-left")).to_have_count(0)  # on this machine it lies beside the steps
    empty_cluster.api("PUT", "default-target", {"target": "dev"})
    opened = ui.open().open_notebook("a.ipynb")
    section = opened.convert().section("Pipeline")
    found = section.get_by_role("list", name="Before it runs").get_by_role("listitem").filter(has_text="data-left")
    expect(found).to_contain_text("too large to travel to a cluster: big.bin (65 MiB)", timeout=RUN_PATIENCE)
    expect(found).to_contain_text("Read it from a bucket, or log_dataset it")
    expect(found.get_by_role("img", name="Warning")).to_be_visible()
    found.get_by_role("button", name="cell 1, line 1").click()
    assert opened.active() == 1
    expect(section.get_by_role("button", name="Run", exact=True)).to_be_enabled()
    ui.shot("misfit-data-left")
    assert ui.errors == []
