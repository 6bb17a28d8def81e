"""Datasets below the models, and where versions come from, in a real browser: looked at, followed, deleted with a reason."""

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

CELLS = [
    "import pandas as pd\nfrom jupyter_mlops import load_dataset, log_dataset, log_model",
    "log_dataset(pd.DataFrame({'age': [1, 2, 3], 'town': list('xyx')}), 'rides')",
    {
        "source": "rows = load_dataset('rides')\nclass Mean:\n    def predict(self, rows):\n        return [2 for _ in rows]\nlog_model(Mean(), 'mean')",
        "metadata": {"mlops": {"step": "fit"}},
    },
]


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    with browser() as running:
        yield running


@pytest.fixture(scope="module", params=["light", "dark"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("lab")
    made = [notebook(folder / "notebooks" / "rides.ipynb", CELLS)]
    with lab(folder / "server", made, settings=DARK if request.param == "dark" else None) as running:
        yield running


@pytest.fixture
def ui(chrome: Browser, server: Lab) -> Iterator[LabPage]:
    context = chrome.new_context(viewport={"width": 1360, "height": 1200}, permissions=["clipboard-read", "clipboard-write"])
    try:
        opened = LabPage(context.new_page(), server).open()
        yield opened
        assert opened.errors == []
    finally:
        context.close()


def test_from_a_run_to_its_data_and_back(ui: LabPage, request: pytest.FixtureRequest) -> None:
    sidebar = ui.open_notebook("rides.ipynb").convert()
    run = sidebar.run()
    sidebar.expect_phase(run, "Succeeded")
    models = ui.sidebar.section("Models")
    data = models.locator('[data-dataset="rides"]')
    expect(data).to_contain_text("3 rows")
    data.get_by_role("button").first.click()
    version = data.locator('[data-version="v1"]')
    expect(version).to_contain_text("town")
    version.get_by_role("button", name="Copy the code that loads rides v1").click()
    assert 'load_dataset("rides:v1")' in ui.page.evaluate("navigator.clipboard.readText()")

    version.get_by_role("button", name="Lineage").click()
    tree = version.get_by_role("group", name="Lineage of datasets/rides:v1")
    expect(tree).to_contain_text("models/mean:v1")
    expect(tree).to_contain_text("rides.ipynb")

    model = ui.sidebar.models.filter(has_text="mean")
    model.get_by_role("button").first.click()
    model.get_by_role("button", name="Lineage").click()
    above = model.get_by_role("group", name="Lineage of models/mean:v1")
    expect(above).to_contain_text("datasets/rides:v1")
    expect(above).to_contain_text("Nothing, as far as runs tell.")
    quiet(ui.page)
    for title in ("Pipeline", "Runs"):
        ui.page.locator(".jp-AccordionPanel-title, .lm-AccordionPanel-title").filter(has_text=title).first.click()
    ui.shot(f"datasets-{request.node.callspec.params['server']}")
    assert ui.violations("#jupyter-mlops-sidebar") == []
    above.get_by_role("button", name=f"run {run}").first.click()
    ui.run_view.shown(run)

    version.get_by_role("button", name="Delete rides v1").click()
    ui.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    again = ui.page.get_by_role("dialog")
    expect(again).to_contain_text("all the same")
    expect(again).to_contain_text("mean")
    again.get_by_role("textbox").fill("it was wrong")
    again.get_by_role("button", name="OK").click()
    expect(models.locator('[data-dataset="rides"]')).to_have_count(0)
