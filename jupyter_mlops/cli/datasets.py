"""``jupyter mlops datasets``: what was recorded; its files; what changed from one version to another."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_mlops.cli.console import Console, ago, size
from jupyter_mlops.errors import WrongUsage

if TYPE_CHECKING:
    from jupyter_mlops.flow import Workbench
    from jupyter_mlops.registry.datasets import Dataset, DatasetFile

EXAMPLES = """\
  jupyter mlops datasets                           all datasets, their newest version
  jupyter mlops datasets show rides                its versions; files and columns of the newest
  jupyter mlops datasets show rides:v2             files and columns of a version
  jupyter mlops datasets pull rides:v2 data/       its files, verified, in a new folder
  jupyter mlops datasets diff rides:v1 rides:v2    files, rows and columns that changed
  jupyter mlops datasets delete rides:v1"""

TARGETED = True


def configure(parser: argparse.ArgumentParser) -> None:
    """The arguments."""
    parser.add_argument("verb", nargs="?", choices=sorted(_VERBS), default="list", metavar="list | show | pull | diff | delete")
    parser.add_argument("words", nargs="*", metavar="NAME[:TAG] …", help="a dataset, or a version of one")
    parser.add_argument("--reason", default="", metavar="WHY", help="of a deletion; it is recorded")


def run(arguments: argparse.Namespace, console: Console, bench: Workbench) -> int:
    """Do what the first word says."""
    counts, form, act = _VERBS[arguments.verb]
    words: list[str] = arguments.words
    if len(words) not in counts:
        raise WrongUsage(f"datasets {arguments.verb} does not take {' '.join(words)!r}", fix=f"Write: datasets {form}")
    act(arguments, console, bench)
    return 0


def _list(_: argparse.Namespace, console: Console, bench: Workbench) -> None:
    from jupyter_mlops.registry.datasets import to_json

    listed = bench.datasets.list()
    if console.as_json:
        console.emit({"datasets": [to_json(one) for one in listed]})
    elif not listed:
        console.note("No datasets yet. Record one in a cell: log_dataset(frame, 'name')")
    else:
        rows = [(one.name, one.tag, _rows(one), size(one.bytes), ago(one.created), one.run or "-") for one in listed]
        console.table(("DATASET", "NEWEST", "ROWS", "SIZE", "RECORDED", "RUN"), rows)


def _show(arguments: argparse.Namespace, console: Console, bench: Workbench) -> None:
    from jupyter_mlops.registry.datasets import to_json

    reference = arguments.words[0]
    found = bench.datasets.find(reference)
    files = bench.datasets.files(found)
    versions = [] if ":" in reference or "@" in reference else bench.datasets.versions(found.name)
    if console.as_json:
        console.emit({**to_json(found), "files": [asdict(file) for file in files], "versions": [to_json(one) for one in versions]})
        return
    if versions:
        rows = [(one.tag, _rows(one), size(one.bytes), ago(one.created), one.run or "-", one.digest) for one in versions]
        console.table(("VERSION", "ROWS", "SIZE", "RECORDED", "RUN", "DIGEST"), rows)
        console.line()
    console.line(f"{found.name}:{found.tag}, {found.facts.get('source') or 'files'}")
    _say_files(files, console)
    if columns := found.facts.get("columns"):
        console.line()
        console.table(("COLUMN", "TYPE"), [(str(one.get("name")), str(one.get("arrow") or one.get("datatype"))) for one in columns])


def _pull(arguments: argparse.Namespace, console: Console, bench: Workbench) -> None:
    from jupyter_mlops.cli.transfer import Transfer
    from jupyter_mlops.registry.datasets import to_json

    found = bench.datasets.find(arguments.words[0])
    folder = Path(arguments.words[1] if len(arguments.words) > 1 else found.name.rpartition("/")[2])
    with Transfer(console) as shown:
        files = bench.datasets.pull(found, folder, shown)
    if console.as_json:
        console.emit({**to_json(found), "folder": str(folder), "files": [asdict(file) for file in files]})
    else:
        console.line(f"{found.name}:{found.tag} is in {folder}: {len(files)} files, {size(found.bytes)}")


def _diff(arguments: argparse.Namespace, console: Console, bench: Workbench) -> None:
    from jupyter_mlops.registry.datasets import changes_json

    before, after = (bench.datasets.find(reference) for reference in arguments.words)
    changes = bench.datasets.diff(before, after)
    if console.as_json:
        console.emit({"from": before.reference, "to": after.reference, **changes_json(changes)})
        return
    for sign, files in (("+", changes.added), ("-", changes.removed)):
        for file in files:
            console.line(f"{sign} {file.path}  {size(file.bytes)}")
    for old, new in changes.changed:
        console.line(f"~ {new.path}  {size(old.bytes)} → {size(new.bytes)}")
    for name, was, now in changes.columns:
        console.line(f"column {name}: {was or 'not there'} → {now or 'not there'}")
    if changes.rows[0] != changes.rows[1]:
        console.line(f"rows: {_number(changes.rows[0])} → {_number(changes.rows[1])}")
    console.line(f"{changes.same} files are the same")


def _delete(arguments: argparse.Namespace, console: Console, bench: Workbench) -> None:
    name, colon, tag = arguments.words[0].partition(":")
    if not colon or not tag:
        raise WrongUsage(f"delete takes NAME:TAG, not {name!r}", fix=f"Write for example: jupyter mlops datasets delete {name}:v1")
    bench.delete_dataset(name, tag, arguments.reason)
    if console.as_json:
        console.emit({"deleted": f"{name}:{tag}"})
    else:
        console.line(f"{name}:{tag} deleted")


def _say_files(files: Sequence[DatasetFile], console: Console) -> None:
    console.table(("FILE", "SIZE", "DIGEST"), [(file.path, size(file.bytes), file.digest) for file in files])


def _rows(one: Dataset) -> str:
    return _number(one.facts.get("rows"))


def _number(rows: int | None) -> str:
    return "-" if rows is None else f"{rows}"


_Act = Callable[[argparse.Namespace, Console, "Workbench"], None]

_VERBS: Mapping[str, tuple[tuple[int, ...], str, _Act]] = {
    "list": ((0,), "list", _list),
    "show": ((1,), "show NAME[:TAG]", _show),
    "pull": ((1, 2), "pull NAME[:TAG] [FOLDER]", _pull),
    "diff": ((2,), "diff NAME:TAG NAME:TAG", _diff),
    "delete": ((1,), "delete NAME:TAG [--reason WHY]", _delete),
}
"""Verb → how many words it takes, how it is written, what it does."""
