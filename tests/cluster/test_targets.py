"""What the checks of a target say of a real cluster, in namespaces that are made to lack something."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_mlops.cluster.base import CONFIG_MAPS, SECRETS, Cluster
from jupyter_mlops.errors import MlopsError, NotFound
from jupyter_mlops.settings import Settings
from jupyter_mlops.targets.check import Check
from jupyter_mlops.targets.find import Targets
from jupyter_mlops.targets.probes.namespace import ENFORCE, QUOTAS
from tests.cluster.conftest import ROLES, fresh_namespace, wait_for

pytestmark = pytest.mark.cluster


@pytest.fixture
def targets(tmp_path: Path) -> Targets:
    """The targets of somebody with the tests' kubeconfig and a home of their own."""
    base = Settings()
    return Targets(replace(base, storage=replace(base.storage, home=tmp_path)))


@pytest.fixture
def name(targets: Targets, cluster: Cluster) -> str:
    return next(found.target.name for found in targets.list() if found.target.context == cluster.context)


@pytest.fixture
def place(cluster: Cluster) -> Iterator[str]:
    with fresh_namespace(cluster, "h-targets-check", {ENFORCE: "restricted", "istio-injection": "enabled"}) as made:
        yield made


def checked(targets: Targets, name: str) -> dict[str, Check]:
    return {check.id: check for check in targets.check(name).checks}


def test_a_namespace_as_its_administrator_gives_it(
    targets: Targets, name: str, place: str, cluster: Cluster, registry: str, python_image: str
) -> None:
    data = {"registry": f"http://{registry}/{place}", "image": python_image}
    cluster.create(CONFIG_MAPS, {"metadata": {"name": "jupyter-mlops"}, "data": data}, place)
    targets.set(name, {"namespace": place})
    found = checked(targets, name)
    assert [check for check in found.values() if check.level == "fail"] == []
    assert "Kubernetes 1." in found["TK01"].why
    assert cluster.server in found["TK01"].why
    assert found["TK03"].why == "the ConfigMap jupyter-mlops says image, registry"
    assert (found["TK09"].level, "restricted" in found["TK09"].why) == ("warn", True)
    assert "Istio is switched on" in found["TK10"].why
    assert found["TS01"].why.startswith("models come by ")
    assert targets.get(name).registry == f"http://{registry}/{place}"


def test_a_namespace_that_lacks_what_it_can_lack(targets: Targets, name: str, place: str, cluster: Cluster, registry: str) -> None:
    cluster.delete(ROLES, "argo-executor", place)
    cluster.create(SECRETS, {"metadata": {"name": "pull"}, "stringData": {"a": "hidden-value"}, "type": "Opaque"}, place)
    cluster.create(CONFIG_MAPS, {"metadata": {"name": "jupyter-mlops"}, "data": {"imgae": "x:1"}}, place)
    cluster.create(QUOTAS, {"metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}}, place)
    settings = {"namespace": place, "registry": f"http://{registry}", "pull_secret": "pull", "ca": "nothing"}
    targets.set(name, settings)
    wait_for(lambda: "used up" in checked(targets, name)["TK11"].why, "the quota to be counted")
    health = targets.check(name)
    found = {check.id: check for check in health.checks}
    assert health.level == "fail"
    assert "did they mean image?" in found["TK03"].why
    assert found["TK07"].why == "the ConfigMap nothing is not there"
    assert "pods: 0 of 0" in found["TK11"].why
    assert "may not write workflowtaskresults" in found["TA03"].why
    assert "has the type Opaque" in found["TR02"].why
    assert "hidden-value" not in repr(health)
    assert targets.health(name) == health


def test_a_namespace_that_is_not_there(targets: Targets, name: str) -> None:
    targets.set(name, {"namespace": "h-targets-nowhere"})
    found = checked(targets, name)
    assert (found["TK02"].level, found["TA03"].level) == ("fail", "fail")
    with pytest.raises(NotFound):
        targets.get("h-no-such-target")


def test_nothing_waits_for_its_limit(targets: Targets, name: str, registry: str) -> None:
    targets.set(name, {"registry": f"http://{registry}"})
    checks = targets.check(name).checks
    assert not [check for check in checks if "no answer within" in check.why]


def test_an_address_where_no_registry_is(targets: Targets, name: str, place: str) -> None:
    targets.set(name, {"namespace": place, "registry": "http://127.0.0.1:1"})
    found = checked(targets, name)["TR01"]
    assert found.level == "fail"
    assert "127.0.0.1:1" in found.why
    assert f"targets set {name} registry_here=" in found.fix or found.fix


def test_an_api_server_that_is_away(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(
        "apiVersion: v1\nkind: Config\ncontexts: [{name: away, context: {cluster: away, user: me}}]\n"
        'clusters: [{name: away, cluster: {server: "https://127.0.0.1:1"}}]\nusers: [{name: me, user: {token: hidden-token}}]\n'
    )
    config.chmod(0o600)
    base = Settings()
    targets = Targets(replace(base, storage=replace(base.storage, home=tmp_path / "home")), {"KUBECONFIG": str(config)})
    health = targets.check("away")
    assert (health.level, {check.level for check in health.checks[1:]}) == ("fail", {"skip"})
    assert "hidden-token" not in repr(health)
    with pytest.raises(MlopsError):
        targets.get("away")
