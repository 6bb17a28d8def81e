"""Credential plugins of a kubeconfig (``exec``): the programs by which EKS, GKE, AKS and OpenID Connect log in.

Run by ourselves, since the client library only logs what went wrong and goes on as nobody, so that people read "forbidden"
where their login had expired; and since it asks for a new token in each request once the old one has five minutes left.
https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from jupyter_mlops.cluster.wording import without_secrets
from jupyter_mlops.errors import NotAllowed, WrongUsage

PATIENCE = 120.0
"""Seconds that a plugin may take: some open a browser and wait for a person."""

_LONGEST = 500
"""Characters of a plugin's complaint that are shown."""


@dataclass(frozen=True, slots=True)
class Credential:
    """What a plugin handed out: a token, or a certificate with its key."""

    token: str = field(default="", repr=False)
    certificate: str = field(default="", repr=False)
    key: str = field(default="", repr=False)
    expires: float | None = None
    """Seconds since the epoch; None where the plugin does not say."""


def run_plugin(spec: Mapping[str, Any], cluster: Mapping[str, Any], folder: str, environ: Mapping[str, str]) -> Credential:
    """Run a plugin and read what it prints.

    Args:
        spec: the ``exec`` of a kubeconfig's user.
        cluster: the kubeconfig's cluster, told to plugins that ask for it.
        folder: where a relative command is found.
        environ: environment of the plugin, before what ``spec`` adds.

    Raises:
        NotAllowed: the plugin did not log in (``cluster-login``), with its own words.
        WrongUsage: the kubeconfig says nothing that could be run (``kubeconfig-invalid``).
    """
    command, version = spec.get("command"), spec.get("apiVersion")
    if not isinstance(command, str) or not command or not isinstance(version, str):
        raise WrongUsage("an exec of the kubeconfig has no command or apiVersion", code="kubeconfig-invalid", fix="Get it anew.")
    if spec.get("interactiveMode") == "Always":
        raise _refused(command, "it asks questions in a terminal", spec)
    program = os.path.join(folder, command) if os.sep in command else command  # noqa: PTH118 - "./x" must keep its folder
    try:
        done = subprocess.run(
            [program, *(str(argument) for argument in spec.get("args") or [])],
            env={**environ, **_added(spec), "KUBERNETES_EXEC_INFO": _told(version, spec, cluster)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
    except FileNotFoundError as error:
        raise _refused(command, "it is not installed", spec) from error
    except subprocess.TimeoutExpired:
        raise _refused(command, f"it did not end in {PATIENCE:.0f} seconds", spec) from None
    except OSError as error:
        raise _refused(command, error.strerror or "it does not start", spec) from error
    if done.returncode:
        said = without_secrets(done.stderr.decode("utf-8", "replace").strip())[-_LONGEST:]
        raise _refused(command, f"it ended with {done.returncode}{f': {said}' if said else ''}", spec)
    return _credential(command, version, done.stdout, spec)


def _added(spec: Mapping[str, Any]) -> dict[str, str]:
    """Environment that the kubeconfig gives the plugin."""
    return {str(entry["name"]): str(entry.get("value", "")) for entry in spec.get("env") or [] if "name" in entry}


def _told(version: str, spec: Mapping[str, Any], cluster: Mapping[str, Any]) -> str:
    """What a plugin reads of the question."""
    asked: dict[str, Any] = {"interactive": False}
    if spec.get("provideClusterInfo"):
        asked["cluster"] = {key: value for key, value in cluster.items() if key != "extensions"}
        for extension in cluster.get("extensions") or []:
            if extension.get("name") == "client.authentication.k8s.io/exec":
                asked["cluster"]["config"] = extension.get("extension")
    return json.dumps({"apiVersion": version, "kind": "ExecCredential", "spec": asked})


def _credential(command: str, version: str, printed: bytes, spec: Mapping[str, Any]) -> Credential:
    """What the plugin printed. Its text is never quoted: it may be a token."""
    try:
        document = json.loads(printed)
        status = document["status"]
        given = Credential(
            str(status.get("token") or ""),
            str(status.get("clientCertificateData") or ""),
            str(status.get("clientKeyData") or ""),
            _seconds(status.get("expirationTimestamp")),
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        raise _refused(command, "it printed no ExecCredential with a status", spec) from None
    if document.get("apiVersion") != version:
        raise _refused(command, f"it speaks {document.get('apiVersion')}, the kubeconfig asks for {version}", spec)
    if not given.token and not (given.certificate and given.key):
        raise _refused(command, "it gave neither a token nor a certificate with a key", spec)
    return given


def _seconds(stamp: object) -> float | None:
    """A time of RFC 3339 in seconds since the epoch. Fractions are left out: Python 3.10 reads only some of them."""
    whole = re.sub(r"\.\d+", "", str(stamp)).replace("Z", "+00:00")
    return datetime.fromisoformat(whole).timestamp() if stamp else None


def _refused(command: str, why: str, spec: Mapping[str, Any]) -> NotAllowed:
    """A login that failed."""
    hint = str(spec.get("installHint") or "").strip()
    return NotAllowed(
        f"the program {command}, which logs in to the cluster, failed: {why}",
        code="cluster-login",
        fix=hint or f"Log in as you do for kubectl, then try again: kubectl must work in a terminal ({command}).",
    )
