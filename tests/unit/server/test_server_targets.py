"""Targets through the REST interface: what there is, settings, checks, and every other route at a target."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from jupyter_mlops.cluster.base import NODES, WORKFLOWS
from jupyter_mlops.errors import Unavailable
from jupyter_mlops.oci.modelpack import publish_model
from jupyter_mlops.server.places import POOL, Circuit
from jupyter_mlops.targets.find import Targets
from jupyter_mlops.targets.probes.namespace import QUOTAS
from jupyter_mlops.testing.cluster import KINDS, FakeCluster
from jupyter_mlops.testing.embedded import embedded_registry
from tests.unit.serving.support import python_model

TOKEN = "hidden-token"
ARN = "arn:aws:eks:eu-west-1:1:cluster/a b"
KUBECONFIG = f"""\
apiVersion: v1
kind: Config
current-context: dev
contexts:
- {{name: dev, context: {{cluster: one, user: me, namespace: ml}}}}
- {{name: "{ARN}", context: {{cluster: one, user: me}}}}
clusters:
- {{name: one, cluster: {{server: "https://one.example:6443"}}}}
users:
- {{name: me, user: {{token: {TOKEN}}}}}
"""
AWAY = Unavailable("the cluster at https://one.example:6443 does not answer: refused", code="cluster-unreachable", fix="Look.")


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster(namespace="ml", context="dev", kinds=(*KINDS, QUOTAS))


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    with embedded_registry(tmp_path / "cluster-registry") as address:
        yield address


@pytest.fixture
def at_cluster(bench: Any, cluster: FakeCluster, registry: str, tmp_path: Path) -> FakeCluster:
    """The server of somebody with a kubeconfig; the cluster is in memory, its registry is real."""
    path = tmp_path / "kubeconfig"
    path.write_text(KUBECONFIG)
    path.chmod(0o600)
    bench.__dict__["targets"] = Targets(bench.settings, {"KUBECONFIG": str(path)}, lambda _context, _namespace: cluster)
    bench.targets.set("dev", {"registry": registry})
    return cluster


def workflow(name: str, phase: str, created: str = "2026-01-01T00:00:00Z") -> dict[str, Any]:
    return {
        "metadata": {
            "name": name,
            "creationTimestamp": created,
            "labels": {"app.kubernetes.io/managed-by": "jupyter-mlops", "jupyter-mlops.github.io/pipeline": "churn"},
        },
        "spec": {"entrypoint": "main", "templates": []},
        "status": {"phase": phase},
    }


async def test_without_a_kubeconfig_there_is_this_machine(call: Any, bench: Any, tmp_path: Path) -> None:
    bench.__dict__["targets"] = Targets(bench.settings, {"KUBECONFIG": str(tmp_path / "none")})
    body = (await call("GET", "/targets", schema="Targets")).body
    assert [(one["name"], one["health"]) for one in body["targets"]] == [("local", "ok")]
    assert body["default"] == "local"


async def test_every_context_is_a_target_and_nothing_is_asked_or_told(call: Any, at_cluster: FakeCluster) -> None:
    answer = await call("GET", "/targets", schema="Targets")
    assert [one["name"] for one in answer.body["targets"]] == ["local", "dev", ARN]
    assert [one["health"] for one in answer.body["targets"]] == ["ok", "unknown", "unknown"]
    assert TOKEN not in str(answer.body)
    assert at_cluster.calls == []


@pytest.mark.parametrize(
    ("verb", "path", "body"),
    [
        ("GET", "/runs", None),
        ("GET", "/runs/a", None),
        ("POST", "/runs/a/stop", {}),
        ("POST", "/runs/a/pause", {}),
        ("POST", "/runs/a/unpause", {}),
        ("POST", "/runs/a/approve", {}),
        ("DELETE", "/runs/a", None),
        ("GET", "/runs/a/logs", None),
        ("GET", "/runs/a/notebook", None),
        ("GET", "/runs/a/workflow", None),
        ("GET", "/models", None),
        ("GET", "/models/a", None),
        ("PUT", "/models/a/aliases/b", {"tag": "v1"}),
        ("DELETE", "/models/a/versions/v1", None),
        ("GET", "/services", None),
        ("GET", "/services/ml/a", None),
        ("DELETE", "/services/ml/a", None),
        ("POST", "/services/ml/a/stop", {}),
        ("POST", "/services/ml/a/start", {}),
        ("GET", "/services/ml/a/logs", None),
        ("GET", "/services/ml/a/sample", None),
        ("POST", "/services/ml/a/predict", {}),
        ("GET", "/deployment", None),
    ],
)
async def test_an_unknown_target_is_a_404_that_lists_what_there_is(
    call: Any, at_cluster: FakeCluster, verb: str, path: str, body: Any
) -> None:
    answer = await call(verb, path, body, target="devv")
    assert (answer.status, answer.body["code"]) == (404, "target-not-found")
    assert "Did you mean dev?" in answer.body["fix"]
    assert "local, dev" in answer.body["fix"]


async def test_an_unknown_target_in_a_body_is_one_too(call: Any, at_cluster: FakeCluster, write_notebook: Any) -> None:
    write_notebook("a.ipynb", "x = 1")
    for path, body in (("/runs", {"path": "a.ipynb", "target": "no"}), ("/services", {"model": "a", "target": "no"})):
        answer = await call("POST", path, body)
        assert (answer.status, answer.body["code"]) == (404, "target-not-found")
    assert (await call("PUT", "/default-target", {"target": "no"})).status == 404
    assert (await call("PUT", "/targets/no", {"image": "a"})).status == 404
    assert (await call("POST", "/targets/no/check")).status == 404


async def test_settings_are_kept_and_taken_back(call: Any, at_cluster: FakeCluster) -> None:
    answer = await call("PUT", "/targets/dev", {"image": "python:3.11", "mirrors": {"docker.io/": "m.example/"}}, schema="Target")
    assert (answer.body["image"], answer.body["mirrors"]) == ("python:3.11", {"docker.io/": "m.example/"})
    assert answer.body["registry"].startswith("http://127.0.0.1")  # what was not named stays
    assert (await call("PUT", "/targets/dev", {"image": ""}, schema="Target")).body["image"] == ""


@pytest.mark.parametrize(
    ("target", "body", "code"),
    [
        ("dev", {"imagee": "a"}, "wrong-usage"),
        ("dev", {"namespace": "Not A Name"}, "invalid-setting"),
        ("dev", {"mirrors": "a"}, "wrong-usage"),
        ("dev", {"registry": 3}, "wrong-usage"),
        ("local", {"image": "a"}, "not-a-cluster"),
    ],
)
async def test_settings_that_cannot_be_are_refused(call: Any, at_cluster: FakeCluster, target: str, body: Any, code: str) -> None:
    answer = await call("PUT", f"/targets/{target}", body)
    assert (answer.status, answer.body["code"]) == (400, code)


async def test_a_context_may_be_called_anything(
    call: Any, at_cluster: FakeCluster, http_server_client: Any, jp_base_url: str, jp_auth_header: dict[str, str]
) -> None:
    path = f"{jp_base_url}jupyter-mlops/api/v1/targets/{quote(ARN, safe='')}"
    answer = await http_server_client.fetch(path, method="PUT", body='{"image": "a"}', headers=jp_auth_header)
    assert json.loads(answer.body)["name"] == ARN
    refused = await call("GET", "/runs", target=ARN)
    assert (refused.status, refused.body["code"]) == (400, "no-registry")
    assert refused.body["fix"]


async def test_a_check_says_why_and_what_to_do_and_is_remembered(call: Any, at_cluster: FakeCluster) -> None:
    checked = (await call("POST", "/targets/dev/check", schema="Target")).body
    assert checked["checks"][0]["id"] == "TK01"
    assert checked["checked"] is not None
    assert all(check["fix"] for check in checked["checks"] if check["level"] == "fail")
    assert TOKEN not in str(checked)
    listed = (await call("GET", "/targets", schema="Targets")).body["targets"][1]
    assert (listed["health"], listed["checks"]) == (checked["health"], checked["checks"])


async def test_the_default_target_is_used_where_nobody_names_one(call: Any, at_cluster: FakeCluster) -> None:
    at_cluster.put(WORKFLOWS, workflow("churn-a", "Running"))
    assert (await call("GET", "/runs", schema="Runs")).body["runs"] == []
    assert (await call("PUT", "/default-target", {"target": "dev"}, schema="Targets")).body["default"] == "dev"
    assert (await call("GET", "/status", schema="Status")).body["target"] == "dev"
    for params in ({}, {"target": "dev"}):
        runs = (await call("GET", "/runs", schema="Runs", **params)).body["runs"]
        assert [(run["name"], run["target"]) for run in runs] == [("churn-a", "dev")]
    assert (await call("GET", "/runs", schema="Runs", target="local")).body["runs"] == []


async def test_verbs_of_a_run_at_a_cluster(call: Any, at_cluster: FakeCluster) -> None:
    at_cluster.put(WORKFLOWS, workflow("churn-a", "Running"))
    assert (await call("POST", "/runs/churn-a/pause", {}, schema="Run", target="dev")).body["paused"] is True
    assert (await call("POST", "/runs/churn-a/unpause", {}, schema="Run", target="dev")).body["paused"] is False
    assert (await call("POST", "/runs/churn-a/pause", {}, target="local")).status == 404
    at_cluster.put(WORKFLOWS, workflow("churn-b", "Succeeded"))
    assert (await call("POST", "/runs/churn-b/pause", {}, target="dev")).status == 409
    assert (await call("DELETE", "/runs/churn-a", target="dev")).status == 204


async def test_how_a_model_would_be_served(call: Any, at_cluster: FakeCluster) -> None:
    local = (await call("GET", "/deployment", schema="Deployment", target="local")).body
    assert local == {"mode": "", "reason": "", "image": "", "runtimes": []}


@pytest.mark.parametrize(
    ("card", "image"),
    [
        ({"image": "docker.io/train:7"}, "m.example/train:7"),  # the model's own wins, where the target's mirrors put it
        ({}, "t/image:1"),
        (None, "t/image:1"),  # no such model yet
    ],
)
async def test_the_image_that_is_shown_is_the_one_that_serves(
    call: Any, at_cluster: FakeCluster, bench: Any, tmp_path: Path, card: dict[str, str] | None, image: str
) -> None:
    at_cluster.behaviour.fields["inferenceservices"] = frozenset({"spec.canary"})
    node = {"metadata": {"name": "n"}, "status": {"nodeInfo": {"containerRuntimeVersion": "containerd://2.2.9"}}}
    at_cluster.put(NODES, node)
    bench.targets.set("dev", {"image": "t/image:1", "mirrors": {"docker.io/": "m.example/"}})
    if card is not None:
        folder = python_model(tmp_path / "model", lambda rows: rows, name="total")
        document = json.loads((folder / "mlops.json").read_text())
        (folder / "mlops.json").write_text(json.dumps({**document, **card}))
        publish_model(bench.at("dev").store, "total", folder, key="run/step/1", annotations={}, metrics={})
    answer = (await call("GET", "/deployment", schema="Deployment", target="dev", model="total")).body
    assert answer["image"] == image
    assert answer["mode"]
    assert answer["reason"]


async def test_a_dead_cluster_does_not_keep_this_machine_waiting(call: Any, at_cluster: FakeCluster, bench: Any) -> None:
    """More questions than the target has threads, none of them answered: that much cannot be had from a cluster in memory."""
    release = threading.Event()

    def hang(*_: Any, **__: Any) -> Any:
        release.wait(60)
        raise AWAY

    bench.at("dev")
    at_cluster.list = hang  # type: ignore[method-assign]
    waiting = [asyncio.ensure_future(call("GET", "/runs", target="dev")) for _ in range(POOL + 1)]
    try:
        for path in ("/runs", "/models", "/services", "/status", "/targets"):
            target = {} if path == "/targets" else {"target": "local"}
            assert (await asyncio.wait_for(call("GET", path, **target), 30)).status == 200
        assert not any(one.done() for one in waiting)
    finally:
        release.set()
        answers = await asyncio.gather(*waiting)
    assert {answer.status for answer in answers} == {503}


async def test_while_it_is_known_to_be_down_it_is_said_at_once_and_a_check_closes_the_circuit(
    call: Any, at_cluster: FakeCluster, app: Any
) -> None:
    assert (await call("GET", "/runs", target="dev")).status == 200
    app.watches.stop()
    at_cluster.fail_next(AWAY, "list", WORKFLOWS)
    first = await call("GET", "/runs", target="dev")
    assert (first.status, first.body["code"]) == (503, "cluster-unreachable")
    asked = len(at_cluster.calls)
    for path in ("/runs", "/models", "/services"):
        answer = await call("GET", path, target="dev")
        assert (answer.status, answer.body["code"]) == (503, "cluster-unreachable")
        assert "tried again in" in answer.body["fix"]
    assert len(at_cluster.calls) == asked
    assert (await call("POST", "/targets/dev/check", schema="Target")).status == 200
    assert (await call("GET", "/runs", target="dev")).status == 200


async def test_a_cluster_that_takes_too_long_is_left_alone(
    call: Any, at_cluster: FakeCluster, app: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jupyter_mlops.server.handlers.base.READING", 0.05)
    release = threading.Event()
    at_cluster.list = lambda *_, **__: release.wait(60)  # type: ignore[method-assign,assignment,misc]
    answer = await call("GET", "/services", target="dev")
    release.set()
    assert (answer.status, answer.body["code"]) == (503, "cluster-slow")


def test_a_circuit_waits_longer_each_time_and_lets_one_through() -> None:
    now = 100.0
    circuit = Circuit(clock=lambda: now)
    circuit.check()
    pauses = []
    for _ in range(6):
        circuit.failed(AWAY)
        pauses.append(circuit.until - now)
        with pytest.raises(Unavailable, match="does not answer"):
            circuit.check()
        now = circuit.until
        circuit.check()  # one asks how it is
        with pytest.raises(Unavailable):
            circuit.check()  # and nobody else meanwhile
    assert pauses == [3.0, 6.0, 12.0, 24.0, 30.0, 30.0]
    circuit.closed()
    circuit.check()
    assert circuit.pause == 0.0
