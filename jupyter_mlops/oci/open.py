"""From an address in a document to the store that it names."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from jupyter_mlops.errors import WrongUsage
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.oci.reference import check_address
from jupyter_mlops.oci.store import Store


def open_store(address: str) -> Store:
    """The store at ``file:///folder`` or ``http(s)://host[/base]``. Plain HTTP is used only where the address says so.

    Raises:
        WrongUsage: code ``invalid-address``.
    """
    if address.startswith(("http://", "https://")):
        from jupyter_mlops.oci.remote import Remote  # loads ssl, which a step on this machine never needs

        return Remote(check_address(address))
    try:
        parts = urlsplit(address)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme == "file" and parts.netloc in {"", "localhost"} and parts.path.startswith("/"):
        return Layout(Path(unquote(parts.path)))
    raise WrongUsage(
        f"{address!r} is not the address of a registry",
        code="invalid-address",
        fix="An address starts with file:///, http:// or https://.",
    )
