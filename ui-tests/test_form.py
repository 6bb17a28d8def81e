"""The form of a cell in JupyterLab's property inspector: every key is there, and what it writes is what Python reads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lab import Lab, lab
from pages import DARK, RUN_PATIENCE, LabPage, NotebookPage, browser, chromium, notebook
from playwright.sync_api import Locator, Page, expect

from jupyter_mlops.notebook.metadata import read_requests
from jupyter_mlops.notebook.read import parse
from jupyter_mlops.notebook.schema import KEYS
from jupyter_mlops.testing.serving import eventually

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(900),
    pytest.mark.skipif(chromium() is None, reason="no Chromium: install it with the system's package manager, or set CHROMIUM"),
]

HUB = {"Variable": "TOKEN", "Secret": "hub", "Key in the secret": "token"}
GPU = {"Taint": "gpu", "Operator": "Exists", "Effect": "NoSchedule"}
DATA: dict[str, str | bool] = {"Mounted at": "/data", "Claim": "datasets", "Read-only": True}
SCRATCH: dict[str, str | bool] = {"Mounted at": "/scratch", "Size, where there is no claim": "10Gi"}

FILLED: dict[str, tuple[Any, Any, Any]] = {
    "step": ("train", "train", None),
    "skip": (["true"], True, None),
    "gpu": ("2", 2, 2),
    "cpu": ("500m", "500m", "500m"),
    "memory": ("16Gi", "16Gi", "16Gi"),
    "image": ("ghcr.io/me/train:1", "ghcr.io/me/train:1", "ghcr.io/me/train:1"),
    "env": ([{"Name": "A", "Value": "1"}, {"Name": "B", "Value": ""}], {"A": "1", "B": ""}, {"A": "1", "B": ""}),
    "secrets": ([HUB], [{"env": "TOKEN", "secret": "hub", "key": "token"}], ({"env": "TOKEN", "secret": "hub", "key": "token"},)),
    "each": ("rate in [1, 2]", "rate in [1, 2]", "rate in [1, 2]"),
    "when": ("x > 0", "x > 0", "x > 0"),
    "finally": ("true", True, ""),
    "outputs": ("model:x, model:y", ["model:x", "model:y"], ("model:x", "model:y")),
    "retries": ("3", 3, 3),
    "timeout": ("2h", "2h", 7200),
    "cache": (["off"], "off", "off"),
    "volumes": (
        [DATA, SCRATCH],
        [{"mount": "/data", "claim": "datasets", "read_only": True}, {"mount": "/scratch", "size": "10Gi"}],
        ({"mount": "/data", "claim": "datasets", "read_only": True}, {"mount": "/scratch", "size": "10Gi"}),
    ),
    "gpu_resource": ("amd.com/gpu", "amd.com/gpu", "amd.com/gpu"),
    "resources": ([{"Name": "ephemeral-storage", "Value": "20Gi"}], {"ephemeral-storage": "20Gi"}, {"ephemeral-storage": "20Gi"}),
    "shm": ("8Gi", "8Gi", "8Gi"),
    "queue": ("team-a", "team-a", "team-a"),
    "node_selector": ([{"Name": "zone", "Value": "a"}], {"zone": "a"}, {"zone": "a"}),
    "tolerations": (
        [GPU],
        [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}],
        ({"key": "gpu", "operator": "Exists", "effect": "NoSchedule"},),
    ),
}
"""Key → what is typed (a text), chosen (a list of one), or filled into rows; what the metadata hold then; the option of the step."""

WRONG = {
    "timeout": ("abc", "expected seconds, or a text such as 90s, 30m or 2h; more than 0"),
    "cpu": ("-1", "expected a Kubernetes quantity such as 500m, 2, 512Mi or 16Gi"),
    "when": ("x >", "expected a Python expression"),
    "gpu": ("two", "expected a whole number, 0 or more"),
}


ODD: dict[str, Any] = {
    "cache": "sometimes",
    "cpu": 2,
    "finally": True,
    "secrets": [{"env": "A"}],
    "volumes": "data",
    "theirs": {"a": 1},
}
"""What somebody wrote by hand: wrong, half of it, or of another tool. Only what is touched may change."""


@pytest.fixture
def server(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Lab]:
    """A notebook with cells of all sorts; the parameter names the theme."""
    cells: list[str | dict[str, Any]] = ["x = 1", "y = 2", {"source": "z = 3", "metadata": {"mlops": ODD, "tags": ["keep"]}}]
    path = notebook(tmp_path / "books" / "form.ipynb", cells)
    with lab(tmp_path / "server", [path], settings=DARK if getattr(request, "param", "") == "dark" else None) as running:
        yield running


@pytest.fixture
def page() -> Iterator[Page]:
    with browser() as chrome:
        yield chrome.new_page(viewport={"width": 1280, "height": 1000})


def form(ui: LabPage, cell: int) -> Locator:
    """The form of a cell, in the property inspector."""
    opened = ui.open_notebook("form.ipynb")
    # A kernel that comes up writes its language into the notebook, and JupyterLab draws the form anew.
    expect(ui.page.get_by_text("Python 3 (ipykernel) | Idle")).to_be_visible(timeout=RUN_PATIENCE)
    opened.cell(cell).click()
    ui.page.locator('.lm-TabBar-tab[data-id="jp-property-inspector"]').click()
    ui.page.get_by_text("Pipeline step", exact=True).click()
    found = ui.page.locator(".jp-MetadataForm", has_text="Cells with the same step")
    expect(found).to_be_visible()
    return found


def option(found: Locator, key: str) -> Locator:
    """The field of a key."""
    return found.locator(f'.jp-mlops-option[data-key="{key}"]')


def fill(field: Locator, wanted: Any) -> None:
    """Fill in a field as a person would; see ``FILLED``."""
    if isinstance(wanted, str):
        field.get_by_role("textbox").fill(wanted)
    elif isinstance(wanted[0], str):
        field.get_by_role("combobox").select_option(label=wanted[0])
    else:
        for row in wanted:
            field.get_by_role("button", name="Add").click()
            for title, value in row.items():
                part = field.locator(".jp-mlops-row").last.get_by_label(title, exact=True)
                if value is True:
                    part.check()
                elif part.evaluate("node => node.tagName") == "SELECT":
                    part.select_option(label=value)
                else:
                    part.fill(value)


def empty(field: Locator, wanted: Any) -> None:
    """Take out again what was filled in."""
    if isinstance(wanted, str):
        field.get_by_role("textbox").fill("")
    elif isinstance(wanted[0], str):
        field.get_by_role("combobox").select_option(value="")
    else:
        for _ in wanted:
            field.get_by_role("button", name="Remove").last.click()


def saved(ui: LabPage, cell: int, metadata: dict[str, Any]) -> str:
    """Save, wait until the file holds a cell with these metadata, and give its text.

    The file may be read while it is being written, now and after that: one save more can be on its way.
    """
    path = ui.lab.root / "form.ipynb"
    found: list[Any] = []
    texts: list[str] = []

    def there() -> bool:
        ui.page.keyboard.press("Control+s")  # again where the form had not written yet: the notebook stays unsaved then
        try:
            texts.append(path.read_text())
            found.append(json.loads(texts[-1])["cells"][cell]["metadata"])
        except ValueError:
            return False
        return bool(found[-1] == metadata)

    eventually(there, RUN_PATIENCE / 4000)
    assert found[-1] == metadata
    return texts[-1]


def test_every_key_of_a_cell_is_tried() -> None:
    assert FILLED.keys() == {key.name for key in KEYS.values() if key.cell}


def test_each_key_is_written_as_python_reads_it_and_is_gone_when_it_is_emptied(server: Lab, page: Page) -> None:
    before = json.loads((server.root / "form.ipynb").read_text())["cells"]
    ui = LabPage(page, server).open()
    found = form(ui, 0)
    for key, (wanted, written, meant) in FILLED.items():
        fill(option(found, key), wanted)
        document = parse(saved(ui, 0, {"mlops": {key: written}}), "form.ipynb")
        requests = read_requests(document)
        assert [one for one in requests.diagnostics if one.cell == 0] == [], key
        assert requests.cells[0].options.get(key) == meant, key
        assert {"step": requests.cells[0].step, "skip": requests.cells[0].skip or None}.get(key) == (
            written if meant is None else None
        )
        empty(option(found, key), wanted)
        text = saved(ui, 0, before[0]["metadata"])
    after = json.loads(text)["cells"]
    assert [cell["metadata"] for cell in after] == [cell["metadata"] for cell in before], "nothing else was touched"
    assert ui.errors == []


@pytest.mark.parametrize("server", ["dark", "light"], indirect=True, ids=str)
def test_the_form_takes_all_keys_at_once(server: Lab, page: Page, request: pytest.FixtureRequest) -> None:
    theme = request.node.callspec.params["server"]
    ui = LabPage(page, server).open()
    found = form(ui, 0)
    ui.shot(f"form-{theme}")
    for key, (wanted, _, _) in FILLED.items():
        fill(option(found, key), wanted)
    saved(ui, 0, {"mlops": {key: written for key, (_, written, _) in FILLED.items()}})
    for key in ("secrets", "volumes", "tolerations"):
        option(found, key).scroll_into_view_if_needed()
        ui.shot(f"form-{key}-{theme}")
    assert ui.violations(".jp-MetadataForm .jp-mlops-option") == []
    assert ui.errors == []


def test_a_value_that_does_not_fit_has_python_s_sentence_at_its_field(server: Lab, page: Page) -> None:
    ui = LabPage(page, server).open()
    found = form(ui, 0)
    for key, (text, sentence) in WRONG.items():
        field = option(found, key)
        field.get_by_role("textbox").fill(text)
        expect(field.get_by_role("status")).to_contain_text(sentence)
        expect(field.get_by_role("textbox")).to_have_attribute("aria-invalid", "true")
    option(found, "timeout").scroll_into_view_if_needed()
    ui.shot("form-wrong")
    for key in WRONG:
        field = option(found, key)
        field.get_by_role("textbox").fill("" if key == "gpu" else "7")
        expect(field.get_by_role("status")).to_be_empty()
    secrets = option(found, "secrets")
    fill(secrets, [{"Variable": "1A", "Secret": "hub"}])
    expect(secrets.get_by_role("status")).to_contain_text("expected a list of")
    empty(secrets, [{}])
    page.route("**/jupyter-mlops/api/v1/options*", lambda route: route.abort())
    option(found, "timeout").get_by_role("textbox").fill("never")
    saved(
        ui, 0, {"mlops": {"timeout": "never", "cpu": "7", "when": "7"}}
    )  # nobody to say what is wrong keeps nothing from being written
    assert ui.errors == []


def test_a_finding_of_the_panel_leads_to_the_field_with_the_same_sentence(server: Lab, page: Page) -> None:
    ui = LabPage(page, server).open()
    found = form(ui, 2)  # its cache is none that there is
    opened = NotebookPage(ui, "form.ipynb")
    sidebar = opened.convert()
    opened.cell(0).click()
    expect(option(found, "cache").get_by_role("status")).to_be_empty()
    finding = sidebar.findings.filter(has_text="cache of cell 2 is 'sometimes': expected auto or off")
    finding.get_by_role("button", name="cell 2, line 1").click()
    expect(option(found, "cache").get_by_role("status")).to_have_text("expected auto or off")
    option(found, "cache").get_by_role("combobox").select_option(label="off")
    expect(option(found, "cache").get_by_role("status")).to_be_empty()
    ui.shot("form-from-finding")
    assert ui.errors == []


def test_half_a_row_and_what_others_wrote_are_kept(server: Lab, page: Page) -> None:
    asked: list[Any] = []
    page.on("request", lambda one: asked.append(one.post_data_json) if "/api/v1/options" in one.url else None)
    ui = LabPage(page, server).open()
    found = form(ui, 2)
    expect(option(found, "cache").get_by_role("status")).to_have_text("expected auto or off")
    assert asked[-1] == {"options": {key: value for key, value in ODD.items() if key != "theirs"}}, "all fields in one request"
    expect(option(found, "volumes").get_by_role("textbox")).to_have_value("data")
    expect(option(found, "cpu").get_by_role("textbox")).to_have_value("2")
    secrets = option(found, "secrets")
    fill(secrets, [{}, HUB])  # an empty row between
    both = [{"env": "A"}, {"env": "TOKEN", "secret": "hub", "key": "token"}]
    saved(ui, 2, {"mlops": {**ODD, "secrets": both}, "tags": ["keep"]})
    expect(secrets.locator(".jp-mlops-row")).to_have_count(3)
    secrets.get_by_role("button", name="Remove Secrets 1").click()
    option(found, "step").get_by_role("textbox").fill("fit")
    saved(ui, 2, {"mlops": {**ODD, "secrets": both[1:], "step": "fit"}, "tags": ["keep"]})
    assert ui.errors == []
