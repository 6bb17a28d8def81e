"""``jupyter mlops models scan``: what loading a model would run, told and kept beside it."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_mlops.cli.console import Console
from jupyter_mlops.errors import NotAllowed

if TYPE_CHECKING:
    from jupyter_mlops.flow import Workbench
    from jupyter_mlops.formats.allowed import Verdict

SHOWN = 5
"""Names that are told of a pickle; ``--json`` has all."""


def scan(arguments: argparse.Namespace, console: Console, bench: Workbench) -> int:
    """Of a file that is here, or of a version, whose files are looked at and thrown away."""
    from jupyter_mlops.registry.verdicts import scanned

    what = arguments.words[1]
    place = Path(what)
    found = scanned(place) if place.exists() else scan_version(what, console, bench)
    if console.as_json:
        console.emit({"scanned": what, "files": {file: verdict.to_json() for file, verdict in found.items()}})
    elif not found:
        console.line(f"{what} has no pickle")
    for file, verdict in found.items() if not console.as_json else ():
        console.line(meaning(file, verdict))
    if all(verdict.harmless for verdict in found.values()):
        return 0
    console.note("Load it only if you trust who made it.")
    return 1


def scan_version(reference: str, console: Console, bench: Workbench) -> dict[str, Verdict]:
    """The verdicts on a version's files, which are kept with it where the registry takes them. Raises NotFound."""
    from jupyter_mlops.registry.verdicts import record, scanned

    version = bench.models.find(reference)
    with tempfile.TemporaryDirectory(prefix="mlops-scan-") as scratch:
        bench.models.extract(version, Path(scratch) / "model")
        found = scanned(Path(scratch) / "model")
    try:
        record(bench.store, f"models/{version.name}", version.digest, found)
    except NotAllowed as error:
        console.note(f"What was found is not kept: {error.message}")
    return found


def meaning(file: str, verdict: Verdict) -> str:
    """What loading a file would do, in a sentence."""
    if verdict.harmless:
        return f"{file} is a pickle that names nothing but data and classes of known libraries"
    if verdict.unreadable:
        return f"{file} cannot be followed to its end ({verdict.unreadable}): nobody knows what loading it would do"
    more = len(verdict.refused) - SHOWN
    names = ", ".join(verdict.refused[:SHOWN]) + (f" and {more} more" if more > 0 else "")
    return f"{file} is a pickle, and loading it runs code: it names {names}"
