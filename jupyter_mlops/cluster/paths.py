"""Where each kind of object lies on the API server. The one place where such a path is built."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlencode

from jupyter_mlops.cluster.base import Kind
from jupyter_mlops.errors import WrongUsage

MANAGER = "jupyter-mlops"
"""Field manager under which our server-side applies are known."""

STRICT = {"fieldValidation": "Strict", "fieldManager": MANAGER}
DRY_RUN = {"dryRun": "All"}


def object_path(kind: Kind, namespace: str, name: str = "", subresource: str = "") -> str:
    """Path of an object, or of the collection where ``name`` is ''; a namespace of '' is all namespaces."""
    parts = ["apis", kind.group, kind.version] if kind.group else ["api", kind.version]
    if kind.namespaced and namespace:
        parts += ["namespaces", namespace]
    parts += [kind.plural, *([name] if name else []), *([subresource] if subresource else [])]
    return "/" + "/".join(_segment(part) for part in parts)


def proxy_path(service: str, port: int, namespace: str, path: str) -> str:
    """Path of a call to a Service; ``path`` is the service's own, with its query."""
    return f"/api/v1/namespaces/{_segment(namespace)}/services/{_segment(service)}:{port}/proxy/{path.lstrip('/')}"


def with_query(path: str, query: Mapping[str, str | int]) -> str:
    """The path and those parameters that have a value."""
    given = {key: value for key, value in query.items() if value != ""}
    if not given:
        return path
    return f"{path}{'&' if '?' in path else '?'}{urlencode(given)}"


def _segment(part: str) -> str:
    """One part of a path: a name that would lead elsewhere is no name."""
    if not part or part in {".", ".."} or "/" in part or "%" in part:
        raise WrongUsage(f"{part!r} is no name of an object", code="invalid-name", fix="Names have letters, digits, - and .")
    return quote(part, safe=":")
