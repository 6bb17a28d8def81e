"""``jupyter mlops targets``: where runs can go and whether that works; check, show, set and choose one."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from jupyter_mlops.cli.console import Console, ago
from jupyter_mlops.cli.doctor import MARKS
from jupyter_mlops.errors import WrongUsage
from jupyter_mlops.targets.values import KEYS, assignment

if TYPE_CHECKING:
    from jupyter_mlops.flow import Workbench
    from jupyter_mlops.targets.check import Check, Health
    from jupyter_mlops.targets.find import Found

EXAMPLES = """\
  jupyter mlops targets                    this machine, and every context of the kubeconfig
  jupyter mlops targets --check dev        look whether it works, with what to do about the rest
  jupyter mlops targets set dev registry=https://registry.example.com/ml image=registry.example.com/ml/python:3.11
  jupyter mlops targets set dev image=     take a setting back
  jupyter mlops targets use dev            where commands go that name no target; `use local` is this machine
  jupyter mlops targets show dev           its settings, those of its namespace included"""

VERBS = ("set", "use", "show")
PAIR = 2


def configure(parser: argparse.ArgumentParser) -> None:
    """The arguments."""
    parser.add_argument("words", nargs="*", metavar="set NAME KEY=VALUE… | use NAME | show NAME", help="what to do with a target")
    parser.add_argument("--check", metavar="NAME", help="look now whether this target works; exit with 1 if it does not")
    parser.epilog = f"{parser.epilog}\n\nsettings of a target: {', '.join(KEYS)}"


def run(arguments: argparse.Namespace, console: Console, bench: Workbench) -> int:
    """List, check, or do what the first word says."""
    words = list(arguments.words)
    if arguments.check and words:
        raise WrongUsage("--check takes a name and nothing else", fix=f"Write: jupyter mlops targets --check {arguments.check}")
    if arguments.check:
        return _check(arguments.check, console, bench)
    if not words:
        return _list(console, bench)
    verb, rest = words[0], words[1:]
    if verb == "set" and len(rest) >= PAIR:
        return _set(rest[0], rest[1:], console, bench)
    if verb == "use" and len(rest) == 1:
        return _use(rest[0], console, bench)
    if verb == "show" and len(rest) == 1:
        return _show(rest[0], console, bench)
    raise WrongUsage(
        f"targets does not take {' '.join(words)!r}",
        fix="Write: targets, targets --check NAME, targets show NAME, targets use NAME, or targets set NAME KEY=VALUE.",
    )


def view(found: Found, health: Health | None) -> dict[str, Any]:
    """A target as JSON: the shape that REST has too."""
    from jupyter_mlops.targets.view import target_view

    return target_view(found, health)


def _list(console: Console, bench: Workbench) -> int:
    targets = bench.targets
    default, listed = targets.default, targets.list()
    rows = [(found, targets.health(found.target.name)) for found in listed]
    if console.as_json:
        console.emit({"targets": [view(found, health) for found, health in rows], "default": default})
        return 0
    console.table(
        ("TARGET", "", "HEALTH", "NAMESPACE", "REGISTRY", "IMAGE"),
        [
            (
                found.target.name,
                "default" if found.target.name == default else "",
                "ok" if found.target.local else _health(health),
                found.target.namespace or "-",
                found.target.registry or "-",
                found.target.image or "-",
            )
            for found, health in rows
        ],
    )
    if any(health is None and not found.target.local for found, health in rows):
        console.note("Whether a cluster works: jupyter mlops targets --check NAME")
    return 0


def _health(health: Health | None) -> str:
    """In few words: how it is, what is wrong, how old that is."""
    if health is None:
        return "not checked"
    problem = health.problem
    return f"{health.level}{f' ({problem.title})' if problem else ''}, {ago(health.checked)}"


def _check(name: str, console: Console, bench: Workbench) -> int:
    found = bench.targets.found(name)
    health = bench.targets.check(name)
    if console.as_json:
        console.emit(view(found, health))
    else:
        console.line(f"{name}: {found.title}")
        for check in health.checks:
            say(check, console)
        words = {"ok": "It can be used.", "warn": "It can be used; see what is marked with !.", "fail": "Something is missing."}
        console.line(words.get(health.level, ""))
    return 1 if health.level == "fail" else 0


def say(check: Check, console: Console) -> None:
    """A finding in words, its fix below it."""
    mark, colour = MARKS[check.level]
    console.line(f"{console.styled(mark, colour)} {check.id} {check.title}: {check.why}")
    if check.fix:
        first, *rest = check.fix.splitlines()
        console.line(f"    fix: {first}")
        for line in rest:  # a manifest: it has to stand at the edge to be pasted
            console.line(line)


def _set(name: str, texts: list[str], console: Console, bench: Workbench) -> int:
    values = dict(assignment(text) for text in texts)
    target = bench.targets.set(name, values)
    if console.as_json:
        console.emit(view(bench.targets.found(name), None))
    else:
        for key in values:
            console.line(f"{name}: {key} = {_value(getattr(target, key))}")
        console.note(f"  does it work: jupyter mlops targets --check {name}")
    return 0


def _use(name: str, console: Console, bench: Workbench) -> int:
    bench.targets.use(name)
    chosen = bench.targets.default
    if console.as_json:
        console.emit({"default": chosen})
        return 0
    console.line(f"{chosen} is the default target")
    if chosen != name:
        console.note("  JUPYTER_MLOPS_TARGET, or the pod's namespace, says otherwise.")
    return 0


def _show(name: str, console: Console, bench: Workbench) -> int:
    """With what the namespace says, where it answers."""
    from dataclasses import replace

    from jupyter_mlops.errors import MlopsError

    found = bench.targets.found(name)
    try:
        whole = bench.targets.resolved(found.target)
    except MlopsError as error:
        console.note(f"without what its namespace says: {error}")
        whole = found.target
    if console.as_json:
        console.emit(view(replace(found, target=whole), bench.targets.health(name)))
        return 0
    console.line(f"{name}: {found.title}")
    if found.server:
        console.line(f"  server           {found.server}")
    if whole.local:
        return 0
    for key in KEYS:
        mine, value = getattr(found.target, key), getattr(whole, key)
        origin = "" if not value or mine else "   (says its namespace)"
        console.line(f"  {key:<16} {_value(value)}{origin}")
    return 0


def _value(value: Any) -> str:
    if isinstance(value, str):
        return value or "-"
    return ", ".join(f"{prefix}={to}" for prefix, to in value.items()) or "-"
