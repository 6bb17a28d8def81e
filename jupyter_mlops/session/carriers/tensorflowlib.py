"""TensorFlow's random stream: the global seed, and the stream from which each operation draws a seed of its own."""

from __future__ import annotations

import sys
from typing import Any

from jupyter_mlops.session.carriers.base import Context


class TensorflowRandom:
    """(seed, state of the stream), once ``tf.random.set_seed`` was called; without it nothing can be repeated."""

    name, module = "tensorflow.random", "tensorflow"

    def __init__(self, _: Context) -> None:
        pass

    def capture(self) -> Any:
        """See :class:`Carrier`."""
        found = _context()
        seed, stream = getattr(found, "_seed", None), getattr(found, "_rng", None)
        return (seed, stream.getstate()) if seed is not None and stream is not None else None

    def restore(self, value: Any) -> None:
        """See :class:`Carrier`."""
        seed, state = value
        sys.modules["tensorflow"].random.set_seed(seed)
        _context()._rng.setstate(state)  # noqa: SLF001  (there is no other way to it)


def _context() -> Any:
    context: Any = sys.modules.get("tensorflow.python.eager.context")
    return context.context() if context is not None else None


FACTORIES = (TensorflowRandom,)
