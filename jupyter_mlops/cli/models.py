"""``jupyter mlops models``: what is registered; its files, and what loading them means; what differs; aliases; deletion."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_mlops.cli.console import Console, ago, size
from jupyter_mlops.errors import WrongUsage

if TYPE_CHECKING:
    from jupyter_mlops.flow import Workbench
    from jupyter_mlops.registry.allowed import Verdict
    from jupyter_mlops.registry.models import Model, ModelSummary

EXAMPLES = """\
  jupyter mlops models                             all models, their newest version first
  jupyter mlops models churn                       all versions of one
  jupyter mlops models diff churn:v2 churn:v3      metrics, packages, signature and files that differ
  jupyter mlops models pull churn:v3 churn-v3/     its files, verified, in a new folder
  jupyter mlops models scan churn:v3               what loading its pickle would call; nothing is loaded
  jupyter mlops models alias churn v3 champion --reason "better on new customers"
  jupyter mlops models alias churn champion --remove
  jupyter mlops models history churn               who moved an alias or deleted a version, when and why
  jupyter mlops models delete churn:v2             refused while a service uses it
  jupyter mlops models --json | jq -r '.models[].versions[0].digest'"""

TARGETED = True


def configure(parser: argparse.ArgumentParser) -> None:
    """The arguments."""
    parser.add_argument(
        "words",
        nargs="*",
        metavar="NAME | diff … | pull … | scan … | alias … | history … | delete …",
        help="a model, or what to do with one",
    )
    parser.add_argument("--remove", action="store_true", help="take the alias away")
    parser.add_argument("--reason", default="", metavar="WHY", help="of a move of an alias, or of a deletion; it is recorded")


def run(arguments: argparse.Namespace, console: Console, bench: Workbench) -> int:
    """List, show, or do what the first word says."""
    words: list[str] = arguments.words
    verb = words[0] if len(words) > 1 else ""
    if arguments.remove and verb != "alias":
        raise WrongUsage("--remove is for an alias", fix=f"Write: models {_VERBS['alias'][1]}")
    if not verb:
        _list_or_show(words, console, bench)
        return 0
    if verb not in _VERBS:
        forms = ", ".join(f"models {form}" for _, form, _ in _VERBS.values())
        raise WrongUsage(f"models does not take {' '.join(words)!r}", fix=f"Write: models NAME, {forms}")
    counts, form, act = _VERBS[verb]
    if len(words) - 1 not in counts:
        raise WrongUsage(f"models does not take {' '.join(words)!r}", fix=f"Write: models {form}")
    return act(arguments, console, bench) or 0


def _list_or_show(words: list[str], console: Console, bench: Workbench) -> None:
    from jupyter_mlops.registry.models import to_json

    if words:
        found = bench.models.get(words[0])
        if console.as_json:
            console.emit(to_json(found))
        else:
            show(found, console)
    elif console.as_json:
        console.emit({"models": [to_json(model) for model in bench.models.list()]})
    elif not (listed := bench.models.summaries()):
        console.note("No models yet. Register one in a cell: log_model(model, 'name')")
    else:
        console.table(("MODEL", "NEWEST", "VERSIONS", "ALIASES", "METRICS", "REGISTERED"), [_row(model) for model in listed])


def show(model: Model, console: Console) -> None:
    """All versions of a model."""
    rows = [
        (
            version.tag,
            ", ".join(version.aliases) or "-",
            _metrics(version.metrics),
            size(version.bytes),
            ago(version.created),
            version.run or "-",
            version.digest,
        )
        for version in model.versions
    ]
    console.line(model.name)
    console.table(("VERSION", "ALIASES", "METRICS", "SIZE", "REGISTERED", "RUN", "DIGEST"), rows)


def _row(model: ModelSummary) -> tuple[str, ...]:
    newest = model.newest
    aliases = ", ".join(f"{alias}={tag}" for alias, tag in model.aliases.items())
    return model.name, newest.tag, str(model.versions), aliases or "-", _metrics(newest.metrics), ago(newest.created)


def _metrics(metrics: object) -> str:
    found = dict(metrics) if isinstance(metrics, dict) else {}
    return ", ".join(f"{name}={value:.4g}" for name, value in found.items()) or "-"


def _diff(arguments: argparse.Namespace, console: Console, bench: Workbench) -> None:
    from jupyter_mlops.registry.modeldiff import compare

    before, after = (bench.models.find(reference) for reference in arguments.words[1:])
    differences = compare(before, after, bench.models.files(before), bench.models.files(after))
    if console.as_json:
        found = [asdict(difference) for difference in differences]
        console.emit({"from": before.reference, "to": after.reference, "differences": found})
    elif not differences:
        console.line("nothing differs")
    else:
        rows = [(one.part, one.name, _short(one.before), _short(one.after)) for one in differences]
        console.table(("WHAT", "NAME", f"{before.name}:{before.tag}", f"{after.name}:{after.tag}"), rows)


def _short(value: str | float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, (int, float)) else value.replace("sha256:", "")[:40]


def _pull(arguments: argparse.Namespace, console: Console, bench: Workbench) -> None:
    from jupyter_mlops.registry.models import to_json

    version = bench.models.find(arguments.words[1])
    folder = Path(arguments.words[2] if len(arguments.words) > 2 else f"{version.name}-{version.tag}")  # noqa: PLR2004 - optional
    bench.models.extract(version, folder)
    if console.as_json:
        console.emit({**to_json(version), "name": version.name, "folder": str(folder)})
    else:
        console.line(f"{version.name}:{version.tag} is in {folder}, {size(version.bytes)}")
        for file, verdict in _scanned(folder):
            console.note(_meaning(file, verdict))


def _scan(arguments: argparse.Namespace, console: Console, bench: Workbench) -> int:
    """Of a file that is here, or of a version's files, which are looked at and thrown away."""
    what = arguments.words[1]
    place = Path(what)
    if place.exists():
        found = dict(_scanned(place))
    else:
        version = bench.models.find(what)
        with tempfile.TemporaryDirectory() as scratch:
            bench.models.extract(version, Path(scratch) / "model")
            found = dict(_scanned(Path(scratch) / "model"))
    if console.as_json:
        console.emit({"scanned": what, "files": {file: verdict.to_json() for file, verdict in found.items()}})
    elif not found:
        console.line(f"{what} has no pickle")
    for file, verdict in found.items() if not console.as_json else ():
        console.line(_meaning(file, verdict))
    if all(verdict.harmless for verdict in found.values()):
        return 0
    console.note("Load it only if you trust who made it.")
    return 1


def _scanned(place: Path) -> Iterator[tuple[str, Verdict]]:
    """Each pickle in a file or folder and what it would do; nothing is loaded."""
    from jupyter_mlops.registry.allowed import judge, loader_of

    for path in sorted(place.rglob("*")) if place.is_dir() else [place]:
        loader = loader_of(path.name) if path.is_file() else None
        if loader is not None:
            yield path.relative_to(place).as_posix() if place.is_dir() else path.name, judge(path, loader)


def _meaning(file: str, verdict: Verdict) -> str:
    if verdict.harmless:
        return f"{file} is a pickle that names nothing but data and classes of known libraries"
    if verdict.unreadable:
        return f"{file} cannot be followed to its end ({verdict.unreadable}): nobody knows what loading it would do"
    return f"{file} is a pickle, and loading it runs code: it names {', '.join(verdict.refused[:5])}" + (
        f" and {len(verdict.refused) - 5} more" if len(verdict.refused) > 5 else ""  # noqa: PLR2004 - as many as are shown
    )


def _history(arguments: argparse.Namespace, console: Console, bench: Workbench) -> None:
    from jupyter_mlops.registry.times import seconds

    name = arguments.words[1]
    events = bench.models.history(name)
    if not events:
        bench.models.get(name)  # says that there is none of that name
    if console.as_json:
        console.emit({"name": name, "events": [dict(event) for event in events]})
    elif not events:
        console.note(f"No alias of {name} was moved, and no version deleted.")
    else:
        rows = [(ago(seconds(str(event.get("time")))), str(event.get("actor")), *_told(event)) for event in events]
        console.table(("WHEN", "WHO", "WHAT", "WHY"), rows)


def _told(event: Mapping[str, object]) -> tuple[str, str]:
    if event.get("action") == "delete":
        what = f"deleted {event.get('tag')}"
    else:
        what = f"{event.get('alias')}: {event.get('from') or '-'} → {event.get('to') or '-'}"
    return what, str(event.get("reason") or "-")


def _alias(arguments: argparse.Namespace, console: Console, bench: Workbench) -> None:
    from jupyter_mlops.registry.models import to_json

    name, *tag, alias = arguments.words[1:]
    if arguments.remove == bool(tag):
        raise WrongUsage("an alias is given to a version, or removed", fix=f"Write: models {_VERBS['alias'][1]}")
    if tag:
        bench.models.set_alias(name, alias, tag[0], reason=arguments.reason)
    else:
        bench.models.remove_alias(name, alias, reason=arguments.reason)
    if console.as_json:
        console.emit(to_json(bench.models.get(name)))
    else:
        console.line(f"{name}:{alias} is now {name}:{tag[0]}" if tag else f"{name}:{alias} is removed")


def _delete(arguments: argparse.Namespace, console: Console, bench: Workbench) -> None:
    reference = arguments.words[1]
    name, colon, tag = reference.partition(":")
    if not colon or not tag:
        raise WrongUsage(
            f"delete takes NAME:TAG, not {reference!r}", fix=f"Write for example: jupyter mlops models delete {name}:v1"
        )
    bench.delete_model(name, tag, arguments.reason)
    if console.as_json:
        console.emit({"deleted": reference})
    else:
        console.line(f"{reference} deleted")


_Act = Callable[[argparse.Namespace, Console, "Workbench"], int | None]

_VERBS: Mapping[str, tuple[tuple[int, ...], str, _Act]] = {
    "diff": ((2,), "diff NAME:TAG NAME:TAG", _diff),
    "pull": ((1, 2), "pull NAME[:TAG] [FOLDER]", _pull),
    "scan": ((1,), "scan NAME[:TAG] or models scan FILE", _scan),
    "alias": ((2, 3), "alias NAME TAG ALIAS or models alias NAME ALIAS --remove", _alias),
    "history": ((1,), "history NAME", _history),
    "delete": ((1,), "delete NAME:TAG [--reason WHY]", _delete),
}
"""First word → how many others it takes, how it is written, what it does."""
