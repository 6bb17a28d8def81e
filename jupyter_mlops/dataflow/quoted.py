"""Names of the notebook that a text asks for: of the caller's names in ``df.query("size > @least")``, or in a formula.

The rules are those by which a step is given names at run time (``session/mentions.py``, which travels and shares no code with
the plan): a text that is taken for a formula by mistake costs a link, never a result.
"""

from __future__ import annotations

import re

LONGEST = 20_000
"""Characters of a text up to which it is looked at."""

_WORD = re.compile(r"[^\W\d]\w*")
_FORMULA = re.compile(r"~\s*[\w(+-]")
_OF_CALLER = re.compile(r"(?<!\w)@([^\W\d]\w*)")


def quoted_names(text: str) -> frozenset[str]:
    """Words of a formula (``"y ~ np.log(x)"``), names after ``@`` in any other text."""
    if len(text) > LONGEST:
        return frozenset()
    return frozenset((_WORD if _FORMULA.search(text) else _OF_CALLER).findall(text))
