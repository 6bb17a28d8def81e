"""One step's session: everything that comes in before its first cell, and everything that goes out after its last.

The order matters. Files first, since modules are imported from them; then environment, import path and folder; then names;
then the libraries that the names brought along; the random generators last, since loading may draw.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_mlops.oci.artifact import layers_of, push_artifact, read_config
from jupyter_mlops.oci.names import STATE, STATE_CONFIG
from jupyter_mlops.oci.store import Descriptor, Store
from jupyter_mlops.session import files, lost
from jupyter_mlops.session.account import Account, account
from jupyter_mlops.session.attached import Attached, attached_names
from jupyter_mlops.session.carriers.base import Context
from jupyter_mlops.session.carriers.history import RESULT
from jupyter_mlops.session.carrying import Carrying
from jupyter_mlops.session.mentions import Mentions
from jupyter_mlops.session.scope import Scope
from jupyter_mlops.session.state import EVERYTHING, State, this_python
from jupyter_mlops.session.transfer import MEDIA_TYPE, Blobs, Delivery, capture, deliver, note_arrival, reach

UNDERS = ("_", "__", "___")
_OURS = frozenset({
    "In", "Out", "_ih", "_oh", "_dh", "_i", "_ii", "_iii", "__builtins__", "__builtin__", "__warningregistry__",
})  # fmt: skip
"""Names that IPython and the interpreter keep in the namespace; ``history`` carries what matters of them."""


@dataclass(frozen=True)
class Asked:
    """What the cells of a step can ask for. ``everything``: code that can reach names that it does not mention."""

    mentions: Mentions
    everything: bool = False


def load_state(store: Store, repository: str, digest: str) -> State:
    """The state under a digest; the empty one for ''.

    Raises:
        Corrupt: bytes that do not have their digest, or no state.
        NotFound: it is not in the store.
        Refused: it was written by another Python minor.
    """
    if not digest:
        return State()
    manifest = store.get_manifest(repository, digest)
    sizes = {layer.digest: layer.size for layer in layers_of(manifest)}
    state = State.from_json(read_config(store, repository, manifest), sizes)
    state.check_python()
    return state


class Session:
    """The session of one step."""

    def __init__(self, store: Store, repository: str, before: State, context: Context, excluded: Iterable[Path] = ()) -> None:
        """Look at the process as the platform gave it. ``excluded`` are folders of ours inside the working folder."""
        namespace = context.shell.user_ns
        self.before = before
        self.context = context
        self.scope = Scope(namespace, context.shell, context.root)
        self._blobs = Blobs(store, repository, dict(before.sizes))
        self._excluded = tuple(excluded)
        self._delivery = Delivery()
        self._carrying = Carrying(context, self.scope, self._blobs, before.carriers)
        self._attached = Attached(context)
        self._snapshot = files.Snapshot({})
        self.account = Account()
        """What came in and what has changed; known when the step has finished."""

    @property
    def blobs(self) -> Blobs:
        """Where the parts of its states lie."""
        return self._blobs

    def restore(self, asked: Asked) -> None:
        """Make this process the one that the last step left, as far as the cells can tell.

        Raises:
            NotStorable: the cells ask for a value that could not be handed on.
            Corrupt, NotFound: the store does not hold what the state says.
        """
        before, store = self.before, self._blobs.store
        lost.check(asked.mentions.loads - asked.mentions.stores, before.lost)
        files.restore(self.context.root, before.files, before.removed, store, self._blobs.repository)
        self._snapshot = files.look(self.context.root, self._excluded, self.context.rules)
        self._carrying.restore_process()
        self._carrying.imports.complete(frozenset(name.partition(".")[0] for name in asked.mentions.modules))
        digests, names = reach(self._wanted(asked), before)
        self._delivery = deliver(digests, before, self._blobs, self.scope)
        for name in self._delivery.parted:
            self.context.warn(
                f"{name}: what its tensor was computed from stayed in its own step: grad_fn reads None, and backward() raises. "
                "Keep forward and backward in one step."
            )
        self._place(names | asked.mentions.deletes, everything=EVERYTHING in names)
        self._carrying.history.give_results(self._delivery.names)
        self._carrying.imports.complete(frozenset())
        self._carrying.restore_libraries()
        self._carrying.note_again("random", "environ")
        note_arrival(self._delivery, before, self.scope)
        self._attached.restore(self.scope.namespace)

    def finish(self, made_in: Mapping[str, int], count: int, tag: str) -> str:
        """Store what there is now and return the digest of the state.

        Args:
            made_in: name → the cell that bound it here, for values that cannot be stored.
            count: IPython's next execution count.
            tag: the tag of the state's manifest.
        """
        attached = self._attached.values()
        self._attached.take_down()
        carriers = self._carrying.capture()
        values = self._values() | attached
        found = capture(values, self.before, self._delivery, self._blobs, self.scope, made_in)
        lost_names = self._attached.told(found.lost)
        changed, removed = files.changes(
            self.context.root,
            self._snapshot,
            files.look(self.context.root, self._excluded, self.context.rules),
            self.before.files,
            self.before.removed,
            self._blobs.store,
            self._blobs.repository,
            self.context.rules.limit,
        )
        state = State(this_python(), count, found.names, lost_names, found.components, carriers, changed, removed)
        self.account = account(self.before, state, self._delivery.names)
        return self._push(state, tag)

    def _wanted(self, asked: Asked) -> set[str]:
        """Names to deliver; results by number where the code says ``_`` or ``Out``."""
        wanted = set(asked.mentions.loads | asked.mentions.deletes) | self._carrying.mentions | attached_names(self.before.names)
        if asked.everything:
            return wanted | {EVERYTHING}
        if wanted & {"Out", "_oh"}:
            wanted |= {name for name in self.before.names if RESULT.fullmatch(name)}
        if wanted & set(UNDERS):
            wanted |= {f"_{count}" for count in self._carrying.history.recent}
        return wanted

    def _place(self, names: set[str], *, everything: bool) -> None:
        """Put placeholders where code may touch a value that could not be handed on."""
        for name, note in self.before.lost.items():
            if everything or name in names:
                placeholder = lost.Placeholder(name, note)
                self._delivery.placeholders[name] = placeholder
                self.scope.namespace[name] = placeholder

    def _values(self) -> dict[str, Any]:
        """The notebook's own names and the results that IPython keeps."""
        shell, space = self.context.shell, self.scope.namespace
        hidden, hook = shell.user_ns_hidden, shell.displayhook
        found = {}
        for name, value in list(space.items()):
            if name in _OURS or (name.startswith("_i") and name[2:].isdigit()):
                continue
            if name in hidden and hidden[name] is value and not RESULT.fullmatch(name):
                continue
            if name in UNDERS and value is getattr(hook, name, None):
                continue
            found[name] = value
        return found

    def _push(self, state: State, tag: str) -> str:
        sizes = self._blobs.sizes | {entry.digest: entry.size for entry in state.files.values()}
        layers = [Descriptor(MEDIA_TYPE, digest, sizes[digest]) for digest in state.blobs()]
        manifest = push_artifact(
            self._blobs.store, self._blobs.repository, STATE, state.to_json(), layers, config_type=STATE_CONFIG, tags=[tag]
        )
        return manifest.descriptor.digest
