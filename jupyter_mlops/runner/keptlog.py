"""The step's log as it goes into the report: whole, or the first and last 8 MiB of a longer one."""

from __future__ import annotations

from collections import deque

END = 8 << 20
"""Bytes kept of the beginning, and of the end."""

_BLOCK = 1 << 18


class KeptLog:
    """What was written, in bounded memory. Not safe for threads: the log has a lock."""

    def __init__(self, end: int = END) -> None:
        """``end``: bytes kept of the beginning, and of the end."""
        self._end = end
        self._first = bytearray()
        self._last: deque[bytearray] = deque()
        self.size = 0
        """Bytes written so far."""

    def add(self, data: bytes) -> None:
        """Note what is written."""
        self.size += len(data)
        room = self._end - len(self._first)
        if room > 0:
            self._first += data[:room]
            data = data[room:]
        if not data:
            return
        if not self._last or len(self._last[-1]) + len(data) > _BLOCK:
            self._last.append(bytearray())
        self._last[-1] += data
        while sum(map(len, self._last)) - len(self._last[0]) >= self._end:
            self._last.popleft()

    def content(self) -> bytes:
        """The log; what is missing between its parts is said on a line of its own."""
        last = b"".join(self._last)[-self._end :]
        missing = self.size - len(self._first) - len(last)
        if missing:
            first = self._first[: self._first.rfind(b"\n") + 1] or self._first
            rest = last[last.find(b"\n") + 1 :] or last
            left_out = self.size - len(first) - len(rest)
            return bytes(first) + f"… {left_out} bytes are left out here …\n".encode() + rest
        return bytes(self._first) + last
