"""What differs between two versions of a model: metrics, what made it, its signature, its files.

All of it is read from annotations, cards and manifests, so that two versions of many gigabytes are compared without
fetching one of them: the same digest is the same file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jupyter_mlops.registry.models import ModelVersion

_FACTS = ("format", "class", "python", "kernel", "image")


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not the same; ``before`` or ``after`` is None where a version does not have it."""

    part: str
    """``metric``, ``made`` (format, class, Python, kernel, image), ``package``, ``input``, ``output`` or ``file``."""
    name: str
    before: str | float | None
    after: str | float | None


def compare(
    before: ModelVersion, after: ModelVersion, files_before: Mapping[str, str], files_after: Mapping[str, str]
) -> tuple[Difference, ...]:
    """All differences, part by part and by name within one; none for a version and itself.

    Args:
        before: a version with its card.
        after: the one that it is compared with.
        files_before: path → digest, of ``before``.
        files_after: path → digest, of ``after``.
    """
    pairs: list[tuple[str, Mapping[str, Any], Mapping[str, Any]]] = [
        ("metric", before.metrics, after.metrics),
        ("made", _facts(before), _facts(after)),
        ("package", before.card.get("packages") or {}, after.card.get("packages") or {}),
        ("input", _tensors(before.inputs), _tensors(after.inputs)),
        ("output", _tensors(before.outputs), _tensors(after.outputs)),
        ("file", files_before, files_after),
    ]
    return tuple(found for part, old, new in pairs for found in _differences(part, old, new))


def _differences(part: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Difference]:
    for name in sorted({*old, *new}):
        was, now = old.get(name), new.get(name)
        both_not_a_number = was != was and now != now  # noqa: PLR0124 - NaN is the one value that differs from itself
        if was != now and not both_not_a_number:
            yield Difference(part, name, was, now)


def _facts(version: ModelVersion) -> Mapping[str, str]:
    card = {**version.card, "format": version.format}
    return {name: str(card[name]) for name in _FACTS if card.get(name)}


def _tensors(tensors: Sequence[Mapping[str, Any]]) -> Mapping[str, str]:
    """Name → datatype and shape; the order of columns belongs to the model too, so that it is part of what is compared."""
    return {
        str(tensor.get("name", "")): f"{number}: {tensor.get('datatype', '?')}{_shape(tensor.get('shape'))}"
        for number, tensor in enumerate(tensors, 1)
    }


def _shape(shape: object) -> str:
    return f" {shape}" if shape else ""
