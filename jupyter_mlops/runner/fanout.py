"""What ``each`` means, in one kernel and without a pipeline: the reference that ``check`` compares branches with.

Every branch begins with a copy of the same names and the same process. What it binds is kept; then everything is as it was before,
and each name that the branches bound is the list of their values. Nothing is stored and nothing travels: copies are those of
Python's own ``copy``, so that a mistake in how steps hand values on is not made here too.
"""

from __future__ import annotations

import copy
import os
import pickle
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from jupyter_mlops.runner.branch import Bound, bound_by, stored_by
from jupyter_mlops.session.state import Lost

Aspect = tuple[str, Callable[[Any], Any], Callable[[Any, Any], None]]
"""(module, how its state is read, how it is put back); both get the module."""


@dataclass(frozen=True)
class _Ended:
    """What one branch left."""

    values: Mapping[str, Any]
    bound: Bound
    gone: frozenset[str]
    process: Mapping[str, bytes]
    metrics: Mapping[str, float]


@dataclass
class Fanout:
    """One step with ``each`` in this kernel.

    ``names`` gives the notebook's own names; ``metrics`` are those logged so far, which each branch begins with.
    """

    shell: Any
    names: Callable[[], dict[str, Any]]
    metrics: dict[str, float]
    item: str
    sources: Sequence[str]
    step: str
    cell: int
    loose: set[str] = field(default_factory=set)
    """Metrics that branches gave different values: which of them a run shows is a matter of time."""

    def __post_init__(self) -> None:
        """What every branch begins with."""
        self._before = self.names()
        self._process = _process()
        self._logged = dict(self.metrics)
        self._given: dict[str, Any] = {}
        self._ended: list[_Ended] = []

    def begin(self, value: Any) -> None:
        """A branch begins with this item."""
        self._put(_copied(self._before))
        _put_back(self._process)
        self.metrics.clear()
        self.metrics.update(self._logged)
        self._given = dict(self.shell.user_ns)
        self.shell.user_ns[self.item] = value

    def end(self) -> None:
        """A branch has ended well."""
        after = self.names()
        made = [name for name, value in after.items() if self._given.get(name, self) is not value]
        bound = bound_by(self.sources, made, self.item, self.shell.user_ns, self.shell.transform_cell)
        gone = frozenset(self._before) - frozenset(after)
        values = {name: self.shell.user_ns[name] for name in bound.names}
        self._ended.append(_Ended(values, bound, gone, _process(), dict(self.metrics)))

    def leave(self) -> None:
        """Everything is as it was before; nobody asks for what the branches bound."""
        self._put(self._before)
        self._settle()

    def join(self) -> dict[str, Lost]:
        """Bring the branches together. Returns the names that not every branch bound, which nobody may read."""
        self._put(self._before)
        self._settle()
        namespace, lost = self.shell.user_ns, dict[str, Lost]()
        if not self._ended:
            stored, _ = stored_by([self.shell.transform_cell(source) for source in self.sources])
            namespace.update({name: [] for name in sorted({*stored, self.item})})
            return lost
        defined = {name for one in self._ended for name in one.bound.defined}
        bound = {name for one in self._ended for name in one.values}
        for name in frozenset().union(*(one.gone for one in self._ended)) - bound:
            namespace.pop(name, None)
        for name in sorted(bound):
            values = [one.values[name] for one in self._ended if name in one.values]
            if name in defined:
                namespace[name] = values[-1]
            elif len(values) == len(self._ended):
                namespace[name] = values
            else:
                namespace.pop(name, None)
                lost[name] = Lost("list", f"not every branch of step {self.step} binds it", self.cell)
        return lost

    def _put(self, values: Mapping[str, Any]) -> None:
        """Let these be the notebook's own names."""
        for name in self.names():
            del self.shell.user_ns[name]
        self.shell.user_ns.update(values)

    def _settle(self) -> None:
        """The process as all branches left it where they agree, else as it was before them."""
        ends = [one.process for one in self._ended]
        names = set(self._process).union(*ends)
        alike = {name for name in names if ends and len({end.get(name) for end in ends}) == 1}
        _put_back({name: (ends[0] if name in alike else self._process).get(name, b"") for name in names})
        for name in {name for one in self._ended for name in one.metrics}:
            values = {one.metrics.get(name) for one in self._ended}
            if len(values) > 1:
                self.loose.add(name)
        self.metrics.update({name: value for one in self._ended for name, value in one.metrics.items()})


def _copied(values: Mapping[str, Any]) -> dict[str, Any]:
    """A copy in which what was shared is shared. What Python cannot copy (a lock, a generator) is the very object."""
    memo: dict[int, Any] = {id(module): module for module in list(sys.modules.values()) if isinstance(module, ModuleType)}
    found: dict[str, Any] = {}
    for name, value in values.items():
        try:
            found[name] = copy.deepcopy(value, memo)
        except Exception:  # noqa: BLE001, PERF203  (a value's own copying may raise anything)
            found[name] = value
    return found


def _torch(torch: Any) -> Any:
    return torch.get_rng_state().tolist()


def _to_torch(torch: Any, state: Any) -> None:
    torch.set_rng_state(torch.tensor(state, dtype=torch.uint8))


ASPECTS: Mapping[str, Aspect] = {
    "random": ("random", lambda random: random.getstate(), lambda random, state: random.setstate(state)),
    "numpy": ("numpy", lambda numpy: numpy.random.get_state(), lambda numpy, state: numpy.random.set_state(state)),
    "torch": ("torch", _torch, _to_torch),
    "folder": ("os", lambda _: os.getcwd(), lambda _, folder: os.chdir(folder)),  # noqa: PTH109  (the process's own, a text)
    "path": ("sys", lambda _: list(sys.path), lambda _, path: sys.path.__setitem__(slice(None), path)),
    "environment": ("os", lambda _: dict(os.environ), lambda _, found: _environ(found)),
}
"""What of the process branches begin alike with: random generators, working folder, import path, environment."""


def _environ(found: Mapping[str, str]) -> None:
    for name in os.environ.keys() - found.keys():
        del os.environ[name]
    os.environ.update(found)


def _process() -> dict[str, bytes]:
    """The process as it is now, as far as its libraries are loaded."""
    return {name: pickle.dumps(read(sys.modules[module])) for name, (module, read, _) in ASPECTS.items() if module in sys.modules}


def _put_back(found: Mapping[str, bytes]) -> None:
    for name, data in found.items():
        module, _, write = ASPECTS[name]
        if data and module in sys.modules:
            write(sys.modules[module], pickle.loads(data))
