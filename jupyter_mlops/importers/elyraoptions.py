"""What an Elyra pipeline and its nodes ask for besides files and order: images, resources, secrets, tolerations, defaults.

Every field that Elyra 1 to 4 writes stands in one of the tables; a field that is in none is told as unknown.
"""

from __future__ import annotations

import keyword
from collections.abc import Mapping
from typing import Any

from jupyter_mlops.importers.base import Account, listing, mapping, objects
from jupyter_mlops.importers.elyranode import Node, pairs
from jupyter_mlops.importers.options import Wishes

HANDLED = frozenset({"env_vars", "pipeline_parameters"})
"""Fields of a node that become cells (``elyranode.environment``)."""

DEFAULTED = ("runtime_image", "kubernetes_secrets", "kubernetes_tolerations", "kubernetes_shared_mem_size", "mounted_volumes",
             "kubernetes_pod_annotations", "kubernetes_pod_labels", "disable_node_caching")  # fmt: skip
"""Fields of a node that the pipeline's defaults fill."""

NODE_NOT_NEEDED: Mapping[str, str] = {
    "outputs": "files that a step writes in the working folder reach all later steps",
    "include_subdirectories": "the notebook's whole folder is there",
    "invalidNodeError": "a note of Elyra's editor",
    "type": "the file's ending says it",
    "id": "the link's own",
}
PIPELINE_NOT_NEEDED: Mapping[str, str] = {
    "runtime": "the target says where a run goes",
    "runtime_type": "the target says where a run goes",
    "runtime_config": "the target says where a run goes",
    "cos_object_prefix": "no object storage is needed: files and values are handed on through the registry",
    "source": "the file itself",
    "version": "read",
    "ui_data": "how Elyra's editor draws it",
    "name": "a pipeline is called after its file",
    "export": "convert -o writes the Workflow",
    "export_format": "convert -o writes the Workflow",
    "export_path": "convert -o writes the Workflow",
}


def read_defaults(about: Mapping[str, Any], document: Mapping[str, Any], account: Account) -> tuple[dict[str, Any], list[str]]:
    """(defaults of all nodes, the lines of a cell of parameters) from the pipeline's ``app_data``."""
    fields = {**about, **mapping(about.get("properties"))}
    defaults = dict(mapping(fields.pop("pipeline_defaults", None)))
    parameters = _parameters(fields.pop("pipeline_parameters", None) or defaults.pop("pipeline_parameters", None), account)
    for key in sorted(set(fields) - {"properties", "description"}):
        if key in PIPELINE_NOT_NEEDED:
            account.not_needed(key, PIPELINE_NOT_NEEDED[key])
        else:
            account.lost(key, "a field that Elyra 1 to 4 does not write", "Nothing; look whether something relied on it.")
    for key in sorted(set(document) - {"doc_type", "version", "json_schema", "id", "primary_pipeline", "pipelines", "schemas"}):
        account.not_needed(key, "no part of what runs")
    if "env_vars" in defaults:
        defaults["env_vars"] = pairs(defaults["env_vars"])
    for key in sorted(set(defaults) - set(DEFAULTED) - HANDLED):
        if key in PIPELINE_NOT_NEEDED:
            account.not_needed(f"pipeline_defaults.{key}", PIPELINE_NOT_NEEDED[key])
        else:
            account.lost(f"pipeline_defaults.{key}", "not known as a default of nodes", "Set it on the cells of the steps.")
    return defaults, parameters


def read_texts(about: Mapping[str, Any], account: Account) -> list[str]:
    """The pipeline's description and the notes on Elyra's canvas: paragraphs of the first text cell."""
    description = (mapping(about.get("properties")) or about).get("description")
    found = [str(description)] if description else []
    if found:
        account.taken("description", "the first text cell")
    for comment in listing(mapping(about.get("ui_data")).get("comments")):
        found.append(str(comment.get("content", "")) if isinstance(comment, Mapping) else str(comment))
        account.taken("comments", "a paragraph of the first text cell")
    return found


def _parameters(listed: Any, account: Account) -> list[str]:
    """Lines of a cell of parameters: each with the type and the description that Elyra says."""
    lines: list[str] = []
    for one in objects(listed):
        name = str(one.get("name", ""))
        if not name.isidentifier() or keyword.iskeyword(name):
            account.lost(f"pipeline_parameters {name!r}", "it is no name of a variable", "Name it as Python does.")
            continue
        default = one.get("default_value")
        inner = default.get("value") if isinstance(default, Mapping) else default
        kind = str(default.get("type", "String")) if isinstance(default, Mapping) else "String"
        description = " ".join(str(one.get("description") or "").split())
        lines.append(f"{name} = {_typed(inner, kind)!r}" + (f"  # {description}" if description else ""))
        account.taken(f"pipeline_parameters {name}", f"the parameter {lines[-1]}")
        if one.get("required") and inner in (None, ""):
            account.lost(f"pipeline_parameters {name}: required", "a run without a value is not refused", "Give it a default.")
    return lines


def _typed(value: Any, kind: str) -> Any:
    """A default in the type that Elyra says."""
    readers: Mapping[str, Any] = {"Integer": int, "Float": float}
    try:
        if kind == "Bool" and not isinstance(value, bool):
            return str(value).lower() == "true"
        return readers[kind](value) if kind in readers else ("" if value is None else value)
    except (TypeError, ValueError):
        return value


def node_options(node: Node, defaults: Mapping[str, Any], account: Account) -> dict[str, Any]:
    """The values of a node's step, in the form of our metadata."""
    wishes = Wishes(account)
    fields = {**{key: defaults[key] for key in DEFAULTED if key in defaults}, **_set(node.settings)}
    memory = fields.pop("memory_limit", None) or fields.get("memory")
    if memory:
        fields["memory"] = memory
    vendor = fields.pop("gpu_vendor", None) or "nvidia.com/gpu"
    for key, value in fields.items():
        name = f"{node.label}: {key}"
        if key in HANDLED:
            continue
        if key == "runtime_image":
            wishes.put(name, "image", value)
        elif key == "cpu":
            wishes.put(name, "cpu", _number(value))
        elif key == "cpu_limit":
            account.not_needed(name, "CPU is a request only: idle cores are nobody's")
        elif key == "memory":
            wishes.put(name, "memory", f"{_number(value)}G")
        elif key == "gpu":
            wishes.limit(name, str(vendor), str(_number(value)))
        elif key == "disable_node_caching":
            wishes.put(name, "cache", "off")
        elif key == "dependencies":
            listed = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            account.not_needed(name, f"{listed}: files beside the notebook are there, and travel where a cell names them")
        elif key in NODE_NOT_NEEDED:
            account.not_needed(name, NODE_NOT_NEEDED[key])
        else:
            _kubernetes(name, key, value, wishes)
    return wishes.values


def _set(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Fields that are set: Elyra writes null, '' and empty lists for the others."""
    return {key: value for key, value in settings.items() if value not in (None, "", [], {}) and value is not False}


def _kubernetes(name: str, key: str, value: Any, wishes: Wishes) -> None:
    """Fields that pods have."""
    listed = listing(value)
    if key == "kubernetes_secrets":
        for one in listed:
            wishes.put(name, "secrets", [_secret(one)])
    elif key == "kubernetes_tolerations":
        for one in listed:
            wishes.put(name, "tolerations", [_toleration(one)])
    elif key == "kubernetes_shared_mem_size":
        size = value.get("size") if isinstance(value, Mapping) else value
        wishes.put(name, "shm", f"{_number(size)}{(value.get('units') if isinstance(value, Mapping) else None) or 'G'}")
    elif key == "kubernetes_pod_labels":
        for label, text in pairs(value, "key").items():
            wishes.label(f"{name} {label}", label, text)
    elif key == "kubernetes_pod_annotations":
        for label in pairs(value, "key"):
            fix = "Let an admission policy of the cluster set it."
            wishes.account.lost(f"{name} {label}", f"pods do not get the annotation {label}", fix)
    elif key == "mounted_volumes":
        _volumes(name, listed, wishes)
    else:
        wishes.account.lost(name, "a field that Elyra 1 to 4 does not write", "Nothing; look whether something relied on it.")


def _number(value: Any) -> int | float | str:
    """``4`` and ``"4"`` and ``4.0`` alike; other texts as they are."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return str(value)
    return int(number) if number.is_integer() else number


def _secret(one: Any) -> dict[str, str]:
    """``{"env_var", "name", "key"}``, or ``ENV=name:key`` as early versions wrote it."""
    if isinstance(one, Mapping):
        return {"env": str(one.get("env_var", "")), "secret": str(one.get("name", "")), "key": str(one.get("key", ""))}
    env, _, rest = str(one).partition("=")
    secret, _, key = rest.partition(":")
    return {"env": env, "secret": secret, "key": key}


def _volumes(name: str, listed: list[Any], wishes: Wishes) -> None:
    """Claims, mounted whole: a folder of one cannot be mounted by itself."""
    for one in listed:
        wishes.put(name, "volumes", [_volume(one)])
        if isinstance(one, Mapping) and one.get("sub_path"):
            what = f"the whole claim is mounted at {one.get('path')}, not its folder {one['sub_path']}"
            wishes.account.lost(f"{name} sub_path", what, f"Read {one['sub_path']}/… below it in the cells.")


def _volume(one: Any) -> dict[str, Any]:
    """``{"path", "pvc_name"}``, or ``/path=claim`` as early versions wrote it."""
    if not isinstance(one, Mapping):
        place, _, claim = str(one).partition("=")
        one = {"path": place, "pvc_name": claim}
    read_only = {"read_only": True} if one.get("read_only") is True else {}
    return {"mount": str(one.get("path", "")), "claim": str(one.get("pvc_name", "")), **read_only}


def _toleration(one: Any) -> dict[str, str]:
    """An object, or ``key:operator:value:effect`` as early versions wrote it."""
    if not isinstance(one, Mapping):
        one = dict(zip(("key", "operator", "value", "effect"), str(one).split(":"), strict=False))
    return {part: str(one[part]) for part in ("key", "operator", "value", "effect") if one.get(part)}
