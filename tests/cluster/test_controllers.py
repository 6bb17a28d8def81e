"""What Argo's controller can be, or not be: killed, without what PodSecurity asks of it, keeping logs where nothing is.

Each test has a controller of its own, with its own configuration, so that the cluster's is left alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.cluster.base import CONFIG_MAPS, SECRETS, Cluster
from jupyter_mlops.diagnose.cause import Cause
from jupyter_mlops.engine.argo.engine import ArgoEngine
from jupyter_mlops.engine.base import Run, Submission
from jupyter_mlops.oci.open import open_store
from jupyter_mlops.settings import Settings, Storage, Target
from jupyter_mlops.targets.probes.namespace import ENFORCE
from jupyter_mlops.testing.engine import workflow
from tests.cluster.conftest import fresh_namespace
from tests.cluster.notebooks import compiled
from tests.cluster.own_controller import OwnController, own_controller

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

RESOURCES = {"requests": {"cpu": "10m", "memory": "32Mi"}}
COMPLIANT = {
    "runAsNonRoot": True,
    "runAsUser": 8737,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
"""What our fix asks an administrator for, and PodSecurity ``restricted`` of Argo's own containers."""

NOWHERE = {
    "archiveLogs": True,
    "s3": {
        "bucket": "nothing",
        "endpoint": "127.0.0.1:1",
        "insecure": True,
        "accessKeySecret": {"name": "s3", "key": "name"},
        "secretKeySecret": {"name": "s3", "key": "word"},
    },
}
"""An artifact repository that keeps every log, at an address where nobody answers."""


class Place:
    """Namespaces with a controller each, and engines that submit to them."""

    def __init__(self, cluster: Cluster, registry: str, image: str, folder: Path, stack: ExitStack) -> None:
        self.cluster, self.registry, self.image, self.folder, self.stack = cluster, registry, image, folder, stack

    def controller(self, config: dict[str, Any], labels: dict[str, str] | None = None, *, leases: bool = False) -> OwnController:
        namespace = self.stack.enter_context(fresh_namespace(self.cluster, "h-controller", labels))
        return self.stack.enter_context(own_controller(self.cluster, namespace, self.registry, self.folder, config, leases=leases))

    def target(self, of: OwnController) -> Target:
        return Target("kit", namespace=of.namespace, registry=f"http://{self.registry}/{of.namespace}", image=self.image)

    def engine(self, of: OwnController) -> ArgoEngine:
        target = self.target(of)
        return ArgoEngine(Settings(storage=Storage(home=self.folder / "home")), self.cluster, target, open_store(target.registry))

    def notebook(self, of: OwnController, source: str, name: str) -> Run:
        """Submit a notebook of one cell, as the product does it."""
        target = self.target(of)
        document = compiled(open_store(target.registry), target, [("a", source)], name=name)
        return self.engine(of).submit(Submission(of.label(document)))


@pytest.fixture
def place(cluster: Cluster, registry: str, python_image: str, tmp_path: Path) -> Iterator[Place]:
    with ExitStack() as stack:
        yield Place(cluster, registry, python_image, tmp_path, stack)


def first_cause(engine: ArgoEngine, name: str) -> Cause:
    """What is told of the first step that cannot start."""
    return next(cause for run in engine.watch(name) for step in run.steps if (cause := step.cause))


def test_a_controller_that_is_not_there_is_named_while_the_run_waits(place: Place) -> None:
    controller = place.controller({"executor": {"resources": RESOURCES}})
    engine = place.engine(controller)
    controller.kill()
    document = controller.label(workflow(("a", "print('at last')"), name="waiting", image=place.image))
    run = engine.submit(Submission(document))
    cause = first_cause(engine, run.name)
    assert (cause.code, cause.blame) == ("controller-down", "platform")
    assert "was not taken up: Argo's controller does not run" in cause.message
    assert "workflow-controller" in cause.fix
    assert engine.get(run.name).steps[0].cause == cause
    assert [one.steps[0].cause for one in engine.list(pipeline="waiting")] == [cause]
    controller.start()
    last = list(engine.watch(run.name))[-1]
    assert (last.phase, last.failure, last.steps[0].cause) == ("Succeeded", None, None)


def test_a_controller_that_dies_while_a_run_goes_on_is_named_by_its_lease(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jupyter_mlops.diagnose.workflow.LEASE", 12.0)  # it is renewed every five seconds
    monkeypatch.setattr("jupyter_mlops.engine.argo.looking.LEASE_FRESH", 1.0)
    monkeypatch.setattr("jupyter_mlops.engine.argo.stage.TICK", 1.0)
    controller = place.controller({"executor": {"resources": RESOURCES}}, leases=True)
    engine = place.engine(controller)
    steps = ("a", "print('begun', flush=True); time.sleep(3)"), ("b", "print('at last')")
    run = engine.submit(Submission(controller.label(workflow(*steps, name="orphan", image=place.image))))
    watching = engine.watch(run.name)
    assert next(now for now in watching if now.steps[0].phase == "Running").steps[1].cause is None
    controller.kill()
    told = next(now for now in watching if now.steps[1].cause)
    cause = told.steps[1].cause
    assert cause is not None
    assert (told.phase, cause.code, cause.blame) == ("Running", "controller-down", "platform")
    assert "Argo's controller gave its last sign of life" in cause.message
    assert any("lease workflow-controller" in fact for fact in cause.facts)
    controller.start()
    last = list(watching)[-1]
    assert (last.phase, [step.cause for step in last.steps]) == ("Succeeded", [None, None])


def test_a_namespace_that_refuses_argos_own_containers(place: Place) -> None:
    """Named with the setting that an administrator lacks; and with just that setting the same notebook runs."""
    controller = place.controller({"executor": {"resources": RESOURCES}}, {ENFORCE: "restricted"})
    engine = place.engine(controller)
    refused = place.notebook(controller, "x = 1", "refused")
    last = list(engine.watch(refused.name))[-1]
    assert last.phase == "Error"
    assert last.failure is not None
    assert (last.failure.code, last.failure.blame) == ("pod-security-argo", "platform")
    assert "restricted" in last.failure.message
    assert "executor.securityContext" in last.failure.fix
    assert "workflow-controller-configmap" in last.failure.fix
    assert any("violates PodSecurity" in fact for fact in last.failure.facts)
    controller.configure({"executor": {"resources": RESOURCES, "securityContext": COMPLIANT}})
    run = place.notebook(controller, "x = 1", "taken")
    assert list(engine.watch(run.name))[-1].phase == "Succeeded"


def test_logs_that_argo_should_keep_where_nothing_is(place: Place) -> None:
    """No Workflow can decline it (Argo's rule), so it is told with what lets the namespace decline; and with that the run works."""
    controller = place.controller({"executor": {"resources": RESOURCES}, "artifactRepository": NOWHERE})
    words = {"name": "nobody", "word": "nothing"}
    place.cluster.create(SECRETS, {"metadata": {"name": "s3"}, "stringData": words}, controller.namespace)
    engine = place.engine(controller)
    run = place.notebook(controller, "print('ours')", "kept")
    last = list(engine.watch(run.name))[-1]
    assert last.phase == "Error"
    assert last.failure is not None
    assert (last.failure.code, last.failure.blame, last.failure.step) == ("log-archive", "platform", "a")
    assert "dial tcp 127.0.0.1:1" in last.failure.message
    assert f"kubectl -n {controller.namespace} create configmap artifact-repositories" in last.failure.fix
    assert "ours" in [line.text for line in engine.logs(run.name)], "it did run"

    note = {"workflows.argoproj.io/default-artifact-repository": "none"}
    declines = {"metadata": {"name": "artifact-repositories", "annotations": note}, "data": {"none": "archiveLogs: false"}}
    place.cluster.create(CONFIG_MAPS, declines, controller.namespace)
    again = place.notebook(controller, "print('ours')", "declined")
    assert list(engine.watch(again.name))[-1].phase == "Succeeded"
