"""A watch that does not end: list, then changes, over broken connections, expired versions and restarts of the server.

Each connection asks the server to end it after some minutes (``timeoutSeconds``) and for bookmarks, so that a connection that
is dead without having said so is noticed, and so that a new one goes on from a version that the server still has. When it has
not (410), the list is read again and given as ``ALL``. Nothing is kept but the last version.
"""

from __future__ import annotations

import json
import math
import random
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from typing import Any

import urllib3

from jupyter_mlops.cluster.base import Change, Cluster, Document, Kind, Page
from jupyter_mlops.cluster.failures import Asked, explain, not_kubernetes
from jupyter_mlops.cluster.paths import with_query
from jupyter_mlops.cluster.stream import Stream, lines
from jupyter_mlops.cluster.unreachable import no_answer
from jupyter_mlops.cluster.wire import PROBLEMS, Wire
from jupyter_mlops.errors import MlopsError, NotAllowed, NotFound, Unavailable

PATIENCE = 60.0
"""Seconds without any answer of the server after which a watch gives up."""

LASTS = 240
"""Seconds after which the server is asked to end a connection; up to a quarter is added, so that not all end at once."""

SILENCE = 90.0
"""Seconds without a byte after which a connection counts as dead; bookmarks come once a minute."""

_LONGEST_PAUSE = 8.0
_AT_FIRST = frozenset({"cluster-login", "cluster-forbidden", "no-such-kind"})


class Watch(Stream[Change]):
    """The changes of a list, as an iterator. ``close`` may be called from any thread, also while another one waits."""

    def __init__(self, wire: Wire, path: str, read_list: Callable[[], Page], asked: Asked, timeout: float | None) -> None:
        """``path`` is the collection with its selectors, ``read_list`` reads it whole."""
        self._wire, self._path, self._list, self._asked, self._timeout = wire, path, read_list, asked, timeout
        self._outage = Outage()
        super().__init__()

    def _run(self) -> Generator[Change, None, None]:
        """The list and its changes, until closed or until nothing changed for the time given."""
        version, last_change, answered = "", time.monotonic(), False
        while not self._closed.is_set():
            try:
                if not version:
                    page = self._list()
                    version, answered = page.version, True
                    self._outage.over()
                    yield Change("ALL", page.items)
                    last_change = time.monotonic()
                for kind, document in self._connection(version, last_change):
                    version = str((document.get("metadata") or {}).get("resourceVersion") or version)
                    if kind != "BOOKMARK":
                        yield Change(kind, (document,))
                        last_change = time.monotonic()
            except _Expired:
                version = ""
            except (Unavailable, NotAllowed, NotFound) as error:
                if self._closed.is_set():
                    return
                if not self._outage.wait(error, self._closed) or (self._ended(last_change) and not answered):
                    raise
            if self._ended(last_change) and answered:
                return

    def _ended(self, last_change: float) -> bool:
        """Whether nothing has changed for the time given."""
        return self._timeout is not None and time.monotonic() - last_change >= self._timeout

    def _connection(self, version: str, last_change: float) -> Iterator[tuple[Any, Document]]:
        """What one connection brings, until it ends; a clean end is no error."""
        lasts, silence = random.randint(LASTS, LASTS * 5 // 4), SILENCE  # noqa: S311 - spreads load, guards nothing
        if self._timeout is not None:
            left = max(self._timeout - (time.monotonic() - last_change), 0.0)
            lasts, silence = min(lasts, math.ceil(left) or 1), min(silence, left + 0.1)
        query: dict[str, str | int] = {"watch": "true", "allowWatchBookmarks": "true"}
        query |= {"resourceVersion": version, "timeoutSeconds": lasts}
        answer = self._wire.open("GET", with_query(self._path, query), headers={"accept": "application/json"}, timeout=silence)
        try:
            with self._reading(answer):
                if answer.status >= 400:  # noqa: PLR2004 - all errors are above
                    error = explain(answer.status, answer.data, answer.headers, self._asked)
                    raise _Expired if answer.status == 410 else error  # noqa: PLR2004 - gone
                self._outage.over()
                yield from _events(answer, self._asked)
        except PROBLEMS as error:
            if not (self._closed.is_set() or self._ended(last_change) or silent(error)):
                raise no_answer(error, self._wire.server) from error


class _Expired(Exception):
    """The server no longer has the version that was asked for."""


class Outage:
    """How long a server has been away: how long to wait before the next try, and when to give up."""

    def __init__(self) -> None:
        self.over()

    def over(self) -> None:
        """It answers."""
        self._since, self._pause = math.inf, 0.25

    def wait(self, error: MlopsError, closed: threading.Event) -> bool:
        """Wait for the next try; False if there should be none.

        A server that starts says for some seconds that it knows nobody, that nobody has any rights, and that there are no such
        kinds. So during an outage, and only then, these too are reasons to wait.
        """
        now = time.monotonic()
        if not isinstance(error, Unavailable) and (self._since == math.inf or error.code not in _AT_FIRST):
            return False
        self._since = min(self._since, now)
        if now - self._since > PATIENCE:
            return False
        pause(closed, self._pause * random.uniform(0.5, 1.0))  # noqa: S311 - spreads load, guards nothing
        self._pause = min(self._pause * 2, _LONGEST_PAUSE)
        return True


def pause(closed: threading.Event, seconds: float) -> None:
    """Wait, unless it is closed meanwhile."""
    closed.wait(seconds)


def wait_until_gone(cluster: Cluster, kind: Kind, name: str, namespace: str, uid: str) -> None:
    """Wait until there is no object of this name and uid."""
    with closing(cluster.watch(kind, namespace, fields=f"metadata.name={name}")) as changes:  # type: ignore[type-var]
        for change in changes:
            if change.type == "DELETED":
                return
            same = [item for item in change.items if not uid or (item.get("metadata") or {}).get("uid") == uid]
            if not same:
                return


def _events(answer: urllib3.BaseHTTPResponse, asked: Asked) -> Iterator[tuple[str, Document]]:
    """Kind and object of each event of a watch."""
    for line in lines(answer):
        try:
            event = json.loads(line)
            kind, document = event["type"], event["object"]
        except (ValueError, TypeError, KeyError):
            raise not_kubernetes(line, {"content-type": str(answer.headers.get("content-type", ""))}, asked) from None
        if kind == "ERROR":
            code = int(document.get("code") or 500)
            if code == 410:  # noqa: PLR2004 - gone
                raise _Expired
            raise explain(code, json.dumps(document).encode(), {}, asked)
        yield kind, document


def silent(error: BaseException) -> bool:
    """Whether nothing came for too long, which ends a connection and says nothing about the server."""
    return isinstance(error, urllib3.exceptions.ReadTimeoutError | TimeoutError)
