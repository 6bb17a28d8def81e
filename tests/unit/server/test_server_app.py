"""The extension itself: what can be configured, what it tells of itself, and that slow calls do not stand in the way of others."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from traitlets.config import Config

from jupyter_mlops.server.app import POOL, MlopsApp
from jupyter_mlops.serving.base import Response
from jupyter_mlops.settings import Settings, default_home


def test_without_configuration_the_settings_are_those_of_the_product(mlops_home: Path) -> None:
    assert MlopsApp().mlops_settings == Settings()
    assert MlopsApp().mlops_settings.storage.home == default_home() == mlops_home


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        ("home", "~/models", lambda settings: settings.storage.home == Path.home() / "models"),
        ("keep_runs", 3, lambda settings: settings.storage.keep_runs == 3),
        ("copy_limit", 10, lambda settings: settings.workspace.copy_limit == 10),
        ("stop_grace", 0.5, lambda settings: settings.steps.stop_grace == 0.5),
        ("early_after", -1.0, lambda settings: settings.steps.early_after == -1.0),
        ("pickles", "listed", lambda settings: settings.serving.pickles == "listed"),
        ("ready_timeout", 9.0, lambda settings: settings.serving.ready_timeout == 9.0),
        ("body_limit", 100, lambda settings: settings.serving.body_limit == 100),
    ],
)
def test_each_trait_reaches_the_settings(name: str, value: Any, read: Any) -> None:
    assert read(MlopsApp(config=Config({"MlopsApp": {name: value}})).mlops_settings)


@pytest.mark.parametrize(("name", "value"), [("keep_runs", 0), ("body_limit", 0), ("ready_timeout", 0.0), ("copy_limit", -1)])
def test_values_that_cannot_be_are_refused(name: str, value: Any) -> None:
    from traitlets import TraitError

    with pytest.raises(TraitError):
        MlopsApp(config=Config({"MlopsApp": {name: value}}))


async def test_the_doctor_of_the_panel_knows_its_server_and_tells_no_secret(call: Any, app: Any, jp_serverapp: Any) -> None:
    checks = {check["id"]: check for check in (await call("GET", "/doctor", schema="Doctor")).body["checks"]}
    assert [checks[one]["level"] for one in ("DJ01", "DJ03", "DJ04")] == ["ok", "ok", "ok"]
    token = jp_serverapp.identity_provider.token
    assert token
    assert token not in str(checks) + str(app.facts())


async def test_the_status_names_version_place_and_room(call: Any, app: Any, mlops_home: Path) -> None:
    import jupyter_mlops

    (mlops_home / "runs").mkdir(parents=True)
    (mlops_home / "runs" / "file").write_bytes(b"x" * 1000)
    (mlops_home / "runs" / "link").symlink_to("/usr")
    status = (await call("GET", "/status", schema="Status")).body
    assert status["version"] == jupyter_mlops.__version__
    assert 1000 <= status["disk_bytes"] < 10_000


async def test_slow_models_do_not_keep_the_panels_waiting(
    call: Any, app: Any, jp_fetch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More calls of a model that does not answer than the panels have threads: no such model can be had on demand."""
    release = threading.Event()
    backend = type(app.bench.services)

    def slow(*_: Any) -> Response:
        release.wait(60)
        return Response(200, b"{}")

    monkeypatch.setattr(backend, "call", slow)
    calls = [
        asyncio.ensure_future(jp_fetch("jupyter-mlops", "serve", "default", "slow", "v2", "health", "ready"))
        for _ in range(POOL + 1)
    ]
    try:
        for path in ("/status", "/runs", "/services"):
            assert (await asyncio.wait_for(call("GET", path), 30)).status == 200
        assert not any(one.done() for one in calls)
    finally:
        release.set()
        await asyncio.gather(*calls, return_exceptions=True)


async def test_stopping_ends_the_watcher_and_its_threads(app: Any) -> None:
    watching = app.watcher._task
    await app.stop_extension()
    assert watching.cancelled()
    with pytest.raises(RuntimeError, match="shutdown"):
        app.pool.submit(print)
    await app.stop_extension()


async def test_a_request_above_the_limit_of_predictions_is_refused_at_the_front_door(jp_fetch: Any, app: Any) -> None:
    from dataclasses import replace

    from tornado.httpclient import HTTPClientError

    settings = app.bench.settings
    app.__dict__["bench"] = type(app.bench)(replace(settings, serving=replace(settings.serving, body_limit=10)))
    with pytest.raises(HTTPClientError) as refused:
        await jp_fetch("jupyter-mlops", "serve", "default", "a", "v1", "models", "a:predict", method="POST", body="x" * 11)
    assert refused.value.code == 413
