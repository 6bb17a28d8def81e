"""The promise: a notebook in steps leaves, prints and shows what one kernel does, or says by name why it cannot."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.unit.runner.notebooks import NOTEBOOKS as PLAIN
from tests.unit.runner.settings_notebooks import SETTINGS
from tests.unit.runner.staging import CORPUS, differences, in_one_kernel, in_steps
from tests.unit.session.libraries import LIBRARIES
from tests.unit.session.objects import OBJECTS

UNSEEN = {"deep_list"}
"""Notebooks whose values are nested too deep for this file's own comparison; ``tests/unit/session`` compares them."""

NOTEBOOKS = PLAIN | SETTINGS | OBJECTS | {name: cells for name, (needs, cells) in LIBRARIES.items() if all(map(find_spec, needs))}
CASES: list[dict[str, Any]] = json.loads((CORPUS / "hard_cases.json").read_text())
QUICK_CASES = {"mutation_via_alias", "underscore", "raises_midway", "generator_value"}
QUICK_NOTEBOOKS = {"alias_in_closure", "unused_unstorable", "memoryview_part"}


def _marked(names: list[str], quick: set[str]) -> list[Any]:
    return [pytest.param(name, id=name, marks=[] if name in quick else [pytest.mark.slow]) for name in names]


@pytest.mark.slow
@pytest.mark.parametrize("name", _marked([case["name"] for case in CASES], QUICK_CASES))
def test_hard_case(name: str, tmp_path: Path) -> None:
    case = next(case for case in CASES if case["name"] == name)
    if not all(find_spec(module) for module in case.get("needs", [])):
        pytest.skip(f"needs {case['needs']}")
    expect, got = case["expect"], in_steps(tmp_path, case["cells"])
    if "stops" in expect:
        assert got.failure is not None, "it went on where a kernel stops"
        assert {key: got.failure[key] for key in ("cell", "line", "error")} == expect["stops"]
        assert got.failure["message"]
    elif got.failure is not None:
        assert expect["outcome"] == "equal or diagnosed", got.failure
        assert got.failure["code"] == "not-storable"
        assert (got.failure["cell"], got.failure["line"]) == (expect["diagnostic"]["cell"], expect["diagnostic"]["line"])
    else:
        assert differences(expect, got, case["cells"]) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", _marked([name for name in NOTEBOOKS if name not in UNSEEN], QUICK_NOTEBOOKS))
def test_hidden_state(name: str, tmp_path: Path) -> None:
    cells = NOTEBOOKS[name]
    expect = in_one_kernel(cells)
    got = in_steps(tmp_path, cells, fresh_folders=True)
    if "stops" in expect:
        assert got.failure is not None
        assert {key: got.failure[key] for key in ("cell", "line", "error")} == expect["stops"]
        return
    assert got.failure is None, got.failure
    assert differences(expect, got, cells) == []
