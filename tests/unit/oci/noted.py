"""What goes over the wire, noted on its way."""

import pytest

from jupyter_mlops.oci.connection import Connections


def noted_requests(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, int]]:
    """Every request from here on: verb, address, bytes of its body."""
    found, send = [], Connections.send

    def noting(self, method, url, headers, body):
        found.append((method, url, len(body) if isinstance(body, bytes) else body.size if body else 0))
        return send(self, method, url, headers, body)

    monkeypatch.setattr(Connections, "send", noting)
    return found
