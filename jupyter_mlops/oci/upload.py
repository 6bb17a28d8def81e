"""A blob on its way to a registry: mounted, sent at once or in pieces, and gone on with after a break.

The bytes go in one PUT, which every registry takes; those whose digest is not known yet go in one PATCH, while it is worked
out, as Docker sends all. Where a registry says that this is too much (413) they go in pieces, as small as need be. When the
connection breaks, the registry is asked how far it came: what it kept is not sent again. One that kept nothing gets the blob
anew under a new upload, for a second PUT to the old one would be appended to the first.
"""

from __future__ import annotations

import http.client
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlencode

from jupyter_mlops.errors import Corrupt, NotAllowed, NotFound, Unavailable, WrongUsage
from jupyter_mlops.oci.connection import Answer, Body, Part, Stream
from jupyter_mlops.oci.hashing import Hashing
from jupyter_mlops.oci.http import TRY_AGAIN, Transport
from jupyter_mlops.oci.refusal import Words, is_full, words_of

PIECES = (64 << 20, 16 << 20, 4 << 20, 1 << 20)
"""Bytes of a piece, where a registry does not take all at once: the next smaller each time that is too much, too."""

TOO_MUCH = 413
_NOT_SO = frozenset({400, 404, 405, 411, 415, 416, 501})
"""Answers to a PATCH by a registry that takes blobs in another way."""

_FORGOTTEN = frozenset({404, 410, 416})
"""Answers to an upload that the registry does not know any more, or that stands elsewhere: it is begun anew."""


class _Broken(NamedTuple):
    """A request that did not arrive; ``said`` by the registry or by the connection. ``pause``: wait before the next."""

    said: Exception | Words
    after: float = 0.0
    pause: bool = True


@dataclass
class _Session:
    """An upload that the registry has begun: where the next bytes go, how many it has, how few it takes at a time."""

    place: str
    smallest: int = 0
    offset: int = 0
    resumed: bool = False
    done: bool = False


class Sending:
    """One blob of one repository."""

    def __init__(self, transport: Transport, path: str, scope: str, digest: str, body: bytes | Part | Stream) -> None:
        """``path``: ``/v2/<name>``; ``body``: the bytes that have this digest, which the registry checks."""
        self._transport, self._path, self._scope = transport, path, scope
        self._digest, self._body = digest, body
        self._size = len(body) if isinstance(body, bytes) else body.size
        self._pieces: tuple[int, ...] = ()
        """Sizes of pieces that were not refused yet; none: all at once."""

    def send(self, sources: Iterable[str] = ()) -> None:
        """Bring it there unless it is there; ``sources`` are repositories, as paths, that it can be mounted from.

        Raises:
            NotAllowed, StorageFull, WrongUsage, Unavailable: see :meth:`Transport.ask`.
            Corrupt: the registry got other bytes.
        """
        if not self._is_there():
            self._go_on(self._mount(sources))

    def send_new(self, hashing: Hashing) -> str:
        """Bring there what it surely lacks, reading it once; gives the digest. From a break on it goes as in :meth:`send`.

        Raises:
            As :meth:`send`; Corrupt also where there are fewer bytes than there were.
        """
        session = self._start()
        assert session is not None, "no mount was asked for"
        broken = self._stream(session, hashing)
        self._digest = hashing.digest
        if not self._digest:
            raise Corrupt("what is sent became shorter", fix="Let whatever writes the files finish first.")
        self._go_on(session, broken)
        return self._digest

    def _go_on(self, session: _Session | None, broken: _Broken | None = None) -> None:
        """End an upload, after whatever breaks. ``broken``: how its last request did not arrive."""
        patience = self._transport.patience(patient=True)
        while session is not None:
            broken = broken or self._step(session)
            if broken is None:
                patience.reset()
                if session.done:
                    return
                continue
            before, session = session, None
            if broken.pause:
                patience.wait(broken.said, broken.after)
                session = self._resumed(before)
                if session is not None and session.offset > before.offset:
                    patience.reset()
            broken = None
            if session is None and not self._is_there():
                session = self._start()

    def take(self, source: str) -> bool:
        """Mount it from another repository; False, and nothing is left behind, where that is not done."""
        try:
            session = self._begin({"mount": self._digest, "from": source}, f"{self._scope} repository:{source}")
        except (NotAllowed, NotFound, WrongUsage):
            return False
        if session is not None:
            self._cancel(session)
        return session is None

    # -- the parts of it -----------------------------------------------------------------------------------------------------

    def _is_there(self) -> bool:
        """Whether the registry has it, in its size."""
        try:
            with self._ask("HEAD", f"{self._path}/blobs/{self._digest}") as answer:
                return bool(answer.headers.get("Content-Length", str(self._size)) == str(self._size))
        except NotFound:
            return False

    def _mount(self, sources: Iterable[str]) -> _Session | None:
        """An upload to go on with; None when the blob was taken over from another repository."""
        for source in sources:
            with suppress(NotAllowed, NotFound, WrongUsage):  # no right to read there, or no mounting here: it is sent
                return self._begin({"mount": self._digest, "from": source}, f"{self._scope} repository:{source}")
        return self._start()

    def _start(self) -> _Session | None:
        return self._begin({}, self._scope)

    def _begin(self, query: Mapping[str, str], scope: str) -> _Session | None:
        """Ask for an upload; None when that was a mount which succeeded."""
        path = f"{self._path}/blobs/uploads/" + (f"?{urlencode(query)}" if query else "")
        with self._transport.ask("POST", path, scope=scope, patient=True) as answer:
            if answer.status == 201 and query:  # noqa: PLR2004 - created
                return None
            return _Session(self._place(answer), _number(answer.headers.get("OCI-Chunk-Min-Length", "")))

    def _stream(self, session: _Session, hashing: Hashing) -> _Broken | None:
        """All bytes, before it is known what they will turn out to be."""
        kind = {"Content-Type": "application/octet-stream", "Content-Range": f"0-{self._size - 1}"}
        body = Stream(hashing, 0, self._size)
        try:
            answer = self._transport.once("PATCH", session.place, scope=self._scope, headers=kind, body=body)
        except (OSError, http.client.HTTPException) as error:
            return _Broken(error)
        if answer.status in _NOT_SO:
            said = words_of(answer)
            self._cancel(session)
            return _Broken(said, pause=False)
        if answer.status >= 400:  # noqa: PLR2004 - all errors are above
            return self._refused(answer, session, session.place)
        with answer:
            session.place = self._place(answer)
        session.offset, session.resumed = self._size, True
        return None

    def _step(self, session: _Session) -> _Broken | None:
        """One request that carries bytes, or the one that ends the upload."""
        left = self._size - session.offset
        last = left == 0 or (session.offset == 0 and not self._pieces)
        count = left if last or not self._pieces else min(left, max(self._pieces[0], session.smallest))
        headers = {"Content-Type": "application/octet-stream"}
        if last:
            place = f"{session.place}{'&' if '?' in session.place else '?'}{urlencode({'digest': self._digest})}"
        else:
            place, headers["Content-Range"] = session.place, f"{session.offset}-{session.offset + count - 1}"
        try:
            body = self._stretch(session.offset, count) if count else b""
            answer = self._transport.once("PUT" if last else "PATCH", place, scope=self._scope, headers=headers, body=body)
        except (OSError, http.client.HTTPException) as error:
            return _Broken(error)
        if answer.status >= 400:  # noqa: PLR2004 - all errors are above
            return self._refused(answer, session, place)
        with answer:
            session.place = session.place if last else self._place(answer)
        session.offset, session.done = session.offset + count, last
        return None

    def _refused(self, answer: Answer, session: _Session, place: str) -> _Broken:
        """Find out whether another way is left. Raises the error if there is none."""
        after, said = answer.asks_for, words_of(answer)
        if said.status == TOO_MUCH:
            smaller = tuple(size for size in self._pieces[1:] or PIECES if size < self._size) if self._pieces != PIECES[-1:] else ()
            if smaller and (not self._pieces or self._pieces[0] > session.smallest):
                self._pieces = smaller
                return _Broken(said, pause=False)
        if said.code == "DIGEST_INVALID" and session.resumed:
            return _Broken(said, pause=False)  # what it kept was not what it said
        if is_full(said):
            raise self._transport.refused(said, "PUT", place)
        if said.status in TRY_AGAIN or said.status in _FORGOTTEN or said.code.startswith("BLOB_UPLOAD"):
            return _Broken(said, after)
        raise self._transport.refused(said, "PUT", place)

    def _resumed(self, session: _Session) -> _Session | None:
        """The upload at the place that the registry has it at; None where there is nothing to go on from."""
        if session.resumed and not session.offset:
            return None
        try:
            with self._ask("GET", session.place) as answer:
                end = answer.headers.get("Range", "").removeprefix("bytes=").partition("-")[2]
                place = answer.headers.get("Location") or session.place
        except (NotAllowed, NotFound, WrongUsage):
            return None
        kept = _number(end) + 1 if _number(end) else 0
        if 0 < kept <= self._size:
            return _Session(self._transport.url(place), session.smallest, kept, resumed=True)
        self._cancel(session)
        return None

    def _cancel(self, session: _Session) -> None:
        """Let the registry forget an upload; it does so by itself after a while."""
        with suppress(NotAllowed, NotFound, WrongUsage, Unavailable):
            self._transport.ask("DELETE", session.place, scope=self._scope).close()

    def _stretch(self, offset: int, count: int) -> Body:
        if isinstance(self._body, bytes):
            return self._body[offset : offset + count]
        return self._body.stretch(offset, count)

    def _ask(self, method: str, path: str) -> Answer:
        return self._transport.ask(method, path, scope=self._scope, patient=True)

    def _place(self, answer: Answer) -> str:
        """Where the next bytes go."""
        place = answer.headers.get("Location")
        if not place or answer.status not in {200, 201, 202, 204}:
            raise Unavailable(
                f"{self._transport.base} is no registry: it answered {answer.status} without a place for an upload",
                code="not-a-registry",
                fix="Check the address; a gateway or a login page may stand in between.",
            )
        return self._transport.url(place)


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0
