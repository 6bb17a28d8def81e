from __future__ import annotations

import contextlib
import json
import re
import socket
import ssl
import threading
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.cluster import unreachable, wire
from jupyter_mlops.cluster.base import PODS
from jupyter_mlops.cluster.client import connect
from jupyter_mlops.cluster.failures import Asked, explain
from jupyter_mlops.cluster.wording import shortened, without_secrets
from jupyter_mlops.errors import Conflict, MlopsError, NotAllowed, NotFound, PlatformError, Refused, Unavailable, WrongUsage
from tests.unit.cluster.answering import Reply, answering, kubeconfig, status

ASKED = Asked("https://cluster", "workflows.argoproj.io", "argoproj.io", "log in")
ROOT = Path(__file__).parents[3]

# What API servers said, word by word, and what it is.
SAID: list[tuple[Reply, type[MlopsError], str, str]] = [
    (status(401, "Unauthorized", "Unauthorized"), NotAllowed, "cluster-login", "log in"),
    (
        status(
            403,
            "Forbidden",
            'workflows.argoproj.io is forbidden: User "system:serviceaccount:ml:default" cannot list resource "workflows" in API group '
            '"argoproj.io" in the namespace "ml"',
        ),
        NotAllowed,
        "cluster-forbidden",
        (
            'Ask for a Role in the namespace ml with the rule {apiGroups: ["argoproj.io"], resources: ["workflows"], verbs: ["list"]}, '
            "bound to system:serviceaccount:ml:default."
        ),
    ),
    (
        status(
            403,
            "Forbidden",
            'pods "p" is forbidden: User "ann" cannot get resource "pods/log" in API group "" in the namespace "ml"',
        ),
        NotAllowed,
        "cluster-forbidden",
        'Ask for a Role in the namespace ml with the rule {apiGroups: [""], resources: ["pods/log"], verbs: ["get"]}, bound to ann.',
    ),
    (
        status(
            403, "Forbidden", 'nodes is forbidden: User "ann" cannot list resource "nodes" in API group "" at the cluster scope'
        ),
        NotAllowed,
        "cluster-forbidden",
        'Ask for a ClusterRole with the rule {apiGroups: [""], resources: ["nodes"], verbs: ["list"]}, bound to ann.',
    ),
    (status(403, "Forbidden", "no"), NotAllowed, "cluster-forbidden", "Ask whoever runs the cluster for this right."),
    (
        status(
            403,
            "Forbidden",
            'pods "p" is forbidden: exceeded quota: gpus, requested: requests.nvidia.com/gpu=1, used: 4, limited: 4',
        ),
        Refused,
        "quota-exceeded",
        "ask for a larger ResourceQuota",
    ),
    (
        status(403, "Forbidden", 'pods "p" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true'),
        Refused,
        "pod-security",
        "Change the pod",
    ),
    (
        status(
            403, "Forbidden", 'pods "p" is forbidden: unable to create new content in namespace ml because it is being terminated'
        ),
        Conflict,
        "namespace-terminating",
        "is being deleted",
    ),
    (
        status(
            403,
            "Forbidden",
            "workflows.argoproj.io is forbidden: create not allowed while custom resource definition is terminating",
        ),
        NotFound,
        "no-such-kind",
        "can install Argo Workflows",
    ),
    (status(404, "NotFound", 'pods "p" not found', name="p", kind="pods"), NotFound, "not-found", "deleted"),
    (
        status(404, "NotFound", 'namespaces "team" not found', name="team", kind="namespaces"),
        NotFound,
        "namespace-not-found",
        "Create the namespace team",
    ),
    (
        status(404, "NotFound", "the server could not find the requested resource"),
        NotFound,
        "no-such-kind",
        "can install Argo Workflows",
    ),
    (status(409, "AlreadyExists", 'workflows "w" already exists'), Conflict, "already-exists", "another name"),
    (status(409, "Conflict", "the object has been modified"), Conflict, "conflict", "Read it again"),
    (status(410, "Expired", "too old resource version: 1 (100)"), Conflict, "list-expired", "from its beginning"),
    (status(413, "RequestEntityTooLarge", "limit is 3145728"), Refused, "document-too-large", "1.5 MB"),
    (status(500, "InternalError", "etcdserver: request is too large"), Refused, "document-too-large", "1.5 MB"),
    (
        status(
            403, "Forbidden", 'admission webhook "policy.example.com" denied the request: image must come from registry.example.com'
        ),
        Refused,
        "webhook-denied",
        "policy.example.com does not take this document. Its reason is in the message.",
    ),
    (
        status(400, "BadRequest", 'admission webhook "policy.example.com" denied the request without explanation'),
        Refused,
        "webhook-denied",
        "Ask whoever runs the cluster",
    ),
    (
        status(
            422,
            "Invalid",
            "pods \"p\" is forbidden: ValidatingAdmissionPolicy 'limits' with binding 'b' denied request: failed expression: has(x)",
        ),
        Refused,
        "webhook-denied",
        "limits does not take",
    ),
    (
        status(
            500,
            "InternalError",
            'Internal error occurred: failed calling webhook "w.kserve.io": failed to call webhook: connection refused',
        ),
        Unavailable,
        "webhook-unavailable",
        "does not answer",
    ),
    (status(429, "TooManyRequests", "storage is (re)initializing"), Unavailable, "cluster-busy", "Try again"),
    (
        status(503, "ServiceUnavailable", 'no endpoints available for service "iris-predictor"'),
        Unavailable,
        "service-unreachable",
        "has no pod that is ready",
    ),
    (status(503, "ServiceUnavailable", "error trying to reach service: EOF"), Unavailable, "service-unreachable", "Try again"),
    (status(503, "ServiceUnavailable", 'no service port 81 found for service "s"'), Unavailable, "service-unreachable", "logs"),
    (status(503, "ServiceUnavailable", "apiserver is shutting down"), Unavailable, "cluster-failing", "Try again"),
    (status(500, "InternalError", "etcdserver: leader changed"), Unavailable, "cluster-failing", "API server"),
    (
        status(400, "BadRequest", 'Secret in version "v1" cannot be handled as a Secret: illegal base64 data at input byte 0'),
        Refused,
        "invalid-document",
        "Correct",
    ),
    (status(400, "BadRequest", "unable to parse requirement"), WrongUsage, "cluster-refused", "does not take"),
    (
        status(415, "UnsupportedMediaType", "the body of the request was in an unknown format"),
        WrongUsage,
        "cluster-refused",
        "not take",
    ),
]


@pytest.mark.parametrize(("reply", "kind", "code", "fix"), SAID, ids=[str(row[0].body["message"])[:50] for row in SAID])
def test_what_an_api_server_says(reply: Reply, kind: type[MlopsError], code: str, fix: str) -> None:
    error = explain(reply.status, json.dumps(reply.body).encode(), {}, ASKED)
    assert type(error) is kind
    assert error.code == code
    assert fix in error.fix
    if code != "no-such-kind":
        assert reply.body["message"] in error.message, "in its own words"


def test_fields_that_are_not_known_are_named() -> None:
    said = status(
        400,
        "BadRequest",
        'Workflow in version "v1alpha1" cannot be handled as a Workflow: strict decoding error: '
        'unknown field "spec.templates[0].container.comand", duplicate field "spec.entrypoint"',
    )
    error = explain(400, json.dumps(said.body).encode(), {}, ASKED)
    assert isinstance(error, Refused)
    assert (error.code, error.where.field) == ("unknown-field", "spec.templates[0].container.comand")
    assert [(d.code, d.message) for d in error.diagnostics] == [
        ("unknown-field", 'unknown field "spec.templates[0].container.comand"'),
        ("duplicate-field", 'duplicate field "spec.entrypoint"'),
    ]


NOT_APPLIED = [
    # what follows "failed to create typed patch object (…)", the code, the field, the diagnostics
    (
        ": .spec.predicter: field not declared in schema",
        "unknown-field",
        "spec.predicter",
        [("unknown-field", 'unknown field "spec.predicter"')],
    ),
    (
        ": errors:\n  .metadata.lables: field not declared in schema\n  .dta: field not declared in schema",
        "unknown-field",
        "metadata.lables",
        [("unknown-field", 'unknown field "metadata.lables"'), ("unknown-field", 'unknown field "dta"')],
    ),
    (
        ': .spec.ports[port=0,protocol="TCP"].prot: field not declared in schema',
        "unknown-field",
        'spec.ports[port=0,protocol="TCP"].prot',
        [("unknown-field", 'unknown field "spec.ports[port=0,protocol="TCP"].prot"')],
    ),
    (
        ": .spec.predictor.minReplicas: expected numeric (int or float), got string",
        "invalid-document",
        "spec.predictor.minReplicas",
        [("invalid-field", "spec.predictor.minReplicas: expected numeric (int or float), got string")],
    ),
    (": something nobody has seen", "invalid-document", None, []),
]


@pytest.mark.parametrize(("said", "code", "field", "diagnostics"), NOT_APPLIED, ids=[row[0][:40] for row in NOT_APPLIED])
def test_a_document_that_cannot_be_applied_is_refused_and_no_fault_of_the_server(
    said: str, code: str, field: str | None, diagnostics: list[tuple[str, str]]
) -> None:
    """API servers say it with 500 and no reason."""
    message = f"failed to create typed patch object (ml/a; serving.kserve.io/v1beta1, Kind=InferenceService){said}"
    reply = status(500, "", message)
    error = explain(500, json.dumps(reply.body).encode(), {}, ASKED)
    assert isinstance(error, Refused)
    assert (error.code, error.where.field, error.message) == (code, field, message)
    assert [(found.code, found.message) for found in error.diagnostics] == diagnostics
    assert error.fix


def test_fields_that_are_wrong_are_named() -> None:
    causes = [
        {
            "reason": "FieldValueInvalid",
            "message": "Invalid value: template must have at most one template type",
            "field": "spec.templates",
        },
        {"reason": "FieldValueRequired", "message": "Required value", "field": "spec.entrypoint"},
        {"reason": "FieldValueInvalid", "message": "some validation rules were not checked", "field": "<nil>"},
    ]
    said = status(422, "Invalid", 'Workflow.argoproj.io "w" is invalid: …', causes=causes)
    error = explain(422, json.dumps(said.body).encode(), {}, ASKED)
    assert isinstance(error, Refused)
    assert (error.code, error.where.field) == ("invalid-document", "spec.templates")
    assert [d.message for d in error.diagnostics] == [
        "spec.templates: Invalid value: template must have at most one template type",
        "spec.entrypoint: Required value",
    ]


def test_a_long_explanation_is_shortened_in_its_middle() -> None:
    text = shortened("begin " + "x" * 5000 + " end", 100)
    assert text.startswith("begin ")
    assert text.endswith(" end")
    assert len(text) < 110


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Bearer abcdefghijkl", "Bearer …"),
        ("a eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln b", "a … b"),
        ('{"token": "abcdef", "x": 1}', '{"token": "…", "x": 1}'),
        ("password=hunter2&user=x", "password=…&user=x"),
        ("https://user:pass@host/x", "https://…@host/x"),
        ("-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----", "…"),
        ('secret "hf-token" not found', 'secret "hf-token" not found'),
        ("token: not found", "token: not found"),
        (
            'secrets "x" is forbidden: User "u" cannot get resource "secrets"',
            'secrets "x" is forbidden: User "u" cannot get resource "secrets"',
        ),
    ],
)
def test_secrets_are_taken_out_and_nothing_else(text: str, shown: str) -> None:
    assert without_secrets(text) == shown


def test_each_code_is_explained() -> None:
    documented = set(re.findall(r"`([a-z-]+)`", (ROOT / "docs" / "errors.md").read_text()))
    said = set()
    for module in (ROOT / "jupyter_mlops" / "cluster").glob("*.py"):
        said |= set(re.findall(r'code="([a-z-]+)"', module.read_text()))
    assert len(said) > 20
    assert said <= documented, said - documented


# No answer at all, over real sockets.


def failing(environ: dict[str, str]) -> MlopsError:
    with pytest.raises(MlopsError) as info:
        connect(environ=environ).get(PODS, "p")
    return info.value


def test_nothing_listens(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        error = failing(kubeconfig(tmp_path, f"https://127.0.0.1:{taken.getsockname()[1]}"))
    assert (type(error), error.code) == (Unavailable, "cluster-unreachable")
    assert "the connection is refused" in error.message


def test_a_name_that_is_not_known(tmp_path: Path) -> None:
    error = failing(kubeconfig(tmp_path, "https://nowhere.invalid:6443"))
    assert (type(error), error.code) == (Unavailable, "cluster-unreachable")
    assert "its name is not known here" in error.message


@pytest.mark.parametrize("server", ["http://127.0.0.1:1", "https://cluster.invalid:6443"])
def test_a_proxy_that_is_not_there(tmp_path: Path, server: str) -> None:
    error = failing(kubeconfig(tmp_path, server, cluster={"proxy-url": "http://127.0.0.1:9"}))
    assert (type(error), error.code) == (Unavailable, "cluster-unreachable")
    assert "the proxy does not let us through" in error.message
    assert "proxy-url" in error.fix


def test_a_proxy_that_refuses(tmp_path: Path) -> None:
    with answering(lambda _: Reply(403, b"not through here")) as proxy:
        error = failing(kubeconfig(tmp_path, "https://cluster.invalid:6443", cluster={"proxy-url": proxy.url}))
    assert (type(error), error.code) == (Unavailable, "cluster-unreachable")
    assert "the proxy does not let us through" in error.message


def test_one_that_does_not_answer_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "CONNECT", 0.2)
    monkeypatch.setattr(wire.Wire.send, "__kwdefaults__", {"timeout": 0.2})
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        for scheme in ("http", "https"):
            error = failing(kubeconfig(tmp_path, f"{scheme}://127.0.0.1:{silent.getsockname()[1]}"))
            assert (type(error), error.code) == (Unavailable, "cluster-unreachable"), error
            assert "did not answer in time" in error.message


def test_one_that_closes_the_connection_while_it_is_made_secure(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def close() -> None:
            for _ in range(wire.ATTEMPTS):
                with contextlib.suppress(OSError):
                    listener.accept()[0].close()

        threading.Thread(target=close, daemon=True).start()
        error = failing(kubeconfig(tmp_path, f"https://127.0.0.1:{listener.getsockname()[1]}"))
    assert (type(error), error.code) == (Unavailable, "cluster-unreachable")
    assert "closed the connection without an answer" in error.message


def test_one_that_does_not_speak_tls(tmp_path: Path) -> None:
    with answering(lambda _: Reply()) as server:
        error = failing(kubeconfig(tmp_path, f"https://127.0.0.1:{server.port}"))
    assert (type(error), error.code) == (PlatformError, "cluster-certificate")
    assert "does not speak TLS" in error.message


@pytest.mark.parametrize(
    ("name", "trusted", "message"),
    [
        ("good", False, "is signed by nobody that the kubeconfig trusts"),
        ("other", True, "is for another name"),
        ("old", True, "has expired"),
        ("early", True, "is not valid yet"),
    ],
)
def test_a_certificate_that_is_not_believed(tmp_path: Path, certificates: Path, name: str, trusted: bool, message: str) -> None:
    pem = certificates / f"{name}.pem"
    with answering(lambda _: Reply(), pem) as server:
        cluster = {"certificate-authority": str(pem)} if trusted else {}
        error = failing(kubeconfig(tmp_path, server.url, cluster=cluster))
    assert (type(error), error.code) == (PlatformError, "cluster-certificate")
    assert message in error.message
    assert error.fix


@pytest.mark.parametrize(
    ("name", "cluster"),
    [
        ("good", {}),
        ("other", {"tls-server-name": "elsewhere.example"}),
        ("old", {"insecure-skip-tls-verify": True}),
    ],
)
@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_a_certificate_that_is_believed(tmp_path: Path, certificates: Path, name: str, cluster: dict[str, Any]) -> None:
    pem = certificates / f"{name}.pem"
    trust = {} if cluster.get("insecure-skip-tls-verify") else {"certificate-authority": str(pem)}
    with answering(lambda _: Reply(body={"kind": "Pod"}), pem) as server:
        assert connect(environ=kubeconfig(tmp_path, server.url, cluster={**trust, **cluster})).get(PODS, "p")


def test_a_client_certificate_that_is_not_there(tmp_path: Path) -> None:
    error = failing(kubeconfig(tmp_path, "https://127.0.0.1:1", {"client-certificate": "no.crt", "client-key": "no.key"}))
    assert (type(error), error.code) == (WrongUsage, "kubeconfig-invalid")
    assert "no.crt" in error.message


def test_what_a_chain_of_errors_says_in_the_end() -> None:
    outer = OSError("outer")
    outer.__cause__ = ssl.SSLError(1, "[SSL: TLSV1_ALERT_UNKNOWN_CA] tlsv1 alert unknown ca")
    error = unreachable.no_answer(outer, "https://x")
    assert (type(error), error.code) == (PlatformError, "cluster-certificate")
    assert "refuses our certificate" in error.message
    again = unreachable.no_answer(ConnectionError("<urllib3.x object at 0x7f>: odd"), "https://x")
    assert again.message == "the cluster at https://x does not answer: odd"
