"""What a person does to a run, on a cluster in memory whose controller is sometimes faster."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_mlops.cluster.base import WORKFLOWS
from jupyter_mlops.engine.argo.control import ATTEMPTS, approve, delete, pause, stop
from jupyter_mlops.engine.argo.nodes import pack, unpack
from jupyter_mlops.errors import Conflict, MlopsError, NotFound, Unavailable
from jupyter_mlops.testing.cluster import FakeCluster

WAITING = {"id": "wf-1", "name": "wf.gate", "displayName": "gate", "type": "Suspend", "phase": "Running"}
RUNNING = {"id": "wf-2", "name": "wf.a", "displayName": "a", "type": "Pod", "phase": "Running"}


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster()


def put(cluster: FakeCluster, *nodes: dict[str, Any], packed: bool = False, **metadata: Any) -> None:
    found = {node["id"]: node for node in nodes}
    status = {"compressedNodes": pack(found)} if packed else {"nodes": found}
    cluster.put(
        WORKFLOWS, {"metadata": {"name": "wf", **metadata}, "spec": {"entrypoint": "x"}, "status": {"phase": "Running", **status}}
    )


def nodes(cluster: FakeCluster) -> dict[str, Any]:
    return dict(unpack(cluster.get(WORKFLOWS, "wf"))[0]["status"]["nodes"])


@pytest.mark.parametrize("packed", [False, True])
def test_approving_lets_waiting_steps_go_on_and_touches_no_other(cluster: FakeCluster, packed: bool) -> None:
    put(cluster, WAITING, RUNNING, packed=packed)
    approve(cluster, "ml", "wf", now=lambda: 0.0)
    found = nodes(cluster)
    assert found["wf-1"] == {**WAITING, "phase": "Succeeded", "finishedAt": "1970-01-01T00:00:00Z", "message": "approved"}
    assert found["wf-2"] == RUNNING
    assert ("compressedNodes" in cluster.get(WORKFLOWS, "wf")["status"]) is packed


def test_a_controller_that_was_faster_is_read_again(cluster: FakeCluster) -> None:
    put(cluster, WAITING)
    cluster.fail_next(Conflict("the object has been modified"), method="patch", kind=WORKFLOWS, times=3)
    approve(cluster, "ml", "wf")
    assert nodes(cluster)["wf-1"]["phase"] == "Succeeded"
    put(cluster, WAITING)
    cluster.fail_next(Conflict("the object has been modified"), method="patch", kind=WORKFLOWS, times=ATTEMPTS)
    with pytest.raises(Conflict, match="modified"):
        approve(cluster, "ml", "wf")


def test_every_change_of_a_status_names_the_version_that_was_read(cluster: FakeCluster) -> None:
    put(cluster, WAITING)
    version = cluster.get(WORKFLOWS, "wf")["metadata"]["resourceVersion"]
    approve(cluster, "ml", "wf")
    patch = next(call.body for call in cluster.calls if call.method == "patch")
    assert patch["metadata"] == {"resourceVersion": version}


@pytest.mark.parametrize(
    ("parameters", "value"),
    [
        ([{"name": "ok", "valueFrom": {"supplied": {}, "default": "no"}}], "no"),
        ([{"name": "ok", "value": "yes", "valueFrom": {"supplied": {}}}], "yes"),
    ],
)
def test_values_that_are_to_be_supplied_are_their_defaults(cluster: FakeCluster, parameters: list[Any], value: str) -> None:
    put(cluster, {**WAITING, "outputs": {"parameters": parameters}})
    approve(cluster, "ml", "wf")
    assert nodes(cluster)["wf-1"]["outputs"]["parameters"] == [{"name": "ok", "value": value}]


def test_values_that_nobody_gave_are_asked_for(cluster: FakeCluster) -> None:
    put(cluster, {**WAITING, "outputs": {"parameters": [{"name": "ok", "valueFrom": {"supplied": {}}}]}})
    with pytest.raises(Conflict) as caught:
        approve(cluster, "ml", "wf")
    assert caught.value.code == "values-needed"
    assert nodes(cluster)["wf-1"]["phase"] == "Running"


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        ({"nodes": {"wf-2": RUNNING}}, Conflict, "nothing-waits"),
        ({"nodes": {"wf-1": {**WAITING, "phase": "Succeeded"}}}, Conflict, "nothing-waits"),
        ({"offloadNodeStatusVersion": "1"}, Conflict, "nodes-offloaded"),
    ],
)
def test_where_nothing_can_be_approved_it_is_said(cluster: FakeCluster, status: Any, error: type[MlopsError], code: str) -> None:
    cluster.put(WORKFLOWS, {"metadata": {"name": "wf"}, "spec": {}, "status": status})
    with pytest.raises(error) as caught:
        approve(cluster, "ml", "wf")
    assert caught.value.code == code
    with pytest.raises(NotFound):
        approve(cluster, "ml", "other")


def test_pausing_and_stopping_are_fields_of_the_spec(cluster: FakeCluster) -> None:
    put(cluster, RUNNING)
    assert pause(cluster, "ml", "wf", paused=True)["spec"] == {"entrypoint": "x", "suspend": True}
    assert stop(cluster, "ml", "wf")["spec"] == {"entrypoint": "x", "shutdown": "Stop"}
    pause(cluster, "ml", "wf", paused=True)
    assert pause(cluster, "ml", "wf", paused=False)["spec"] == {"entrypoint": "x", "shutdown": "Stop"}


def test_deleting_waits_until_it_is_gone_and_lets_argos_finalizer_go(cluster: FakeCluster) -> None:
    put(cluster, RUNNING, finalizers=["workflows.argoproj.io/artifact-gc"])
    delete(cluster, "ml", "wf", str(cluster.get(WORKFLOWS, "wf")["metadata"]["uid"]))
    with pytest.raises(NotFound):
        cluster.get(WORKFLOWS, "wf")
    delete(cluster, "ml", "wf", "")


def test_a_finalizer_of_somebody_else_is_left_and_said(cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jupyter_mlops.engine.argo.control.GONE", 0.2)
    put(cluster, RUNNING, finalizers=["example.com/backup"])
    with pytest.raises(Unavailable) as caught:
        delete(cluster, "ml", "wf", str(cluster.get(WORKFLOWS, "wf")["metadata"]["uid"]))
    assert caught.value.code == "deletion-hangs"
    assert cluster.get(WORKFLOWS, "wf")["metadata"]["finalizers"] == ["example.com/backup"]


def test_another_workflow_of_that_name_is_not_waited_for(cluster: FakeCluster) -> None:
    put(cluster, RUNNING)
    cluster.then(lambda: put(cluster, RUNNING))
    delete(cluster, "ml", "wf", str(cluster.get(WORKFLOWS, "wf")["metadata"]["uid"]))
