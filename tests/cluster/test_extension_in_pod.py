"""The extension in a pod of the cluster: a notebook server that has a service account and the namespace's ConfigMap, no setting.

What a person does in JupyterLab is done through the REST interface that its panels use, from targets to a prediction.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from jupyter_mlops.cluster.base import INFERENCE_SERVICES, WORKFLOWS, Cluster
from jupyter_mlops.engine.base import DONE
from tests.cluster.conftest import wait_for
from tests.cluster.pod_image import has_front_end, image_with_server
from tests.cluster.pod_server import API, PodServer, server_in_pod, until
from tests.cluster.pods import PERSON, namespace_for_people, notebook, same_python

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(500)]

TARGET = "in-cluster"


@pytest.fixture(scope="module")
def place(cluster: Cluster, registry: str, python_image: str) -> Iterator[tuple[str, PodServer]]:
    image = image_with_server(same_python(python_image))
    with (
        namespace_for_people(cluster, "h-lab-pod", registry, python_image) as name,
        server_in_pod(cluster, name, image) as server,
    ):
        yield name, server


@pytest.fixture
def namespace(place: tuple[str, PodServer]) -> str:
    return place[0]


@pytest.fixture
def server(place: tuple[str, PodServer]) -> PodServer:
    return place[1]


def test_the_target_is_found_and_healthy_with_no_setting(server: PodServer, namespace: str) -> None:
    listed = server.api("GET", "targets")
    assert (listed["default"], [one["name"] for one in listed["targets"]]) == (TARGET, ["local", TARGET])
    found = server.api("POST", f"targets/{TARGET}/check", {})
    assert found["namespace"] == namespace
    assert found["health"] in {"ok", "warn"}
    assert [check for check in found["checks"] if check["level"] == "fail"] == []
    who = next(check for check in found["checks"] if check["id"] == "TK01")["why"]
    assert f"system:serviceaccount:{namespace}:{PERSON}" in who


@pytest.mark.parametrize("word", ["", "guessed"])
def test_nobody_gets_in_without_the_token(server: PodServer, word: str) -> None:
    for method, path, body in (("GET", "targets", None), ("POST", "runs", {"path": "iris.ipynb"}), ("GET", "runs", None)):
        assert server.request(method, f"{API}/{path}", body, token=word)[0] in {401, 403}


def test_the_page_loads_our_part_of_the_front_end(server: PodServer) -> None:
    if not has_front_end():
        pytest.skip("NOT RUN: the front end is not built")
    status, page = server.request("GET", "lab")
    assert status == 200
    assert "jupyter-mlops" in str(page).partition("federated_extensions")[2][:3000]


def converted_and_run(server: PodServer) -> dict[str, Any]:
    status, _ = server.request("PUT", "api/contents/iris.ipynb", {"type": "notebook", "format": "json", "content": notebook()})
    assert status == 201
    plan = server.api("POST", "convert", {"path": "iris.ipynb"})
    assert [d for d in plan["diagnostics"] if d["severity"] == "error"] == []
    run = server.api("POST", "runs", {"path": "iris.ipynb"})
    assert (run["target"], [step["name"] for step in run["steps"]]) == (TARGET, [step["name"] for step in plan["steps"]])
    return until(server, f"runs/{run['name']}", lambda now: now["phase"] in DONE)


def test_run_deploy_and_predict_are_told_by_events(server: PodServer, namespace: str, cluster: Cluster) -> None:
    server.api("GET", "runs")  # an open panel: from now on the server watches
    with server.events() as told:

        def heard(kind: str, name: str, phase: str) -> bool:
            return any((one.get("kind"), one.get("name"), one.get("phase")) == (kind, name, phase) for one in told)

        run = converted_and_run(server)
        assert run["phase"] == "Succeeded", run["failure"]
        assert (run["metrics"], [model["name"] for model in run["models"]]) == ({"accuracy": 1.0}, ["pod-model"])
        assert cluster.get(WORKFLOWS, run["name"], namespace)["status"]["phase"] == "Succeeded"
        for kind, name, phase in (
            ("run", run["name"], "Running"),
            ("run", run["name"], "Succeeded"),
            ("model", "pod-model", "Changed"),
        ):
            wait_for(lambda kind=kind, name=name, phase=phase: heard(kind, name, phase), f"{phase} of {name} in {told}", 30)
        lines = server.api("GET", f"runs/{run['name']}/logs")["lines"]
        assert "trained on 4 rows" in [line["text"] for line in lines]

        server.api("POST", "services", {"model": f"pod-model:{run['models'][0]['tag']}"})
        where = f"services/{namespace}/pod-model"
        service = until(server, where, lambda now: now["ready"] or now["phase"] == "Failed")
        assert (service["ready"], service["target"]) == (True, TARGET), service
        assert cluster.get(INFERENCE_SERVICES, "pod-model", namespace)
        wait_for(lambda: heard("service", f"{namespace}/pod-model", "Ready"), "Ready of the service", 30)
        assert server.api("POST", f"{where}/predict", {})["predictions"] == [0, 0, 1], "the rows that were recorded"
        rows = [{"age": 25, "charges": 12.0}, {"age": 58, "charges": 88.0}]
        assert server.api("POST", f"{where}/predict", {"instances": rows})["predictions"] == [0, 1]
        server.api("DELETE", where)
        wait_for(lambda: heard("service", f"{namespace}/pod-model", "Deleted"), "the end of the service", 30)
        assert {one["target"] for one in told if "target" in one and one.get("kind") in {"run", "service"}} == {TARGET}


def test_no_answer_held_a_credential(server: PodServer) -> None:
    """Runs last: it reads all that was answered before, and what the server wrote to its log."""
    everything = "\n".join([*server.answers, *server.log()])
    assert len(server.answers) > 5
    assert "eyJhbGciOi" not in everything, "the beginning of every service account's token"
