"""Nodes of an Elyra pipeline as values, whatever version wrote them, sub-pipelines (super nodes) opened up.

Up to version 3 the settings of a node stand in ``app_data``, later in ``component_parameters``; lists of ``A=b`` texts became
lists of objects in version 5. Nodes that are no notebook and no Python script are refused by name.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jupyter_mlops.importers.base import Account, Source, listing, mapping, objects, refused

NOTEBOOK, SCRIPT = "execute-notebook-node", "execute-python-node"
UNTAKEN = {"execute-r-node": "an R script: only Python becomes a step"}


@dataclass(frozen=True, slots=True)
class Node:
    """One node. ``file`` is relative to the pipeline's folder; ``after`` are ids of the nodes with a link into it."""

    id: str
    label: str
    op: str
    file: str
    settings: Mapping[str, Any]
    after: tuple[str, ...]


def read_nodes(source: Source, primary: Mapping[str, Any]) -> list[Node]:
    """All nodes of the main pipeline and its sub-pipelines.

    Raises:
        Refused: nodes that cannot become a step, each by its name.
    """
    pipelines = {str(one.get("id")): one for one in objects(source.document.get("pipelines"))}
    found: list[Node] = []
    reasons: list[tuple[str, str, str]] = []
    for raw, after in _raw_nodes(primary, pipelines, (), frozenset()):
        node = _node(raw, after)
        problem = _problem(node)
        if problem:
            message = f"the node {node.label!r} ({node.op}) is {problem}"
            fix = "Replace it by a notebook or a Python script that does the same, and import again."
            reasons.append(("unsupported-node", message, fix))
        else:
            found.append(node)
    if not found and not reasons:
        reasons.append(("not-importable", f"{source.name} has no nodes", "Add a notebook or a script to the pipeline in Elyra."))
    if reasons:
        raise refused(source, *reasons)
    return found


def _problem(node: Node) -> str:
    """Why a node cannot become a step; '' where it can."""
    if node.op in UNTAKEN:
        return UNTAKEN[node.op]
    if node.op not in {NOTEBOOK, SCRIPT}:
        return "a component of another system"
    if node.op == NOTEBOOK and not node.file.endswith(".ipynb"):
        return f"a notebook whose file does not end in .ipynb: {node.file!r}"
    if node.op == SCRIPT and not node.file.endswith(".py"):
        return f"a script whose file does not end in .py: {node.file!r}"
    return ""


def _raw_nodes(
    pipeline: Mapping[str, Any], pipelines: Mapping[Any, Mapping[str, Any]], outside: tuple[str, ...], above: frozenset[Any]
) -> Iterator[tuple[Mapping[str, Any], tuple[str, ...]]]:
    """(node, ids of what it waits for); ``outside`` is what the super node waits for that holds this pipeline."""
    nodes = objects(pipeline.get("nodes"))
    supers = {str(one["id"]): one for one in nodes if one.get("type") == "super_node" and "id" in one}
    bindings = {str(one.get("id")) for one in nodes if one.get("type") == "binding"}
    for node in nodes:
        links = tuple(_links(node, supers, bindings, outside))
        reference = str(mapping(node.get("subflow_ref")).get("pipeline_id_ref"))
        if str(node.get("id")) in supers and reference in pipelines and reference not in above:
            inner = outside + tuple(link for link in links if link not in outside)
            yield from _raw_nodes(pipelines[reference], pipelines, inner, above | {reference})
        elif node.get("type") != "binding":
            yield node, links


def _links(node: Mapping[str, Any], supers: Mapping[str, Any], bindings: set[Any], outside: tuple[str, ...]) -> Iterator[str]:
    """Ids of the nodes that a node's links come from."""
    for entry in objects(node.get("inputs")):
        for link in objects(entry.get("links")):
            origin, port = str(link.get("node_id_ref")), str(link.get("port_id_ref") or "")
            if origin in supers and port.endswith("_outPort"):
                yield port.removesuffix("_outPort")
            elif origin in bindings:
                yield from outside
            else:
                yield origin


def _node(raw: Mapping[str, Any], after: tuple[str, ...]) -> Node:
    about = mapping(raw.get("app_data"))
    inner = about.get("component_parameters")
    settings = (
        {**inner} if isinstance(inner, Mapping) else {k: v for k, v in about.items() if k not in {"ui_data", "label", "version"}}
    )
    file = posixpath.normpath(str(settings.pop("filename", "") or ""))
    label = about.get("label") or mapping(about.get("ui_data")).get("label") or about.get("title")
    shown = str(label or posixpath.splitext(posixpath.basename(file))[0] or raw.get("id"))
    for ending in (".ipynb", ".py"):
        shown = shown.removesuffix(ending)
    return Node(str(raw.get("id")), shown, str(raw.get("op")), file, settings, tuple(dict.fromkeys(after)))


def pairs(listed: Any, name: str = "env_var", value: str = "value") -> dict[str, str]:
    """``[{"env_var": A, "value": b}]`` or ``["A=b"]`` as a dict; what is neither is left out."""
    found = {}
    for one in listing(listed):
        if isinstance(one, Mapping) and one.get(name):
            found[str(one[name])] = str(one.get(value) if one.get(value) is not None else "")
        elif isinstance(one, str) and "=" in one:
            key, _, text = one.partition("=")
            found[key.strip()] = text
    return found


def environment(node: Node, given: set[str], defaults: Mapping[str, Any], account: Account) -> tuple[str, set[str]]:
    """The line that sets a node's environment variables as its own kernel has them, and the names that are set after it.

    Variables of an earlier node are taken away again, since this node's kernel never had them.
    """
    constant = {**mapping(defaults.get("env_vars")), **pairs(node.settings.get("env_vars"))}
    used = [str(name) for name in listing(node.settings.get("pipeline_parameters")) if str(name).isidentifier()]
    lines = [f'__import__("os").environ.pop({name!r}, None)' for name in sorted(given - set(constant) - set(used))]
    values = [f"{name!r}: {value!r}" for name, value in constant.items()] + [f"{name!r}: str({name})" for name in used]
    if values:
        lines.append(f'__import__("os").environ.update({{{", ".join(values)}}})')
        account.taken(f"{node.label}: env_vars", f"a cell that sets {', '.join([*constant, *used])}")
    return "\n".join(f"{line};" for line in lines), {*constant, *used}
