"""The envelope that a signed statement lies in: DSSE, in sigstore's bundle 0.3, and who makes and opens such.

https://github.com/secure-systems-lab/dsse says what is signed: the payload with its type and both lengths. Whoever can put a bundle
around a payload is a :class:`Signer`; whoever a signature can be of is a :class:`Signatory`: a key, or a person that an identity
provider knows. Nothing here says what a payload means; that is ``signing``'s.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any, Protocol

BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
IN_TOTO = "application/vnd.in-toto+json"


class Signer(Protocol):
    """Signs statements."""

    def bundle(self, payload: bytes) -> Mapping[str, Any]:
        """The payload, an in-toto statement, in a signed envelope.

        Raises:
            NotAllowed, Unavailable: who is asked for it does not sign, or cannot be reached.
        """
        ...


class Signatory(Protocol):
    """Somebody whose signatures are looked for."""

    @property
    def name(self) -> str:
        """As a person knows it."""
        ...

    def payload(self, bundle: Mapping[str, Any]) -> bytes | None:
        """The in-toto statement that it has signed; None where the bundle is another's, or bent."""
        ...


def encoded(payload_type: str, payload: bytes) -> bytes:
    """What a DSSE signature is of: type and payload with their lengths, so that neither can be taken for the other."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def sealed(payload: bytes, hint: str, sign: Callable[[bytes], bytes]) -> dict[str, Any]:
    """A statement in a bundle that names its key by a hint."""
    return {
        "mediaType": BUNDLE,
        "verificationMaterial": {"publicKey": {"hint": hint}},
        "dsseEnvelope": {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": IN_TOTO,
            "signatures": [{"sig": base64.b64encode(sign(encoded(IN_TOTO, payload))).decode()}],
        },
    }


def opened(bundle: Mapping[str, Any], made: Callable[[bytes, bytes], bool]) -> bytes | None:
    """The statement of a bundle, where one of its signatures ``made`` says yes to; a bundle that is broken has none."""
    try:
        if bundle.get("mediaType") != BUNDLE:
            return None
        envelope = bundle["dsseEnvelope"]
        payload, kind = base64.b64decode(envelope["payload"], validate=True), str(envelope["payloadType"])
        given = [base64.b64decode(one["sig"], validate=True) for one in envelope["signatures"]]
    except (KeyError, TypeError, AttributeError, ValueError, binascii.Error):
        return None
    return payload if kind == IN_TOTO and any(made(one, encoded(kind, payload)) for one in given) else None
