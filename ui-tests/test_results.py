"""Charts, figures and files of a run in a real browser: drawn while it goes on, shown large, saved."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

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
    "import math, time\nfrom pathlib import Path\nimport matplotlib.pyplot as plt\nfrom jupyter_mlops import log_artifact, log_figure, log_metrics",
    {
        "source": "for epoch in range(40):\n    log_metrics({'loss': math.exp(-epoch / 9), 'accuracy': 1 - math.exp(-epoch / 5) / 2}, step=epoch)\n"
        "while not Path(GATE).exists():\n    time.sleep(0.05)",
        "metadata": {"mlops": {"step": "fit"}},
    },
    {
        "source": "figure, axes = plt.subplots()\naxes.plot([0, 1, 2], [0, 1, 4])\nlog_figure(figure, 'curve.png')\nlog_figure(figure, 'curve.svg')\n"
        "Path('rows.csv').write_text('a\\n1\\n')\nlog_artifact('rows.csv')\nplt.close(figure)",
        "metadata": {"mlops": {"step": "draw"}},
    },
]


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    with browser() as running:
        yield running


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that lets the first step end when it is there."""
    return tmp_path_factory.mktemp("gate") / "open"


@pytest.fixture(scope="module", params=["light", "dark"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, gate: Path) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("lab")
    cells = [f"GATE = {str(gate)!r}", *CELLS]
    made = [notebook(folder / "notebooks" / "fit.ipynb", cells)]
    with lab(folder / "server", made, settings=DARK if request.param == "dark" else None) as running:
        yield running


@pytest.fixture
def ui(chrome: Browser, server: Lab) -> Iterator[LabPage]:
    context = chrome.new_context(viewport={"width": 1360, "height": 1200}, accept_downloads=True)
    try:
        opened = LabPage(context.new_page(), server).open()
        yield opened
        assert opened.errors == []
    finally:
        context.close()


def test_from_the_first_value_to_the_saved_file(ui: LabPage, gate: Path, request: pytest.FixtureRequest) -> None:
    gate.unlink(missing_ok=True)
    sidebar = ui.open_notebook("fit.ipynb").convert()
    run = sidebar.run()
    view = sidebar.open_run(run)
    view.box.get_by_role("tab", name="Charts and Files").click()
    loss = view.box.get_by_role("figure", name="loss").first
    expect(loss).to_contain_text("40 values", timeout=60_000)
    assert "Running" in view.box.inner_text(), "drawn while the run goes on"
    expect(loss).to_contain_text("at 39")
    plot = loss.locator("svg")
    box = plot.bounding_box()
    assert box
    ui.page.mouse.move(box["x"] + 2, box["y"] + 30)
    expect(loss).to_contain_text("1 at 0")

    gate.touch()
    sidebar.expect_phase(run, "Succeeded")
    picture = view.box.get_by_role("img", name="curve.png")
    expect(picture).to_be_visible(timeout=60_000)
    assert picture.evaluate("image => image.naturalWidth") > 100
    svg = view.box.get_by_role("img", name="curve.svg")
    expect(svg).to_be_visible()
    assert svg.evaluate("image => image.naturalWidth") > 100
    assert svg.get_attribute("src").startswith("data:image/svg+xml"), "opened in a tab of its own it is no page of the server"
    quiet(ui.page)
    ui.shot(f"results-{request.node.callspec.params['server']}")
    assert ui.violations(".jp-mlops-view") == []
    small = picture.bounding_box()
    picture.click()
    large = picture.bounding_box()
    assert small
    assert large
    assert large["width"] > small["width"]

    with ui.page.expect_download() as saving:
        view.box.get_by_role("button", name="Download rows.csv").click()
    assert saving.value.suggested_filename == "rows.csv"
    assert Path(saving.value.path()).read_text() == "a\n1\n"

    view.step("draw", "Succeeded").click()
    expect(view.box.get_by_role("figure", name="loss")).to_have_count(0)
