"""An order of Elyra's nodes that their links allow: the order of the cells of the notebook that comes out.

Among nodes that could come next the one that the file names first does, so that the same pipeline gives the same notebook.
"""

from __future__ import annotations

from collections.abc import Sequence
from graphlib import CycleError, TopologicalSorter

from jupyter_mlops.importers.base import Source, refused
from jupyter_mlops.importers.elyranode import Node


def ordered(nodes: Sequence[Node], source: Source) -> list[Node]:
    """The nodes, each behind those that it waits for.

    Raises:
        Refused: nodes that wait for each other, or for one that is not there.
    """
    known = {node.id: node for node in nodes}
    reasons = [
        (
            "unknown-node",
            f"the node {node.label!r} waits for a node that the pipeline does not hold",
            "Draw the link again in Elyra.",
        )
        for node in nodes
        if set(node.after) - set(known)
    ]
    if reasons:
        raise refused(source, *reasons)
    place = {node.id: index for index, node in enumerate(nodes)}
    sorter = TopologicalSorter({node.id: node.after for node in nodes})
    try:
        sorter.prepare()
    except CycleError as error:
        way = " → ".join(known[one].label for one in error.args[1])
        raise refused(source, ("cycle", f"the nodes wait for each other: {way}", "Remove one of these links in Elyra.")) from error
    found: list[Node] = []
    ready = list(sorter.get_ready())
    while ready:
        ready.sort(key=lambda one: place[one])
        following = ready.pop(0)
        found.append(known[following])
        sorter.done(following)
        ready += sorter.get_ready()
    return found
