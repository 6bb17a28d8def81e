"""Every way in which a run on Argo is known to fail or to wait, made for real, is recognised as soon as the cluster shows it.

All Workflows are created at once, since most of them only wait; each test then looks at what was said of its own: the right
cause from the first state on that shows the trouble, and none before.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from jupyter_mlops.cluster.base import PODS, WORKFLOWS, Cluster, Document, Kind
from jupyter_mlops.diagnose.cause import Cause
from jupyter_mlops.diagnose.workflow import causes
from jupyter_mlops.errors import NotFound
from tests.cluster.conftest import fresh_namespace, wait_for
from tests.cluster.watching import State, Watcher, container, watching

pytestmark = pytest.mark.cluster

QUOTAS, RANGES = Kind("", "v1", "resourcequotas", "ResourceQuota"), Kind("", "v1", "limitranges", "LimitRange")
DEADLINE = r"exceeded its deadline|: timeout|specified deadline"
SLEEP = "import time; time.sleep(600)"
TOLD = (
    'import sys; open(\'/dev/termination-log\', \'w\').write(\'{"code": "step-failed", "message": "ValueError in cell 3, line 2: no", '
    '"cell": 3, "line": 2, "fix": "look at it", "traceback": ["one", "two"]}\'); sys.exit(1)'
)


@dataclass(frozen=True)
class Row:
    """A trouble: how to make it, the words in which the cluster shows it, and what is to be said."""

    name: str
    spec: Callable[[str], dict[str, Any]]
    """From the image that works to the Workflow's spec."""

    shown: str
    code: str
    says: tuple[str, ...]
    """Parts of the message or fix."""

    blame: str = "user"
    place: str = "plain"


def one(**fields: Any) -> dict[str, Any]:
    """A spec of one step."""
    template = {
        "name": "train",
        **{key: fields.pop(key) for key in ("container", "nodeSelector", "timeout", "retryStrategy") if key in fields},
    }
    return {"entrypoint": "train", "templates": [template], **fields}


def limited(image: str, code: str = SLEEP, **limits: str) -> dict[str, Any]:
    return one(container=container(image, code, resources={"limits": dict(limits), "requests": dict(limits)}))


def mounted(image: str, **volume: Any) -> dict[str, Any]:
    return one(
        container=container(image, SLEEP, volumeMounts=[{"name": "data", "mountPath": "/data"}]),
        volumes=[{"name": "data", **volume}],
    )


def secret_env(image: str, name: str, key: str = "token") -> dict[str, Any]:
    variable = {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": name, "key": key}}}
    return one(container=container(image, SLEEP, env=[variable]))


def missing(image: str) -> str:
    return image.partition("/")[0] + "/nope:1"


LOCK = {"mutexes": [{"name": "training"}]}
ROWS = [
    Row("exit", lambda i: one(container=container(i, "import sys; sys.exit(3)")), r'"exitCode": 3|exit code 3', "step-failed", ("exit code 3",)),
    Row("told", lambda i: one(container=container(i, TOLD)), r"cell 3, line 2", "step-failed", ("ValueError in cell 3, line 2: no", "look at it")),
    Row("program", lambda i: one(container={**container(i), "command": ["/no/such"]}), r"failed to find name", "command-not-found", ("/no/such", "PYTHON")),
    Row("memory", lambda i: limited(i, "x = bytearray(1 << 30); print(len(x), sum(x[::4096]))", memory="48Mi"), r"OOMKilled", "out-of-memory", ("48Mi", "256Mi")),
    Row("tag", lambda i: one(container=container(missing(i), SLEEP)), r"ErrImagePull|ImagePullBackOff", "image-not-found", ("/nope:1 does not exist",)),
    Row("registry", lambda i: one(container=container("registry.example.com/nope:1", SLEEP)), r"ErrImagePull|ImagePullBackOff", "registry-unreachable", ("registry.example.com",), "platform"),
    Row("entry", lambda i: one(container={"name": "", "image": missing(i)}), r"entrypoint/cmd", "image-not-found", ("/nope:1",)),
    Row("gpu", lambda i: limited(i, **{"example.com/gpu": "2"}), r"Insufficient example.com/gpu", "no-gpu", ("2 asked for", "example.com/gpu")),
    Row("room", lambda i: limited(i, memory="4Ti"), r"Insufficient memory", "no-room", ("less memory than the 4Ti asked for", "`memory`")),
    Row("cpu", lambda i: limited(i, cpu="900"), r"Insufficient cpu", "no-room", ("CPU than the 900 asked for", "`cpu`")),
    Row("selector", lambda i: one(container=container(i, SLEEP), nodeSelector={"disk": "ssd"}), r"didn't match Pod", "no-matching-machine", ("disk=ssd", "node_selector")),
    Row("secret", lambda i: secret_env(i, "hf-token"), r"CreateContainerConfigError", "secret-missing", ("'hf-token'", "kubectl create secret generic hf-token -n")),
    Row("key", lambda i: secret_env(i, "present", "nokey"), r"CreateContainerConfigError", "secret-missing", ("'present' has no key 'nokey'",)),
    Row("mount", lambda i: mounted(i, secret={"secretName": "nowhere"}), r"MountVolume.SetUp failed", "secret-missing", ("no secret 'nowhere'",)),
    Row("config", lambda i: mounted(i, configMap={"name": "nowhere"}), r"MountVolume.SetUp failed", "configmap-missing", ("no ConfigMap 'nowhere'",)),
    Row("claim", lambda i: mounted(i, persistentVolumeClaim={"claimName": "nothere"}), r"persistentvolumeclaim", "volume-not-found", ("nothere",)),
    Row("account", lambda i: one(container=container(i, SLEEP), serviceAccountName="ghost"), r"looking up service account", "account-not-found", ("'ghost'", "service_account")),
    Row("right", lambda i: one(container=container(i, "print(1)")), r"workflowtaskresults", "account-right-missing", ("kubectl create role", "'default'"), "platform", "bare"),
    Row("deleted", lambda i: one(container=container(i, SLEEP)), r"pod deleted|exit code 143", "interrupted", ("Run it again",), "platform"),
    Row("deadline", lambda i: one(container=container(i, SLEEP), activeDeadlineSeconds=4), DEADLINE, "timeout", ("`timeout`",)),
    Row("timeout", lambda i: one(container=container(i, SLEEP), timeout="4s"), DEADLINE, "timeout", ("`timeout`",)),
    Row("template", lambda i: {"entrypoint": "main", "templates": [{"name": "main", "dag": {"tasks": [{"name": "a", "template": "nosuch"}]}}]}, r"undefined", "workflow-invalid", ("'nosuch'",)),
    Row("root", lambda i: one(container=container(i, SLEEP, securityContext={"runAsNonRoot": True})), r"CreateContainerConfigError", "image-runs-as-root", ("as root",)),
    Row("name", lambda i: one(container=container("UPPER/Case:1", SLEEP)), r"InvalidImageName", "image-name", ("UPPER/Case:1",)),
    Row("folder", lambda i: one(container=container(i, SLEEP, volumeMounts=[{"name": "a", "mountPath": "/etc/hostname/x"}]), volumes=[{"name": "a", "emptyDir": {}}]), r"StartError|RunContainerError|CreateContainerError|exit code 128", "container-start", ("nothing can be mounted",)),
    Row("quota", lambda i: one(container=container(i, SLEEP)), r"exceeded quota", "quota", ("'small'", "pods"), "platform", "quota"),
    Row("limits", lambda i: one(container=container(i, SLEEP)), r"must specify", "quota-needs-limits", ("'strict'", "limits.memory"), "user", "strict"),
    Row("range", lambda i: limited(i, memory="128Mi"), r"maximum memory usage", "outside-limits", ("at most 64Mi of memory", "128Mi"), "user", "range"),
    Row("security", lambda i: one(container=container(i, SLEEP)), r"violates PodSecurity", "pod-security", ("'restricted'", "its containers (main)"), "user", "restricted"),
    Row("lock", lambda i: one(container=container(i, SLEEP), synchronization=LOCK), r"[Ww]aiting for", "waits-for-lock", ("'training'",), "platform"),
]  # fmt: skip


@dataclass
class Scene:
    """The namespaces, and what was seen in them."""

    cluster: Cluster
    watcher: Watcher
    places: dict[str, str] = field(default_factory=dict)

    def key(self, row: Row) -> str:
        return f"{self.places[row.place]}/{row.name}"


def diagnose(workflow: Document, pods: Sequence[Document], events: Sequence[Document]) -> Mapping[str, Cause]:
    return causes(workflow, pods, events, now=time.time())


@pytest.fixture(scope="module")
def scene(cluster: Cluster, python_image: str) -> Iterator[Scene]:
    """All the Workflows of the table at once, in namespaces that differ in what they allow, and one that succeeds late."""
    watcher = Watcher(cluster, WORKFLOWS, "workflows.argoproj.io/workflow", diagnose)
    with contextlib.ExitStack() as stack:
        made = Scene(cluster, watcher)
        for place in ("plain", "bare", "quota", "strict", "range", "restricted"):
            labels = {"pod-security.kubernetes.io/enforce": "restricted"} if place == "restricted" else {}
            made.places[place] = stack.enter_context(fresh_namespace(cluster, f"h-causes-{place}", labels))
        prepare(cluster, made.places)
        watcher.namespaces.extend(made.places.values())
        stack.enter_context(contextlib.contextmanager(watching)(watcher))
        holder = one(container=container(python_image, SLEEP), synchronization=LOCK)
        create(cluster, made.places["plain"], "holder", holder)
        for row in ROWS:
            create(cluster, made.places[row.place], row.name, row.spec(python_image))
        create(cluster, made.places["plain"], "retried", retried(python_image))
        yield made


def prepare(cluster: Cluster, places: Mapping[str, str]) -> None:
    """What makes the namespaces differ."""
    from jupyter_mlops.cluster.base import SECRETS
    from tests.cluster.conftest import ROLE_BINDINGS

    cluster.create(SECRETS, {"metadata": {"name": "present"}, "stringData": {"token": "x"}}, places["plain"])
    cluster.delete(ROLE_BINDINGS, "argo-executor", places["bare"])
    cluster.create(QUOTAS, {"metadata": {"name": "small"}, "spec": {"hard": {"pods": "0"}}}, places["quota"])
    cluster.create(QUOTAS, {"metadata": {"name": "strict"}, "spec": {"hard": {"limits.memory": "8Gi"}}}, places["strict"])
    limits = [{"type": "Container", "max": {"memory": "64Mi"}}]
    cluster.create(RANGES, {"metadata": {"name": "narrow"}, "spec": {"limits": limits}}, places["range"])


def create(cluster: Cluster, namespace: str, name: str, spec: Mapping[str, Any]) -> None:
    cluster.create(
        WORKFLOWS, {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"name": name}, "spec": spec}, namespace
    )


def retried(image: str) -> dict[str, Any]:
    """A step whose first attempt fails and whose second succeeds."""
    step = container(image, "import sys; sys.exit({{retries}} == 0 and 7)")
    return one(container=step, retryStrategy={"limit": "2", "retryPolicy": "Always"})


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_it_is_recognised_as_soon_as_it_shows(scene: Scene, row: Row, python_image: str) -> None:
    if row.name == "deleted":
        delete_pod(scene, scene.key(row))
    states = list(scene.watcher.until(scene.key(row), row.shown))
    # An event may come before the status that the row waits for: what it proves may be said at once, but nothing else; only
    # that Argo starts so many steps a second is true of all of them for a moment.
    early = [state for state in scene.watcher.before(scene.key(row), row.shown) if state.causes]
    states += [state for state in early if state.causes[""].code != "too-many-runs"]
    for state in states:
        told(row, state, python_image)


def told(row: Row, state: State, image: str) -> None:
    """What is said of a state is what the row says, on the run and on the node that has it."""
    assert "" in state.causes, (state.causes, state.text[-2000:])
    cause = state.causes[""]
    assert (cause.code, cause.blame) == (row.code, row.blame), cause
    for part in row.says:
        assert part.replace("PYTHON", image) in f"{cause.message}\n{cause.fix}", cause
    assert cause.facts
    assert all(found == cause for key, found in state.causes.items() if key)


def delete_pod(scene: Scene, key: str) -> None:
    """Delete the pod of a Workflow once it runs."""
    namespace, _, name = key.partition("/")

    def running() -> list[Document]:
        pods = scene.cluster.list(PODS, namespace, labels=f"workflows.argoproj.io/workflow={name}").items
        return [pod for pod in pods if pod["status"].get("phase") == "Running"]

    wait_for(running, f"a running pod of {name}", 160)
    with contextlib.suppress(NotFound):
        scene.cluster.delete(PODS, running()[0]["metadata"]["name"], namespace)


def test_a_step_that_succeeds_in_the_end_has_no_cause(scene: Scene) -> None:
    key = f"{scene.places['plain']}/retried"
    wait_for(lambda: scene.watcher.of(key)[-1].document["status"].get("phase") == "Succeeded", "the retried run", 160)
    assert [state.causes for state in scene.watcher.of(key) if state.causes] == []


def test_a_run_that_works_has_no_cause(scene: Scene) -> None:
    key = f"{scene.places['plain']}/holder"
    wait_for(lambda: any('"running"' in state.text for state in scene.watcher.of(key)), "the run that holds the lock")
    assert [state.causes for state in scene.watcher.of(key) if state.causes] == []


def test_the_role_that_is_given_as_a_fact_mends_it(scene: Scene, python_image: str) -> None:
    import yaml

    namespace = scene.places["bare"]
    row = next(row for row in ROWS if row.name == "right")
    state = next(scene.watcher.until(scene.key(row), row.shown))
    manifest = next(fact for fact in state.causes[""].facts if "kind: RoleBinding" in fact)
    for document in yaml.safe_load_all(manifest):
        kind = Kind("rbac.authorization.k8s.io", "v1", document["kind"].lower() + "s", document["kind"])
        scene.cluster.apply(kind, document, namespace)
    create(scene.cluster, namespace, "mended", one(container=container(python_image, "print(1)")))
    wait_for(
        lambda: scene.cluster.get(WORKFLOWS, "mended", namespace).get("status", {}).get("phase") == "Succeeded",
        "the mended run",
        90,
    )
