"""Rows for a service from what notebooks hold."""

from __future__ import annotations

import json
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.errors import WrongUsage
from jupyter_mlops.kernel.rows import rows_of

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(JSON, max_size=5))
def test_json_rows_stay_as_they_are(rows):
    assert rows_of(rows) == rows


def test_tables_and_arrays():
    import numpy as np
    import pandas as pd

    table = pd.DataFrame(
        {"age": np.array([42, 7]), "name": ["a", None], "share": [0.5, np.nan], "day": pd.to_datetime(["2026-01-02", None])}
    )
    assert rows_of(table) == [
        {"age": 42, "name": "a", "share": 0.5, "day": "2026-01-02T00:00:00"},
        {"age": 7, "name": None, "share": None, "day": None},
    ]
    assert rows_of(np.array([[1.5, np.inf], [2, 3]])) == [[1.5, None], [2.0, 3.0]]
    assert rows_of(pd.Series([1, 2])) == [1, 2]
    assert rows_of(pd.DataFrame({"flag": pd.array([True, pd.NA], dtype="boolean")})) == [{"flag": True}, {"flag": None}]
    assert rows_of([np.int64(3), {"x": np.float32(0.5)}, np.arange(2)]) == [3, {"x": 0.5}, [0, 1]]


def test_one_row_and_dates():
    assert rows_of({"day": date(2026, 7, 1), "n": 1}) == [{"day": "2026-07-01", "n": 1}]


@given(st.lists(st.floats()))
def test_every_number_can_be_sent(numbers):
    json.dumps(rows_of(numbers), allow_nan=False)


@pytest.mark.parametrize(
    ("value", "message"),
    [(3, "is a int, not rows"), ("text", "is a str"), ({1, 2}, "is a set"), ([object()], "holds a object"), ([1j], "complex")],
)
def test_no_rows(value, message):
    with pytest.raises(WrongUsage, match=message):
        rows_of(value)
