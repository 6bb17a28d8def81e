"""From an address in a document to the store that it names."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from jupyter_mlops.errors import Unavailable, WrongUsage
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.oci.store import Store


def open_store(address: str) -> Store:
    """The store at ``file:///folder`` or ``http(s)://host[/base]``.

    Raises:
        WrongUsage: code ``invalid-address``.
        Unavailable: the scheme is known, but nothing here speaks it.
    """
    parts = urlsplit(address)
    if parts.scheme == "file" and parts.netloc in {"", "localhost"} and parts.path.startswith("/"):
        return Layout(Path(unquote(parts.path)))
    if parts.scheme in {"http", "https"} and parts.hostname:
        raise Unavailable(
            f"no transport for the registry {address}", code="no-transport", fix="Use a registry folder (file:///…) for now."
        )
    raise WrongUsage(
        f"{address!r} is not the address of a registry",
        code="invalid-address",
        fix="An address starts with file:///, http:// or https://.",
    )
