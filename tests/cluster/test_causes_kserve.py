"""Every way in which a service on KServe is known to fail or to wait, made for real, is recognised as soon as it shows.

As with runs: all services at once, each state is judged at the moment at which it is seen. KServe's own status says the same for
nearly all of them.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.cluster.base import DEPLOYMENTS, INFERENCE_SERVICES, SERVING_RUNTIMES, Cluster, Document, Kind
from jupyter_mlops.diagnose.cause import Cause
from jupyter_mlops.diagnose.declared import refused_cause
from jupyter_mlops.diagnose.service import service_cause
from jupyter_mlops.errors import MlopsError, NotFound
from jupyter_mlops.oci.modelpack import publish_model
from jupyter_mlops.oci.remote import Remote
from tests.cluster.conftest import fresh_namespace, wait_for
from tests.cluster.watching import State, Watcher, container, watching

pytestmark = pytest.mark.cluster

QUOTAS = Kind("", "v1", "resourcequotas", "ResourceQuota")
SLEEP = "import time; time.sleep(600)"
CRASH = "import nothing_like_this"
SERVE = """
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response({"/ok": 200, "/loading": 503}.get(self.path, 404)); self.end_headers()
http.server.HTTPServer(("", 8080), Handler).serve_forever()
"""
FORMAT = "plain"
PULL = r"ErrImagePull|ImagePullBackOff"


@dataclass(frozen=True)
class Row:
    """A trouble: how to make it, the words in which the cluster shows it, and what is to be said."""

    name: str
    predictor: Callable[[str], dict[str, Any]]
    shown: str
    code: str
    says: tuple[str, ...]
    blame: str = "user"
    place: str = "plain"
    annotations: Mapping[str, str] = field(default_factory=dict)


def own(image: str, code: str, path: str = "/ok", **fields: Any) -> dict[str, Any]:
    """A predictor of a container of one's own, as ours is."""
    probe = {"httpGet": {"path": path, "port": 8080}, "periodSeconds": 1}
    made = container(image, code, readinessProbe=probe, terminationMessagePolicy="FallbackToLogsOnError")
    return {"containers": [{**made, "name": "kserve-container", "ports": [{"containerPort": 8080}], **fields}]}


def model(uri: str, **fields: Any) -> dict[str, Any]:
    """A predictor of one of the cluster's runtimes."""
    resources = {"requests": {"cpu": "5m", "memory": "16Mi"}, "limits": {"cpu": "1", "memory": "128Mi"}}
    return {"model": {"modelFormat": {"name": FORMAT}, "storageUri": uri, "resources": resources, **fields}}


def missing(image: str) -> str:
    return image.partition("/")[0] + "/nope:1"


def above(image: str) -> dict[str, Any]:
    return own(image, SLEEP, resources={"requests": {"memory": "64Mi"}, "limits": {"memory": "32Mi"}})


def environment(name: str) -> list[dict[str, Any]]:
    return [{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": name, "key": "token"}}}]


BIG = "x = bytearray(1 << 30); print(len(x), sum(x[::4096]))"
ROWS = [
    Row("crash", lambda i: own(i, CRASH), r"nothing_like_this", "missing-package", ("'nothing_like_this'", "Use an image that has")),
    Row("memory", lambda i: own(i, BIG, resources={"requests": {"memory": "48Mi"}, "limits": {"memory": "48Mi"}}), r"OOMKilled", "out-of-memory", ("48Mi", "256Mi")),
    Row("gpu", lambda i: own(i, SLEEP, resources={"limits": {"example.com/gpu": "1"}}), r"Insufficient example.com/gpu", "no-gpu", ("1 asked for",)),
    Row("tag", lambda i: own(missing(i), SLEEP), PULL, "image-not-found", ("/nope:1 does not exist",)),
    Row("carless", lambda i: model(f"oci://{missing(i)}"), PULL, "model-not-found", ("the model", "/nope:1 does not exist")),
    Row("nativeless", lambda i: model(f"oci+native://{missing(i)}"), PULL, "model-not-found", ("the model", "/nope:1 does not exist")),
    Row("emptycar", lambda i: model(f"oci://{i}"), r"NOK", "model-layout", ("no folder /models",)),
    Row("emptynative", lambda i: model(f"oci+native://{i}"), r"ImageVolumeMountFailed", "model-layout", ("no folder /models",)),
    Row("probe", lambda i: own(i, SERVE, "/nope"), r"statuscode: 404", "wrong-probe", ("HTTP 404", "readiness probe")),
    Row("loading", lambda i: own(i, SERVE, "/loading"), r"statuscode: 503", "not-ready", ("not ready (HTTP 503)",), "platform"),
    Row("silent", lambda i: own(i, SLEEP), r"connection refused", "not-ready", ("does not answer yet",), "platform"),
    Row("format", lambda i: {"model": {"modelFormat": {"name": "nosuch"}, "storageUri": f"oci://{i}"}}, r"NoSupportingRuntime", "no-runtime", ("'nosuch'", "protocol v1")),
    Row("runtime", lambda i: model(f"oci://{i}", runtime="ghost"), r"RuntimeNotRecognized", "runtime-not-found", ("'ghost'",)),
    Row("protocol", lambda i: model(f"oci://{i}", runtime="plain-server", protocolVersion="grpc-v2"), r"NoSupportingRuntime", "no-runtime", ("'plain-server'", "grpc-v2")),
    Row("above", above, r"must be less than or equal", "request-above-limit", ("64Mi", "32Mi")),
    Row("scheme", lambda i: model("oci+fetch://registry/x:1"), r"StorageURI not supported", "storage-scheme", ("oci+fetch://",)),
    Row("knative", lambda i: own(i, SLEEP), r"Knative Services are not available", "no-knative", ("Knative",), annotations={"serving.kserve.io/deploymentMode": "Knative"}),
    Row("stopped", lambda i: own(i, SLEEP), r"Stopped", "stopped", ("services start stopped",), annotations={"serving.kserve.io/stop": "true"}),
    Row("secret", lambda i: own(i, SLEEP, env=environment("hf-token")), r"CreateContainerConfigError", "secret-missing", ("'hf-token'",)),
    Row("program", lambda i: own(i, "", command=["/no/such"]), r"StartError|RunContainerError|CrashLoop", "command-not-found", ("/no/such",)),
    Row("quota", lambda i: own(i, SLEEP), r"exceeded quota", "quota", ("'small'",), "platform", "quota"),
    Row("security", lambda i: own(i, SLEEP), r"violates PodSecurity", "pod-security", ("'restricted'", "kserve-container"), "user", "restricted"),
]  # fmt: skip


@dataclass
class Scene:
    """The namespaces, and what was seen in them."""

    cluster: Cluster
    watcher: Watcher
    places: dict[str, str] = field(default_factory=dict)

    def key(self, row: Row) -> str:
        return f"{self.places[row.place]}/{row.name}"


def judge(cluster: Cluster) -> Callable[[Document, Sequence[Document], Sequence[Document]], Mapping[str, Cause]]:
    """As a backend asks: with the Deployment, where there is one."""

    def diagnose(isvc: Document, pods: Sequence[Document], events: Sequence[Document]) -> Mapping[str, Cause]:
        metadata = isvc["metadata"]
        deployment = None
        with contextlib.suppress(NotFound):
            deployment = cluster.get(DEPLOYMENTS, f"{metadata['name']}-predictor", metadata["namespace"])
        found = service_cause(isvc, pods, events, deployment, now=time.time())
        return {"": found} if found else {}

    return diagnose


@pytest.fixture(scope="module")
def scene(cluster: Cluster, python_image: str) -> Iterator[Scene]:
    """All the services of the table at once, and one that works."""
    watcher = Watcher(cluster, INFERENCE_SERVICES, "serving.kserve.io/inferenceservice", judge(cluster))
    with contextlib.ExitStack() as stack:
        made = Scene(cluster, watcher)
        for place in ("plain", "quota", "restricted"):
            labels = {"pod-security.kubernetes.io/enforce": "restricted"} if place == "restricted" else {}
            made.places[place] = stack.enter_context(fresh_namespace(cluster, f"h-causes-k{place}", labels))
        cluster.create(QUOTAS, {"metadata": {"name": "small"}, "spec": {"hard": {"pods": "0"}}}, made.places["quota"])
        cluster.create(SERVING_RUNTIMES, runtime(python_image), made.places["plain"])
        watcher.namespaces.extend(made.places.values())
        stack.enter_context(contextlib.contextmanager(watching)(watcher))
        create(cluster, made.places["plain"], "works", own(python_image, SERVE))
        for row in ROWS:
            create(cluster, made.places[row.place], row.name, row.predictor(python_image), row.annotations)
        yield made


def runtime(image: str) -> dict[str, Any]:
    """A model server for a format of the tests' own."""
    spec = {
        "supportedModelFormats": [{"name": FORMAT, "version": "1", "autoSelect": True}],
        "protocolVersions": ["v1"],
        "containers": [{**container(image, SLEEP), "name": "kserve-container"}],
    }
    return {"metadata": {"name": "plain-server"}, "spec": spec}


def create(
    cluster: Cluster, namespace: str, name: str, predictor: Mapping[str, Any], annotations: Mapping[str, str] | None = None
) -> None:
    notes = {"serving.kserve.io/deploymentMode": "Standard", "serving.kserve.io/autoscalerClass": "none", **(annotations or {})}
    document = {"metadata": {"name": name, "annotations": notes}, "spec": {"predictor": {"minReplicas": 1, **predictor}}}
    cluster.create(INFERENCE_SERVICES, document, namespace)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_it_is_recognised_as_soon_as_it_shows(scene: Scene, row: Row) -> None:
    for state in scene.watcher.until(scene.key(row), row.shown):
        told(row, state)
    early = [state.causes[""] for state in scene.watcher.before(scene.key(row), row.shown) if state.causes]
    assert [cause for cause in early if cause.code not in {row.code, "not-ready"}] == []


def told(row: Row, state: State) -> None:
    """What is said of a state is what the row says."""
    assert "" in state.causes, state.text[-2000:]
    cause = state.causes[""]
    assert (cause.code, cause.blame) == (row.code, row.blame), cause
    for part in row.says:
        assert part in f"{cause.message}\n{cause.fix}", cause
    assert cause.facts


def test_a_service_that_works_has_no_cause(scene: Scene) -> None:
    key = f"{scene.places['plain']}/works"
    ready = json.dumps({"type": "Ready", "status": "True"})[1:-1]
    wait_for(lambda: any(is_ready(state) for state in scene.watcher.of(key)), f"{key}: {ready}", 160)
    last = scene.watcher.of(key)[-1]
    assert last.causes == {}
    assert {cause.code for state in scene.watcher.of(key) for cause in state.causes.values()} <= {"not-ready"}


def test_a_model_without_a_shell_is_not_served_as_a_container(scene: Scene, registry: str, tmp_path: Path) -> None:
    (tmp_path / "weights").write_text("1")
    store = Remote(f"http://{registry}")
    made = publish_model(store, "h-causes-no-shell", tmp_path, key="run/step/1", annotations={}, metrics={})
    row = Row(
        "noshell",
        lambda i: model(f"oci://{registry}/models/{made.name}@{made.digest}"),
        r"StartError",
        "model-no-shell",
        ("has no shell",),
    )
    create(scene.cluster, scene.places["plain"], row.name, row.predictor(""))
    for state in scene.watcher.until(scene.key(row), row.shown):
        told(row, state)


def is_ready(state: State) -> bool:
    conditions = state.document.get("status", {}).get("conditions", [])
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


@pytest.mark.parametrize(
    ("spec", "code", "says"),
    [
        ({"predictor": {"containers": [{"name": "kserve-container", "image": "x"}], "nosuch": 1}}, "field-unknown", "spec.predictor.nosuch"),
    ],
)  # fmt: skip
def test_what_the_api_server_refuses_is_said_in_the_same_way(scene: Scene, spec: dict[str, Any], code: str, says: str) -> None:
    with pytest.raises(MlopsError) as refused:
        scene.cluster.create(INFERENCE_SERVICES, {"metadata": {"name": "refused"}, "spec": spec}, scene.places["plain"])
    cause = refused_cause("refused", scene.places["plain"], str(refused.value))
    assert cause is not None, refused.value
    assert (cause.code, says in cause.message) == (code, True)
