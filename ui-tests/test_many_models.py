"""A registry with more models and versions than a panel should show at once: the first of them, the rest on demand, and search."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from lab import lab
from pages import DARK, LabPage, browser, chromium
from playwright.sync_api import Browser, expect

from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.oci.modelpack import publish_model
from jupyter_mlops.registry.models import Models

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(600),
    pytest.mark.skipif(chromium() is None, reason="no Chromium: install it with the system's package manager, or set CHROMIUM"),
]


def fill(root: Path, files: Path) -> None:
    """130 models; the last has 25 versions, of which the first is champion."""
    store = Layout(root)
    for name, count in {**{f"model-{number:03}": 1 for number in range(129)}, "zebra": 25}.items():
        for number in range(1, count + 1):
            folder = files / f"{name}-{number}"
            folder.mkdir(parents=True)
            (folder / "mlops.json").write_text(f'{{"version": 1, "n": "{name} {number}"}}')
            publish_model(store, name, folder, key=str(number), annotations={}, metrics={})
    Models(store).set_alias("zebra", "champion", "v1")


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    with browser() as running:
        yield running


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_first_are_shown_and_the_rest_is_found(theme: str, chrome: Browser, tmp_path: Path) -> None:
    fill(tmp_path / "server" / "home" / "registry", tmp_path / "files")
    with lab(tmp_path / "server", [], settings=DARK if theme == "dark" else None) as server:
        context = chrome.new_context(viewport={"width": 1360, "height": 900})
        look(LabPage(context.new_page(), server).open(), theme)
        context.close()


def look(ui: LabPage, theme: str) -> None:
    models = ui.show_sidebar().models
    expect(models).to_have_count(100)
    ui.page.get_by_role("button", name="Show more (100 of 130)").click()
    expect(models).to_have_count(130)
    find = ui.page.get_by_role("searchbox", name="Find models by name or alias")
    find.fill("CHAMP")
    expect(models).to_have_count(1)
    expect(models).to_contain_text("25 versions")
    models.locator(".jp-mlops-item-main").click()
    tags = models.locator("[data-version]")
    expect(tags).to_have_count(21)
    expect(tags.last).to_have_attribute("data-version", "v1")
    assert ui.violations("#jupyter-mlops-sidebar") == []
    ui.shot(f"many-models-{theme}")
    models.get_by_role("button", name="All versions of zebra").click()
    expect(tags).to_have_count(25)
    expect(models.get_by_role("button", name="All versions of zebra")).to_have_count(0)
    find.fill("nothing like it")
    expect(models).to_have_count(0)
    expect(ui.page.get_by_text("No name and no alias has “nothing like it”.")).to_be_visible()
    find.fill("")
    expect(models).to_have_count(100)
    assert ui.errors == []
