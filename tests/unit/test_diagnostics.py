"""Every diagnostic leads somewhere: its anchor stands in the documentation, and its JSON carries it."""

from __future__ import annotations

import re
from pathlib import Path

from jupyter_mlops.errors import Diagnostic, Refused
from jupyter_mlops.pipeline.contract import diagnostic_json

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/notebooks.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `([a-z-]+)` \|[^|]*\| (?:<a id=\"([a-z-]+)\"></a>)?(.*) \|$", re.MULTILINE)


def test_every_row_has_the_anchor_of_its_code():
    rows = ROW.findall(PAGE)
    assert len(rows) > 30
    assert [code for code, anchor, _ in rows if code != anchor] == []
    assert [code for code, _, text in rows if len(text) < 20] == []


def test_the_place_of_a_diagnostic_is_in_the_page():
    """That each code has a row is tested with the documentation; that the row is where ``docs`` points, here."""
    for code, _, _ in ROW.findall(PAGE):
        page, _, anchor = Diagnostic(code, "warning", "what").docs.partition("#")
        assert f'<a id="{anchor}"></a>' in (ROOT / page).read_text(encoding="utf-8")


def test_both_json_forms_carry_it():
    found = Diagnostic("cycle", "error", "what", 1, 2, "how")
    refused = Refused("what", diagnostics=(found,)).to_dict()["diagnostics"]
    assert [diagnostic_json(found)] == refused
    assert refused[0] == {
        "code": "cycle", "severity": "error", "cell": 1, "line": 2, "message": "what", "fix": "how", "docs": "docs/notebooks.md#cycle",
    }  # fmt: skip
