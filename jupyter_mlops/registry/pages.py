"""A page of a long list of models: those whose name or alias is looked for, and of each the newest versions.

A registry with a thousand models of two hundred versions is a hundred megabytes of JSON; nobody reads that, and no browser should.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jupyter_mlops.registry.models import Model, Models, ModelVersion, to_json

MODELS = 100
"""Models of a page, where nobody says otherwise."""

VERSIONS = 20
"""Versions of each; those that have an alias are there besides."""


@dataclass(frozen=True, slots=True)
class Page:
    """The first of what was found."""

    models: tuple[tuple[Model, int], ...]
    """Each with its newest versions, and how many it has."""

    total: int
    """Models that were found; the page may have fewer."""

    def to_json(self) -> dict[str, Any]:
        """As REST shows it."""
        return {"models": [{**to_json(model), "count": count} for model, count in self.models], "total": self.total}


def page(models: Models, search: str = "", *, limit: int = MODELS, versions: int = VERSIONS) -> Page:
    """The first models, by name, whose name or one of whose aliases has a text.

    Args:
        models: of a registry.
        search: the text, in letters of either case; '' finds all.
        limit: models of the page at most.
        versions: newest versions of each at most; those with an alias are there besides.
    """
    wanted = search.strip().lower()
    found = [one for one in models.summaries() if any(wanted in text.lower() for text in (one.name, *one.aliases))]
    shown = models.list([one.name for one in found[:limit]])
    return Page(tuple((Model(each.name, _first(each.versions, versions)), len(each.versions)) for each in shown), len(found))


def _first(versions: Sequence[ModelVersion], most: int) -> tuple[ModelVersion, ...]:
    return tuple(version for number, version in enumerate(versions) if number < most or version.aliases)
