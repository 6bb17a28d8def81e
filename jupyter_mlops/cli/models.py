"""``jupyter mlops models``: what is registered; aliases; deletion of versions that nothing serves."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from jupyter_mlops.cli.console import Console, ago, size
from jupyter_mlops.errors import WrongUsage

if TYPE_CHECKING:
    from jupyter_mlops.flow import Workbench
    from jupyter_mlops.registry.models import Model, ModelSummary

EXAMPLES = """\
  jupyter mlops models                             all models, their newest version first
  jupyter mlops models churn                       all versions of one
  jupyter mlops models alias churn v3 champion     let churn:champion name version v3
  jupyter mlops models delete churn:v2             refused while a service uses it
  jupyter mlops models --json | jq -r '.models[].versions[0].digest'"""

TARGETED = True

ALIAS_WORDS = 4
DELETE_WORDS = 2


def configure(parser: argparse.ArgumentParser) -> None:
    """The arguments."""
    parser.add_argument(
        "words", nargs="*", metavar="NAME | alias NAME TAG ALIAS | delete NAME:TAG", help="a model, or what to do with one"
    )
    parser.add_argument("--reason", default="", metavar="WHY", help="of a deletion, although something was made of it")


def run(arguments: argparse.Namespace, console: Console, bench: Workbench) -> int:
    """List, show, or do what the first word says."""
    from jupyter_mlops.registry.models import to_json

    words = list(arguments.words)
    if words[:1] == ["alias"] and len(words) == ALIAS_WORDS:
        return _alias(words[1], words[2], words[3], console, bench)
    if words[:1] == ["delete"] and len(words) == DELETE_WORDS:
        return _delete(words[1], arguments.reason, console, bench)
    if len(words) > 1:
        raise WrongUsage(
            f"models does not take {' '.join(words)!r}",
            fix="Write: models NAME, models alias NAME TAG ALIAS, or models delete NAME:TAG.",
        )
    if words:
        found = bench.models.get(words[0])
        if console.as_json:
            console.emit(to_json(found))
        else:
            show(found, console)
        return 0
    if console.as_json:
        console.emit({"models": [to_json(model) for model in bench.models.list()]})
    elif not (listed := bench.models.summaries()):
        console.note("No models yet. Register one in a cell: log_model(model, 'name')")
    else:
        console.table(("MODEL", "NEWEST", "VERSIONS", "ALIASES", "METRICS", "REGISTERED"), [_row(model) for model in listed])
    return 0


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


def _alias(name: str, tag: str, alias: str, console: Console, bench: Workbench) -> int:
    from jupyter_mlops.registry.models import to_json

    bench.models.set_alias(name, alias, tag)
    if console.as_json:
        console.emit(to_json(bench.models.get(name)))
    else:
        console.line(f"{name}:{alias} is now {name}:{tag}")
    return 0


def _delete(reference: str, reason: str, console: Console, bench: Workbench) -> int:
    name, colon, tag = reference.partition(":")
    if not colon or not tag:
        raise WrongUsage(
            f"delete takes NAME:TAG, not {reference!r}", fix=f"Write for example: jupyter mlops models delete {name}:v1"
        )
    bench.delete_model(name, tag, reason)
    if console.as_json:
        console.emit({"deleted": reference})
    else:
        console.line(f"{reference} deleted")
    return 0
