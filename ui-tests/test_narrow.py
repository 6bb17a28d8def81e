"""A dark theme and a narrow sidebar: everything is there, nothing is cut off, and the focus is seen.

Of a part that has to be shortened, the whole text is its tooltip. The same is looked at on a cluster's target in
``tests/cluster/test_browser_runs.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from lab import Lab, lab
from pages import DARK, LabPage, browser, chromium, notebook, quiet
from playwright.sync_api import expect

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(600),
    pytest.mark.skipif(chromium() is None, reason="no Chromium: install it with the system's package manager, or set CHROMIUM"),
]

SIDEBAR, VIEW, DIALOG = "#jupyter-mlops-sidebar", ".jp-mlops-view", ".jp-Dialog-content"
LONG = "a-step-with-a-name-that-is-longer-than-any-sidebar-is-wide"
BOOKS: dict[str, list[Any]] = {
    "a-notebook-whose-name-is-rather-long-for-a-sidebar": [
        {"source": "learning_rate_of_the_first_phase = 0.5\nrounds = 3", "metadata": {"tags": ["parameters"]}},
        {"source": "rows = [[1.0, 0.0], [2.0, 1.0], [3.0, 0.0], [4.0, 1.0]]", "metadata": {"mlops": {"step": LONG}}},
        {
            "source": "from sklearn.linear_model import LogisticRegression\nfrom jupyter_mlops import log_metrics, log_model\n"
            "model = LogisticRegression().fit(rows, [0, 1, 0, 1])\nlog_metrics({'accuracy_of_the_validation_part': 0.912345})\n"
            "log_model(model, 'a-model-with-a-rather-long-name', data=rows)\nprint(rounds, learning_rate_of_the_first_phase)",
            "metadata": {"mlops": {"step": "train"}},
        },
    ],
    "refused": ["a = 1", "b = = 2", "c = input('how many of those that are in the list shall be taken? ')"],
    "failing": ["a = 1", "raise KeyError('a_name_without_any_place_to_break_it_' * 3)"],
}
FIRST = next(iter(BOOKS))


@pytest.fixture(scope="module")
def dark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("narrow")
    books = [notebook(folder / "notebooks" / f"{name}.ipynb", cells) for name, cells in BOOKS.items()]
    with lab(folder / "server", books, settings=DARK) as running:
        yield running


@pytest.fixture
def ui(dark: Lab) -> Iterator[LabPage]:
    with browser() as chrome:
        page = LabPage(chrome.new_page(viewport={"width": 1000, "height": 900}), dark).open()
        page.show_sidebar()
        page.narrow()
        yield page
        assert page.errors == []


def fits(ui: LabPage, selector: str, name: str) -> None:
    """Nothing of a part is cut off or breaks a rule; a picture is taken first, for whoever looks why."""
    quiet(ui.page)
    ui.shot(f"narrow-{name}")
    assert ui.cut_off(selector) == []
    assert ui.violations(selector, ignore=".jp-mlops-outputs") == []


def only(ui: LabPage, section: str) -> None:
    """One section open, so that it has all the room."""
    for title in ui.sidebar.box.locator(".jp-AccordionPanel-title").all():
        wanted = title.get_attribute("aria-label") == f"{section} Section"
        if (title.get_attribute("aria-expanded") == "true") != wanted:
            title.locator(".lm-AccordionPanel-titleLabel").click()
    expect(ui.sidebar.section(section)).to_be_visible()


def test_every_panel_and_view_on_this_machine(ui: LabPage) -> None:
    sidebar = ui.open_notebook(f"{FIRST}.ipynb").convert()
    only(ui, "Pipeline")
    fits(ui, SIDEBAR, "pipeline")
    sidebar.parameter("rounds").fill("many")
    fits(ui, SIDEBAR, "invalid")
    sidebar.parameter("rounds").fill("4")
    sidebar.pipeline.get_by_role("button", name="Run With…").click()
    expect(ui.page.get_by_role("dialog")).to_be_visible()
    fits(ui, DIALOG, "run-with")
    ui.page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    run = sidebar.run()
    sidebar.expect_phase(run, "Succeeded")
    only(ui, "Runs")
    fits(ui, SIDEBAR, "runs")
    view = sidebar.open_run(run)
    expect(view.phase).to_have_text("Succeeded")
    for tab in ("Overview", "Outputs", "Logs"):
        expect(view.tab(tab)).to_be_visible()
        fits(ui, VIEW, f"run-{tab.lower()}")
    only(ui, "Models")
    sidebar.models.first.get_by_role("button").first.click()
    sidebar.models.first.get_by_text("Signature").click()
    fits(ui, SIDEBAR, "models")
    sidebar.deploy("a-model-with-a-rather-long-name")
    sidebar.expect_service("a-model-with-a-rather-long-name", "Ready")
    only(ui, "Services")
    fits(ui, SIDEBAR, "services")
    service = sidebar.test_service("a-model-with-a-rather-long-name")
    expect(service.predict()).to_have_count(3)
    fits(ui, VIEW, "service")
    only(ui, "Targets")
    fits(ui, SIDEBAR, "targets")


@pytest.mark.parametrize("name", ["refused", "failing"])
def test_what_went_wrong(ui: LabPage, name: str) -> None:
    sidebar = ui.open_notebook(f"{name}.ipynb").convert()
    only(ui, "Pipeline")
    fits(ui, SIDEBAR, name)
    if name == "failing":
        run = sidebar.run()
        sidebar.expect_phase(run, "Failed")
        only(ui, "Runs")
        fits(ui, SIDEBAR, "failed-runs")
        view = sidebar.open_run(run)
        expect(view.failure).to_be_visible()
        fits(ui, VIEW, "failed-view")


def test_the_focus_is_seen_wherever_tab_goes(ui: LabPage) -> None:
    sidebar = ui.open_notebook(f"{FIRST}.ipynb").convert()
    sidebar.box.evaluate("node => node.focus()")
    stops = ui.stops(SIDEBAR)
    assert {"Run", "Run With…", "Workflow YAML"} <= {stop["name"] for stop in stops}
    assert [stop for stop in stops if not stop["seen"]] == []
    assert [stop for stop in stops if not stop["name"]] == []
    ui.page.get_by_role("button", name="Run With…").focus()
    ui.page.keyboard.press("Enter")
    expect(ui.page.get_by_role("dialog")).to_be_visible()
    assert [stop for stop in ui.stops(".jp-Dialog", most=12) if not stop["seen"]] == []
    ui.shot("narrow-focus")
    ui.page.keyboard.press("Escape")
    expect(ui.page.get_by_role("dialog")).to_have_count(0)
