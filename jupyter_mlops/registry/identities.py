"""People and machines that an identity provider knows, as those whose signatures count: an e-mail address, a workflow, an account.

Such a signature has a certificate that is valid for minutes and names who it was; a log that all can read, and a clock, say when.
Sigstore's own library checks all of that (the extra ``keyless``), against one root of trust: sigstore's public one as that library
ships it or last fetched it, or a private one that is kept with the identity. Checking asks nobody outside.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_mlops.errors import NotFound, PlatformError, StorageFull, WrongUsage
from jupyter_mlops.oci.canonical import canonical
from jupyter_mlops.registry.envelope import IN_TOTO

if TYPE_CHECKING:
    from sigstore.verify import Verifier

TRUSTED = "trusted-keys"
"""Folder of whom one trusts, in the user's home of this product: public keys, and identities."""

SUFFIX = ".identity"
"""Of a file there that names an identity."""

TRUST = "jupyter mlops models trust WHO --issuer URL"
ROOT = "application/vnd.dev.sigstore.trustedroot"
CONFIG = "application/vnd.dev.sigstore.clienttrustconfig"


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody whose signatures are looked for."""

    who: str
    """As the certificate names it: ``me@example.org``, or the URI of a workflow or an account."""

    issuer: str
    """URL of the identity provider that knows it: the same address from another is somebody else."""

    root: str = field(default="", repr=False)
    """JSON of a private root of trust; '' for sigstore's public one."""

    @property
    def name(self) -> str:
        """Both, since only both say who it is."""
        return f"{self.who} ({self.issuer})"

    def payload(self, bundle: Mapping[str, Any]) -> bytes | None:
        """The statement of a bundle, where this identity signed it while its certificate was valid, and the log has it.

        Raises:
            PlatformError: code ``no-sigstore`` or ``wrong-trust-root``.
        """
        material = bundle.get("verificationMaterial") if isinstance(bundle, Mapping) else None
        if not isinstance(material, Mapping) or "publicKey" in material:
            return None  # a key's: no need to load much
        verifier = _verifier(self.root)
        from sigstore.errors import Error
        from sigstore.models import Bundle
        from sigstore.verify.policy import Identity as Policy

        try:
            found = Bundle.from_json(json.dumps(bundle))
            kind, payload = verifier.verify_dsse(found, Policy(identity=self.who, issuer=self.issuer))
        except (Error, ValueError, TypeError, KeyError, AttributeError):  # what is not a bundle is nobody's
            return None
        return payload if kind == IN_TOTO else None


def identity(path: Path) -> Identity:
    """The identity of a file.

    Raises:
        WrongUsage: code ``not-an-identity``.
    """
    try:
        told = json.loads(path.read_bytes())
        return Identity(str(told["identity"]), str(told["issuer"]), canonical(told["root"]).decode() if told.get("root") else "")
    except (OSError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise WrongUsage(
            f"{path} names no identity",
            code="not-an-identity",
            fix=f"Remove it, and say it again: {TRUST}",
        ) from error


def trust_identity(home: Path, found: Identity) -> Path:
    """Trust an identity from now on; returns the file that says so.

    Raises:
        StorageFull: it cannot be written.
    """
    told = {"identity": found.who, "issuer": found.issuer, **({"root": json.loads(found.root)} if found.root else {})}
    readable = re.sub(r"[^\w.@-]+", "-", found.who)[:80].strip("-.") or "identity"
    target = home / TRUSTED / f"{readable}-{hashlib.sha256(canonical(told)).hexdigest()[:8]}{SUFFIX}"
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        target.write_bytes(canonical(told))
    except OSError as error:
        raise StorageFull(f"{target} cannot be written: {error.strerror}", fix="Make room, or mend its rights.") from error
    return target


def root_of(path: Path) -> str:
    """The root of trust in a file: one itself, or a client's trust configuration that has one.

    Raises:
        NotFound: there is no such file.
        WrongUsage: code ``wrong-trust-root``.
    """
    try:
        found = json.loads(path.read_bytes())
    except OSError as error:
        raise NotFound(f"{path} cannot be read: {error.strerror}", fix="Give the path of a trust configuration.") from error
    except ValueError:
        found = None
    kind = str(found.get("mediaType", "")) if isinstance(found, dict) else ""
    root = found.get("trustedRoot") if kind.startswith(CONFIG) else found if kind.startswith(ROOT) else None
    if not isinstance(root, dict):
        raise WrongUsage(
            f"{path} is neither a trusted root nor a trust configuration of sigstore",
            code="wrong-trust-root",
            fix="Ask who runs your sigstore for its ClientTrustConfig; without --trust-config the public one is meant.",
        )
    text = canonical(root).decode()
    _verifier(text)
    return text


@lru_cache(maxsize=8)
def _verifier(root: str) -> Verifier:
    library()
    logging.getLogger("sigstore").addHandler(logging.NullHandler())  # it warns that it is offline, which is meant
    from sigstore.models import TrustedRoot
    from sigstore.verify import Verifier

    try:
        if not root:
            return Verifier.production(offline=True)
        with tempfile.TemporaryDirectory() as folder:  # that library reads it from a file alone
            path = Path(folder) / "root.json"
            path.write_text(root)
            return Verifier(trusted_root=TrustedRoot.from_file(str(path)))
    except Exception as error:  # its parts have errors of their own
        raise PlatformError(
            f"the root of trust cannot be used: {words(error)}",
            code="wrong-trust-root",
            fix="Fetch it again from who runs that sigstore; for the public one: pip install --upgrade sigstore",
        ) from error


def words(error: BaseException) -> str:
    """What an error of that library says, in a line; some say it in their cause alone."""
    text = str(error).strip() or str(error.__cause__ or "").strip()
    return (text.splitlines()[0] if text else type(error).__name__)[:300]


def library() -> None:
    """See to it that sigstore's library is there.

    Raises:
        PlatformError: code ``no-sigstore``.
    """
    try:
        import sigstore.sign  # noqa: F401
    except ImportError as error:
        raise PlatformError(
            "signatures without keys take the package sigstore, which is not installed here",
            code="no-sigstore",
            fix="pip install 'jupyter-mlops[keyless]'",
        ) from error
