"""The command line in a pod of the cluster: nothing but the service account's files, and what the namespace says.

No variable, no file of settings, no kubeconfig. The account has the rights that ``targets/rights.py`` lists, and no more, so
this is also the proof that those are enough.
"""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest

from jupyter_mlops.cluster.base import CONFIG_MAPS, PODS, Cluster
from jupyter_mlops.errors import MlopsError
from tests.cluster.conftest import ROLE_BINDINGS, ROLES, wait_for
from tests.cluster.pod_image import LIMIT, PLACE, image_with_cli, size_of
from tests.cluster.pods import namespace_for_people, notebook, pod_of, same_python

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]

SCRIPT = """\
import json, subprocess, sys

for line in open("/nb/words"):
    words = json.loads(line)
    done = subprocess.run([sys.executable, "-m", "jupyter_mlops.cli", *words], capture_output=True, text=True)
    print("@@" + json.dumps({"words": words, "code": done.returncode, "out": done.stdout, "err": done.stderr[-3000:]}), flush=True)
print("@@done", flush=True)
"""


def pod(name: str, image: str) -> dict[str, Any]:
    """A pod that runs the commands of the ConfigMap of its name."""
    container = {
        "image": image,
        "command": ["python3", "-c", SCRIPT],
        "env": [{"name": "PYTHONPATH", "value": f"/{PLACE}"}],
        "volumeMounts": [{"name": "nb", "mountPath": "/nb"}],
    }
    return pod_of(name, container, [{"name": "nb", "configMap": {"name": name}}])


class Place:
    """A namespace made ready by its administrator, and pods in it that run commands."""

    def __init__(self, cluster: Cluster, namespace: str, image: str) -> None:
        self.cluster, self.namespace, self.image = cluster, namespace, image
        self.count = 0

    def run(self, *commands: list[str], seconds: float = 240.0) -> list[dict[str, Any]]:
        """What each command answered; ``json`` is its document."""
        self.count += 1
        name = f"person-{self.count}"
        words = "\n".join(json.dumps(command) for command in commands)
        data = {"words": words, "iris.ipynb": json.dumps(notebook())}
        self.cluster.create(CONFIG_MAPS, {"metadata": {"name": name}, "data": data}, self.namespace)
        self.cluster.create(PODS, pod(name, self.image), self.namespace)
        wait_for(lambda: self._phase(name) in {"Succeeded", "Failed"}, f"pod {name} {self._state(name)}", seconds)
        answers = []
        for line in self.cluster.logs(name, "main", self.namespace):
            text = line.partition(" ")[2]
            if text.startswith("@@{"):
                answer = json.loads(text[2:])
                with contextlib.suppress(ValueError):
                    answer["json"] = json.loads(answer["out"])
                answers.append(answer)
        assert len(answers) == len(commands), list(self.cluster.logs(name, "main", self.namespace))[-20:]
        return answers

    def _phase(self, name: str) -> str:
        try:
            return str(self.cluster.get(PODS, name, self.namespace)["status"].get("phase"))
        except MlopsError:  # a restart of the API server, by a test of faults
            return ""

    def _state(self, name: str) -> str:
        return json.dumps(self.cluster.get(PODS, name, self.namespace)["status"].get("containerStatuses"))[:500]


@pytest.fixture(scope="module")
def image(cluster: Cluster, python_image: str) -> str:
    return image_with_cli(same_python(python_image))


@pytest.fixture(scope="module")
def place(cluster: Cluster, image: str, registry: str, python_image: str):
    with namespace_for_people(cluster, "h-targets-pod", registry, python_image) as name:
        yield Place(cluster, name, image)


def succeeded(answer: dict[str, Any]) -> Any:
    assert answer["code"] == 0, f"{answer['words']}: {answer['out'][-2000:]}\n{answer['err']}"
    return answer["json"]


def test_the_image_is_bounded(image: str) -> None:
    assert size_of(image) < LIMIT


def test_run_deploy_and_predict_with_no_setting(place: Place) -> None:
    listed, checked, ran, runs = place.run(
        ["targets", "--json"],
        ["targets", "--check", "in-cluster", "--json"],
        ["run", "/nb/iris.ipynb", "--json"],
        ["runs", "--json"],
    )
    assert succeeded(listed)["default"] == "in-cluster"
    found = succeeded(checked)
    assert {check["id"] for check in found["checks"] if check["level"] == "fail"} == set()
    assert {check["id"]: check["level"] for check in found["checks"]}["TA03"] == "skip", "it may not ask about other accounts"
    run = succeeded(ran)
    assert (run["phase"], run["target"]) == ("Succeeded", "in-cluster")
    assert run["metrics"] == {"accuracy": 1.0}
    [model] = run["models"]
    assert succeeded(runs)["runs"][0]["name"] == run["run"]

    logs, deployed, predicted, services, stopped = place.run(
        ["logs", run["run"], "--json"],
        ["deploy", f"pod-model:{model['tag']}", "--json"],
        ["predict", "pod-model", "--json"],
        ["services", "--json"],
        ["services", "delete", "pod-model", "--json"],
    )
    assert "trained on 4 rows" in [line["text"] for line in succeeded(logs)["lines"]]
    assert succeeded(deployed)["ready"] is True
    assert succeeded(predicted)["predictions"] == [0, 0, 1], "the rows that were recorded"
    assert [service["name"] for service in succeeded(services)["services"]] == ["pod-model"]
    assert succeeded(stopped) == {"deleted": "pod-model", "namespace": place.namespace}


def test_an_account_without_rights_is_told_which_it_needs(place: Place) -> None:
    cluster = place.cluster
    cluster.delete(ROLE_BINDINGS, "person-role", place.namespace)
    try:
        rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}]
        cluster.create(ROLES, {"metadata": {"name": "reader"}, "rules": rules}, place.namespace)
        cluster.create(ROLE_BINDINGS, binding(place.namespace, "reader"), place.namespace)
        ran, checked = place.run(["run", "/nb/iris.ipynb", "--json"], ["targets", "--check", "in-cluster", "--json"])
        assert ran["code"] == 2
        assert ran["json"]["error"]["code"] == "cluster-forbidden"
        assert f"system:serviceaccount:{place.namespace}:person" in ran["json"]["error"]["message"]
        assert checked["code"] == 1
        rights = next(check for check in checked["json"]["checks"] if check["id"] == "TK04")
        assert rights["level"] == "fail"
        assert "create" in rights["why"]
        assert f"kind: ServiceAccount, name: person, namespace: {place.namespace}" in rights["fix"]
    finally:
        cluster.create(ROLE_BINDINGS, binding(place.namespace, "person-role"), place.namespace)


def binding(namespace: str, role: str) -> dict[str, Any]:
    return {
        "metadata": {"name": role},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": "person", "namespace": namespace}],
    }
