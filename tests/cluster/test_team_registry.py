"""The registry in a pod, as ``examples/registry`` has it: least rights, TLS, users with rights by repository, probes.

Its volume is an ``emptyDir`` here, since a cluster of tests has no storage class, and its image has the command line upon the
cluster's Python, with the entry point that the Containerfile says.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml  # noqa: TID253 - the manifest is YAML

from jupyter_mlops.cluster.base import DEPLOYMENTS, PODS, SECRETS, SERVICES, Cluster
from jupyter_mlops.errors import NotAllowed
from jupyter_mlops.oci.modelpack import publish_model
from jupyter_mlops.oci.remote import Remote
from jupyter_mlops.registry.models import Models
from jupyter_mlops.registry.rights import parse_rights
from jupyter_mlops.registry.users import add
from tests.cluster.conftest import fresh_namespace, wait_for
from tests.cluster.own_registry import certified
from tests.cluster.pod_image import PLACE, image_with_cli
from tests.cluster.pods import same_python

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]

EXAMPLE = Path(__file__).parents[2] / "examples" / "registry"


@dataclass
class Served:
    """The registry that runs."""

    address: str
    folder: Path
    namespace: str

    def as_user(self, name: str, monkeypatch: pytest.MonkeyPatch) -> Remote:
        """A client that is logged in as somebody."""
        login = base64.b64encode(f"{name}:{name}-token".encode()).decode()
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        (folder / "config.json").write_text(json.dumps({"auths": {self.address.removeprefix("https://"): {"auth": login}}}))
        monkeypatch.setenv("DOCKER_CONFIG", str(folder))
        monkeypatch.setenv("SSL_CERT_FILE", str(self.folder / "ca.crt"))
        return Remote(self.address)


def entry_point() -> list[str]:
    """What the Containerfile starts, by the module that the command is."""
    (line,) = (one for one in (EXAMPLE / "Containerfile").read_text().splitlines() if one.startswith("ENTRYPOINT "))
    words: list[str] = json.loads(line.removeprefix("ENTRYPOINT "))
    assert words[:2] == ["jupyter", "mlops"]
    return ["python3", "-m", "jupyter_mlops.cli", *words[2:]]


def documents(image: str) -> dict[str, dict[str, Any]]:
    """Kind → document of the manifest, for this cluster."""
    found = {one["kind"]: one for one in yaml.safe_load_all((EXAMPLE / "registry.yaml").read_text())}
    pod = found["Deployment"]["spec"]["template"]["spec"]
    volume = next(one for one in pod["volumes"] if one["name"] == "data")
    assert volume.pop("persistentVolumeClaim") == {"claimName": found.pop("PersistentVolumeClaim")["metadata"]["name"]}
    volume["emptyDir"] = {}
    for container in pod["containers"]:
        container["image"] = image
        environ = {"JUPYTER_MLOPS_HOME": "/data", "HOME": "/tmp", "PYTHONPATH": f"/{PLACE}"}  # as the image has it
        container["env"] = [{"name": key, "value": value} for key, value in environ.items()]
    serving, collecting = pod["containers"]
    serving["command"] = entry_point()
    script = collecting["command"][2].replace("sleep 86400", "sleep 1").replace("jupyter mlops", "python3 -m jupyter_mlops.cli")
    collecting["command"] = ["sh", "-c", script]
    return found


@pytest.fixture(scope="module")
def served(cluster: Cluster, python_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("team")
    found = documents(image_with_cli(same_python(python_image)))
    add(folder / "users", "anna", "anna-token", parse_rights("write"))
    add(folder / "users", "ben", "ben-token", parse_rights("write=models/team-*,read=datasets/**"))
    with fresh_namespace(cluster, "h-registry", {"pod-security.kubernetes.io/enforce": "restricted"}) as name:
        address = cluster.create(SERVICES, found["Service"], name)["spec"]["clusterIP"]
        certified(address, folder)
        secrets = {"registry-users": {"users": "users"}, "registry-tls": {"tls.crt": "own.crt", "tls.key": "own.key"}}
        for secret, files in secrets.items():
            data = {key: base64.b64encode((folder / file).read_bytes()).decode() for key, file in files.items()}
            cluster.create(SECRETS, {"metadata": {"name": secret}, "data": data}, name)
        cluster.create(DEPLOYMENTS, found["Deployment"], name)

        def ready() -> bool:
            status = cluster.get(DEPLOYMENTS, "registry", name).get("status") or {}
            return status.get("readyReplicas") == 1

        wait_for(ready, f"the registry in {name}", 180)
        yield Served(f"https://{address}:5000", folder, name)


def test_a_model_there_and_back(served: Served, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    store = served.as_user("anna", monkeypatch)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights.bin").write_bytes(bytes(range(256)) * 50_000)
    publish_model(store, "churn", tmp_path / "model", key="k", annotations={}, metrics={"f1": 0.5})
    models = Models(store)
    models.extract(models.find("churn"), tmp_path / "back")
    assert (tmp_path / "back" / "models" / "weights.bin").read_bytes() == (tmp_path / "model" / "weights.bin").read_bytes()


def test_rights_hold(served: Served, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "mlops.json").write_text("{}")
    publish_model(served.as_user("anna", monkeypatch), "secret", tmp_path, key="k", annotations={}, metrics={})
    ben = served.as_user("ben", monkeypatch)
    publish_model(ben, "team-b", tmp_path, key="k", annotations={}, metrics={})
    assert ben.repositories() == ["models/team-b"]
    with pytest.raises(NotAllowed, match="ben may not read models/secret"):
        ben.tags("models/secret")
    with pytest.raises(NotAllowed):
        served.as_user("nobody", monkeypatch).tags("models/team-b")


def test_the_collector_runs_beside_the_server(served: Served, cluster: Cluster) -> None:
    """It was started often by now, and neither container was started twice."""
    (pod,) = cluster.list(PODS, served.namespace).items
    assert {one["name"]: one["restartCount"] for one in pod["status"]["containerStatuses"]} == {"registry": 0, "collector": 0}
    lines = list(cluster.logs(pod["metadata"]["name"], "collector", served.namespace))
    assert lines
    assert all("freed" in line for line in lines), lines
