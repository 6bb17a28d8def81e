"""``{{tags}}`` of a Workflow: which there are, and their replacement, as Argo does it for simple tags.

Argo replaces in passes: first what is known of the whole workflow, then a template's own inputs. A text that came in as a
value in one pass is seen by the next, and a tag that no pass knows stays as it is; both are kept here, so that a document
means the same in both places. Tags of the document itself that nothing can ever resolve are found before a run starts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_TAG = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)


def tags(value: Any) -> Iterator[str]:
    """Names inside ``{{…}}`` anywhere in a JSON-like value, without surrounding blanks; expression tags keep their ``=``."""
    if isinstance(value, str):
        for found in _TAG.finditer(value):
            yield found.group(1).strip()
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from tags(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from tags(part)


def replace(value: Any, known: Mapping[str, str]) -> Any:
    """The value with every known tag replaced, once; unknown tags stay. Mappings and lists are copied, not changed."""
    if isinstance(value, str):
        return _TAG.sub(lambda found: known.get(found.group(1).strip(), found.group(0)), value)
    if isinstance(value, Mapping):
        return {key: replace(part, known) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [replace(part, known) for part in value]
    return value
