"""Models and services through the REST interface and the front door, with real model servers."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tornado.httpclient import HTTPClientError

from jupyter_mlops.cli.door import front_doors, url_of
from jupyter_mlops.oci.made import note_made
from jupyter_mlops.oci.modelpack import publish_model
from tests.unit.serving.support import python_model

ROWS = [[1.0, 2.0], [3.0, 4.0]]


def total(rows: Any) -> Any:
    return [sum(row) for row in rows]


@pytest.fixture
def publish(bench: Any, tmp_path: Path) -> Any:
    """Register a version of a model that adds up its columns."""

    def make(name: str = "total") -> Any:
        number = time.monotonic_ns()
        folder = python_model(tmp_path / str(number), total, name=name, sample=ROWS)
        made = publish_model(bench.store, name, folder, key=f"run/step/{number}", annotations={}, metrics={"loss": 0.25})
        note_made(bench.store, made.digest)
        return made

    return make


@pytest.fixture
def services(bench: Any) -> Iterator[Any]:
    """No model server is left after the test."""
    yield bench.services
    for service in bench.services.list():
        bench.services.control(service.name, "delete", service.namespace)


async def ready(call: Any, name: str) -> dict[str, Any]:
    end = time.monotonic() + 60
    while (service := (await call("GET", f"/services/default/{name}", schema="Service")).body)["phase"] not in {"Ready", "Failed"}:
        assert time.monotonic() < end, service
        await asyncio.sleep(0.1)
    assert service["ready"], service
    return service


async def test_models_versions_and_aliases(call: Any, publish: Any) -> None:
    publish()
    publish()
    assert [model["name"] for model in (await call("GET", "/models", schema="Models")).body["models"]] == ["total"]
    one = (await call("GET", "/models", schema="Models", search="TOT", versions=1)).body
    assert (one["total"], one["models"][0]["count"], [each["tag"] for each in one["models"][0]["versions"]]) == (1, 2, ["v2"])
    assert (await call("GET", "/models", schema="Models", search="none")).body == {"models": [], "total": 0}
    for wrong in ({"limit": 0}, {"limit": 1001}, {"limit": "x"}, {"versions": 0}):
        assert (await call("GET", "/models", **wrong)).status == 400, wrong
    model = (await call("GET", "/models/total", schema="Model")).body
    assert [version["tag"] for version in model["versions"]] == ["v2", "v1"]
    assert model["versions"][0]["metrics"] == {"loss": 0.25}

    moved = await call("PUT", "/models/total/aliases/champion", {"tag": "v1"}, schema="Model")
    assert next(version for version in moved.body["versions"] if version["tag"] == "v1")["aliases"] == ["champion"]
    assert (await call("PUT", "/models/total/aliases/champion", {"tag": "v9"})).status == 404
    assert (await call("PUT", "/models/total/aliases/champion", {})).status == 400
    assert (await call("DELETE", "/models/total/versions/v9")).status == 404
    assert (await call("DELETE", "/models/total/versions/v1")).status == 409
    assert (await call("PUT", "/models/total/aliases/champion", {"tag": "v2"})).status == 200
    assert (await call("DELETE", "/models/total/versions/v1")).status == 204
    assert [version["tag"] for version in (await call("GET", "/models/total")).body["versions"]] == ["v2"]
    assert (await call("GET", "/models/none")).status == 404


@pytest.mark.slow
async def test_a_service_from_deploy_to_deletion(call: Any, publish: Any, services: Any, jp_base_url: str, jp_fetch: Any) -> None:
    publish()
    made = await call("POST", "/services", {"model": "total"}, schema="Service")
    assert made.status == 201
    assert made.headers["Location"].endswith("/services/default/total")
    service = await ready(call, "total")
    assert service["url"] == f"{jp_base_url}jupyter-mlops/serve/default/total"
    assert service["model"] == "total:v1"
    assert {one["type"] for one in service["conditions"]} >= {"Ready"}
    assert [one["name"] for one in (await call("GET", "/services", schema="Services")).body["services"]] == ["total"]

    sample = (await call("GET", "/services/default/total/sample", schema="Sample")).body
    assert sample["instances"] == ROWS
    predicted = await call("POST", "/services/default/total/predict", {"instances": ROWS}, schema="Prediction")
    assert predicted.body["predictions"] == [3.0, 7.0]
    assert (await call("POST", "/services/default/total/predict", schema="Prediction")).body["predictions"] == [3.0, 7.0]
    assert (await call("POST", "/services/default/total/predict", {"instances": "x"})).status == 400

    busy = await call("DELETE", "/models/total/versions/v1")
    assert (busy.status, busy.body["code"]) == (409, "conflict")
    assert "services delete total" in busy.body["fix"]

    logs = (await call("GET", "/services/default/total/logs", schema="Logs")).body
    assert logs["done"] is False
    assert logs["lines"]

    assert (await call("POST", "/services/default/total/stop", schema="Service")).status == 200
    assert (await call("POST", "/services/default/total/predict", {"instances": ROWS})).status == 503
    assert (await call("POST", "/services/default/total/start", schema="Service")).status == 200
    await ready(call, "total")
    assert (await call("DELETE", "/services/default/total")).status == 204
    assert (await call("GET", "/services/default/total")).status == 404
    assert (await call("GET", "/models/total", schema="Model")).status == 200


@pytest.mark.slow
async def test_the_front_door(call: Any, publish: Any, services: Any, jp_fetch: Any) -> None:
    publish()
    await call("POST", "/services", {"model": "total"})
    await ready(call, "total")

    async def door(path: str, body: Any = None, **options: Any) -> Any:
        send = {"method": "POST", "body": json.dumps(body)} if body is not None else {}
        return await jp_fetch("jupyter-mlops", "serve", "default", "total", *path.split("/"), **send, **options)

    answer = await door("v1/models/total:predict", {"instances": ROWS})
    assert json.loads(answer.body)["predictions"] == [3.0, 7.0]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert json.loads((await door("v2/models/total")).body)["name"] == "total"
    assert (await door("v2/health/ready")).code == 200
    assert (await door("metrics")).headers["Content-Type"].startswith("text/plain")
    assert "openapi" in json.loads((await door("openapi.json")).body)

    with pytest.raises(HTTPClientError) as rejected:
        await door("v1/models/total:predict", {"instances": "x"})
    assert rejected.value.code == 400
    assert json.loads(rejected.value.response.body)["error"]

    for path in ("", "admin", "v3/models", "v2/%2e%2e/secret", "v1/models/a%20b", "metrics/x"):
        with pytest.raises(HTTPClientError) as refused:
            await door(path)
        assert refused.value.code == 404, path
    with pytest.raises(HTTPClientError) as unknown:
        await jp_fetch("jupyter-mlops", "serve", "default", "none", "v2", "health", "ready")
    assert unknown.value.code == 404


@pytest.mark.slow
async def test_only_headers_of_the_protocol_reach_the_model_server(
    call: Any, publish: Any, services: Any, jp_fetch: Any, bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish()
    await call("POST", "/services", {"model": "total"})
    await ready(call, "total")
    seen: list[Any] = []
    real = type(services).call

    def spy(self: Any, name: str, request: Any, namespace: str = "default") -> Any:
        seen.append(request)
        return real(self, name, request, namespace)

    monkeypatch.setattr(type(services), "call", spy)
    await jp_fetch(
        "jupyter-mlops",
        "serve",
        "default",
        "total",
        "v2",
        "health",
        "ready",
        headers={"Cookie": "a=b", "X-Request-Id": "7"},
        params={"x": "1"},
    )
    assert {name.lower() for name in seen[0].headers} <= {"accept", "content-type", "x-request-id"}
    assert seen[0].headers["X-Request-Id"] == "7"
    assert seen[0].path == "/v2/health/ready?x=1"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"model": "none"}, 404),
        ({"model": "BAD NAME"}, 400),
        ({"model": "total:v9"}, 404),
        ({"model": "total", "name": "No_Label"}, 400),
        ({}, 400),
    ],
)
async def test_a_deployment_that_cannot_be(call: Any, publish: Any, services: Any, body: Any, status: int) -> None:
    publish()
    answer = await call("POST", "/services", body)
    assert answer.status == status, answer.body
    assert answer.body["fix"]
    assert services.list() == []


@pytest.mark.parametrize("path", ["", "/logs", "/sample"])
async def test_an_unknown_service_is_404(call: Any, path: str) -> None:
    assert (await call("GET", f"/services/default/none{path}")).status == 404


async def test_the_command_line_finds_this_server_and_names_its_front_door(
    jp_fetch: Any, app: Any, jp_serverapp: Any, publish: Any, bench: Any
) -> None:
    from jupyter_mlops.serving.base import Service

    jp_serverapp.write_server_info_file()
    doors = await asyncio.to_thread(front_doors)
    assert [door.rstrip("/") for door in doors] == [jp_serverapp.connection_url.rstrip("/")]
    service = Service("total", "default", "Ready", ready=True, url="http://127.0.0.1:1", model="total:v1", created=0)
    url = url_of(service, doors)
    assert url.endswith("/jupyter-mlops/serve/default/total")
    assert jp_serverapp.identity_provider.token not in url
    assert url_of(service, ()) == "http://127.0.0.1:1"


async def test_servers_that_are_gone_or_have_no_extension_are_passed_over(jp_fetch: Any, app: Any, jp_serverapp: Any) -> None:
    runtime = Path(jp_serverapp.runtime_dir)
    jp_serverapp.write_server_info_file()
    (runtime / "jpserver-1.json").write_text(json.dumps({"url": "http://127.0.0.1:9/", "token": "x"}))
    (runtime / "jpserver-2.json").write_text("{")
    (runtime / "jpserver-3.json").write_text(json.dumps({"url": "file:///etc/passwd"}))
    (runtime / "jpserver-4.json").write_text(json.dumps({"url": jp_serverapp.connection_url, "token": "wrong"}))
    assert len(await asyncio.to_thread(front_doors)) == 1
