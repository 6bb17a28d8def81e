"""The process as the operating system and the interpreter see it: environment, working folder, import path.

Only what the notebook changed travels, as a difference to what the step found at its start: the platform sets variables
and paths of its own in every container, and a secret must never land in a registry.
"""

from __future__ import annotations

import decimal
import locale
import os
import random
import sys
import warnings
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from jupyter_mlops.session.carriers.base import Context

PLATFORM = (
    "KUBERNETES_*", "ARGO_*", "NVIDIA_*", "JUPYTER*", "JPY_*", "MLOPS_*", "DOCKER_CONFIG", "HOME", "PWD", "OLDPWD", "SHLVL",
    "HOSTNAME", "PATH_INFO", "PYTHONHASHSEED", "TMPDIR", "_", "LINES", "COLUMNS",
)  # fmt: skip
"""Variables that the place sets, never the notebook: they do not travel even if they changed."""


class Environment:
    """Variables that the notebook set or removed."""

    name, module = "environ", ""

    def __init__(self, context: Context) -> None:
        self._declared = context.declared
        self._found = dict(os.environ)

    def _travels(self, name: str) -> bool:
        return name not in self._declared and not any(fnmatch(name, pattern) for pattern in PLATFORM)

    def capture(self) -> Any:
        """See :class:`Carrier`."""
        now = dict(os.environ)
        changed = {name: value for name, value in now.items() if self._found.get(name) != value and self._travels(name)}
        gone = sorted(name for name in self._found if name not in now and self._travels(name))
        return (sorted(changed.items()), gone) if changed or gone else None

    def restore(self, value: Any) -> None:
        """See :class:`Carrier`."""
        changed, gone = value
        os.environ.update({name: text for name, text in changed if self._travels(name)})
        for name in gone:
            if self._travels(name):
                os.environ.pop(name, None)


class WorkingFolder:
    """Where relative paths start; inside the step's own folder it is kept relative to it."""

    name, module = "cwd", ""

    def __init__(self, context: Context) -> None:
        self._root = context.root

    def capture(self) -> Any:
        """See :class:`Carrier`."""
        try:
            now = Path.cwd()
        except FileNotFoundError:  # the notebook removed it
            return None
        if now == self._root:
            return None
        return now.relative_to(self._root).as_posix() if now.is_relative_to(self._root) else str(now)

    def restore(self, value: Any) -> None:
        """See :class:`Carrier`."""
        folder = self._root / value
        if not Path(value).is_absolute():
            folder.mkdir(parents=True, exist_ok=True)
        os.chdir(folder)


class ImportPath:
    """Entries that the notebook put before or behind those of the image, or took out."""

    name, module = "sys.path", ""

    def __init__(self, context: Context) -> None:
        self._root = context.root
        self._found = list(sys.path)

    def capture(self) -> Any:
        """See :class:`Carrier`."""
        now = [str(entry) for entry in sys.path]
        if now == self._found:
            return None
        known = [place for place, entry in enumerate(now) if entry in self._found]
        first = known[0] if known else len(now)
        front = [self._short(entry) for entry in now[:first]]
        back = [self._short(entry) for entry in now[first:] if entry not in self._found]
        return front, back, sorted(set(self._found) - set(now))

    def restore(self, value: Any) -> None:
        """See :class:`Carrier`."""
        front, back, gone = value
        kept = [entry for entry in sys.path if entry not in gone]
        sys.path[:] = [*map(self._long, front), *kept, *map(self._long, back)]

    def _short(self, entry: str) -> str:
        path = Path(entry)
        return f"./{path.relative_to(self._root).as_posix()}" if path.is_absolute() and path.is_relative_to(self._root) else entry

    def _long(self, entry: str) -> str:
        return str(self._root / entry) if entry.startswith("./") else entry


class Random:
    """The stream of the standard library's generator."""

    name, module = "random", ""

    def __init__(self, _: Context) -> None:
        pass

    def capture(self) -> Any:
        """See :class:`Carrier`."""
        return random.getstate()

    def restore(self, value: Any) -> None:
        """See :class:`Carrier`."""
        random.setstate(value)


class DecimalContext:
    """Precision, rounding and traps of ``decimal``."""

    name, module = "decimal", ""

    def __init__(self, _: Context) -> None:
        self._found = repr(decimal.getcontext())

    def capture(self) -> Any:
        """See :class:`Carrier`."""
        now = decimal.getcontext()
        return None if repr(now) == self._found else now.copy()

    def restore(self, value: Any) -> None:
        """See :class:`Carrier`."""
        decimal.setcontext(value)


class Warnings:
    """Filters that the notebook put in."""

    name, module = "warnings", ""

    def __init__(self, _: Context) -> None:
        self._found = list(warnings.filters)

    def capture(self) -> Any:
        """See :class:`Carrier`."""
        now = list(warnings.filters)
        return None if now == self._found else now

    def restore(self, value: Any) -> None:
        """See :class:`Carrier`."""
        warnings.filters[:] = value  # type: ignore[index]  # a list, typed as a sequence
        getattr(warnings, "_filters_mutated", lambda: None)()


class RecursionLimit:
    """How deep calls may nest (``sys.setrecursionlimit``)."""

    name, module = "recursion", ""

    def __init__(self, _: Context) -> None:
        self._found = sys.getrecursionlimit()

    def capture(self) -> Any:
        """See :class:`Carrier`."""
        now = sys.getrecursionlimit()
        return None if now == self._found else now

    def restore(self, value: Any) -> None:
        """See :class:`Carrier`."""
        sys.setrecursionlimit(value)


class Locale:
    """What ``locale.setlocale`` set, by category."""

    name, module = "locale", ""
    _CATEGORIES = ("LC_COLLATE", "LC_CTYPE", "LC_MONETARY", "LC_NUMERIC", "LC_TIME")

    def __init__(self, context: Context) -> None:
        self._context = context
        self._found = dict(self._now())

    def capture(self) -> Any:
        """See :class:`Carrier`."""
        return [(name, value) for name, value in self._now() if self._found.get(name) != value] or None

    def restore(self, value: Any) -> None:
        """See :class:`Carrier`."""
        for name, given in value:
            try:
                locale.setlocale(getattr(locale, name), given)
            except locale.Error:  # noqa: PERF203  (five at most)
                self._context.warn(f"the locale {given} that the notebook set is not in this image")

    def _now(self) -> list[tuple[str, str]]:
        return [(name, locale.setlocale(getattr(locale, name))) for name in self._CATEGORIES]


FACTORIES = (Environment, ImportPath, WorkingFolder, Random, DecimalContext, Warnings, RecursionLimit, Locale)
