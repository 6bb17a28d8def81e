"""An error leaves the server with its status and its fix; a bug leaves a reference and nothing else."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from jupyter_mlops.errors import Conflict, NotAllowed, PredictionRejected, Refused, StorageFull, Unavailable


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, None),
        ({"path": 7}, "$.path"),
        ({"path": "a.ipynb", "parameters": [1]}, "$.parameters"),
        ({"path": "a.ipynb", "kernel": {"name": "x"}}, "$.kernel"),
        ([], None),
    ],
)
async def test_a_body_that_does_not_fit_names_the_path(call: Any, body: Any, field: str | None) -> None:
    answer = await call("POST", "/runs", body)
    assert (answer.status, answer.body["code"], answer.body["field"]) == (400, "wrong-usage", field)


async def test_a_body_that_is_not_json(jp_fetch: Any, call: Any) -> None:
    from tornado.httpclient import HTTPClientError

    with pytest.raises(HTTPClientError) as refused:
        await jp_fetch("jupyter-mlops", "api", "v1", "runs", method="POST", body="{'path': 1}")
    assert refused.value.code == 400


@pytest.mark.parametrize(("name", "value"), [("limit", "0"), ("limit", "201"), ("limit", "many"), ("before", "yesterday")])
async def test_a_query_that_cannot_be_right_names_the_argument(call: Any, name: str, value: str) -> None:
    answer = await call("GET", "/runs", **{name: value})
    assert (answer.status, answer.body["field"]) == (400, name)


async def test_a_body_that_is_too_large(call: Any) -> None:
    answer = await call("POST", "/runs", {"path": "a" * (2 << 20)})
    assert (answer.status, answer.body["code"]) == (413, "http-413")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Refused("no"), 422),
        (Conflict("busy"), 409),
        (NotAllowed("policy"), 403),
        (PredictionRejected("columns"), 400),
        (StorageFull("full"), 507),
        (Unavailable("later"), 503),
    ],
)
async def test_each_error_has_its_status(
    call: Any, jp_serverapp: Any, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
) -> None:
    """Raised where the room would raise it: a full disk or a lost registry cannot be made here."""
    raise_in_status(monkeypatch, error)
    answer = await call("GET", "/status")
    assert (answer.status, answer.body["message"]) == (status, str(error.args[0]))


async def test_a_bug_leaves_a_reference_and_its_traceback_in_the_log(
    call: Any, jp_serverapp: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    raise_in_status(monkeypatch, ZeroDivisionError("a secret detail"))
    logger = next(iter(jp_serverapp.extension_manager.extension_apps["jupyter_mlops"])).log
    logger.addHandler(caplog.handler)
    with caplog.at_level(logging.ERROR):
        answer = await call("GET", "/status")
    logger.removeHandler(caplog.handler)
    assert (answer.status, answer.body["code"], answer.body["blame"]) == (500, "bug", "us")
    assert "secret" not in str(answer.body)
    reference = answer.body["message"].rsplit(" ", 1)[-1].rstrip(")")
    record = next(record for record in caplog.records if reference in record.getMessage())
    assert record.exc_info
    assert record.exc_info[0] is ZeroDivisionError


async def test_no_answer_can_be_taken_for_a_page(call: Any) -> None:
    for path in ("/status", "/nothing"):
        answer = await call("GET", path)
        assert answer.headers["Content-Type"].startswith("application/json")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def raise_in_status(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(_folder: Any) -> int:
        raise error

    monkeypatch.setattr("jupyter_mlops.server.handlers.status.disk_bytes", fail)
