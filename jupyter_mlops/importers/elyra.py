"""Elyra's pipelines (``.pipeline``, versions 1 to 8) with their notebooks and Python scripts: one notebook, a step a node.

Each node of Elyra runs in a kernel of its own. The cells of all nodes in one notebook share one, so a name that one node
binds and another reads would change what that one computes: such a pipeline is refused, name by name (``elyraapart.py``).
What nodes exchange on purpose, files, lies in the notebook's folder, and steps hand changed files on.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from typing import Any

from jupyter_mlops.errors import Refused
from jupyter_mlops.importers.base import JSON, Account, Imported, Source, mapping, objects, refused
from jupyter_mlops.importers.cells import (
    PARAMETERS,
    code_cell,
    copied,
    finished,
    set_options,
    set_tags,
    tags_of,
    text_cell,
    text_of,
)
from jupyter_mlops.importers.elyraapart import check_apart
from jupyter_mlops.importers.elyranode import Node, environment, read_nodes
from jupyter_mlops.importers.elyraoptions import node_options, read_defaults, read_texts
from jupyter_mlops.importers.elyraorder import ordered
from jupyter_mlops.notebook.read import parse
from jupyter_mlops.pipeline.names import step_name, unique

NEWEST = 8
CARRIED = ("kernelspec", "language_info")


class Elyra:
    """Elyra's pipelines."""

    def recognises(self, source: Source) -> bool:
        """By the type that every one of them says."""
        return source.document.get("doc_type") == "pipeline" or "primary_pipeline" in source.document

    def convert(self, source: Source) -> Imported:
        """One notebook whose steps are the nodes, in an order that the links allow."""
        account = Account()
        primary, about = _primary(source)
        version = _version(source, about)
        nodes = ordered(read_nodes(source, primary), source)
        defaults, parameters = read_defaults(about, source.document, account)
        folder = _folder(nodes, account)
        bodies = _bodies(source, nodes, account)
        code = [(node, [text_of(cell) for cell in cells if cell["cell_type"] == "code"]) for node, cells in bodies]
        check_apart(source, code, account)
        names = dict(zip((node.id for node in nodes), unique([step_name(node.label) for node in nodes]), strict=True))
        cells: list[JSON] = [text_cell("\n\n".join([f"# {source.stem}", *read_texts(about, account)]))]
        if parameters:
            cells.append(code_cell("\n".join(parameters), [PARAMETERS]))
        here, given = folder, set[str]()
        for node, body in bodies:
            made, here, given = _step(node, body, names, (here, given), defaults, account)
            cells += made
        document = {"nbformat": 4, "nbformat_minor": 5, "metadata": _metadata(source, nodes), "cells": cells}
        return Imported(
            f"Elyra v{version}",
            finished(document),
            source.stem,
            tuple(account.items),
            False,
            tuple(node.file for node in nodes),
            folder,
        )


def _primary(source: Source) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The main pipeline and its ``app_data``."""
    found = objects(source.document.get("pipelines"))
    wanted = source.document.get("primary_pipeline")
    primary = next((one for one in found if one.get("id") == wanted), found[0] if found else None)
    if primary is None:
        fix = "Open it in Elyra's pipeline editor and save it."
        raise refused(source, ("not-importable", f"{source.name} holds no pipeline", fix))
    return primary, mapping(primary.get("app_data"))


def _version(source: Source, about: Mapping[str, Any]) -> int:
    """The pipeline's version. Raises Refused for one that nobody has described yet."""
    version = about.get("version", 1)
    if isinstance(version, (str, float)):
        version = int(float(version)) if str(version).replace(".", "", 1).isdecimal() else None
    if isinstance(version, bool) or not isinstance(version, int) or not 1 <= version <= NEWEST:
        message = f"{source.name} says version {about.get('version')!r} of Elyra's pipelines; known are 1 to {NEWEST}"
        raise refused(source, ("unknown-version", message, "Save it with an Elyra of version 3 or 4, or upgrade jupyter-mlops."))
    return version


def _folder(nodes: Sequence[Node], account: Account) -> str:
    """Where the notebook has to lie for relative paths in its cells to mean the same: the nodes' folder, or the pipeline's."""
    folders = list(dict.fromkeys(posixpath.dirname(node.file) for node in nodes))
    if len(folders) == 1:
        return folders[0]
    what = f"nodes lie in {', '.join(folder or '.' for folder in folders)}; a line %cd goes from one to the other"
    account.taken("filename", what)
    return ""


def _bodies(source: Source, nodes: Sequence[Node], account: Account) -> list[tuple[Node, list[JSON]]]:
    """The cells of each node, from its notebook or script. Raises Refused with all files that cannot be read."""
    found: list[tuple[Node, list[JSON]]] = []
    reasons: list[tuple[str, str, str]] = []
    for node in nodes:
        cells = _body(source, node, account)
        if isinstance(cells, tuple):
            reasons.append(cells)
        else:
            found.append((node, cells))
    if reasons:
        raise refused(source, *reasons)
    return found


def _body(source: Source, node: Node, account: Account) -> list[JSON] | tuple[str, str, str]:
    """The cells of one node, or why its file cannot be read."""
    try:
        text = source.read(node.file)
        if node.file.endswith(".py"):
            return _script(node, text, account)
        return [copied(cell) for cell in parse(text, posixpath.basename(node.file)).raw["cells"]]
    except FileNotFoundError:
        message = f"the file {node.file} of the node {node.label!r} is not there"
        return "missing-file", message, "Put it beside the pipeline, at the path that the node says."
    except UnicodeDecodeError:
        return "not-importable", f"the file {node.file} of the node {node.label!r} is no text", "Save it as UTF-8."
    except Refused as error:
        return error.code, f"node {node.label!r}: {error.message}", error.fix


def _script(node: Node, text: str, account: Account) -> list[JSON]:
    """A script as one cell."""
    account.taken(f"{node.label}: {node.file}", "one cell of code, and a trailing pass: a script shows no last value")
    for word, meaning in (("__file__", "is not known in a notebook"), ("sys.argv", "is the kernel's, not the script's")):
        if word in text:
            account.lost(f"{node.label}: {word}", f"{word} {meaning}", f"Replace {word} by a path or value in the cell.")
    return [code_cell(text.rstrip("\n") + "\npass  # a script shows no last value")]


def _step(
    node: Node,
    body: Sequence[JSON],
    names: Mapping[str, str],
    before: tuple[str, set[str]],
    defaults: Mapping[str, Any],
    account: Account,
) -> tuple[list[JSON], str, set[str]]:
    """The cells of one node with our metadata, the folder they leave, and the environment variables they leave."""
    here, given = before
    there = posixpath.dirname(node.file)
    account.taken(node.label, f"the step {names[node.id]} with the cells of {node.file}")
    cells: list[JSON] = [text_cell(f"## {node.label}")]
    if there != here:
        cells.append(code_cell(f"%cd -q {posixpath.relpath(there or '.', here or '.')}"))
    line, wanted = environment(node, given, defaults, account)
    if line:
        cells.append(code_cell(line))
    cells += [_plain(cell) for cell in body]
    code = next((cell for cell in cells if cell["cell_type"] == "code"), None)
    if code is None:
        code = code_cell("pass  # the node has no code")
        cells.append(code)
    set_options(code, {"step": node.label, **node_options(node, defaults, account)})
    needs = [names[other] for other in node.after]
    set_tags(code, [*tags_of(code), *(f"prev:{name}" for name in needs)])
    if needs:
        account.taken(f"{node.label}: links", f"runs after {', '.join(needs)}")
    return cells, there, wanted


def _plain(cell: Mapping[str, Any]) -> JSON:
    """A node's cell without outputs, and without a tag of parameters: in Elyra no value is injected there."""
    found = copied(cell)
    if found["cell_type"] == "code":
        found |= {"outputs": [], "execution_count": None}
    found.setdefault("metadata", {})
    set_tags(found, [tag for tag in tags_of(found) if tag != PARAMETERS])
    return found


def _metadata(source: Source, nodes: Sequence[Node]) -> JSON:
    """Kernel and language of the first notebook among the nodes."""
    for node in nodes:
        if not node.file.endswith(".py"):
            about = parse(source.read(node.file), node.file).metadata
            return {key: about[key] for key in CARRIED if key in about}
    return {}
