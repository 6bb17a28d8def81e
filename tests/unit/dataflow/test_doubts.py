"""Diagnostics of the analysis: code, severity, cell and line, and a fix for each."""

from __future__ import annotations

import pytest

from jupyter_mlops.dataflow.link import analyse
from jupyter_mlops.notebook.document import Cell


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        (["x = 1\ny = = 2"], [("syntax-error", "error", 0, 2)]),
        (["x = 1", "%%time\nx = 1\n\ny = = 2"], [("syntax-error", "error", 1, 4)]),
        (["if True:\n  return 1"], [("syntax-error", "error", 0, 2)]),
        (["x = 1\nname = input('who? ')"], [("input-call", "error", 0, 2)]),
        (["%%time\n\nname = input()"], [("input-call", "error", 0, 3)]),
        (["import getpass\np = getpass.getpass()"], [("getpass-call", "error", 0, 2)]),
        (["from getpass import getpass", "x = 1\ntoken = getpass('t')"], [("getpass-call", "error", 1, 2)]),
        (["def getpass(): return 1\ngetpass()"], []),
        (["input = len\ninput('x')"], []),
        (["input = len", "input('x')"], []),
        (["def forward(input): return input(1)\nforward(len)"], []),
        (["x = [input(1) for input in [len]]"], []),
        (["def ask():\n    return input()", "ask()"], [("input-call", "error", 0, 2)]),
        (["def ask():\n    return input()"], [("input-call", "warning", 0, 2)]),
        (["class A:\n    def ask(self):\n        return input()", "A().ask()"], [("input-call", "error", 0, 3)]),
        (["def outer():\n    def inner():\n        input()\n    inner()", "outer()"], [("input-call", "error", 0, 3)]),
        (["x = 1\neval('x')"], [("dynamic", "warning", 0, 2)]),
        (["def f(): return eval('1')", "\nf()"], [("dynamic", "warning", 1, 2)]),
        (["x = _"], [("history", "warning", 0, 1)]),
        (["y = 1\nx = Out[1]"], [("history", "warning", 0, 2)]),
        (["for _ in range(3): pass", "_"], []),
        (["x = 1\n%run a.py"], [("opaque", "warning", 0, 2)]),
        (["%%time\n%run a.py"], [("opaque", "warning", 0, 2)]),
        (["%load_ext watermark\n%watermark -n -u -v"], []),
        (["%mystery a"], [("unknown-magic", "warning", 0, 1)]),
        (["\n%%mystery\nx"], [("unknown-magic", "warning", 0, 2)]),
        (["%%R\nx <- 1"], [("other-language", "warning", 0, 1)]),
        (["x = 1\n!ls"], [("shell-command", "info", 0, 2)]),
        (["%%bash\nls"], [("shell-command", "info", 0, 1)]),
        (["files = !ls"], [("shell-command", "info", 0, 1)]),
        (["!pip install x"], []),
        (["x = 1\nprint(nope)"], [("undefined-name", "warning", 0, 2)]),
        (["print(late)\nlate = 1"], [("undefined-name", "warning", 0, 1)]),
        (["for k in f():\n    last = k\nprint(last)", "def f(): ..."], [("bound-later", "warning", 0, 1)]),
        (["def f(): return nope", "x = 1\nf()"], [("undefined-name", "warning", 1, 2)]),
        (["try:\n    nope\nexcept NameError:\n    nope = 1"], []),
        (["try:\n    nope\nexcept ValueError:\n    pass"], [("undefined-name", "warning", 0, 2)]),
        (["from math import *\nsqrt(2)"], []),
        (["%run a.py", "anything()"], [("opaque", "warning", 0, 1)]),
        (["__file__"], [("undefined-name", "warning", 0, 1)]),
        (["def f(x: Nope): pass"], []),
        (["df?", "print?", "%who"], []),
        (["pip install x", "ls", "cd data", "ls -l *.csv"], []),
        (
            ["mkdir out", "%rm -r {out}"],
            [("shell-command", "info", 0, 1), ("shell-command", "info", 1, 1), ("undefined-name", "warning", 1, 1)],
        ),
        (["ls = 1", "ls"], []),
        (["pip install x\ny = 1"], [("syntax-error", "error", 0, 1)]),
    ],
)
def test_what_is_said(sources: list[str], expected: list[tuple[str, str, int, int]]) -> None:
    found = analyse([Cell(index, "code", source) for index, source in enumerate(sources)]).diagnostics
    assert [(d.code, d.severity, d.cell, d.line) for d in found] == expected
    assert all(d.message and d.fix for d in found)


@pytest.mark.parametrize(
    ("sources", "code", "place", "words"),
    [
        (["print(x)", "x = 1"], "bound-later", (0, 1), "Cell 1 binds it: move that cell up."),
        (["def f(): return x", "y = 1\nf()", "x = 1"], "bound-later", (1, 2), "Cell 2 binds it: move that cell up."),
        (["x = 1", "del x", "y = 1\nx"], "deleted-name", (2, 2), "Move this cell above cell 1, or take the del away."),
        (["x = 1", "del x", "x", "x = 2"], "deleted-name", (2, 1), "Move this cell above cell 1, or take the del away."),
        (["x"], "undefined-name", (0, 1), "Define it above, or correct the name."),
    ],
)
def test_a_name_that_is_not_there_is_told_by_what_became_of_it(
    sources: list[str], code: str, place: tuple[int, int], words: str
) -> None:
    found = analyse([Cell(index, "code", source) for index, source in enumerate(sources)]).diagnostics
    assert [(d.code, (d.cell, d.line), d.fix) for d in found] == [(code, place, words)]


@pytest.mark.parametrize("source", ["__annotations__", "!true\nprint(_exit_code)"])
def test_what_python_and_ipython_bind_is_no_doubt(source: str) -> None:
    assert "undefined-name" not in {
        found.code for found in analyse([Cell(0, "code", "x: int = 1"), Cell(1, "code", source)]).diagnostics
    }
