"""``%mlops check``: the answer as a page, and the magic itself."""

from __future__ import annotations

import json

import pytest

from jupyter_mlops.check.verdict import Counts, Difference, Verdict
from jupyter_mlops.flow import Workbench
from jupyter_mlops.kernel.check import check_page
from jupyter_mlops.kernel.magics import register
from jupyter_mlops.kernel.page import as_html, as_text
from jupyter_mlops.settings import Settings, Storage

VALUE = Difference("value", "x", "<1>", "<2>", 3, "x[0]")


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        (Verdict("a.ipynb", Counts(2, 1)), ["a.ipynb: equal: 2 values, 1 output", "Compared a.ipynb, saved now."]),
        (
            Verdict("a.ipynb", Counts(1, 0), (VALUE,), ({"name": "g", "reason": "a generator"},)),
            [
                "a.ipynb: different: 1 difference; equal are 1 value, 0 outputs",
                "  cell 3: value of x[0]",
                "    single kernel  <1>",
                "    pipeline       <2>",
                "not compared: g (a generator)",
                "Compared a.ipynb, saved now.",
            ],
        ),
    ],
)
def test_a_verdict_as_a_page(verdict, expected):
    assert as_text(check_page(verdict, "a.ipynb, saved now")).splitlines() == expected


def test_values_are_text_in_html():
    page = as_html(check_page(Verdict("a.ipynb", Counts(), (VALUE,)), "it"))
    assert "&lt;1&gt;" in page
    assert "<1>" not in page


@pytest.mark.slow
def test_the_magic(shell, tmp_path, capsys):
    cells = [
        {"cell_type": "code", "id": f"c{n}", "metadata": {"tags": [f"step:s{n}"]}, "source": source, "outputs": [],
         "execution_count": None}
        for n, source in enumerate(("x = [1]", "x.append(2)\nprint(x)"))
    ]  # fmt: skip
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}))
    register(shell, Workbench(Settings(Storage(tmp_path / "home"))))
    result = shell.run_cell(f"%mlops check {path}")
    assert result.error_in_exec is None
    assert "a.ipynb: equal: 1 value, 1 output" in capsys.readouterr().out
    assert "x" not in shell.user_ns
