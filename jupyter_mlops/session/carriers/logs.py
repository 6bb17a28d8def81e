"""Logging as the notebook set it up: levels, propagation, and the handlers that can be made again in another process.

A handler can travel if it writes to the step's own streams or to a file. One that a library gave to its own logger does not:
the library gives it again when it is imported.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jupyter_mlops.session.carriers.base import Context

_STREAMS = ("stdout", "stderr")
_CALLS = ("addHandler", "dictConfig", "fileConfig")
"""By these a notebook gives a handler to a logger of a library; basicConfig only touches the root."""


class Logging:
    """Settings of each logger that are not what the step found at its start."""

    name, module = "logging", ""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._disabled = logging.root.manager.disable
        self._theirs = {id(handler): handler for _, logger in _loggers() for handler in logger.handlers}
        self._found = {name: (logger.level, logger.propagate, logger.disabled) for name, logger in _loggers()}
        self._given = False
        """Whether a cell has given handlers itself."""

    def capture(self) -> Any:
        """See :class:`Carrier`."""
        self._given |= any(call in source for source in self._context.cells for call in _CALLS)
        found: list[tuple[str, Any]] = []
        if logging.root.manager.disable != self._disabled:
            found.append(("disable", logging.root.manager.disable))
        for name, logger in _loggers():
            flags = (logger.level, logger.propagate, logger.disabled)
            handlers = [one for handler in self._own(name, logger) if (one := self._describe(name, handler)) is not None]
            if flags != self._found.get(name, (0, True, False)) or handlers:
                found.append((f"logger {name}", (flags, handlers, self._given)))
        return found or None

    def restore(self, value: Any) -> None:
        """See :class:`Carrier`."""
        for key, given in value:
            if key == "disable":
                logging.disable(given)
                continue
            flags, handlers, by_cell = given
            self._given |= by_cell
            logger = logging.getLogger(key.partition(" ")[2] or None)
            logger.setLevel(flags[0])
            logger.propagate, logger.disabled = flags[1:]
            for description in handlers:
                logger.addHandler(self._make(description))

    def _own(self, name: str, logger: logging.Logger) -> Iterator[logging.Handler]:
        of_library = bool(name) and name.partition(".")[0] in sys.modules and name.partition(".")[0] != "__main__"
        if of_library and not self._given:
            return
        for handler in logger.handlers:
            if id(handler) not in self._theirs and type(handler) is not logging.NullHandler:
                yield handler

    def _describe(self, name: str, handler: logging.Handler) -> Any:
        common = {"level": handler.level, "formatter": handler.formatter, "filters": list(handler.filters), "name": handler.name}
        if type(handler) is logging.StreamHandler:
            stream = str(getattr(handler.stream, "name", "")).strip("<>")
            if stream in _STREAMS:
                return {"stream": stream, **common}
        if type(handler) is logging.FileHandler:
            path = Path(handler.baseFilename)
            short = path.relative_to(self._context.root).as_posix() if path.is_relative_to(self._context.root) else str(path)
            return {"file": short, "encoding": handler.encoding, **common}
        self._context.warn(
            f"the {type(handler).__name__} of the logger {name or 'root'} belongs to one process: later steps do not write to it"
        )
        return None

    def _make(self, description: dict[str, Any]) -> logging.Handler:
        handler: logging.Handler
        if "stream" in description:
            handler = logging.StreamHandler(getattr(sys, description["stream"]))
        else:
            handler = logging.FileHandler(
                self._context.root / description["file"], encoding=description["encoding"], delay=True
            )  # appends, as the open handler did
        handler.setLevel(description["level"])
        handler.setFormatter(description["formatter"])
        handler.filters[:] = description["filters"]
        handler.name = description["name"]
        return handler


def _loggers() -> Iterator[tuple[str, logging.Logger]]:
    """The root as '', then all others by name."""
    yield "", logging.root
    for name, logger in sorted(logging.root.manager.loggerDict.items()):
        if isinstance(logger, logging.Logger):
            yield name, logger


FACTORIES = (Logging,)
