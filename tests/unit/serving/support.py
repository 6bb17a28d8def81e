"""Real models in real folders, a real server process, and the smallest client."""

import contextlib
import http.client
import json
import os
import platform
import signal
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

COLUMNS = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
ROWS = [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]]


def card(**changes):
    """A model card as docs/formats.md has it."""
    packages = {name: version(name) for name in ("scikit-learn", "numpy")}
    base = {
        "version": 1, "format": "sklearn", "file": "model.joblib", "name": "iris", "class": "sklearn.pipeline.Pipeline",
        "python": platform.python_version(), "kernel": "python3", "packages": packages,
        "signature": {
            "kind": "columns", "shape": [-1, 4], "inputs": [{"name": name, "datatype": "FP64"} for name in COLUMNS],
            "outputs": [{"name": "predict", "datatype": "INT64", "shape": [-1]}],
        },
        "sample": {"instances": [dict(zip(COLUMNS, row, strict=True)) for row in ROWS]}, "metrics": {"accuracy": 0.97},
    }  # fmt: skip
    return {**base, **changes}


def write_card(folder: Path, document) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "mlops.json").write_text(json.dumps(document))
    return folder


def iris_model(folder: Path, **changes) -> Path:
    """Logistic regression on a DataFrame; changes are of the card."""
    import joblib
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    data = load_iris(as_frame=True)
    frame = data.data.set_axis(COLUMNS, axis=1)
    write_card(folder, card(**changes))
    joblib.dump(make_pipeline(StandardScaler(), LogisticRegression()).fit(frame, data.target), folder / "model.joblib")
    return folder


def mixed_model(folder: Path) -> Path:
    """Text, whole numbers, truth values and numbers together, one-hot encoded."""
    import joblib
    import pandas as pd
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    frame = pd.DataFrame(
        {
            "plan": ["basic", "pro", "basic", "pro"] * 5,
            "age": list(range(20, 40)),
            "paid": [True, False] * 10,
            "spend": [1.5, 20.5] * 10,
        }
    )
    encode = make_column_transformer((OneHotEncoder(), ["plan"]), (SimpleImputer(), ["age", "paid", "spend"]))
    model = make_pipeline(encode, LogisticRegression()).fit(frame, frame.plan.map({"basic": "stays", "pro": "leaves"}))
    types = {"plan": "BYTES", "age": "INT64", "paid": "BOOL", "spend": "FP64"}
    signature = {
        "kind": "columns", "shape": [-1, 4], "inputs": [{"name": name, "datatype": kind} for name, kind in types.items()],
        "outputs": [{"name": "predict", "datatype": "BYTES", "shape": [-1]}],
    }  # fmt: skip
    write_card(
        folder, card(name="churn", signature=signature, sample={"instances": json.loads(frame[:2].to_json(orient="records"))})
    )
    joblib.dump(model, folder / "model.joblib")
    return folder


def python_model(folder: Path, predict, *, kind="any", inputs=(), shape=(), sample=None, **changes) -> Path:
    """A function, by value, as log_model stores one of a notebook."""
    import cloudpickle

    signature = {"kind": kind, "inputs": list(inputs), "shape": list(shape), "outputs": changes.pop("outputs", [])}
    document = card(
        format="python", file="model.pkl", name="echo", signature=signature, packages={"numpy": version("numpy")},
        sample=None if sample is None else {"instances": sample},
    )  # fmt: skip
    write_card(folder, {**document, **changes})
    predict.__module__ = "__main__"  # what a notebook's cell defines; pickled by value
    (folder / "model.pkl").write_bytes(cloudpickle.dumps(predict))
    return folder


def linear_model(folder: Path) -> Path:
    import numpy as np

    write_card(
        folder,
        card(
            format="numpy", file="model.npz", name="linear", sample={"instances": [[1.0, 2.0]]},
            signature={"kind": "tensor", "shape": [-1, 2], "inputs": [{"name": "x", "datatype": "FP64"}],
                       "outputs": [{"name": "y", "datatype": "FP64", "shape": [-1]}]},
        ),
    )  # fmt: skip
    np.savez(folder / "model.npz", weights=np.array([2.0, 3.0]), bias=np.array(1.0))
    return folder


@dataclass
class Client:
    """Calls one server."""

    port: int
    token: str = ""

    def __call__(self, method, path, body=None, *, headers=None, raw=False):
        sent = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            connection.request(method, path, data, {**sent, **(headers or {})})
            answer = connection.getresponse()
            text = answer.read()
            return answer.status, text if raw else json.loads(text)

    def post(self, path, body, **options):
        return self("POST", path, body, **options)

    def get(self, path, **options):
        return self("GET", path, **options)


@contextlib.contextmanager
def serving(folder: Path, name: str, *options: str, wait: bool = True, log: Path | None = None):
    """A server process over a model folder; yields client and process."""
    said, says = os.pipe()
    command = [
        sys.executable,
        "-m",
        "jupyter_mlops.serving.server",
        str(folder),
        "--name",
        name,
        "--announce-fd",
        str(says),
        "--pickles",
        "any",
        *options,
    ]
    with (log or folder.parent / f"{name}.log").open("ab") as output:
        process = subprocess.Popen(command, pass_fds=(says,), stdout=output, stderr=output, cwd=folder, start_new_session=True)
    os.close(says)
    try:
        with os.fdopen(said) as events:
            first = json.loads(events.readline() or '{"event": "nothing"}')
            if wait:
                assert json.loads(events.readline() or "{}").get("event") == "ready", output.name and Path(output.name).read_text()
            yield Client(first.get("port", 0)), process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)
