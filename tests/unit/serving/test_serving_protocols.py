"""The model server over HTTP: every protocol, every mistake a caller can make, one process per kind of model."""

import concurrent.futures
import contextlib
import http.client
import json
import math
import socket

import pytest

from jupyter_mlops.serving.server.datatypes import NUMPY
from tests.unit.serving.support import COLUMNS, ROWS, Client, iris_model, linear_model, mixed_model, python_model, serving

RECORDS = [dict(zip(COLUMNS, row, strict=True)) for row in ROWS]


def tensor(data, shape=None, datatype="FP64", name="input-0"):
    flat = [value for row in data for value in row] if data and isinstance(data[0], list) else data
    shape = shape or ([len(data), len(data[0])] if isinstance(data[0], list) else [len(data)])
    return {"name": name, "shape": shape, "datatype": datatype, "data": flat}


@pytest.fixture(scope="module")
def iris(tmp_path_factory):
    folder = iris_model(tmp_path_factory.mktemp("iris") / "models")
    with serving(folder, "iris", "--version", "v3", "--body-limit", "100000") as (client, _):
        yield client


@pytest.fixture(scope="module")
def churn(tmp_path_factory):
    with serving(mixed_model(tmp_path_factory.mktemp("churn") / "models"), "churn") as (client, _):
        yield client


@pytest.fixture(scope="module")
def echo(tmp_path_factory):
    def predict(rows):
        if rows == ["fail"]:
            return 1 / 0
        if rows == ["exit"]:
            raise SystemExit(3)
        if rows == ["nan"]:
            return [math.nan, math.inf, 1.0]
        if rows == ["key"]:
            return rows[0]["missing"]
        return rows

    with serving(python_model(tmp_path_factory.mktemp("echo") / "models", predict, sample=["hello"]), "echo") as (client, _):
        yield client


@pytest.fixture(scope="module")
def linear(tmp_path_factory):
    with serving(linear_model(tmp_path_factory.mktemp("linear") / "models"), "linear") as (client, _):
        yield client


# -- answers ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        {"instances": ROWS},
        {"instances": RECORDS},
        {"instances": [dict(reversed(record.items())) for record in RECORDS]},
        {"inputs": ROWS},
        {"inputs": {name: [row[i] for row in ROWS] for i, name in enumerate(COLUMNS)}},
    ],
    ids=["rows", "records", "records in any order", "inputs", "columns"],
)
def test_v1_takes_rows_and_records(iris, body):
    assert iris.post("/v1/models/iris:predict", body) == (200, {"predictions": [0, 2]})


@pytest.mark.parametrize(
    "inputs",
    [
        [tensor(ROWS)],
        [tensor(ROWS, datatype="FP32")],
        [{**tensor(ROWS), "data": ROWS}],
        [tensor([row[i] for row in ROWS], name=name) for i, name in enumerate(COLUMNS)],
        [tensor([row[i] for row in ROWS], [2, 1], name=name) for i, name in reversed(list(enumerate(COLUMNS)))],
    ],
    ids=["flat", "FP32", "nested", "named columns", "columns of shape [n, 1], any order"],
)
def test_v2_takes_one_matrix_or_named_columns(iris, inputs):
    status, answer = iris.post("/v2/models/iris/infer", {"id": "42", "inputs": inputs})
    assert status == 200
    assert answer == {
        "model_name": "iris",
        "model_version": "v3",
        "id": "42",
        "outputs": [{"name": "predict", "shape": [2], "datatype": "INT64", "data": [0, 2]}],
    }


def test_versions_metadata_and_health(iris):
    assert iris.get("/v2/health/live") == (200, {"live": True})
    assert iris.get("/v2/health/ready") == (200, {"ready": True})
    assert iris.get("/v1/models") == (200, {"models": ["iris"]})
    assert iris.get("/v1/models/iris") == (200, {"name": "iris", "ready": True})
    for path in ("/v2/models/iris", "/v2/models/iris/versions/v3"):
        status, metadata = iris.get(path)
        assert status == 200
        assert metadata["versions"] == ["v3"]
        assert [tensor["name"] for tensor in metadata["inputs"]] == COLUMNS
        assert metadata["outputs"] == [{"name": "predict", "datatype": "INT64", "shape": [-1]}]
    assert iris.post("/v2/models/iris/versions/v3/infer", {"inputs": [tensor(ROWS)]})[0] == 200
    assert iris.get("/v2/models/iris/versions/v3/ready")[0] == 200
    assert iris.get("/v2")[1]["extensions"] == ["model_repository"]


@pytest.mark.slow
def test_mixed_columns_keep_their_types(churn):
    rows = [{"plan": "basic", "age": 30, "paid": True, "spend": 1.5}, {"plan": "pro", "age": 31.0, "paid": False, "spend": 20}]
    assert churn.post("/v1/models/churn:predict", {"instances": rows}) == (200, {"predictions": ["stays", "leaves"]})
    assert churn.post("/v1/models/churn:predict", {"instances": [list(row.values()) for row in rows]})[1]["predictions"] == [
        "stays",
        "leaves",
    ]
    named = [
        tensor(["basic", "pro"], datatype="BYTES", name="plan"),
        tensor([30, 31], datatype="INT64", name="age"),
        tensor([True, False], datatype="BOOL", name="paid"),
        tensor([1.5, 20.0], name="spend"),
    ]
    outputs = churn.post("/v2/models/churn/infer", {"inputs": named})[1]["outputs"]
    assert outputs == [{"name": "predict", "shape": [2], "datatype": "BYTES", "data": ["stays", "leaves"]}]
    missing = [{"plan": "basic", "age": None, "paid": True, "spend": None}]
    assert churn.post("/v1/models/churn:predict", {"instances": missing})[0] == 200


def test_arrays_of_a_numpy_model(linear):
    assert linear.post("/v1/models/linear:predict", {"instances": [[1, 2], [0.5, 0]]}) == (200, {"predictions": [9.0, 2.0]})
    outputs = linear.post("/v2/models/linear/infer", {"inputs": [tensor([[1, 2]], datatype="INT64")]})[1]["outputs"]
    assert outputs == [{"name": "y", "shape": [1], "datatype": "FP64", "data": [9.0]}]
    assert linear.get("/v2/models/linear")[1]["inputs"] == [{"name": "x", "datatype": "FP64", "shape": [-1, 2]}]


@pytest.mark.parametrize(("datatype", "data"), [("BYTES", ["a", "ü"]), ("BOOL", [True, False]), ("FP32", [0.5, 1.0])]
    + [(name, [0, 100]) for name in NUMPY if "INT" in name])  # fmt: skip
def test_every_datatype_goes_there_and_back(echo, datatype, data):
    outputs = echo.post("/v2/models/echo/infer", {"inputs": [tensor(data, datatype=datatype)]})[1]["outputs"]
    assert outputs[0]["data"] == data
    assert outputs[0]["shape"] == [2]


def test_several_inputs_of_an_unchecked_model_are_records(echo):
    inputs = [tensor(["a", "b"], datatype="BYTES", name="word"), tensor([1, 2], datatype="INT64", name="n")]
    outputs = echo.post("/v2/models/echo/infer", {"inputs": inputs})[1]["outputs"]
    assert [json.loads(item) for item in outputs[0]["data"]] == [{"word": "a", "n": 1}, {"word": "b", "n": 2}]


def test_what_json_has_no_word_for_becomes_null(echo):
    status, raw = echo.post("/v1/models/echo:predict", {"instances": ["nan"]}, raw=True)
    assert (status, raw) == (200, b'{"predictions":[null,null,1.0]}')


def test_fifty_at_once_each_get_their_own(iris, echo):
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda n: echo.post("/v1/models/echo:predict", {"instances": [n]})[1]["predictions"], range(50)))
        flowers = list(
            pool.map(lambda n: iris.post("/v1/models/iris:predict", {"instances": [ROWS[n % 2]]})[1]["predictions"], range(50))
        )
    assert answers == [[n] for n in range(50)]
    assert flowers == [[[0], [2]][n % 2] for n in range(50)]


def test_repository_index_unload_and_load(linear):
    assert linear.post("/v2/repository/index", {})[1] == [{"name": "linear", "version": "1", "state": "READY", "reason": ""}]
    assert linear("POST", "/v2/repository/models/linear/unload")[0] == 200
    assert linear.post("/v2/repository/index", {"ready": True})[1] == []
    assert linear.get("/v2/health/ready")[0] == 503
    assert linear.get("/v2/models/linear/ready")[0] == 503
    status, answer = linear.post("/v1/models/linear:predict", {"instances": [[1, 2]]})
    assert (status, answer) == (503, {"error": "model 'linear' is unloaded"})
    assert linear("POST", "/v2/repository/models/linear/load") == (200, {"name": "linear", "load": True})
    assert linear.post("/v1/models/linear:predict", {"instances": [[1, 2]]})[0] == 200


# -- mistakes --------------------------------------------------------------------------------------------------------------

V1, V2 = "/v1/models/iris:predict", "/v2/models/iris/infer"
WRONG = [
    (V1, {"instances": [ROWS[0][:3]]}, f"instances[0] has 3 values; expected 4 columns: {', '.join(COLUMNS)}"),
    (V1, {"instances": [ROWS[0], ROWS[0] + [1.0]]}, "instances[1] has 5 values; expected 4 columns"),
    (V1, {"instances": [{**RECORDS[0], "colour": 1}]}, "instances[0]: unexpected column 'colour'; expected 4 columns"),
    (V1, {"instances": [RECORDS[0], {"sepal_length": 1}]}, "instances[1]: missing columns 'sepal_width', 'petal_length', 'petal_width'"),
    (V1, {"instances": [{**{k: v for k, v in RECORDS[0].items() if k != "petal_width"}, "petal_widht": 1}]},
     "missing column 'petal_width', unexpected column 'petal_widht'; did you mean 'petal_width' instead of 'petal_widht'?"),
    (V1, {"instances": [{**RECORDS[0], "sepal_width": "wide"}]}, 'instances[0].sepal_width is "wide"; expected a number (FP64)'),
    (V1, {"instances": [[1, 2, 3, [4]]]}, "instances[0].petal_width is [4]; expected a number"),
    (V1, {"instances": [RECORDS[0], ROWS[0]]}, "instances[1] is a list, the rows before it are records"),
    (V1, {"instances": [5.1, 3.5, 1.4, 0.2]}, "instances[0] is a number; expected 4 columns"),
    (V1, {"instances": []}, "instances is empty"),
    (V1, {"instances": "x"}, "instances is text; send a list of rows"),
    (V1, {"instances": [[None, 1, 2, 3]]}, "does not take this input: ValueError: Input X contains NaN"),
    (V1, {}, 'instances is missing; send {"instances":'),
    (V1, [1], "instances is missing"),
    (V1, b"{", "the body is not JSON: Expecting property name enclosed in double quotes at line 1, column 2"),
    (V1, b"", "the body is empty"),
    (V1, b'{"a": "\xff"}', "the body is not UTF-8 at byte 7"),
    (V1, b"[" * 90000, "the body is"),
    (V2, {}, "inputs is missing"),
    (V2, {"inputs": []}, "inputs is missing or empty"),
    (V2, {"inputs": [3]}, "inputs[0] is a number; send {name, shape, datatype, data}"),
    *[(V2, {"inputs": [{k: v for k, v in tensor(ROWS).items() if k != key}]}, f"inputs[0].{key} is missing") for key in ("name", "shape", "datatype", "data")],
    (V2, {"inputs": [tensor(ROWS, datatype="FP99")]}, f'inputs[0].datatype "FP99" is not known; one of {", ".join(NUMPY)}'),
    (V2, {"inputs": [tensor(ROWS, [2, 3])]}, "inputs[0].data has 8 values but shape [2, 3] needs 6"),
    (V2, {"inputs": [tensor(ROWS, [-1, 4])]}, "inputs[0].shape is [-1, 4]; expected a list of whole numbers"),
    (V2, {"inputs": [tensor(ROWS, [4, 2])]}, "instances[0] has 2 values; expected 4 columns"),
    (V2, {"inputs": [tensor([1.5], datatype="INT64")]}, "inputs[0].data[0] is 1.5; expected a whole number (INT64)"),
    (V2, {"inputs": [tensor([300], datatype="UINT8")]}, "inputs[0].data[0] is 300, outside UINT8"),
    (V2, {"inputs": [tensor([2], datatype="BOOL")]}, "inputs[0].data[0] is 2, outside BOOL"),
    (V2, {"inputs": [tensor([1], datatype="BYTES")]}, "inputs[0].data[0] is 1; expected text (BYTES)"),
    (V2, {"inputs": [tensor(["1"], datatype="FP32")]}, 'inputs[0].data[0] is "1"; expected a number (FP32)'),
    (V2, {"inputs": [tensor([1.0], name="sepal_length")]}, "missing columns 'sepal_width', 'petal_length', 'petal_width'"),
    (V2, {"inputs": [tensor([1.0], name="sepal_length"), tensor([1.0], name="width")]}, "inputs: missing columns"),
    (V2, {"inputs": [tensor([1.0], name="a"), tensor([1.0], name="a")]}, "inputs[1].name 'a' stands twice"),
    (V2, {"inputs": [tensor([1.0] * (1 + (i == 2)), name=name) for i, name in enumerate(COLUMNS)]}, "inputs differ in length"),
    (V2, {"inputs": [tensor(ROWS)], "outputs": [{"name": "proba"}]}, "outputs: 'proba' is not an output; there is predict"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "body", "said"), WRONG, ids=[f"{i}-{row[2][:40]}" for i, row in enumerate(WRONG)])
def test_a_mistake_is_400_and_named(iris, path, body, said):
    status, answer = iris.post(path, body)
    assert (status, list(answer)) == (400, ["error"])
    assert said in answer["error"]
    assert "Traceback" not in answer["error"]


@pytest.mark.parametrize(
    ("instances", "said"),
    [
        ([[1, 2, 3]], "instances has shape [1, 3]; expected [-1, 2]"),
        ([[1, 2], [1]], "instances[0] has 2 values, instances[1] 1 value"),
        ([1, 2], "instances has shape [2]; expected [-1, 2]"),
        ([["a", 2]], 'instances[0][0] is "a"; expected a number (FP64)'),
    ],
)
def test_a_wrong_array_is_400_and_named(linear, instances, said):
    status, answer = linear.post("/v1/models/linear:predict", {"instances": instances})
    assert status == 400
    assert said in answer["error"]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"plan": 3}, "instances[0].plan is 3; expected text (BYTES)"),
        ({"age": "old"}, 'instances[0].age is "old"; expected a whole number (INT64)'),
        ({"age": 10**30}, "outside INT64"),
        ({"paid": 1.5}, "instances[0].paid is 1.5; expected true or false (BOOL)"),
        ({"plan": "gold"}, "does not take this input: ValueError: Found unknown categories ['gold']"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_400_and_named(churn, row, said):
    good = {"plan": "basic", "age": 30, "paid": True, "spend": 1.5}
    status, answer = churn.post("/v1/models/churn:predict", {"instances": [{**good, **row}]})
    assert status == 400
    assert said in answer["error"]


@pytest.mark.parametrize(
    ("method", "path", "status", "said"),
    [
        ("POST", "/v1/models/other:predict", 404, "model 'other' is not here; loaded: iris"),
        ("POST", "/v2/models/other/infer", 404, "model 'other' is not here; loaded: iris"),
        ("GET", "/v2/models/other", 404, "loaded: iris"),
        ("GET", "/v2/models/iris/versions/v9", 404, "model 'iris' has no version 'v9'; there is: v3"),
        ("GET", "/nowhere", 404, "no route /nowhere; see /docs"),
        ("GET", "/v2/models/iris/infer", 405, "Method Not Allowed"),
        ("POST", "/v2/repository/models/other/load", 404, "loaded: iris"),
    ],
)
def test_what_is_not_there(iris, method, path, status, said):
    code, answer = iris(method, path, b"{}" if method == "POST" else None)
    assert code == status
    assert said in answer["error"]


def test_a_model_that_fails_is_500_without_its_traceback(echo):
    assert echo.post("/v1/models/echo:predict", {"instances": ["fail"]}) == (
        500,
        {"error": "model 'echo' raised ZeroDivisionError: division by zero"},
    )
    assert echo.post("/v1/models/echo:predict", {"instances": ["exit"]}) == (500, {"error": "model 'echo' raised SystemExit: 3"})
    status, answer = echo.post("/v1/models/echo:predict", {"instances": ["key"]})
    assert status == 400
    assert "TypeError" in answer["error"]


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_above_the_limit_is_413(iris, chunked):
    body = b'{"instances": [' + b" " * 200_000 + b"]}"
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", iris.port, timeout=20)) as connection:
        with contextlib.suppress(ConnectionError):
            connection.request("POST", V1, iter([body[:1000], body[1000:]]) if chunked else body, encode_chunked=chunked,
                               headers={"Transfer-Encoding": "chunked"} if chunked else {})  # fmt: skip
        answer = connection.getresponse()
        assert (answer.status, json.loads(answer.read())) == (
            413,
            {"error": "the body has more than 100000 bytes; send fewer rows at a time"},
        )
    assert iris.post(V1, {"instances": ROWS})[0] == 200


def test_a_chunked_body_is_read(iris):
    body = json.dumps({"instances": ROWS}).encode()
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", iris.port, timeout=20)) as connection:
        connection.request("POST", V1, iter([body[:7], body[7:]]), encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
        assert json.loads(connection.getresponse().read()) == {"predictions": [0, 2]}


@pytest.mark.parametrize("header", [{"Content-Encoding": "gzip"}, {"Inference-Header-Content-Length": "10"}])
def test_a_body_in_another_form_is_415(iris, header):
    assert iris.post(V2, {"inputs": [tensor(ROWS)]}, headers=header)[0] == 415


def test_a_caller_that_goes_away_does_no_harm(iris):
    for part in (
        b"POST /v1/models/iris:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{",
        b"\x00\x01garbage\r\n\r\n",
        b"GET",
    ):
        with socket.create_connection(("127.0.0.1", iris.port)) as raw:
            raw.sendall(part)
    assert iris.post(V1, {"instances": ROWS})[0] == 200


# -- documents -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["iris", "churn", "echo", "linear"])
def test_the_examples_of_the_openapi_document_work(request, name):
    client: Client = request.getfixturevalue(name)
    document = client.get("/openapi.json")[1]
    calls = {path: verbs["post"] for path, verbs in document["paths"].items() if "post" in verbs}
    assert len(calls) == 2
    for path, post in calls.items():
        status, answer = client.post(path, post["requestBody"]["content"]["application/json"]["example"])
        assert status == 200, answer


def test_the_openapi_document_is_valid(churn):
    from openapi_spec_validator import validate

    validate(churn.get("/openapi.json")[1])


def test_the_page_for_people_loads_nothing(churn):
    status, page = churn.get("/docs", raw=True)
    text = page.decode()
    assert status == 200
    assert "src=" not in text
    assert "http:" not in text
    assert "<td>plan<td>BYTES" in text
    assert "/v2/models/churn/infer" in text


def test_metrics_count_calls_under_kserves_names(iris):
    before = iris.get("/metrics", raw=True)[1].decode()
    iris.post(V1, {"instances": ROWS})
    iris.post(V1, {"instances": []})
    after = iris.get("/metrics", raw=True)[1].decode()

    def value(text, series):
        return next((float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(series)), 0.0)

    for series, more in [
        ('request_predict_seconds_count{model_name="iris"}', 1),
        ('request_preprocess_seconds_count{model_name="iris"}', 1),
        ('mlops_requests_total{code="200",model_name="iris"}', 1),
        ('mlops_requests_total{code="400",model_name="iris"}', 1),
    ]:
        assert value(after, series) - value(before, series) == more, series
    assert "process_resident_memory_bytes" in after
