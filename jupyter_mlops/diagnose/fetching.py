"""Why a model does not get into its pod, from the last words of KServe's storage-initializer, its modelcar, or a puller."""

from __future__ import annotations

import re
from collections.abc import Callable

from jupyter_mlops.diagnose.cause import Cause
from jupyter_mlops.diagnose.documents import name, words
from jupyter_mlops.diagnose.owner import Owner

FETCHERS = frozenset({"storage-initializer", "modelcar-init", "modelcar", "mlops-fetch"})
"""Init containers whose work is to bring the model."""

_NO_MODELS = re.compile(r"/models does not exist or is empty|has no /?models/? directory|modelcar is invalid")


def fetch_cause(owner: Owner, container: str, code: int, said: str, about: str) -> Cause | None:
    """The cause where a container that brings the model failed; None for other containers."""
    if container not in FETCHERS and not _NO_MODELS.search(said):
        return None
    for pattern, make in _TABLE:
        if match := pattern.search(said):
            return make(owner, match, about)
    last = words(said.strip().rpartition("\n")[2], 250)
    because = f": {last}" if last else ""
    message = f"{owner.who} cannot start: its model cannot be fetched ('{name(container)}' ended with exit code {code}{because})"
    return Cause("model-fetch", message, "platform", owner.log_fix(), (about,), final=True)


def gated(owner: Owner, about: str) -> Cause:
    """A model whose licence must be accepted first."""
    message = f"{owner.who} cannot start: its model may only be downloaded by people who accepted its licence"
    fix = "Accept it on the model's page, and give the service a token of your own as the variable HF_TOKEN from a secret."
    return Cause("model-gated", message, "user", fix, (about,), final=True)


def no_shell(owner: Owner, about: str) -> Cause:
    """A model's image that cannot be a container beside the server."""
    message = f"{owner.who} cannot start: the model's image has no shell, and this way of serving it (`oci://`) needs one"
    fix = "Deploy it as `oci+native://` or `oci+fetch://`, which need none; without a choice the product finds what works."
    return Cause("model-no-shell", message, "user", fix, (about,), final=True)


def no_models(owner: Owner, about: str) -> Cause:
    """An image without a model in it."""
    message = f"{owner.who} cannot start: the model's image has no folder /models, or an empty one"
    fix = "Deploy a model that was registered with `log_model`, which puts it there."
    return Cause("model-layout", message, "user", fix, (about,), final=True)


def _compression(owner: Owner, _match: re.Match[str], about: str) -> Cause:
    message = f"{owner.who} cannot start: this KServe cannot unpack the model, which is compressed with zstd"
    fix = "Register the model again: it is then stored without compression."
    return Cause("model-compression", message, "user", fix, (about,), final=True)


def _machine(owner: Owner, match: re.Match[str], about: str) -> Cause:
    message = f"{owner.who} cannot start: the model is not stored for its machine's processor ({words(match[0], 80)})"
    fix = "Register the model again: it is then stored for amd64 and arm64."
    return Cause("image-architecture", message, "user", fix, (about,), final=True)


def _login(owner: Owner, _match: re.Match[str], about: str) -> Cause:
    message = f"{owner.who} cannot start: the place where its model is stored refuses the login"
    fix = (
        "Name a pull secret that may read the model in the target's setting `pull_secret`; other storages take the secret of the "
        "service's account."
    )
    return Cause("model-login", message, "user", fix, (about,), final=True)


def _absent(owner: Owner, _match: re.Match[str], about: str) -> Cause:
    message = f"{owner.who} cannot start: its model is not where the service looks for it"
    fix = "Deploy a version that is there; `jupyter mlops models` lists them."
    return Cause("model-not-found", message, "user", fix, (about,), final=True)


def _unreachable(owner: Owner, _match: re.Match[str], about: str) -> Cause:
    message = f"{owner.who} cannot start: the place where its model is stored cannot be reached from the cluster"
    return Cause("model-unreachable", message, "platform", "Check the address; the cluster needs a way to it.", (about,))


_TABLE: tuple[tuple[re.Pattern[str], Callable[[Owner, re.Match[str], str], Cause]], ...] = (
    (_NO_MODELS, lambda owner, _match, about: no_models(owner, about)),
    (re.compile(r"sh: (?:\d+: )?(?:\S+: )?not found|exec: \"sh\""), lambda owner, _match, about: no_shell(owner, about)),
    (
        re.compile(r"GatedRepo|gated repo|Access to model .{1,200} is restricted|awaiting a review"),
        lambda o, _match, a: gated(o, a),
    ),
    (re.compile(r"zstd|unsupported (?:media type|compression)", re.IGNORECASE), _compression),
    (re.compile(r"no manifest for \S+|no matching manifest", re.IGNORECASE), _machine),
    (
        re.compile(
            r"authentication failed|\b40[13]\b|Unauthorized|AccessDenied|InvalidAccessKeyId|SignatureDoesNotMatch|Forbidden"
            r"|NoCredentialsError|Unable to locate credentials",
            re.IGNORECASE,
        ),
        _login,
    ),
    (
        re.compile(
            r"Connection refused|timed out|Name or service not known|Max retries exceeded|no such host|unreachable", re.IGNORECASE
        ),
        _unreachable,
    ),
    (
        re.compile(r"not found|NoSuchKey|NoSuchBucket|\b404\b|does not exist|Failed to fetch model|no model found", re.IGNORECASE),
        _absent,
    ),
)
"""What the words say → the cause; the first match counts."""
