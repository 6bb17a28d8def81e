"""The form that JupyterLab shows says what the table of keys says, and lets nothing be written that nobody typed."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.notebook.schema import KEYS

ROOT = Path(__file__).parents[2]
SCRIPT = runpy.run_path(str(ROOT / "scripts" / "form.py"), run_name="form")
FORM = SCRIPT["form"]()
FIELDS: dict[str, Any] = FORM["metadataSchema"]["properties"]
DRAWN = {name.removeprefix("/mlops/"): field["mlops"] for name, field in FIELDS.items()}


def test_the_extension_has_the_form_that_the_keys_make() -> None:
    plugin = json.loads((ROOT / "labextension" / "schema" / "plugin.json").read_text(encoding="utf-8"))
    assert plugin["jupyter.lab.metadataforms"] == [FORM], "run scripts/form.py"


def test_every_key_of_a_cell_has_a_field_that_we_draw() -> None:
    assert DRAWN.keys() == {key.name for key in KEYS.values() if key.cell}
    drawn = {"cellTypes": ["code"], "writeDefault": False, "customRenderer": SCRIPT["RENDERER"]}
    assert FORM["metadataOptions"] == dict.fromkeys(FIELDS, drawn)
    assert SCRIPT["RENDERER"] in (ROOT / "src" / "plugins" / "form.tsx").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_has_nothing_that_jupyterlab_would_write_or_judge(name: str) -> None:
    field = FIELDS[name]
    assert set(field) == {"title", "description", "mlops"}
    assert field["title"]
    assert field["description"].endswith(".")
    assert "`" not in field["description"]


KINDS: dict[str, tuple[type, ...]] = {
    "text": (str,), "words": (list,), "json": (str,), "number": (int,), "choice": (str, bool), "map": (dict,), "list": (list,),
}  # fmt: skip
"""What the example of a key is, by how its field is drawn."""


@pytest.mark.parametrize("name", DRAWN)
def test_the_example_of_a_key_fits_its_field(name: str) -> None:
    drawn: dict[str, Any] = DRAWN[name]
    example: Any = KEYS[name].example
    assert type(example) in KINDS[drawn["kind"]]
    if drawn["kind"] == "choice":
        assert example in drawn["choices"]
        assert [KEYS[name].read(choice) for choice in drawn["choices"]] == drawn["choices"]
    if drawn["kind"] == "list":
        parts = {part["name"]: part for part in drawn["parts"]}
        assert {part for row in example for part in row} <= parts.keys()
        for row in example:
            for part, value in row.items():
                assert value in parts[part].get("choices", [value])
                assert bool(parts[part].get("flag")) == isinstance(value, bool)


@pytest.mark.parametrize("change", ["key", "part"])
def test_what_has_no_title_yet_stops_the_script(monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    titles = SCRIPT["TITLES"] if change == "key" else SCRIPT["PARTS"]["secrets"]
    monkeypatch.delitem(titles, "gpu" if change == "key" else "env")
    with pytest.raises(SystemExit, match="without a title in the form"):
        SCRIPT["form"]()
