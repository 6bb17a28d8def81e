"""PyTorch's modules: as TorchScript, which needs no class of theirs where they are served; else as torch's own pickle.

Neither is harmless. A pickle runs what it names; TorchScript is a program too, whose operations read and write files
(https://github.com/pytorch/pytorch/security/policy: "PyTorch models are programs"). Weights alone are: see ``weights.py``.
"""

from __future__ import annotations

import io
import pickle
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from jupyter_mlops.errors import PlatformError
from jupyter_mlops.formats.base import UnsuitedError, Written
from jupyter_mlops.formats.byvalue import needs_notebook
from jupyter_mlops.formats.modules import evaluating, is_module, is_tensors


@dataclass(frozen=True, slots=True)
class TorchScript:
    """``model.torchscript``: compiled from the module's source, in its mode of evaluation."""

    name: str = "torchscript"
    needs: tuple[str, ...] = ("torch",)
    runs: Literal["anything"] = "anything"

    def owns(self, model: Any) -> bool:
        """Modules, those that were compiled or traced already too."""
        return is_module(model)

    def write(self, model: Any, folder: Path) -> Written:
        """Raises UnsuitedError where TorchScript cannot say what the module does, or loses weights of it."""
        import torch

        buffer = io.BytesIO()
        try:
            with evaluating(model), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of releases that would rather have the module exported
                torch.jit.save(torch.jit.script(model), buffer)
                buffer.seek(0)
                again = torch.jit.load(buffer, map_location="cpu").state_dict()
        except Exception as error:  # each part of the compiler has errors of its own
            raise UnsuitedError(f"TorchScript cannot say what it does: {_first_line(error)}") from error
        if not _equal(model.state_dict(), again):
            raise UnsuitedError("its weights are others in TorchScript")
        (folder / "model.torchscript").write_bytes(buffer.getvalue())
        return Written(self.name, "model.torchscript", pickle=True)

    def read(self, path: Path, card: Mapping[str, Any]) -> Any:
        """On the processor; who calls it gets arrays."""
        import torch

        del card
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of releases that would rather have the module exported
                return torch.jit.load(str(path), map_location="cpu").eval()
        except RuntimeError as error:
            raise _no_file(path, error) from error


@dataclass(frozen=True, slots=True)
class Torch:
    """``model.pt`` by ``torch.save``: for modules whose classes are installed, and that TorchScript cannot say."""

    name: str = "torch"
    needs: tuple[str, ...] = ("torch",)
    runs: Literal["torch"] = "torch"

    def owns(self, model: Any) -> bool:
        """Modules."""
        return is_module(model)

    def write(self, model: Any, folder: Path) -> Written:
        """Raises UnsuitedError for classes of the notebook, which are not there where it is read."""
        import torch

        if isinstance(model, torch.jit.ScriptModule):
            raise UnsuitedError("it is TorchScript already")
        if needs_notebook(model):
            raise UnsuitedError("the module has classes or functions of the notebook")
        torch.save(model, folder / "model.pt")
        return Written(self.name, "model.pt", pickle=True)

    def read(self, path: Path, card: Mapping[str, Any]) -> Any:
        """Weights alone are told from modules without running anything, and refused: nobody can call them."""
        import torch

        del card
        try:
            found = torch.load(str(path), map_location="cpu", weights_only=True)
        except Exception:  # noqa: BLE001 - no weights alone: whether more may be run was asked before
            try:
                found = torch.load(str(path), map_location="cpu", weights_only=False)
            except (RuntimeError, OSError, EOFError, ValueError, pickle.UnpicklingError) as error:
                raise _no_file(path, error) from error
        if is_tensors(found) or (isinstance(found, dict) and not callable(found)):
            raise PlatformError(
                f"{path.name} holds weights alone, and no module to call", code="model-format",
                fix="Make the module, load the weights into it, and register that: log_model(module, name).",
            )  # fmt: skip
        return found.eval() if is_module(found) else found  # once: calls at the same time change no mode then


def _equal(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two modules have the same weights, bit for bit."""
    import torch

    if set(one) != set(other):
        return False
    pairs = ((tensor.detach().cpu(), other[name]) for name, tensor in one.items() if isinstance(tensor, torch.Tensor))
    return all(left.dtype == right.dtype and left.shape == right.shape and _bits(left) == _bits(right) for left, right in pairs)


def _bits(tensor: Any) -> bytes:
    import torch

    flat = tensor.contiguous().reshape(-1)
    return bytes(flat.view(torch.uint8).numpy()) if flat.numel() and flat.dtype != torch.bool else bytes(flat.numpy().tobytes())


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0][:200] if lines else ''}"


def _no_file(path: Path, error: Exception) -> PlatformError:
    return PlatformError(
        f"{path.name} cannot be read by PyTorch: {_first_line(error)}", code="model-file",
        fix="Register the model again with log_model.",
    )  # fmt: skip
