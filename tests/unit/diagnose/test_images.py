"""Why an image cannot be pulled: the words of containerd, CRI-O, Docker's registry and others, told apart."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_mlops.diagnose.pod import pod_cause
from tests.unit.diagnose.making import event, says, service_pod, step_pod, waiting

IMAGE = "ghcr.io/me/train:1"
PULL = f'failed to pull and unpack image "{IMAGE}": failed to resolve reference "{IMAGE}": '
HEAD = 'failed to do request: Head "https://ghcr.io/v2/me/train/manifests/1": '

TEXTS = [
    ("rpc error: code = NotFound desc = " + PULL + f"{IMAGE}: not found", "image-not-found", [IMAGE, "`image`"]),
    ("reading manifest 1 in ghcr.io/me/train: manifest unknown", "image-not-found", [IMAGE]),
    ("reading manifest 1 in ghcr.io/me/train: name unknown: repository name not known to registry", "image-not-found", []),
    (PULL + "unexpected status from HEAD request to https://ghcr.io/v2/me/train/manifests/1: 401 Unauthorized", "image-login", ["ghcr.io", "pull_secret", "-n ml"]),
    (PULL + "failed to authorize: failed to fetch anonymous token: unexpected status from GET request to https://ghcr.io/token: 403 Forbidden", "image-login", ["wants a login"]),
    (PULL + "pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed", "image-login", ["the registry does not tell which"]),
    ("Error response from daemon: Get https://ghcr.io/v2/: no basic auth credentials", "image-login", ["login"]),
    ("denied: requested access to the resource is denied", "image-login", ["login"]),
    (PULL + HEAD + "dial tcp: lookup ghcr.io on 10.96.0.10:53: no such host", "registry-unreachable", ["its name is not known there"]),
    (PULL + HEAD + "dial tcp 192.0.2.1:443: connect: connection refused", "registry-unreachable", ["nothing answers"]),
    (PULL + HEAD + "dial tcp 192.0.2.1:443: i/o timeout", "registry-unreachable", ["does not answer in time"]),
    (PULL + HEAD + "net/http: TLS handshake timeout", "registry-unreachable", ["in time"]),
    (PULL + HEAD + "dial tcp 192.0.2.1:443: connect: no route to host", "registry-unreachable", ["no way"]),
    (PULL + HEAD + "EOF", "registry-unreachable", ["breaks off"]),
    (PULL + HEAD + "http: server gave HTTP response to HTTPS client", "registry-plain-http", ["plain HTTP", "certs.d/ghcr.io"]),
    (PULL + HEAD + "tls: first record does not look like a TLS handshake", "registry-plain-http", ["HTTPS"]),
    (PULL + HEAD + "tls: failed to verify certificate: x509: certificate signed by unknown authority", "registry-certificate", ["authority"]),
    (PULL + HEAD + "x509: certificate has expired or is not yet valid: current time 2026 is after 2025", "registry-certificate", ["has expired"]),
    (PULL + HEAD + "x509: certificate is valid for a.example, not ghcr.io", "registry-certificate", ["another name"]),
    (PULL + "no match for platform in manifest: not found", "image-architecture", ["processor", "arm64"]),
    ("choosing image instance: no image found in image index for architecture arm64", "image-architecture", ["processor"]),
    ("no matching manifest for linux/arm64/v8 in the manifest list entries", "image-architecture", []),
    (PULL + "429 Too Many Requests - Server message: toomanyrequests: You have reached your pull rate limit", "registry-rate-limit", ["waits", "mirrors"]),
    ("failed to extract layer sha256:aa: write /var/lib/x: no space left on device", "storage-full", ["disk"]),
    (PULL + "unexpected status from HEAD request to https://ghcr.io/v2/: 503 Service Unavailable", "registry-failing", ["error of its own"]),
    ("SignatureValidationFailed: image pull failed because the signature validation failed", "image-not-signed", ["signed"]),
    ("something quite new happened", "image-pull", ["something quite new happened"]),
]  # fmt: skip


@pytest.mark.parametrize("reason", ["ErrImagePull", "ImagePullBackOff"])
@pytest.mark.parametrize(("said", "code", "parts"), TEXTS, ids=[text[0][-50:] for text in TEXTS])
def test_a_text_is_told_apart(reason: str, said: str, code: str, parts: list[str]) -> None:
    message = said if reason == "ErrImagePull" else f'Back-off pulling image "{IMAGE}": ErrImagePull: {said}'
    pod = step_pod(containerStatuses=[waiting(reason, message, image=IMAGE), waiting("PodInitializing", name="wait")])
    cause = says(pod_cause(pod), code, parts)
    assert "step 'train'" in cause.message
    assert IMAGE in cause.message or code == "image-not-signed"
    assert said[:60] in cause.facts[0]


@pytest.mark.parametrize(("said", "code", "parts"), TEXTS, ids=[text[0][-50:] for text in TEXTS])
def test_where_the_status_only_says_back_off_the_event_tells_it(said: str, code: str, parts: list[str]) -> None:
    pod = step_pod(containerStatuses=[waiting("ImagePullBackOff", f'Back-off pulling image "{IMAGE}"', image=IMAGE)])
    told = event("Failed", f'Failed to pull image "{IMAGE}": {said}', fieldPath="spec.containers{main}")
    other = event("Failed", 'Failed to pull image "other": dial tcp', fieldPath="spec.containers{wait}", at=5)
    says(pod_cause(pod, [told, other]), code, parts)


def test_back_off_alone_is_not_more_than_that() -> None:
    pod = step_pod(containerStatuses=[waiting("ImagePullBackOff", f'Back-off pulling image "{IMAGE}"', image=IMAGE)])
    cause = says(pod_cause(pod), "image-pull", [IMAGE])
    assert "Back-off" not in cause.message


@pytest.mark.parametrize(
    ("reason", "said", "code"),
    [
        ("InvalidImageName", 'Failed to apply default image tag "UP:1": couldn\'t parse image name "UP:1": invalid reference format: repository name (UP) must be lowercase', "image-name"),
        ("InvalidImageName", "", "image-name"),
        ("ErrImageNeverPull", 'Container image "x" is not present with pull policy of Never', "image-not-found"),
        ("ErrImageNeverPull", "", "image-not-found"),
        ("ImageInspectError", "Failed to inspect image", "image-pull"),
        ("RegistryUnavailable", "image pull failed for x because the registry is unavailable.", "image-pull"),
        ("SignatureValidationFailed", "Source image rejected", "image-not-signed"),
    ],
)  # fmt: skip
def test_other_reasons(reason: str, said: str, code: str) -> None:
    says(pod_cause(step_pod(containerStatuses=[waiting(reason, said, image=IMAGE)])), code)


def test_an_image_of_an_init_container_counts_too() -> None:
    status = waiting("ImagePullBackOff", PULL + f"{IMAGE}: not found", name="init", image=IMAGE)
    pod = step_pod(initContainerStatuses=[status], containerStatuses=[waiting("PodInitializing")])
    cause = says(pod_cause(pod), "image-not-found", [IMAGE])
    assert "container init" in cause.facts[0]


def test_a_pull_secret_that_is_there_is_named() -> None:
    pod = step_pod(containerStatuses=[waiting("ErrImagePull", PULL + "401 Unauthorized", image=IMAGE)])
    pod["spec"]["imagePullSecrets"] = [{"name": "mine"}, {"name": "ours"}]
    cause = says(pod_cause(pod), "image-login", ["with the pull secrets mine and ours", "Renew"])
    assert "kubectl create" not in cause.fix


@pytest.mark.parametrize(
    ("container", "volumes", "noun"),
    [
        ("modelcar-init", [], "the model"),
        ("modelcar", [], "the model"),
        ("kserve-container", [{"name": "model", "image": {"reference": IMAGE}}], "the model"),
        ("kserve-container", [{"name": "model", "image": {"reference": "other"}}], "the image"),
        ("kserve-container", [], "the image"),
    ],
)
def test_a_model_is_not_called_an_image(container: str, volumes: list[Any], noun: str) -> None:
    said = f'Back-off pulling image "{IMAGE}": ErrImagePull: {PULL}{IMAGE}: not found'
    pod = service_pod(phase="Pending", containerStatuses=[waiting("ImagePullBackOff", said, container, image="runtime:1")])
    pod["spec"]["volumes"] = volumes
    code = "model-not-found" if noun == "the model" else "image-not-found"
    says(pod_cause(pod), code, [f"service 'churn' cannot start: {noun} {IMAGE} does not exist"])


def test_addresses_lose_logins_and_signatures() -> None:
    said = 'failed to do request: Get "https://user:secret@cdn.example/blob?Expires=1&Signature=abcdef": EOF'
    cause = pod_cause(step_pod(containerStatuses=[waiting("ErrImagePull", said, image=IMAGE)]))
    assert cause
    told = "\n".join((cause.message, cause.fix, *cause.facts))
    assert "secret@" not in told
    assert "Signature" not in told
