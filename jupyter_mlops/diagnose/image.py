"""Why an image cannot be pulled, from the words of containerd, CRI-O and the registry behind them.

The texts are layers of errors, each with the one below at its end. The table asks first for what only one cause says: a
registry that speaks plain HTTP ends in ``not found`` nowhere, but a missing platform does.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from jupyter_mlops.diagnose.cause import Cause
from jupyter_mlops.diagnose.documents import at, fact, listed, name, objects, text, words
from jupyter_mlops.diagnose.owner import Owner

REASONS = frozenset({
    "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError", "RegistryUnavailable",
    "SignatureValidationFailed",
})  # fmt: skip
"""Reasons of a waiting container that are about its image."""

MODEL_CONTAINERS = frozenset({"modelcar-init", "modelcar"})
"""KServe's containers whose image is the model itself."""

_QUOTED = re.compile(r"(?:image|image tag|image name|model|artifact) \\?\"([^\"\\\s]+)\\?\"")
_RESOLVE = re.compile(r"failed to resolve (?:image|reference)\W+([^\s\"]+?):? ")
_ADDRESS = re.compile(r"https?://(?:[^/\s\"@]+@)?([^/\s\"@]+)/")
_BACK_OFF = re.compile(r"^Back-off pulling image \"[^\"]*\"(?:: ErrImagePull)?(?:: )?")
_WHY = (
    (re.compile(r"no such host|server misbehaving|Temporary failure in name resolution|lookup \S+"), "its name is not known there"),
    (re.compile(r"connection refused"), "nothing answers at that address"),
    (re.compile(r"timeout|deadline exceeded|timed out", re.IGNORECASE), "it does not answer in time"),
    (re.compile(r"unreachable|no route to host"), "there is no way to that network"),
)


@dataclass(frozen=True, slots=True)
class Pull:
    """A pull that failed: for whom, of what, and what was said of it."""

    owner: Owner
    model: bool
    reference: str
    said: str
    about: str

    @property
    def start(self) -> str:
        """How most sentences begin."""
        return f"{self.owner.who} cannot start"

    @property
    def what(self) -> str:
        """The thing that was to be pulled."""
        return f"the {'model' if self.model else 'image'} {self.reference}"

    @property
    def registry(self) -> str:
        """The registry's host: the one that was called, else the one in the reference, else Docker Hub."""
        if match := _ADDRESS.search(self.said):
            return name(match[1])
        host = self.reference.partition("/")[0]
        return host if "." in host or ":" in host else "docker.io"


Make = Callable[[Pull], Cause]


def image_cause(owner: Owner, container: str, reason: str, said: str, image: str = "") -> Cause:
    """The cause behind a container that waits for its image.

    Args:
        owner: whose pod it is.
        container: the container that waits.
        reason: such as ``ImagePullBackOff``.
        said: the message; the most telling one where there are several.
        image: the container's image, for texts that do not name it.
    """
    model, reference = _which(owner, container, said, image)
    about = fact(f"{owner.about}, container {name(container)}" if container else owner.about, reason, said)
    pull = Pull(owner, model, reference, said, about)
    for pattern, make in _TABLE:
        if pattern.search(said):
            return make(pull)
    return {"InvalidImageName": _bad_name, "ErrImageNeverPull": _absent}.get(reason, _other)(pull)


def _which(owner: Owner, container: str, said: str, image: str) -> tuple[bool, str]:
    """Whether it is the model, and the reference; a mounted model is named in the text, whichever container waits for it."""
    volumes = objects(at(owner.pod, "spec").get("volumes"))
    mounted = [reference for one in volumes if (reference := text(at(one, "image").get("reference")))]
    match = _QUOTED.search(said) or _RESOLVE.search(said)
    given = match[1] if match else image or text(owner.container(container).get("image"))
    for reference in mounted:
        if reference in {given, f"docker.io/{given}"} or reference in said:
            return True, name(reference)
    return container in MODEL_CONTAINERS, name(given) or "of its container"


def _missing(pull: Pull) -> Cause:
    message = f"{pull.start}: {pull.what} does not exist"
    if pull.what.startswith("the model"):
        fix = "Deploy a version that is in the cluster's registry; `jupyter mlops models` lists them."
        return Cause("model-not-found", message, "user", fix, (pull.about,), final=True)
    fix = f"Check its name and tag for a typing error, or push it; it is set in {pull.owner.image_setting}."
    return Cause("image-not-found", message, "user", fix, (pull.about,), final=True)


def _login(pull: Pull) -> Cause:
    registry, secrets = pull.registry, pull.owner.pull_secrets
    hidden = (
        " (or it does not exist: the registry does not tell which)"
        if "may require" in pull.said or "insufficient_scope" in pull.said
        else ""
    )
    if secrets:
        which = f"the pull secret{'s' if len(secrets) > 1 else ''} {listed(secrets)}"
        message = f"{pull.start}: the registry {registry} refuses to hand out {pull.what}{hidden}, with {which}"
        fix = f"Renew the login in {listed(secrets)}: it has expired, is for another registry, or may not read this image."
    else:
        message = f"{pull.start}: the registry {registry} wants a login for {pull.what}{hidden}, and none was given"
        space = f" -n {pull.owner.namespace}" if pull.owner.namespace else ""
        fix = (
            f"Make a pull secret (`kubectl create secret docker-registry NAME{space} --docker-server={registry} "
            "--docker-username=USER --docker-password=PASSWORD`) and name it in the target's setting `pull_secret`."
        )
    return Cause("image-login", message, "user", fix, (pull.about,), final=True)


def _unreachable(pull: Pull) -> Cause:
    registry = pull.registry
    why = next((found for pattern, found in _WHY if pattern.search(pull.said)), "the connection breaks off")
    message = f"{pull.start}: the cluster does not reach the registry {registry} for {pull.what}: {why}"
    fix = (
        f"Check the registry's name in {pull.owner.image_setting}. If it is right, the cluster's machines have no way to "
        f"it: use a copy "
        "in a registry that they reach (the target's setting `mirrors`), or ask an administrator."
    )
    return Cause("registry-unreachable", message, "platform", fix, (pull.about,))


def _plain(pull: Pull) -> Cause:
    registry = pull.registry
    message = f"{pull.start}: the registry {registry} of {pull.what} speaks plain HTTP, and the cluster's machines ask for HTTPS"
    fix = (
        f"An administrator gives the registry a certificate, or allows plain HTTP for it on every machine of the cluster "
        f'(containerd: `server = "http://{registry}"` in /etc/containerd/certs.d/{registry}/hosts.toml).'
    )
    return Cause("registry-plain-http", message, "platform", fix, (pull.about,), final=True)


def _certificate(pull: Pull) -> Cause:
    registry = pull.registry
    why = (
        "has expired"
        if "expired" in pull.said
        else "is for another name"
        if "is valid for" in pull.said
        else "comes from an authority that they do not know"
    )
    message = f"{pull.start}: the cluster's machines do not trust the registry {registry} of {pull.what}: its certificate {why}"
    fix = "An administrator renews the registry's certificate, or makes its authority known to every machine of the cluster."
    return Cause("registry-certificate", message, "platform", fix, (pull.about,), final=True)


def _limited(pull: Pull) -> Cause:
    registry = pull.registry
    message = (
        f"{pull.owner.who} waits: the registry {registry} has handed out as many images as it allows for now, so "
        f"{pull.what} comes later"
    )
    fix = "Wait, log in to the registry (the target's setting `pull_secret`), or use a copy in another one (`mirrors`)."
    return Cause("registry-rate-limit", message, "platform", fix, (pull.about,))


def _architecture(pull: Pull) -> Cause:
    message = f"{pull.start}: {pull.what} is made for another kind of processor than the cluster's machines have"
    fix = (
        f"Build it for the machines' processor (linux/amd64 or linux/arm64) or choose another; it is set in "
        f"{pull.owner.image_setting}."
    )
    return Cause("image-architecture", message, "user", fix, (pull.about,), final=True)


def _bad_name(pull: Pull) -> Cause:
    message = f"{pull.start}: '{pull.reference}' is not a name that an image can have"
    fix = f"Write it as registry/name:tag, in lower case and without https://; it is set in {pull.owner.image_setting}."
    return Cause("image-name", message, "user", fix, (pull.about,), final=True)


def _absent(pull: Pull) -> Cause:
    message = f"{pull.start}: {pull.what} is not on its machine, and the pull policy Never forbids to fetch it"
    return Cause("image-not-found", message, "user", "Set the pull policy to IfNotPresent.", (pull.about,), final=True)


def _full(pull: Pull) -> Cause:
    message = f"{pull.start}: the disk of its machine is full, so {pull.what} does not fit"
    fix = "An administrator frees space on that machine; a smaller image helps too."
    return Cause("storage-full", message, "platform", fix, (pull.about,))


def _broken(pull: Pull) -> Cause:
    message = f"{pull.start}: the registry {pull.registry} does not deliver {pull.what}: it answers with an error of its own"
    return Cause("registry-failing", message, "platform", "Try again in a while; tell whoever runs the registry.", (pull.about,))


def _signature(pull: Pull) -> Cause:
    message = f"{pull.start}: the cluster only takes signed images, and {pull.what} has no signature that it accepts"
    return Cause(
        "image-not-signed",
        message,
        "user",
        "Sign the image as the cluster asks for, or use one that is signed.",
        (pull.about,),
        final=True,
    )


def _other(pull: Pull) -> Cause:
    rest = _BACK_OFF.sub("", pull.said)
    because = f": {words(rest, 200)}" if rest else ""
    message = f"{pull.start}: {pull.what} cannot be fetched{because}"
    return Cause(
        "image-pull",
        message,
        "platform",
        f"Check that it can be pulled from elsewhere; it is set in {pull.owner.image_setting}.",
        (pull.about,),
    )


_TABLE: tuple[tuple[re.Pattern[str], Make], ...] = (
    (re.compile(r"server gave HTTP response to HTTPS client|first record does not look like a TLS handshake"), _plain),
    (
        re.compile(r"x509:|tls: failed to verify|certificate (?:has expired|signed by|is valid for)|certificate verify failed"),
        _certificate,
    ),
    (
        re.compile(
            r"no match for platform|no matching manifest for|exec format error"
            r"|no image found in (?:image index|manifest list) for architecture"
        ),
        _architecture,
    ),
    (re.compile(r"toomanyrequests|429 Too Many Requests|rate limit", re.IGNORECASE), _limited),
    (re.compile(r"no space left on device|disk quota exceeded"), _full),
    (re.compile(r"SignatureValidationFailed|signature (?:validation|verification)|Source image rejected"), _signature),
    (re.compile(r"invalid reference format|couldn't parse image (?:name|reference)|InvalidImageName|must be lowercase"), _bad_name),
    (
        re.compile(
            r"\b40[13]\b|[Uu]nauthorized|UNAUTHORIZED|authentication required|no basic auth credentials|access denied|is denied"
            r"|failed to authorize|insufficient_scope|may require|DENIED|\bForbidden\b"
        ),
        _login,
    ),
    (
        re.compile(
            r"dial tcp|no such host|i/o timeout|TLS handshake timeout|connection (?:refused|reset)|context deadline exceeded"
            r"|network is unreachable|Client\.Timeout|proxyconnect|: EOF"
        ),
        _unreachable,
    ),
    (re.compile(r"\b50[0-4]\b|Internal Server Error|Service Unavailable|Bad Gateway"), _broken),
    (re.compile(r"not found|manifest unknown|MANIFEST_UNKNOWN|NAME_UNKNOWN|name unknown|does not exist|code = NotFound"), _missing),
    (re.compile(r"pull policy of Never"), _absent),
)
"""What a text says → its cause; the first match counts."""
