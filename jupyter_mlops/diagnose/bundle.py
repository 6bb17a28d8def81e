"""Why a pod could not fetch its bundle: what the bootstrap says in Python's words, with the setting of the target that helps.

The bootstrap has 4 KB and names only where it asked and what happened. That the certificate needs the setting `ca`, or that a
name is known to this machine alone, is said here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from jupyter_mlops.diagnose.cause import Cause
from jupyter_mlops.diagnose.documents import words
from jupyter_mlops.diagnose.owner import Owner

_SAID = re.compile(r"cannot load the bundle from (?P<registry>\S{1,300}): (?P<why>.+)", re.DOTALL)


def with_setting(owner: Owner, cause: Cause) -> Cause:
    """The cause with the setting that helps, where a bundle could not be fetched for a known reason; else as it was."""
    said = _SAID.search(cause.message) if cause.code == "no-bundle" else None
    if said is None:
        return cause
    for pattern, code, sentence, fix in _TABLE:
        if re.search(pattern, said["why"]):
            message = f"{owner.who} cannot start: {sentence.format(registry=said['registry'])}: {words(said['why'], 200)}"
            return replace(cause, code=code, message=message, fix=fix(owner.namespace or "NAMESPACE"))
    return cause


def _authority(space: str) -> str:
    return (
        f"Put its authority's certificate into a ConfigMap (`kubectl -n {space} create configmap registry-ca --from-file=ca.crt`) "
        "and name that in the target's setting `ca`."
    )


def _plain(_space: str) -> str:
    return "If its network is safe, let the target's setting `registry` begin with http://; else give it a certificate."


def _login(space: str) -> str:
    return (
        f"Make a pull secret for it (`kubectl -n {space} create secret docker-registry registry-login --docker-server=HOST "
        "--docker-username=USER --docker-password=PASSWORD`) and name that in the target's setting `pull_secret`, or renew the one "
        "that is there."
    )


def _address(_space: str) -> str:
    return "Let the target's setting `registry` be its address as pods reach it; `registry_here` is the one from this machine."


_AWAY = "name or service not known|name resolution|nodename nor servname|connection refused|no route to host|unreachable|timed out"
_TABLE: tuple[tuple[str, str, str, Callable[[str], str]], ...] = (
    (r"CERTIFICATE_VERIFY_FAILED", "registry-certificate", "its pod does not trust the certificate of {registry}", _authority),
    (r"WRONG_VERSION_NUMBER|RECORD_LAYER_FAILURE", "registry-plain-http", "{registry} does not speak HTTPS", _plain),
    (r"HTTP Error 40[13]\b", "registry-login", "{registry} does not let its pod in", _login),
    (f"(?i:{_AWAY})", "registry-unreachable", "its pod does not reach {registry}", _address),
)
"""What Python says (of 3.10 to 3.13) → our code, the sentence, the fix."""
