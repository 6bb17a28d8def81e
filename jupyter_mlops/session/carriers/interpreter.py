"""Settings of the interpreter and of the standard library that are plain values, each with its way of asking and setting.

Only what differs from what the step found travels. What says how fast the place is (threads, resources) is not here.
"""

from __future__ import annotations

import csv
import gc
import importlib
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from jupyter_mlops.session.carriers.base import Context
from jupyter_mlops.session.hooks import STOPPING


def _umask() -> int:
    """The mask with which files are made; asking it sets it, so that it is set back."""
    found = os.umask(0o022)
    os.umask(found)
    return found


def _dialects() -> list[tuple[str, dict[str, Any]]]:
    keys = ("delimiter", "doublequote", "escapechar", "lineterminator", "quotechar", "quoting", "skipinitialspace", "strict")
    return [(name, {key: getattr(csv.get_dialect(name), key) for key in keys}) for name in csv.list_dialects()]


def _give_dialects(given: list[tuple[str, dict[str, Any]]]) -> None:
    for name in csv.list_dialects():
        csv.unregister_dialect(name)
    for name, options in given:
        csv.register_dialect(name, **options)


def _enable_gc(wanted: bool) -> None:
    (gc.enable if wanted else gc.disable)()


def _give_arguments(given: list[str]) -> None:
    sys.argv[:] = given


SETTINGS: tuple[tuple[str, Callable[[], Any], Callable[[Any], object]], ...] = (
    ("sys.argv", lambda: list(sys.argv), _give_arguments),
    ("sys.setswitchinterval", sys.getswitchinterval, sys.setswitchinterval),
    ("sys.set_int_max_str_digits", getattr(sys, "get_int_max_str_digits", lambda: 0), getattr(sys, "set_int_max_str_digits", id)),
    ("gc.enable", gc.isenabled, _enable_gc),
    ("gc.set_threshold", gc.get_threshold, lambda given: gc.set_threshold(*given)),
    ("os.umask", _umask, os.umask),
    ("socket.setdefaulttimeout", socket.getdefaulttimeout, socket.setdefaulttimeout),
    ("csv.field_size_limit", csv.field_size_limit, csv.field_size_limit),
    ("csv.register_dialect", _dialects, _give_dialects),
)
"""What it is set by, how it is asked, how it is set."""


class Interpreter:
    """(setting, value) of each that the notebook changed."""

    name, module = "interpreter", ""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._found = {name: ask() for name, ask, _ in SETTINGS}

    def capture(self) -> Any:
        """See :class:`Carrier`."""
        return [(name, now) for name, ask, _ in SETTINGS if (now := ask()) != self._found[name]] or None

    def restore(self, value: Any) -> None:
        """See :class:`Carrier`."""
        given = dict(value)
        for name, _, give in SETTINGS:
            if name in given:
                try:
                    give(given[name])
                except (OSError, ValueError) as error:
                    self._context.warn(f"{name}, which the notebook set, cannot be set here ({error})")


class Dispositions:
    """Signals that the notebook had ignored, or left to the system; its own handlers are kept by :mod:`hooks`."""

    name, module = "signals", ""

    def __init__(self, _: Context) -> None:
        self._found = self._now()

    def capture(self) -> Any:
        """See :class:`Carrier`."""
        return [(number, what) for number, what in sorted(self._now().items()) if self._found.get(number) != what] or None

    def restore(self, value: Any) -> None:
        """See :class:`Carrier`."""
        if threading.current_thread() is threading.main_thread():
            for number, what in value:
                signal.signal(number, signal.Handlers(what))

    def _now(self) -> dict[int, int]:
        """Number → what is done, where that is no function."""
        told = {int(number): signal.getsignal(number) for number in signal.valid_signals() - STOPPING}
        return {number: int(what) for number, what in told.items() if isinstance(what, signal.Handlers)}


class EventLoop:
    """That ``nest_asyncio`` lets loops run inside of each other: it patches asyncio when it is told to, and not when imported."""

    name, module = "asyncio.nested", ""

    def __init__(self, context: Context) -> None:
        self._context = context

    def capture(self) -> Any:
        """See :class:`Carrier`: the name of the package that did it."""
        if not hasattr(sys.modules.get("asyncio"), "_nest_patched"):
            return None
        return next((name for name in ("nest_asyncio", "nest_asyncio2") if name in sys.modules), None)

    def restore(self, value: Any) -> None:
        """See :class:`Carrier`."""
        try:
            importlib.import_module(value).apply()
        except ImportError:
            self._context.warn(f"loops inside of loops, as the notebook has allowed, need {value}, which is not in this image")


class ExitFunctions:
    """What is left to ``atexit``: it runs when its step ends, which is before the notebook does; so it is told."""

    name, module = "atexit", ""

    def __init__(self, context: Context) -> None:
        self._context = context

    def capture(self) -> Any:
        """See :class:`Carrier`. Nothing is carried: no step knows that it is the last."""
        lines = [pair for source in self._context.cells for pair in enumerate(source.splitlines(), 1)]
        for number, line in lines:
            if "atexit.register" in line.partition("#")[0]:
                self._context.warn(
                    f"`{line.strip()}` (line {number} of its cell): what it names runs at the end of this step, "
                    "not of the notebook. Call it in a step with `finally`."
                )

    def restore(self, value: Any) -> None:
        """See :class:`Carrier`. There is never anything."""


class MimeTypes:
    """Endings of files that the notebook gave a type: ``mimetypes.add_type``."""

    name, module = "mimetypes", "mimetypes"

    def __init__(self, _: Context) -> None:
        pass

    def capture(self) -> Any:
        """See :class:`Carrier`. What the place's own lists say is not the notebook's."""
        mimetypes: Any = sys.modules["mimetypes"]
        if not mimetypes.inited:
            return None
        plain = mimetypes.MimeTypes([name for name in mimetypes.knownfiles if os.path.isfile(name)])  # noqa: PTH113  (as in init)
        now = {True: mimetypes.types_map, False: mimetypes.common_types}
        return [
            (ending, kind, strict)
            for strict, known in now.items()
            for ending, kind in sorted(known.items())
            if plain.types_map[strict].get(ending) != kind
        ] or None

    def restore(self, value: Any) -> None:
        """See :class:`Carrier`."""
        for ending, kind, strict in value:
            sys.modules["mimetypes"].add_type(kind, ending, strict)


class TimeZone:
    """The zone of local times, where the notebook set ``TZ`` and called ``time.tzset``."""

    name, module = "timezone", ""

    def __init__(self, _: Context) -> None:
        self._found = time.tzname

    def capture(self) -> Any:
        """See :class:`Carrier`."""
        return time.tzname if time.tzname != self._found else None

    def restore(self, value: Any) -> None:
        """See :class:`Carrier`. The variable came with the environment."""
        if value != time.tzname:
            with suppress(AttributeError):  # not everywhere
                time.tzset()


FACTORIES = (Interpreter, MimeTypes, TimeZone, Dispositions, EventLoop, ExitFunctions)
