"""The verbs of ``jupyter mlops registry`` that keep the folder in order: ``usage``, ``gc``, ``fsck`` and ``reindex``."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING

from jupyter_mlops.cli.console import Console, size
from jupyter_mlops.errors import NotFound

if TYPE_CHECKING:
    from jupyter_mlops.flow import Workbench
    from jupyter_mlops.registry.layout import LayoutRegistry


def configure(verb: Callable[[str, str], argparse.ArgumentParser]) -> None:
    """Their arguments; ``verb`` makes a parser by name and meaning."""
    verb("reindex", "forget what lists remember, and make the lineage of runs whose end nobody saw")
    verb("usage", "show what each repository of this machine takes")
    gc = verb("gc", "free what no tag leads to, and what killed writers left")
    gc.add_argument("repository", nargs="?", metavar="REPOSITORY", help="this one alone (default: all)")
    gc.add_argument("--dry-run", action="store_true", help="say what would go, and change nothing")
    fsck = verb("fsck", "read every blob and follow every manifest; exit with 1 if something is wrong and was not mended")
    fsck.add_argument("repository", nargs="?", metavar="REPOSITORY", help="this one alone (default: all)")
    fsck.add_argument("--repair", action="store_true", help="mend what can be mended; damaged bytes are moved aside, never deleted")


def _registry(bench: Workbench) -> LayoutRegistry:
    from jupyter_mlops.oci.layout import Layout
    from jupyter_mlops.registry.layout import LayoutRegistry

    return LayoutRegistry(Layout(bench.settings.storage.registry))


def _usage(arguments: argparse.Namespace, console: Console, bench: Workbench) -> int:
    """List the repositories, the largest first."""
    del arguments
    registry = _registry(bench)
    found = sorted(registry.usage(), key=lambda each: (-each.bytes, each.repository))
    total = registry.bytes()
    if console.as_json:
        console.emit({"repositories": [asdict(each) for each in found], "bytes": total})
        return 0
    if found:
        rows = [(each.repository, str(each.manifests), size(each.bytes), size(each.own)) for each in found]
        console.table(("REPOSITORY", "MANIFESTS", "SIZE", "ITS OWN"), rows)
    console.note(f"{size(total)} in {registry.store.root}; what repositories share is there once.")
    return 0


def _reindex(arguments: argparse.Namespace, console: Console, bench: Workbench) -> int:
    """Make the local index, and what is missing of the lineage, again from the tags."""
    del arguments
    told, new = bench.lineage.reindex()
    models, datasets = len(bench.models.summaries()), len(bench.datasets.list())
    if console.as_json:
        console.emit({"models": models, "datasets": datasets, "statements": told, "new": new})
    else:
        console.line(f"{models} models, {datasets} datasets; {told} versions say what made them, {new} of them since now")
    return 0


def _gc(arguments: argparse.Namespace, console: Console, bench: Workbench) -> int:
    """Collect."""
    registry = _registry(bench)
    if arguments.repository and arguments.repository not in registry.repositories():
        raise NotFound(
            f"no repository {arguments.repository}", code="name-unknown", fix="`jupyter mlops registry usage` lists them."
        )
    found = registry.collect(arguments.repository, dry_run=arguments.dry_run)
    if console.as_json:
        console.emit({**asdict(found), "dry_run": arguments.dry_run})
        return 0
    would = "would free" if arguments.dry_run else "freed"
    console.line(f"{would} {size(found.bytes)}: {found.manifests} manifests, {found.blobs} blobs")
    for reason in found.skipped:
        console.note(f"left alone: {reason}")
    return 0


def _fsck(arguments: argparse.Namespace, console: Console, bench: Workbench) -> int:
    """Look, and mend."""
    from jupyter_mlops.registry.fsck import check

    names = [arguments.repository] if arguments.repository else None
    found = []
    for damage in check(_registry(bench).store, names, repair=arguments.repair):
        found.append(damage)
        if not console.as_json:
            console.line(f"{damage.repository or 'all'}: {damage.what}: {damage.subject}: {damage.detail}")
            if damage.repair:
                console.line(f"  {damage.repair}")
    left = [damage for damage in found if not damage.repair]
    if console.as_json:
        console.emit({"damages": [asdict(damage) for damage in found], "left": len(left)})
    elif not found:
        console.line("nothing is wrong")
    elif left:
        more = "" if arguments.repair else " Try --repair."
        console.note(f"{len(left)} of {len(found)} not mended.{more}")
    return 1 if left else 0


VERBS = {"reindex": _reindex, "usage": _usage, "gc": _gc, "fsck": _fsck}
