"""The server as a process: listen, tell where, load, serve, drain.

It listens before the model is loaded and answers 503 until then, so that a caller can tell loading from gone. What it has
to tell its supervisor goes through a pipe, a JSON object a line: there is no file to race for and no port to guess.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import tornado.httpserver
import tornado.netutil
import tornado.web

import jupyter_mlops
from jupyter_mlops.errors import Conflict, MlopsError
from jupyter_mlops.formats.gate import Rule
from jupyter_mlops.serving.server.handlers import Context
from jupyter_mlops.serving.server.loaders import drift
from jupyter_mlops.serving.server.metrics import Metrics
from jupyter_mlops.serving.server.model import Model
from jupyter_mlops.serving.server.routes import ROUTES

T = TypeVar("T")
log = logging.getLogger("jupyter_mlops.serving")

UNLIMITED = 1 << 50
"""Tornado's own body limit is switched off: it would cut the connection where the handlers answer 413."""


@dataclass(frozen=True)
class Options:
    """How to serve one model."""

    folder: Path
    name: str
    version: str = "1"
    host: str = "127.0.0.1"
    port: int = 0
    socket: Path | None = None
    token: str = ""
    body_limit: int = 64 << 20
    grace: float = 10.0
    """Seconds that requests in flight are waited for after SIGTERM."""

    rule: Rule = "listed"
    """What loading the model may run."""

    announce_fd: int | None = None
    lifeline_fd: int | None = None


def make_app(context: Context) -> tornado.web.Application:
    """The application over a context; every answer is JSON, wrong paths and methods included."""
    for name in context.models:
        context.observers[name] = context.metrics.observer(name)
    routes: list[Any] = [(pattern, handler, {"context": context}) for pattern, handler in ROUTES]
    return tornado.web.Application(routes, log_function=lambda _handler: None)


async def serve(options: Options) -> int:
    """Serve until SIGTERM, SIGINT or the end of the lifeline; returns the exit code."""
    announce = Announcer(options.announce_fd)
    model = Model(options.name, options.folder, options.version, options.rule)
    context = Context({options.name: model}, Metrics(), options.token, options.body_limit, jupyter_mlops.__version__)
    server = tornado.httpserver.HTTPServer(make_app(context), max_body_size=UNLIMITED)
    place = _listen(server, options)
    stop = _stop_signals(options.lifeline_fd)
    announce(event="listening", **place)
    log.info("listening on %s, loading '%s'", place.get("socket") or f"{options.host}:{place.get('port')}", options.name)
    loading = _in_thread(_load, model)
    stopping = asyncio.ensure_future(stop.wait())
    waits: set[asyncio.Future[Any]] = {loading, stopping}
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    if loading.done():
        seconds, warnings = loading.result()
        for warning in warnings:
            log.warning("%s", warning)
        log.info("model '%s' is ready after %.2f s", options.name, seconds)
        announce(event="ready", seconds=round(seconds, 3), warnings=warnings)
        await stopping
    await _drain(server, context, options.grace)
    return 0


def _in_thread(work: Callable[[Model], T], model: Model) -> asyncio.Future[T]:
    """Run in a thread that nobody waits for at the end: a server told to stop does not finish loading first."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if not future.done():
            future.set_exception(error) if error else future.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result, failure = None, None
        try:
            result = work(model)
        except Exception as error:  # noqa: BLE001 - raised again where the future is awaited
            failure = error
        except SystemExit as error:  # it would end this thread without a word
            failure = RuntimeError(f"the model ended its program: sys.exit({error.code!r})")
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody asks any more
            loop.call_soon_threadsafe(settle, result, failure)

    threading.Thread(target=run, name="load", daemon=True).start()
    return future


def _load(model: Model) -> tuple[float, list[str]]:
    started = time.perf_counter()
    model.load()
    return time.perf_counter() - started, drift(model.card)


def _listen(server: tornado.httpserver.HTTPServer, options: Options) -> dict[str, Any]:
    """Bind; raises Conflict with the port when it is taken."""
    if options.socket is not None:
        server.add_socket(tornado.netutil.bind_unix_socket(str(options.socket), mode=0o600))
        return {"socket": str(options.socket)}
    try:
        sockets = tornado.netutil.bind_sockets(options.port, options.host)
    except OSError as error:
        if error.errno not in {errno.EADDRINUSE, errno.EACCES}:
            raise
        why = "is in use" if error.errno == errno.EADDRINUSE else "may not be used by this user"
        raise Conflict(f"port {options.port} {why}", code="port-in-use", fix="Choose another port, or none.") from error
    server.add_sockets(sockets)
    return {"port": sockets[0].getsockname()[1]}


def _stop_signals(lifeline: int | None) -> asyncio.Event:
    """An event that a signal sets, or the end of the process that holds the other end of the lifeline."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if lifeline is not None:
        os.set_inheritable(lifeline, False)

        def ended() -> None:
            loop.remove_reader(lifeline)
            stop.set()

        loop.add_reader(lifeline, ended)
    return stop


async def _drain(server: tornado.httpserver.HTTPServer, context: Context, grace: float) -> None:
    """Take no new connection, let requests in flight end, then close what is left."""
    context.draining = True
    server.stop()
    log.info("stopping, %d requests in flight", len(context.active))
    if context.active:
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(context.idle.wait(), grace)
    await server.close_all_connections()


class Announcer:
    """Tells the process that started this one what happens, a JSON object a line; nobody listening is no error."""

    def __init__(self, fd: int | None) -> None:
        self._fd = fd
        if fd is not None:
            os.set_inheritable(fd, False)

    def __call__(self, **event: Any) -> None:
        """Send one event."""
        if self._fd is None:
            return
        try:
            os.write(self._fd, json.dumps(event).encode() + b"\n")
        except OSError:
            self._fd = None


def _say(error: MlopsError) -> None:
    log.error("%s", error.message)
    if error.fix:
        log.error("fix: %s", error.fix)


def run(options: Options) -> int:
    """Serve; on failure say in one last line of the log what it was, since that line is what people are shown."""
    try:
        return asyncio.run(serve(options))
    except Conflict as error:
        _say(error)
        return errno.EADDRINUSE
    except MlopsError as error:
        _say(error)
    except Exception as error:
        log.exception("model '%s' could not be loaded", options.name)
        log.error("model '%s' could not be loaded: %s: %s", options.name, type(error).__name__, error)
    return 1
