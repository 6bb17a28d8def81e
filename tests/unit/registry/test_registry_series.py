"""Series of metrics: what the logs of a run tell, kept with its record."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.registry.runs import RunRecords
from jupyter_mlops.registry.series import Point, read_series, series_of


def line(**fields):
    return b"@mlops " + json.dumps({"event": "metric", **fields}).encode() + b"\n"


def test_the_values_of_all_steps_in_order(tmp_path):
    train = tmp_path / "train.log"
    train.write_bytes(
        b"epoch 1\n" + line(name="loss", value=0.5, step=1, time="2026-01-01T00:00:00.000Z") + line(name="loss", value="nan", step=2)
        + b'@mlops no json\n@mlops 5\n@mlops {"event": "cell", "name": "loss", "value": 1}\n' + line(name="n", value=True)
        + b"not at the start " + line(name="loss", value=9) + line(name="acc", value=1, step=2)
    )  # fmt: skip
    found = read_series(
        series_of({"train.log": train, "load.log": line(name="rows", value=3), "workflow.json": line(name="x", value=1)})
    )
    assert found == [
        Point("rows", 3, "load"),
        Point("loss", 0.5, "train", 1, "2026-01-01T00:00:00.000Z"),
        Point("loss", "nan", "train", 2),
        Point("acc", 1, "train", 2),
    ]


@pytest.mark.parametrize("files", [{}, {"a.log": b""}, {"a.log": b"text\n"}, {"executed.ipynb": line(name="x", value=1)}])
def test_without_any_there_is_no_file(files):
    assert series_of(files) == b""
    assert read_series(b"") == []


@given(
    st.lists(st.tuples(st.text(min_size=1), st.floats(allow_nan=False, allow_infinity=False), st.none() | st.integers(0, 10**9)))
)
def test_every_value_comes_back(values):
    log = b"".join(line(name=name, value=value, **({} if step is None else {"step": step})) for name, value, step in values)
    assert [(point.name, point.value, point.step) for point in read_series(series_of({"a.log": log}))] == values


def test_a_record_keeps_them(tmp_path):
    records = RunRecords(Layout(tmp_path))
    records.put(
        "p", "r", {"name": "r"}, {"train.log": line(name="loss", value=0.5, step=1) + line(name="loss", value=0.25, step=2)}
    )
    assert [(point.step, point.value) for point in records.series("p", "r")] == [(1, 0.5), (2, 0.25)]
    assert set(records.files("p", "r")) == {"train.log", "metrics.jsonl"}
    records.put("p", "quiet", {"name": "quiet"}, {"train.log": b"hello\n"})
    assert records.series("p", "quiet") == ()
    assert set(records.files("p", "quiet")) == {"train.log"}
