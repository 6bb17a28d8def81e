"""What a target changes in a Workflow, and nothing else does: the list of ``docs/formats.md`` ("What a target changes") as code.

Whatever a target leaves open is not written at all, so that the document for this machine is the one that any cluster with its
own defaults takes too. A Secret or ConfigMap is named, never read: its values reach the pod and nobody else.
"""

from __future__ import annotations

from typing import Any

from jupyter_mlops.settings import Target

QUEUE = "kueue.x-k8s.io/queue-name"
"""Label by which Kueue holds a pod back until its queue has room."""

AUTH, AUTH_MOUNT = "registry-auth", "/mlops-auth"
CA, CA_MOUNT, CA_FILE = "registry-ca", "/mlops-ca", "ca.crt"
NOWHERE = Target()
"""A target that leaves everything open."""


def spec_of(target: Target) -> dict[str, Any]:
    """Fields of the Workflow's ``spec``, without volumes and labels."""
    fields: dict[str, Any] = {}
    if target.service_account:
        fields["serviceAccountName"] = target.service_account
    if target.pull_secret:
        fields["imagePullSecrets"] = [{"name": target.pull_secret}]
    return fields


def labels_of(target: Target) -> dict[str, str]:
    """Labels of every pod."""
    return {QUEUE: target.queue} if target.queue else {}


def volumes_of(target: Target) -> list[dict[str, Any]]:
    """The pull secret as Docker's configuration file, and the certificates."""
    volumes: list[dict[str, Any]] = []
    if target.pull_secret:
        items = [{"key": ".dockerconfigjson", "path": "config.json"}]
        volumes.append({"name": AUTH, "secret": {"secretName": target.pull_secret, "items": items}})
    if target.ca:
        volumes.append({"name": CA, "configMap": {"name": target.ca, "items": [{"key": CA_FILE, "path": CA_FILE}]}})
    return volumes


def mounts_of(target: Target) -> list[dict[str, Any]]:
    """Where a container finds them."""
    mounts = [(AUTH, AUTH_MOUNT)] if target.pull_secret else []
    mounts += [(CA, CA_MOUNT)] if target.ca else []
    return [{"name": name, "mountPath": path, "readOnly": True} for name, path in mounts]


def variables_of(target: Target) -> dict[str, str]:
    """Environment variables of a container; a step's own of the same name count more."""
    found = {"DOCKER_CONFIG": AUTH_MOUNT} if target.pull_secret else {}
    return found | ({"SSL_CERT_FILE": f"{CA_MOUNT}/{CA_FILE}"} if target.ca else {})
