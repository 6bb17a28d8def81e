"""Times of cells, as the front ends of the world write them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.notebook.document import Cell
from jupyter_mlops.pipeline.recorded import recorded_seconds

LAB = {
    "iopub.execute_input": "2024-05-01T10:00:00.250000Z",
    "iopub.status.busy": "2024-05-01T10:00:00.200000Z",
    "iopub.status.idle": "2024-05-01T10:00:02.500000Z",
    "shell.execute_reply": "2024-05-01T10:00:02.250000Z",
}


@pytest.mark.parametrize(
    ("metadata", "seconds"),
    [
        ({}, None),
        ({"execution": LAB}, 2.0),
        ({"execution": {key: LAB[key] for key in LAB if "iopub.status" in key}}, 2.3),
        ({"execution": {"iopub.execute_input": LAB["iopub.execute_input"]}}, None),
        ({"execution": {**LAB, "shell.execute_reply": "2024-05-01T09:59:00Z"}}, None),
        ({"execution": {**LAB, "shell.execute_reply": "2024-05-01T10:00:02"}}, None),
        ({"execution": {**LAB, "iopub.execute_input": 3, "iopub.status.busy": "yesterday"}}, None),
        ({"execution": []}, None),
        ({"execution": {**LAB, "shell.execute_reply": "2024-05-01T12:00:02.2500001234+02:00"}}, 2.0),
        ({"ExecuteTime": {"start_time": "2020-01-01T00:00:00.500Z", "end_time": "2020-01-01T00:01:00.500Z"}}, 60.0),
        ({"papermill": {"duration": 1.5, "status": "completed"}}, 1.5),
        ({"papermill": {"duration": None}}, None),
        ({"papermill": {"duration": True}}, None),
        ({"papermill": {"duration": float("nan")}}, None),
        ({"papermill": {"duration": -1}}, None),
        ({"execution": {}, "papermill": {"duration": 4}}, 4.0),
    ],
)
def test_what_front_ends_write(metadata: dict[str, Any], seconds: float | None) -> None:
    found = recorded_seconds(Cell(0, "code", "x", metadata=metadata))
    assert found == (None if seconds is None else pytest.approx(seconds))


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)


@pytest.mark.slow
@given(st.dictionaries(st.sampled_from(["execution", "ExecuteTime", "papermill"]), JSON))
def test_nothing_that_stands_there_breaks_it(metadata: dict[str, Any]) -> None:
    found = recorded_seconds(Cell(0, "code", "x", metadata=metadata))
    assert found is None or found >= 0
