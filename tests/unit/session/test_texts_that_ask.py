"""Texts that name variables: each cell alone, given only what it asks for, does what it does in the whole notebook."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from jupyter_mlops.dataflow.link import analyse
from jupyter_mlops.notebook.document import Cell
from jupyter_mlops.runner.asks import asked_by
from tests.unit.session.one_process import Chain, one_namespace

FRAME = "import pandas as pd\ndf = pd.DataFrame({'a': [1, 2, 3], 'b': [4, 5, 6]})\nother = df * 10"
TEXTS: dict[str, list[str]] = {
    "query": ["least = 2", "r = df.query('a >= @least').b.sum()"],
    "query in a variable": ["least = 2\nq = 'a >= @least'", "r = df.query(q).b.sum()"],
    "query in a variable before its name": ["q = 'a >= @least'", "least = 2", "r = df.query(q).b.sum()"],
    "query in a function": ["least = 2\ndef big(of): return of.query('a >= @least')", "r = big(df).b.sum()"],
    "query in a function that is handed its text": ["def big(of, q): return of.query(q, global_dict={'least': least})", "least = 2",
                                                    "r = big(df, 'a >= @least').b.sum()"],
    "DataFrame.eval": ["least = 2", "r = df.eval('a + @least').sum()"],
    "DataFrame.eval of a column": ["least = 2", "df = df.eval('c = a * @least')", "r = df.c.sum()"],
    "pandas.eval": ["", "r = pd.eval('df.a + other.b').sum()"],
    "an f-string in a query": ["least, name = 2, 'a'", "r = df.query(f'{name} >= @least').b.sum()"],
}  # fmt: skip


@pytest.mark.parametrize("case", TEXTS)
def test_each_cell_alone_equals_the_whole(tmp_path: Path, case: str) -> None:
    cells = [FRAME, *TEXTS[case]]
    chain = Chain(tmp_path)
    alone = [chain.run(source) for source in cells][-1]
    assert alone["r"] == one_namespace(cells)["r"]


@pytest.mark.parametrize(
    ("source", "everything"),
    [
        ("r = pd.eval(text)", True),
        ("r = df.eval(f'a + {k}')", True),
        ("r = ne.evaluate(text)", True),
        ("r = pd.eval('df.a')", False),
        ("r = df.query('a > @' + name)", True),
        ("r = df.query(f'a > @{name}')", True),
        ("r = df.query(' and '.join(parts))", True),
        ("r = df.query(f'{column} > @least')", False),
        ("r = df.query(text)", False),
        ("session.query(User.id)", False),
        ("model.eval()", False),
        ("model.evaluate(rows)", False),
        ("%sql select * from df", True),
    ],
)
def test_a_text_that_only_the_run_knows_is_given_everything(source: str, everything: bool) -> None:
    from IPython.core.inputtransformer2 import TransformerManager

    shell = SimpleNamespace(user_ns={}, transform_cell=TransformerManager().transform_cell)
    assert asked_by([source], shell).everything is everything


@pytest.mark.parametrize("case", TEXTS)
def test_the_plan_says_which_cells_it_links(case: str) -> None:
    """The last cell is linked with the cells that bind what its text names, unless the plan says that it cannot know."""
    cells = [Cell(index, "code", source) for index, source in enumerate([FRAME, *TEXTS[case]])]
    found = analyse(cells)
    reached = {name for flow in found.flows for name in flow.names}
    named = {name for name in ("least", "other") if name in " ".join(TEXTS[case])}
    assert named <= reached
