"""Each panel and view in a real browser against a real, token-protected JupyterLab: states, keyboard, accessibility."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lab import Lab, lab
from pages import DARK, LabPage, browser, chromium, notebook, quiet
from playwright.sync_api import Browser, Page, Route, expect

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(600),
    pytest.mark.skipif(chromium() is None, reason="no Chromium: install it with the system's package manager, or set CHROMIUM"),
]

API = "**/jupyter-mlops/api/v1/"

PLAIN = ["# %% numbers\nxs = [1, 2, 3]", "total = sum(xs)\nprint('total', total)"]
STEPS = [
    {"cell_type": "markdown", "source": "# Numbers"},
    {"source": "lr = 0.5\nn = 3\nname = 'a'\nfast = True\nxs = [1, 2]", "metadata": {"tags": ["parameters"]}},
    {"source": "total = sum(xs) * n", "metadata": {"mlops": {"step": "add"}}},
    {"source": "print('total is', total, lr)", "metadata": {"mlops": {"step": "show"}}},
]
REFUSED = ["a = 1", "b = = 2", "c = input('how many? ')"]
FAILING = ["a = 1", "print('before')\nraise KeyError('agee')", "print('never')"]
SLOW = ["import time", "for i in range(600):\n    print('tick', i, flush=True)\n    time.sleep(0.1)"]
TRAINING = [
    "import pandas as pd\nfrom sklearn.linear_model import LogisticRegression\nfrom jupyter_mlops import log_metrics, log_model",
    "rows = pd.DataFrame({'age': [1, 2, 3, 4], 'calls': [0, 1, 0, 1]})\nmodel = LogisticRegression().fit(rows, [0, 1, 0, 1])",
    "log_metrics({'accuracy': 1.0})\nlog_model(model, 'tiny', data=rows)",
]
MISSING_RUN = {"data": {"application/vnd.jupyter-mlops.run+json": {"run": "nobody-00000"}, "text/plain": "run nobody-00000"}}
MAGIC = [{"source": "%mlops run", "outputs": [{"output_type": "display_data", "metadata": {}, **MISSING_RUN}]}]
NOTEBOOKS: dict[str, list[Any]] = {
    "plain": PLAIN, "steps": STEPS, "refused": REFUSED, "failing": FAILING, "slow": SLOW, "training": TRAINING, "magic": MAGIC,
}  # fmt: skip


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    with browser() as running:
        yield running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("lab")
    notebooks = [notebook(folder / "notebooks" / f"{name}.ipynb", cells) for name, cells in NOTEBOOKS.items()]
    with lab(folder / "server", notebooks) as running:
        yield running


@pytest.fixture
def page(chrome: Browser) -> Iterator[Page]:
    context = chrome.new_context(viewport={"width": 1360, "height": 900})
    try:
        yield context.new_page()
    finally:
        context.close()


@pytest.fixture
def ui(page: Page, server: Lab) -> Iterator[LabPage]:
    """JupyterLab, opened. Afterwards: every request went to its own server, and nothing threw."""
    opened = LabPage(page, server).open()
    yield opened
    assert opened.hosts <= {server.url.split("//")[1], ""}
    assert opened.errors == []


def run_to_end(ui: LabPage, name: str, phase: str) -> str:
    sidebar = ui.open_notebook(f"{name}.ipynb").convert()
    run = sidebar.run()
    sidebar.expect_phase(run, phase)
    return run


# -- states -------------------------------------------------------------------------------------------------------------


def test_empty_states_say_what_to_do(ui: LabPage) -> None:
    sidebar = ui.show_sidebar()
    expect(sidebar.pipeline.get_by_text("Open a notebook to see its pipeline.")).to_be_visible()
    expect(sidebar.section("Models").get_by_text("log_model")).to_be_visible()
    expect(sidebar.section("Services").get_by_text("Deploy a version")).to_be_visible()
    ui.open_notebook("plain.ipynb")
    ui.show_sidebar()
    expect(sidebar.pipeline.get_by_role("button", name="Convert", exact=True)).to_be_visible()
    ui.shot("empty")
    assert ui.violations("#jupyter-mlops-sidebar") == []


def test_loading_then_error_then_retry(ui: LabPage) -> None:
    held: list[Route] = []
    ui.page.route(f"{API}models*", lambda route: held.append(route))  # noqa: PLW0108 - Playwright marks the function it is given
    sidebar = ui.show_sidebar()
    models = sidebar.section("Models")
    expect(models.get_by_role("status").get_by_text("Loading")).to_be_visible()
    problem = {"code": "corrupt", "blame": "platform", "message": "blob is damaged", "fix": "Delete it."}
    held[0].fulfill(status=502, content_type="application/json", body=json.dumps(problem))
    alert = models.get_by_role("alert")
    expect(alert).to_contain_text("blob is damaged")
    expect(alert).to_contain_text("Delete it.")
    expect(alert).to_contain_text("corrupt")
    assert ui.violations("#jupyter-mlops-sidebar") == []
    ui.page.unroute(f"{API}models*")
    alert.get_by_role("button", name="Retry").click()
    expect(models.get_by_text("No models yet.").or_(sidebar.models).first).to_be_visible()
    expect(alert).to_have_count(0)


def test_a_server_that_does_not_answer(ui: LabPage) -> None:
    sidebar = ui.show_sidebar()
    ui.page.route(f"{API}convert*", lambda route: route.abort())
    ui.open_notebook("plain.ipynb").convert()
    expect(sidebar.pipeline.get_by_role("alert")).to_contain_text("does not answer")
    ui.page.unroute(f"{API}convert*")
    sidebar.pipeline.get_by_role("button", name="Retry").click()
    expect(sidebar.steps).to_be_visible()


def test_without_the_server_part(chrome: Browser, tmp_path: Path) -> None:
    off = ["--ServerApp.jpserver_extensions={'jupyter_mlops': False}"]
    with lab(tmp_path / "server", [notebook(tmp_path / "plain.ipynb", PLAIN)], arguments=off) as bare:
        context = chrome.new_context()
        ui = LabPage(context.new_page(), bare).open()
        sidebar = ui.show_sidebar()
        for section in ("Runs", "Models", "Services"):
            expect(sidebar.section(section).get_by_text("The server part of jupyter-mlops is not running.")).to_be_visible()
        assert ui.errors == []
        context.close()


def test_versions_that_differ(ui: LabPage) -> None:
    newer = {"version": "99.0.0", "target": "This machine", "disk_bytes": 0}
    ui.page.route(f"{API}status*", lambda route: route.fulfill(json=newer))
    ui.page.reload()
    sidebar = ui.open().show_sidebar()
    note = sidebar.box.get_by_role("status").filter(has_text="99.0.0")
    expect(note).to_contain_text("Reload the page.")


# -- pipeline -----------------------------------------------------------------------------------------------------------


def test_convert_shows_steps_graph_and_bands(ui: LabPage) -> None:
    opened = ui.open_notebook("steps.ipynb")
    sidebar = opened.convert()
    expect(sidebar.steps.get_by_role("listitem")).not_to_have_count(0)
    graph = sidebar.pipeline.get_by_role("list", name="Steps and what they need")
    expect(graph.get_by_role("button", name=re.compile("^show,"))).to_be_visible()
    assert opened.bands()[-2:] == ["add", "show"]
    sidebar.steps.get_by_role("listitem").last.get_by_role("button").first.click()
    expect(opened.cell(3)).to_have_class(_has("jp-mod-active"))
    graph.get_by_role("button", name=re.compile("^add,")).click()
    expect(opened.cell(1)).to_have_class(_has("jp-mod-active"))
    ui.shot("pipeline")
    assert ui.violations("#jupyter-mlops-sidebar") == []


def test_parameters_are_typed_and_go_with_the_run(ui: LabPage) -> None:
    sidebar = ui.open_notebook("steps.ipynb").convert()
    sidebar.parameter("n").fill("many")
    expect(sidebar.pipeline.get_by_text("A whole number is needed.")).to_be_visible()
    expect(sidebar.parameter("n")).to_have_attribute("aria-invalid", "true")
    expect(sidebar.run_button).to_be_disabled()
    expect(sidebar.run_button).to_have_attribute("title", _has("n"))
    sidebar.parameter("n").fill("4")
    sidebar.parameter("fast").uncheck()
    sidebar.parameter("xs").fill("[5, 6]")
    ui.shot("parameters")
    assert ui.violations("#jupyter-mlops-sidebar") == []
    run = sidebar.run()
    sidebar.expect_phase(run, "Succeeded")
    answer = ui.lab.api("GET", f"runs/{run}")
    assert isinstance(answer, dict)
    assert answer["parameters"]["n"] == 4
    assert answer["parameters"]["fast"] is False
    assert answer["parameters"]["xs"] == [5, 6]
    logs = sidebar.open_run(run).tab("Logs").get_by_role("log")
    expect(logs).to_contain_text("total is 44 0.5")


def test_findings_lead_to_cell_and_line(ui: LabPage) -> None:
    opened = ui.open_notebook("refused.ipynb")
    sidebar = opened.convert()
    expect(sidebar.pipeline.get_by_text("This notebook cannot be converted yet.")).to_be_visible()
    finding = sidebar.findings.first
    expect(finding.get_by_role("img", name="Error")).to_be_visible()
    finding.get_by_role("button", name=_has("cell 1")).click()
    expect(opened.cell(1)).to_have_class(_has("jp-mod-active"))
    expect(opened.cell(1)).to_have_class(_has("jp-mlops-flash"))
    ui.shot("refused")
    assert ui.violations("#jupyter-mlops-sidebar") == []


def test_an_edit_makes_it_stale_and_converting_saves(ui: LabPage) -> None:
    opened = ui.open_notebook("plain.ipynb")
    sidebar = opened.convert()
    opened.type_into(1, "\n# edited")
    note = sidebar.pipeline.get_by_text("The notebook has changed since.")
    expect(note).to_be_visible()
    sidebar.pipeline.get_by_role("button", name="Convert Again").click()
    expect(note).to_have_count(0)
    assert "# edited" in (ui.lab.root / "plain.ipynb").read_text()


def test_marking_a_step_writes_nothing_else(ui: LabPage) -> None:
    opened = ui.open_notebook("plain.ipynb")
    opened.cell(0).click(button="right")
    ui.page.get_by_role("menuitem", name="Set Pipeline Step of Cell…").click()
    ui.page.get_by_role("dialog").get_by_role("textbox").fill("first")
    ui.page.keyboard.press("Enter")
    opened.convert()
    expect(opened.panel.locator('[data-mlops-step="first"]')).to_have_count(1)
    saved = json.loads((ui.lab.root / "plain.ipynb").read_text())
    assert saved["cells"][0]["metadata"]["mlops"] == {"step": "first"}
    assert "mlops" not in saved["cells"][1]["metadata"]
    opened.cell(0).click(button="right")
    ui.page.get_by_role("menuitem", name="Clear Pipeline Step of Cell").click()
    opened.convert()
    expect(opened.panel.locator('[data-mlops-step="first"]')).to_have_count(0)
    assert "mlops" not in json.loads((ui.lab.root / "plain.ipynb").read_text())["cells"][0]["metadata"]


def test_convert_from_the_file_browser(ui: LabPage) -> None:
    ui.file("steps.ipynb").click(button="right")
    ui.page.get_by_role("menuitem", name="Convert to Pipeline").click()
    ui.sidebar.converted("steps.ipynb")
    expect(ui.sidebar.steps).to_be_visible()


def test_workflow_yaml(ui: LabPage) -> None:
    sidebar = ui.open_notebook("steps.ipynb").convert()
    sidebar.pipeline.get_by_role("button", name="Workflow YAML").click()
    expect(
        ui.page.locator(".jp-CodeMirrorEditor:visible, .jp-Editor:visible").filter(has_text="argoproj.io/v1alpha1")
    ).to_be_visible()


# -- runs ---------------------------------------------------------------------------------------------------------------


def test_keyboard_alone_from_notebook_to_finished_run(ui: LabPage) -> None:
    opened = ui.open_notebook("steps.ipynb")
    opened.cell(1).locator(".cm-content").click()
    keyboard = ui.page.keyboard
    keyboard.press("Control+Shift+Y")
    sidebar = ui.sidebar.converted("steps.ipynb")
    before = sidebar.runs()
    _tab_to(ui.page, "Run")
    keyboard.press("Enter")
    expect(sidebar.section("Runs").locator("[data-run]")).to_have_count(len(before) + 1)
    run = sidebar.runs()[0]
    sidebar.expect_phase(run, "Succeeded")
    _tab_to(ui.page, run)
    keyboard.press("Enter")
    view = ui.run_view.shown(run)
    expect(view.phase).to_have_text("Succeeded")
    view.box.get_by_role("tab", name="Overview").focus()
    for tab in ("Charts and Files", "Outputs"):
        keyboard.press("ArrowRight")
        expect(view.box.get_by_role("tab", name=tab)).to_be_focused()
    expect(view.box.get_by_role("tabpanel", name="Outputs")).to_contain_text("total is")


def test_a_run_goes_on_live_and_is_stopped(ui: LabPage) -> None:
    sidebar = ui.open_notebook("slow.ipynb").convert()
    run = sidebar.run()
    view = sidebar.open_run(run)
    expect(view.phase).to_have_text("Running", timeout=60_000)
    log = view.tab("Logs").get_by_role("log")
    expect(log).to_contain_text("tick 3", timeout=60_000)
    expect(sidebar.section("Runs").get_by_role("progressbar")).to_be_visible()
    expect(ui.page.get_by_text("1 run going on")).to_be_visible()
    assert ui.violations(".jp-mlops-view") == []
    ui.shot("running")
    sidebar.section("Runs").get_by_role("button", name=f"Stop {run}").click()
    expect(view.phase).to_have_text("Stopped", timeout=60_000)
    sidebar.expect_phase(run, "Stopped")


def test_a_failed_run_says_where_and_why(ui: LabPage) -> None:
    run = run_to_end(ui, "failing", "Failed")
    view = ui.sidebar.open_run(run)
    expect(view.failure).to_contain_text("agee")
    assert ui.violations(".jp-mlops-view") == []
    outputs = view.tab("Outputs")
    expect(outputs.get_by_text("before", exact=True)).to_be_visible()
    expect(outputs.locator("[data-failed]")).to_contain_text("KeyError")
    quiet(ui.page)
    ui.shot("failed")
    assert ui.violations(".jp-mlops-view", ignore=".jp-mlops-outputs") == []
    view.failure.get_by_role("button", name=_has("Go to cell 1")).click()
    expect(ui.page.locator(".jp-NotebookPanel:visible .jp-Cell.jp-mod-active")).to_contain_text("agee")


def test_a_changed_notebook_is_said_to_be_changed(ui: LabPage) -> None:
    opened = ui.open_notebook("plain.ipynb")
    sidebar = opened.convert()
    run = sidebar.run()
    sidebar.expect_phase(run, "Succeeded")
    view = sidebar.open_run(run)
    expect(view.box.get_by_text("changed since")).to_have_count(0)
    ui.page.get_by_role("tab", name="plain.ipynb").click()
    opened.type_into(0, "\nxs.append(9)")
    ui.page.get_by_role("tab", name=run).click()
    expect(view.box.get_by_text("changed since")).to_be_visible()


def test_deleting_asks_first(ui: LabPage) -> None:
    run = run_to_end(ui, "plain", "Succeeded")
    view = ui.sidebar.open_run(run)
    view.box.get_by_role("button", name="Delete this run").click()
    ui.page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    assert run in ui.sidebar.runs()
    view.box.get_by_role("button", name="Delete this run").click()
    ui.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(ui.sidebar.section("Runs").locator(f'[data-run="{run}"]')).to_have_count(0)
    assert ui.lab.request("GET", f"jupyter-mlops/api/v1/runs/{run}")[0] == 404


def test_a_run_in_the_output_of_a_cell(ui: LabPage) -> None:
    run = run_to_end(ui, "plain", "Succeeded")
    source = ui.lab.root / "magic.ipynb"
    source.write_text(source.read_text().replace("nobody-00000", run))
    mini = ui.open_notebook("magic.ipynb").panel.get_by_role("region", name=f"Run {run}")
    expect(mini.get_by_role("status")).to_have_text("Succeeded")
    assert ui.violations(".jp-mlops-mini") == []
    mini.get_by_role("button", name="Show").click()
    ui.run_view.shown(run)


# -- models and services ------------------------------------------------------------------------------------------------


def test_model_to_prediction(ui: LabPage) -> None:
    run_to_end(ui, "training", "Succeeded")
    sidebar = ui.sidebar
    model = sidebar.models.filter(has_text="tiny")
    model.get_by_role("button").first.click()
    versions = model.get_by_role("list", name="Versions of tiny")
    expect(versions).to_contain_text("latest")
    expect(versions).to_contain_text("accuracy")
    versions.get_by_text("Signature").click()
    expect(versions).to_contain_text("INT64")
    quiet(ui.page)
    ui.shot("model")
    assert ui.violations("#jupyter-mlops-sidebar") == []

    sidebar.deploy("tiny")
    sidebar.expect_service("tiny", "Ready")
    view = sidebar.test_service("tiny")
    expect(view.rows).to_have_value(_has("age"))
    expect(view.predict()).not_to_have_count(0)
    quiet(ui.page)
    ui.shot("service")
    assert ui.violations(".jp-mlops-view") == []

    view.rows.fill('[{"agee": 1}]')
    view.predict()
    expect(view.box.get_by_role("alert")).to_contain_text("age")
    view.rows.fill("[{]")
    expect(view.box.get_by_text("This is not JSON")).to_be_visible()
    expect(view.box.get_by_role("button", name="Predict")).to_be_disabled()
    view.box.get_by_role("button", name="Back to the sample rows").click()
    expect(view.predict()).not_to_have_count(0)
    expect(view.tab("Conditions").get_by_role("rowheader", name="Ready", exact=True)).to_be_visible()

    sidebar.service("tiny").get_by_role("button", name="Stop tiny").click()
    sidebar.expect_service("tiny", "Stopped")
    sidebar.service("tiny").get_by_role("button", name="Start tiny").click()
    sidebar.expect_service("tiny", "Ready")
    sidebar.service("tiny").get_by_role("button", name="Delete tiny").click()
    ui.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(sidebar.service("tiny")).to_have_count(0)


# -- dark ---------------------------------------------------------------------------------------------------------------


def test_dark_theme(chrome: Browser, tmp_path: Path) -> None:
    notebooks = [notebook(tmp_path / "notebooks" / f"{name}.ipynb", NOTEBOOKS[name]) for name in ("steps", "refused", "failing")]
    with lab(tmp_path / "server", notebooks, settings=DARK) as dark:
        context = chrome.new_context(viewport={"width": 1360, "height": 900})
        ui = LabPage(context.new_page(), dark).open()
        ui.open_notebook("refused.ipynb").convert()
        assert ui.violations("#jupyter-mlops-sidebar") == []
        run = run_to_end(ui, "failing", "Failed")
        view = ui.sidebar.open_run(run)
        expect(view.failure).to_be_visible()
        assert ui.violations(".jp-mlops-view") == []
        ui.open_notebook("steps.ipynb").convert()
        quiet(ui.page)
        ui.shot("dark")
        assert ui.violations("#jupyter-mlops-sidebar") == []
        assert ui.errors == []
        context.close()


def _has(text: str) -> re.Pattern[str]:
    return re.compile(re.escape(text))


def _tab_to(page: Page, text: str, most: int = 120) -> None:
    """Press Tab until a button that says the text is focused, as somebody without a mouse does."""
    for _ in range(most):
        focused = page.evaluate("document.activeElement?.tagName === 'BUTTON' ? document.activeElement.innerText : ''")
        if focused.strip().split("\n")[0] == text:
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab never came to {text!r}")
