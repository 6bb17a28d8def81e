"""Nodes that Argo packed or moved away."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.engine.argo import nodes
from jupyter_mlops.engine.argo.nodes import pack, unpack

NODES = {"wf-1": {"id": "wf-1", "displayName": "lädt", "phase": "Running"}}
ZSTD = base64.b64encode(b"\x28\xb5\x2f\xfd" + b"\0" * 20).decode()


def workflow(**status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "wf"}, "status": {"phase": "Running", **status}}


def test_packed_nodes_are_read_as_argo_wrote_them() -> None:
    packed = base64.b64encode(gzip.compress(json.dumps(NODES).encode())).decode()
    found, problem = unpack(workflow(compressedNodes=packed))
    assert problem is None
    assert found["status"] == {"phase": "Running", "nodes": NODES}


@given(st.dictionaries(st.text(min_size=1), st.dictionaries(st.text(), st.text() | st.integers() | st.none()), min_size=1))
def test_what_is_packed_is_unpacked_the_same(given_nodes: dict[str, Any]) -> None:
    found, problem = unpack(workflow(compressedNodes=pack(given_nodes)))
    assert (found["status"]["nodes"], problem) == (given_nodes, None)


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        ({"compressedNodes": "§"}, "nodes-unreadable", "form that cannot be read"),
        ({"compressedNodes": ZSTD}, "nodes-unreadable", "zstd"),
        ({"compressedNodes": base64.b64encode(b"\x0b\x02\x80brotli").decode()}, "nodes-unreadable", "brotli"),
        ({"compressedNodes": base64.b64encode(b"\x1f\x8bnothing").decode()}, "nodes-unreadable", "damaged"),
        ({"compressedNodes": base64.b64encode(gzip.compress(b"[1]")).decode()}, "nodes-unreadable", "damaged"),
        ({"compressedNodes": base64.b64encode(gzip.compress(b"{")).decode()}, "nodes-unreadable", "damaged"),
        ({"offloadNodeStatusVersion": "fnv:123"}, "nodes-offloaded", "database"),
    ],
)
def test_what_cannot_be_read_is_said(status: dict[str, Any], code: str, words: str) -> None:
    document = workflow(**status)
    found, problem = unpack(document)
    assert found is document
    assert problem is not None
    assert (problem.code, problem.blame) == (code, "platform")
    assert words in problem.message
    assert "argo get" in problem.fix


def test_a_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodes, "LIMIT", 1000)
    packed = base64.b64encode(gzip.compress(json.dumps({"a": "x" * 5000}).encode())).decode()
    _, problem = unpack(workflow(compressedNodes=packed))
    assert problem is not None
    assert "more than" in problem.message


@pytest.mark.parametrize(
    "document", [{}, {"status": None}, {"status": []}, workflow(), workflow(nodes=NODES), workflow(compressedNodes="")]
)
def test_other_documents_stay_as_they_are(document: dict[str, Any]) -> None:
    assert unpack(document) == (document, None)


def test_a_run_that_was_offloaded_but_has_its_nodes_is_read() -> None:
    assert unpack(workflow(offloadNodeStatusVersion="fnv:1", nodes=NODES))[1] is None
