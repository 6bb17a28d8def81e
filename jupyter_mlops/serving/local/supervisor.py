"""``python -m jupyter_mlops.serving.local.supervisor FOLDER``: keep one service running until it is told to stop.

It detaches itself, fetches the model (verified against its digest), starts the model server with the training
interpreter, writes what happens into ``isvc.json``, and starts the server again when it ends: at once when it had served,
after a growing pause when it never came up. It holds no port and no model; a second supervisor for the same folder ends
at once.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import signal
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from jupyter_mlops.serving.local.process import identify

if TYPE_CHECKING:
    from jupyter_mlops.serving.local.interpreter import Interpreter
    from jupyter_mlops.serving.local.launch import Server
    from jupyter_mlops.serving.local.place import Place

BACK_OFF_FIRST, BACK_OFF_LAST = 1.0, 300.0
"""Seconds between starts that fail, doubling; the last is Kubernetes' own limit."""

EXIT_SECONDS = 5.0
"""From the end of the pipe to the end of the process."""


def main() -> NoReturn:
    """Detach, tell who we are, and supervise."""
    folder = Path(sys.argv[1])
    told, tell = os.pipe()
    if os.fork():
        os.close(tell)
        os.read(told, 1)  # until the child has written its identity: whoever started us may look for it at once
        os._exit(0)
    os.setsid()
    if identity := identify(os.getpid()):
        identity.save(folder / "supervisor.json")
    os.close(tell)
    os.close(told)
    code = 1
    try:
        code = _supervise(folder)
    except Exception:  # noqa: BLE001 - the last frame of a process: what it was belongs into the log
        import traceback

        traceback.print_exc()  # standard error is the service's log
    os._exit(code)


def _supervise(folder: Path) -> int:
    from filelock import FileLock, Timeout

    from jupyter_mlops.serving.local.place import Place, Superseded

    place = Place(folder)
    try:
        with FileLock(folder.parent / f".{folder.name}.supervisor.lock", timeout=EXIT_SECONDS), contextlib.suppress(Superseded):
            Supervisor(place).run()
    except Timeout:
        return 1
    return 0


class Stopped(Exception):
    """SIGTERM came."""


class Supervisor:
    """Keeps the server of one place running. ``run`` returns when it was told to stop, or when the document moved on."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.document: Mapping[str, Any] = place.read()
        self.generation = self.document["metadata"].get("generation")
        self.request: dict[str, Any] = _json(place.request)
        self.selector = selectors.DefaultSelector()
        self.wake, wakes = socket.socketpair()
        wakes.setblocking(False)
        self._wakes = wakes
        signal.set_wakeup_fd(wakes.fileno())
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        self.selector.register(self.wake, selectors.EVENT_READ)

    def run(self) -> None:
        """Start, watch, start again."""
        failures, port = 0, self._wanted_port()
        with contextlib.suppress(Stopped):
            while True:
                served, port = self._one_life(port, failures)
                failures = 0 if served else failures + 1
                if failures:
                    self._pause(_back_off(failures))

    # -- one life of the server --------------------------------------------------------------------------------------------

    def _one_life(self, port: int, failures: int) -> tuple[bool, int]:
        """Start the server and watch it until it ends; says whether it served, and on which port to try again."""
        from jupyter_mlops.errors import MlopsError
        from jupyter_mlops.serving.local import status
        from jupyter_mlops.serving.local.launch import launch

        try:
            model, bundle, interpreter = self._prepare()
            limits = {**self.request, "rule": self._rule()}
            self.say(f"starting {' '.join(interpreter.command)}")
            server = launch(self.place, model, interpreter, bundle, port, self.document, limits)
        except MlopsError as error:
            lines = [str(error), *([f"fix: {error.fix}"] if error.fix else [])]
            self.say("\n".join(lines))
            self._write(lambda document: status.failed(document, time.time(), lines, None, _back_off(failures + 1)))
            return False, port
        ready_port = None
        try:
            ready_port = self._watch(server, [interpreter.remark] if interpreter.remark else [])
        except MlopsError as error:
            self.say(str(error))
        finally:
            code = _end(server, self.request["grace"])
        if ready_port is None and port and not self._wanted_port():
            return self._ended(server, code, served=False, failures=failures), 0  # the earlier port may be taken by now
        return self._ended(server, code, served=ready_port is not None, failures=failures), ready_port or port

    def _prepare(self) -> tuple[Path, Path, Interpreter]:
        """Model folder, server bundle, interpreter. Raises what the registry, the disk or the rules of trust say."""
        from jupyter_mlops.oci.open import open_store
        from jupyter_mlops.registry.models import Models
        from jupyter_mlops.serving.local.bundle import server_bundle
        from jupyter_mlops.serving.local.interpreter import interpreter_of
        from jupyter_mlops.serving.local.trust import check_registry, checked_reference
        from jupyter_mlops.serving.server.loaders import read_card

        reference = checked_reference(self.document)
        folder = self.place.models / reference.rpartition(":")[2]
        if not folder.is_dir():
            check_registry(self.request["registry"])
            models = Models(open_store(self.request["registry"]))
            shutil.rmtree(self.place.models, ignore_errors=True)  # an earlier version's
            self.place.models.mkdir(mode=0o700)
            models.extract(models.find(reference), folder)  # appears verified and whole, or not at all
        place, card = read_card(folder)
        return place, server_bundle(Path(self.request["cache"])), interpreter_of(card)

    def _rule(self) -> str:
        """What loading the model may run; asked at every start: what was allowed meanwhile is. Raises Corrupt, NotAllowed."""
        from jupyter_mlops.oci.open import open_store
        from jupyter_mlops.registry.policy import rule_of
        from jupyter_mlops.registry.signing import require
        from jupyter_mlops.serving.local.trust import checked_reference

        name, _, digest = checked_reference(self.document).rpartition("@")
        home, store = Path(self.request["home"]), open_store(self.request["registry"])
        require(self.request["unsigned"], home, store, f"models/{name}", digest)
        return rule_of(self.request["pickles"], home, store, digest)

    def _watch(self, server: Server, warnings: list[str]) -> int | None:
        """Follow the server until its pipe ends; the port if it became ready. Raises Stopped on SIGTERM."""
        port, served = 0, False
        self.selector.register(server.events_fd, selectors.EVENT_READ)
        try:
            while (events := self._wait(server)) is not None:
                for event in events:
                    if event["event"] == "listening":
                        port = int(event["port"])
                        self._loading()
                    elif event["event"] == "ready":
                        self._ready(port, [*warnings, *event["warnings"]])
                        served = True
        finally:
            self.selector.unregister(server.events_fd)
        return port if served else None

    def _wait(self, server: Server) -> list[dict[str, Any]] | None:
        ready = {key.fileobj for key, _ in self.selector.select(timeout=1.0)}
        if self.wake in ready:
            raise Stopped
        if server.events_fd in ready:
            return server.events()
        self.place.rotate()
        return None if server.process.poll() is not None else []

    def _loading(self) -> None:
        from jupyter_mlops.serving.local import status

        self._write(lambda document: status.loading(document, time.time()))

    def _ready(self, port: int, warnings: list[str]) -> None:
        """After one real call: what is called ready has answered. Raises PlatformError where it has not."""
        from jupyter_mlops.serving.local import status

        self._check(port)
        self._write(lambda document: status.ready(document, time.time(), port, warnings))

    def _check(self, port: int) -> None:
        from jupyter_mlops.errors import PlatformError, Unavailable
        from jupyter_mlops.serving.base import Request
        from jupyter_mlops.serving.client import send

        with contextlib.suppress(Unavailable):
            answer = send("127.0.0.1", port, self.place.token(), Request("GET", "/v2/health/ready"), 10.0)
            if answer.status == 200:  # noqa: PLR2004 - HTTP's OK
                return
        raise PlatformError(f"the model server says it is ready and does not answer on port {port}")

    def _ended(self, server: Server, code: int, *, served: bool, failures: int) -> bool:
        """Write down how it ended."""
        from jupyter_mlops.serving.local import status

        lines = _tail(self.place.log, server.log_start)
        self.say(f"the model server ended with exit code {code}")
        if served:
            self._write(lambda document: status.crashed(document, time.time(), lines, code))
        else:
            wait = _back_off(failures + 1)
            self._write(lambda document: status.failed(document, time.time(), lines, code, wait))
        return served

    # -- helpers -----------------------------------------------------------------------------------------------------------

    def _wanted_port(self) -> int:
        from jupyter_mlops.serving.manifest import PORT

        return int(self.document["metadata"].get("annotations", {}).get(PORT, 0))

    def _write(self, make: Any) -> None:
        """Replace the status, unless somebody asked for something newer (Superseded)."""
        self.document = self.place.change(lambda document: {**document, "status": make(document)}, generation=self.generation)

    def _pause(self, seconds: float) -> None:
        if self.selector.select(timeout=seconds):
            raise Stopped

    def say(self, text: str) -> None:
        """A line of ours in the service's log."""
        with self.place.log.open("a", encoding="utf-8") as log:
            log.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} supervisor: {text}\n")


def _back_off(failures: int) -> float:
    return float(min(BACK_OFF_LAST, BACK_OFF_FIRST * 2 ** min(failures - 1, 20)))


def _end(server: Server, grace: float) -> int:
    """End the server if it has not ended by itself, and all that it started; its exit code as a shell has it."""
    import subprocess

    pid, process = server.process.pid, server.process
    try:
        process.wait(timeout=0)
    except subprocess.TimeoutExpired:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=grace + EXIT_SECONDS)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)  # the group outlives its leader while a child of the model does
    code = process.wait()
    server.close()
    return code if code >= 0 else 128 - code


def _tail(path: Path, start: int) -> list[str]:
    """The last lines of the log that this life wrote."""
    with path.open("rb") as log:
        log.seek(0, os.SEEK_END)
        log.seek(max(start, log.tell() - 16384) if log.tell() >= start else 0)
        return log.read().decode(errors="replace").splitlines()


def _json(path: Path) -> dict[str, Any]:
    import json

    return dict(json.loads(path.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
