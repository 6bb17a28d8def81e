"""Steps in one process: each gets a namespace of its own and only what a real store hands on. Fast enough for many programs."""

from __future__ import annotations

import functools
import gc
import types
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.session import lost
from jupyter_mlops.session.arrays import base_of
from jupyter_mlops.session.mentions import mentions_of
from jupyter_mlops.session.scope import Scope
from jupyter_mlops.session.state import State
from jupyter_mlops.session.transfer import Blobs, Captured, Delivery, capture, deliver, note_arrival, reach


def namespace() -> dict[str, Any]:
    return {"__name__": "__main__", "__builtins__": __builtins__}


class Chain:
    """A notebook run cell by cell; ``state`` is what the last cell handed on."""

    def __init__(self, root: Path) -> None:
        self.blobs = Blobs(Layout(root / "registry"), "runs/chain")
        self.state = State()
        self.delivery = Delivery()

    def run(self, source: str, space: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run a cell in a fresh namespace and hand on what it leaves; the namespace as it was at its end."""
        scope = Scope(namespace() if space is None else space)
        code = compile(source, "<cell>", "exec", dont_inherit=True)
        mentions = mentions_of(code)
        lost.check(mentions.loads - mentions.stores, self.state.lost)
        digests, _ = reach(mentions.loads | mentions.deletes, self.state)
        self.delivery = deliver(digests, self.state, self.blobs, scope)
        note_arrival(self.delivery, self.state, scope)
        exec(code, scope.namespace)
        own = {name: value for name, value in scope.namespace.items() if not name.startswith("__")}
        found: Captured = capture(own, self.state, self.delivery, self.blobs, scope, {})
        self.state = State(names=found.names, lost=found.lost, components=found.components)
        return scope.namespace

    def all(self) -> dict[str, Any]:
        """Everything that was handed on, in one namespace."""
        scope = Scope(namespace())
        deliver(sorted(set(self.state.names.values())), self.state, self.blobs, scope)
        return scope.namespace


def one_namespace(cells: Sequence[str]) -> dict[str, Any]:
    """The same cells in one kernel."""
    space = namespace()
    for source in cells:
        exec(compile(source, "<cell>", "exec", dont_inherit=True), space)
    return space


def shape(space: dict[str, Any]) -> dict[str, Any]:
    """What the names hold, with a number for every changeable object: equal shapes mean equal values and equal sharing."""
    numbers: dict[int, int] = {}
    return {name: _shape(space[name], numbers) for name in sorted(space) if not name.startswith("__")}


def _shape(value: Any, numbers: dict[int, int]) -> Any:
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, tuple):
        return ("tuple", *(_shape(item, numbers) for item in value))
    if id(value) in numbers:
        return f"#{numbers[id(value)]}"
    numbers[id(value)] = number = len(numbers)
    mark = f"{type(value).__name__}#{number}"
    if isinstance(value, list):
        return [mark, *(_shape(item, numbers) for item in value)]
    if isinstance(value, dict):
        return {"": mark, **{key: _shape(item, numbers) for key, item in value.items()}}
    if type(value).__name__ == "ndarray" and not value.size:  # no memory that anybody could share
        return [mark, value.shape]
    if type(value).__name__ == "ndarray":
        base, memory = base_of(value), value.__array_interface__["data"][0]
        return [
            mark,
            value.tolist(),
            value.strides,
            numbers.setdefault(id(base), len(numbers)),
            memory - base.__array_interface__["data"][0],
        ]
    if isinstance(value, types.ModuleType):
        return value.__name__
    if isinstance(value, weakref.ref):
        return [mark, _shape(value(), numbers)]
    if isinstance(value, type({}.keys())):
        return [mark, list(value), _shape(gc.get_referents(value)[0], numbers)]
    if isinstance(value, types.FunctionType):
        cells = [_shape(cell.cell_contents, numbers) for cell in value.__closure__ or ()]
        return [mark, value.__name__, _shape(value.__defaults__ or (), numbers), cells, _shape(value.__dict__, numbers)]
    if isinstance(value, functools.partial):
        return [mark, _shape(value.func, numbers), _shape(value.args, numbers), _shape(value.keywords, numbers)]
    if isinstance(value, (types.BuiltinMethodType, types.MethodType)):
        return [mark, _shape(value.__self__, numbers), value.__name__]
    if isinstance(value, type):
        own = {k: v for k, v in vars(value).items() if not k.startswith("__")}
        return [mark, value.__name__, {k: _shape(v, numbers) for k, v in sorted(own.items())}]
    return [mark, _shape(type(value), numbers), _shape(vars(value), numbers)]
