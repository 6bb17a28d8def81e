"""A notebook as text again, in the form that its file had: an edit of one key shows as one line in a diff."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any


def text_of(document: Mapping[str, Any], like: str) -> str:
    """The document as JSON, with the indent, the escapes and the last newline of the text that it was read from.

    Keys keep the order that they have. Jupyter's own form is one blank as indent and no escapes.
    """
    match = re.match(r"\s*\{\s*?\n([ \t]+)\S", like)
    indent = match[1] if match else None
    compact = indent is None and re.match(r'\s*\{"[^"]*":\S', like) is not None
    separators = (",", ":") if compact else ((",", ": ") if indent else None)
    escapes = like.isascii() and re.search(r"(?<!\\)(?:\\\\)*\\u[0-9a-fA-F]{4}", like) is not None
    found = json.dumps(document, indent=indent, ensure_ascii=escapes, separators=separators)
    return found + ("\n" if like.endswith("\n") else "")
