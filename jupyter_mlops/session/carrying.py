"""Carriers of one step: put back at its start or when their library comes, and stored at its end if they changed."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jupyter_mlops.session.afterimport import AfterImport, is_loaded
from jupyter_mlops.session.carriers import Carrier, carriers
from jupyter_mlops.session.carriers.base import Context
from jupyter_mlops.session.carriers.history import History, Imports
from jupyter_mlops.session.pickler import Pickled, dumps, loads
from jupyter_mlops.session.scope import Scope
from jupyter_mlops.session.transfer import Blobs


@dataclass(frozen=True)
class Bytes:
    """A buffer that came with its carrier: carriers are small, and each is one blob."""

    data: bytes

    def read(self) -> bytearray:
        """A copy that may be changed."""
        return bytearray(self.data)

    def readinto(self, target: memoryview) -> None:
        """Into an array of the same size."""
        target[:] = self.data


class Carrying:
    """The carriers of a step and what each arrived as."""

    def __init__(self, context: Context, scope: Scope, blobs: Blobs, before: Mapping[str, str]) -> None:
        """Made before anything is restored: some carriers remember what the platform gave."""
        self._context = context
        self._scope = scope
        self._blobs = blobs
        self._before = before
        self._all: list[Carrier] = carriers(context)
        self._arrived: dict[str, tuple[str | None, tuple[str, ...] | None]] = {}
        self.mentions: set[str] = set()
        """Names that arriving functions read from the notebook."""

        self._hook = AfterImport([carrier.module for carrier in self._all if carrier.module], self._imported)

    @property
    def history(self) -> History:
        """The carrier of IPython's history."""
        return next(carrier for carrier in self._all if isinstance(carrier, History))

    @property
    def imports(self) -> Imports:
        """The carrier of imports by name."""
        return next(carrier for carrier in self._all if isinstance(carrier, Imports))

    def restore_process(self) -> None:
        """Put back what needs no library; names are delivered after it, since they import along the restored path."""
        for carrier in self._all:
            if not carrier.module:
                self._restore(carrier)

    def restore_libraries(self) -> None:
        """Put back what belongs to the libraries that are there, and wait for the others."""
        self._imported("")
        self._hook.install()

    def note_again(self, *names: str) -> None:
        """Look again at carriers that delivery may have moved."""
        for carrier in self._all:
            if carrier.name in names:
                self._restore(carrier)

    def capture(self) -> dict[str, str]:
        """Digest of each carrier's value, without those that hold nothing."""
        self._hook.remove()
        found: dict[str, str] = {}
        for carrier in self._all:
            before = self._before.get(carrier.name)
            if carrier.module and carrier.name not in self._arrived:
                if before:  # its library was never loaded here
                    found[carrier.name] = before
                if before or carrier.module not in sys.modules:
                    continue
            digest, fingerprint = self._arrived.get(carrier.name, (None, None))
            pickled = self._pickle(carrier, tell=True)
            if pickled is None:
                continue
            if pickled.fingerprint == fingerprint:
                if digest:
                    found[carrier.name] = digest
                continue
            found[carrier.name] = self._store(pickled)
        known = {carrier.name for carrier in self._all}
        return found | {name: digest for name, digest in self._before.items() if name not in known}

    def size(self, digest: str) -> int:
        """Bytes of what was captured."""
        return self._blobs.sizes[digest]

    def _imported(self, finished: str) -> None:
        for carrier in self._all:
            if carrier.module and carrier.name not in self._arrived and is_loaded(carrier.module, finished):
                self._restore(carrier)

    def _restore(self, carrier: Carrier) -> None:
        digest = self._before.get(carrier.name)
        if digest:
            stream, buffers, mentions = pickle.loads(self._blobs.get(digest))
            self.mentions.update(mentions)
            carrier.restore(loads(stream, [Bytes(buffer) for buffer in buffers], self._scope))
        pickled = self._pickle(carrier)
        self._arrived[carrier.name] = (digest, pickled.fingerprint if pickled else None)

    def _pickle(self, carrier: Carrier, *, tell: bool = False) -> Pickled | None:
        """What it captures; of a list of (key, value), what can be pickled. ``tell``: warn of what cannot."""
        try:
            value: Any = carrier.capture()
        except Exception as error:  # noqa: BLE001  (a carrier of a third party: the step goes on)
            if tell:
                self._context.warn(f"{carrier.name} cannot be handed to later steps ({type(error).__name__}: {error})")
            return None
        if value is None:
            return None
        try:
            return dumps(value, self._scope)
        except Exception as error:  # noqa: BLE001  (a value's own pickling may raise anything)
            kept = self._picklable(carrier, value, tell=tell) if isinstance(value, list) else []
            if tell and not isinstance(value, list):
                self._context.warn(f"{carrier.name} cannot be handed to later steps ({type(error).__name__}: {error})")
            return dumps(kept, self._scope) if kept else None

    def _picklable(self, carrier: Carrier, items: list[Any], *, tell: bool) -> list[Any]:
        kept = []
        for item in items:
            try:
                dumps(item, self._scope)
            except Exception as error:  # noqa: BLE001, PERF203  (only after a failure)
                key = item[0] if isinstance(item, tuple) and item else "?"
                what = ".".join(str(part) for part in key if part) if isinstance(key, tuple) else key
                if tell:
                    said = f"{type(error).__name__}: {error}"
                    self._context.warn(f"{carrier.name}: {what} cannot be handed to later steps ({said})")
            else:
                kept.append(item)
        return kept

    def _store(self, pickled: Pickled) -> str:
        parts = (pickled.stream, [bytes(buffer) for buffer in pickled.buffers], sorted(pickled.mentions))
        return self._blobs.put(pickle.dumps(parts, protocol=5))
