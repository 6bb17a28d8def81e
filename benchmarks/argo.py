"""What a run on Argo costs over a bare Workflow, how soon a change is seen, and what 200 runs take in memory.

    python benchmarks/argo.py --image REGISTRY/python:3.11 --registry http://REGISTRY [--rounds 5] [--only first_cell] [--json]

Runs on the cluster that KUBECONFIG names, in a namespace of its own. A notebook of one cell and a hello-world Workflow of the
same image are submitted by turns; what counts is the difference of the times from submission to the first line that a
person's own code writes, taken inside the container. The processor time until then is told too: it says the same on a machine
that does other things. Changes are made by ourselves (a pause, a line of a log), so that the
moment is known. Memory is that of a fresh process that lists and watches small finished Workflow objects.

Budgets (design, issue 4): first cell at most 1 s after hello world's; a change at the watcher within 1 s; memory flat.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from jupyter_mlops.cluster.base import WORKFLOWS, Cluster
from jupyter_mlops.cluster.client import connect
from jupyter_mlops.engine.argo.engine import ArgoEngine
from jupyter_mlops.engine.base import Submission
from jupyter_mlops.oci.open import open_store
from jupyter_mlops.settings import Settings, Storage, Target
from jupyter_mlops.testing.engine import wait, workflow
from tests.cluster.conftest import fresh_namespace
from tests.cluster.notebooks import compiled

SAY = "import time\nprint('begun', time.time(), time.process_time(), flush=True)"
OBJECTS = 200

WATCH = """
import json, resource, sys, threading
from pathlib import Path
from jupyter_mlops.cluster.client import connect
from jupyter_mlops.engine.argo.engine import ArgoEngine
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.settings import Settings, Storage, Target
home, namespace = Path(sys.argv[1]), sys.argv[2]
def rss():
    return int(next(l for l in open("/proc/self/status") if l.startswith("VmRSS")).split()[1]) / 1024
engine = ArgoEngine(Settings(storage=Storage(home=home)), connect(), Target("kit", namespace=namespace), Layout(home / "r"))
engine.list(limit=1)
found = {"before": rss()}
for _ in range(2):
    engine.list(limit=50)
found["one list"] = rss()
for _ in range(20):
    engine.list(limit=50)
found["twenty lists"] = rss()
stop, seen = threading.Event(), set()
for run in engine.changes(stop):
    seen.add(run.name)
    if len(seen) == int(sys.argv[3]):
        found["watched"] = rss()
        stop.set()
print(json.dumps(found))
"""


@contextlib.contextmanager
def place(arguments: argparse.Namespace) -> Iterator[tuple[Cluster, ArgoEngine, Target]]:
    """A namespace and an engine on it."""
    cluster = connect()
    with fresh_namespace(cluster, "h-argo-bench") as namespace, tempfile.TemporaryDirectory() as home:
        target = Target("bench", namespace=namespace, registry=f"{arguments.registry}/{namespace}", image=arguments.image)
        yield cluster, ArgoEngine(Settings(storage=Storage(home=Path(home))), cluster, target, open_store(target.registry)), target


def begun(engine: ArgoEngine, document: dict[str, Any]) -> tuple[float, float]:
    """Seconds from submission to the first line of the step's own code, by the clock in its container; its processor time then."""
    start = time.time()
    name = engine.submit(Submission(document)).name
    run = wait(engine, name, seconds=120)
    assert run.phase == "Succeeded", run.failure
    words = next(line.text.split() for line in engine.logs(name) if line.text.startswith("begun"))
    engine.control(name, "delete")
    return float(words[1]) - start, float(words[2])


def first_cell(engine: ArgoEngine, target: Target, rounds: int) -> dict[str, Any]:
    """Ours and hello world by turns."""
    store = open_store(target.registry)
    ours = compiled(store, target, [("only", SAY)], name="bench")
    hello = workflow(("only", SAY), name="hello", image=target.image)
    hello["spec"]["templates"][1]["container"]["command"] = ["python3", "-c", SAY]
    pairs: list[tuple[tuple[float, float], tuple[float, float]]] = []
    for index in range(rounds + 1):
        documents = [ours, hello] if index % 2 else [hello, ours]
        times = {id(document): begun(engine, document) for document in documents}
        if index:  # the first round pulls images and fills caches
            pairs.append((times[id(ours)], times[id(hello)]))
    return {
        "ours_s": [round(one[0], 2) for one, _ in pairs],
        "hello_s": [round(other[0], 2) for _, other in pairs],
        "difference_s": round(statistics.median(one[0] - other[0] for one, other in pairs), 2),
        "ratio": round(statistics.median(one[0] / other[0] for one, other in pairs), 2),
        "cpu_ours_s": round(statistics.median(one[1] for one, _ in pairs), 2),
        "cpu_hello_s": round(statistics.median(other[1] for _, other in pairs), 2),
    }


def changes(cluster: Cluster, engine: ArgoEngine, target: Target) -> dict[str, Any]:
    """Delays of a change of the Workflow, and of a line of the log, to whoever watches."""
    say = "print('@mlops ' + json.dumps({'event': 'metric', 'name': 't', 'value': time.time()}), flush=True)"
    lines = f"for k in range(20):\n    {say}; time.sleep(0.4)"
    name = engine.submit(Submission(workflow(("a", lines), ("b", "pass"), name="delays", image=target.image))).name
    told: list[float] = []
    seen: dict[bool, float] = {}
    flips: list[float] = []
    noticed = threading.Condition()

    def watch() -> None:
        last = 0.0
        for run in engine.watch(name):
            now = time.time()
            with noticed:
                seen[run.paused] = now
                noticed.notify_all()
            value = run.metrics.get("t", 0.0)
            if value > last:
                told.append(now - value)
                last = value

    thread = threading.Thread(target=watch)
    thread.start()
    wait(engine, name, lambda run: run.steps[0].phase == "Running", seconds=60)
    for index in range(12):
        paused = index % 2 == 0
        with noticed:
            start = time.time()
            seen.clear()
            cluster.patch(WORKFLOWS, name, {"spec": {"suspend": True if paused else None}}, target.namespace)
            while paused not in seen:
                assert noticed.wait(10)
            flips.append(seen[paused] - start)
    thread.join()
    engine.control(name, "delete")
    return {"workflow_ms": spread(flips), "line_ms": spread(told[1:])}


def spread(seconds: list[float]) -> dict[str, float]:
    """Median and most, in milliseconds."""
    return {"median": round(1000 * statistics.median(seconds), 1), "most": round(1000 * max(seconds), 1), "n": len(seconds)}


def memory(cluster: Cluster, target: Target) -> dict[str, float]:
    """MiB of a process over finished runs."""
    for index in range(OBJECTS):
        document = workflow(*((f"s{step}", "") for step in range(8)), name="many", image=target.image)
        name = f"many-{index:03}"
        nodes = {
            f"{name}-{step}": {
                "id": f"{name}-{step}", "name": f"{name}.s{step}", "displayName": f"s{step}", "type": "Pod", "phase": "Succeeded",
                "startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:00:01Z",
            }
            for step in range(8)
        }  # fmt: skip
        labels = {**document["metadata"]["labels"], "workflows.argoproj.io/completed": "true"}
        notes = {**document["metadata"]["annotations"], "jupyter-mlops.github.io/recorded": "sha256:0"}
        document["metadata"] = {"name": name, "labels": labels, "annotations": notes}
        document["status"] = {"phase": "Succeeded", "startedAt": "2026-01-01T00:00:00Z", "nodes": nodes}
        cluster.create(WORKFLOWS, document, target.namespace)
    with tempfile.TemporaryDirectory() as home:
        command = [sys.executable, "-c", WATCH, home, target.namespace, str(OBJECTS)]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {key: round(value, 1) for key, value in json.loads(said).items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--image", required=True, help="step image, with Python")
    parser.add_argument("--registry", required=True, help="address of a registry, as steps reach it")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=["memory_mib", "changes", "first_cell"], help="one of the three measurements")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with place(arguments) as (cluster, engine, target):
        ways: dict[str, Callable[[], Any]] = {
            "memory_mib": lambda: memory(cluster, target),
            "changes": lambda: changes(cluster, engine, target),
            "first_cell": lambda: first_cell(engine, target, arguments.rounds),
        }
        found = {name: measure() for name, measure in ways.items() if arguments.only in (None, name)}
    if arguments.json:
        print(json.dumps(found))
        return
    for name, said in found.items():
        SHOW[name](said)


def show_first_cell(cell: dict[str, Any]) -> None:
    print(f"first cell   ours {cell['ours_s']} s, hello world {cell['hello_s']} s")
    print(f"             difference {cell['difference_s']} s (budget 1), ratio {cell['ratio']}")
    print(f"             processor time until then {cell['cpu_ours_s']} s, hello world {cell['cpu_hello_s']} s")


def show_changes(seen: dict[str, Any]) -> None:
    for what, key in (("Workflow", "workflow_ms"), ("log line", "line_ms")):
        print(f"{what} seen  median {seen[key]['median']} ms, most {seen[key]['most']} ms of {seen[key]['n']} (budget 1000)")


def show_memory(size: dict[str, float]) -> None:
    print(f"memory over {OBJECTS} runs, MiB: " + ", ".join(f"{key} {value}" for key, value in size.items()))


SHOW: dict[str, Callable[[Any], None]] = {"memory_mib": show_memory, "changes": show_changes, "first_cell": show_first_cell}


if __name__ == "__main__":
    main()
