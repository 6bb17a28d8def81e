"""Calls of the REST interface, with answers held against ``api.yaml``."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat  # noqa: TID253  (a test may take its time)
import pytest
from tornado.httpclient import HTTPClientError

from tests.unit.server.api_document import check


@dataclass(frozen=True)
class Answer:
    """Status, headers and JSON of an answer."""

    status: int
    headers: Any
    body: Any


@pytest.fixture
def call(jp_fetch: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Answer]]:
    """``await call("GET", "/runs", schema="Runs")``; errors are answers too, and fit the schema of errors."""

    async def _call(verb: str, path: str, body: Any = None, *, schema: str | None = None, **params: Any) -> Answer:
        send = {"body": json.dumps(body)} if body is not None else {"allow_nonstandard_methods": True}
        try:
            reply = await jp_fetch("jupyter-mlops", "api", "v1", *path.strip("/").split("/"), method=verb, params=params, **send)
        except HTTPClientError as error:
            found = json.loads(error.response.body)
            check("Error", found)
            return Answer(error.code, error.response.headers, found)
        kind = reply.headers.get("Content-Type", "")
        found = json.loads(reply.body) if reply.body and "json" in kind else reply.body
        if schema is not None:
            check(schema, found)
        return Answer(reply.code, reply.headers, found)

    return _call


@pytest.fixture
def write_notebook(jp_root_dir: Path) -> Callable[..., Path]:
    """``write_notebook("a.ipynb", "x = 1", "print(x)")``."""

    def write(name: str, *sources: str, **metadata: Any) -> Path:
        cells = [nbformat.v4.new_code_cell(source, id=f"cell-{index}") for index, source in enumerate(sources)]
        spec = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        notebook = nbformat.v4.new_notebook(cells=cells, metadata={**spec, **metadata})
        path = jp_root_dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, path)
        return path

    return write


@pytest.fixture
def app(jp_serverapp: Any, jp_asyncio_loop: Any) -> Any:
    """The extension, started as a server starts it once its loop is up (the fixtures of pytest-jupyter stop before that)."""
    found = next(iter(jp_serverapp.extension_manager.extension_apps["jupyter_mlops"]))
    jp_asyncio_loop.run_until_complete(found._start_jupyter_server_extension(jp_serverapp))
    return found


@pytest.fixture
def bench(app: Any) -> Any:
    """The product behind the server."""
    return app.bench
