"""What the API server says when it does not take a pod: each reason is told apart and put into words."""

from __future__ import annotations

import pytest

from jupyter_mlops.diagnose.admission import admission_cause
from jupyter_mlops.diagnose.owner import Owner
from tests.unit.diagnose.making import says

STEP, SERVICE = Owner("step", "train", "ml"), Owner("service", "churn", "ml")
RESTRICTED = (
    'pods "x" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false (containers {who} must set '
    "securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (containers {who} must set "
    'securityContext.capabilities.drop=["ALL"]), runAsNonRoot != true (pod or containers {who} must set securityContext.runAsNonRoot=true), '
    'seccompProfile (pod or containers {who} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")'
)
TEXTS = [
    ('pods "x" is forbidden: exceeded quota: q, requested: requests.memory=1Gi, used: requests.memory=0, limited: requests.memory=512Mi', "quota", True, ["'q' has too little left: memory (1Gi asked for, 0 of 512Mi in use)", "Ask for less in the step's option `memory`"]),
    ('pods "x" is forbidden: exceeded quota: q, requested: cpu=1,requests.nvidia.com/gpu=1, used: cpu=3,requests.nvidia.com/gpu=4, limited: cpu=8,requests.nvidia.com/gpu=4', "quota", False, ["nvidia.com/gpu (1 asked for, 4 of 4 in use)", "Wait until something of this namespace ends", "`gpu`"]),
    ('Pod "x" is forbidden: exceeded quota: q, requested: pods=1, used: pods=10, limited: pods=10', "quota", False, ["pods (1 asked for, 10 of 10 in use)"]),
    ('pods "x" is forbidden: failed quota: q: must specify limits.cpu for: main,wait; limits.memory for: main,wait', "quota-needs-limits", True, ["limits.cpu, limits.memory", "`cpu` and `memory`"]),
    ('pods "x" is forbidden: failed quota: q: must specify limits.cpu,limits.memory', "quota-needs-limits", True, ["limits.cpu, limits.memory"]),
    ('pods "x" is forbidden: failed quota: q: must specify cpu for: main', "quota-needs-limits", True, ["(cpu)"]),
    ('pods "x" is forbidden: maximum memory usage per Container is 64Mi, but limit is 128Mi', "outside-limits", True, ["at most 64Mi of memory a container (it asks for 128Mi)", "`memory`"]),
    ('pods "x" is forbidden: [maximum memory usage per Container is 64Mi, but limit is 128Mi, minimum cpu usage per Container is 100m, but request is 10m]', "outside-limits", True, ["at least 100m of CPU"]),
    ('pods "x" is forbidden: maximum memory usage per Container is 64Mi.  No limit is specified', "outside-limits", True, ["64Mi"]),
    ('pods "x" is forbidden: maximum cpu usage per Pod is 2, but limit is 4', "outside-limits", True, ["2 of CPU a pod"]),
    ('pods "x" is forbidden: cpu max limit to request ratio per Container is 2, but provided ratio is 4.000000', "outside-limits", True, ["at most 2 times its request"]),
    (RESTRICTED.format(who='"init", "wait"'), "pod-security-argo", True, ["containers that Argo adds", "executor.securityContext"]),
    (RESTRICTED.format(who='"init", "wait", "main"'), "pod-security", True, ["its containers (main) may gain privileges", "may run as root"]),
    (RESTRICTED.format(who='"main"'), "pod-security", True, ["'restricted'", "runAsNonRoot true"]),
    ('pods "x" is forbidden: violates PodSecurity "baseline:latest": hostPath volumes (volume "data")', "pod-security", True, ["'baseline'", "folders of the machine"]),
    ('pods "x" is forbidden: violates PodSecurity "baseline:v1.30": privileged (container "main" must not set securityContext.privileged=true)', "pod-security", True, ["are privileged"]),
    ('pods "x" is forbidden: error looking up service account ml/ghost: serviceaccount "ghost" not found', "account-not-found", True, ["'ghost'", "-n ml"]),
    ('admission webhook "validate.kyverno.svc-fail" denied the request: policy require-labels: label team is required', "webhook-denied", True, ["validate.kyverno.svc-fail", "label team is required"]),
    ('Internal error occurred: failed calling webhook "inferenceservice.kserve-webhook-server.pod-mutator": Post "https://x": x509: expired', "webhook-failing", False, ["pod-mutator", "certificate"]),
    ('Deployment.apps "x" is invalid: spec.template.spec.containers[0].resources.requests: Invalid value: "64Mi": must be less than or equal to memory limit of 32Mi', "request-above-limit", True, ["64Mi of memory", "32Mi"]),
    ('pods "x" is forbidden: no PriorityClass with name high was found', "priority-not-found", True, ["'high'"]),
    ('pods "x" is forbidden: unable to create new content in namespace ml because it is being terminated', "namespace-ending", True, ["namespace ml"]),
    ('pods is forbidden: User "system:serviceaccount:argo:argo" cannot create resource "pods" in API group "" in the namespace "ml"', "controller-forbidden", True, ["system:serviceaccount:argo:argo may not create pods"]),
]  # fmt: skip


@pytest.mark.parametrize("owner", [STEP, SERVICE], ids=["step", "service"])
@pytest.mark.parametrize(
    ("said", "code", "final", "parts"), TEXTS, ids=[f"{text[1]}-{number}" for number, text in enumerate(TEXTS)]
)
def test_a_refusal(owner: Owner, said: str, code: str, final: bool, parts: list[str]) -> None:
    if owner is SERVICE and code == "pod-security-argo":
        code, parts = "pod-security", []  # a service has no containers of Argo: these are its own
    cause = says(admission_cause(owner, said), code, parts if owner is STEP else [])
    assert cause.final is final
    assert cause.message.startswith(owner.who)
    assert said[:80] in cause.facts[0]


@pytest.mark.parametrize(
    "said", ["", "forbidden", "pod deleted", "something else", 'pods "x" is forbidden: User "me" cannot list resource "nodes"']
)
def test_other_words_are_no_refusal(said: str) -> None:
    assert admission_cause(STEP, said) is None


def test_the_object_that_carried_the_words_is_named_in_the_fact() -> None:
    cause = admission_cause(SERVICE, TEXTS[0][0], "replicaset churn-7f")
    assert cause
    assert cause.facts[0].startswith("replicaset churn-7f: pods")
