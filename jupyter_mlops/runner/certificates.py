"""The target's certificates besides those of the image, for everything in the step that speaks TLS.

``SSL_CERT_FILE`` replaces the system's certificates in OpenSSL, and ``requests`` reads neither of them. So a step gets one file
that holds both, under both variables, unless its own options set them.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import MutableMapping
from contextlib import suppress
from pathlib import Path

MOUNT = "/mlops-ca/"
"""Where the Workflow mounts the target's certificates."""

_SYSTEM = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Alpine, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, Red Hat
    "/etc/ssl/ca-bundle.pem",  # openSUSE
)


def add_certificates(folder: Path, environ: MutableMapping[str, str] = os.environ, mount: str = MOUNT) -> None:
    """Let the variables name a file with both; nothing where the target brings no certificates. Raises OSError."""
    given = environ.get("SSL_CERT_FILE", "")
    if not given.startswith(mount):
        return
    own = Path(given).read_bytes()
    folder.mkdir(parents=True, exist_ok=True)
    both = folder / "certificates.pem"
    both.write_bytes(_system() + b"\n" + own)
    environ["SSL_CERT_FILE"] = str(both)
    environ.setdefault("REQUESTS_CA_BUNDLE", str(both))


def _system() -> bytes:
    """The image's certificates: the system's, or those that come with Python packages; b'' if it has none."""
    import ssl  # takes 10 ms, which a step on one's own machine does not need

    places = [ssl.get_default_verify_paths().openssl_cafile, *_SYSTEM]
    with suppress(ImportError, ValueError):
        found = importlib.util.find_spec("certifi")
        places += [str(Path(place) / "cacert.pem") for place in (found.submodule_search_locations or ())] if found else []
    for place in places:
        with suppress(OSError):
            return Path(place).read_bytes()
    return b""
