"""When the single kernel has to run once more, to tell chance from a difference."""

from __future__ import annotations

import pytest

from jupyter_mlops.check.check import _SEEDING, _open
from jupyter_mlops.check.verdict import Difference


def one(cell: int | None, *, unsteady: bool = False) -> Difference:
    return Difference("output", "stderr", "a", "b", cell=cell, unsteady=unsteady)


@pytest.mark.parametrize(
    ("found", "again"),
    [
        ([], False),
        ([one(1)], False),
        ([one(1, unsteady=True)], False),
        ([one(1, unsteady=True), one(2)], False),
        ([one(1, unsteady=True), one(1)], True),
        ([one(None, unsteady=True), one(None)], False),
    ],
)
def test_another_run_is_wanted_where_a_cell_differs_by_chance_and_in_more(found: list[Difference], again: bool) -> None:
    assert _open(found) is again


@pytest.mark.parametrize(
    ("source", "seeds"),
    [
        ("np.random.seed(0)", True),
        ("torch.manual_seed (7)", True),
        ("seed_everything(1)", True),
        ("set_seed(1)", True),
        ("train_test_split(X, random_state=seed)", False),
        ("seed = 7", False),
    ],
)
def test_the_words_of_calls_that_seed(source: str, seeds: bool) -> None:
    assert bool(_SEEDING.search(source)) is seeds
