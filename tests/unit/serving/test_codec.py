"""What goes into a model and what comes out, without a server: laws over generated data, and models as log_model writes them."""

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_mlops.errors import MlopsError, PlatformError, PredictionRejected
from jupyter_mlops.runner.card import write_model
from jupyter_mlops.serving.server import examples
from jupyter_mlops.serving.server.datatypes import NUMPY, datatype_of
from jupyter_mlops.serving.server.inputs import from_instances
from jupyter_mlops.serving.server.model import Model
from jupyter_mlops.serving.server.nesting import flatten, leaves, nest
from jupyter_mlops.serving.server.outputs import dumps, predictions
from jupyter_mlops.serving.server.signature import Signature, Tensor, signature_of
from jupyter_mlops.serving.server.tensors import from_tensors, to_tensors
from tests.unit.serving.support import python_model

FINITE = st.floats(allow_nan=False, allow_infinity=False)
NAMES = ("a", "b", "c")
TABLE = Signature("columns", tuple(Tensor(name, "FP64") for name in NAMES), (-1, 3))
JSON = st.recursive(st.none() | st.booleans() | st.integers() | FINITE | st.text(max_size=5),
                    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3), max_leaves=20)  # fmt: skip


def silent(_stage, _seconds):
    """Nobody counts."""


def tensor(data, shape, datatype, name="x"):
    return {"name": name, "shape": shape, "datatype": datatype, "data": data}


# -- shapes ----------------------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4))
def test_nesting_and_flattening_are_inverse(shape):
    import numpy as np

    flat = list(range(math.prod(shape)))
    nested = nest(flat, shape)
    assert nested == np.array(flat).reshape(shape).tolist()
    assert flatten(nested) == (shape, flat)
    assert list(leaves(nested)) == flat


def test_uneven_lists_have_no_shape():
    assert flatten([[1], [1, 2]]) is None
    assert flatten([1, [2]]) is None
    assert flatten([[[1]], [[1], [2]]]) is None
    assert flatten([]) == ([0], [])


# -- in --------------------------------------------------------------------------------------------------------------------


@given(st.lists(st.lists(FINITE | st.integers(-(2**53), 2**53), min_size=3, max_size=3), min_size=1, max_size=5))
def test_rows_records_columns_and_tensors_are_one_table(rows):
    frame = from_instances(TABLE, rows)
    assert list(frame.columns) == list(NAMES)
    assert frame.to_numpy().tolist() == rows
    assert frame.dtypes.astype(str).tolist() == ["float64"] * 3
    same = [
        from_instances(TABLE, [dict(zip(NAMES, row, strict=True)) for row in rows]),
        from_tensors(TABLE, [tensor([value for row in rows for value in row], [len(rows), 3], "FP64")]),
        from_tensors(TABLE, [tensor([row[i] for row in rows], [len(rows)], "FP64", name) for i, name in enumerate(NAMES)]),
    ]
    for other in same:
        assert other.equals(frame)


@given(JSON)
def test_no_json_is_ever_a_crash(value):
    signatures = [TABLE, Signature("tensor", (Tensor("x", "FP64"),), (-1, 2)), Signature("tensor", (), (-1, 2)), Signature("any")]
    text = Signature(
        "columns", tuple(Tensor(name, kind) for name, kind in zip(NAMES, ("BYTES", "INT64", ""), strict=True)), (-1, 3)
    )
    for signature in (*signatures, text):
        assert len(refusal(lambda: from_instances(signature, value))) < 2000  # noqa: B023
        assert len(refusal(lambda: from_tensors(signature, value))) < 2000  # noqa: B023


def refusal(read):
    """What the caller is told; nothing when it was taken. Any other exception is the test's failure."""
    try:
        read()
    except PredictionRejected as error:
        return error.message
    return ""


@settings(max_examples=50)
@given(JSON, JSON, JSON, JSON)
def test_no_tensor_is_ever_a_crash(name, shape, datatype, data):
    for kind in (datatype, "INT8", "FP64", "BYTES", "BOOL"):
        for extent in (shape, [len(data)] if isinstance(data, list) else [1]):
            given = [{"name": name, "shape": extent, "datatype": kind, "data": data}]
            for signature in (TABLE, Signature("any"), Signature("tensor", (Tensor("x", "INT8"),), (-1,))):
                refusal(lambda: from_tensors(signature, given))  # noqa: B023


def test_whole_numbers_stay_whole_and_lose_nothing():
    signature = Signature("columns", (Tensor("n", "INT64"),), (-1, 1))
    assert from_instances(signature, [[2**62], [3]])["n"].tolist() == [2**62, 3]
    assert str(from_instances(signature, [{"n": 2.0}])["n"].dtype) == "int64"
    assert from_instances(signature, [{"n": 2.5}])["n"].tolist() == [2.5]
    assert math.isnan(from_instances(signature, [{"n": None}])["n"][0])
    array = Signature("tensor", (Tensor("x", "INT8"),), (-1,))
    assert str(from_instances(array, [1, 2.0]).dtype) == "int8"
    assert from_instances(array, [1.5]).tolist() == [1.5]
    with pytest.raises(PredictionRejected, match="outside INT8, which is -128 to 127"):
        from_instances(array, [300])


def test_columns_without_a_recorded_type_are_taken_as_they_come():
    signature = signature_of({"signature": {"kind": "any", "feature_names": ["n", "t", "f"], "n_features": 3}})
    frame = from_instances(signature, [{"n": 1, "t": "x", "f": None}, {"n": 2, "t": None, "f": 0.5}])
    assert frame.dtypes.astype(str).to_dict() | {"t": ""} == {"n": "int64", "t": "", "f": "float64"}
    assert frame["t"][0] == "x"
    assert frame["t"].isna().tolist() == [False, True]
    with pytest.raises(PredictionRejected, match="missing columns 't', 'f'"):
        from_instances(signature, [{"n": 1}])


# -- out -------------------------------------------------------------------------------------------------------------------


@given(st.sampled_from([name for name in NUMPY if name != "BYTES"]), st.lists(st.integers(0, 1), min_size=1), st.booleans())
def test_what_a_model_gives_comes_out_with_its_type(datatype, values, deep):
    import numpy as np

    array = np.array(values, dtype=NUMPY[datatype])
    array = array.reshape(-1, 1) if deep else array
    [output] = to_tensors(Signature("any"), array)
    assert (output["datatype"], output["shape"], output["data"]) == (datatype, list(array.shape), values)
    assert type(output["data"][0]) in {bool, int, float}


@given(JSON)
def test_any_answer_can_be_sent_in_both_protocols(value):
    json.loads(dumps({"predictions": predictions(value)}))
    for output in to_tensors(Signature("any"), value):
        assert len(output["data"]) == math.prod(output["shape"])
        assert output["datatype"] in NUMPY
        json.loads(dumps(output))


def test_answers_of_every_form():
    import numpy as np
    import pandas as pd
    from scipy.sparse import csr_matrix

    frame = pd.DataFrame({"p": [0.5, 1.0], "label": ["a", "b"]})
    assert predictions(frame) == [{"p": 0.5, "label": "a"}, {"p": 1.0, "label": "b"}]
    assert [(o["name"], o["datatype"], o["data"]) for o in to_tensors(Signature("any"), frame)] == [
        ("p", "FP64", [0.5, 1.0]),
        ("label", "BYTES", ["a", "b"]),
    ]
    assert predictions({"a": np.array([1, 2]), "b": ["x", "y"]}) == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]
    assert predictions({"a": [1], "b": [1, 2]}) == [{"a": [1], "b": [1, 2]}]
    assert predictions(np.float32(0.5)) == [0.5]
    assert predictions(csr_matrix([[0, 1]])) == [[0, 1]]
    assert predictions((np.int64(1), 2)) == [1, 2]
    assert predictions("one") == ["one"]
    assert to_tensors(Signature("any"), csr_matrix([[0, 1]]))[0]["shape"] == [1, 2]
    assert to_tensors(Signature("any"), [[1], [1, 2]])[0] == {
        "name": "predict",
        "shape": [2],
        "datatype": "BYTES",
        "data": ["[1]", "[1, 2]"],
    }
    two = Signature("any", outputs=(Tensor("mean", "FP64"), Tensor("label", "BYTES")))
    assert [(o["name"], o["data"]) for o in to_tensors(two, ([0.5], ["x"]))] == [("mean", [0.5]), ("label", ["x"])]
    assert dumps({"x": [math.nan, 1.0]}) == b'{"x":[null,1.0]}'


@pytest.mark.parametrize(
    ("values", "datatype"),
    [
        ([], None),
        ([None], None),
        ([1], "INT64"),
        ([2**63], None),
        ([1, 0.5, None], "FP64"),
        ([True], "BOOL"),
        (["x"], "BYTES"),
        (["x", 1], None),
    ],
)
def test_the_type_of_json_values(values, datatype):
    assert datatype_of(values) == datatype


# -- models as log_model writes them ---------------------------------------------------------------------------------------


def logged(folder, model, data=None):
    folder.mkdir()
    write_model(folder, model, "m", data=data, metrics={})
    served = Model("m", folder, rule="any")
    served.load()
    return served


class Doubler:
    def predict(self, rows):
        return [row * 2 for row in rows]


def numpy_function(rows):
    return rows.sum(axis=1)


@pytest.mark.slow
def test_models_that_log_model_wrote_answer_their_own_examples(tmp_path):
    import numpy as np
    import pandas as pd
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    data = load_iris(as_frame=True)
    array, frame = data.data.to_numpy(), data.data
    trained = {
        "frame": (LogisticRegression(max_iter=500).fit(frame, data.target), frame),
        "array": (LogisticRegression(max_iter=500).fit(array, data.target), array),
        "frame, no data": (LogisticRegression(max_iter=500).fit(frame, data.target), None),
        "array, no data": (LogisticRegression(max_iter=500).fit(array, data.target), None),
        "function of arrays": (numpy_function, np.arange(6.0).reshape(3, 2)),
        "object of values": (Doubler(), [1, 2, 3]),
        "vector": (Doubler(), np.array([1.0, 2.0])),
        "frame of whole numbers": (lambda rows: rows["n"] + 1, pd.DataFrame({"n": [1, 2]})),
    }
    for number, (name, (model, rows)) in enumerate(trained.items()):
        served = logged(tmp_path / str(number), model, rows)
        given = examples.v1(served.signature)
        v1 = served.instances(given, silent)["predictions"]
        assert len(v1) == len(given["instances"]), name
        v2 = served.infer(examples.v2(served.signature), silent)["outputs"][0]
        assert v2["data"] == v1, name
        if rows is not None:
            direct = getattr(model, "predict", model)(rows[:2])
            assert v1 == (direct.tolist() if hasattr(direct, "tolist") else direct), name


def test_a_model_without_data_still_names_its_columns(tmp_path):
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    data = load_iris(as_frame=True)
    frames = logged(tmp_path / "frame", LogisticRegression(max_iter=500).fit(data.data, data.target))
    with pytest.raises(PredictionRejected, match=r"missing columns 'sepal length \(cm\)'"):
        frames.instances({"instances": [{"x": 1}]}, silent)
    arrays = logged(tmp_path / "array", LogisticRegression(max_iter=500).fit(data.data.to_numpy(), data.target))
    with pytest.raises(PredictionRejected, match=r"instances has shape \[1, 3\]; expected \[-1, 4\]"):
        arrays.instances({"instances": [[1, 2, 3]]}, silent)


def test_an_estimator_that_reads_rows_as_something_else_is_not_believed(tmp_path):
    """A text vectorizer iterates a DataFrame by its column names: three rows would silently become one prediction."""
    import pandas as pd
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.naive_bayes import MultinomialNB
    from sklearn.pipeline import make_pipeline

    texts = pd.Series(["good", "bad", "good good"], name="text")
    model = make_pipeline(CountVectorizer(), MultinomialNB()).fit(texts, [1, 0, 1])
    served = logged(tmp_path / "text", model, texts)
    if served.signature.kind == "columns":
        with pytest.raises(MlopsError, match="gave 1 predictions for 3 rows"):
            served.instances({"instances": [[text] for text in texts]}, silent)
    else:
        assert served.instances({"instances": list(texts)}, silent)["predictions"] == [1, 0, 1]


def test_an_estimator_stored_with_a_notebooks_code_is_bound_to_its_python(tmp_path):
    from sklearn.base import BaseEstimator

    class Own(BaseEstimator):
        def predict(self, rows):
            return [1 for _ in rows]

    Own.__module__ = "__main__"
    folder = tmp_path / "own"
    served = logged(folder, Own())
    assert served.instances({"instances": [1]}, silent) == {"predictions": [1]}
    card = json.loads((folder / "mlops.json").read_text())
    (folder / "mlops.json").write_text(json.dumps({**card, "python": "3.8.1"}))
    with pytest.raises(PlatformError, match="version mismatch"):
        Model("m", folder, rule="any").load()


def test_a_model_that_is_none_is_refused(tmp_path):
    folder = python_model(tmp_path / "models", lambda rows: rows)
    import cloudpickle

    (folder / "model.pkl").write_bytes(cloudpickle.dumps({"weights": [1]}))
    served = Model("m", folder, rule="any")
    with pytest.raises(PlatformError, match=r"the model is builtins\.dict, which has no predict"):
        served.load()
    assert served.state == "failed"
    assert "builtins.dict" in served.reason
