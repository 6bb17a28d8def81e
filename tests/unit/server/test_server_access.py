"""Who may do what: the authoriser is asked for each verb, guests of a shared server only look, and sites cannot forge calls."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from jupyter_server.auth import Authorizer
from tornado.httpclient import HTTPClientError

from tests.unit.server.api_document import example, expected, operations

BODIES: dict[str, Any] = {
    "/convert": {"path": "none.ipynb"},
    "/workflow": {"path": "none.ipynb"},
    "/runs": {"path": "none.ipynb"},
    "/models/{model}/aliases/{alias}": {"tag": "v1"},
    "/services": {"model": "none"},
}


class LookOnly(Authorizer):
    """Allows reading; remembers what it was asked."""

    asked: ClassVar[list[tuple[str, str]]] = []

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        if resource.startswith("mlops:"):
            self.asked.append((action, resource))
        return action == "read"


@pytest.fixture
def jp_server_config(jp_server_config: dict[str, Any]) -> dict[str, Any]:
    LookOnly.asked = []
    jp_server_config["ServerApp"]["authorizer_class"] = LookOnly
    return jp_server_config


async def test_reading_passes_and_the_rest_is_refused(call: Any) -> None:
    for path, verb, operation in operations():
        answer = await call(verb.upper(), example(path), None if verb == "get" else BODIES.get(path))
        action, resource = expected(verb, operation)
        assert LookOnly.asked[-1] == (action, resource), f"{verb} {path}"
        if action == "read":
            assert answer.status in {200, 404}, f"{verb} {path}: {answer.body}"
        else:
            assert answer.status == 403, f"{verb} {path}"
            assert answer.body["code"] == "http-403"


async def test_the_front_door_asks_too(jp_fetch: Any) -> None:
    for verb, action in (("GET", "read"), ("POST", "execute")):
        with pytest.raises(HTTPClientError) as refused:
            await jp_fetch(
                "jupyter-mlops", "serve", "default", "none", "v2", "health", "ready", method=verb, allow_nonstandard_methods=True
            )
        assert LookOnly.asked[-1] == (action, "mlops:services")
        assert refused.value.code == (404 if action == "read" else 403)
