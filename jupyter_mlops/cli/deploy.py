"""``jupyter mlops deploy``: serve a registered model and wait until it answers."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from jupyter_mlops.cli.command import INTERRUPTED
from jupyter_mlops.cli.console import Console, duration
from jupyter_mlops.cli.door import front_doors, url_of
from jupyter_mlops.errors import WrongUsage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jupyter_mlops.flow import Workbench
    from jupyter_mlops.serving.base import Service

EXAMPLES = """\
  jupyter mlops deploy churn                       the newest version
  jupyter mlops deploy churn:v3 --name churn-old   a version, under another name
  jupyter mlops deploy churn:champion --detach     return at once
  jupyter mlops deploy churn --target dev --gpu 1  on a cluster, with KServe
  jupyter mlops deploy churn --allow-pickle 'from the team next door'
  jupyter mlops deploy churn --json | jq -r .url"""

TARGETED = True

POLL = 0.1
CLUSTER_PATIENCE = 300.0
"""Seconds: a node that has none of the images pulls gigabytes first."""

SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


def configure(parser: argparse.ArgumentParser) -> None:
    """The arguments."""
    parser.add_argument("model", metavar="NAME[:TAG|@DIGEST]")
    parser.add_argument("--name", metavar="SERVICE", help="name of the service (default: the model's)")
    parser.add_argument("--namespace", metavar="NAMESPACE", help="namespace on this machine (default: default)")
    parser.add_argument("--port", type=int, metavar="N", help="loopback port on this machine (default: a free one)")
    parser.add_argument("--gpu", type=int, default=0, metavar="N", help="on a cluster: this many GPUs")
    parser.add_argument(
        "--resource",
        action="append",
        default=[],
        metavar="NAME=QUANTITY",
        help="on a cluster: cpu=2, memory=4Gi, …; repeat for more",
    )
    parser.add_argument("--image", metavar="IMAGE", help="on a cluster: image that serves (default: the one it was trained in)")
    parser.add_argument("--runtime", metavar="NAME", help="on a cluster: one of its serving runtimes instead of our model server")
    parser.add_argument(
        "--mode", metavar="MODE", help="on a cluster: how the model gets into its pod (default: the best that works)"
    )
    parser.add_argument(
        "--allow-pickle", metavar="WHY", help="this version may run code when it is loaded, as `models allow` says; WHY is recorded"
    )
    parser.add_argument("--detach", action="store_true", help="return as soon as the model server starts")
    parser.add_argument(
        "--timeout", type=float, metavar="SECONDS", help="how long to wait until it is ready (default: 60, on a cluster 300)"
    )


def run(arguments: argparse.Namespace, console: Console, bench: Workbench) -> int:
    """Deploy, wait, report."""
    if arguments.allow_pickle is not None:
        from jupyter_mlops.cli.allow import allow_version

        allowed = allow_version(arguments.model, arguments.allow_pickle, bench)
        console.note(f"{allowed.model} may run code when it is loaded: {allowed.reason}")
    options = {key: getattr(arguments, key) for key in ("gpu", "image", "runtime", "mode")}
    options["resources"] = quantities(arguments.resource)
    service = bench.deploy(arguments.model, arguments.name, arguments.namespace, arguments.port, **options)
    console.note(f"service {service.name} starts with {service.model}")
    code = 0
    if not arguments.detach:
        usual = bench.settings.serving.ready_timeout if bench.target.local else CLUSTER_PATIENCE
        timeout = usual if arguments.timeout is None else arguments.timeout
        try:
            service = wait(bench, service, timeout, console)
        except KeyboardInterrupt:
            console.note(f"\n{service.name} goes on starting; look with: jupyter mlops services {service.name}{arguments.aim}")
            code = INTERRUPTED
    url = url_of(service, front_doors() if bench.target.local else ())
    if console.as_json:
        console.emit(
            {"service": service.name, "namespace": service.namespace, "url": url, "ready": service.ready, "model": service.model}
        )
    else:
        console.line(f"{service.name}: {service.phase} at {url}")
        if service.ready:
            console.note(f"  call it: jupyter mlops predict {service.name}{arguments.aim}")
    return code


def quantities(texts: list[str]) -> dict[str, str]:
    """``NAME=QUANTITY`` pairs. Raises WrongUsage."""
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name or not value:
            raise WrongUsage(f"--resource takes NAME=QUANTITY, not {text!r}", fix="Write for example --resource memory=4Gi.")
        found[name] = value
    return found


def wait(bench: Workbench, service: Service, timeout: float, console: Console) -> Service:
    """Until it is ready. Raises why it is not: PlatformError, Conflict or Unavailable."""
    from jupyter_mlops.serving.wait import until_ready

    started = time.monotonic()
    turn, said = 0, ("", "")
    for now in _states(bench, service, timeout):
        if console.live:
            passed = duration(time.monotonic() - started)
            console.err.write(f"\r{SPINNER[turn % len(SPINNER)]} {now.name}: {now.phase} {passed}\x1b[K")
            console.err.flush()
        elif now.phase != said[0]:
            console.note(f"{now.name}: {now.phase}")
        if now.message != said[1] and now.code and now.phase != "Failed":
            console.note(f"{now.name} waits: {now.message}" + (f"\n  fix: {now.fix}" if now.fix else ""))
        turn, said = turn + 1, (now.phase, now.message)
        if now.ready or now.phase in {"Failed", "Stopped"}:
            break
    if console.live and turn:
        console.err.write("\r\x1b[K")
    return until_ready(bench.services, service.name, service.namespace, 0)


def _states(bench: Workbench, service: Service, timeout: float) -> Iterator[Service]:
    """The service, again whenever it may have changed: told by a cluster, looked at on this machine."""
    from jupyter_mlops.serving.wait import Settling

    backend = bench.services
    if isinstance(backend, Settling):
        yield from backend.settle(service.name, service.namespace, timeout)
        return
    end = time.monotonic() + timeout
    while True:
        yield service
        if time.monotonic() >= end:
            return
        time.sleep(POLL)
        service = backend.get(service.name, service.namespace)
