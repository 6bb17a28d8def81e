"""A socket to a host, within one limit of time for its name and all of its addresses together.

The standard library gives every address of a name the whole limit, and waits for the name without any: a host that is away
would be waited for several times as long as its caller said.
"""

from __future__ import annotations

import socket
import threading
import time
from typing import Any

_Found = list[tuple[Any, ...]]


class Deadline:
    """A moment by which something must have come."""

    def __init__(self, seconds: float) -> None:
        """``seconds`` from now."""
        self._at = time.monotonic() + seconds

    def left(self, share: float = 1.0) -> float:
        """Seconds until it, or a share of them. Raises TimeoutError where none are left."""
        left = self._at - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        return left * share


def reach(host: str, port: int, deadline: Deadline) -> socket.socket:
    """A connected socket, whose own timeout is what is left.

    Each address of the name gets its share of the time that is left when its turn comes.

    Raises:
        OSError: no address of the host can be reached, or not in time (TimeoutError).
    """
    addresses = _addresses(host, port, deadline)
    problem: OSError = TimeoutError("timed out")
    for number, (family, kind, protocol, _, address) in enumerate(addresses):
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(deadline.left(1 / (len(addresses) - number)))
            connection.connect(address)
            connection.settimeout(deadline.left())
        except OSError as error:
            connection.close()
            problem = error
        except BaseException:
            connection.close()
            raise
        else:
            return connection
    raise problem


def _addresses(host: str, port: int, deadline: Deadline) -> _Found:
    """What the name means. Asked in a thread that is left alone if it takes too long: nothing can interrupt the C library."""
    found: list[_Found] = []
    problems: list[OSError] = []

    def ask() -> None:
        try:
            found.append(socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            problems.append(error if isinstance(error, OSError) else socket.gaierror(socket.EAI_NONAME, str(error)))

    asking = threading.Thread(target=ask, name=f"address of {host}", daemon=True)
    asking.start()
    asking.join(deadline.left())
    if problems:
        raise problems[0]
    if not found:
        raise TimeoutError(f"the name {host} is not resolved in time")
    return found[0]
