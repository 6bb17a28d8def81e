"""What a server knows: its version, the kinds of a group, the fields of a kind. Kept for a few minutes.

Fields come from the OpenAPI v3 document of one group and version, which an API server has from 1.24 on. That of Argo has
several megabytes, so it is reduced to the names of one kind's fields, and dropped.
"""

from __future__ import annotations

import difflib
import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from jupyter_mlops.cluster.base import Kind
from jupyter_mlops.cluster.wire import Wire
from jupyter_mlops.errors import MlopsError, NotFound, Refused

KEPT = 300.0
"""Seconds for which an answer counts: definitions are installed and upgraded while we run."""

_DEEPEST = 40
"""Levels of a schema that are followed; JSON schema describes itself without end."""


@dataclass(slots=True)
class _Fields:
    """Names of the fields at one place of a document, and what is below each."""

    names: dict[str, _Fields] = field(default_factory=dict)
    open: bool = False
    """True where anything may stand."""


class Schemas:
    """What one server knows. Safe for threads; two that ask at once may both ask the server."""

    def __init__(self, wire: Wire) -> None:
        """``wire``: where to ask."""
        self._wire = wire
        self._kept: dict[object, tuple[float, Any]] = {}
        self._lock = threading.Lock()

    def version(self) -> tuple[int, int]:
        """Major and minor version of Kubernetes; distributions write ``31+``."""
        answer = self._recall("version") or self._keep("version", self._wire.json("GET", "/version"))
        major, minor = (int(re.sub(r"\D.*", "", str(answer.get(part, ""))) or 0) for part in ("major", "minor"))
        return major, minor

    def kinds(self, group: str) -> Mapping[str, str]:
        """Plural → preferred version of a group's kinds; empty, and asked for each time, where the group is not there."""
        kept = self._recall(("kinds", group))
        if kept is not None:
            return dict(kept)
        found: dict[str, str] = {}
        try:
            for version in self._versions(group):
                path = f"/apis/{group}/{version}" if group else f"/api/{version}"
                for resource in self._wire.json("GET", path, asked=self._wire.asked(group=group)).get("resources") or []:
                    if "/" not in resource["name"]:
                        found.setdefault(resource["name"], version)
        except NotFound:
            return {}
        return dict(self._keep(("kinds", group), found))

    def has_field(self, kind: Kind, path: str) -> bool | None:
        """Whether the schema knows a field; lists are passed through (``spec.templates.container``)."""
        here = self._fields(kind)
        if here is None:
            return None
        for name in re.sub(r"\[[^\]]*\]", "", path).split("."):
            if here.open and name not in here.names:
                return None
            if name not in here.names:
                return False
            here = here.names[name]
        return True

    @contextmanager
    def suggesting(self, kind: Kind) -> Iterator[None]:
        """Add the nearest field that the cluster knows to an error about one that it does not."""
        try:
            yield
        except Refused as error:
            if error.code != "unknown-field":
                raise
            raise self._suggested(kind, error) from None

    def _suggested(self, kind: Kind, error: Refused) -> Refused:
        """The error with what was probably meant."""
        try:
            root = self._fields(kind)
        except MlopsError:
            root = None
        if root is None:
            return error
        found = []
        for diagnostic in error.diagnostics:
            path = diagnostic.message.partition('"')[2].rstrip('"')
            near = _nearest(root, path)
            found.append(replace(diagnostic, fix=f"Did you mean {near}?") if near else diagnostic)
        fixes = " ".join(diagnostic.fix for diagnostic in found if diagnostic.fix)
        return replace(error, fix=fixes or error.fix, diagnostics=tuple(found))

    def _versions(self, group: str) -> list[str]:
        """Versions of a group, the preferred one first."""
        if not group:
            return [str(version) for version in self._wire.json("GET", "/api").get("versions") or ["v1"]]
        answer = self._wire.json("GET", f"/apis/{group}", asked=self._wire.asked(group=group))
        preferred = str((answer.get("preferredVersion") or {}).get("version") or "")
        others = [str(entry["version"]) for entry in answer.get("versions") or [] if entry["version"] != preferred]
        return [*([preferred] if preferred else []), *others]

    def _fields(self, kind: Kind) -> _Fields | None:
        """The fields of a kind; None where the server has no schema that says them."""
        key = ("fields", kind.group, kind.version, kind.kind)
        kept = self._recall(key)
        if kept is None:
            place = f"apis/{kind.group}/{kind.version}" if kind.group else f"api/{kind.version}"
            try:
                document = self._wire.json("GET", f"/openapi/v3/{place}", asked=self._wire.asked(group=kind.group))
            except NotFound:
                return None
            kept = self._keep(key, _fields_of(document, kind))
        return None if kept.open and set(kept.names) <= {"apiVersion", "kind", "metadata"} else kept

    def _recall(self, key: object) -> Any:
        """What was answered lately; None if nothing was."""
        with self._lock:
            until, value = self._kept.get(key, (0.0, None))
            return value if until > time.monotonic() else None

    def _keep(self, key: object, value: Any) -> Any:
        """Remember an answer."""
        with self._lock:
            self._kept[key] = time.monotonic() + KEPT, value
        return value


def _fields_of(document: Mapping[str, Any], kind: Kind) -> _Fields:
    """The fields of a kind, out of an OpenAPI v3 document."""
    schemas = (document.get("components") or {}).get("schemas") or {}
    wanted = {"group": kind.group, "version": kind.version, "kind": kind.kind}
    for schema in schemas.values():
        if wanted in (schema.get("x-kubernetes-group-version-kind") or []):
            return _reduced(schema, schemas, _DEEPEST, {})
    return _Fields(open=True)


def _reduced(schema: Mapping[str, Any], schemas: Mapping[str, Any], depth: int, known: dict[str, _Fields]) -> _Fields:
    """Names of fields only; what several places share is shared here too."""
    if reference := schema.get("$ref"):
        name = str(reference).rsplit("/", 1)[-1]
        if name not in known:
            known[name] = _Fields()
            found = _reduced(schemas.get(name) or {}, schemas, depth - 1, known)
            known[name].names, known[name].open = found.names, found.open
        return known[name]
    here = _Fields(open=bool(schema.get("x-kubernetes-preserve-unknown-fields")) or depth <= 0)
    for part in (*(schema.get("allOf") or []), *([schema["items"]] if isinstance(schema.get("items"), dict) else [])):
        found = _reduced(part, schemas, depth - 1, known)
        here.names.update(found.names)
        here.open = here.open or found.open
    for name, below in (schema.get("properties") or {}).items():
        here.names[name] = _reduced(below, schemas, depth - 1, known)
    if schema.get("additionalProperties") or (schema.get("type") == "object" and not here.names):
        here.open = True
    return here


def _nearest(root: _Fields, path: str) -> str:
    """The field that was probably meant by the last name of a path; '' if none is near."""
    *above, last = re.sub(r"\[[^\]]*\]", "", path).split(".")
    here = root
    for name in above:
        if name not in here.names:
            return ""
        here = here.names[name]
    near = difflib.get_close_matches(last, here.names, n=1, cutoff=0.6)
    return near[0] if near else ""
