"""Why there was no answer at all: refused, no such name, too slow, or a certificate that is not believed."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator

from jupyter_mlops.cluster.wording import shortened
from jupyter_mlops.errors import MlopsError, PlatformError, Unavailable

_NETWORK = "Check that the cluster runs, the address in the kubeconfig, and the network (VPN, HTTPS_PROXY, NO_PROXY)."


def no_answer(error: BaseException, server: str) -> MlopsError:
    """The error that a failed connection is.

    Args:
        error: what was caught; the true one may be inside.
        server: address of the API server.
    """
    inner = list(_chain(error))
    for found in inner:
        names = (type(found).__name__, str(found).lower())
        if (
            isinstance(found, ssl.SSLCertVerificationError)
            or names[0] == "CertificateError"
            or "certificate verify failed" in names[1]
        ):
            return _certificate(found, server)
    ended = any(isinstance(found, ssl.SSLEOFError | ssl.SSLZeroReturnError) or "EOF occurred" in str(found) for found in inner)
    for found in inner:
        if not ended and (isinstance(found, ssl.SSLError) or type(found).__name__ == "SSLError"):
            return _handshake(found, server)
    why, fix = _reason(error, inner, ended=ended)
    return Unavailable(f"the cluster at {server} does not answer: {why}", code="cluster-unreachable", fix=fix)


def _reason(error: BaseException, inner: list[BaseException], *, ended: bool) -> tuple[str, str]:
    """Why a server is not there, and what to do."""
    text = " ".join(str(found) for found in inner)
    kinds = " ".join(type(found).__name__ for found in inner)
    if "ProxyError" in kinds:  # first: its own reasons are those below
        return f"the proxy does not let us through ({_words(error)})", "Check HTTPS_PROXY, NO_PROXY and the kubeconfig's proxy-url."
    if "gaierror" in kinds or "NameResolutionError" in kinds:
        return "its name is not known here", "Check the address in the kubeconfig and the network (VPN, DNS)."
    if "ConnectionRefusedError" in kinds or "Connection refused" in text:
        return "the connection is refused: nothing listens there", _NETWORK
    if "Timeout" in kinds:
        return "it did not answer in time", _NETWORK
    if ended or "ConnectionResetError" in kinds or "BrokenPipeError" in kinds or "RemoteDisconnected" in kinds:
        return "it closed the connection without an answer", _NETWORK
    return _words(error), _NETWORK


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and those it was raised from or carries: urllib3 wraps the true one up to three times."""
    seen: set[int] = set()
    todo: list[object] = [error]
    while todo:
        found = todo.pop(0)
        if not isinstance(found, BaseException) or id(found) in seen:
            continue
        seen.add(id(found))
        yield found
        todo += [
            getattr(found, "reason", None),
            getattr(found, "original_error", None),
            found.__cause__,
            found.__context__,
            *found.args,
        ]


def _certificate(error: BaseException, server: str) -> PlatformError:
    """A certificate that is not believed, and why."""
    text = (
        getattr(error, "verify_message", "") or re.sub(r".*certificate verify failed:?\s*", "", str(error)).partition(" (_ssl")[0]
    )
    low = text.lower()
    if "expired" in low:
        why, fix = "has expired", "Whoever runs the cluster must renew it. If this machine's clock is wrong, set it."
    elif "not yet valid" in low:
        why, fix = "is not valid yet", "This machine's clock may be wrong."
    elif "mismatch" in low or "not valid for" in low or "doesn't match" in low:
        why, fix = "is for another name", "Use the address that the certificate names, or tls-server-name in the kubeconfig."
    else:
        why = "is signed by nobody that the kubeconfig trusts"
        fix = "Get the kubeconfig anew: its certificate-authority-data must be this cluster's (a proxy may also stand between)."
    return PlatformError(f"the certificate of the cluster at {server} {why}: {text}", code="cluster-certificate", fix=fix)


def _handshake(error: BaseException, server: str) -> PlatformError:
    """TLS that did not come about for another reason."""
    text = _words(error)
    if "WRONG_VERSION_NUMBER" in text or "record layer" in text:
        why, fix = "it does not speak TLS", "The address may need http:// instead of https://, or a proxy stands between."
    elif "alert" in text.lower():
        why, fix = (
            f"it refuses our certificate or TLS version ({text})",
            "Get the kubeconfig anew; its client certificate may have expired.",
        )
    else:
        why, fix = text, "Check the certificates in the kubeconfig."
    return PlatformError(f"no secure connection to the cluster at {server}: {why}", code="cluster-certificate", fix=fix)


def _words(error: BaseException) -> str:
    """The innermost text, without the library's object names."""
    last = list(_chain(error))[-1]
    text = str(last) or type(last).__name__
    return shortened(re.sub(r"<[\w.]+ object at 0x[0-9a-f]+>:?\s*", "", text), 300)
