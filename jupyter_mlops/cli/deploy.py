"""``jupyter mlops deploy``: serve a registered model and wait until it answers."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from jupyter_mlops.cli.command import INTERRUPTED
from jupyter_mlops.cli.console import Console, duration
from jupyter_mlops.cli.door import front_doors, url_of

if TYPE_CHECKING:
    from jupyter_mlops.flow import Workbench
    from jupyter_mlops.serving.base import Service

EXAMPLES = """\
  jupyter mlops deploy churn                       the newest version
  jupyter mlops deploy churn:v3 --name churn-old   a version, under another name
  jupyter mlops deploy churn:champion --detach     return at once
  jupyter mlops deploy churn --json | jq -r .url"""

POLL = 0.1
SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


def configure(parser: argparse.ArgumentParser) -> None:
    """The arguments."""
    parser.add_argument("model", metavar="NAME[:TAG|@DIGEST]")
    parser.add_argument("--name", metavar="SERVICE", help="name of the service (default: the model's)")
    parser.add_argument("--namespace", metavar="NAMESPACE", help="namespace (default: default)")
    parser.add_argument("--port", type=int, metavar="N", help="loopback port (default: a free one)")
    parser.add_argument("--detach", action="store_true", help="return as soon as the model server starts")
    parser.add_argument("--timeout", type=float, metavar="SECONDS", help="how long to wait until it is ready (default: 60)")


def run(arguments: argparse.Namespace, console: Console, bench: Workbench) -> int:
    """Deploy, wait, report."""
    service = bench.deploy(arguments.model, arguments.name, arguments.namespace, arguments.port)
    console.note(f"service {service.name} starts with {service.model}")
    code = 0
    if not arguments.detach:
        timeout = bench.settings.serving.ready_timeout if arguments.timeout is None else arguments.timeout
        try:
            service = wait(bench, service, timeout, console)
        except KeyboardInterrupt:
            console.note(f"\n{service.name} goes on starting; look with: jupyter mlops services {service.name}")
            code = INTERRUPTED
    url = url_of(service, front_doors())
    if console.as_json:
        console.emit(
            {"service": service.name, "namespace": service.namespace, "url": url, "ready": service.ready, "model": service.model}
        )
    else:
        console.line(f"{service.name}: {service.phase} at {url}")
        if service.ready:
            console.note(f"  call it: jupyter mlops predict {service.name}")
    return code


def wait(bench: Workbench, service: Service, timeout: float, console: Console) -> Service:
    """Until it is ready. Raises why it is not: PlatformError, Conflict or Unavailable."""
    from jupyter_mlops.serving.wait import until_ready

    started = time.monotonic()
    turn, phase = 0, ""
    while not service.ready and service.phase not in {"Failed", "Stopped"} and time.monotonic() - started < timeout:
        if console.live:
            passed = duration(time.monotonic() - started)
            console.err.write(f"\r{SPINNER[turn % len(SPINNER)]} {service.name}: {service.phase} {passed}\x1b[K")
            console.err.flush()
        elif phase != service.phase:
            console.note(f"{service.name}: {service.phase}")
        turn, phase = turn + 1, service.phase
        time.sleep(POLL)
        service = bench.services.get(service.name, service.namespace)
    if console.live and turn:
        console.err.write("\r\x1b[K")
    return until_ready(bench.services, service.name, service.namespace, 0)
