"""Rules of the scan that the corpus has no case for."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_mlops.dataflow.facts import CellFacts
from jupyter_mlops.dataflow.link import analyse
from jupyter_mlops.notebook.document import Cell


def facts(*sources: str) -> CellFacts:
    """Facts of the last of these cells."""
    return analyse([Cell(index, "code", source) for index, source in enumerate(sources)]).facts[-1]


def flows(*sources: str) -> set[tuple[int, int, str, str]]:
    found = analyse([Cell(index, "code", source) for index, source in enumerate(sources)])
    return {(flow.source, flow.target, flow.kind[0], " ".join(sorted(flow.names))) for flow in found.flows}


@pytest.mark.parametrize(
    ("source", "certain", "conditional"),
    [
        ("for i in range(3):\n    if c:\n        continue\n    x = i", "i", "x"),
        ("for i in [1]:\n    if c:\n        break\n    x = i", "i", "x"),
        ("for i in [1]:\n    x = i\n    if c:\n        break", "i x", ""),
        ("for i in []:\n    x = i", "", "i x"),
        ("for i in [*y]:\n    x = i", "", "i x"),
        ("for i in range(0):\n    x = i", "", "i x"),
        ("while True:\n    x = f()\n    if x:\n        break", "x", ""),
        ("while True:\n    if f():\n        break\n    x = 1", "", "x"),
        ("while f():\n    x = 1", "", "x"),
        ("while 1:\n    x = 1\n    break\nelse:\n    z = 1", "x", "z"),
        ("if c:\n    x = 1\nelse:\n    raise ValueError", "x", ""),
        ("if True:\n    x = 1", "x", ""),
        ("if False:\n    x = 1\nelse:\n    y = 1", "y", ""),
        ("if '__main__' == __name__:\n    x = 1", "x", ""),
        ("import typing\nif typing.TYPE_CHECKING:\n    x = 1", "typing", ""),
        ("try:\n    x = f()\nexcept ValueError:\n    pass", "", "x"),
        ("try:\n    x = f()\nexcept ValueError:\n    raise", "x", ""),
        ("try:\n    x = f()\nfinally:\n    y = 1", "x y", ""),
        ("try:\n    pass\nexcept ValueError:\n    x = 1\nelse:\n    x = 2", "x", ""),
        ("e = 1\ntry:\n    pass\nexcept ValueError as e:\n    pass", "", "e"),
        ("with open('a') as fh, open('b') as (x, y):\n    z = 1", "fh x y z", ""),
        ("match v:\n    case 1:\n        x = 1\n    case _:\n        x = 2", "x", ""),
        ("match v:\n    case [a, *b] if a:\n        pass", "", "a b"),
        ("a = b if (c := 1) else 2", "a c", ""),
        ("f(0) and (x := 1)", "", "x"),
        ("x = 1\nif c:\n    del x", "", "x"),
        ("(a, [b, *c]), d.e, f[0] = v", "a b c", ""),
        ("async def f(): pass\nasync for x in f(): y = 1", "f", "x y"),
    ],
)
def test_what_is_surely_bound(source: str, certain: str, conditional: str) -> None:
    found = facts(source)
    assert " ".join(sorted(found.defs.keys() - found.conditional)) == certain
    assert " ".join(sorted(found.conditional)) == conditional


@pytest.mark.parametrize(
    ("above", "source", "changed"),
    [
        ("a = []\nb = a", "b += [1]", "a b"),
        ("a = []\nb = a", "b |= {1}", "a b"),
        ("a = b = v()", "b += w()", "a b"),
        ("a = b = 1", "b += 1", ""),
        ("a = b = v()", "b += 1", ""),
        ("a = [1]", "a[0] += 1", "a"),
        ("a = [1]", "a[0].b.c = 1", "a"),
        ("a = [1]", "del a[0]", "a"),
        ("a = [1]", "for a[0] in range(3): pass", "a"),
        ("df = v()", "df.drop(columns='x', inplace=True)", "df"),
        ("df = v()", "x = df.drop(columns='x')", ""),
        ("df = v()", "df.plot.bar()", ""),
        ("df = v()", "df.mystery()", "df"),
        ("df = v()", "y = df.mystery()", ""),
        ("df = v()", "_ = df.pop('x')", "df"),
        ("xs = v()", "print(xs)", ""),
        ("xs = v()", "display(xs)", ""),
        ("xs = v()", "y = next(xs)", "xs"),
        ("xs = v()", "setattr(xs, 'a', 1)", "xs"),
        ("xs = v()", "y = sorted(xs)", ""),
        ("def f(a, b): b.append(1)\nx = y = 1\nx = v()\ny = w()", "z = f(x, y)", "y"),
        ("def f(a, b): b.append(1)\nx = v()\ny = w()", "z = f(x, b=y)", "y"),
        ("def f(): xs.append(1)\nxs = []", "z = f()", "xs"),
        ("def g(): xs.append(1)\ndef f(): g()\nxs = []", "z = f()", "xs"),
        ("def f(xs):\n    ys = xs\n    ys.append(1)\nxs = []", "z = f(xs)", "xs"),
        ("def f(xs):\n    xs = list(xs)\n    xs.append(1)\nxs = []", "z = f(xs)", ""),
        ("xs = []", "%timeit -n 3 xs.append(1)", "xs"),
        ("xs = []", "%time xs.append(1)", "xs"),
    ],
)
def test_what_may_change(above: str, source: str, changed: str) -> None:
    found = facts(above, source)
    assert " ".join(sorted(found.mutations)) == changed


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("%pip install a==1 -r x.txt b", {"requirements": ("a==1", "b")}),
        ("%pip install -q a # for plots", {"requirements": ("a",)}),
        ("!python -m pip install a", {"requirements": ("a",)}),
        ("%conda install a", {"requirements": ("a",)}),
        ("!uv pip install a", {"requirements": ("a",)}),
        ("%uv pip install a", {"requirements": ("a",)}),
        ("%pip list", {"requirements": ()}),
        ("%cd data", {"setup": ("%cd data",)}),
        ("%%writefile -a m.py\nx", {"writes_files": {"m.py"}, "reads_files": {"m.py"}}),
        ("import pandas as pd\npd.read_csv('a.csv').to_parquet('b.pq')", {"reads_files": {"a.csv"}, "writes_files": {"b.pq"}}),
        ("from pathlib import Path\nPath('a.txt').write_text('x')", {"writes_files": {"a.txt"}}),
        ("from pathlib import Path\nPath('a.txt').open('w')", {"writes_files": {"a.txt"}}),
        ("open('a', mode='a')", {"writes_files": {"a"}, "reads_files": set()}),
        ("open('a', 'r+')", {"writes_files": {"a"}}),
        ("p: str = 'a'\nopen(p)", {"reads_files": {"a"}}),
        ("open(d + 'a', 'w')", {"writes_files": set(), "reads_files": set()}),
        ("pd.read_csv(path, ';')\nread_text(f'{d}', 'utf-8')", {"reads_files": set()}),
        ("import pathlib\npathlib.Path(d).open('w')\npathlib.Path('b').open('w')", {"writes_files": {"b"}, "reads_files": set()}),
        ("from pathlib import Path\nPath(d, 'x').read_text('utf-8')\nPath('c').read_text()", {"reads_files": {"c"}}),
        ("import sys\nsys.path.append('src')", {"setup": ("sys.path.append('src')",)}),
        ("import random\nrandom.seed(1)", {"setup": ("random.seed(1)",)}),
        ("%%html\n<b>x</b>", {"flags": set()}),
        ("%%time\n%matplotlib inline\nx = 1", {"setup": ("%matplotlib inline",)}),
        ("%%bash --out o --err e\nls", {"defs": {"o", "e"}}),
        ("def f():\n    for _ in range(3): pass\nf()", {"flags": set()}),
        ("def f(_): return _\nf(1)", {"flags": set()}),
        ("def f(): return eval('x')\nf()", {"flags": {"dynamic"}}),
        ("def f(): return eval('x')", {"flags": set()}),
        ("def f(): return locals()\nf()", {"flags": set()}),
        ("model.eval()", {"flags": set()}),
        ("eval = len\neval('x')", {"flags": set()}),
        ("%%R\nx <- 1", {"flags": {"opaque"}}),
        ("%prun -s cumulative f(x)", {"flags": {"opaque"}}),
    ],
)
def test_what_a_cell_does_beside_names(source: str, expected: dict[str, Any]) -> None:
    found = facts(source)
    assert {word: type(value)(getattr(found, word)) for word, value in expected.items()} == expected


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        # a decorator bound beside the definition comes along with it
        (("from dataclasses import dataclass\n@dataclass\nclass P: x: int", "P(1)"), {(0, 1, "c", "P dataclass")}),
        (("n = 3\ndef f(a=n): return a", "f()"), {(0, 1, "c", "f"), (0, 1, "d", "n")}),
        # a deletion on one path leaves the name in doubt, not gone
        (("x = 1", "if c:\n    del x", "x"), {(0, 1, "d", "x"), (1, 2, "d", "x")}),
        # the name of another cell's handler is not ours
        (("e = 1", "try:\n    pass\nexcept ValueError as e:\n    pass", "e"), {(0, 2, "d", "e")}),
        (("import os", "print(os.sep)", "import os", "os.sep"), {(0, 1, "c", "os"), (2, 3, "c", "os")}),
        # a class body reads the notebook's name before it binds its own
        (("b = 1\ndef f():\n    class A:\n        b += 1", "f()"), {(0, 1, "c", "f"), (0, 1, "d", "b")}),
        (("f = lambda: g()\ndef g(): return k\nk = 1", "f()"), {(0, 1, "c", "f g"), (0, 1, "d", "k")}),
        (("%%capture\nx = 1", "x"), {(0, 1, "d", "x")}),
        (("x = 1", "!echo {x} $x"), {(0, 1, "d", "x")}),
        (("x = 1", "!echo {x:.2f}"), {(0, 1, "d", "x")}),
        (("x = 1", "!echo ${x}"), {(0, 1, "d", "x")}),
        (("x = 1", "!ls *.{csv,txt}"), set()),
        (("%%writefile a.py\nx=1", "%%writefile a.py\nx=2", "import a"), {(1, 2, "f", "a.py")}),
    ],
)
def test_what_flows(sources: tuple[str, ...], expected: set[tuple[int, int, str, str]]) -> None:
    assert flows(*sources) == expected


@pytest.mark.parametrize(
    ("source", "work"),
    [
        ("import os\nfrom a import b", False),
        ("def f(): return g()", False),
        ("X = 1\nY = [1, -2, {'a': None}]\nz: int = 3\nf = lambda: 1", False),
        ("'''docs'''", False),
        ("%matplotlib inline\n%load_ext autoreload\n%pip install x", False),
        ("import numpy as np\nnp.random.seed(0)", False),
        ("", False),
        ("# only a comment", False),
        ("x = f()", True),
        ("x = y", True),
        ("print(1)", True),
        ("%time x = 1", True),
        ("!ls", True),
        ("for i in x: pass", True),
        ("d['a'] = 1", True),
    ],
)
def test_what_is_work(source: str, work: bool) -> None:
    assert facts(source).work is work
    assert facts(source).empty is (not source.strip() or source.startswith("#"))


def test_cells_keep_the_numbers_of_the_notebook() -> None:
    found = analyse([Cell(3, "code", "x = 1"), Cell(7, "code", "x\nnope")])
    assert [(flow.source, flow.target) for flow in found.flows] == [(3, 7)]
    assert found.unresolved == {7: frozenset({"nope"})}
    assert [(d.code, d.cell, d.line) for d in found.diagnostics] == [("undefined-name", 7, 2)]


@pytest.mark.parametrize(
    ("source", "read"),
    [
        ("df.query('size > @least')", "df least"),
        ("smf.ols('y ~ np.log(least) + other', df)", "df least np other smf"),
        ("p = '~/least/np.csv'\nq = 'me@least'\nr = 'x @ least'", ""),
        ("def f(df): return df.query('@least > 1')", "least"),
        ("q = 'size > @least'\ndf.query(q)", "df least"),
        ("q = 'size > 1'\ndf.query(q)", "df"),
        ("y = pd.eval('df.a + other.b')", "df other pd"),
        ("y = df.eval('least + 1')", "df least"),
        ("def f(least): return pd.eval('df.a + least')", "df pd"),
        ("db.sql('select * from df')", "db df"),
        ("db.sql('FROM df')", "db df"),
        ("db.sql(f'select {least} from df join other on x')", "db df least other"),
        ("q = '-- all\\nSELECT a FROM df d, other'\ndb.execute(q)", "db df other"),
        ("with_ = 'with t as (select 1 from df) select * from t'", "df"),
        ("print('From least to other; select other')", ""),
        ("!echo $least {other} ${df} $$np", "df least other"),
        ("x = !head {df['a:b']} {least!r} {other:>5}", "df least other"),
        ("%env A={least}", "least"),
        ("%sql select * from df join other", "df other"),
        ("%%sql\nselect a << 2 from df", "df"),
        ("f'{least}' + '{}'.format(other)", "least other"),
        ("display(eval('least'))", "least"),
    ],
)
def test_names_in_texts(source: str, read: str) -> None:
    found = facts("df, least, np, smf, other, pd, db = v()", source)
    inner = found.defs["f"].code.deferred if "f" in found.defs and found.defs["f"].code else frozenset()
    assert " ".join(sorted(found.refs | inner)) == read


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("%sql rows << select * from df", {"defs": {"rows"}, "flags": {"opaque"}}),
        ("%%sql duckdb:// rows <<\nselect * from df", {"defs": {"rows"}, "flags": {"opaque"}}),
        ("%%sql --limit 3 rows <<\nselect * from df", {"defs": {"rows"}, "flags": {"opaque"}}),
        ("import pandas as pd\npd.eval(text())", {"flags": {"dynamic"}}),
        ("import numexpr as ne\nne.evaluate(text())", {"flags": {"dynamic"}}),
        ("import pandas as pd\nt = '1 + 2'\npd.eval(t)", {"flags": set()}),
        ("model.evaluate(rows)", {"flags": set()}),
    ],
)
def test_texts_that_bind_or_cannot_be_read(source: str, expected: dict[str, Any]) -> None:
    found = facts("df, text, model, rows = v()", source)
    for key, value in expected.items():
        told = {*getattr(found, key)}
        assert told >= value if key == "defs" else told == value
