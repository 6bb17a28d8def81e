"""Whatever is in a file: it is imported or refused in words, and never ends in an error of Python."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_mlops.errors import Refused
from jupyter_mlops.importers.base import Imported, Source
from jupyter_mlops.importers.find import importer_of
from tests.unit.importers.samples import SAMPLES

JUNK = st.sampled_from(
    [None, 0, 1.5, True, "", "x", "a=b", [], [None], [1], ["x"], {}, {"x": None}, {"name": 1}, [{}], [[]], {"x": [{}]}]
)
PLAIN = {name: sample for name, sample in SAMPLES.items() if not isinstance(sample.files[sample.main], str)}


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place of a document, but those of a notebook that its reader checks before an importer sees it."""
    if path and path[0] != "cells":
        yield path
    if path[:1] == ("cells",) and len(path) > 2 and path[2] == "metadata":
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


@pytest.mark.parametrize("name", PLAIN)
@given(data=st.data())
@settings(deadline=None, max_examples=60)
def test_junk_is_imported_or_refused(name: str, data: st.DataObject) -> None:
    import json

    sample = PLAIN[name]
    document = copy.deepcopy(sample.files[sample.main])
    listed = list(places(document))
    for path in data.draw(st.lists(st.sampled_from(listed), min_size=1, max_size=3)):
        inner = document
        try:
            for key in path[:-1]:
                inner = inner[key]
            inner[path[-1]] = copy.deepcopy(data.draw(JUNK))
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change has taken this place away

    def read(file: str) -> str:
        if file not in sample.files:
            raise FileNotFoundError(file)
        content = sample.files[file]
        return content if isinstance(content, str) else json.dumps(content)

    source = Source(sample.main, document, read)
    found: Imported | Refused
    try:
        found = importer_of(source).convert(source)
    except Refused as refused:
        found = refused
    if isinstance(found, Imported):
        json.dumps(found.document)
        assert all(item.meaning for item in found.items)
    else:
        assert found.fix
