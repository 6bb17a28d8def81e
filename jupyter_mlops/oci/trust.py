"""Whom a connection trusts: the machine's certificates, and those of the file that ``SSL_CERT_FILE`` names besides.

One variable, since it is the one that OpenSSL, Go's tools and Python share, and since a Pod can be given it.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from jupyter_mlops.errors import PlatformError

VARIABLE = "SSL_CERT_FILE"


def context(environ: Mapping[str, str] = os.environ) -> ssl.SSLContext:
    """What checks certificates; made once for each file, since reading the machine's own takes 20 ms.

    Raises:
        PlatformError: code ``ca-unreadable``: the file named is not there, or holds no certificate.
    """
    return _context(environ.get(VARIABLE, ""))


@lru_cache(maxsize=4)
def _context(path: str) -> ssl.SSLContext:
    made = ssl.create_default_context()
    if path:
        try:
            made.load_verify_locations(path)
        except (OSError, ssl.SSLError) as error:
            raise PlatformError(
                f"the certificates in {path} cannot be read: {error}",
                code="ca-unreadable",
                fix=f"Let {VARIABLE} name a file with certificates (PEM), or unset it.",
            ) from error
        standard = ssl.get_default_verify_paths().openssl_cafile  # OpenSSL would take the variable's file instead
        if Path(standard).is_file():
            made.load_verify_locations(standard)
    return made
