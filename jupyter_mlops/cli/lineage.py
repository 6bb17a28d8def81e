"""``jupyter mlops lineage``: what made a version, and what was made of it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

from jupyter_mlops.cli.console import Console

if TYPE_CHECKING:
    from jupyter_mlops.flow import Workbench
    from jupyter_mlops.registry.lineage import Node, Origin

EXAMPLES = """\
  jupyter mlops lineage churn                      what made the newest version of a model
  jupyter mlops lineage datasets/rides:v2          what made a version of a dataset
  jupyter mlops lineage rides:v2 --down            what was made of it
  jupyter mlops lineage churn:v3 --json | jq -r '.origins[0].commit'"""

TARGETED = True

COMMIT = 12
"""Digits of a commit that are shown."""


def configure(parser: argparse.ArgumentParser) -> None:
    """The arguments."""
    parser.add_argument("reference", metavar="[models/|datasets/]NAME[:TAG]", help="a version of a model or dataset")
    parser.add_argument("--down", action="store_true", help="what was made of it, rather than what made it")


def run(arguments: argparse.Namespace, console: Console, bench: Workbench) -> int:
    """Show the tree."""
    from jupyter_mlops.registry.lineage import to_json

    lineage = bench.lineage
    thing = lineage.find(arguments.reference)
    tree = lineage.down(thing) if arguments.down else lineage.up(thing)
    if console.as_json:
        console.emit(to_json(tree))
        return 0
    for line in _lines(tree, "", facts=not arguments.down):
        console.line(line)
    if not tree.origins and not arguments.down:
        console.note("Nothing is told of what made it: only runs tell that, when they end.")
    elif not tree.next and arguments.down:
        console.note("Nothing was made of it, as far as runs tell.")
    return 0


def _lines(node: Node, indent: str, *, facts: bool) -> Iterator[str]:
    """A version, what made it, and the next ones further in."""
    gone = " (deleted)" if node.missing else " (see above)" if node.again else ""
    run = f"  by run {node.origins[0].run}" if node.origins and not facts else ""
    yield f"{indent}{node.thing.repository}:{node.thing.tag}{gone}{run}"
    if facts:
        for origin in node.origins:
            for fact in _facts(origin):
                yield f"{indent}  {fact}"
    for one in node.next:
        yield from _lines(one, indent + "    ", facts=facts)


def _facts(origin: Origin) -> Iterator[str]:
    when = f", {origin.finished}" if origin.finished else ""
    yield f"run {origin.run} of {origin.pipeline} ({origin.engine}{when})"
    yield f"notebook {origin.notebook or 'unknown'}"
    if origin.commit:
        yield f"commit {origin.commit[:COMMIT]}{', with changes since' if origin.dirty else ''}"
    for name, value in origin.parameters.items():
        yield f"parameter {name} = {value!r}"
    for material in origin.materials:
        digest = next(iter((material.get("digest") or {}).values()), "")
        yield f"{material.get('name')} {str(digest)[:COMMIT] or material.get('uri')}"
