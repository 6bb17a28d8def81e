"""Models, services and predictions from the command line, with real model servers."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.oci.made import note_made
from jupyter_mlops.oci.modelpack import publish_model
from tests.unit.serving.support import python_model

ROWS = [[1.0, 2.0], [3.0, 4.0]]


def total(rows: Any) -> Any:
    return [sum(row) for row in rows]


def broken(rows: Any) -> Any:
    raise RuntimeError("the model is unwell")


@pytest.fixture
def publish(mlops_home: Path, tmp_path: Path) -> Callable[..., Any]:
    """Register a version of a model that adds up its columns."""

    def make(name: str = "total", predict: Any = total) -> Any:
        number = time.monotonic_ns()
        folder = python_model(tmp_path / str(number), predict, name=name, sample=ROWS)
        store = Layout(mlops_home / "registry")
        made = publish_model(store, name, folder, key=f"run/step/{number}", annotations={}, metrics={"loss": 0.25})
        note_made(store, made.digest)
        return made

    return make


@pytest.fixture(autouse=True)
def _clean(mlops: Callable[..., Any], mlops_home: Path) -> Iterator[None]:
    """No model server is left after its test."""
    yield
    if (mlops_home / "services").is_dir():
        for service in mlops("services", "--json").json["services"]:
            assert mlops("services", "delete", service["name"], "--namespace", service["namespace"]).code == 0


@pytest.mark.slow
def test_models(mlops: Callable[..., Any], publish: Callable[..., Any]) -> None:
    publish()
    publish()
    [model] = mlops("models", "--json").json["models"]
    assert model["name"] == "total"
    newest, oldest = model["versions"]
    assert {"tag", "digest", "aliases", "metrics"} <= set(newest)
    assert (newest["tag"], oldest["tag"], newest["metrics"]) == ("v2", "v1", {"loss": 0.25})
    assert "total" in mlops("models").out
    assert newest["digest"] in mlops("models", "total").out
    assert mlops("models", "alias", "total", "v1", "champion").out == "total:champion is now total:v1\n"
    assert "champion" in mlops("models", "alias", "total", "v2", "champion", "--json").json["versions"][0]["aliases"]
    assert mlops("models", "delete", "total:v1", "--json").json == {"deleted": "total:v1"}
    gone = mlops("models", "delete", "total:v1")
    assert (gone.code, "v1" in gone.err) == (2, True)


@pytest.mark.slow
def test_deploy_predict_and_services_keep_their_contracts(
    mlops: Callable[..., Any], publish: Callable[..., Any], tmp_path: Path
) -> None:
    publish()
    done = mlops("deploy", "total", "--json")
    assert done.code == 0, done.err
    assert (done.json["service"], done.json["ready"]) == ("total", True)
    assert done.json["url"].startswith("http://127.0.0.1:")
    assert "total: " in done.err

    [service] = mlops("services", "--json").json["services"]
    assert {"name", "namespace", "ready", "url", "model", "phase"} <= set(service)
    assert (service["ready"], service["phase"], service["model"]) == (True, "Ready", "total:v1")
    assert "Ready" in mlops("services").out
    assert "CONDITION" in mlops("services", "total").out

    recorded = mlops("predict", "total", "--json").json
    assert recorded["predictions"] == [3.0, 7.0]
    assert recorded["milliseconds"] > 0
    (tmp_path / "rows.json").write_text(json.dumps([[5, 6]]))
    assert mlops("predict", "total", "--data", "rows.json").out == "11\n"
    assert mlops("predict", "total", "--data", "-", "--json", stdin='{"instances": [[7, 8]]}').json["predictions"] == [15]
    wrong = mlops("predict", "total", "--data", "-", stdin="{not json")
    assert wrong.code == 2
    assert "Traceback" not in wrong.err

    served = mlops("models", "delete", "total:v1")
    assert (served.code, "services delete total" in served.err) == (2, True)
    confused = mlops("stop", "total")
    assert (confused.code, "is a service, not a run" in confused.err) == (2, True)
    assert mlops("services", "stop", "total", "--json").json["phase"] == "Stopped"
    stopped = mlops("predict", "total")
    assert stopped.code == 1
    assert mlops("services", "start", "total").code == 0
    assert mlops("services", "logs", "total", "--json").json["lines"]
    assert mlops("services", "delete", "total").out == "total: deleted\n"
    assert mlops("services", "--json").json == {"services": []}


def test_a_port_in_use_is_told(mlops: Callable[..., Any], publish: Callable[..., Any]) -> None:
    publish()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = mlops("deploy", "total", "--port", str(port), "--json")
    assert done.code == 2
    assert str(port) in done.json["error"]["message"]
    assert done.json["error"]["fix"]


@pytest.mark.slow
def test_a_model_that_raises_fails_the_call_and_not_the_service(mlops: Callable[..., Any], publish: Callable[..., Any]) -> None:
    publish("unwell", broken)
    assert mlops("deploy", "unwell").code == 0
    done = mlops("predict", "unwell", "--json")
    assert done.code == 1
    assert "the model is unwell" in done.json["error"]["message"]
    assert mlops("services", "unwell", "--json").json["ready"] is True


@pytest.mark.slow
def test_detach_and_too_short_a_wait(mlops: Callable[..., Any], publish: Callable[..., Any]) -> None:
    publish()
    done = mlops("deploy", "total", "--detach", "--json", "--name", "later")
    assert (done.code, done.json["service"]) == (0, "later")
    hasty = mlops("deploy", "total", "--name", "hasty", "--timeout", "0", "--json")
    assert hasty.code == 1
    assert "not ready" in hasty.json["error"]["message"]


@pytest.mark.parametrize("words", [[], ["--no-auth"]])
def test_the_registry_is_served_until_interrupted(
    publish: Callable[..., Any], environment: dict[str, str], words: list[str]
) -> None:
    publish()
    command = [sys.executable, "-m", "jupyter_mlops.cli", "registry", "serve", "--json", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        try:
            told = json.loads(process.stdout.readline())
            host = told["url"].partition("//")[2]
            status, tags = tags_of(host, f"{told['user']}:{told['token']}" if told["token"] else None)
            assert (status, "v1" in tags.get("tags", ())) == (200, True)
            assert tags_of(host, "mlops:wrong")[0] == (200 if words else 401)
        finally:
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert "Traceback" not in err


def tags_of(host: str, login: str | None) -> tuple[int, Any]:
    connection = http.client.HTTPConnection(host, timeout=10)
    headers = {"Authorization": f"Basic {b64encode(login.encode()).decode()}"} if login else {}
    try:
        connection.request("GET", "/v2/models/total/tags/list", headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        return answer.status, json.loads(body) if answer.status == 200 else {}
    finally:
        connection.close()
