"""``jupyter mlops services``: what is served, and stop, start, delete and logs of one."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, cast

from jupyter_mlops.cli.console import Console, ago
from jupyter_mlops.cli.door import front_doors, url_of
from jupyter_mlops.errors import WrongUsage
from jupyter_mlops.settings import LOCAL
from jupyter_mlops.views import service_view

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jupyter_mlops.flow import Workbench
    from jupyter_mlops.serving.base import Service, Verb

EXAMPLES = """\
  jupyter mlops services                    all services
  jupyter mlops services churn              one of them, with its conditions
  jupyter mlops services stop churn         stop the model server; start brings it back
  jupyter mlops services delete churn       the model stays
  jupyter mlops services logs churn -f"""

TARGETED = True

VERBS = ("stop", "start", "delete", "logs")


def configure(parser: argparse.ArgumentParser) -> None:
    """The arguments."""
    parser.add_argument("words", nargs="*", metavar="[stop|start|delete|logs] NAME", help="a service, or a verb and a service")
    parser.add_argument("--namespace", metavar="NAMESPACE", help="namespace of the service on this machine (default: default)")
    parser.add_argument("-f", "--follow", action="store_true", help="with logs: go on until interrupted")


def run(arguments: argparse.Namespace, console: Console, bench: Workbench) -> int:
    """List, show, or do what the first word says."""
    namespace = arguments.namespace or bench.namespace
    words = list(arguments.words)
    if not words:
        return _list(arguments.namespace, console, bench, arguments.aim)
    if len(words) == 1 and words[0] not in VERBS:
        return _show(bench.services.get(words[0], namespace), console)
    if len(words) != 2 or words[0] not in VERBS:  # noqa: PLR2004  (a verb and a name)
        raise WrongUsage(
            f"services takes a name, or one of {', '.join(VERBS)} and a name",
            fix="Write for example: jupyter mlops services stop churn",
        )
    verb, name = words
    if verb == "logs":
        return _logs(name, namespace, console, bench, follow=arguments.follow)
    changed = bench.services.control(name, cast("Verb", verb), namespace)
    if console.as_json:
        console.emit({"deleted": name, "namespace": namespace} if verb == "delete" else _view(changed))
    else:
        console.line(f"{name}: deleted" if verb == "delete" else f"{name}: {changed.phase}")
    return 0


def _list(namespace: str | None, console: Console, bench: Workbench, aim: str) -> int:
    listed = [service for service in bench.services.list() if namespace in {None, service.namespace}]
    doors = front_doors() if listed and bench.target.local else ()
    if console.as_json:
        console.emit({"services": [{**service_view(service), "url": url_of(service, doors)} for service in listed]})
    elif not listed:
        console.note(f"No services yet. Make one: jupyter mlops deploy MODEL{aim}")
    else:
        console.table(
            ("SERVICE", "PHASE", "MODEL", "SINCE", "URL"),
            [
                (_name(service), service.phase, _model(service.model), ago(service.created), url_of(service, doors))
                for service in listed
            ],
        )
    return 0


def _show(service: Service, console: Console) -> int:
    if console.as_json:
        console.emit(_view(service))
        return 0
    console.line(f"{_name(service)}: {service.phase}")
    console.line(f"model: {service.model}")
    console.line(f"url:   {url_of(service, _doors(service))}")
    if service.message:
        console.line(service.message)
    if service.fix:
        console.line(f"fix: {service.fix}")
    for fact in service.facts:
        console.line(f"said: {fact}")
    console.line()
    console.table(
        ("CONDITION", "STATUS", "REASON", "MESSAGE"),
        [(one.type, one.status, one.reason, one.message) for one in service.conditions],
    )
    return 0


def _logs(name: str, namespace: str, console: Console, bench: Workbench, *, follow: bool) -> int:
    lines = bench.services.logs(name, namespace, follow=follow)
    if console.as_json and not follow:
        console.emit({"lines": list(lines)})
        return 0
    for line in lines:
        if console.as_json:
            console.emit({"text": line})
        else:
            console.line(line)
            console.out.flush()
    return 0


def _view(service: Service) -> dict[str, Any]:
    return {**service_view(service), "url": url_of(service, _doors(service))}


def _doors(service: Service) -> Sequence[str]:
    """Front doors lead to services of this machine."""
    return front_doors() if service.target == LOCAL else ()


def _name(service: Service) -> str:
    return service.name if service.namespace == "default" or service.target != LOCAL else f"{service.namespace}/{service.name}"


def _model(reference: str) -> str:
    """A digest's first characters tell it apart; the whole is in ``--json``."""
    name, at, digest = reference.partition("@")
    return f"{name}@{digest[:19]}" if at else name
