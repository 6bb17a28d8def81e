"""What a walk of names stands on: binds in layers, every node visited, a collector that is as it was."""

from __future__ import annotations

import ast
import gc
from collections import ChainMap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.dataflow.facts import Bind
from jupyter_mlops.dataflow.flow import Flow, parts_of
from jupyter_mlops.dataflow.link import analyse, uncollected
from jupyter_mlops.dataflow.names import Layered
from jupyter_mlops.notebook.document import Cell

NAMES = st.sampled_from(["a", "b", "c", "d"])
BINDS = st.dictionaries(NAMES, st.builds(Bind, st.booleans(), st.integers(1, 9)))


@given(BINDS, BINDS, NAMES)
def test_layers_are_a_chain_of_mappings(own, around, name):
    layered, chain = Layered(own, around), ChainMap(own, around)
    assert dict(layered) == dict(chain)
    assert len(layered) == len(chain)
    assert (name in layered) == (name in chain)
    assert layered.get(name) is chain.get(name)
    if name in chain:
        assert layered[name] is chain[name]
    else:
        with pytest.raises(KeyError):
            layered[name]


def test_layers_show_what_is_bound_later():
    own: dict[str, Bind] = {}
    layered = Layered(own, {})
    own["a"] = Bind(True, 1)
    assert layered["a"] is own["a"]


class Seen(Flow):
    """Notes what it visits and goes on as the base class does."""

    def __init__(self):
        self.nodes = []

    def visit(self, node):
        self.nodes.append(node)
        self.generic_visit(node)


@pytest.mark.parametrize(
    "source",
    [
        "x = [1, *a, -b, a < b <= c, a and b, lambda y, *z, k=1, **m: y]",
        "f(a, *b, c=d, **e); {**g, h: i}",
        "async def f(a: int = 1) -> b:\n    global c, d\n    async with e as g, h: pass\n    return {j async for j in k if l}",
        "try: pass\nexcept (A, B) as c: raise D from e\nfinally: del f[g:h:i].j",
        "match a:\n    case {'k': [b, *c], **d} | E(f, g=None) if h: pass",
        "class A(B, metaclass=C):\n    @d\n    def e(self): x: int = f'{g!r:>{h}}'",
    ],
)
def test_every_node_that_says_something_is_visited_in_order(source):
    tree = ast.parse(source)

    def expected(node):
        return [node, *(inner for child in ast.iter_child_nodes(node) for inner in expected(child))]

    silent = (ast.expr_context, ast.operator, ast.unaryop, ast.boolop, ast.cmpop)
    walker = Seen()
    walker.visit(tree)
    assert walker.nodes == [node for node in expected(tree) if not isinstance(node, silent)]
    assert parts_of(("left", "ops", "comparators")) == ("left", "comparators")


@pytest.mark.parametrize("on", [True, False])
def test_the_collector_is_as_it_was(on):
    during = []
    try:
        (gc.enable if on else gc.disable)()
        with uncollected():
            during.append(gc.isenabled())
        analyse([Cell(0, "code", "x = 1"), Cell(1, "code", "x +")])
        assert gc.isenabled() is on
        with pytest.raises(KeyError), uncollected():
            raise KeyError
        assert gc.isenabled() is on
    finally:
        gc.enable()
    assert during == [False]
