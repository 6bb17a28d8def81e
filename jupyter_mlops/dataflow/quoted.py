"""Names of the notebook that a text asks for: of the caller's names in ``df.query("size > @least")``, in a formula, in SQL.

The rules are those by which a step is given names at run time (``session/mentions.py``, which travels and shares no code with
the plan): a text that is taken for a formula by mistake costs a link, never a result.
"""

from __future__ import annotations

import re

LONGEST = 20_000
"""Characters of a text up to which it is looked at."""

_WORD = re.compile(r"[^\W\d]\w*")
_FORMULA = re.compile(r"~\s*[\w(+-]")
_SQL = re.compile(
    r"\A[\s(]*(?:--[^\n]*\n\s*)*(?:select\b.*?\bfrom|(?:with|insert|create|explain|copy|merge|update)\b.*?\b(?:select|from|using))\b",
    re.IGNORECASE | re.DOTALL,
)
_TABLES = re.compile(
    r"\b(?:from|join|using|update|describe|summarize|pivot)\s+((?:[\w.\"]+(?:\s+(?:as\s+)?\w+)?\s*,\s*)*[\w.\"]+)", re.IGNORECASE
)
_OF_CALLER = re.compile(r"(?<!\w)@([^\W\d]\w*)")


def quoted_names(text: str) -> frozenset[str]:
    """Words of a formula (``"y ~ np.log(x)"``); names after ``@``, and of tables in SQL, in any other text."""
    if len(text) > LONGEST:
        return frozenset()
    if "~" in text and _FORMULA.search(text):
        return words_of(text)
    return frozenset(_OF_CALLER.findall(text)) | (tables_of(text) if _SQL.match(text) else frozenset())


def tables_of(text: str) -> frozenset[str]:
    """Names of tables, and what they are called for short, in a text that is SQL or a part of it."""
    if len(text) > LONGEST:
        return frozenset()
    return frozenset(word for listed in _TABLES.findall(text) for word in _WORD.findall(listed))


def words_of(text: str) -> frozenset[str]:
    """Every word of a text that is an expression."""
    return frozenset(_WORD.findall(text)) if len(text) <= LONGEST else frozenset()
