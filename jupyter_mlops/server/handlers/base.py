"""What every handler shares: JSON in and out, one mapping of errors, and threads for what blocks.

A verb is then three lines: authenticate and authorise (written out at each verb, since the decorator remembers what it saw
first), call the ``Workbench`` in a thread, answer. No handler catches anything: an error of ours carries its status, any
other is a bug, is logged under a reference, and only the reference leaves the server.
"""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from functools import partial
from http import HTTPStatus
from http.client import responses
from types import TracebackType
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar, cast

import msgspec
from jupyter_server.base.handlers import APIHandler
from jupyter_server.extension.handler import ExtensionHandlerMixin
from tornado.web import HTTPError

from jupyter_mlops.errors import Bug, MlopsError, NotAllowed, Where, WrongUsage
from jupyter_mlops.server.places import CHANGING, READING
from jupyter_mlops.settings import LOCAL

if TYPE_CHECKING:
    from jupyter_mlops.flow import Workbench
    from jupyter_mlops.server.app import MlopsApp
    from jupyter_mlops.server.places import Place

T = TypeVar("T")
P = ParamSpec("P")

BODY_LIMIT = 1 << 20
"""Bytes of a request's body, unless a handler says otherwise: names and parameters are far below."""

DISK_BYTES = "mlops_disk_bytes"
"""Setting that holds what was last counted, and when."""

READS = frozenset({"GET", "HEAD", "OPTIONS"})


class MlopsHandler(ExtensionHandlerMixin, APIHandler):
    """Base of all handlers below ``/jupyter-mlops/``."""

    @property
    def body_limit(self) -> int:
        """Bytes of a request's body at most."""
        return BODY_LIMIT

    @property
    def _track_activity(self) -> bool:
        """Only what a person does keeps a server alive: the panels read by themselves, for as long as a tab is open."""
        return self.request.method not in READS

    @property
    def app(self) -> MlopsApp:
        """The extension."""
        return cast("MlopsApp", self.extensionapp)

    @property
    def bench(self) -> Workbench:
        """Engine, registry and model server of this machine; ``ask`` goes to the target of the request."""
        return self.app.bench

    async def prepare(self) -> None:
        """After Jupyter's own checks: refuse what is too large, and a guest of a shared server who wants to change things."""
        await super().prepare()
        if len(self.request.body or b"") > self.body_limit:
            raise HTTPError(413, f"the request is larger than {self.body_limit} bytes")
        owner = os.environ.get("JUPYTERHUB_USER")
        user = getattr(self.current_user, "username", None)
        if owner and user and user != owner and self.request.method not in READS and not self.app.allow_guests:
            raise NotAllowed(
                f"this server belongs to {owner}: {user} may look, but not start, change or delete",
                fix="Use your own server, or ask its owner to set MlopsApp.allow_guests = True.",
            )

    async def work(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run what may block on this machine (files, locks, processes) in the extension's bounded pool."""
        return await _in(self.app.pool, partial(call, *args, **kwargs))

    async def place(self, asked: str | None = None) -> Place:
        """The target that the body or the query names; the default one where neither does. Raises NotFound."""
        return await self.app.places.find(asked or self.get_query_argument("target", None) or None)

    async def ask(self, call: Callable[Concatenate[Workbench, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call with the bench of the request's target, in that target's pool: something is read, so the wait is short."""
        place = await self.place()
        return await self.at(place, READING, lambda bench: call(bench, *args, **kwargs))

    async def act(self, call: Callable[Concatenate[Workbench, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The same for what changes something, and may take its time."""
        place = await self.place()
        return await self.at(place, CHANGING, lambda bench: call(bench, *args, **kwargs))

    async def at(self, place: Place, patience: float, call: Callable[[Workbench], T]) -> T:
        """The same at a place that is known; a cluster that answers is watched from now on."""
        found = await place.ask(call, patience)
        if not place.local:
            self.app.watches.look(place.name)
        return found

    async def call_out(self, call: Callable[Concatenate[Workbench, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run what waits for a model server of the request's target, in a pool of its own: a model may take minutes."""
        place = await self.place()
        return await place.call_out(lambda bench: call(bench, *args, **kwargs))

    def body_as(self, kind: type[T]) -> T:
        """The request's JSON as a value of ``kind``. Raises WrongUsage that names the path in the document."""
        try:
            return msgspec.json.decode(self.request.body or b"{}", type=kind)
        except msgspec.ValidationError as error:
            message, _, path = str(error).partition(" - at ")
            raise WrongUsage(
                f"the request does not fit: {message}",
                fix="See the interface's description, api.yaml.",
                where=Where(field=path.strip("`") or None),
            ) from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise WrongUsage(
                "the request's body is not JSON", fix="Send a JSON object with Content-Type application/json."
            ) from error

    def whole(self, name: str, default: int, lowest: int, highest: int) -> int:
        """A query argument that is a whole number. Raises WrongUsage."""
        text = self.get_query_argument(name, None)
        if text is None:
            return default
        try:
            value = int(text)
        except ValueError:
            value = lowest - 1
        if not lowest <= value <= highest:
            raise WrongUsage(
                f"{name} must be a whole number from {lowest} to {highest}, not {text!r}",
                fix=f"Leave {name} out, or send a number in that range.",
                where=Where(field=name),
            )
        return value

    def done(self, action: str, kind: str, name: str, reference: str = "", target: str | None = None) -> None:
        """Something was changed here: panels hear of it at once, and the site's record says who did it."""
        where = target or self.get_query_argument("target", "")
        self.app.watcher.hurry()
        self.settings.pop(DISK_BYTES, None)
        user = getattr(self.current_user, "username", "") or "anonymous"
        told = {"reference": reference, "target": "" if where == LOCAL else where}
        self.app.record(
            {"user": user, "action": action, "kind": kind, "name": name, **{key: value for key, value in told.items() if value}}
        )

    def answer(self, value: Any, status: int = 200) -> None:
        """Send a JSON answer."""
        self.set_status(status)
        self.finish(msgspec.json.encode(value))

    def answer_yaml(self, text: str) -> None:
        """Send a YAML document."""
        self.finish(text, set_content_type="application/yaml")

    def gone(self) -> None:
        """Answer that what was asked for is no longer there."""
        self.set_status(204)
        self.finish()

    def set_default_headers(self) -> None:
        """Nothing here is a page or may be kept: registry and notebook contents are other people's text."""
        super().set_default_headers()
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cache-Control", "no-store")

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        """Take the status from the error."""
        error = _raised(kwargs)
        super().send_error(error.status if isinstance(error, MlopsError) else status_code, **kwargs)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer with the JSON form of the error and nothing else."""
        self.finish(msgspec.json.encode(self._explain(status_code, _raised(kwargs))))

    def log_exception(self, typ: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        """One line for what a person can put right; the traceback of a bug is logged with its reference."""
        if isinstance(value, MlopsError) and not isinstance(value, Bug):
            self.log.info("%s %s: %s: %s", self.request.method, self.request.path, value.code, value)
        elif isinstance(value, HTTPError):
            super().log_exception(typ, value, tb)

    def _explain(self, status_code: int, error: BaseException | None) -> Mapping[str, Any]:
        if isinstance(error, MlopsError) and not isinstance(error, Bug):
            return error.to_dict()
        if error is None or isinstance(error, HTTPError):
            said = error.log_message if isinstance(error, HTTPError) else None
            return _refusal(status_code, said)
        reference = uuid.uuid4().hex[:12]
        self.log.error("Unexpected error %s in %s %s", reference, self.request.method, self.request.path, exc_info=error)
        said = error.message if isinstance(error, Bug) else "something that jupyter-mlops does not know went wrong"
        return Bug(
            f"{said} (reference {reference})",
            fix=f"Please report it with the lines about {reference} in the log of Jupyter Server.",
        ).to_dict()


class NoSuchRoute(MlopsHandler):
    """Any other path below the interface: a clear 404 in the same form, and only for who may ask at all."""

    async def prepare(self) -> None:
        """Let Jupyter's checks speak first."""
        await super().prepare()
        if not self.current_user:
            raise HTTPError(403)
        raise HTTPError(404, "there is no such route in this version of jupyter-mlops")


async def _in(pool: Executor, call: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(pool, call)


def _raised(kwargs: Mapping[str, Any]) -> BaseException | None:
    found = kwargs.get("exc_info")
    return found[1] if found else None


def _refusal(status_code: int, said: str | None) -> dict[str, Any]:
    """The form of our errors for one of Jupyter or tornado: who is asked to log in need not learn another form."""
    name = responses.get(status_code, "Unknown")
    fixes = {
        403: "Log in, or ask the owner of the server for access.",
        404: "Check the path; front end and server may have different versions.",
        405: "Check the method; front end and server may have different versions.",
        413: "Send less, or run the call from the command line.",
    }
    body = Bug(
        said or name, code=f"http-{status_code}", fix=fixes.get(status_code, "Look into the log of Jupyter Server.")
    ).to_dict()
    return {**body, "blame": "user" if status_code < HTTPStatus.INTERNAL_SERVER_ERROR else "platform"}
