"""Weights alone, as safetensors: nothing runs when they are read, and nothing can be called either."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from jupyter_mlops.errors import PlatformError
from jupyter_mlops.formats.base import UnsuitedError, Written
from jupyter_mlops.formats.modules import is_module, is_tensors


@dataclass(frozen=True, slots=True)
class Safetensors:
    """``model.safetensors``: of what ``state_dict()`` gives; of a module where the format is asked for."""

    name: str = "safetensors"
    needs: tuple[str, ...] = ("safetensors", "torch")
    runs: Literal["nothing"] = "nothing"

    def owns(self, model: Any) -> bool:
        """Tensors by name, and modules."""
        return is_tensors(model) or is_module(model)

    def write(self, model: Any, folder: Path) -> Written:
        """Raises UnsuitedError where safetensors is not installed, or two names of a ``state_dict`` are one tensor."""
        if find_spec("safetensors") is None:
            raise UnsuitedError("safetensors is not installed")
        from safetensors.torch import save_file, save_model

        path = folder / "model.safetensors"
        try:
            if is_module(model):
                save_model(model, str(path), {"format": "pt"})  # names tied weights once, and loads them so
            else:
                save_file({name: tensor.contiguous() for name, tensor in model.items()}, str(path), {"format": "pt"})
        except RuntimeError as error:
            path.unlink(missing_ok=True)
            raise UnsuitedError(str(error).strip().partition("\n")[0][:300]) from error
        return Written(self.name, path.name, pickle=False)

    def read(self, path: Path, card: Mapping[str, Any]) -> Any:
        """Never: which module they belong to is not told."""
        del card
        raise PlatformError(
            f"{path.name} holds weights alone, and no model to call",
            code="model-format",
            fix="Load them into their module in a notebook, and register that: log_model(module, name).",
        )
