"""The model server as a process: announcing, draining, loading, its bundle, its rules of who may speak."""

import concurrent.futures
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from jupyter_mlops.serving.diagnose import diagnose
from jupyter_mlops.serving.local.bundle import server_bundle
from jupyter_mlops.serving.server.__main__ import options_of
from tests.unit.serving.conftest import eventually
from tests.unit.serving.support import Client, card, python_model, serving, write_card


def echo(rows):
    return rows


def wait_for(marker):
    """A function that answers once a file exists, and says so in another one when it has begun."""

    def predict(rows):
        import pathlib
        import time

        if rows == ["quick"]:
            return rows
        pathlib.Path(marker + ".began").touch()
        until = time.monotonic() + 20
        while not pathlib.Path(marker).exists() and time.monotonic() < until:
            time.sleep(0.01)
        return rows

    return predict


def test_sigterm_lets_requests_in_flight_end(tmp_path):
    marker = tmp_path / "go"
    folder = python_model(tmp_path / "models", wait_for(str(marker)))
    with serving(folder, "slow") as (client, process), concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(client.post, "/v1/models/slow:predict", {"instances": [1]})
        assert eventually(Path(f"{marker}.began").exists)
        process.send_signal(signal.SIGTERM)
        assert eventually(lambda: _refused(client))
        assert not answer.done()
        marker.touch()
        assert answer.result(20) == (200, {"predictions": [1]})
        assert process.wait(20) == 0


def test_the_grace_has_an_end(tmp_path):
    folder = python_model(tmp_path / "models", wait_for(str(tmp_path / "never")))
    with serving(folder, "slow", "--grace", "0.2") as (client, process), concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(client.post, "/v1/models/slow:predict", {"instances": [1]})
        assert eventually((tmp_path / "never.began").exists)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        with pytest.raises(OSError):
            answer.result(10)


def test_health_answers_while_a_prediction_runs(tmp_path):
    marker = tmp_path / "go"
    folder = python_model(tmp_path / "models", wait_for(str(marker)))
    with serving(folder, "slow") as (client, _), concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(client.post, "/v1/models/slow:predict", {"instances": [1]})
        assert eventually((tmp_path / "go.began").exists)
        assert client.get("/v2/health/ready") == (200, {"ready": True})
        marker.touch()
        assert answer.result(20)[0] == 200


def _refused(client):
    try:
        with socket.create_connection(("127.0.0.1", client.port), timeout=1):
            return False
    except ConnectionError:
        return True


def test_it_listens_before_the_model_is_loaded_and_says_503(tmp_path):
    import cloudpickle

    marker = tmp_path / "go"

    class Slow:
        def __reduce__(self):
            return exec, (f"import os, time\nwhile not os.path.exists({str(marker)!r}): time.sleep(0.01)",)

    folder = write_card(tmp_path / "models", card(format="python", file="model.pkl", name="slow", packages={}))
    (folder / "model.pkl").write_bytes(cloudpickle.dumps(Slow()))
    with serving(folder, "slow", wait=False) as (client, process):
        assert client.get("/v2/health/live") == (200, {"live": True})
        assert client.get("/v2/health/ready") == (503, {"ready": False})
        assert client.get("/v2/models/slow/ready") == (503, {"name": "slow", "ready": False})
        assert client.get("/v2/models/slow") == (503, {"error": "model 'slow' is loading"})
        assert client.post("/v1/models/slow:predict", {"instances": [1]}) == (503, {"error": "model 'slow' is still loading"})
        assert client.post("/v2/repository/index", {})[1][0]["state"] == "LOADING"
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0  # loading is not waited for


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": "onyx"}, "model format 'onyx' is not known; one of "),
        ({"file": "gone.pkl"}, "the model file 'gone.pkl' is missing"),
        ({"file": "../models/model.pkl"}, "the model file '../models/model.pkl' is missing"),
        ({"signature": {"kind": "columns", "inputs": [{"name": "a", "datatype": "FP99"}]}}, "signature cannot be read: 'a' has datatype 'FP99'"),
        ({"signature": {"kind": "cube"}}, "signature cannot be read: kind is 'cube'"),
        ({"signature": 3}, "signature cannot be read"),
        ({"python": "3.8.1"}, "version mismatch: the model was made with Python 3.8"),
        ({"format": "sklearn"}, "model 'm' could not be loaded"),
    ],
)  # fmt: skip
def test_what_cannot_be_loaded_ends_the_server_with_a_sentence(tmp_path, change, said):
    folder = python_model(tmp_path / "models", echo)
    document = json.loads((folder / "mlops.json").read_text())
    write_card(folder, {**document, **change})
    if change == {"format": "sklearn"}:
        (folder / "model.pkl").write_bytes(b"not a pickle")
    log = tmp_path / "log"
    with serving(folder, "m", wait=False, log=log) as (_, process):
        assert process.wait(30) == 1
    assert said in log.read_text()


def test_a_folder_without_a_card_is_said(tmp_path):
    log = tmp_path / "log"
    with serving(write_card(tmp_path / "models", [1]), "m", wait=False, log=log) as (_, process):
        assert process.wait(30) == 1
    assert "mlops.json of the model cannot be read" in log.read_text()
    (tmp_path / "empty").mkdir()
    with serving(tmp_path / "empty", "m", wait=False, log=log) as (_, process):
        assert process.wait(30) == 1
    assert "the model folder has no mlops.json" in log.read_text()


def test_a_port_in_use_is_named(tmp_path):
    folder = python_model(tmp_path / "models", echo)
    log = tmp_path / "log"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with serving(folder, "m", "--port", str(port), wait=False, log=log) as (_, process):
            assert process.wait(30) == 98
    assert f"port {port} is in use" in log.read_text()


def test_a_unix_socket_is_for_this_user_alone(tmp_path):
    folder = python_model(tmp_path / "models", echo)
    path = Path(os.path.relpath(tmp_path / "s"))  # names of sockets may have about 100 characters
    with serving(folder, "m", "--socket", str(tmp_path / "s")):
        assert (tmp_path / "s").stat().st_mode & 0o777 == 0o600
        with socket.socket(socket.AF_UNIX) as raw:
            raw.connect(str(path))
            raw.sendall(b"GET /v2/health/ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert b"200 OK" in raw.recv(4096)


def test_only_loopback_is_listened_on(tmp_path):
    with serving(python_model(tmp_path / "models", echo), "m") as (client, process):
        listening = subprocess.run(["cat", f"/proc/{process.pid}/net/tcp"], capture_output=True, text=True).stdout
        ours = [
            line.split()[1]
            for line in listening.splitlines()
            if line.split()[1].endswith(f":{client.port:04X}") and line.split()[3] == "0A"
        ]
        assert ours == [f"0100007F:{client.port:04X}"]


def test_the_end_of_the_lifeline_ends_the_server(tmp_path):
    folder = python_model(tmp_path / "models", echo)
    said, says = os.pipe()
    lived, lives = os.pipe()
    command = [
        sys.executable,
        "-m",
        "jupyter_mlops.serving.server",
        str(folder),
        "--name",
        "m",
        "--pickles",
        "any",
        "--announce-fd",
        str(says),
    ]
    process = subprocess.Popen([*command, "--lifeline-fd", str(lived)], pass_fds=(says, lived), stderr=subprocess.DEVNULL)
    os.close(says)
    os.close(lived)
    with os.fdopen(said) as events:
        assert [json.loads(events.readline())["event"] for _ in range(2)] == ["listening", "ready"]
        os.close(lives)
        assert process.wait(10) == 0


def test_the_token_comes_from_a_file(tmp_path):
    folder = python_model(tmp_path / "models", echo)
    (tmp_path / "secret.json").write_text('{"token": "canary"}')
    with serving(folder, "m", "--token-file", str(tmp_path / "secret.json")) as (client, process):
        assert client.get("/v2/health/live")[0] == 401
        assert Client(client.port, "canary").get("/v2/health/live")[0] == 200
        assert b"canary" not in Path(f"/proc/{process.pid}/cmdline").read_bytes()
    with contextlib.redirect_stderr(None), pytest.raises(SystemExit):
        options_of(["folder", "--name", "m", "--token", "canary"])


def test_warnings_of_drift_are_announced(tmp_path):
    folder = python_model(tmp_path / "models", echo, packages={"numpy": "1.0", "no-such-package": "2.0"})
    log = tmp_path / "log"
    with serving(folder, "m", log=log):
        pass
    assert "serves a model made with 1.0" in log.read_text()
    assert "no-such-package 2.0 made the model and is not installed here" in log.read_text()


def test_an_interpreter_without_any_package_serves_from_the_bundle(tmp_path):
    """A venv with nothing in it: the model is a plain function, all else comes with the bundle."""
    venv.create(tmp_path / "env", with_pip=False, symlinks=True)
    python = tmp_path / "env" / "bin" / "python"
    bundle = server_bundle(tmp_path / "cache")
    assert server_bundle(tmp_path / "cache") == bundle
    bare = subprocess.run([python, "-c", "import tornado"], capture_output=True)
    assert bare.returncode != 0
    folder = python_model(tmp_path / "models", echo)
    said, says = os.pipe()
    command = [
        python,
        "-m",
        "jupyter_mlops.serving.server",
        str(folder),
        "--name",
        "m",
        "--pickles",
        "any",
        "--announce-fd",
        str(says),
    ]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, pass_fds=(says,), env={"PYTHONPATH": str(bundle)}, cwd=folder, stderr=log)
    os.close(says)
    try:
        with os.fdopen(said) as events:
            port = json.loads(events.readline() or '{"port": 0}')["port"]
            assert json.loads(events.readline() or "{}").get("event") == "ready", (tmp_path / "log").read_text()
            client = Client(port)
            assert client.post("/v1/models/m:predict", {"instances": [{"a": 1}]}) == (200, {"predictions": [{"a": 1}]})
            assert "request_predict_seconds" in client.get("/metrics", raw=True)[1].decode()
    finally:
        process.kill()
        process.wait(10)


def test_the_server_imports_nothing_else_of_ours(tmp_path):
    bundle = server_bundle(tmp_path)
    ours = {str(path.relative_to(bundle)) for path in (bundle / "jupyter_mlops").rglob("*.py")}
    assert {path for path in ours if not path.startswith(("jupyter_mlops/serving/server/", "jupyter_mlops/formats/"))} <= {
        "jupyter_mlops/__init__.py", "jupyter_mlops/_version.py", "jupyter_mlops/errors.py", "jupyter_mlops/serving/__init__.py",
    }  # fmt: skip
    code = "import sys, jupyter_mlops.serving.server.__main__; print([m for m in ('numpy', 'pandas', 'joblib', 'cloudpickle') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, env={"PYTHONPATH": str(bundle)})
    assert (found.returncode, found.stdout.strip()) == (0, "[]"), found.stderr


def test_a_file_of_the_working_folder_stands_in_for_nothing(tmp_path):
    folder = python_model(tmp_path / "models", echo)
    (folder / "cloudpickle.py").write_text("raise SystemExit('taken from the working folder')")
    with serving(folder, "m") as (client, _):
        assert client.get("/v2/health/ready")[0] == 200


def test_a_package_that_the_interpreter_lacks_is_named_when_the_model_is_loaded(tmp_path):
    """A table needs pandas: without it the server does not become ready, instead of failing at the first call."""
    venv.create(tmp_path / "env", with_pip=False, symlinks=True)
    folder = python_model(tmp_path / "models", echo, kind="columns", inputs=[{"name": "a", "datatype": "INT64"}], shape=[-1, 1])
    command = [
        tmp_path / "env" / "bin" / "python",
        "-m",
        "jupyter_mlops.serving.server",
        str(folder),
        "--name",
        "m",
        "--pickles",
        "any",
    ]
    env = {"PYTHONPATH": str(server_bundle(tmp_path / "cache"))}
    found = subprocess.run(command, env=env, capture_output=True, text=True, timeout=30)
    assert found.returncode == 1
    assert (
        diagnose(found.stderr, found.returncode).message == "the model needs the package 'pandas', which its Python does not have"
    )


def test_v2_needs_no_numpy_where_the_model_does_not(tmp_path):
    venv.create(tmp_path / "env", with_pip=False, symlinks=True)
    folder = python_model(tmp_path / "models", echo)
    code = f"""
import json, pathlib
from jupyter_mlops.serving.server.model import Model
model = Model("m", pathlib.Path({str(folder)!r}), rule="any")
model.load()
given = {{"inputs": [{{"name": "x", "shape": [2, 2], "datatype": "FP32", "data": [1, 2, 3, 4.5]}}]}}
print(json.dumps(model.infer(given, lambda *_: None)["outputs"]))
"""
    env = {"PYTHONPATH": str(server_bundle(tmp_path / "cache"))}
    found = subprocess.run([tmp_path / "env" / "bin" / "python", "-c", code], env=env, capture_output=True, text=True, timeout=30)
    assert json.loads(found.stdout) == [{"name": "predict", "shape": [2, 2], "datatype": "FP64", "data": [1.0, 2.0, 3.0, 4.5]}], (
        found.stderr
    )
