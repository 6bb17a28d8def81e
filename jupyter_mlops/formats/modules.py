"""PyTorch's modules as something to call with rows: tables, arrays and lists in, arrays out, and nothing of the module changed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from jupyter_mlops.formats.base import Predict


def is_module(model: Any) -> bool:
    """Whether it is a ``torch.nn.Module``; PyTorch is not imported to tell."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(model, torch.nn.Module)


def is_tensors(model: Any) -> bool:
    """Whether it is what ``state_dict()`` gives: tensors by name."""
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(model, dict) or not model:
        return False
    return all(isinstance(name, str) and isinstance(one, torch.Tensor) for name, one in model.items())


def as_rows(data: Any) -> Any:
    """A tensor as an array; anything else as it is."""
    torch = sys.modules.get("torch")
    return _as_array(data) if torch is not None and isinstance(data, torch.Tensor) else data


def caller(module: Any) -> Predict:
    """The module in its mode of evaluation, without gradients.

    Numbers become the type of the module's weights. Whole numbers stay what they are where the first layer looks them up
    (``Embedding``), which no other layer takes.
    """

    def predict(rows: Any) -> Any:
        import torch

        with evaluating(module), torch.no_grad():
            return _as_array(module(_as_tensor(module, rows)))

    return predict


@contextmanager
def evaluating(module: Any) -> Iterator[None]:
    """In the mode of evaluation; afterwards each part is in the mode that it was in, which need not be one for all."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training


def _as_tensor(module: Any, rows: Any) -> Any:
    import numpy as np
    import torch

    first = next(module.parameters(), None)
    array = np.asarray(rows.to_numpy() if hasattr(rows, "to_numpy") else rows)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"a module of PyTorch takes numbers, not {array.dtype}")
    tensor = torch.from_numpy(np.array(array))  # a copy: what was handed over may be read-only
    if first is None:
        return tensor
    looked_up = array.dtype.kind in "iu" and _looks_up(module)
    return tensor.to(device=first.device, dtype=torch.int64 if looked_up else first.dtype)


def _looks_up(module: Any) -> bool:
    """Whether the first of its layers that has weights is an embedding."""
    layers = (part for part in module.modules() if any(True for _ in part.parameters(recurse=False)))
    layer = next(layers, None)
    return str(getattr(layer, "original_name", "") or type(layer).__name__).startswith("Embedding")


def _as_array(found: Any) -> Any:
    """Tensors as arrays, in lists and dictionaries too. Types that numpy lacks (bfloat16) become float32."""
    import torch

    if isinstance(found, torch.Tensor):
        tensor = found.detach().cpu()
        return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()
    if isinstance(found, dict):
        return {name: _as_array(one) for name, one in found.items()}
    if isinstance(found, (list, tuple)):
        return [_as_array(one) for one in found]
    return found
