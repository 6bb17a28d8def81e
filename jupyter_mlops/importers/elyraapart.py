"""Whether nodes that had a kernel each may share one: refused where a name of one node would reach another.

In Elyra a node sees no name of any other. In one notebook it sees those of all nodes above it. That changes a result only
where a cell reads a name that its own node has not bound before: then it would find another node's value instead of a
built-in function, a NameError, or nothing. The analysis that finds a notebook's data flow finds exactly these. Code that it
cannot read (``globals()``, ``exec``) could look at any name, so a node with it may only come first.

Settings of the process (display options, the import path) go on from node to node as well. Whether one changes what a later
node prints cannot be known without running it, so each is told, with its cell's node.
"""

from __future__ import annotations

from collections.abc import Sequence

from jupyter_mlops.dataflow.link import analyse
from jupyter_mlops.importers.base import Account, Source, refused
from jupyter_mlops.importers.elyranode import Node
from jupyter_mlops.notebook.document import Cell

HARMLESS = ("%matplotlib", "%load_ext", "%config InlineBackend", "np.random.seed", "numpy.random.seed", "random.seed")
"""Settings that every node's own kernel has too, or whose absence gave another result each time."""


def check_apart(source: Source, bodies: Sequence[tuple[Node, Sequence[str]]], account: Account) -> None:
    """Check the code cells of all nodes, in the order in which they will run.

    Raises:
        Refused: code ``shared-name`` or ``opaque-node``, with every name and node.
    """
    cells: list[Cell] = []
    owner: list[Node] = []
    for node, sources in bodies:
        for text in sources:
            cells.append(Cell(len(cells), "code", text))
            owner.append(node)
    analysis = analyse(cells)
    reasons: list[tuple[str, str, str]] = []
    for flow in analysis.flows:
        one, other = owner[flow.source], owner[flow.target]
        if one.id == other.id or flow.kind == "file":
            continue
        for name in sorted(flow.names):
            message = (
                f"{other.label!r} reads {name} before it sets it, and {one.label!r} binds it: each had a kernel of its own, "
                f"and in one notebook it would read the other's"
            )
            reasons.append(("shared-name", message, f"Rename {name} in {one.file}, or set it in {other.file}; then import again."))
    for facts in analysis.facts:
        node = owner[facts.cell]
        for line in facts.setup if node.id != bodies[-1][0].id else ():
            if not line.startswith(HARMLESS):
                what = "it holds for the nodes after this one too; in Elyra each begins with the defaults"
                account.lost(
                    f"{node.label}: {line}", what, "Undo it in the last cell of the node, if a later one must not have it."
                )
        opaque = [doubt for doubt in facts.doubts if doubt.kind in {"dynamic", "opaque"}]
        if opaque and node.id != bodies[0][0].id:
            message = f"{node.label!r} uses {opaque[0].what}, which could see the names of the nodes before it"
            reasons.append(("opaque-node", message, f"Write {opaque[0].what} in {node.file} as plain code; then import again."))
    if reasons:
        raise refused(source, *dict.fromkeys(reasons))
