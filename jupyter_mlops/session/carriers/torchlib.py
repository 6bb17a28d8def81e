"""What torch keeps for itself: its random streams, and what the notebook told it about types, gradients and exactness.

Numbers of threads belong to the place and do not travel.
"""

from __future__ import annotations

import sys
from typing import Any

from jupyter_mlops.session.carriers.base import Context


class TorchRandom:
    """The generators of torch, of the processor and of every device."""

    name, module = "torch.random", "torch"

    def __init__(self, _: Context) -> None:
        pass

    def capture(self) -> Any:
        """See :class:`Carrier`."""
        torch = sys.modules["torch"]
        devices = [_bytes(state) for state in torch.cuda.get_rng_state_all()] if torch.cuda.is_initialized() else []
        return _bytes(torch.get_rng_state()), devices

    def restore(self, value: Any) -> None:
        """See :class:`Carrier`."""
        torch = sys.modules["torch"]
        torch.set_rng_state(_tensor(value[0]))
        if value[1] and torch.cuda.is_available() and torch.cuda.device_count() == len(value[1]):
            torch.cuda.set_rng_state_all([_tensor(state) for state in value[1]])


class TorchOptions:
    """Options that change results or how they are shown, where they are not the default."""

    name, module = "torch.options", "torch"

    def __init__(self, _: Context) -> None:
        self._found: dict[str, Any] | None = None

    def capture(self) -> Any:
        """See :class:`Carrier`. The first look, right after torch was loaded, tells its defaults."""
        now = self._now()
        if self._found is None:
            self._found = now
        changed = {key: value for key, value in now.items() if self._found[key] != value}
        return sorted(changed.items()) or None

    def restore(self, value: Any) -> None:
        """See :class:`Carrier`."""
        torch = sys.modules["torch"]
        if self._found is None:
            self._found = self._now()
        given = dict(value)
        if "dtype" in given:
            torch.set_default_dtype(given["dtype"])
        if "grad" in given:
            torch.set_grad_enabled(given["grad"])
        if "deterministic" in given:
            torch.use_deterministic_algorithms(given["deterministic"][0], warn_only=given["deterministic"][1])
        if "matmul" in given:
            torch.set_float32_matmul_precision(given["matmul"])
        if "print" in given:
            vars(torch._tensor_str.PRINT_OPTS).update(given["print"])  # noqa: SLF001  (set_printoptions cannot set all of it back)
        for name, flag in given.get("cudnn", ()):
            setattr(torch.backends.cudnn, name, flag)

    def _now(self) -> dict[str, Any]:
        torch = sys.modules["torch"]
        cudnn = torch.backends.cudnn
        return {
            "dtype": torch.get_default_dtype(),
            "grad": torch.is_grad_enabled(),
            "deterministic": (torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()),
            "matmul": torch.get_float32_matmul_precision(),
            "print": dict(vars(torch._tensor_str.PRINT_OPTS)),  # noqa: SLF001
            "cudnn": [(name, getattr(cudnn, name)) for name in ("benchmark", "deterministic", "allow_tf32")],
        }


def _bytes(state: Any) -> bytes:
    """A generator's state; not through numpy, which may not fit the torch that is there."""
    return bytes(state.tolist())


def _tensor(state: bytes) -> Any:
    torch = sys.modules["torch"]
    return torch.tensor(list(state), dtype=torch.uint8, device="cpu")


FACTORIES = (TorchRandom, TorchOptions)
