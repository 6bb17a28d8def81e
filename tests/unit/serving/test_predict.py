"""Predictions from whatever people have, through a real service of a real model."""

import json

import pytest

from jupyter_mlops.errors import NotFound, PlatformError, PredictionRejected, Unavailable, WrongUsage
from jupyter_mlops.serving.predict import predict, sample
from tests.unit.serving.support import COLUMNS, ROWS

RECORDS = [dict(zip(COLUMNS, row, strict=True)) for row in ROWS]
TENSOR = {"name": "x", "shape": [2, 4], "datatype": "FP64", "data": [value for row in ROWS for value in row]}
CSV = ",".join(COLUMNS) + "\n" + "\n".join(",".join(map(str, row)) for row in ROWS)


def forms():
    import numpy as np
    import pandas as pd

    return {
        "rows": ROWS,
        "records": RECORDS,
        "columns": {name: [row[i] for row in ROWS] for i, name in enumerate(COLUMNS)},
        "V1 body": {"instances": ROWS},
        "V2 body": {"inputs": [TENSOR]},
        "V2 columns": {
            "inputs": [{**TENSOR, "name": n, "shape": [2], "data": [r[i] for r in ROWS]} for i, n in enumerate(COLUMNS)]
        },
        "JSON": json.dumps(RECORDS),
        "JSON bytes": json.dumps({"instances": ROWS}).encode(),
        "V2 JSON": json.dumps({"inputs": [TENSOR]}),
        "CSV": CSV,
        "array": np.array(ROWS),
        "frame": pd.DataFrame(RECORDS),
        "sample": None,
    }


@pytest.mark.slow
def test_every_form_of_data_gives_the_same_predictions_and_every_mistake_its_error(machine):
    machine.publish_iris()
    machine.deploy("iris", name="flowers")

    def ask(data):
        return predict(machine.backend, machine.models, "flowers", "default", data)

    for name, data in forms().items():
        answer = ask(data)
        assert answer.predictions == [0, 2], name
        assert 0 < answer.milliseconds < 60_000
    assert ask(ROWS[1]).predictions == [2]
    assert ask(RECORDS[1]).predictions == [2]
    assert sample(machine.backend, machine.models, "flowers", "default") == RECORDS

    with pytest.raises(PredictionRejected) as rejected:
        ask([{"petal": 1}])
    assert "missing columns 'sepal_length'" in str(rejected.value)
    assert "unexpected column 'petal'" in str(rejected.value)
    assert rejected.value.fix
    with pytest.raises(PredictionRejected, match="needs 4"):
        ask({"inputs": [{**TENSOR, "shape": [1, 4]}]})
    with pytest.raises(WrongUsage):
        ask("a,b\n1")
    with pytest.raises(WrongUsage):
        ask(3)
    with pytest.raises(NotFound, match="no service 'others'") as unknown:
        predict(machine.backend, machine.models, "others", "default", ROWS)
    assert "flowers" in unknown.value.fix
    machine.backend.control("flowers", "stop")
    with pytest.raises(Unavailable, match="service 'flowers' is stopped") as stopped:
        ask(ROWS)
    assert stopped.value.fix == "Start it to use it again."
    machine.backend.control("flowers", "delete")


def test_a_model_without_sample_that_fails(machine):
    def fail(_rows):
        return 1 / 0

    machine.publish_python("fail", fail)
    machine.deploy("fail")
    with pytest.raises(NotFound, match="no sample was recorded") as caught:
        predict(machine.backend, machine.models, "fail", "default")
    assert "data=X" in caught.value.fix
    with pytest.raises(PlatformError, match="ZeroDivisionError") as failed:
        predict(machine.backend, machine.models, "fail", "default", [1])
    assert failed.value.code == "model-raised"
    machine.backend.control("fail", "delete")


@pytest.mark.slow
def test_text_columns_of_csv_stay_text(machine):
    def echo(frame):
        return [f"{kind.__name__}" for kind in map(type, frame["code"])]

    inputs = [{"name": "code", "datatype": "BYTES"}, {"name": "n", "datatype": "INT64"}]
    machine.publish_python("codes", echo, kind="columns", inputs=inputs, shape=[-1, 2])
    machine.deploy("codes")
    assert predict(machine.backend, machine.models, "codes", "default", "code,n\n007,1\n8,2").predictions == ["str", "str"]
    machine.backend.control("codes", "delete")


def test_several_outputs_become_records(machine):
    def both(rows):
        return {"twice": [row * 2 for row in rows], "text": [str(row) for row in rows]}

    machine.publish_python("both", both, sample=[1, 2])
    machine.deploy("both")
    expected = [{"twice": 2, "text": "1"}, {"twice": 4, "text": "2"}]
    assert predict(machine.backend, machine.models, "both", "default").predictions == expected
    body = {"inputs": [{"name": "n", "shape": [2], "datatype": "INT64", "data": [1, 2]}]}
    assert predict(machine.backend, machine.models, "both", "default", body).predictions == expected
    machine.backend.control("both", "delete")
