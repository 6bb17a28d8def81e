"""Names made from what people wrote: always ones that Kubernetes, Argo and registries take."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.pipeline.headings import headings
from jupyter_mlops.pipeline.names import PIPELINE_LENGTH, STEP_LENGTH, pipeline_name, slug, step_name, unique
from tests.unit.laws import law
from tests.unit.notebook_building import notebook


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Load data", "load-data"),
        ("1. Load data", "load-data"),
        ("2) Train!", "train"),
        ("1.2 Größe", "groesse"),
        ("Daten laden & prüfen", "daten-laden-and-pruefen"),
        ("Café / été", "cafe-ete"),
        ("load_data", "load-data"),
        ("  --x-- ", "x"),
        ("2024", "step-2024"),
        ("3D plots", "step-3d-plots"),
        ("数据", ""),
        ("🚀", ""),
        ("a" * 60, "a" * 40),
        ("a very long heading that goes on and on for ever and a day", "a-very-long-heading-that-goes-on-and-on"),
    ],
)
def test_steps(text: str, name: str) -> None:
    assert step_name(text) == name


@pytest.mark.parametrize(
    ("stem", "name"),
    [("Umsatz 2024", "umsatz-2024"), ("2024 Umsatz", "2024-umsatz"), ("数据", "notebook"), ("My_Notebook (1)", "my-notebook-1")],
)
def test_pipelines(stem: str, name: str) -> None:
    assert pipeline_name(stem) == name


@law
@given(st.text())
def test_any_text_gives_a_name_that_is_taken_everywhere(text: str) -> None:
    step, pipeline = step_name(text), pipeline_name(text)
    assert step == "" or (re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", step) and len(step) <= STEP_LENGTH)
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", pipeline)
    assert len(pipeline) <= PIPELINE_LENGTH
    assert slug(pipeline, PIPELINE_LENGTH) == pipeline
    assert step_name(step) == step


@law
@given(st.lists(st.sampled_from(["a", "a-2", "a-3", "b", "", "step-1", "step-3"])))
def test_names_become_unique_and_those_that_are_stay(names: list[str]) -> None:
    found = unique(names)
    assert len(set(found)) == len(found)
    assert all(
        found[place] == name for place, name in enumerate(names) if name and names.count(name) == 1 and not name.startswith("step-")
    )


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("# A\n## B\n### C", [(1, "A"), (2, "B")]),
        ("text # no\n#no", []),
        ("```\n# no\n```\n# yes", [(1, "yes")]),
        ("~~~\n# no\n```\n# no\n~~~\n# yes", [(1, "yes")]),
        ("## [Load](http://x) *the* `data` ##", [(2, "Load the data")]),
        ("<h1>Title &amp; more</h1>", [(1, "Title & more")]),
        ("# load_data_now", [(1, "load_data_now")]),
    ],
)
def test_headings(markdown: str, expected: list[tuple[int, str]]) -> None:
    assert list(headings(notebook(f"md:{markdown}").cells[0])) == expected
