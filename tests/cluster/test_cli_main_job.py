"""The main job on a real cluster, by the command line alone: a notebook of the examples becomes an endpoint.

Convert, run on Argo with a request for a GPU, a model with metrics in the cluster's registry, deploy on KServe, predict. The
GPU is a number that the node offers; no device is behind it.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.cluster.base import NODES, WORKFLOWS, Cluster
from jupyter_mlops.oci.open import open_store
from tests.cluster.conftest import fresh_namespace, wait_for
from tests.cluster.pod_image import image_with_plots
from tests.e2e.machine import JUPYTER, Machine

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

GPU = "nvidia.com/gpu"
TRAINING = 11
"""Cell of the example that trains."""


def offered(cluster: Cluster) -> int:
    found = [(node["status"].get("allocatable") or {}).get(GPU, "0") for node in cluster.list(NODES).items]
    return sum(int(count) for count in found)


def offer(cluster: Cluster, count: int) -> None:
    """Let the first node offer this many GPUs, as a device plugin would."""
    node = cluster.list(NODES).items[0]["metadata"]["name"]
    status = {field: {GPU: str(count)} for field in ("capacity", "allocatable")}
    cluster.patch(NODES, node, {"status": status}, subresource="status")


class There:
    """A person's machine, and a target in a namespace of its own."""

    def __init__(self, machine: Machine, cluster: Cluster, namespace: str, registry: str, image: str) -> None:
        self.machine, self.cluster, self.namespace = machine, cluster, namespace
        self.registry = f"http://{registry}/{namespace}"
        machine.env["KUBECONFIG"] = os.environ.get("KUBECONFIG", "")
        self.name = next(t["name"] for t in machine.ask("targets")["targets"] if not t["local"])
        machine.ask("targets", "set", self.name, f"namespace={namespace}", f"registry={self.registry}", f"image={image}")

    def ask(self, *words: object, **options: Any) -> Any:
        return self.machine.ask(*words, "--target", self.name, **options)


@pytest.fixture(scope="module")
def there(cluster: Cluster, registry: str, python_image: str, tmp_path_factory: pytest.TempPathFactory):
    minor = ".".join(map(str, sys.version_info[:2]))
    if f":{minor}" not in python_image:
        pytest.skip(f"NOT RUN: the image {python_image} has another Python than {minor}, from which its libraries are taken")
    machine = Machine(tmp_path_factory.mktemp("person"))
    try:
        with fresh_namespace(cluster, "h-targets-job") as namespace, pytest.MonkeyPatch.context() as patch:
            patch.setattr("tests.e2e.machine.PATIENCE", 400.0)  # a run on a cluster takes longer than one here
            yield There(machine, cluster, namespace, registry, image_with_plots(python_image))
    finally:
        machine.env.pop("KUBECONFIG", None)
        machine.clean()


@pytest.fixture(scope="module")
def job(there: There):
    """The whole job, once; each test looks at a part. The GPU is offered when the run has said that it waits for one."""
    path = there.machine.work / "churn.ipynb"
    notebook = json.loads(path.read_text())
    notebook["cells"][TRAINING]["metadata"]["mlops"] = {"gpu": 1}
    path.write_text(json.dumps(notebook))
    before = offered(there.cluster)
    command = [str(JUPYTER), "mlops", "run", "churn.ipynb", "--target", there.name, "--json"]
    said = there.machine.home / "said"
    with said.open("w") as err:
        started = subprocess.Popen(
            command, cwd=there.machine.work, env=there.machine.env, stdout=subprocess.PIPE, stderr=err, text=True
        )
        try:
            if not before:
                wait_for(lambda: " waits: " in said.read_text() or started.poll() is not None, "a word about the GPU", 120)
                offer(there.cluster, 1)
            out, _ = started.communicate(timeout=500)
            assert started.returncode == 0, f"{out}\n{said.read_text()}"
            yield {"run": json.loads(out), "said": said.read_text(), "waited": not before}
        finally:
            started.kill()
            started.wait()
            if not before:
                offer(there.cluster, 0)


def test_the_target_works(there: There) -> None:
    found = there.machine.ask("targets", "--check", there.name)
    assert [check for check in found["checks"] if check["level"] == "fail"] == []
    assert {check["id"]: check["level"] for check in found["checks"]}["TA03"] == "ok"
    listed = there.machine.ask("targets")
    assert [target["health"] for target in listed["targets"] if target["name"] == there.name] in (["ok"], ["warn"])


def test_while_it_waits_for_a_gpu_it_says_so_and_what_to_do(job: dict[str, Any]) -> None:
    if not job["waited"]:
        pytest.skip("NOT RUN: somebody else lets a node offer a GPU")
    waits = [line for line in job["said"].splitlines() if " waits: " in line]
    assert waits
    assert GPU in waits[0] or "GPU" in waits[0]
    assert "  fix: " in job["said"]


def test_the_run_made_a_model_with_metrics(there: There, job: dict[str, Any]) -> None:
    run = job["run"]
    assert (run["phase"], run["target"], run["error"]) == ("Succeeded", there.name, None)
    assert run["metrics"]["customers"] == 1500
    assert {step["phase"] for step in run["steps"]} == {"Succeeded"}
    workflow = there.cluster.get(WORKFLOWS, run["run"], there.namespace)
    limits = [
        t["container"]["resources"].get("limits", {})
        for t in workflow["spec"]["templates"]
        if "resources" in t.get("container", {})
    ]
    assert [limit.get(GPU) for limit in limits if GPU in limit] == ["1"]
    [model] = there.ask("models")["models"]
    assert (model["name"], [version["tag"] for version in model["versions"]]) == ("churn", [run["models"][0]["tag"]])
    assert model["versions"][0]["metrics"]["accuracy"] > 0.7
    store = open_store(there.registry)
    assert f"run-{run['run']}" in store.tags("runs/churn")


def test_nothing_of_it_lies_on_this_machine(there: There, job: dict[str, Any]) -> None:
    assert there.machine.ask("runs", "--target", "local")["runs"] == []
    assert there.machine.ask("models", "--target", "local")["models"] == []


def test_what_it_printed_and_the_executed_notebook_are_there(there: There, job: dict[str, Any]) -> None:
    name = job["run"]["run"]
    lines = [line["text"] for line in there.ask("logs", name)["lines"]]
    assert any("customers" in line and "of them left" in line for line in lines)
    shown = there.ask("runs", name)
    assert shown["phase"] == "Succeeded"
    executed = job["run"]["notebook"]
    assert executed
    cells = json.loads(Path(executed).read_text())["cells"]
    assert any(output.get("output_type") == "display_data" for cell in cells for output in cell.get("outputs", ()))


def test_resumed_nothing_runs_again(there: There, job: dict[str, Any]) -> None:
    again = there.ask("resume", job["run"]["run"])
    assert (again["phase"], again["resumed"]) == ("Succeeded", job["run"]["run"])
    assert {step["cached"] for step in again["steps"]} == {True}
    [model] = there.ask("models")["models"]
    assert len(model["versions"]) == 1


def test_deploy_predict_and_take_away(there: There, job: dict[str, Any]) -> None:
    tag = job["run"]["models"][0]["tag"]
    deployed = there.ask("deploy", f"churn:{tag}", "--detach")
    assert (deployed["service"], deployed["namespace"]) == ("churn", there.namespace)
    deployed = there.ask("deploy", f"churn:{tag}", "--timeout", "180")
    assert deployed["ready"] is True
    answer = there.ask("predict", "churn")
    assert set(answer["predictions"]) <= {0, 1}
    rows = there.machine.home / "rows.csv"
    rows.write_text("age,tenure,charges,calls,contract,internet\n31,2,99.5,4,monthly,fibre\n60,40,40.0,0,yearly,dsl\n")
    assert there.ask("predict", "churn", "--data", rows)["predictions"] == [1, 0]
    refused = there.ask("models", "delete", f"churn:{tag}", code=2)
    assert "is served by churn" in refused["error"]["message"]
    assert there.ask("services", "stop", "churn")["phase"] == "Stopped"
    assert there.ask("services", "delete", "churn") == {"deleted": "churn", "namespace": there.namespace}


def test_a_converted_workflow_runs_without_us(there: There, tmp_path: Path) -> None:
    import yaml

    source = 'from jupyter_mlops import log_metrics\nlog_metrics({"answer": 42.0})'
    cell = {"id": "a", "cell_type": "code", "source": source, "metadata": {}, "outputs": [], "execution_count": None}
    notebook = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"language_info": {"name": "python", "version": "3.11"}},
        "cells": [cell],
    }
    (tmp_path / "alone.ipynb").write_text(json.dumps(notebook))
    there.ask("convert", tmp_path / "alone.ipynb", "--push", "-o", tmp_path / "w.yaml")
    made = there.cluster.create(WORKFLOWS, yaml.safe_load((tmp_path / "w.yaml").read_text()), there.namespace)
    name = made["metadata"]["name"]
    phases = {"Succeeded", "Failed", "Error"}
    wait_for(
        lambda: (there.cluster.get(WORKFLOWS, name, there.namespace).get("status") or {}).get("phase") in phases, f"run {name}", 90
    )
    shown = there.ask("runs", name)
    assert (shown["phase"], shown["metrics"]) == ("Succeeded", {"answer": 42.0})


# -- used in a wrong way -------------------------------------------------------------------------------------------------------


def test_an_unknown_target_lists_those_that_there_are(there: There) -> None:
    error = there.machine.ask("run", "churn.ipynb", "--target", "nowhere", code=2)["error"]
    assert error["code"] == "target-not-found"
    assert there.name in error["fix"]


def test_a_target_without_a_registry_says_how_to_set_one(there: There) -> None:
    there.machine.ask("targets", "set", there.name, "registry=")
    try:
        error = there.ask("run", "churn.ipynb", code=2)["error"]
    finally:
        there.machine.ask("targets", "set", there.name, f"registry={there.registry}")
    assert error["code"] == "no-registry"
    assert f"jupyter mlops targets set {there.name} registry=" in error["fix"]


def test_a_registry_that_is_away_is_told_before_anything_is_submitted(there: There) -> None:
    before = len(there.cluster.list(WORKFLOWS, there.namespace).items)
    there.machine.ask("targets", "set", there.name, "registry=http://127.0.0.1:1")
    try:
        error = there.ask("run", "churn.ipynb", code=1)["error"]
    finally:
        there.machine.ask("targets", "set", there.name, f"registry={there.registry}")
    assert error["blame"] == "platform"
    assert "127.0.0.1:1" in error["message"]
    assert len(there.cluster.list(WORKFLOWS, there.namespace).items) == before


def test_a_namespace_that_is_not_there(there: There) -> None:
    there.machine.ask("targets", "set", there.name, "namespace=h-targets-nowhere")
    try:
        checked = there.machine.ask("targets", "--check", there.name, code=1)
        error = there.ask("run", "churn.ipynb", code=2)["error"]
    finally:
        there.machine.ask("targets", "set", there.name, f"namespace={there.namespace}")
    assert next(check for check in checked["checks"] if check["id"] == "TK02")["level"] == "fail"
    assert "h-targets-nowhere" in error["message"]


@pytest.fixture
def away(there: There, tmp_path: Path):
    """A kubeconfig whose cluster does not answer."""
    config = tmp_path / "config"
    config.write_text(
        "apiVersion: v1\nkind: Config\ncurrent-context: away\n"
        "contexts: [{name: away, context: {cluster: away, user: me}}]\n"
        'clusters: [{name: away, cluster: {server: "https://127.0.0.1:1"}}]\nusers: [{name: me, user: {token: hidden-token}}]\n'
    )
    config.chmod(0o600)
    kept = there.machine.env["KUBECONFIG"]
    there.machine.env["KUBECONFIG"] = str(config)
    yield "away"
    with contextlib.suppress(KeyError):
        there.machine.env["KUBECONFIG"] = kept


def test_an_unreachable_cluster_is_one_line_and_a_fix(there: There, away: str) -> None:
    done = there.machine.run("run", "churn.ipynb", "--target", away)
    assert done.code == 1
    assert "127.0.0.1:1" in done.err
    assert "hidden-token" not in done.err + done.out
    assert 2 <= len(done.err.splitlines()) <= 3
    assert there.machine.ask("targets", "--check", away, code=1)["health"] == "fail"
