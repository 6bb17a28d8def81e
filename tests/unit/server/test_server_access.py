"""Who may do what: the authoriser is asked for each verb, guests of a shared server only look, and sites cannot forge calls."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from jupyter_server.auth import Authorizer
from tornado.httpclient import HTTPClientError

from tests.unit.server.api_document import example, expected, operations

TWO_STEPS: dict[str, Any] = {
    "nbformat": 4,
    "nbformat_minor": 5,
    "metadata": {},
    "cells": [
        {
            "cell_type": "code",
            "id": name,
            "metadata": {"mlops": {"step": name}},
            "source": "",
            "outputs": [],
            "execution_count": None,
        }
        for name in ("a", "b")
    ],
}

BODIES: dict[str, Any] = {
    "/convert": {"path": "none.ipynb"},
    "/workflow": {"path": "none.ipynb"},
    "/checks": {"path": "none.ipynb"},
    "/steps": {"path": "none.ipynb", "content": TWO_STEPS, "change": {"do": "join", "first": "a", "last": "b"}},
    "/options": {"options": {"timeout": "abc"}},
    "/runs": {"path": "none.ipynb"},
    "/models/{model}/aliases/{alias}": {"tag": "v1"},
    "/services": {"model": "none"},
}

ASKED: dict[str, dict[str, str]] = {
    "/models/{model}/diff": {"from": "v1", "to": "v2"},
    "/datasets/{dataset}/diff": {"from": "v1", "to": "v2"},
    "/lineage": {"of": "models/none:v1"},
    "/runs/{run}/file": {"name": "artifacts/plot.png"},
}
"""Arguments that a path cannot be asked without."""


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
        asked = ASKED.get(path, {}) if verb == "get" else {}
        answer = await call(verb.upper(), example(path), None if verb in {"get", "delete"} else BODIES.get(path), **asked)
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


class TestSite:
    """What another web site, or a page of it, can do with the browser of someone who is logged in."""

    @pytest.fixture
    def jp_server_config(self, mlops_home: Any) -> dict[str, Any]:
        return {
            "ServerApp": {"jpserver_extensions": {"jupyter_mlops": True}, "allow_unauthenticated_access": False},
            "MlopsApp": {"home": str(mlops_home)},
        }

    @pytest.fixture
    def browser(self, jp_serverapp: Any, http_server_client: Any, jp_auth_header: Any, jp_base_url: str) -> Any:
        """A browser that has logged in: it has the cookies, and no token."""

        async def send(verb: str, path: str, *, headers: dict[str, str] | None = None, xsrf: bool = False) -> int:
            login = await http_server_client.fetch(f"{jp_base_url}lab-none", headers=jp_auth_header, raise_error=False)
            pairs = dict(cookie.partition(";")[0].split("=", 1) for cookie in login.headers.get_list("Set-Cookie"))
            assert pairs, "no login cookie"
            sent = {"Cookie": "; ".join(f"{name}={value}" for name, value in pairs.items()), **(headers or {})}
            if xsrf:
                sent["X-XSRFToken"] = pairs["_xsrf"]
            answer = await http_server_client.fetch(
                f"{jp_base_url}jupyter-mlops/{path}", method=verb, headers=sent, raise_error=False, allow_nonstandard_methods=True
            )
            return int(answer.code)

        return send

    @pytest.mark.parametrize(
        ("verb", "path", "genuine"),
        [
            ("POST", "api/v1/runs", 400),
            ("DELETE", "api/v1/runs/none", 404),
            ("PUT", "api/v1/models/none/aliases/x", 400),
            ("POST", "api/v1/services", 400),
            ("POST", "api/v1/services/default/none/predict", 404),
            ("POST", "serve/default/none/v1/models/none:predict", 404),
        ],
    )
    async def test_a_forged_call_is_refused_and_the_genuine_one_passes(
        self, browser: Any, verb: str, path: str, genuine: int
    ) -> None:
        assert await browser(verb, path) == 403
        assert await browser(verb, path, xsrf=True) == genuine

    async def test_other_origins_and_hosts_are_refused(self, browser: Any) -> None:
        assert await browser("GET", "api/v1/status") == 200
        assert await browser("GET", "api/v1/status", headers={"Origin": "http://evil.example"}) == 404
        assert await browser("GET", "api/v1/status", headers={"Host": "evil.example"}) == 403


class TestGuests:
    """On a shared server of a JupyterHub, others than its owner look and no more."""

    @pytest.fixture
    def jp_server_config(self, mlops_home: Any) -> dict[str, Any]:
        return {
            "ServerApp": {"jpserver_extensions": {"jupyter_mlops": True}, "allow_unauthenticated_access": False},
            "MlopsApp": {"home": str(mlops_home)},
        }

    @pytest.mark.parametrize(("allow", "status"), [(False, 403), (True, 400)])
    async def test_a_guest_may_look_but_not_change(
        self, call: Any, app: Any, monkeypatch: pytest.MonkeyPatch, allow: bool, status: int
    ) -> None:
        monkeypatch.setenv("JUPYTERHUB_USER", "owner")
        app.allow_guests = allow
        assert (await call("GET", "/runs", schema="Runs")).status == 200
        answer = await call("POST", "/runs", {})
        assert answer.status == status
        if not allow:
            assert "belongs to owner" in answer.body["message"]

    async def test_the_owner_may(self, call: Any, app: Any, jp_serverapp: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        from jupyter_server.auth import User

        monkeypatch.setenv("JUPYTERHUB_USER", "owner")
        monkeypatch.setattr(type(jp_serverapp.identity_provider), "generate_anonymous_user", lambda *_: User("owner"))
        assert (await call("POST", "/runs", {})).status == 400
