"""What the API server answered, as errors of ours with the server's own words. The one place where a status code is judged.

An API server explains itself in a ``Status`` document; what stands between (a load balancer, a login page, a webhook that is
down) does not. Some of its codes mean different things to people: a 403 is a missing right, but also a full quota, a
forbidden kind of pod, or a webhook that said no; a 404 is a missing object, a missing namespace, or a cluster without Argo.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jupyter_mlops.cluster.wording import shortened
from jupyter_mlops.errors import (
    Conflict,
    Diagnostic,
    MlopsError,
    NotAllowed,
    NotFound,
    PlatformError,
    Refused,
    Unavailable,
    Where,
    WrongUsage,
)

INSTALLED_BY = {
    "argoproj.io": "Argo Workflows",
    "serving.kserve.io": "KServe",
    "gateway.networking.k8s.io": "the Gateway API",
    "serving.knative.dev": "Knative Serving",
}
"""Which product brings the kinds of a group."""

_WHO = re.compile(
    r'User "(?P<user>[^"]*)" cannot (?P<verb>\S+) resource "(?P<resource>[^"]*)"'
    r'(?: in API group "(?P<group>[^"]*)")?(?: in the namespace "(?P<namespace>[^"]*)")?'
)
_UNKNOWN = re.compile(r'(unknown|duplicate) field "([^"]+)"')
_WEBHOOK = re.compile(r'admission webhook "([^"]+)" denied the request(?:: (.*))?', re.DOTALL)
_POLICY = re.compile(r"ValidatingAdmissionPolicy '([^']+)' .*denied request: (.*)", re.DOTALL)
_SERVICE = re.compile(r"(?:no endpoints available for service|error trying to reach service|no service port) ?.*")
_DECODING = re.compile(r"strict decoding error|cannot be handled as a|json: cannot unmarshal|error decoding")


_TYPED = re.compile(r"failed to create typed patch object \([^)]*\):(?:\s*errors:)?\s*(.+)", re.DOTALL)
_TYPED_FIELD = re.compile(r"^\s*\.(?P<path>\S.*?): (?P<why>.+)$", re.MULTILINE)
_CHECK_SPELLING = "The cluster's definition does not know this field: check its spelling and the version that is installed."
_NOT_DECLARED = "field not declared in schema"

_NO_FIELD = frozenset({None, "", "[]", "<nil>"})


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for, to say it in an error; ``fix`` for a login that no longer counts comes from the kubeconfig."""

    server: str
    kind: str = ""
    """The kind as its right is called: ``workflows.argoproj.io``."""

    group: str = ""
    login: str = "Log in to the cluster again, as you do for kubectl."


def explain(status: int, body: bytes, headers: Mapping[str, str], asked: Asked) -> MlopsError:
    """The error that an unsuccessful answer is.

    Args:
        status: HTTP status, 400 or higher.
        body: what was answered, as far as it was read.
        headers: of the answer.
        asked: what was asked.
    """
    said = status_of(body)
    if said is None:
        return _not_a_status(status, body, headers, asked)
    message = shortened(str(said.get("message") or said.get("reason") or f"HTTP {status}"))
    reason = str(said.get("reason") or "")
    if refused := _denied(message) or _not_applied(message):
        return refused
    if status == 401:  # noqa: PLR2004 - unauthorized
        return NotAllowed(
            f"the cluster at {asked.server} does not know who you are: {message}", code="cluster-login", fix=asked.login
        )
    if status == 403:  # noqa: PLR2004 - forbidden
        return _forbidden(message, asked)
    if status in {404, 410}:
        return _not_there(message, said, asked)
    if status == 409:  # noqa: PLR2004 - conflict
        return _conflict(message, reason)
    if status == 413 or "request is too large" in message or "too large" in reason.lower():  # noqa: PLR2004 - content too large
        return Refused(message, code="document-too-large", fix="The cluster takes at most about 1.5 MB in one object.")
    return _refused(message, reason, said) if status in {400, 405, 406, 415, 422} else _failing(status, message, asked)


def status_of(body: bytes) -> Mapping[str, Any] | None:
    """The ``Status`` document that an API server explains itself with; None if this is none."""
    try:
        document = json.loads(body)
    except ValueError:
        return None
    if isinstance(document, dict) and document.get("kind") == "Status" and document.get("apiVersion") == "v1":
        return document
    return None


def not_kubernetes(answer: bytes, headers: Mapping[str, str], asked: Asked) -> PlatformError:
    """A success that is no document: a login page, a proxy's text, an answer cut short."""
    kind = headers.get("content-type", "").partition(";")[0] or "no content type"
    text = answer[:400].decode("utf-8", "replace")
    if "<html" in text.lower() or kind == "text/html":
        return PlatformError(
            f"{asked.server} answers with a web page and not as a Kubernetes API server{_title(answer)}",
            code="not-kubernetes",
            fix="A proxy or a login page stands between. Check the address in the kubeconfig and HTTPS_PROXY and NO_PROXY.",
        )
    return PlatformError(
        f"{asked.server} answers with something else than JSON ({kind}, {len(answer)} bytes)",
        code="not-kubernetes",
        fix="Check the address in the kubeconfig, and whether a proxy cuts answers.",
    )


def _title(page: bytes) -> str:
    """What the page calls itself, for the sentence."""
    found = re.search(rb"<title[^>]*>([^<]{1,100})", page, re.IGNORECASE)
    return f" (“{found[1].decode('utf-8', 'replace').strip()}”)" if found else ""


def _not_a_status(status: int, body: bytes, headers: Mapping[str, str], asked: Asked) -> MlopsError:
    """An answer without an explanation: an unknown path, or something that stands before the API server."""
    text = shortened(body[:4096].decode("utf-8", "replace"), 300)
    if status == 404 and "<html" not in text.lower():  # noqa: PLR2004 - what an API server says to unknown groups
        return _no_kind(asked, text or "404 not found")
    if status == 401:  # noqa: PLR2004 - unauthorized
        return NotAllowed(f"{asked.server} asks who you are: {text or 'Unauthorized'}", code="cluster-login", fix=asked.login)
    if status == 413:  # noqa: PLR2004 - content too large
        return Refused(
            f"{asked.server}: {text}", code="document-too-large", fix="A proxy or the cluster limits the size of a request."
        )
    if status == 429 or (status >= 500 and "<html" not in text.lower()):  # noqa: PLR2004 - errors of a server
        return _failing(status, text or f"HTTP {status}", asked)
    if "<html" in text.lower() and status < 500:  # noqa: PLR2004 - errors of the client
        return not_kubernetes(body, headers, asked)
    page = _title(body) if "<html" in text.lower() else f": {text}"
    return _failing(status, f"HTTP {status}{page}", asked)


def _denied(message: str) -> MlopsError | None:
    """A webhook or policy that said no, whatever its code."""
    if found := _WEBHOOK.search(message):
        return Refused(
            message,
            code="webhook-denied",
            fix=f"The cluster's rule {found[1]} does not take this document. {_ask_admin(found[2])}",
        )
    if found := _POLICY.search(message):
        return Refused(
            message,
            code="webhook-denied",
            fix=f"The cluster's policy {found[1]} does not take this document. {_ask_admin(found[2])}",
        )
    if "failed calling webhook" in message:
        return Unavailable(
            message,
            code="webhook-unavailable",
            fix="A webhook of the cluster does not answer. Whoever runs the cluster can look at its pod.",
        )
    return None


def _ask_admin(why: str | None) -> str:
    """How to get on after a denial, depending on whether it said why."""
    return "Its reason is in the message." if why else "Ask whoever runs the cluster what it wants."


def _forbidden(message: str, asked: Asked) -> MlopsError:
    """A missing right, or one of the other things that are said with 403."""
    if "exceeded quota" in message or "failed quota" in message:
        return Refused(
            message, code="quota-exceeded", fix="Delete what is no longer needed, ask for less, or ask for a larger ResourceQuota."
        )
    if "violates PodSecurity" in message:
        return Refused(
            message, code="pod-security", fix="The namespace does not take such pods. Change the pod, or use another namespace."
        )
    if "custom resource definition is terminating" in message:
        return _no_kind(asked, message, "is being removed from")
    if "is being terminated" in message:
        return Conflict(
            message,
            code="namespace-terminating",
            fix="The namespace is being deleted. Use another one, or wait and create it anew.",
        )
    found = _WHO.search(message)
    if not found:
        return NotAllowed(message, code="cluster-forbidden", fix="Ask whoever runs the cluster for this right.")
    resource, _, subresource = found["resource"].partition("/")
    rule = (
        f'{{apiGroups: ["{found["group"] or ""}"], resources: ["{resource}{"/" + subresource if subresource else ""}"], '
        f'verbs: ["{found["verb"]}"]}}'
    )
    kind = f"Role in the namespace {found['namespace']}" if found["namespace"] else "ClusterRole"
    return NotAllowed(message, code="cluster-forbidden", fix=f"Ask for a {kind} with the rule {rule}, bound to {found['user']}.")


def _not_there(message: str, said: Mapping[str, Any], asked: Asked) -> MlopsError:
    """No such object, namespace or kind; or a list that has grown too old to be read on."""
    details = said.get("details") or {}
    if said.get("reason") in {"Expired", "Gone"} or said.get("code") == 410:  # noqa: PLR2004 - gone
        return Conflict(message, code="list-expired", fix="Read the list again from its beginning.")
    if "the server could not find the requested resource" in message and not details.get("name"):
        return _no_kind(asked, message)
    if details.get("kind") == "namespaces" or message.startswith("namespaces "):
        name = details.get("name") or "?"
        return NotFound(
            message, code="namespace-not-found", fix=f"Create the namespace {name}, or choose another one for this target."
        )
    return NotFound(message, fix="It was deleted, or has another name or namespace.")


def _no_kind(asked: Asked, message: str, missing: str = "is not installed in") -> NotFound:
    """The cluster lacks a kind: what brings it is not installed, or no longer."""
    product = INSTALLED_BY.get(asked.group)
    if product is None:
        return NotFound(
            f"the cluster has no {asked.kind or 'such kind'}: {message}",
            code="no-such-kind",
            fix="Its version of Kubernetes lacks it, or a definition (CRD) is missing.",
        )
    return NotFound(
        f"{product} {missing} the cluster at {asked.server}: it has no {asked.kind or asked.group}",
        code="no-such-kind",
        fix=f"Whoever runs the cluster can install {product}, or choose another target.",
    )


def _conflict(message: str, reason: str) -> Conflict:
    """It exists already, or changed since it was read."""
    if reason == "AlreadyExists":
        return Conflict(message, code="already-exists", fix="Choose another name, or delete the one that is there.")
    return Conflict(message, code="conflict", fix="Somebody changed it meanwhile. Read it again and repeat the change.")


def _refused(message: str, reason: str, said: Mapping[str, Any]) -> MlopsError:
    """The document is not taken, and where."""
    if unknown := _UNKNOWN.findall(message):
        found = tuple(
            Diagnostic("duplicate-field" if word == "duplicate" else "unknown-field", "error", f'{word} field "{path}"', fix="")
            for word, path in unknown
        )
        return Refused(
            message,
            code=found[0].code,
            fix=_CHECK_SPELLING,
            where=Where(field=unknown[0][1]),
            diagnostics=found,
        )
    causes = [cause for cause in (said.get("details") or {}).get("causes") or [] if cause.get("field") not in _NO_FIELD]
    if reason == "Invalid" or causes:
        found = tuple(
            Diagnostic("invalid-field", "error", shortened(f"{cause['field']}: {cause.get('message', '')}", 500), fix="")
            for cause in causes
        )
        where = Where(field=str(causes[0]["field"])) if causes else Where()
        return Refused(
            message, code="invalid-document", fix="Correct the field that the message names.", where=where, diagnostics=found
        )
    if _DECODING.search(message):
        return Refused(message, code="invalid-document", fix="Correct the field that the message names.")
    return WrongUsage(message, code="cluster-refused", fix="The cluster does not take this request.")


def _not_applied(message: str) -> Refused | None:
    """A document that server-side apply cannot read, which the API server says with 500 although the document is at fault."""
    typed = _TYPED.search(message)
    if typed is None:
        return None
    found = tuple(
        Diagnostic("unknown-field", "error", f'unknown field "{path}"')
        if why == _NOT_DECLARED
        else Diagnostic("invalid-field", "error", f"{path}: {why}")
        for path, why in _TYPED_FIELD.findall(typed[1])
    )
    if found and found[0].code == "unknown-field":
        code, fix = "unknown-field", _CHECK_SPELLING
    else:
        code, fix = "invalid-document", "Correct the field that the message names."
    first = _TYPED_FIELD.search(typed[1])
    return Refused(message, code=code, fix=fix, where=Where(field=first["path"] if first else None), diagnostics=found)


def _failing(status: int, message: str, asked: Asked) -> Unavailable:
    """The server is there but cannot answer now, or what it should hand the call on to is not."""
    if found := _SERVICE.search(message):
        return Unavailable(
            f"the service does not answer: {found[0]}",
            code="service-unreachable",
            fix="It may still start, or has no pod that is ready. Try again; the logs of its pods say more.",
        )
    if status == 429:  # noqa: PLR2004 - too many requests
        return Unavailable(f"the cluster at {asked.server} is busy: {message}", code="cluster-busy", fix="Try again in a moment.")
    return Unavailable(
        f"the cluster at {asked.server} cannot answer now (HTTP {status}): {message}",
        code="cluster-failing",
        fix="Try again; if it stays so, whoever runs the cluster can look at its API server.",
    )
