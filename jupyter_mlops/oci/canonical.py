"""Canonical JSON: the same document always has the same bytes, hence the same digest.

Keys sorted, no spaces, everything beyond ASCII escaped (so that a lone surrogate, which cell outputs can hold, survives),
and no NaN, which is not JSON and which other tools refuse.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from jupyter_mlops.errors import Bug, Corrupt


def canonical(document: Mapping[str, Any]) -> bytes:
    """The bytes of a document.

    Raises:
        Bug: it holds what JSON cannot say (NaN, an object); whoever made the document had to see to that.
    """
    try:
        return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")
    except (TypeError, ValueError) as error:
        raise Bug(f"a document is not JSON: {error}", fix="Please report this with the log.") from error


def parse_object(data: bytes, what: str) -> dict[str, Any]:
    """The JSON object that these bytes are; ``what`` names them in the error.

    Raises:
        Corrupt: they are no JSON object.
    """
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Corrupt(f"{what} is not JSON: {error}", fix="Push it again, or delete what refers to it.") from error
    if not isinstance(document, dict):
        raise Corrupt(f"{what} is not a JSON object", fix="Push it again, or delete what refers to it.")
    return document
