"""Every finding about a cluster, on a cluster in memory that is made to be so."""

from __future__ import annotations

import base64
import time

import pytest

from jupyter_mlops.cluster.base import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    LEASES,
    NAMESPACES,
    NODES,
    PODS,
    SECRETS,
    SERVICE_ACCOUNTS,
    WORKFLOWS,
    Answer,
)
from jupyter_mlops.engine.times import rfc3339
from jupyter_mlops.errors import NotAllowed, Unavailable
from jupyter_mlops.targets import check as check_module
from jupyter_mlops.targets import memory
from jupyter_mlops.targets.check import Check, Finding, Health, Question, ask_all, questions
from jupyter_mlops.targets.probes import argo, namespace, registry
from jupyter_mlops.targets.probes.namespace import QUOTAS
from jupyter_mlops.testing.embedded import embedded_registry


@pytest.fixture
def good(cluster, make, tmp_path):
    """A target on which everything is in order, and what it is made of."""
    with embedded_registry(tmp_path / "registry") as address:
        cluster.put(SERVICE_ACCOUNTS, {"metadata": {"name": "default"}})
        cluster.put(LEASES, {"metadata": {"name": "workflow-controller"}, "spec": lease()}, "ml")
        targets = make()
        targets.set("dev", {"registry": address, "image": "docker.io/library/python:3.11"})
        yield targets


def lease(age=1.0, holder="somebody"):
    return {"holderIdentity": holder, "renewTime": rfc3339(time.time() - age)}


def documents(text):
    import yaml

    return list(yaml.safe_load_all(text))


def found(targets, check_id):
    health = targets.check("dev")
    return next(check for check in health.checks if check.id == check_id)


def test_ids_are_used_once():
    ids = [question.id for question in questions()]
    assert len({*ids, check_module.REACH[0]}) == len(ids) + 1


def test_everything_in_order(good):
    health = good.check("dev")
    assert [(check.id, check.why) for check in health.checks if check.level == "fail"] == []
    assert health.level in {"ok", "warn"}
    assert [check.id for check in health.checks] == ["TK01", *(question.id for question in questions())]
    assert all(not check.fix for check in health.checks if check.level == "ok")


def test_this_machine_is_always_in_order(make):
    health = make().check("local")
    assert (health.level, len(health.checks), health.problem) == ("ok", 1, None)


# -- whether it answers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [
        Unavailable("https://one.example:6443 does not answer", fix="Check the VPN."),
        NotAllowed("the login of the context dev failed", code="cluster-login", fix="Log in again."),
    ],
)
def test_a_cluster_that_is_away_is_one_failure_and_nothing_else_is_asked(good, cluster, error):
    cluster.fail_next(error, times=50)
    health = good.check("dev")
    assert health.level == "fail"
    assert health.problem == Check("TK01", "fail", "API server", error.message, error.fix)
    assert {check.level for check in health.checks[1:]} == {"skip"}


def test_a_question_that_hangs_or_breaks_is_a_finding_about_itself(good, cluster, make):
    import threading

    release = threading.Event()

    def hangs(_scene):
        release.wait(30)
        return Finding("ok", "late")

    def breaks(_scene):
        raise ZeroDivisionError("by nothing")

    def forbidden(_scene):
        raise NotAllowed("may not list nodes")

    asked = (
        Question("X1", "hangs", hangs),
        Question("X2", "breaks", breaks),
        Question("X3", "forbidden", forbidden),
        Question("X4", "fine", lambda _scene: Finding("ok", "here")),
    )
    try:
        levels = {check.id: (check.level, check.why) for check in ask_all(asked, None, patience=0.3)}
    finally:
        release.set()
    assert levels["X1"][0] == "warn"
    assert "no answer within" in levels["X1"][1]
    assert levels["X2"] == ("warn", "the check itself failed: ZeroDivisionError: by nothing")
    assert levels["X3"] == ("skip", "may not be looked at: may not list nodes")
    assert levels["X4"] == ("ok", "here")


# -- the namespace -------------------------------------------------------------------------------------------------------------


def test_no_such_namespace(good):
    good.set("dev", {"namespace": "gone"})
    check = found(good, "TK02")
    assert (check.level, check.why) == ("fail", "there is no namespace gone")
    assert "targets set dev namespace=" in check.fix


def test_a_namespace_that_is_being_deleted(good, cluster):
    cluster.put(NAMESPACES, {"metadata": {"name": "ml", "deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["x"]}})
    assert "being deleted" in found(good, "TK02").why


def test_who_may_not_look_at_namespaces_may_still_work_in_one(good, cluster):
    cluster.forbid("get", NAMESPACES)
    assert found(good, "TK02").level == "ok"
    assert found(good, "TK09").level == "skip"
    cluster.forbid("list", PODS)
    assert found(good, "TK02").level == "skip"


def test_what_the_namespace_says_wrongly(good, cluster):
    cluster.put(CONFIG_MAPS, {"metadata": {"name": "jupyter-mlops"}, "data": {"imgae": "x:1"}})
    check = found(good, "TK03")
    assert (check.level, check.why) == ("warn", "imgae: no such setting; did they mean image?")
    cluster.remove(CONFIG_MAPS, "jupyter-mlops")
    cluster.put(CONFIG_MAPS, {"metadata": {"name": "jupyter-mlops"}, "data": {"queue": "gpu"}})
    assert found(good, "TK03").why == "the ConfigMap jupyter-mlops says queue"


@pytest.mark.parametrize(
    ("check_id", "kind", "verb", "sub", "level"),
    [("TK04", WORKFLOWS, "create", "", "fail"), ("TK04", PODS, "get", "log", "fail"), ("TK05", None, "delete", "", "warn")],
)
def test_a_missing_right_is_named_and_a_role_is_offered(good, cluster, check_id, kind, verb, sub, level):
    from jupyter_mlops.cluster.base import INFERENCE_SERVICES

    cluster.forbid(verb, kind or INFERENCE_SERVICES, sub)
    check = found(good, check_id)
    resource = f"{(kind or INFERENCE_SERVICES).plural}{f'/{sub}' if sub else ''}"
    assert check.level == level
    assert f"{verb} on {resource}" in check.why
    manifest = check.fix.partition("<<'EOF'\n")[2].rpartition("\nEOF")[0]
    role, binding = documents(manifest)
    assert any(resource in rule["resources"] and verb in rule["verbs"] for rule in role["rules"])
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert role["metadata"]["namespace"] == binding["metadata"]["namespace"] == "ml"


@pytest.mark.parametrize(
    ("user", "subject"),
    [
        ("system:serviceaccount:team:me", {"kind": "ServiceAccount", "name": "me", "namespace": "team"}),
        ("ada@example.com", {"kind": "User", "name": "ada@example.com", "apiGroup": "rbac.authorization.k8s.io"}),
        ('"}\n- evil', {"kind": "User", "name": "USER", "apiGroup": "rbac.authorization.k8s.io"}),
        ("", {"kind": "User", "name": "USER", "apiGroup": "rbac.authorization.k8s.io"}),
    ],
)
def test_the_role_is_bound_to_who_asks(user, subject):
    from jupyter_mlops.targets.rights import RUN, SERVE, SETTINGS, Missing, role_manifest

    every = [Missing(right, right.verbs) for right in (*RUN, *SERVE, *SETTINGS)]
    role, binding = documents(role_manifest(every, "ml", user))
    assert binding["subjects"] == [subject]
    assert len(role["rules"]) == len(every)


def test_a_cluster_that_does_not_tell_rights(good, cluster):
    cluster.behaviour.answer = lambda _question: Answer(allowed=False, known=False)
    assert found(good, "TK04").level == "skip"
    assert found(good, "TA03").level == "skip"


@pytest.mark.parametrize(
    ("labels", "done", "level", "said"),
    [
        ({}, False, "ok", "enforces nothing"),
        ({namespace.ENFORCE: "baseline"}, False, "ok", "enforces baseline"),
        ({namespace.ENFORCE: "restricted"}, False, "warn", "Argo's own only if"),
        ({namespace.ENFORCE: "restricted"}, True, "ok", "runs have succeeded"),
    ],
)
def test_pod_security(good, cluster, labels, done, level, said):
    cluster.put(NAMESPACES, {"metadata": {"name": "ml", "labels": labels}})
    if done:
        labels = {"workflows.argoproj.io/phase": "Succeeded"}
        cluster.put(WORKFLOWS, {"metadata": {"name": "w", "labels": labels}, "status": {"phase": "Succeeded"}})
    check = found(good, "TK09")
    assert check.level == level
    assert said in check.why


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ({}, "no sidecars"),
        ({"istio-injection": "enabled"}, "Istio is switched on"),
        ({"istio.io/rev": "x"}, "Istio is switched on"),
    ],
)
def test_sidecars(good, cluster, labels, said):
    cluster.put(NAMESPACES, {"metadata": {"name": "ml", "labels": labels}})
    assert said in found(good, "TK10").why


@pytest.mark.parametrize(
    ("hard", "used", "level"),
    [
        ({"cpu": "4"}, {"cpu": "3900m"}, "ok"),
        ({"cpu": "4"}, {"cpu": "4"}, "warn"),
        ({"memory": "8Gi"}, {"memory": "8192Mi"}, "warn"),
        ({"memory": "8G"}, {"memory": "8191Mi"}, "warn"),
        ({"memory": "8Gi"}, {"memory": "7Gi"}, "ok"),
        ({"requests.nvidia.com/gpu": "0"}, {}, "warn"),
        ({"pods": "10"}, {"pods": "odd"}, "ok"),
    ],
)
def test_quota(good, cluster, hard, used, level):
    cluster.store.add(QUOTAS, "ml", {"metadata": {"name": "q"}, "status": {"hard": hard, "used": used}})
    assert found(good, "TK11").level == level


def test_gpus_of_any_make_are_counted(good, cluster):
    for number, devices in enumerate(
        [{"nvidia.com/gpu": "2"}, {"nvidia.com/gpu": "1", "amd.com/gpu": "4"}, {"example.com/nic": "9"}]
    ):
        allocatable = {"cpu": "2", "hugepages-2Mi": "0", **devices}
        cluster.put(NODES, {"metadata": {"name": f"n{number}"}, "status": {"allocatable": allocatable}})
    assert found(good, "TK08").why == "4 amd.com/gpu, 3 nvidia.com/gpu"
    cluster.forbid("list", NODES)
    assert found(good, "TK08").level == "skip"


def test_the_image(good):
    assert found(good, "TK06").why == "docker.io/library/python:3.11, Python 3.11"
    good.set("dev", {"image": "", "mirrors": "docker.io/=mirror.example/"})
    check = found(good, "TK06")
    assert check.level == "warn"
    assert "mirror.example/library/python:3.x-slim" in check.why


PEM = "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"


@pytest.mark.parametrize(
    ("data", "level", "said"),
    [
        (None, "fail", "is not there"),
        ({}, "fail", "has no key ca.crt"),
        ({"ca.crt": "nothing"}, "fail", "holds no certificate"),
        ({"ca.crt": PEM * 2}, "ok", "authorities: 2 certificates"),
    ],
)
def test_certificates(good, cluster, data, level, said):
    good.set("dev", {"ca": "authorities"})
    if data is not None:
        cluster.put(CONFIG_MAPS, {"metadata": {"name": "authorities"}, "data": data})
    check = found(good, "TK07")
    assert check.level == level
    assert said in check.why


# -- Argo ----------------------------------------------------------------------------------------------------------------------


def test_no_argo(good, cluster, monkeypatch):
    monkeypatch.setattr(cluster, "kinds", lambda _group: {})
    check = found(good, "TA01")
    assert (check.level, check.why) == ("fail", "this cluster has no Argo Workflows")
    assert "install.yaml" in check.fix


def test_which_argo(good, cluster):
    assert "minimal definitions" in found(good, "TA01").why
    cluster.behaviour.fields["workflows"] = frozenset({"spec.entrypoint"})
    assert found(good, "TA01").why.startswith("version 4.0 or newer, with full definitions")
    spec = {"template": {"spec": {"containers": [{"image": "quay.io/argoproj/workflow-controller:v3.7.9"}]}}}
    cluster.put(DEPLOYMENTS, {"metadata": {"name": "workflow-controller"}, "spec": spec})
    assert found(good, "TA01").why.startswith("version 3.7.9")


def workflow(name, phase="", age=0.0):
    metadata = {"name": name, "creationTimestamp": rfc3339(time.time() - age)}
    return {"metadata": metadata, **({"status": {"phase": phase}} if phase else {})}


@pytest.mark.parametrize(
    ("objects", "level", "said"),
    [
        (lambda: [(LEASES, {"spec": lease(1)})], "ok", "holds its lease"),
        (lambda: [(LEASES, {"spec": lease(600)})], "fail", "was last renewed"),
        (lambda: [(DEPLOYMENTS, {"status": {"readyReplicas": 1}})], "ok", "1 running"),
        (lambda: [(DEPLOYMENTS, {"status": {}})], "fail", "no running pod"),
        (list, "skip", "may not be looked at"),
        (lambda: [(WORKFLOWS, workflow("new", age=1))], "skip", "no Workflow here that shows"),
        (lambda: [(WORKFLOWS, workflow("new", age=1)), (WORKFLOWS, workflow("done", "Succeeded", 900))], "ok", "has acted"),
    ],
)
def test_whether_the_controller_lives(good, cluster, objects, level, said):
    cluster.remove(LEASES, "workflow-controller", "ml")
    for kind, document in objects():  # made now: their times count
        metadata = {"name": "workflow-controller", **document.get("metadata", {})}
        cluster.put(kind, {**document, "metadata": metadata}, "ml")
    check = found(good, "TA02")
    assert check.level == level
    assert said in check.why


def test_a_workflow_that_nobody_looks_at_shows_that_there_is_no_controller(good, cluster, monkeypatch):
    cluster.remove(LEASES, "workflow-controller", "ml")
    cluster.put(WORKFLOWS, workflow("old"))
    later = time.time() + argo.SILENT + 5
    monkeypatch.setattr(argo.time, "time", lambda: later)
    check = found(good, "TA02")
    assert (check.level, "the Workflow old was not looked at" in check.why) == ("fail", True)


def test_the_steps_account_may_not_report(good, cluster):
    good.set("dev", {"service_account": "runner"})
    assert found(good, "TA03").why == "there is no service account runner in ml"
    cluster.put(SERVICE_ACCOUNTS, {"metadata": {"name": "runner"}})
    assert found(good, "TA03").why == "runner may report results"
    cluster.behaviour.answer = lambda question: Answer(allowed=not question.account)
    check = found(good, "TA03")
    assert check.level == "fail"
    role, binding = documents(check.fix.partition("<<'EOF'\n")[2].rpartition("\nEOF")[0])
    assert role["rules"] == [{"apiGroups": ["argoproj.io"], "resources": ["workflowtaskresults"], "verbs": ["create", "patch"]}]
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "runner", "namespace": "ml"}]


# -- the registry --------------------------------------------------------------------------------------------------------------


def test_no_registry(good):
    good.set("dev", {"registry": ""})
    check = found(good, "TR01")
    assert (check.level, check.why) == ("fail", "target dev has no registry")
    assert "targets set dev registry=" in check.fix


@pytest.mark.slow
def test_a_registry_that_is_away(good):
    good.set("dev", {"registry": "http://127.0.0.1:1"})
    assert found(good, "TR01").level == "fail"


def test_the_address_from_here_counts(good):
    address = good.find("dev").registry
    good.set("dev", {"registry": "http://registry.inside:5000", "registry_here": address})
    check = found(good, "TR01")
    assert check.level == "ok"
    assert check.why.startswith(f"{address} answers")
    assert "whether pods reach http://registry.inside:5000 the first run shows" in check.why


@pytest.mark.parametrize(
    ("kind", "level", "said"),
    [(None, "fail", "there is no Secret pull"), ("Opaque", "fail", "has the type Opaque"), (registry.PULL_SECRET, "ok", "pull")],
)
def test_the_pull_secret_is_looked_at_and_never_shown(good, cluster, kind, level, said):
    good.set("dev", {"pull_secret": "pull"})
    hidden = base64.b64encode(b"hidden-password").decode()
    if kind:
        cluster.put(SECRETS, {"metadata": {"name": "pull"}, "type": kind, "data": {".dockerconfigjson": hidden}})
    health = good.check("dev")
    check = next(one for one in health.checks if one.id == "TR02")
    assert check.level == level
    assert said in check.why
    assert hidden not in repr(health)
    assert "hidden-password" not in repr(health)


def test_a_secret_that_may_not_be_read(good, cluster):
    good.set("dev", {"pull_secret": "pull"})
    cluster.forbid("get", SECRETS)
    assert found(good, "TR02").level == "skip"


# -- KServe --------------------------------------------------------------------------------------------------------------------


def test_kserve(good, cluster, monkeypatch):
    assert found(good, "TS01").level == "ok"
    assert "models come by" in found(good, "TS01").why
    monkeypatch.setattr(cluster, "kinds", lambda group: {"workflows": "v1alpha1"} if group == argo.GROUP else {})
    check = found(good, "TS01")
    assert check.level == "warn"
    assert check.fix


# -- what is remembered --------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_health_is_remembered_for_a_while_and_for_these_settings(good, make, settings, monkeypatch):
    assert good.health("dev") is None
    health = good.check("dev")
    assert make().health("dev") == health
    good.set("dev", {"image": "other:1"})
    assert make().health("dev") is None
    later = good.check("dev").checked + memory.KEPT + 1
    monkeypatch.setattr(memory.time, "time", lambda: later)
    assert make().health("dev") is None


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"checks": [{"id": 1}], "checked": 1}', '{"checks": [], "checked": "x"}'])
def test_a_memory_of_another_version_is_none(good, settings, text):
    good.check("dev")
    for path in (settings.storage.cache / "targets").iterdir():
        path.write_text(text)
    assert good.health("dev") is None


def test_a_disk_that_cannot_be_written_forgets(settings, monkeypatch):
    def full(*_args, **_more):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(memory.tempfile, "mkstemp", full)
    memory.remember(settings.storage, check_module.Target("dev"), Health((), 1.0))


@pytest.mark.parametrize(
    ("levels", "worst"),
    [((), "ok"), (("ok", "skip"), "ok"), (("ok", "warn"), "warn"), (("warn", "fail", "ok"), "fail"), (("skip",), "ok")],
)
def test_health_is_the_worst(levels, worst):
    health = Health(tuple(Check(str(number), level, "t", "w") for number, level in enumerate(levels)), 1.0)
    assert health.level == worst
    assert (health.problem is None) == (worst == "ok")
