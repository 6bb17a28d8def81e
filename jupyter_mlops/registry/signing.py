"""Versions that somebody has signed: a statement about a digest in a DSSE envelope, kept as a referrer that cosign verifies.

The envelope is ``envelope``'s, and the manifest has the shape that cosign 3 writes, so that ``cosign verify`` takes ours and ours
takes theirs. A signature says that this
digest is meant, and on demand also where it comes from (its lineage): whoever signs that vouches for it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_mlops.errors import Corrupt, NotAllowed, NotFound, WrongUsage
from jupyter_mlops.oci.artifact import artifact_document, layers_of, read_config
from jupyter_mlops.oci.canonical import canonical, parse_object
from jupyter_mlops.oci.names import OCI_EMPTY
from jupyter_mlops.oci.store import Manifest, Store
from jupyter_mlops.registry.envelope import BUNDLE, IN_TOTO, Signatory, Signer
from jupyter_mlops.registry.keys import trusted
from jupyter_mlops.registry.provenance import PREDICATE as PROVENANCE
from jupyter_mlops.registry.provenance import STATEMENT
from jupyter_mlops.registry.times import now

MEANT = "https://sigstore.dev/cosign/sign/v1"
"""Predicate of a signature that says no more than that the digest is meant."""

CREATED = "org.opencontainers.image.created"
LARGEST = 1 << 20
"""Bytes of a bundle at most; others are passed over."""


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature of a version that somebody made whom one asked about."""

    by: str
    """Name of the key, or who an identity provider knows."""

    predicate: str
    created: str
    """As its manifest says; nobody has checked that."""

    statement: Mapping[str, Any]

    def to_json(self) -> dict[str, str]:
        """For ``--json`` and REST."""
        return {"by": self.by, "predicate": self.predicate, "created": self.created}


def sign(store: Store, repository: str, reference: str, signer: Signer, *, provenance: bool = False) -> Manifest:
    """Sign a version.

    Args:
        store: where the version is.
        repository: ``models/churn``.
        reference: its tag or digest.
        signer: who signs: a key, or somebody that an identity provider knows.
        provenance: sign also what its run said of where it comes from.

    Raises:
        NotFound: no such version, or with ``provenance`` nothing is said of where it comes from (``no-provenance``).
        StorageFull, Unavailable, NotAllowed: the registry does not take it, or nobody signs.
    """
    subject = store.get_manifest(repository, reference).descriptor
    statement = _provenance(store, repository, subject.digest) if provenance else _meant(repository, subject.digest)
    payload = canonical(statement)
    config = store.put_blob(repository, b"{}", OCI_EMPTY)
    layer = store.put_blob(repository, canonical(signer.bundle(payload)), BUNDLE)
    notes = {
        "dev.sigstore.bundle.content": "dsse-envelope",
        "dev.sigstore.bundle.predicateType": str(statement["predicateType"]),
        CREATED: now(),
    }
    return store.put_manifest(repository, artifact_document(BUNDLE, config, [layer], subject=subject, annotations=notes))


def verified(store: Store, repository: str, reference: str, by: Sequence[Signatory]) -> list[Signature]:
    """The signatures of a version that these made, the newest first.

    Raises:
        NotAllowed: code ``not-signed``: nobody signed it; ``wrong-signature``: none of these did.
        NotFound: no such version.
    """
    digest = store.get_manifest(repository, reference).descriptor.digest
    found = list(_bundles(store, repository, digest))
    good = [one for bundle, created in found for each in by if (one := checked(bundle, created, digest, each)) is not None]
    if good:
        return sorted(good, key=lambda one: one.created, reverse=True)
    if not found:
        raise NotAllowed(
            f"{repository}@{digest} is not signed", code="not-signed", fix="Sign it: jupyter mlops models sign NAME:TAG --key FILE"
        )
    names = ", ".join(each.name for each in by) or "anybody who is trusted here"
    raise NotAllowed(
        f"{repository}@{digest} is signed, and not by {names}",
        code="wrong-signature",
        fix="Get the public key of who signed it and trust it: jupyter mlops models key FILE.pub --trust; or who it is:"
        " jupyter mlops models trust WHO --issuer URL. Or do not use it.",
    )


def require(unsigned: str, home: Path, store: Store, repository: str, digest: str) -> None:
    """Refuse a version that nobody trusted signed, where the setting ``unsigned`` is ``refuse``.

    Raises:
        NotAllowed: code ``not-signed`` or ``wrong-signature``.
        PlatformError: code ``no-cryptography`` or ``no-sigstore``.
    """
    if unsigned == "refuse":
        verified(store, repository, digest, trusted(home))


def checked(bundle: Mapping[str, Any], created: str, digest: str, by: Signatory) -> Signature | None:
    """The signature of a bundle, where it is somebody's and about this digest. A bundle that is broken is none."""
    payload = by.payload(bundle)
    try:
        statement = json.loads(payload) if payload is not None else None
        if statement is None or statement["_type"] != STATEMENT or digest not in _subjects(statement):
            return None
        return Signature(by.name, str(statement["predicateType"]), created, statement)
    except (KeyError, TypeError, AttributeError, ValueError):
        return None


def _subjects(statement: Mapping[str, Any]) -> set[str]:
    """Digests that a statement is about, with their algorithms."""
    return {f"{kind}:{one}" for subject in statement["subject"] for kind, one in dict(subject.get("digest") or {}).items()}


def _bundles(store: Store, repository: str, digest: str) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Each bundle about a digest that can be read, and when it says it was made."""
    for referrer in store.referrers(repository, digest):
        with suppress(NotFound, Corrupt, WrongUsage):
            manifest = store.get_manifest(repository, referrer.digest)
            for layer in layers_of(manifest):
                if layer.media_type == BUNDLE and layer.size <= LARGEST:
                    with store.open_blob(repository, layer.digest) as stream:
                        found = parse_object(stream.read(), f"the bundle {layer.digest}")
                    yield found, str((manifest.document.get("annotations") or {}).get(CREATED) or "")


def _meant(repository: str, digest: str) -> dict[str, Any]:
    kind, _, hexadecimal = digest.partition(":")
    subject = {"name": repository, "digest": {kind: hexadecimal}}
    return {"_type": STATEMENT, "subject": [subject], "predicateType": MEANT, "predicate": {}}


def _provenance(store: Store, repository: str, digest: str) -> dict[str, Any]:
    """The statement of where a version comes from, as its run left it."""
    for referrer in store.referrers(repository, digest, IN_TOTO):
        with suppress(NotFound, Corrupt, WrongUsage, KeyError, TypeError, AttributeError):
            found = read_config(store, repository, store.get_manifest(repository, referrer.digest))
            if found.get("predicateType") == PROVENANCE and digest in _subjects(found):
                return dict(found)
    raise NotFound(
        f"nothing is said of where {repository}@{digest} comes from", code="no-provenance", fix="Sign it without --provenance."
    )
