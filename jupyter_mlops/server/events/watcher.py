"""Notices what changed in the state folders and says it once.

Runs and services are written by their own processes, perhaps started by another server or a terminal, so the folders are
the only place where all changes meet. Every document there is replaced atomically: a changed time of modification is a
change. One look costs one ``stat`` a thing that can still change; finished runs are not looked at again.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from jupyter_mlops.engine.base import DONE
from jupyter_mlops.errors import MlopsError
from jupyter_mlops.settings import LOCAL, Storage

CHANGED = "https://jupyter-mlops.github.io/events/changed/v2"
BUSY = 0.3
"""Seconds between looks while a run goes on or a service loads: a person sees a step move."""

IDLE = 2.0
"""Seconds between looks otherwise: what starts elsewhere (a terminal, a magic) appears by itself."""

VISIT = 15.0
"""Seconds between asking the engine itself for the runs that go on: a run whose supervisor was killed writes nothing more."""

DEEP = 7
"""Slashes of a dataset's name at most."""

Kind = Literal["run", "check", "model", "dataset", "service"]
Key = tuple[Kind, str]
Emit = Callable[[str, dict[str, Any]], None]
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Seen:
    """What was last seen of a thing. ``stamp`` is the file's time of modification in nanoseconds."""

    stamp: int
    phase: str
    revision: int


@dataclass(slots=True)
class Folders:
    """The state folders and what was last seen in them. Used by one thread at a time."""

    storage: Storage
    seen: dict[Key, Seen] = field(default_factory=dict)
    rest: float = IDLE
    """Seconds between two walks for names of datasets, which have slashes: a walk costs a look into each folder."""

    _datasets: list[tuple[str, Path]] = field(default_factory=list)
    _walked: float = float("-inf")

    def look(self) -> list[tuple[Key, Seen]]:
        """What is new, changed or gone since the last look."""
        now = dict(self._all())
        changed = [(key, seen) for key, seen in now.items() if self.seen.get(key) != seen]
        gone = [(key, Seen(old.stamp, "Deleted", old.revision + 1)) for key, old in self.seen.items() if key not in now]
        self.seen = now
        return changed + gone

    def active(self) -> frozenset[str]:
        """Names of the runs that are not done."""
        return frozenset(name for (kind, name), seen in self.seen.items() if kind == "run" and seen.phase not in DONE)

    def busy(self) -> bool:
        """Whether something moves."""
        return any(
            (kind in {"run", "check"} and seen.phase not in DONE) or (kind == "service" and seen.phase in {"Pending", "Loading"})
            for (kind, _), seen in self.seen.items()
        )

    def _all(self) -> Iterator[tuple[Key, Seen]]:
        for name, folder in _folders(self.storage.runs):
            yield from self._one(("run", name), folder / "workflow.json", see_run)
        for name, folder in _folders(self.storage.checks):
            yield from self._one(("check", name), folder / "check.json", see_check)
        for namespace, inner in _folders(self.storage.services):
            for name, folder in _folders(inner):
                yield from self._one(("service", f"{namespace}/{name}"), folder / "isvc.json", see_service)
        for name, folder in _folders(self.storage.registry / "models"):
            yield from self._one(("model", name), folder / "index.json", see_version)
        if time.monotonic() - self._walked >= self.rest:
            self._datasets, self._walked = list(_datasets(self.storage.registry / "datasets")), time.monotonic()
        for name, folder in self._datasets:
            yield from self._one(("dataset", name), folder / "index.json", see_version)

    def _one(self, key: Key, path: Path, look: Callable[[Path, int], Seen]) -> Iterator[tuple[Key, Seen]]:
        old = self.seen.get(key)
        if old is not None and key[0] == "run" and old.phase in DONE:
            yield key, old
            return
        try:
            stamp = path.stat().st_mtime_ns
            if old is not None and old.stamp == stamp:
                yield key, old
            else:
                yield key, look(path, stamp)
        except (OSError, ValueError):
            # It vanishes at this moment, or is being made: the next look knows.
            if old is not None and path.parent.exists():
                yield key, old


class Watcher:
    """Looks into the folders while the server runs, and emits on the server's loop."""

    def __init__(
        self, storage: Storage, emit: Emit, pool: Executor, visit: Callable[[str], object], beat: Callable[[], None]
    ) -> None:
        """Watch a storage.

        Args:
            storage: the state folders.
            emit: told of every change, on the loop.
            pool: threads to look in.
            visit: asks the engine for a run, which ends a run whose supervisor is gone; called now and then, in the pool.
            beat: called on the loop at every look while a run goes on.
        """
        self.active: frozenset[str] = frozenset()
        self._folders = Folders(storage)
        self._emit = emit
        self._pool = pool
        self._visit = visit
        self._beat = beat
        self._now = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; needs the running loop."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._watch(), name="mlops-watcher")

    def hurry(self) -> None:
        """Look at once: something was just started, stopped or deleted here."""
        self._now.set()

    async def stop(self) -> None:
        """End; what runs goes on."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _watch(self) -> None:
        """The first look tells what there is, which is no news."""
        loop = asyncio.get_running_loop()
        first, visited = True, time.monotonic()
        while True:
            try:
                if self.active and time.monotonic() - visited > VISIT:
                    await loop.run_in_executor(self._pool, self._visit_all, self.active)
                    visited = time.monotonic()
                news = await loop.run_in_executor(self._pool, self._folders.look)
                self.active = self._folders.active()
                if self.active:
                    self._beat()
                for (kind, name), seen in () if first else news:
                    about = {"kind": kind, "name": name, "phase": seen.phase, "revision": seen.revision, "target": LOCAL}
                    self._emit(CHANGED, about)
                first = False
            except Exception:  # a watcher that dies of one bad file would leave every panel blind
                log.exception("The watcher could not look into the state folders")
            await self._pause(BUSY if self._folders.busy() else IDLE)

    def _visit_all(self, names: frozenset[str]) -> None:
        for name in names:
            with contextlib.suppress(MlopsError):
                self._visit(name)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._now.wait(), seconds)
        self._now.clear()


def see_run(path: Path, stamp: int) -> Seen:
    """A run from its Workflow."""
    from jupyter_mlops.engine.decode import run_of

    run = run_of(_document(path))
    return Seen(stamp, run.phase, run.revision)


def see_check(path: Path, stamp: int) -> Seen:
    """A check of a notebook from its document."""
    return Seen(stamp, str(_document(path)["phase"]), _milliseconds(stamp))


def see_service(path: Path, stamp: int) -> Seen:
    """A service from its InferenceService."""
    from jupyter_mlops.serving.decode import service_of

    return Seen(stamp, service_of(_document(path)).phase, _milliseconds(stamp))


def see_version(path: Path, stamp: int) -> Seen:
    """A model or dataset has no phase; its index is only known to be another one."""
    del path
    return Seen(stamp, "Changed", _milliseconds(stamp))


def _milliseconds(stamp: int) -> int:
    """Grows with every change, and a browser's numbers hold it."""
    return stamp // 1_000_000


def _document(path: Path) -> Mapping[str, Any]:
    found = json.loads(path.read_bytes())
    if not isinstance(found, dict):
        raise ValueError(f"{path} holds no object")  # noqa: TRY004  (what a broken file is, as the other ways to be broken)
    return found


def _datasets(path: Path, above: str = "", depth: int = 0) -> Iterator[tuple[str, Path]]:
    """Name → folder; names have slashes, and a dataset may lie inside the folder of another."""
    for name, folder in _folders(path):
        if name == "blobs":
            continue
        if (folder / "index.json").exists():
            yield above + name, folder
        if depth < DEEP:
            yield from _datasets(folder, f"{above}{name}/", depth + 1)


def _folders(path: Path) -> Iterator[tuple[str, Path]]:
    try:
        with os.scandir(path) as entries:
            found = [(entry.name, Path(entry.path)) for entry in entries if entry.is_dir() and not entry.name.startswith(".")]
    except OSError:
        return
    yield from found
