"""What people give as data becomes rows, and nothing is changed on the way."""

import csv
import io
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.errors import WrongUsage
from jupyter_mlops.serving.rows import instances_of, is_infer_body, json_value, parse_data


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("[[1, 2.5]]", [[1, 2.5]]),
        ('  {"instances": [[1]]} ', {"instances": [[1]]}),
        ('{"a": 1}\n{"a": 2}\n', [{"a": 1}, {"a": 2}]),
        ("a,b\n1,2.5\n", [{"a": 1, "b": 2.5}]),
        ("\ufeffa,b\r\n1,x\r\n\r\n", [{"a": 1, "b": "x"}]),
        ('name,zip\n"Doe, J",01234\n', [{"name": "Doe, J", "zip": "01234"}]),
        ("a,b,c,d,e\n,true,False,NaN,-1e-3", [{"a": None, "b": True, "c": False, "d": None, "e": -0.001}]),
        ("a,b\n1.,.5\n+7,1e5", [{"a": 1.0, "b": 0.5}, {"a": 7, "b": 100000.0}]),
        ("a\n1_000", [{"a": "1_000"}]),
        ("a\n.", [{"a": "."}]),
    ],
)
def test_text_is_read(text, rows):
    assert parse_data(text) == rows


def test_columns_of_text_stay_text():
    assert parse_data("plan,code,n\n7,true,7", frozenset({"plan", "code"})) == [{"plan": "7", "code": "true", "n": 7}]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the data is empty"),
        ("  \n ", "the data is empty"),
        ("[1,", "the data is not JSON: Expecting value at line 1, column 4"),
        ('{"a": 1}\n{"a":', "the data is not JSON"),
        ("a,b", "the CSV has a header and no rows"),
        ("a,a\n1,2", "the header of the CSV is a, a"),
        ("a,\n1,2", "every column needs a name"),
        ("a,b\n1", "line 2 of the CSV has 1 values, the header has 2"),
        ('a\n"x', "the data is not CSV"),
    ],
)
def test_text_that_is_no_data_is_refused_with_the_place(text, said):
    with pytest.raises(WrongUsage) as caught:
        parse_data(text)
    assert said in str(caught.value)
    assert "CSV" in caught.value.fix


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from("abc"), st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.none(), min_size=3
        ),
        min_size=1,
    )
)
def test_numbers_survive_csv(records):
    text = io.StringIO()
    writer = csv.DictWriter(text, ["a", "b", "c"])
    writer.writeheader()
    writer.writerows(records)
    assert parse_data(text.getvalue()) == [{name: record[name] for name in "abc"} for record in records]


@pytest.mark.slow
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False),
                    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))  # fmt: skip
def test_json_stays_what_it_is(value):
    assert json_value(value) == value
    assert json.loads(json.dumps(value)) == value


@pytest.mark.parametrize(
    ("data", "single", "rows"),
    [
        ([[1, 2]], True, [[1, 2]]),
        ([1, 2], True, [[1, 2]]),
        ([1, 2], False, [1, 2]),
        ({"a": 1, "b": "x"}, True, [{"a": 1, "b": "x"}]),
        ({"a": [1, 2], "b": [3, 4]}, True, [{"a": 1, "b": 3}, {"a": 2, "b": 4}]),
        ({"instances": [[1]]}, True, [[1]]),
        ({"inputs": [[1]]}, True, [[1]]),
        ([{"a": 1}], True, [{"a": 1}]),
        ((1, 2), False, [1, 2]),
        ([], True, []),
    ],
)
def test_rows_of_what_was_given(data, single, rows):
    assert instances_of(data, single_row=single) == rows


def test_frames_arrays_and_what_json_lacks():
    import numpy as np
    import pandas as pd

    frame = pd.DataFrame({"a": np.array([1, 2]), "b": [0.5, math.nan], "c": ["x", None], "d": pd.to_datetime(["2026-01-02", None])})
    rows = instances_of(frame, single_row=True)
    assert rows == [{"a": 1, "b": 0.5, "c": "x", "d": "2026-01-02T00:00:00"}, {"a": 2, "b": None, "c": None, "d": None}]
    assert json.loads(json.dumps(rows)) == rows
    assert instances_of(np.arange(4.0).reshape(2, 2), single_row=True) == [[0.0, 1.0], [2.0, 3.0]]
    assert instances_of(np.arange(2), single_row=True) == [[0, 1]]
    assert instances_of(frame.a, single_row=False) == [1, 2]


@pytest.mark.parametrize("data", [3, "text", b"bytes", object()])
def test_what_is_no_data_is_refused(data):
    with pytest.raises(WrongUsage, match="is not data for a model"):
        instances_of(data, single_row=True)


@pytest.mark.parametrize(
    ("data", "is_v2"),
    [
        ({"inputs": [{"name": "x", "datatype": "FP64"}]}, True),
        ({"inputs": [[1]]}, False),
        ({"inputs": []}, False),
        ([], False),
        ({"instances": []}, False),
    ],
)
def test_v2_bodies_are_told_from_v1(data, is_v2):
    assert is_infer_body(data) is is_v2
