"""Keys that versions are signed with: ECDSA over P-256 in PEM files, which openssl and cosign read as well.

A private key is a file that only its user may read, with a passphrase or without; the passphrase comes from the environment or from
who is asked for it, never from a command line. Public keys that are trusted lie in the user's own folder, one file each.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_mlops.errors import Conflict, NotFound, PlatformError, StorageFull, WrongUsage
from jupyter_mlops.registry.envelope import Signatory, opened, sealed
from jupyter_mlops.registry.identities import SUFFIX, TRUSTED, identity

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey

PASSPHRASE = "JUPYTER_MLOPS_KEY_PASSPHRASE"  # noqa: S105 - the variable's name
Ask = Callable[[str], str]
"""Asks its person for a passphrase; '' for none."""


def nobody(_prompt: str) -> str:
    """Where there is no person to ask."""
    return ""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that signatures are checked with."""

    name: str
    key: EllipticCurvePublicKey

    @property
    def hint(self) -> str:
        """What a bundle names it by, as cosign does: base64 of the SHA-256 of its DER form."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        der = self.key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return base64.b64encode(hashlib.sha256(der).digest()).decode()

    def made(self, signature: bytes, data: bytes) -> bool:
        """Whether its private half made the signature of these bytes."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
        from cryptography.hazmat.primitives.hashes import SHA256

        try:
            self.key.verify(signature, data, ECDSA(SHA256()))
        except InvalidSignature:
            return False
        return True

    def payload(self, bundle: Mapping[str, Any]) -> bytes | None:
        """The statement of a bundle, where its private half signed it."""
        return opened(bundle, self.made)


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """A key that signs."""

    key: EllipticCurvePrivateKey

    @property
    def public(self) -> PublicKey:
        """Its other half."""
        return PublicKey("own", self.key.public_key())

    def sign(self, data: bytes) -> bytes:
        """A signature in DER form."""
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
        from cryptography.hazmat.primitives.hashes import SHA256

        return self.key.sign(data, ECDSA(SHA256()))

    def bundle(self, payload: bytes) -> Mapping[str, Any]:
        """A statement that it has signed."""
        return sealed(payload, self.public.hint, self.sign)


def new_key(path: Path, passphrase: str = "") -> Path:
    """Write a private key that only this user may read, and ``NAME.pub`` beside it; returns that one.

    Raises:
        Conflict: one of the files is there.
        PlatformError: code ``no-cryptography``.
        StorageFull: they cannot be written.
    """
    crypto()
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric import ec

    public = path.with_name(f"{path.name}.pub")
    for each in (path, public):
        if each.exists():
            raise Conflict(f"{each} is there already", fix="Choose another name: what a lost key signed is not known again.")
    key = ec.generate_private_key(ec.SECP256R1())
    lock = form.BestAvailableEncryption(passphrase.encode()) if passphrase else form.NoEncryption()
    try:
        _write(path, key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, lock), 0o600)
        _write(public, key.public_key().public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo), 0o644)
    except OSError as error:
        raise StorageFull(f"{path} cannot be written: {error.strerror}", fix="Choose another place.") from error
    return public


def private_key(path: Path, ask: Ask = nobody, environ: Mapping[str, str] = os.environ) -> PrivateKey:
    """The private key of a file; its passphrase from the environment, else from who is asked.

    Raises:
        NotFound: there is no such file.
        WrongUsage: code ``not-a-key``, or ``wrong-passphrase``.
        PlatformError: code ``no-cryptography``.
    """
    crypto()
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    data = _read(path)
    try:
        try:
            key: Any = load_pem_private_key(data, None)
        except TypeError:  # it is under a passphrase
            key = load_pem_private_key(data, (environ.get(PASSPHRASE) or ask(f"Passphrase of {path}: ")).encode() or b"\0")
    except (ValueError, TypeError) as error:
        if b"ENCRYPTED PRIVATE KEY-----" in data and b"SIGSTORE" not in data:
            raise WrongUsage(
                f"that is not the passphrase of {path}", code="wrong-passphrase", fix=f"Type it again, or set {PASSPHRASE}."
            ) from error
        raise _no_key(path, "private") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise _no_key(path, "private")
    return PrivateKey(key)


def public_key(path: Path) -> PublicKey:
    """The public key of a file.

    Raises:
        NotFound: there is no such file.
        WrongUsage: code ``not-a-key``.
        PlatformError: code ``no-cryptography``.
    """
    crypto()
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key: Any = load_pem_public_key(_read(path))
    except ValueError as error:
        raise _no_key(path, "public") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise _no_key(path, "public")
    return PublicKey(path.name, key)


def trust(home: Path, path: Path) -> Path:
    """Trust a public key from now on; returns the copy that counts.

    Raises:
        Conflict: another key of that name is trusted.
        NotFound, WrongUsage, PlatformError: as :func:`public_key`. StorageFull: it cannot be written.
    """
    public_key(path)
    data, target = path.read_bytes(), home / TRUSTED / path.name
    if target.exists() and target.read_bytes() != data:
        raise Conflict(f"another key named {path.name} is trusted", fix=f"Name yours otherwise, or remove {target}.")
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        target.write_bytes(data)
    except OSError as error:
        raise StorageFull(f"{target} cannot be written: {error.strerror}", fix="Make room, or mend its rights.") from error
    return target


def trusted(home: Path) -> Sequence[Signatory]:
    """The keys and identities that are trusted, by name.

    Raises:
        As :func:`public_key` and ``identities.identity``: a file that is neither is told, not passed over.
    """
    files = (path for path in sorted((home / TRUSTED).glob("*")) if path.is_file())
    return [identity(path) if path.suffix == SUFFIX else public_key(path) for path in files]


def crypto() -> None:
    """See to it that signatures can be made and checked.

    Raises:
        PlatformError: code ``no-cryptography``.
    """
    try:
        import cryptography.hazmat.primitives.asymmetric.ec  # noqa: F401
    except ImportError as error:
        raise PlatformError(
            "signatures take the package cryptography, which is not installed here",
            code="no-cryptography",
            fix="pip install 'jupyter-mlops[sign]'",
        ) from error


def _write(path: Path, data: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    with suppress(OSError):
        path.chmod(mode)  # whatever the umask says


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise NotFound(f"the key {path} cannot be read: {error.strerror}", fix="Give the path of a PEM file.") from error


def _no_key(path: Path, kind: str) -> WrongUsage:
    return WrongUsage(
        f"{path} holds no {kind} key of ECDSA over P-256 in PEM form",
        code="not-a-key",
        fix="Make one: jupyter mlops models key FILE",
    )
