"""``jupyter mlops models``: what is registered; its files, and what loading them means; what differs; aliases; deletion."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_mlops.cli.console import Console, ago, size
from jupyter_mlops.errors import WrongUsage

if TYPE_CHECKING:
    from jupyter_mlops.flow import Workbench
    from jupyter_mlops.registry.models import Model, ModelSummary

EXAMPLES = """\
  jupyter mlops models                             all models, their newest version first
  jupyter mlops models churn                       all versions of one
  jupyter mlops models show churn:v3               one version: its card, datasets and tensors, without fetching it
  jupyter mlops models diff churn:v2 churn:v3      metrics, packages, signature and files that differ
  jupyter mlops models pull churn:v3 churn-v3/     its files, verified, in a new folder
  jupyter mlops models import mlruns/model churn   a folder of MLflow or Hugging Face, or a file, as the next version
  jupyter mlops models export churn:v3 out --format mlflow
  jupyter mlops models scan churn:v3               what loading its pickle would call; nothing is loaded
  jupyter mlops models allow churn:v3 --reason "made by the fraud team, looked at"
  jupyter mlops models --allowed                   versions that you allowed to run code when they are loaded
  jupyter mlops models key my.key                  a pair of keys; `key FILE.pub --trust` trusts somebody's
  jupyter mlops models sign churn:v3 --key my.key
  jupyter mlops models verify churn:v3 --key my.key.pub
  jupyter mlops models sign churn:v3 --keyless     as whom your identity provider knows you, by sigstore
  jupyter mlops models verify churn:v3 --identity me@example.org --issuer https://accounts.google.com
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
        metavar="NAME | VERB …",
        help=f"a model, or what to do: {', '.join(_VERBS)}",
    )
    parser.add_argument("--remove", action="store_true", help="take the alias away, or allow no more")
    parser.add_argument("--key", default="", metavar="FILE", help="PEM file of a key: private to sign, public to verify")
    parser.add_argument("--trust", action="store_true", help="of a public key: what it signs is trusted from now on")
    parser.add_argument("--keyless", action="store_true", help="sign as whom an identity provider knows, by sigstore")
    parser.add_argument("--identity", default="", metavar="WHO", help="of verify: an address, or the URI of a workflow or account")
    parser.add_argument("--issuer", default="", metavar="URL", help="the identity provider that knows WHO")
    parser.add_argument("--trust-config", default="", metavar="FILE", help="a private sigstore; without it the public one is meant")
    parser.add_argument("--provenance", action="store_true", help="of a signature: vouch also for where the version comes from")
    parser.add_argument("--allowed", action="store_true", help="list the versions that may run code because you allowed it")
    parser.add_argument("--format", default="", metavar="FORMAT", help="of an export: mlflow")
    parser.add_argument(
        "--reason", default="", metavar="WHY", help="of a move of an alias, a deletion, or of allowing; it is recorded"
    )


def run(arguments: argparse.Namespace, console: Console, bench: Workbench) -> int:
    """List, show, or do what the first word says."""
    words: list[str] = arguments.words
    verb = words[0] if len(words) > 1 else ""
    if arguments.remove and verb not in {"alias", "allow"}:
        raise WrongUsage("--remove is for an alias", fix=f"Write: models {_VERBS['alias'][1]}")
    if arguments.allowed:
        from jupyter_mlops.cli.allow import show_allowed

        show_allowed(console, bench)
        return 0
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


def _show(arguments: argparse.Namespace, console: Console, bench: Workbench) -> None:
    from jupyter_mlops.cli.modelshow import show_version

    show_version(arguments, console, bench)


def _import(arguments: argparse.Namespace, console: Console, bench: Workbench) -> None:
    from jupyter_mlops.cli.modelfiles import import_files

    import_files(arguments, console, bench)


def _allow(arguments: argparse.Namespace, console: Console, bench: Workbench) -> None:
    from jupyter_mlops.cli.allow import allow

    allow(arguments, console, bench)


def _signing(arguments: argparse.Namespace, console: Console, bench: Workbench) -> None:
    from jupyter_mlops.cli import signing

    verbs = {"key": signing.key, "trust": signing.trust, "sign": signing.sign, "verify": signing.verify}
    verbs[arguments.words[0]](arguments, console, bench)


def _export(arguments: argparse.Namespace, console: Console, bench: Workbench) -> None:
    from jupyter_mlops.cli.modelfiles import export_files

    export_files(arguments, console, bench)


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
    from jupyter_mlops.cli.scan import meaning
    from jupyter_mlops.cli.transfer import Transfer
    from jupyter_mlops.registry.models import to_json
    from jupyter_mlops.registry.verdicts import scanned

    version = bench.models.find(arguments.words[1])
    folder = Path(arguments.words[2] if len(arguments.words) > 2 else f"{version.name}-{version.tag}")  # noqa: PLR2004 - optional
    with Transfer(console) as shown:
        bench.models.extract(version, folder, shown)
    if console.as_json:
        console.emit({**to_json(version), "name": version.name, "folder": str(folder)})
    else:
        console.line(f"{version.name}:{version.tag} is in {folder}, {size(version.bytes)}")
        for file, verdict in scanned(folder).items():
            console.note(meaning(file, verdict))


def _scan(arguments: argparse.Namespace, console: Console, bench: Workbench) -> int:
    from jupyter_mlops.cli.scan import scan

    return scan(arguments, console, bench)


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
    "show": ((1,), "show NAME[:TAG]", _show),
    "diff": ((2,), "diff NAME:TAG NAME:TAG", _diff),
    "pull": ((1, 2), "pull NAME[:TAG] [FOLDER]", _pull),
    "import": ((2,), "import FOLDER NAME or models import FILE NAME", _import),
    "export": ((2,), "export NAME[:TAG] FOLDER --format mlflow", _export),
    "scan": ((1,), "scan NAME[:TAG] or models scan FILE", _scan),
    "allow": ((1,), "allow NAME:TAG --reason WHY or models allow NAME:TAG --remove", _allow),
    "key": ((1,), "key FILE or models key FILE.pub --trust", _signing),
    "trust": ((1,), "trust WHO --issuer URL", _signing),
    "sign": ((1,), "sign NAME:TAG --key FILE [--provenance] or models sign NAME:TAG --keyless", _signing),
    "verify": ((1,), "verify NAME:TAG [--key FILE.pub | --identity WHO --issuer URL]", _signing),
    "alias": ((2, 3), "alias NAME TAG ALIAS or models alias NAME ALIAS --remove", _alias),
    "history": ((1,), "history NAME", _history),
    "delete": ((1,), "delete NAME:TAG [--reason WHY]", _delete),
}
"""First word → how many others it takes, how it is written, what it does."""
