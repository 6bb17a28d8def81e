"""Signing without a key to keep: an identity provider says who it is, an authority certifies a key for minutes, a log keeps it.

The token of the identity provider comes from where the process runs (a continuous integration, a cloud's account), from
``SIGSTORE_ID_TOKEN`` as cosign has it, or from a person who signs in with a browser. It goes to the authority alone, and is kept
nowhere.
"""

from __future__ import annotations

import json
import os
import queue
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from jupyter_mlops.errors import MlopsError, NotAllowed, NotFound, Unavailable, WrongUsage
from jupyter_mlops.registry.identities import Identity, library, root_of, words

if TYPE_CHECKING:
    from cryptography.x509 import Certificate
    from sigstore.models import Bundle, ClientTrustConfig

TOKEN = "SIGSTORE_ID_TOKEN"  # noqa: S105 - the variable's name
ISSUER = "1.3.6.1.4.1.57264.1.8"
"""Extension of a certificate that has the identity provider: https://github.com/sigstore/fulcio/blob/main/docs/oid-info.md"""

PATIENCE = 60.0
"""Seconds that certificate, time and place in the log may take together; usually two."""

T = TypeVar("T")
SignIn = Callable[[str], str]
"""Lets a person sign in at a provider of this URL; gives the token."""


@dataclass
class Keyless:
    """Somebody that an identity provider knows, who signs."""

    config: ClientTrustConfig
    token: str = field(repr=False)
    root: str = ""
    who: Identity | None = None
    """Set by the first signature, as its certificate says."""

    def bundle(self, payload: bytes) -> Mapping[str, Any]:
        """A statement with its signature, certificate, time, and place in the log.

        Raises:
            NotAllowed: code ``wrong-identity``: the token is none, or has expired.
            Unavailable: code ``no-certificate``: the authority, the log or the clock cannot be reached, or refuses.
        """
        from sigstore.oidc import ExpiredIdentity, IdentityError

        try:
            made = _within(PATIENCE, lambda: self._made(payload))
        except (IdentityError, ExpiredIdentity) as error:
            raise NotAllowed(
                f"that is no valid identity token: {words(error)}", code="wrong-identity", fix=f"Get a new one, and set {TOKEN}."
            ) from error
        except Exception as error:  # the authority, the log and the clock have errors of their own
            raise Unavailable(
                f"nobody certified the signature: {words(error)}",
                code="no-certificate",
                fix="Look whether this machine reaches that sigstore; a private one is named by --trust-config FILE.",
            ) from error
        self.who = certified(made.signing_certificate, self.root)
        bundle = dict(json.loads(made.to_json()))
        if self.who.payload(bundle) is None:  # without its clock that library signs all the same
            raise Unavailable(
                "the signature could not be verified: the time or the log is missing from it",
                code="no-certificate",
                fix="Look whether this machine reaches all of that sigstore, its timestamp authority too; then sign again.",
            )
        return bundle

    def _made(self, payload: bytes) -> Bundle:
        from sigstore.dsse import Statement
        from sigstore.oidc import IdentityToken
        from sigstore.sign import SigningContext

        with SigningContext.from_trust_config(self.config).signer(IdentityToken(self.token)) as signer:
            return signer.sign_dsse(Statement(payload))


def _within(seconds: float, do: Callable[[], T]) -> T:
    """What something gives, or TimeoutError: that library waits for a server as long as the server likes."""
    done: queue.SimpleQueue[tuple[T | None, BaseException | None]] = queue.SimpleQueue()

    def run() -> None:
        try:
            done.put((do(), None))
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            done.put((None, error))

    threading.Thread(target=run, name="sigstore", daemon=True).start()
    try:
        found, error = done.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError(f"no answer within {seconds:.0f} s") from None
    if error is not None:
        raise error
    return cast("T", found)


def keyless(config: Path | None, sign_in: SignIn | None = None, environ: Mapping[str, str] = os.environ) -> Keyless:
    """Who signs, as the environment or a browser says.

    Args:
        config: a private sigstore's trust configuration; None for the public one.
        sign_in: lets a person sign in, where nothing else says who it is; None where there is no person.
        environ: where a token may be.

    Raises:
        PlatformError: code ``no-sigstore``, ``wrong-trust-root``.
        NotFound: there is no such configuration.
        WrongUsage: code ``no-identity``: nothing says who it is.
        Unavailable: the public sigstore cannot be reached.
    """
    library()
    trust = _config(config)
    token = environ.get(TOKEN, "").strip() or _ambient()
    if not token and sign_in is not None:
        token = sign_in(trust.signing_config.get_oidc_url())
    if not token:
        raise WrongUsage(
            "nothing says who signs",
            code="no-identity",
            fix=f"Set {TOKEN} to a token of your identity provider, or sign from a terminal, which opens a browser.",
        )
    return Keyless(trust, token, root_of(config) if config else "")


def browser(url: str) -> str:
    """Sign in at an identity provider; the page is opened, or its address told.

    Raises:
        NotAllowed: code ``wrong-identity``: nobody signed in.
    """
    from sigstore.oidc import Issuer

    try:
        return str(Issuer(url).identity_token())
    except Exception as error:  # networks, browsers and providers have errors of their own
        raise NotAllowed(
            f"nobody signed in at {url}: {words(error)}", code="wrong-identity", fix=f"Try again, or set {TOKEN}."
        ) from error


def certified(certificate: Certificate, root: str = "") -> Identity:
    """Who a certificate is of."""
    from cryptography.x509 import ObjectIdentifier, SubjectAlternativeName
    from cryptography.x509.extensions import UnrecognizedExtension

    names = certificate.extensions.get_extension_for_class(SubjectAlternativeName).value
    who = next((_text(each.value) for each in names if isinstance(each.value, (str, bytes))), "")
    issuer = certificate.extensions.get_extension_for_oid(ObjectIdentifier(ISSUER)).value
    raw = issuer.value if isinstance(issuer, UnrecognizedExtension) else b""
    return Identity(who, _text(raw), root)


def _text(value: str | bytes) -> str:
    """A name; one in DER (a user of no domain, an extension) comes after its type, its length, and the length of a long length."""
    if isinstance(value, str):
        return value
    before = 2 + (value[1] & 0x7F if len(value) > 1 and value[1] & 0x80 else 0)
    return value[before:].decode(errors="replace")


def _config(path: Path | None) -> ClientTrustConfig:
    from sigstore.models import ClientTrustConfig

    try:
        return ClientTrustConfig.from_json(path.read_text()) if path else ClientTrustConfig.production()
    except OSError as error:
        if path:
            raise NotFound(f"{path} cannot be read: {error.strerror}", fix="Give the path of a trust configuration.") from error
        raise _unreachable(error) from error
    except MlopsError:
        raise
    except Exception as error:  # each part of that library has errors of its own
        if path:
            raise WrongUsage(
                f"{path} is no trust configuration of sigstore: {words(error)}",
                code="wrong-trust-root",
                fix="Ask who runs your sigstore for its ClientTrustConfig; without --trust-config the public one is meant.",
            ) from error
        raise _unreachable(error) from error


def _ambient() -> str:
    """The token that the place gives where this runs; '' where it gives none."""
    from sigstore.oidc import detect_credential

    try:
        return detect_credential() or ""
    except Exception as error:  # it is there, and is refused: the place has errors of its own
        raise NotAllowed(
            f"this place gives no identity token: {words(error)}",
            code="wrong-identity",
            fix="In a workflow of GitHub: permissions: id-token: write",
        ) from error


def _unreachable(error: Exception) -> Unavailable:
    return Unavailable(
        f"the public sigstore cannot be reached: {words(error)}",
        code="no-certificate",
        fix="Look at this machine's network; a private sigstore is named by --trust-config FILE.",
    )
