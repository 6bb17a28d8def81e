"""The examples as files: valid, clean, and what their README says of them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from jupyter_mlops.flow import Workbench
from tests.e2e.machine import ROOT

EXAMPLES = sorted((ROOT / "examples").glob("*.ipynb"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_a_notebook_is_valid_and_clean(path):
    import nbformat

    document = json.loads(path.read_text(encoding="utf-8"))
    nbformat.validate(document)
    assert (document["nbformat"], document["nbformat_minor"]) == (4, 5)
    assert document["metadata"]["kernelspec"]["name"] == "python3"
    assert "version" not in document["metadata"]["language_info"]
    code = [cell for cell in document["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    ids = [cell["id"] for cell in document["cells"]]
    assert len(set(ids)) == len(ids)
    assert path.read_text(encoding="utf-8") == json.dumps(document, indent=1, ensure_ascii=False) + "\n"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_a_notebook_converts_without_a_doubt(path):
    bench = Workbench()
    pipeline = bench.convert(bench.read(path))
    assert [found for found in pipeline.diagnostics if found.severity != "info"] == []


def test_churn_has_no_tag_and_nothing_of_ours_but_logging():
    document = json.loads((ROOT / "examples/churn.ipynb").read_text(encoding="utf-8"))
    assert all(cell["metadata"] == {} for cell in document["cells"])
    mentioned = [line for cell in document["cells"] for line in cell["source"] if "mlops" in line]
    assert mentioned == ["from jupyter_mlops import log_metrics, log_model\n"]


def test_no_example_needs_a_network():
    for path in EXAMPLES:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"https?://|fetch_|urlopen|requests\.", text), path.name


def test_the_readme_names_every_example():
    text = (ROOT / "examples/README.md").read_text(encoding="utf-8")
    assert {Path(name).name for name in re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)} == {path.name for path in EXAMPLES}
