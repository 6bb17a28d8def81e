"""torch tensors: the memory that several show is stored once, and a gradient that waits for its step comes along.

torch's own pickle writes every tensor's storage by itself, so that a view, ``p.data`` or a tied weight would part from its
base, and it drops ``.grad``: then ``loss.backward()`` in one step and ``optimizer.step()`` in the next would train nothing, and
nobody would be told.

What a tensor was computed from stays in its process. Such a tensor arrives with its numbers and without ``requires_grad``,
so that a ``backward()`` on it raises instead of doing nothing; that its ``grad_fn`` reads None is told where it arrives.
"""

from __future__ import annotations

import ctypes
import sys
from typing import TYPE_CHECKING, Any

from jupyter_mlops.session import arrays
from jupyter_mlops.session.scope import PARTED

if TYPE_CHECKING:
    from jupyter_mlops.session.pickler import Pickler


class Memory:
    """A storage, one object for all tensors that show it."""

    __slots__ = ("__weakref__", "storage")

    def __init__(self, storage: Any) -> None:
        self.storage = storage


def reducers() -> dict[type, Any]:
    """Rules for exact types of the torch that is loaded; none without torch."""
    torch = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "UntypedStorage") or not hasattr(torch, "nn"):
        return {}
    kinds = (torch.Tensor, torch.nn.Parameter)
    return {**dict.fromkeys(kinds, reduce_tensor), Memory: reduce_memory, torch.Generator: reduce_generator}


def reduce_tensor(pickler: Pickler, tensor: Any) -> Any:
    """A dense tensor by its memory and place; NotImplemented for any other (sparse, quantized, without memory)."""
    torch = sys.modules["torch"]
    if tensor.layout is not torch.strided or tensor.is_quantized or tensor.device.type == "meta":
        return NotImplemented
    if tensor.is_conj() or tensor.is_neg():
        return NotImplemented
    storage = _storage(tensor)
    memory = pickler.scope.storages.get(storage.data_ptr()) if storage.nbytes() else None
    if memory is None:
        memory = Memory(storage)
        pickler.scope.storages[storage.data_ptr()] = memory
    wants: Any = tensor.requires_grad if tensor.is_leaf else PARTED
    place = (tensor.storage_offset(), tuple(tensor.size()), tuple(tensor.stride()))
    grad = tensor.grad if tensor.is_leaf else None
    state = (grad, dict(vars(tensor)))
    return restore_tensor, (type(tensor), memory, tensor.dtype, *place, wants), state, None, None, set_tensor


def _storage(tensor: Any) -> Any:
    """The bytes under a tensor; torch 1.13 says it in another way."""
    return tensor.untyped_storage() if hasattr(tensor, "untyped_storage") else tensor.storage().untyped()


def _view(storage: Any) -> memoryview:
    """The memory of a storage of the processor; it lives as long as the storage does."""
    return memoryview((ctypes.c_char * storage.nbytes()).from_address(storage.data_ptr())).cast("B")


def reduce_memory(pickler: Pickler, memory: Memory) -> Any:
    """A storage with its bytes; of a device, by a copy."""
    device = str(memory.storage.device)
    storage = memory.storage if device == "cpu" else memory.storage.cpu()
    pickler.places[id(storage)] = storage  # a copy lives until it is written
    size = storage.nbytes()
    if not size:
        content: Any = b""
    else:
        view = _view(storage)
        content = bytes(view) if size < arrays.LARGE else arrays.OutOfBand(view)
    return restore_memory, (size, device, content)


def restore_memory(size: int, device: str, content: Any) -> Memory:
    """A storage of this process, on the device where it was."""
    import torch

    storage = torch.UntypedStorage(size)
    if size:
        target = _view(storage)
        if isinstance(content, bytes):
            target[:] = content
        else:
            content.readinto(target)
    if device != "cpu":
        moved = torch.empty(0, dtype=torch.uint8).set_(storage, 0, (size,), (1,)).to(device)
        storage = _storage(moved)
    return Memory(storage)


def restore_tensor(
    kind: Any, memory: Memory, dtype: Any, offset: int, size: tuple[int, ...], stride: tuple[int, ...], wants_grad: bool
) -> Any:
    """A tensor over a storage."""
    import torch

    tensor = torch.empty(0, dtype=dtype, device=memory.storage.device).set_(memory.storage, offset, size, stride)
    if kind is not torch.Tensor:
        return kind(tensor, requires_grad=wants_grad)
    return tensor.requires_grad_(wants_grad) if wants_grad else tensor


def set_tensor(tensor: Any, state: tuple[Any, dict[str, Any]]) -> None:
    """Give a tensor its gradient and what was set on it."""
    if state[0] is not None:
        tensor.grad = state[0]
    tensor.__dict__.update(state[1])


def reduce_generator(_: Pickler, generator: Any) -> Any:
    """A random generator and where its stream is."""
    return restore_generator, (str(generator.device), bytes(generator.get_state().tolist()))


def restore_generator(device: str, state: bytes) -> Any:
    """A generator that goes on."""
    import torch

    generator = torch.Generator(device)
    generator.set_state(torch.tensor(list(state), dtype=torch.uint8))
    return generator
