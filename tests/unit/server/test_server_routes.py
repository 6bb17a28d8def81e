"""Every route of the description exists, every verb asks who calls and what they may, and nothing else answers."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import pytest
from openapi_spec_validator import validate
from tornado.httpclient import HTTPClientError

from jupyter_mlops.server.handlers import ROUTES, table
from jupyter_mlops.server.handlers.base import MlopsHandler, NoSuchRoute
from jupyter_mlops.server.handlers.serve import ServeHandler
from tests.unit.server.api_document import API, VERBS, example, expected, operations

OPERATIONS = operations()
IDS = [f"{verb} {path}" for path, verb, _ in OPERATIONS]
DOOR = [("get", "/serve/default/churn/v2/health/ready", "read"), ("post", "/serve/default/churn/v2/models/churn/infer", "execute")]


def verbs_of(handler: type[MlopsHandler]) -> set[str]:
    """Verbs that a class of ours defines; tornado's own answer 405."""
    return {
        verb for verb in VERBS if any(verb in vars(base) for base in handler.__mro__ if base.__module__.startswith("jupyter_mlops"))
    }


def decorated(handler: type[MlopsHandler], verb: str) -> tuple[str | None, str | None, bool]:
    """Action and resource given to ``authorized`` on a verb, and whether ``authenticated`` stands around it."""
    method = getattr(handler, verb)
    found: dict[str, Any] = {}
    around = False
    for layer in layers(method):
        cells = inspect.getclosurevars(layer).nonlocals
        around = around or ("web" in layer.__globals__.get("__name__", "") and "method" in cells and "action" not in cells)
        if "action" in cells:
            found = cells
    return found.get("action"), found.get("resource"), around


def layers(method: Any) -> Iterator[Any]:
    while method is not None:
        yield method
        method = getattr(method, "__wrapped__", None)


def test_the_description_is_valid_openapi() -> None:
    validate(API)


def test_routes_and_description_name_the_same_paths() -> None:
    assert set(ROUTES) == set(API["paths"])


@pytest.mark.parametrize("path", sorted(ROUTES))
def test_a_route_has_the_verbs_of_its_description(path: str) -> None:
    assert verbs_of(ROUTES[path]) == {verb for verb in VERBS if verb in API["paths"][path]}


@pytest.mark.parametrize(("path", "verb", "operation"), OPERATIONS, ids=IDS)
def test_a_verb_names_action_and_resource_itself(path: str, verb: str, operation: dict[str, Any]) -> None:
    action, resource, around = decorated(ROUTES[path], verb)
    assert (action, resource) == expected(verb, operation)
    assert around, "web.authenticated is missing"
    assert verb in vars(ROUTES[path]), "a decorated verb must not be inherited: the decorator remembers its first class"


def test_the_front_door_names_action_and_resource_itself() -> None:
    assert decorated(ServeHandler, "get") == ("read", "mlops:services", True)
    assert decorated(ServeHandler, "post") == ("execute", "mlops:services", True)


def test_no_two_verbs_share_one_function() -> None:
    handlers = {handler for _, handler in table()} - {NoSuchRoute}
    functions = [getattr(handler, verb) for handler in handlers for verb in verbs_of(handler)]
    assert len(set(map(id, functions))) == len(functions)


@pytest.mark.parametrize(("path", "verb", "operation"), OPERATIONS, ids=IDS)
async def test_nobody_is_answered_without_authentication(jp_fetch: Any, path: str, verb: str, operation: dict[str, Any]) -> None:
    with pytest.raises(HTTPClientError) as refused:
        await jp_fetch(
            "jupyter-mlops", "api", "v1", *example(path).strip("/").split("/"),
            method=verb.upper(), headers={"Authorization": ""}, allow_nonstandard_methods=True,
        )  # fmt: skip
    assert refused.value.code == 403


@pytest.mark.parametrize(("verb", "path", "action"), DOOR)
async def test_the_front_door_is_closed_without_authentication(jp_fetch: Any, verb: str, path: str, action: str) -> None:
    with pytest.raises(HTTPClientError) as refused:
        await jp_fetch(
            "jupyter-mlops",
            *path.strip("/").split("/"),
            method=verb.upper(),
            headers={"Authorization": ""},
            allow_nonstandard_methods=True,
        )
    assert refused.value.code == 403


@pytest.mark.parametrize(
    "path",
    [
        "nothing",
        "runs/UPPER",
        "runs/..%2f..%2fetc",
        "models/a%2fb/versions/v1",
        "datasets/a%2f..%2fb/versions/v1",
        "services/default/x%00",
    ],
)
async def test_any_other_path_is_a_clear_404_and_asks_who_calls(call: Any, jp_fetch: Any, path: str) -> None:
    answer = await call("GET", path)
    assert (answer.status, answer.body["code"]) == (404, "http-404")
    with pytest.raises(HTTPClientError) as refused:
        await jp_fetch("jupyter-mlops", "api", "v1", *path.split("/"), headers={"Authorization": ""})
    assert refused.value.code == 403


async def test_a_verb_that_a_route_has_not_is_405(call: Any) -> None:
    answer = await call("DELETE", "/status")
    assert (answer.status, answer.body["code"]) == (405, "http-405")


def test_every_path_of_the_extension_is_below_its_own_name() -> None:
    assert all(pattern.startswith("/jupyter-mlops/") for pattern, _ in table())
