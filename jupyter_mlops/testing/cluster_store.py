"""The objects of a cluster in memory, with versions, owners, finalizers, and the history that watches read."""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from jupyter_mlops.cluster.base import NAMESPACES, Document, Kind
from jupyter_mlops.testing.cluster_rules import changed, check_names, exists, no_namespace, not_found

Key = tuple[str, str, str, str]
"""Group, plural, namespace, name."""


@dataclass(frozen=True, slots=True)
class Step:
    """One change in the history: the object before and after; None where it was not or is no more."""

    key: Key
    before: Document | None
    after: Document | None


class Store:
    """Objects by kind, namespace and name. Everything is done under ``turn``; ``ticks`` counts what happened."""

    def __init__(self) -> None:
        """Empty."""
        self.turn = threading.Condition(threading.RLock())
        self.history: list[Step] = []
        self.ticks = 0
        self._objects: dict[Key, dict[str, Any]] = {}
        self._version = 100
        self._made = 0

    @property
    def version(self) -> str:
        """Version of the whole, as lists say it."""
        return str(self._version)

    def get(self, kind: Kind, namespace: str, name: str) -> dict[str, Any]:
        """A copy of an object. Raises NotFound."""
        with self.turn:
            found = self._objects.get(_key(kind, namespace, name))
            if found is None:
                raise not_found(kind, name)
            return copy.deepcopy(found)

    def all(self, kind: Kind, namespace: str) -> list[dict[str, Any]]:
        """Copies of all objects of a kind, in the order of a list; '' is all namespaces."""
        with self.turn:
            return [
                copy.deepcopy(self._objects[key])
                for key in sorted(self._objects)
                if key[:2] == (kind.group, kind.plural) and namespace in {"", key[2]}
            ]

    def add(self, kind: Kind, namespace: str, document: Document, *, dry_run: bool = False) -> dict[str, Any]:
        """Create. Raises Conflict, NotFound (namespace), Refused (name)."""
        with self.turn:
            check_names(kind, document)
            self.check_namespace(kind, namespace)
            whole = self._identified(kind, namespace, document)
            name = whole["metadata"]["name"]
            key = _key(kind, namespace, name)
            if key in self._objects:
                raise exists(kind, name)
            return whole if dry_run else self._set(key, whole)

    def replace(self, kind: Kind, namespace: str, name: str, document: Document) -> dict[str, Any]:
        """Put another document in an object's place; with a resourceVersion in it only on that version."""
        with self.turn:
            before = self.get(kind, namespace, name)
            whole = copy.deepcopy(dict(document))
            expected = (whole.get("metadata") or {}).get("resourceVersion")
            if expected and expected != before["metadata"]["resourceVersion"]:
                raise changed(kind, name)
            fixed = {
                key: before["metadata"][key]
                for key in ("name", "namespace", "uid", "creationTimestamp")
                if key in before["metadata"]
            }
            kept = {key: before["metadata"][key] for key in ("generation", "deletionTimestamp") if key in before["metadata"]}
            whole["metadata"] = {
                **(whole.get("metadata") or {}),
                **fixed,
                **kept,
                "resourceVersion": before["metadata"]["resourceVersion"],
            }
            if whole == before:
                return before  # a change that changes nothing makes no version
            if whole.get("spec") != before.get("spec"):
                whole["metadata"]["generation"] = before["metadata"].get("generation", 1) + 1
            key = _key(kind, namespace, name)
            if whole["metadata"].get("deletionTimestamp") and not whole["metadata"].get("finalizers"):
                self._drop(key)
                return whole
            return self._set(key, whole)

    def remove(self, kind: Kind, namespace: str, name: str, uid: str = "") -> None:
        """Delete, and what it owns; an object with finalizers stays, marked, until they are gone."""
        with self.turn:
            found = self.get(kind, namespace, name)
            if uid and found["metadata"]["uid"] != uid:
                raise changed(kind, name)
            key = _key(kind, namespace, name)
            if found["metadata"].get("finalizers"):
                found["metadata"].setdefault("deletionTimestamp", now())
                self._set(key, found)
                return
            self._drop(key)

    def check_namespace(self, kind: Kind, namespace: str) -> None:
        """Raises NotFound where an object of this kind cannot be because its namespace is not."""
        if kind.namespaced and _key(NAMESPACES, "", namespace) not in self._objects:
            raise no_namespace(namespace)

    def wait(self, seen: int, seconds: float | None) -> None:
        """Wait until ``ticks`` is no longer what was seen, or for so many seconds."""
        with self.turn:
            if self.ticks == seen:
                self.turn.wait(seconds)

    def wake(self) -> None:
        """Something happened: make everybody who waits look again."""
        with self.turn:
            self.ticks += 1
            self.turn.notify_all()

    def _identified(self, kind: Kind, namespace: str, document: Document) -> dict[str, Any]:
        """The document with what a server adds: name, identity, times."""
        whole = {"apiVersion": kind.api_version, "kind": kind.kind, **copy.deepcopy(dict(document))}
        metadata = dict(whole.get("metadata") or {})
        self._made += 1
        if not metadata.get("name"):
            metadata["name"] = f"{metadata['generateName']}{_letters(self._made)}"
        if kind.namespaced:
            metadata["namespace"] = namespace
        metadata["uid"] = f"00000000-0000-4000-8000-{self._made:012d}"
        metadata["creationTimestamp"] = now()
        metadata["generation"] = 1
        metadata.pop("resourceVersion", None)
        whole["metadata"] = metadata
        return whole

    def _set(self, key: Key, whole: dict[str, Any]) -> dict[str, Any]:
        """Store a version, and tell who watches."""
        self._version += 1
        whole["metadata"]["resourceVersion"] = str(self._version)
        before = self._objects.get(key)
        self._objects[key] = whole
        self.history.append(Step(key, before, copy.deepcopy(whole)))
        self.wake()
        return copy.deepcopy(whole)

    def _drop(self, key: Key) -> None:
        """Forget an object, tell who watches, and drop what it owned."""
        self._version += 1
        before = self._objects.pop(key)
        last = copy.deepcopy(before)
        last["metadata"]["resourceVersion"] = str(self._version)
        self.history.append(Step(key, last, None))
        self.wake()
        for owned in list(self._below(key, before["metadata"]["uid"])):
            if owned in self._objects:
                self._drop(owned)

    def _below(self, key: Key, uid: str) -> Iterator[Key]:
        """What goes when an object goes: what it owns, and what is in it where it is a namespace."""
        for other, document in list(self._objects.items()):
            owners = document["metadata"].get("ownerReferences") or []
            inside = key[:2] == ("", "namespaces") and other[2] == key[3]
            if inside or any(owner.get("uid") == uid for owner in owners):
                yield other


def now() -> str:
    """This moment as a server writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _key(kind: Kind, namespace: str, name: str) -> Key:
    """Where an object is kept."""
    return kind.group, kind.plural, namespace if kind.namespaced else "", name


def _letters(number: int) -> str:
    """Five letters, different for each number, as a server puts behind ``generateName``."""
    alphabet = "bcdfghjklmnpqrstvwxz2456789"
    text = ""
    for _ in range(5):
        number, rest = divmod(number, len(alphabet))
        text = alphabet[rest] + text
    return text
