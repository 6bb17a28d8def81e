"""Names and carriers between a process and a store: what a step is given, and what it hands on.

*Delivery* finds what the step can ask for: the names its code mentions, and those that arriving functions and classes
mention, until nothing new comes. *Capture* stores what there is at the end, component by component. "Changed" is decided
within one process: a component is pickled as it arrives and again at the end, and keeps its digest, without a byte being
stored, when both pickles are equal. What was not delivered is carried on untouched.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jupyter_mlops.errors import Corrupt, MlopsError, NotStorable
from jupyter_mlops.oci.store import Store
from jupyter_mlops.session.components import Group, group
from jupyter_mlops.session.lost import Placeholder
from jupyter_mlops.session.pickler import Pickled, digest_of, dumps, loads
from jupyter_mlops.session.scope import Scope
from jupyter_mlops.session.state import EVERYTHING, Component, Lost, Part, State

if TYPE_CHECKING:
    from typing import BinaryIO

MEDIA_TYPE = "application/vnd.jupyter-mlops.state.part.v1"
_CHUNK = 1 << 20
_PIECE = 1 << 19


@dataclass
class Blobs:
    """One repository of a store, as the session uses it: parts in, parts out, sizes remembered for the manifest."""

    store: Store
    repository: str
    sizes: dict[str, int] = field(default_factory=dict)

    def put(self, data: bytes | memoryview) -> str:
        """Store a part and return its digest."""
        content = data if isinstance(data, bytes) else _Chunks(data)
        blob = self.store.put_blob(self.repository, content, MEDIA_TYPE)
        self.sizes[blob.digest] = blob.size
        return blob.digest

    def put_all(self, pickled: Pickled, known: Sequence[str] = ()) -> tuple[Part, ...]:
        """Store a pickle: its stream, then its buffers. ``known``: parts that the store has, in the place where they may be again.

        A part that may be known is hashed first, and written only if it is another; any other is hashed while it is written.
        """
        found: list[Part] = []
        for place, part in enumerate(pickled.parts):
            before = known[place] if place < len(known) else ""
            same = before != "" and digest_of(part) == before
            found.append((before if same else self.put(part), len(part)))
        return tuple(found)

    def get(self, digest: str) -> bytes:
        """A part, verified."""
        with self.store.open_blob(self.repository, digest) as stream:
            return stream.read()

    def source(self, part: tuple[str, int]) -> StoredPart:
        """A part that is read when it is needed."""
        return StoredPart(self, *part)


@dataclass(frozen=True)
class StoredPart:
    """An out-of-band buffer on its way in."""

    blobs: Blobs
    digest: str
    size: int

    def read(self) -> bytearray:
        """All of it, in memory that may be changed."""
        found = bytearray(self.size)
        self.readinto(memoryview(found))
        return found

    def readinto(self, target: memoryview) -> None:
        """All of it, into an array. Raises Corrupt where the bytes or their number are not what the state says."""
        if len(target) != self.size:
            raise Corrupt(f"part {self.digest} has {self.size} bytes where {len(target)} belong", fix="Run the notebook again.")
        with self.blobs.store.open_blob(self.blobs.repository, self.digest) as stream:
            _fill(stream, target)


def _fill(stream: BinaryIO, target: memoryview) -> None:
    """Read straight into place, in pieces that are hashed while the processor still has them."""
    done = 0
    while done < len(target) and (count := stream.readinto(target[done : done + _PIECE])):  # type: ignore[attr-defined]
        done += count
    if done != len(target):
        raise Corrupt("a part is shorter than the state says", fix="Run the notebook again.")
    if stream.read(1):
        raise Corrupt("a part is longer than the state says", fix="Run the notebook again.")


@dataclass(frozen=True)
class _Chunks:
    """A buffer in pieces, as often as they are wanted: a registry asks for the digest first, and then for the bytes."""

    view: memoryview

    def __iter__(self) -> Iterator[memoryview]:
        for start in range(0, len(self.view), _CHUNK):
            yield self.view[start : start + _CHUNK]


@dataclass
class Delivery:
    """What a step was given: names by the component they came in, and each component's pickle on arrival."""

    names: dict[str, str] = field(default_factory=dict)
    arrived: dict[tuple[str, ...], tuple[str, tuple[str, ...]]] = field(default_factory=dict)
    """Names of a component → its digest and the digests of its parts when all was there."""

    placeholders: dict[str, Placeholder] = field(default_factory=dict)
    parted: list[str] = field(default_factory=list)
    """Names of components with a tensor that came without what it was computed from."""


def reach(wanted: Iterable[str], state: State) -> tuple[list[str], set[str]]:
    """Components to deliver for these names, and all names that are asked for, at the fixpoint."""
    asked = set(wanted)
    done: dict[str, None] = {}
    while True:
        names = set(state.names) | set(state.lost) if EVERYTHING in asked else asked
        fresh = sorted({state.names[name] for name in names if name in state.names} - set(done))
        if not fresh:
            return in_order(done, state), asked
        for digest in fresh:
            done[digest] = None
            asked |= set(state.components[digest].mentions)


def in_order(digests: Iterable[str], state: State) -> list[str]:
    """Components with those first that others mention: loading may run code of a class (``__setstate__``, ``__hash__``)."""
    wanted = sorted(digests)
    found: dict[str, None] = {}
    begun: set[str] = set()
    waiting = [(digest, False) for digest in reversed(wanted)]
    while waiting:
        digest, after = waiting.pop()
        if after:
            found[digest] = None
            continue
        if digest in begun:
            continue
        begun.add(digest)
        waiting.append((digest, True))
        named = {state.names[name] for name in state.components[digest].mentions if name in state.names}
        waiting += [(other, False) for other in sorted(named & set(wanted), reverse=True)]
    return list(found)


def deliver(digests: Iterable[str], state: State, blobs: Blobs, scope: Scope) -> Delivery:
    """Load components into the namespace.

    Raises:
        Corrupt, NotFound: the store does not hold what the state says.
        NotStorable: a value's own code fails when it is made again.
    """
    delivery = Delivery()
    for digest in digests:
        component = state.components[digest]
        if component.digest != digest:
            raise Corrupt(f"component {digest} is not what the state says", fix="Run the notebook again from its first step.")
        stream, *buffers = component.parts
        scope.parted.clear()
        values = _load(component, blobs.get(stream[0]), [blobs.source(part) for part in buffers], scope)
        delivery.parted += values if scope.parted else ()
        for name, value in values.items():
            if state.names.get(name) == digest:
                scope.namespace[name] = value
                delivery.names[name] = digest
    return delivery


def _load(component: Component, stream: bytes, sources: list[StoredPart], scope: Scope) -> dict[str, Any]:
    try:
        values: dict[str, Any] = loads(stream, sources, scope)
    except MlopsError:
        raise
    except Exception as error:
        names = ", ".join(component.names[:5])
        raise NotStorable(
            f"{names}: what was stored cannot be made again here ({type(error).__name__}: {error})",
            fix=f"Keep the cells that make and use {names} in one step; check that every step has the same packages.",
        ) from error
    return values


def note_arrival(delivery: Delivery, state: State, scope: Scope) -> None:
    """Pickle every component as it arrived, for the comparison at the end."""
    members: dict[str, list[str]] = {}
    for name, digest in delivery.names.items():
        members.setdefault(digest, []).append(name)
    for digest, names in members.items():
        ordered = tuple(sorted(names))
        with suppress(Exception):  # a class may refuse its second pickle: then it is stored anew, or refused by name, at the end
            pickled = dumps({name: scope.namespace[name] for name in ordered}, scope)
            delivery.arrived[ordered] = (digest, _on_arrival(pickled, state.components[digest]))


def _on_arrival(pickled: Pickled, component: Component) -> tuple[str, ...]:
    """Digests of a component's parts as they are now.

    What arrived was verified while it was read. So where the stream is that which arrived, and it asks for buffers of the same
    sizes, the buffers are those that arrived, and nobody looks at them again.
    """
    stream, *buffers = component.parts
    same = [len(buffer) for buffer in pickled.buffers] == [size for _, size in buffers]
    if same and digest_of(pickled.stream) == stream[0]:
        return tuple(digest for digest, _ in component.parts)
    return pickled.fingerprint


@dataclass(frozen=True)
class Captured:
    """The part of a new state that is about names."""

    names: Mapping[str, str]
    lost: Mapping[str, Lost]
    components: Mapping[str, Component]


def capture(
    values: Mapping[str, Any], before: State, delivery: Delivery, blobs: Blobs, scope: Scope, made_in: Mapping[str, int]
) -> Captured:
    """Store the names of the namespace; ``values`` are the notebook's own, ``made_in`` tells the cell of each fresh one."""
    kept = {name: value for name, value in values.items() if not isinstance(value, Placeholder)}
    groups, unstorable = group(kept, scope, {together: known[0] for together, (_, known) in delivery.arrived.items()})
    names: dict[str, str] = {}
    components: dict[str, Component] = {}
    for one in groups:
        digest, component = _store(one, before, delivery, blobs)
        components[digest] = component
        names.update(dict.fromkeys(one.names, digest))
    for name, digest in before.names.items():
        if name not in delivery.names and name not in values:
            names[name] = digest
            components[digest] = before.components[digest]
    lost = {name: Lost(why.type, why.reason, made_in.get(name)) for name, why in unstorable.items()}
    for name, note in before.lost.items():
        deleted = name in delivery.placeholders and name not in values
        if name not in kept and not deleted:
            lost[name] = note
    return Captured(names, lost, components)


def _store(one: Group, before: State, delivery: Delivery, blobs: Blobs) -> tuple[str, Component]:
    """The digest of a group: that under which it arrived if it has not changed."""
    arrived = delivery.arrived.get(one.names)
    if arrived is None:
        component = Component(one.names, tuple(sorted(one.pickled.mentions)), blobs.put_all(one.pickled))
        return component.digest, component
    was, known = arrived
    stored = [digest for digest, _ in before.components[was].parts]
    if known == tuple(stored):
        parts = blobs.put_all(one.pickled, known)
        if [digest for digest, _ in parts] == stored:
            return was, before.components[was]
    elif one.pickled.fingerprint == known:
        return was, before.components[was]
    else:
        parts = blobs.put_all(one.pickled)
    component = Component(one.names, tuple(sorted(one.pickled.mentions)), parts)
    return component.digest, component
