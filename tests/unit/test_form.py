"""The form that JupyterLab draws says what the table of keys says, and what it takes is what Python reads."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.notebook.schema import KEYS

ROOT = Path(__file__).parents[2]
SCRIPT = runpy.run_path(str(ROOT / "scripts" / "form.py"), run_name="form")
FORM = SCRIPT["form"]()
FIELDS: dict[str, Any] = FORM["metadataSchema"]["properties"]


def test_the_extension_has_the_form_that_the_keys_make() -> None:
    plugin = json.loads((ROOT / "labextension" / "schema" / "plugin.json").read_text(encoding="utf-8"))
    assert plugin["jupyter.lab.metadataforms"] == [FORM], "run scripts/form.py"


def test_every_key_of_a_cell_has_a_field_but_lists_of_objects() -> None:
    assert {name.removeprefix("/mlops/") for name in FIELDS} == {key.name for key in KEYS.values() if key.cell} - SCRIPT["LISTS"]
    assert all(options == {"cellTypes": ["code"], "writeDefault": False} for options in FORM["metadataOptions"].values())


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_has_one_type_and_no_default_that_would_be_written(name: str) -> None:
    field = FIELDS[name]
    assert field["type"] in {"string", "integer", "boolean", "object"}
    assert "default" not in field
    assert field["title"]
    assert field["description"].endswith(".")


@pytest.mark.parametrize("name", FIELDS)
def test_the_example_of_a_key_fits_its_field_and_is_read(name: str) -> None:
    field, key = FIELDS[name], KEYS[name.removeprefix("/mlops/")]
    example = key.example[0] if isinstance(key.example, list) else key.example
    kinds = {"string": str, "integer": int, "boolean": bool, "object": dict}
    assert isinstance(example, kinds[field["type"]])
    assert not field.get("pattern") or re.search(field["pattern"], str(example))
    key.read(example)
