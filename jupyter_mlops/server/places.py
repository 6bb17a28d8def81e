"""Where a request goes: this machine, or a cluster target, each with threads of its own.

A cluster can hang or be gone, and a panel that shows this machine shall never notice. So every target has its own bounded
pool, every wait has an end, and while a cluster is known not to answer it is said at once instead of being waited for again:
the circuit is open. After a moment one request is let through to see whether it is back.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from jupyter_mlops.errors import MlopsError, Unavailable
from jupyter_mlops.settings import LOCAL

if TYPE_CHECKING:
    from jupyter_mlops.flow import Workbench

T = TypeVar("T")

POOL = 8
"""Threads of a cluster target. More would only queue at its API server."""

FINDERS = 4
"""Threads that find and check targets."""

READING = 45.0
"""Seconds that a panel's question waits for a cluster and its registry."""

CHANGING = 900.0
"""Seconds that what a person started may take: a model of gigabytes may have to be copied first."""

FIRST_PAUSE, LAST_PAUSE = 3.0, 30.0
"""Seconds for which a cluster that did not answer is left alone, at first and at most."""

AWAY = frozenset({"cluster-unreachable", "cluster-slow"})
"""Codes of errors that tell that the API server itself is gone, rather than a registry or a service behind it."""


@dataclass(slots=True)
class Circuit:
    """Whether a cluster is known not to answer. Used on the server's loop only."""

    clock: Callable[[], float] = time.monotonic
    error: MlopsError | None = None
    until: float = 0.0
    pause: float = 0.0

    def check(self) -> None:
        """Let a request pass, or not.

        Raises:
            Unavailable: the cluster did not answer a moment ago.
        """
        if self.error is None:
            return
        left = self.until - self.clock()
        if left > 0:
            again = f"It is tried again in {math.ceil(left)} s; Retry asks then, Check Again at once."
            raise Unavailable(self.error.message, code=self.error.code, fix=f"{self.error.fix} {again}".strip())
        self.until = self.clock() + max(self.pause, FIRST_PAUSE)  # this one sees how it is; the others wait for what it finds

    def failed(self, error: MlopsError) -> None:
        """It did not answer: leave it alone, longer each time."""
        self.pause = min(max(self.pause * 2, FIRST_PAUSE), LAST_PAUSE)
        self.error, self.until = error, self.clock() + self.pause

    def closed(self) -> None:
        """It answered."""
        self.error, self.until, self.pause = None, 0.0, 0.0


class Place:
    """A target as the server uses it."""

    def __init__(self, name: str, bench: Callable[[], Workbench], pool: Executor, callers: Executor) -> None:
        """``bench`` may ask the cluster, so it is called in the pool. ``callers`` is for calls of model servers."""
        self.name = name
        self.circuit = Circuit()
        self.pool = pool
        self._callers = callers
        self._bench = bench

    @property
    def local(self) -> bool:
        """Whether it is this machine, which is never waited for in vain."""
        return self.name == LOCAL

    async def ask(self, call: Callable[[Workbench], T], patience: float = READING) -> T:
        """Do something with the target's bench in its pool.

        Raises:
            Unavailable: code ``cluster-slow`` after ``patience`` seconds, or the cluster is known not to answer.
        """
        return await self._run(self.pool, call, patience)

    async def call_out(self, call: Callable[[Workbench], T]) -> T:
        """The same for what waits for a model server: it may take minutes and says nothing about the cluster."""
        return await self._run(self._callers, call, CHANGING)

    async def _run(self, pool: Executor, call: Callable[[Workbench], T], patience: float) -> T:
        if self.local:
            return await asyncio.get_running_loop().run_in_executor(pool, lambda: call(self._bench()))
        self.circuit.check()
        try:
            found = await asyncio.wait_for(asyncio.get_running_loop().run_in_executor(pool, lambda: call(self._bench())), patience)
        except asyncio.TimeoutError:
            slow = Unavailable(
                f"{self.name} has not answered within {patience:.0f} s",
                code="cluster-slow",
                fix="Try again. If it stays so, check the target: Targets in the sidebar, or jupyter mlops targets --check.",
            )
            self.circuit.failed(slow)
            raise slow from None
        except MlopsError as error:
            if error.code in AWAY:
                self.circuit.failed(error)
            else:
                self.circuit.closed()
            raise
        self.circuit.closed()
        return found


class Places:
    """The targets that were asked for since the server started."""

    def __init__(self, bench: Workbench, pool: Executor, callers: Executor) -> None:
        """``bench``, ``pool`` and ``callers`` are this machine's."""
        self._bench = bench
        self.local = Place(LOCAL, lambda: bench, pool, callers)
        self._clusters: dict[str, tuple[Place, tuple[ThreadPoolExecutor, ThreadPoolExecutor]]] = {}
        self._finders = ThreadPoolExecutor(FINDERS, thread_name_prefix="mlops-find")

    async def find(self, name: str | None) -> Place:
        """A target by name; None is the default one.

        Raises:
            NotFound: code ``target-not-found``; the fix lists those that there are.
        """
        if name == LOCAL:
            return self.local
        if name is None or name not in self._clusters:
            found = await asyncio.get_running_loop().run_in_executor(self._finders, self._bench.targets.found, name)
            name = found.target.name
        return self.local if name == LOCAL else self._cluster(name)

    async def examine(self, call: Callable[[], T]) -> T:
        """Check a target: in threads of their own, so that neither panels nor the target's pool wait for it."""
        return await asyncio.get_running_loop().run_in_executor(self._finders, call)

    def stop(self) -> None:
        """Take nothing more; what waits for a cluster is not waited for."""
        self._finders.shutdown(wait=False, cancel_futures=True)
        for _, pools in self._clusters.values():
            for pool in pools:
                pool.shutdown(wait=False, cancel_futures=True)

    def _cluster(self, name: str) -> Place:
        if name not in self._clusters:
            pools = (
                ThreadPoolExecutor(POOL, thread_name_prefix=f"mlops-at-{name[:20]}"),
                ThreadPoolExecutor(POOL, thread_name_prefix=f"mlops-call-{name[:20]}"),
            )
            self._clusters[name] = Place(name, partial(self._bench.at, name), *pools), pools
        return self._clusters[name][0]
