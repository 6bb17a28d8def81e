"""OpenCV's random stream, which it lets nobody read, and whether it uses its quick code.

Its generator has no face but ``cv2.setRNGSeed`` and the numbers that come out. So the seed is noted when it is set, and where the
stream stands is found again: a few numbers are drawn, and looked for in the stream of that seed. Every draw of OpenCV
takes whole numbers of this stream (its ``RNG`` is a multiply-with-carry generator with one 32-bit number a step).
"""

from __future__ import annotations

import functools
import importlib
import sys
from typing import Any

from jupyter_mlops.session.carriers.base import Context

START = 0
"""The seed with which OpenCV begins: its ``RNG`` takes 0 for the state in which it is made."""

SIGN = 8
"""Numbers of 16 bits that are looked for: two places of a stream agree in them once in 2¹²⁸."""

CHUNK = 1 << 20
MOST = 1 << 26
"""Numbers that are looked through, 2 seconds of work; a notebook that drew more is told that the stream does not travel."""


UNKNOWN: Any = object()
"""In place of a seed, until the stream has been looked at."""


class Seeding:
    """Stands for ``cv2.setRNGSeed`` and notes what it is told; the notebook may hold it by a name of its own."""

    def __init__(self, plain: Any) -> None:
        functools.update_wrapper(self, plain)
        self.plain = plain
        self.seed: Any = UNKNOWN
        """The last seed; None where the stream is not one that can be counted."""

    def __call__(self, seed: int) -> None:
        """As OpenCV's own."""
        self.plain(seed)
        self.seed = seed

    def __reduce__(self) -> Any:
        return seeding, ()


def seeding() -> Seeding:
    """The one of this process."""
    cv2: Any = importlib.import_module("cv2")
    if not isinstance(cv2.setRNGSeed, Seeding):
        cv2.setRNGSeed = Seeding(cv2.setRNGSeed)
    found: Seeding = cv2.setRNGSeed
    return found


class VisionRandom:
    """(seed, numbers drawn since), of the thread that runs the cells."""

    name, module = "cv2.random", "cv2"

    def __init__(self, context: Context) -> None:
        self._context = context
        self._seeding: Any = None

    def capture(self) -> Any:
        """See :class:`Carrier`. Drawing moves the stream, which is set back after it."""
        self._watch()
        if self._seeding.seed is None:
            return None
        sign = _draw(SIGN)
        self._seeding.plain(self._seeding.seed)
        drawn = _find(sign)
        if drawn is None:
            self._context.warn("more was drawn from OpenCV's random stream than can be counted: later steps begin it anew")
            return None
        self._go_to(drawn)
        return (self._seeding.seed, drawn) if drawn or self._seeding.seed != START else None

    def restore(self, value: Any) -> None:
        """See :class:`Carrier`."""
        self._watch()
        self._seeding.seed, drawn = value
        self._go_to(drawn)

    def _watch(self) -> None:
        """Note the seeds that the notebook sets from now on."""
        self._seeding = seeding()
        if self._seeding.seed is UNKNOWN:
            self._seeding.seed = self._first()

    def _first(self) -> int | None:
        """The seed of a stream that nobody has seeded, if this OpenCV begins as it should."""
        sign = _draw(SIGN)
        self._seeding.plain(START)
        fits = bool((_draw(SIGN) == sign).all())
        self._seeding.plain(START)
        if not fits:
            self._context.warn("this OpenCV's random stream cannot be followed: later steps begin it anew")
        return START if fits else None

    def _go_to(self, drawn: int) -> None:
        self._seeding.plain(self._seeding.seed)
        for begin in range(0, drawn, CHUNK):
            _draw(min(CHUNK, drawn - begin))


def _draw(count: int) -> Any:
    """Lower halves of the next numbers: a range of 2¹⁶ is drawn by masking one number each."""
    numpy, cv2 = sys.modules["numpy"], sys.modules["cv2"]
    numbers = numpy.empty((1, count), numpy.int32)
    cv2.randu(numbers, 0, 1 << 16)
    return numbers[0]


def _find(sign: Any) -> int | None:
    """How many numbers come before these in the stream that begins now."""
    numpy = sys.modules["numpy"]
    count, size, stream = 0, SIGN, _draw(SIGN)
    while count <= MOST:
        places = numpy.flatnonzero(stream[: len(stream) - SIGN + 1] == sign[0])
        for place in places:
            if (stream[place : place + SIGN] == sign).all():
                return count + int(place)
        count += len(stream) - SIGN + 1
        size = min(size * 4, CHUNK)
        stream = numpy.concatenate([stream[len(stream) - SIGN + 1 :], _draw(size)])
    return None


class VisionOptions:
    """``cv2.setUseOptimized``: quick code may round otherwise. Numbers of threads belong to the place."""

    name, module = "cv2.options", "cv2"

    def __init__(self, _: Context) -> None:
        self._found: bool | None = None

    def capture(self) -> Any:
        """See :class:`Carrier`. The first look tells what the place has."""
        now = sys.modules["cv2"].useOptimized()
        if self._found is None:
            self._found = now
        return (now,) if now != self._found else None

    def restore(self, value: Any) -> None:
        """See :class:`Carrier`."""
        self.capture()
        sys.modules["cv2"].setUseOptimized(value[0])


FACTORIES = (VisionRandom, VisionOptions)
