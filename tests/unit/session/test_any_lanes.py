"""A law: whatever two lanes do to containers, closures and classes, their merged state is that of document order, or is refused.

The programs are those of ``test_any_program.py``; each lane really runs from the state before both, through a real store.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from jupyter_mlops.runner.asks import what_was_asked
from jupyter_mlops.session.account import Account, account
from jupyter_mlops.session.mentions import mentions_of
from jupyter_mlops.session.merge import Side, clashes, merge
from jupyter_mlops.session.session import Asked
from jupyter_mlops.session.state import State
from tests.unit.session.one_process import Chain, one_namespace, shape
from tests.unit.session.test_any_program import NAMES, PRELUDE, STATEMENTS

BUSY = [f"touch({name})" for name in NAMES] + [f"{name} = [{name}, {name}]" for name in NAMES] + ["e = [1]", "e = a"]


@st.composite
def lanes(draw: st.DrawFn) -> list[str]:
    """One or two cells, each of statements about few names, so that two lanes often leave each other alone."""
    about = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=2))
    cells = []
    for _ in range(draw(st.integers(1, 2))):
        names = {key: draw(st.sampled_from(about)) for key in ("x", "y", "z")}
        cells.append(draw(st.sampled_from([*STATEMENTS, *BUSY])).format(**names))
    return cells


def ran(chain: Chain, base: State, step: str, cells: list[str]) -> Side:
    """A lane from the state before it, with the accounts of its cells as one."""
    chain.state, whole = base, Account()
    for source in cells:
        before = chain.state
        space = chain.run(source)
        mentions = mentions_of(compile(source, "<cell>", "exec", dont_inherit=True))
        own = what_was_asked(account(before, chain.state, chain.delivery.names), before, Asked(mentions), [source], space)
        whole = replace(whole, delivered={**whole.delivered, **own.delivered}, asked=(*whole.asked, *own.asked))
    return Side(step, chain.state, whole)


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(lanes(), lanes())
def test_lanes_come_together_as_in_order_or_not_at_all(first: list[str], second: list[str]) -> None:
    try:
        expected = shape(one_namespace([*PRELUDE, *first, *second]))
    except RecursionError:  # a closure that touches itself: the same in every kernel
        return
    with tempfile.TemporaryDirectory() as folder:
        chain = Chain(Path(folder))
        for source in PRELUDE:
            chain.run(source)
        base = chain.state
        sides = [ran(chain, base, "first", first), ran(chain, base, "second", second)]
        clash = bool(clashes(base, sides))
        event("refused" if clash else "together")
        if not clash:
            chain.state = merge(base, sides)
            assert shape(chain.all()) == expected
