"""What a cluster in memory does with documents as a real one would: selectors, patches, and the words of its errors."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from typing import Any

from jupyter_mlops.cluster.base import Document, Kind
from jupyter_mlops.errors import Conflict, NotFound, Refused, WrongUsage

_TAKES_NOT = "The cluster does not take this request."
_FIELDS_OF_ALL = frozenset({"metadata.name", "metadata.namespace"})
_FIELDS = {
    "pods": frozenset({"status.phase", "spec.nodeName", "spec.serviceAccountName", "spec.restartPolicy"}),
    "events": frozenset({"type", "reason", "reportingComponent", "source"}),
    "secrets": frozenset({"type"}),
    "nodes": frozenset({"spec.unschedulable"}),
    "namespaces": frozenset({"status.phase"}),
}
_REQUIREMENT = re.compile(r"\s*(?:(!?)([\w./-]+)|([\w./-]+)\s*(==|=|!=)\s*([\w.-]*)|([\w./-]+)\s+(in|notin)\s+\(([^)]*)\))\s*")
_SELF_STATUS = frozenset(
    {"pods", "namespaces", "nodes", "services", "deployments", "inferenceservices", "customresourcedefinitions"}
)


def full_name(kind: Kind) -> str:
    """The kind as errors and rights name it."""
    return f"{kind.plural}.{kind.group}" if kind.group else kind.plural


def has_own_status(kind: Kind) -> bool:
    """Whether status is changed by its subresource alone. Argo's kinds have none: there a plain patch changes it."""
    return kind.plural in _SELF_STATUS


def labels_match(selector: str, document: Document) -> bool:
    """Whether the labels of an object fulfil a selector.

    Raises:
        WrongUsage: not a selector (``cluster-refused``).
    """
    labels = (document.get("metadata") or {}).get("labels") or {}
    for part in re.split(r",(?![^()]*\))", selector) if selector else ():
        found = _REQUIREMENT.fullmatch(part)
        if not found:
            raise WrongUsage(
                f"unable to parse requirement: {part}", code="cluster-refused", fix="The cluster does not take this request."
            )
        negated, present, key, operator, value, set_key, set_operator, values = found.groups()
        if present is not None:
            fulfilled = (present in labels) != bool(negated)
        elif key is not None:
            fulfilled = (labels.get(key) == value) == (operator != "!=")
        else:
            among = labels.get(set_key) in {item.strip() for item in values.split(",")}
            fulfilled = among == (set_operator == "in")
        if not fulfilled:
            return False
    return True


def fields_match(kind: Kind, selector: str, document: Document) -> bool:
    """Whether an object fulfils a field selector; only those that a real server knows are taken.

    Raises:
        WrongUsage: a field by which this kind cannot be selected (``cluster-refused``).
    """
    for part in selector.split(",") if selector else ():
        found = re.fullmatch(r"\s*([\w.]+)\s*(==|=|!=)\s*(.*?)\s*", part)
        path = found[1] if found else part
        known = path in _FIELDS_OF_ALL or path in _FIELDS.get(kind.plural, ())
        if not found or not (known or (kind.plural == "events" and path.startswith("involvedObject."))):
            raise WrongUsage(
                f"field label not supported: {path}", code="cluster-refused", fix="The cluster does not take this request."
            )
        value: Any = document
        for name in path.split("."):
            value = value.get(name) if isinstance(value, Mapping) else None
        if (str(value if value is not None else "") == found[3]) != (found[2] != "!="):
            return False
    return True


def patched(document: Document, patch: Document | Sequence[Document], name: str) -> dict[str, Any]:
    """The document after a merge patch (mapping) or a JSON patch (sequence).

    Raises:
        Conflict: a ``test`` of a JSON patch fails, or a path of it is not there.
    """
    result: dict[str, Any] = copy.deepcopy(dict(document))
    if isinstance(patch, Mapping):
        return dict(merged(result, patch))
    try:
        for operation in patch:
            _operate(result, operation)
    except (KeyError, IndexError, ValueError, TypeError):
        raise Conflict(
            f"{name} is not as the patch expects it", code="conflict", fix="Read it again and repeat the change."
        ) from None
    return result


def merged(document: Any, patch: Any) -> Any:
    """RFC 7396: mappings are merged, None deletes, everything else is replaced."""
    if not isinstance(patch, Mapping):
        return copy.deepcopy(patch)
    result = dict(document) if isinstance(document, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def _operate(document: Any, operation: Document) -> None:
    """One operation of RFC 6902, in place. Raises what a wrong path raises, ValueError for a test that fails."""
    kind, path = operation["op"], operation["path"]
    if kind in {"move", "copy"}:
        value = copy.deepcopy(_at(document, _parts(operation["from"])))
        if kind == "move":
            _operate(document, {"op": "remove", "path": operation["from"]})
        _operate(document, {"op": "add", "path": path, "value": value})
        return
    *above, last = _parts(path)
    place = _at(document, above)
    if kind == "test":
        if _at(document, [*above, last]) != operation.get("value"):
            raise ValueError(path)
    elif isinstance(place, list):
        index = len(place) if last == "-" else int(last)
        if kind == "add":
            place.insert(index, copy.deepcopy(operation["value"]))
        elif kind == "replace":
            place[index] = copy.deepcopy(operation["value"])
        else:
            del place[index]
    elif kind == "remove":
        del place[last]
    else:
        if kind == "replace" and last not in place:
            raise KeyError(last)
        place[last] = copy.deepcopy(operation["value"])


def _parts(path: str) -> list[str]:
    """Names of a JSON pointer."""
    return [part.replace("~1", "/").replace("~0", "~") for part in path.split("/")[1:]]


def _at(document: Any, parts: Sequence[str]) -> Any:
    """What a JSON pointer points to."""
    for part in parts:
        document = document[int(part)] if isinstance(document, list) else document[part]
    return document


def not_found(kind: Kind, name: str) -> NotFound:
    """In the words of an API server."""
    return NotFound(f'{full_name(kind)} "{name}" not found', fix="It was deleted, or has another name or namespace.")


def no_kind(kind: Kind) -> NotFound:
    """The cluster lacks the kind."""
    return NotFound(
        f"the cluster has no {full_name(kind)}", code="no-such-kind", fix="Whoever runs the cluster can install what brings it."
    )


def no_namespace(name: str) -> NotFound:
    """There is no such namespace."""
    return NotFound(
        f'namespaces "{name}" not found',
        code="namespace-not-found",
        fix=f"Create the namespace {name}, or choose another one for this target.",
    )


def exists(kind: Kind, name: str) -> Conflict:
    """An object of that name is there."""
    return Conflict(
        f'{full_name(kind)} "{name}" already exists',
        code="already-exists",
        fix="Choose another name, or delete the one that is there.",
    )


def changed(kind: Kind, name: str) -> Conflict:
    """It was changed since it was read."""
    return Conflict(
        f'Operation cannot be fulfilled on {full_name(kind)} "{name}": the object has been modified; '
        "please apply your changes to the latest version and try again",
        code="conflict",
        fix="Somebody changed it meanwhile. Read it again and repeat the change.",
    )


def check_names(kind: Kind, document: Document) -> None:
    """What is checked of every document.

    Raises:
        WrongUsage: a document of another kind (``invalid-document``).
        Refused: no name, or one that is none (``invalid-document``).
    """
    if document.get("kind", kind.kind) != kind.kind:
        raise WrongUsage(f"a {document['kind']} is not a {kind.kind}", code="invalid-document", fix=f"Give a {kind.kind}.")
    metadata = document.get("metadata") or {}
    name = metadata.get("name") or metadata.get("generateName")
    if not name:
        raise Refused(
            f"{kind.kind} is invalid: metadata.name: Required value: name or generateName is required",
            code="invalid-document",
            fix="Correct the field that the message names.",
        )
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9.:]*[a-z0-9])?" if metadata.get("name") else r"[a-z0-9][-a-z0-9.]*", str(name)):
        raise Refused(
            f'{kind.kind} "{name}" is invalid: metadata.name: Invalid value: "{name}": a lowercase RFC 1123 subdomain must consist '
            "of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
            code="invalid-document",
            fix="Correct the field that the message names.",
        )
