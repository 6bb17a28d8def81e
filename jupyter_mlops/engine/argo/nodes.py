"""The nodes of a Workflow that became too large: Argo packs them (gzip, base64), or moves them into a database.

Every reader wants ``status.nodes``, so a document is unpacked once, where it comes in. What cannot be read here is said,
never shown as a run without steps.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import importlib
import json
import zlib
from collections.abc import Mapping
from typing import Any

from jupyter_mlops.engine.base import Failure

LIMIT = 64 << 20
"""Bytes of unpacked nodes at most: a Workflow of 200 steps has a few MB."""

_ZSTD = b"\x28\xb5\x2f\xfd"
_SEE_ARGO = "See the run in Argo's own pages or with `argo get`; stopping and deleting it works from here."


def unpack(workflow: Mapping[str, Any]) -> tuple[Mapping[str, Any], Failure | None]:
    """The Workflow with its nodes, and why they cannot be read where they cannot."""
    status = workflow.get("status")
    if not isinstance(status, Mapping):
        return workflow, None
    packed = status.get("compressedNodes")
    if isinstance(packed, str) and packed:
        nodes, problem = _read(packed)
        if problem:
            return workflow, Failure("nodes-unreadable", problem, blame="platform", fix=_SEE_ARGO)
        rest = {key: value for key, value in status.items() if key != "compressedNodes"}
        return {**workflow, "status": {**rest, "nodes": nodes}}, None
    if status.get("offloadNodeStatusVersion") and not status.get("nodes"):
        said = "Argo keeps the steps of this run in its own database, because they are too large for one object"
        return workflow, Failure("nodes-offloaded", said, blame="platform", fix=_SEE_ARGO)
    return workflow, None


def pack(nodes: Mapping[str, Any]) -> str:
    """Nodes as Argo packs them."""
    data = json.dumps(nodes, ensure_ascii=False, separators=(",", ":")).encode()
    return base64.b64encode(gzip.compress(data, mtime=0)).decode()


def _read(packed: str) -> tuple[Mapping[str, Any], str]:
    """Nodes, or what is wrong with them."""
    try:
        data = base64.b64decode(packed, validate=True)
    except (binascii.Error, ValueError):
        return {}, "the steps of this run are stored in a form that cannot be read here"
    if data.startswith(_ZSTD):
        try:
            plain = importlib.import_module("compression.zstd").decompress(data)  # Python 3.14 has it
        except Exception:  # noqa: BLE001 - absent, or a damaged frame: either way it cannot be read
            return {}, "the steps of this run are packed with zstd, which this Python cannot read"
    elif data.startswith(b"\x1f\x8b"):
        try:
            unpacker = zlib.decompressobj(wbits=31)
            plain = unpacker.decompress(data, LIMIT)
        except zlib.error:
            return {}, "the packed steps of this run are damaged"
        if unpacker.unconsumed_tail:
            return {}, f"the steps of this run take more than {LIMIT >> 20} MiB"
    else:
        return {}, "the steps of this run are packed in another way than gzip (Argo 4.1 may use brotli)"
    try:
        nodes = json.loads(plain)
    except ValueError:
        nodes = None
    return (nodes, "") if isinstance(nodes, dict) else ({}, "the packed steps of this run are damaged")
