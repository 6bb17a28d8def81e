"""The port of serving on this machine.

A verb writes what is wanted into the service's folder and starts or ends its supervisor; it keeps nothing in memory, so
that any number of backends (a terminal, a kernel, two Jupyter Servers) see and steer the same services.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jupyter_mlops
from jupyter_mlops.errors import Conflict, Corrupt, NotFound, PlatformError, StorageFull, Unavailable, WrongUsage
from jupyter_mlops.oci.store import Store
from jupyter_mlops.serving.base import Request, Response, Service, Verb
from jupyter_mlops.serving.client import send
from jupyter_mlops.serving.decode import service_of, stamp
from jupyter_mlops.serving.local import status
from jupyter_mlops.serving.local.interpreter import PASSED, PASSED_PREFIXES
from jupyter_mlops.serving.local.place import Place, Superseded, places
from jupyter_mlops.serving.local.process import alive, terminate
from jupyter_mlops.serving.local.trust import checked_reference
from jupyter_mlops.serving.manifest import API_VERSION, MODEL_TAG, PORT, STOP, check_name
from jupyter_mlops.settings import Settings

GRACE = 5.0
"""Seconds for requests in flight when a service is stopped."""

FOLLOW_SECONDS = 0.1


class LocalBackend:
    """InferenceServices as processes of this user on this machine."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store
        self._root = settings.storage.services.absolute()  # a supervisor has another working folder

    def apply(self, document: Mapping[str, Any]) -> Service:
        """Create a service, or change one by starting it anew. Applying what already runs changes nothing.

        Raises:
            WrongUsage: the document is not an InferenceService that can be served here.
            NotAllowed: its model is not from this machine's registry.
            NotFound: the registry has no such model.
            Conflict: the port it asks for is taken (code ``port-in-use``).
        """
        service = service_of(document)
        if document.get("apiVersion") != API_VERSION:
            raise WrongUsage(f"apiVersion is {document.get('apiVersion')!r}", fix=f"Use {API_VERSION}.")
        check_name(service.name, service.namespace)
        self._check_model(document)
        place = Place(self._root / service.namespace / service.name)
        with place.locked("verb"):
            before = place.read() if place.exists() else None
            wanted = _merged(document, before, service.namespace)
            if before is not None and _asked(before) == _asked(wanted) and (service := self._service(place)).phase != "Failed":
                return service
            self._end(place)
            self._check_port(wanted)
            place.write({**wanted, "status": status.pending(wanted, time.time())})
            self._start(place)
            return self._service(place)

    def get(self, name: str, namespace: str = "default") -> Service:
        """The service as it is now; NotFound names those that there are."""
        return self._service(self._place(name, namespace))

    def list(self) -> Sequence[Service]:
        """All services, by namespace and name."""
        return [service for place in places(self._root) if (service := self._listed(place))]

    def logs(self, name: str, namespace: str = "default", *, follow: bool = False) -> Iterator[str]:
        """Lines of the server and its supervisor, oldest first. Following ends when the service is stopped or deleted."""
        return self._lines(self._place(name, namespace), follow)

    def control(self, name: str, verb: Verb, namespace: str = "default") -> Service:
        """Stop, start or delete; returns when no process of the old state is left."""
        place = self._place(name, namespace)
        with place.locked("verb"):
            verbs = {"stop": self._stop, "start": self._restart, "delete": self._delete}
            if verb not in verbs:
                raise WrongUsage(f"'{verb}' is not a verb of services", fix="Use stop, start or delete.")
            try:
                return verbs[verb](place)
            except Superseded as error:  # deleted while we waited for the lock
                raise self._unknown(name, namespace) from error

    def call(self, name: str, request: Request, namespace: str = "default") -> Response:
        """Send one request to the model server. Raises NotFound, or Unavailable with the state it is in."""
        place = self._place(name, namespace)
        service = self._service(place)
        if not service.ready:
            said = f": {service.message}" if service.message else ""
            fix = service.fix or "It is starting: try again in a moment."
            raise Unavailable(f"service '{name}' is {service.phase.lower()}{said}", fix=fix)
        port = int(service.url.removeprefix("http://127.0.0.1:").partition("/")[0])
        timeout = float(service.document["spec"]["predictor"].get("timeout") or 60)
        return send("127.0.0.1", port, place.token(), request, timeout)

    # -- inside ------------------------------------------------------------------------------------------------------------

    def _place(self, name: str, namespace: str) -> Place:
        check_name(name, namespace)
        place = Place(self._root / namespace / name)
        if not place.exists():
            raise self._unknown(name, namespace)
        return place

    def _unknown(self, name: str, namespace: str) -> NotFound:
        there = [other.name if other.namespace == namespace else f"{other.namespace}/{other.name}" for other in places(self._root)]
        fix = f"There is: {', '.join(there)}." if there else "There is none yet: make one with `jupyter mlops deploy MODEL`."
        return NotFound(f"no service '{name}' in namespace '{namespace}'", fix=fix)

    def _service(self, place: Place) -> Service:
        """The document as it stands; if nobody looks after a service that should run, that is what its status says."""
        try:
            document = place.read()
        except FileNotFoundError as error:
            raise self._unknown(place.name, place.namespace) from error
        service = service_of(document)
        if service.phase == "Stopped" or alive(place.supervisor):
            return service
        return service_of({**document, "status": status.gone(document, time.time())})

    def _listed(self, place: Place) -> Service | None:
        """As ``get``, but one damaged document must not hide the other services."""
        try:
            return self._service(place)
        except NotFound:  # deleted while we looked
            return None
        except Corrupt as error:
            return Service(place.name, place.namespace, "Failed", False, "", "", 0.0, message=error.message, fix=error.fix)

    def _check_model(self, document: Mapping[str, Any]) -> None:
        from jupyter_mlops.registry.models import Models
        from jupyter_mlops.registry.signing import require

        version = Models(self._store).find(checked_reference(document))
        settings = self._settings
        require(settings.serving.unsigned, settings.storage.home, self._store, f"models/{version.name}", version.digest)

    def _check_port(self, document: Mapping[str, Any]) -> None:
        """Tell at once when a chosen port is taken; the server's own bind decides."""
        port = int(document["metadata"]["annotations"].get(PORT, 0))
        if not port:
            return
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                raise Conflict(
                    f"port {port} is in use", code="port-in-use", fix="Choose another (--port N), or none to get a free one."
                ) from error

    def _stop(self, place: Place) -> Service:
        place.change(lambda document: _touched(document, stop=True))  # from now on the supervisor writes nothing
        self._end(place)
        return service_of(place.change(lambda document: {**document, "status": status.stopped(document, time.time())}))

    def _delete(self, place: Place) -> Service:
        try:
            stopped = self._stop(place)
        except Corrupt:  # it can still be deleted
            self._end(place)
            stopped = Service(place.name, place.namespace, "Stopped", False, "", "", 0.0)
        place.remove()
        return stopped

    def _restart(self, place: Place) -> Service:
        before = self._service(place)
        if before.phase not in {"Stopped", "Failed"}:
            return before
        self._end(place)
        self._check_port(before.document)
        place.change(lambda document: _pending(_touched(document, stop=False)))
        self._start(place)
        return self._service(place)

    def _end(self, place: Place) -> None:
        """No process of the service is left, whether or not its supervisor still looks after it."""
        terminate(place.supervisor, 2 * GRACE + 2)
        terminate(place.server, GRACE)
        place.supervisor_path.unlink(missing_ok=True)
        place.server_path.unlink(missing_ok=True)

    def _start(self, place: Place) -> None:
        """Start a supervisor; it has detached itself and written its identity when this returns."""
        place.token()
        document = place.read()
        request = {
            "registry": self._store.address,
            "cache": str(self._settings.storage.cache.absolute()),
            "body_limit": self._settings.serving.body_limit,
            "grace": GRACE,
            "version": document["metadata"]["annotations"].get(MODEL_TAG, "1"),
            "unsigned": self._settings.serving.unsigned,
            "pickles": self._settings.serving.pickles,
            "home": str(self._settings.storage.home.absolute()),
        }
        try:
            place.request.write_text(json.dumps(request))
            with place.log.open("ab") as log:
                subprocess.run(
                    [sys.executable, "-m", "jupyter_mlops.serving.local.supervisor", str(place.folder)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd="/",
                    env=_environment(),
                    check=True,
                    start_new_session=True,
                )
        except subprocess.CalledProcessError as error:
            raise PlatformError(f"service '{place.name}' could not be started", fix="Its log says why.") from error
        except OSError as error:
            raise StorageFull(f"cannot write to {place.folder}: {error.strerror}", fix="Make room on the disk.") from error

    def _lines(self, place: Place, follow: bool) -> Iterator[str]:
        older = place.folder / "log.1"
        if older.is_file():
            yield from older.read_text(encoding="utf-8", errors="replace").splitlines()
        try:
            with place.log.open(encoding="utf-8", errors="replace") as log:
                part = ""
                while True:
                    part += log.readline()
                    if log.tell() > place.log.stat().st_size:  # put aside while we read
                        log.seek(0)
                    if part.endswith("\n"):
                        yield part[:-1]
                        part = ""
                    elif not follow or not place.exists() or not alive(place.supervisor):
                        break
                    else:
                        time.sleep(FOLLOW_SECONDS)
                if part:
                    yield part
        except FileNotFoundError:
            return


def _environment() -> dict[str, str]:
    """What a supervisor gets: as little as a server, and what Jupyter and Python are found by."""
    kept = (*PASSED_PREFIXES, "JUPYTER_MLOPS_")
    names = {*PASSED, "PYTHONPATH", "JUPYTER_PATH", "JUPYTER_DATA_DIR", "XDG_DATA_HOME"}
    env = {name: value for name, value in os.environ.items() if name in names or name.startswith(kept)}
    package = str(Path(jupyter_mlops.__file__).parent.parent)  # a checkout that only the working folder made importable
    return env | {"PYTHONPATH": os.pathsep.join(filter(None, [env.get("PYTHONPATH"), package]))}


def _merged(document: Mapping[str, Any], before: Mapping[str, Any] | None, namespace: str) -> dict[str, Any]:
    """The document as an API server would keep it: identity, creation time and a generation that counts changes."""
    old = before["metadata"] if before else {}
    given = document["metadata"]
    metadata = {
        **given,
        "namespace": namespace,
        "annotations": dict(given.get("annotations") or {}),
        "uid": old.get("uid") or str(uuid.uuid4()),
        "creationTimestamp": old.get("creationTimestamp") or stamp(time.time()),
        "generation": int(old.get("generation") or 0) + 1,
    }
    return {"apiVersion": document["apiVersion"], "kind": document["kind"], "metadata": metadata, "spec": document["spec"]}


def _asked(document: Mapping[str, Any]) -> tuple[Any, Any]:
    """What a person asked for, without what was counted."""
    return document["spec"], document["metadata"].get("annotations")


def _touched(document: Mapping[str, Any], *, stop: bool) -> dict[str, Any]:
    """A new generation, with KServe's annotation that stops a service or without it."""
    metadata = dict(document["metadata"])
    annotations = {key: value for key, value in (metadata.get("annotations") or {}).items() if key != STOP}
    metadata["annotations"] = annotations | ({STOP: "true"} if stop else {})
    metadata["generation"] = int(metadata.get("generation") or 0) + 1
    return {**document, "metadata": metadata}


def _pending(document: Mapping[str, Any]) -> dict[str, Any]:
    return {**document, "status": status.pending(document, time.time())}
