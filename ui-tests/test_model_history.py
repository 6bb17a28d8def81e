"""Versions of a model side by side, and who moved its aliases and why, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from lab import Lab, lab
from pages import DARK, LabPage, browser, chromium, notebook, quiet
from playwright.sync_api import Browser, expect

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(600),
    pytest.mark.skipif(chromium() is None, reason="no Chromium: install it with the system's package manager, or set CHROMIUM"),
]

MEAN = """from jupyter_mlops import log_model
class Mean:
    def predict(self, rows):
        return [2 for _ in rows]
log_model(Mean(), 'mean', metrics={'rmse': 0.5})
log_model(Mean(), 'mean', metrics={'rmse': 0.25, 'r2': 0.9})"""


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    with browser() as running:
        yield running


@pytest.fixture(scope="module", params=["light", "dark"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("lab")
    made = [notebook(folder / "notebooks" / "mean.ipynb", [MEAN])]
    with lab(folder / "server", made, settings=DARK if request.param == "dark" else None) as running:
        yield running


@pytest.fixture
def ui(chrome: Browser, server: Lab) -> Iterator[LabPage]:
    context = chrome.new_context(viewport={"width": 1360, "height": 1200})
    try:
        opened = LabPage(context.new_page(), server).open()
        yield opened
        assert opened.errors == []
    finally:
        context.close()


def set_alias(ui: LabPage, tag: str, alias: str, why: str) -> None:
    """By the button of a version: its name, then why."""
    version = ui.sidebar.models.filter(has_text="mean").locator(f'[data-version="{tag}"]')
    version.get_by_role("button", name="alias", exact=False).click()
    for title, text in ((f"Alias of mean {tag}", alias), (f"Why is {tag} {alias}?", why)):
        dialog = ui.page.get_by_role("dialog").filter(has_text=title)
        dialog.get_by_role("textbox").fill(text)
        dialog.get_by_role("button", name="OK").click()
        expect(dialog).to_have_count(0)


def test_versions_side_by_side_and_why_the_champion_changed(ui: LabPage, request: pytest.FixtureRequest) -> None:
    sidebar = ui.open_notebook("mean.ipynb").convert()
    sidebar.expect_phase(sidebar.run(), "Succeeded")
    ui.sidebar.section("Models")
    for title in ("Pipeline", "Runs"):
        ui.page.locator(".jp-AccordionPanel-title").filter(has_text=title).first.click()
    model = ui.sidebar.models.filter(has_text="mean")
    model.get_by_role("button").first.click()
    model.get_by_role("button", name="History").click()
    expect(model).to_contain_text("No alias was moved")

    set_alias(ui, "v1", "champion", "")
    set_alias(ui, "v2", "champion", "half the error")
    told = model.get_by_role("list", name="History of mean").get_by_role("listitem")
    expect(told).to_have_count(2)
    expect(told.first).to_contain_text("champion: v1 → v2")
    expect(told.first).to_contain_text("half the error")
    expect(told.last).to_contain_text("champion: v1")
    quiet(ui.page)
    ui.shot(f"model-history-{request.node.callspec.params['server']}")
    assert ui.violations("#jupyter-mlops-sidebar") == []

    model.get_by_role("button", name="Compare versions").click()
    table = model.get_by_role("table", name="What differs between v1 and v2")
    expect(table.get_by_role("row").filter(has_text="rmse")).to_contain_text("0.25")
    expect(table.get_by_role("row").filter(has_text="r2")).to_contain_text("0.9")
    quiet(ui.page)
    ui.shot(f"model-compare-{request.node.callspec.params['server']}")
    assert ui.violations("#jupyter-mlops-sidebar") == []
    model.get_by_label("From").select_option("v2")
    expect(model).to_contain_text("They are the same.")
