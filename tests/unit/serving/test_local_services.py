"""Services on this machine, with real processes: life, death, and what people are told."""

import concurrent.futures
import contextlib
import http.client
import json
import os
import re
import signal
import socket
import stat
import sys
from pathlib import Path

import pytest

from jupyter_mlops.errors import Conflict, NotAllowed, NotFound, PlatformError, Unavailable, WrongUsage
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.serving.base import Request
from jupyter_mlops.serving.local.backend import LocalBackend
from jupyter_mlops.serving.local.process import alive
from jupyter_mlops.serving.manifest import PORT, STOP
from jupyter_mlops.serving.predict import predict, sample
from jupyter_mlops.serving.wait import until_ready
from jupyter_mlops.settings import Settings, Storage
from tests.unit.serving.conftest import eventually, processes_of
from tests.unit.serving.support import ROWS, iris_model


def double(rows):
    return [row * 2 for row in rows]


def triple(rows):
    return [row * 3 for row in rows]


def needs_a_package(rows):
    import unheard_of_package

    return unheard_of_package.predict(rows)


class Broken:
    """A model that cannot be loaded: unpickling runs this."""

    def __init__(self, source):
        self.source = source

    def __reduce__(self):
        return exec, (self.source,)


def broken_folder(folder, source):
    import cloudpickle

    from tests.unit.serving.support import card, write_card

    write_card(folder, card(format="python", file="model.pkl", name=folder.name, packages={}))
    (folder / "model.pkl").write_bytes(cloudpickle.dumps(Broken(source)))
    return folder


def broken_model(machine, name, source):
    return machine.publish(name, broken_folder(machine.scratch / name, source))


def ask(machine, name, rows, namespace="default"):
    return predict(machine.backend, machine.models, name, namespace, rows).predictions


def condition(service, kind):
    return next(item for item in service.conditions if item.type == kind)


# -- the usual -------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_scikit_learn_model_from_the_registry_to_a_prediction(machine):
    version = machine.publish_iris()
    first = machine.backend.apply(machine.document("iris"))
    assert (first.phase, first.ready, first.url) == ("Pending", False, "")
    service = until_ready(machine.backend, "iris", "default", 60)
    assert service.phase == "Ready"
    assert service.model == "iris:v1"
    assert service.url.startswith("http://127.0.0.1:")
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", service.url), "the address below which all routes lie, as KServe writes it"
    assert service.document["status"]["modelStatus"]["transitionStatus"] == "UpToDate"
    assert service.document["metadata"]["annotations"]["jupyter-mlops.github.io/model-ref"] == f"models/iris@{version.digest}"
    assert {item.type: item.status for item in service.conditions} == {
        "IngressReady": "True", "PredictorReady": "True", "Ready": "True", "Stopped": "False",
    }  # fmt: skip
    prediction = predict(machine.backend, machine.models, "iris", "default", ROWS)
    assert prediction.predictions == [0, 2]
    assert prediction.milliseconds > 0
    assert predict(machine.backend, machine.models, "iris", "default").predictions == [0, 2]
    assert len(sample(machine.backend, machine.models, "iris", "default")) == 2
    metadata = machine.backend.call("iris", Request("GET", "/v2/models/iris/versions/v1"))
    assert metadata.status == 200
    machine.backend.control("iris", "delete")


@pytest.mark.slow
def test_stop_start_and_delete_leave_no_process(machine):
    machine.publish_python("double", double)
    machine.deploy("double")
    assert ask(machine, "double", [1, 2]) == [2, 4]
    assert len(processes_of(machine.settings.storage.home)) == 2
    stopped = machine.backend.control("double", "stop")
    assert (stopped.phase, stopped.ready, stopped.url) == ("Stopped", False, "")
    assert processes_of(machine.settings.storage.home) == []
    assert condition(machine.backend.get("double"), "Stopped").status == "True"
    assert machine.backend.get("double").document["metadata"]["annotations"][STOP] == "true"
    with pytest.raises(Unavailable, match="service 'double' is stopped"):
        ask(machine, "double", [1])
    assert machine.backend.control("double", "stop").phase == "Stopped"
    machine.backend.control("double", "start")
    assert until_ready(machine.backend, "double", "default", 60).ready
    assert STOP not in machine.backend.get("double").document["metadata"]["annotations"]
    assert ask(machine, "double", [3]) == [6]
    assert machine.backend.control("double", "delete").name == "double"
    assert processes_of(machine.settings.storage.home) == []
    assert not machine.place("double").folder.exists()
    with pytest.raises(NotFound, match="no service 'double'"):
        machine.backend.get("double")


@pytest.mark.slow
def test_applying_what_runs_changes_nothing_and_another_version_replaces_it(machine):
    machine.publish_python("model", double)
    first = machine.deploy("model")
    supervisor = machine.place("model").supervisor
    again = machine.backend.apply(machine.document("model"))
    assert again.ready
    assert machine.place("model").supervisor == supervisor
    machine.publish_python("model", triple)
    second = machine.deploy("model")
    assert second.model == "model:v2"
    assert second.created == first.created
    assert second.document["metadata"]["uid"] == first.document["metadata"]["uid"]
    assert second.document["metadata"]["generation"] > first.document["metadata"]["generation"]
    assert not alive(supervisor)
    assert ask(machine, "model", [1]) == [3]
    assert len(list(machine.place("model").models.iterdir())) == 1
    machine.backend.control("model", "delete")


@pytest.mark.slow
def test_two_services_and_two_backends_see_the_same(machine):
    machine.publish_python("double", double)
    machine.publish_python("triple", triple)
    machine.deploy("double", name="one")
    other = LocalBackend(machine.settings, machine.store)
    other.apply(machine.document("triple", name="two", namespace="lab"))
    until_ready(machine.backend, "two", "lab", 60)
    assert [(service.namespace, service.name, service.ready) for service in machine.backend.list()] == [
        ("default", "one", True),
        ("lab", "two", True),
    ]
    assert machine.backend.list() == other.list()
    assert ask(machine, "one", [1]) == [2]
    assert ask(machine, "two", [1], "lab") == [3]
    with pytest.raises(NotFound) as caught:
        other.get("three")
    assert caught.value.fix == "There is: one, lab/two."
    other.control("one", "stop")
    assert machine.backend.get("one").phase == "Stopped"
    for name, namespace in (("one", "default"), ("two", "lab")):
        machine.backend.control(name, "delete", namespace)
    assert machine.backend.list() == []


@pytest.mark.slow
def test_logs_hold_every_start_and_following_ends_with_the_service(machine):
    def shout(rows):
        print("shouted", rows)
        return rows

    machine.publish_python("shout", shout)
    machine.deploy("shout")
    ask(machine, "shout", ["hello"])
    lines = machine.backend.logs("shout", follow=True)
    seen = [next(lines)]
    while "shouted" not in seen[-1]:
        seen.append(next(lines))
    machine.backend.control("shout", "stop")
    list(lines)  # ends
    machine.backend.control("shout", "start")
    until_ready(machine.backend, "shout", "default", 60)
    assert sum("is ready after" in line for line in machine.backend.logs("shout")) == 2
    machine.backend.control("shout", "delete")


@pytest.mark.slow
def test_a_fixed_port_is_used_and_kept(machine):
    machine.publish_python("double", double)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    service = machine.deploy("double", port=port)
    assert f":{port}" in service.url
    assert service.document["metadata"]["annotations"][PORT] == str(port)
    os.kill(machine.place("double").server.pid, signal.SIGKILL)
    assert eventually(lambda: not machine.backend.get("double").ready)
    assert f":{port}" in until_ready(machine.backend, "double", "default", 60).url
    machine.backend.control("double", "delete")


def test_many_at_once_want_the_same(machine):
    machine.publish_python("double", double)
    document = machine.document("double")
    backends = [LocalBackend(machine.settings, machine.store) for _ in range(4)]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda backend: backend.apply(document), backends))
    until_ready(machine.backend, "double", "default", 60)
    assert len(processes_of(machine.settings.storage.home)) == 2
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(lambda backend: outcome(lambda: backend.control("double", "delete")), backends))
    assert sorted(outcomes) == ["NotFound", "NotFound", "NotFound", "Service"]
    assert processes_of(machine.settings.storage.home) == []


def outcome(act):
    try:
        return type(act()).__name__
    except NotFound as error:
        return type(error).__name__


@pytest.mark.slow
def test_a_failed_service_is_tried_again_when_it_is_deployed_again(machine, tmp_path):
    marker = tmp_path / "installed"
    broken_model(
        machine,
        "heals",
        f"import pathlib, sys\nif not pathlib.Path({str(marker)!r}).exists(): sys.exit('not installed')\nimport time; time.sleep(60)",
    )
    document = machine.document("heals")
    machine.backend.apply(document)
    with pytest.raises(PlatformError, match="not installed"):
        until_ready(machine.backend, "heals", "default", 60)
    marker.touch()
    assert machine.backend.apply(document).phase == "Pending"
    assert eventually(lambda: machine.backend.get("heals").phase == "Loading")
    machine.backend.control("heals", "delete")


@pytest.mark.slow
def test_a_log_that_grows_is_put_aside_while_it_is_written_and_followed(machine):
    def shout(rows):
        print("\n".join(f"{rows[0]} {'x' * 1000}" for _ in range(10_000)), flush=True)
        return rows

    machine.publish_python("shout", shout)
    machine.deploy("shout")
    place = machine.place("shout")
    followed = machine.backend.logs("shout", follow=True)
    next(followed)
    ask(machine, "shout", ["first"])
    assert eventually(lambda: (place.folder / "log.1").exists() and place.log.stat().st_size < 1 << 20)
    print_one = machine.backend.call("shout", Request("POST", "/v1/models/shout:predict", b'{"instances": ["second"]}'))
    assert print_one.status == 200
    assert any(line.startswith("second") for line in followed)
    machine.backend.control("shout", "delete")


def test_a_relative_home_is_the_same_home_for_the_supervisor(machine, tmp_path, monkeypatch):
    machine.publish_python("double", double)
    monkeypatch.chdir(tmp_path)
    settings = Settings(storage=Storage(home=Path("home")))
    backend = LocalBackend(settings, Layout(settings.storage.registry))
    backend.apply(machine.document("double"))
    assert until_ready(backend, "double", "default", 60).ready
    assert machine.backend.get("double").ready
    machine.backend.control("double", "delete")


# -- secrets ---------------------------------------------------------------------------------------------------------------


def test_the_token_is_asked_for_and_stands_nowhere_else(machine, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-of-the-shell")

    def environment(_rows):
        import os

        return [dict(os.environ)]

    machine.publish_python("env", environment)
    service = machine.deploy("env")
    place = machine.place("env")
    token = json.loads(place.secret.read_text())["token"]
    assert len(token) > 40
    assert stat.S_IMODE(place.secret.stat().st_mode) == 0o600
    assert stat.S_IMODE(machine.settings.storage.services.stat().st_mode) & 0o077 == 0
    port = int(service.url.split(":")[2].split("/")[0])
    for header in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": token}, {"Authorization": "Bearer \xfc"}):
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
            connection.request("GET", "/v2/models/env", headers=header)
            answer = connection.getresponse()
            assert answer.status == 401
            assert "Authorization: Bearer" in json.loads(answer.read())["error"]
    [seen] = ask(machine, "env", [1])
    assert "canary-of-the-shell" not in json.dumps(seen)
    assert token not in json.dumps(seen)
    assert token not in repr(service)
    assert token not in "\n".join(machine.backend.logs("env"))
    for path in place.folder.rglob("*"):
        if path.is_file() and path != place.secret:
            assert token.encode() not in path.read_bytes(), path
    for pid in processes_of(machine.settings.storage.home):
        for part in ("cmdline", "environ"):
            assert token.encode() not in Path(f"/proc/{pid}/{part}").read_bytes()
    machine.backend.control("env", "delete")


def test_headers_of_jupyter_are_not_handed_on(machine):
    machine.publish_python("double", double)
    machine.deploy("double")
    body = json.dumps({"instances": [1]}).encode()
    headers = {"Authorization": "token of-jupyter", "Cookie": "secret", "Host": "evil", "Content-Length": "1", "X-Kept": "1"}
    answer = machine.backend.call("double", Request("POST", "/v1/models/double:predict", body, headers))
    assert (answer.status, json.loads(answer.body)) == (200, {"predictions": [2]})
    machine.backend.control("double", "delete")


# -- faults ----------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_killed_server_is_started_again(machine):
    machine.publish_python("double", double)
    machine.deploy("double")
    killed = machine.place("double").server
    os.kill(killed.pid, signal.SIGKILL)
    assert eventually(lambda: machine.place("double").server not in {None, killed})
    until_ready(machine.backend, "double", "default", 60)
    assert ask(machine, "double", [4]) == [8]
    assert any("ended with exit code 137" in line for line in machine.backend.logs("double"))
    machine.backend.control("double", "delete")


@pytest.mark.slow
def test_a_killed_supervisor_is_noticed_takes_its_server_along_and_can_be_started_again(machine):
    machine.publish_python("double", double)
    machine.deploy("double")
    os.kill(machine.place("double").supervisor.pid, signal.SIGKILL)
    service = eventually(lambda: (found := machine.backend.get("double")).phase == "Failed" and found)
    assert service.ready is False
    assert "is gone" in service.message
    assert service.fix == "Start the service again."
    assert condition(service, "PredictorReady").reason == "SupervisorGone"
    with pytest.raises(Unavailable, match="is gone"):
        ask(machine, "double", [1])
    assert eventually(lambda: not processes_of(machine.settings.storage.home))
    machine.backend.control("double", "start")
    until_ready(machine.backend, "double", "default", 60)
    assert ask(machine, "double", [1]) == [2]
    machine.backend.control("double", "delete")


@pytest.mark.parametrize(
    ("name", "source", "code", "said"),
    [
        ("value", "raise ValueError('weights are wrong')", "model-failed", "ValueError: weights are wrong"),
        ("package", "import unheard_of_package", "missing-package", "the package 'unheard_of_package'"),
        ("memory", "raise MemoryError", "out-of-memory", "did not fit into the memory"),
        ("killed", "import os; os.kill(os.getpid(), 9)", "out-of-memory", "exit code 137"),
        ("segfault", "import faulthandler; faulthandler._sigsegv()", "crashed", "exit code 139"),
        ("exits", "import os; os._exit(3)", "model-failed", "exit code 3"),
        ("byname", "import __main__; __main__.clean", "model-failed", "has no attribute 'clean'"),
    ],
)
def test_a_broken_model_fails_fast_with_its_cause(machine, name, source, code, said):
    broken_model(machine, name, source)
    machine.backend.apply(machine.document(name))
    with pytest.raises(PlatformError) as caught:
        until_ready(machine.backend, name, "default", 60)
    assert caught.value.code == code
    assert said in str(caught.value)
    assert caught.value.fix
    service = machine.backend.get(name)
    assert (service.phase, service.ready) == ("Failed", False)
    assert condition(service, "PredictorReady").reason == "CrashLoopBackOff"
    model = service.document["status"]["modelStatus"]
    assert model["transitionStatus"] == "BlockedByFailedLoad"
    assert model["states"]["targetModelState"] == "FailedToLoad"
    failure = model["lastFailureInfo"]
    assert failure["reason"] == "ModelLoadFailed"
    assert failure["exitCode"] not in {None, 0}
    assert len(failure["message"].splitlines()) <= 20
    machine.backend.control(name, "delete")
    assert processes_of(machine.settings.storage.home) == []


@pytest.mark.slow
def test_a_broken_model_is_tried_again(machine, tmp_path):
    marker = tmp_path / "healed"
    broken_model(machine, "heals", f"import pathlib\nassert pathlib.Path({str(marker)!r}).exists(), 'not yet'")
    machine.backend.apply(machine.document("heals"))
    with pytest.raises(PlatformError, match="AssertionError: not yet"):
        until_ready(machine.backend, "heals", "default", 60)
    marker.touch()
    # what is loaded is None, which cannot be called: another failure than before, so it was tried again
    assert eventually(lambda: "has no predict" in machine.backend.get("heals").message)
    machine.backend.control("heals", "delete")


def test_a_port_in_use_is_refused_at_once_with_its_number(machine):
    machine.publish_python("double", double)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Conflict) as caught:
            machine.backend.apply(machine.document("double", port=port))
    assert caught.value.code == "port-in-use"
    assert str(port) in caught.value.message
    assert "--port" in caught.value.fix


def test_a_port_that_is_taken_later_is_named_too(machine):
    machine.publish_python("double", double)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    machine.deploy("double", port=port)
    machine.backend.control("double", "stop")
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port))
        taken.listen()
        with pytest.raises(Conflict, match=str(port)):
            machine.backend.control("double", "start")
    machine.backend.control("double", "delete")


def test_a_damaged_model_is_not_loaded(machine):
    version = machine.publish_python("double", double)
    document = machine.document("double")
    layers = [
        p
        for p in machine.settings.storage.registry.rglob("*")
        if p.is_file() and p.stat().st_size > 2000 and b"cloudpickle" in p.read_bytes()
    ]
    assert layers, version
    for layer in layers:
        layer.chmod(0o600)
        data = bytearray(layer.read_bytes())
        where = data.index(b"cloudpickle")
        data[where : where + 5] = b"CLOUD"
        layer.write_bytes(data)
    machine.backend.apply(document)
    with pytest.raises(PlatformError) as caught:
        until_ready(machine.backend, "double", "default", 60)
    assert not machine.place("double").server_path.exists()
    assert "sha256" in str(caught.value) or "digest" in str(caught.value)
    machine.backend.control("double", "delete")


def test_a_registry_that_others_can_write_to_is_not_trusted(machine):
    machine.publish_python("double", double)
    machine.settings.storage.registry.chmod(0o777)
    machine.backend.apply(machine.document("double"))
    with pytest.raises(PlatformError, match="others can write to the registry"):
        until_ready(machine.backend, "double", "default", 60)
    machine.backend.control("double", "delete")


def test_a_document_that_is_no_json_is_said_and_can_be_deleted(machine):
    machine.publish_python("double", double)
    machine.deploy("double")
    machine.backend.control("double", "stop")
    machine.place("double").document_path.write_text("{")
    with pytest.raises(PlatformError, match="is not JSON"):
        machine.backend.get("double")
    [listed] = machine.backend.list()
    assert (listed.name, listed.phase, listed.fix) == ("double", "Failed", "Delete the service and deploy again.")
    machine.backend.control("double", "delete")
    assert not machine.place("double").folder.exists()


# -- refusals --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"kind": "Deployment"}, WrongUsage, "not an InferenceService"),
        ({"apiVersion": "v1"}, WrongUsage, "apiVersion is 'v1'"),
        ({"metadata": {"name": "Bad_Name"}}, WrongUsage, "'Bad_Name' is not a service name"),
        ({"metadata": {"name": "x", "namespace": "../up"}}, WrongUsage, "'../up' is not a namespace"),
        ({"spec": {"predictor": {"model": {"storageUri": "oci+fetch://docker.io/evil@sha256:0"}}}}, NotAllowed, "not in this machine's registry"),
        ({"spec": {"predictor": {"containers": []}}}, NotAllowed, "not in this machine's registry"),
        ({"spec": {"predictor": {"model": {"storageUri": "oci+fetch://jupyter-mlops.local/models/double:v1"}}}}, WrongUsage, "by digest"),
        ({"spec": {"predictor": {"model": {"storageUri": f"oci+fetch://jupyter-mlops.local/models/double@sha256:{'0' * 64}"}}}}, WrongUsage, "by digest"),
    ],
)  # fmt: skip
def test_what_is_not_served(machine, change, error, said):
    machine.publish_python("double", double)
    with pytest.raises(error) as caught:
        machine.backend.apply({**machine.document("double"), **change})
    assert said in str(caught.value)
    assert caught.value.fix
    assert machine.backend.list() == []


@pytest.mark.slow
def test_a_kernel_that_is_gone_is_said_in_the_condition(machine):
    machine.publish("iris", iris_model(machine.scratch / "iris", kernel="gone-kernel", packages={"scikit-learn": "0.1"}))
    service = machine.deploy("iris")
    assert service.ready
    assert "kernel 'gone-kernel' is not installed" in service.message
    assert sys.executable in service.message
    assert "serves a model made with 0.1" in service.message
    machine.backend.control("iris", "delete")


def test_a_function_of_another_python_is_not_run(machine):
    machine.publish_python("old", double, python="3.8.1")
    machine.backend.apply(machine.document("old"))
    with pytest.raises(PlatformError) as caught:
        until_ready(machine.backend, "old", "default", 60)
    assert caught.value.code == "version-mismatch"
    assert "Python 3.8" in str(caught.value)
    machine.backend.control("old", "delete")


@pytest.mark.slow
def test_waiting_has_an_end(machine):
    broken_model(machine, "slow", "import time; time.sleep(60)")
    machine.backend.apply(machine.document("slow"))
    with pytest.raises(Unavailable, match="is not ready after 1 s"):
        until_ready(machine.backend, "slow", "default", 1)
    assert eventually(lambda: machine.backend.get("slow").phase == "Loading")
    with pytest.raises(Unavailable, match="service 'slow' is loading"):
        machine.backend.call("slow", Request("GET", "/v2"))
    machine.backend.control("slow", "delete")
    assert processes_of(machine.settings.storage.home) == []
