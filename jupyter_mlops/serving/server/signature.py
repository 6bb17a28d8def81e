"""What a model takes and gives, as it was recorded when the model was (``models/mlops.json``).

The signature is what makes a 400 name the column instead of repeating what scikit-learn says, what V2 metadata answers,
and what the examples are made from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from jupyter_mlops.errors import PlatformError
from jupyter_mlops.serving.server.datatypes import NUMPY


@dataclass(frozen=True)
class Tensor:
    """One named input or output; ``-1`` in a shape stands for any length.

    An empty ``datatype`` is one that was not recorded: values are then taken as they come.
    """

    name: str
    datatype: str
    shape: tuple[int, ...] = (-1,)

    def to_dict(self) -> dict[str, Any]:
        """As V2 metadata writes it."""
        return {"name": self.name, "datatype": self.datatype, "shape": list(self.shape)}


@dataclass(frozen=True)
class Signature:
    """``kind``: columns (a table with named columns), tensor (one array) or any (a list of JSON values, unchecked)."""

    kind: str = "any"
    inputs: tuple[Tensor, ...] = ()
    shape: tuple[int, ...] = ()
    outputs: tuple[Tensor, ...] = ()
    sample: tuple[Any, ...] = ()

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, in the order in which the model was given them."""
        return tuple(tensor.name for tensor in self.inputs)

    @cached_property
    def mixed(self) -> frozenset[str]:
        """Text columns whose recorded sample holds something else too, so that such values are taken."""
        rows = [row for row in self.sample if isinstance(row, Mapping)]
        text = [tensor.name for tensor in self.inputs if tensor.datatype == "BYTES"]
        return frozenset(name for name in text if any(not isinstance(row.get(name), str | None) for row in rows))

    @cached_property
    def numeric(self) -> bool:
        """Every input is a number or a truth value."""
        return all(tensor.datatype not in {"BYTES", ""} for tensor in self.inputs)

    @cached_property
    def uniform(self) -> str | None:
        """The one datatype of all inputs, if they have one."""
        types = {tensor.datatype for tensor in self.inputs}
        return types.pop() if len(types) == 1 else None


def signature_of(card: Mapping[str, Any]) -> Signature:
    """Read the signature of a model card. Raises PlatformError where the card is not one."""
    given = card.get("signature") or {}
    try:
        sample = (card.get("sample") or {}).get("instances") or []
        kind, inputs, shape = _inputs(given)
        return Signature(kind, inputs, shape, tuple(_tensor(item) for item in given.get("outputs") or []), tuple(sample))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise PlatformError(
            f"the model card's signature cannot be read: {error}", code="model-card", fix="Register the model again with log_model."
        ) from error


def _inputs(given: Mapping[str, Any]) -> tuple[str, tuple[Tensor, ...], tuple[int, ...]]:
    """Kind, inputs and shape; of a model registered without data, what the estimator itself remembers of its training."""
    kind = _kind(given.get("kind", "any"))
    if kind == "any" and (names := given.get("feature_names")):
        return "columns", tuple(Tensor(str(name), "") for name in names), (-1, len(names))
    if kind == "any" and (count := given.get("n_features")):
        return "tensor", (), (-1, int(count))
    return kind, tuple(_tensor(item) for item in given.get("inputs") or []), tuple(int(size) for size in given.get("shape") or [])


def _kind(kind: str) -> str:
    if kind not in {"columns", "tensor", "any"}:
        raise ValueError(f"kind is {kind!r}")
    return kind


def _tensor(item: Mapping[str, Any]) -> Tensor:
    datatype = str(item["datatype"])
    if datatype not in NUMPY:
        raise ValueError(f"{item['name']!r} has datatype {datatype!r}")
    return Tensor(str(item["name"]), datatype, tuple(int(size) for size in item.get("shape") or [-1]))
