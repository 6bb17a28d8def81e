"""How soon a change on a cluster is seen in a browser, and what an open page asks of the server while nothing happens.

    python benchmarks/browser.py --image REGISTRY/python:3.11 --registry http://REGISTRY [--rounds 20] [--idle 60] [--json]

Runs on the cluster that KUBECONFIG names, in a namespace of its own, with a real JupyterLab and the system's Chromium. The
change is made by ourselves, so that the moment is known: a Workflow that no controller touches gets another phase by a patch.
The page says when its list of runs shows it, on its own clock, which is this machine's. Requests are counted by the browser
while the sidebar is open and nothing changes; those of JupyterLab itself are not ours and are left out.

Budget (issue 4): a change at the browser under 1 s; no polling where a watch serves, but for a slow safety net.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "ui-tests"))

from lab import Lab, lab
from pages import LabPage, browser, notebook
from playwright.sync_api import Page

from jupyter_mlops.cluster.base import WORKFLOWS, Cluster
from jupyter_mlops.cluster.client import connect
from jupyter_mlops.testing.engine import workflow
from tests.cluster.conftest import fresh_namespace

SEEN = """([name, phase]) => new Promise(resolve => {
    const selector = `[data-run="${name}"] [data-phase="${phase}"]`;
    const look = () => document.querySelector(selector) && (observer.disconnect(), resolve(Date.now() / 1000));
    const observer = new MutationObserver(look);
    observer.observe(document.body, {subtree: true, childList: true, attributes: true});
    look();
})"""
"""When the list shows a run in a phase, in seconds since the epoch."""

NOBODY = "jupyter-mlops-benchmark"
"""Instance id of a controller that does not exist: what carries it is touched by nobody else."""

PHASES = ("Running", "Pending")
"""Of a run that goes on: an ended one would be recorded, which is more than a change."""


def made(cluster: Cluster, namespace: str) -> str:
    """The Workflow that is changed; its name."""
    document = workflow(("a", ""))
    labels = document["metadata"].setdefault("labels", {})
    labels |= {"app.kubernetes.io/managed-by": "jupyter-mlops", "workflows.argoproj.io/controller-instanceid": NOBODY}
    document["metadata"].pop("name", None)
    document["metadata"]["generateName"] = "seen-"
    return str(cluster.create(WORKFLOWS, document, namespace)["metadata"]["name"])


def changes(page: Page, cluster: Cluster, namespace: str, rounds: int) -> dict[str, float]:
    """Milliseconds from our patch to the page."""
    name = made(cluster, namespace)
    page.locator(f'[data-run="{name}"]').wait_for()
    took = []
    for turn in range(rounds):
        phase = PHASES[turn % len(PHASES)]
        page.wait_for_timeout(1500)  # so that every change is the first after a silence, as a person sees them
        page.evaluate(f"() => {{ window.mlopsSeen = ({SEEN})({json.dumps([name, phase])}); }}")  # begun, not waited for
        begun = time.time()
        cluster.patch(WORKFLOWS, name, {"status": {"phase": phase}}, namespace=namespace)
        took.append(1000 * (float(page.evaluate("window.mlopsSeen")) - begun))
    cluster.delete(WORKFLOWS, name, namespace)
    return {"median": round(statistics.median(took)), "most": round(max(took)), "n": rounds}


def idle(page: Page, seconds: int) -> dict[str, int]:
    """Requests of ours by path, while nothing happens."""
    page.wait_for_timeout(5000)
    counted: Counter[str] = Counter()
    page.on("request", lambda request: counted.update([path]) if (path := ours(request.url)) else None)
    page.wait_for_timeout(1000 * seconds)
    return dict(counted)


def ours(url: str) -> str:
    """The path of a request below our interface; '' for another one."""
    _, found, path = urlsplit(url).path.partition("/jupyter-mlops/api/v1/")
    return path if found else ""


def settled(server: Lab, namespace: str, arguments: argparse.Namespace) -> str:
    """The cluster's target, set up; its name."""
    found: Any = server.api("GET", "targets")
    target = next(str(one["name"]) for one in found["targets"] if not one["local"])
    settings = {"namespace": namespace, "registry": f"{arguments.registry}/{namespace}", "image": arguments.image}
    server.api("PUT", f"targets/{quote(target, safe='')}", settings)
    return target


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--image", required=True, help="step image, with Python")
    parser.add_argument("--registry", required=True, help="address of a registry, as steps reach it")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--idle", type=int, default=60, help="seconds of silence in which requests are counted")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    cluster = connect()
    with tempfile.TemporaryDirectory() as folder, fresh_namespace(cluster, "bench-browser") as namespace:
        book = notebook(Path(folder) / "books" / "a.ipynb", ["x = 1"])
        with lab(Path(folder) / "server", [book]) as server, browser() as chrome:
            target = settled(server, namespace, arguments)
            page = chrome.new_page(viewport={"width": 1280, "height": 900})
            ui = LabPage(page, server).open()
            ui.show_sidebar().box.get_by_label("Target", exact=True).select_option(target)
            ui.sidebar.section("Runs").get_by_text("No runs yet.").wait_for()
            seen, asked = changes(page, cluster, namespace, arguments.rounds), idle(page, arguments.idle)
    if arguments.json:
        print(json.dumps({"seen_ms": seen, "idle": asked}))
        return
    print(f"change in the browser  median {seen['median']} ms, most {seen['most']} ms of {seen['n']} (budget 1000)")
    told = ", ".join(f"{path} {count}" for path, count in sorted(asked.items())) or "nothing"
    print(f"asked in {arguments.idle} s of silence  {told}")


if __name__ == "__main__":
    main()
