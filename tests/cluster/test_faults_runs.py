"""What runs on a real cluster survive, and what people are told: servers that die, a registry that goes away, wishes that
cannot be fulfilled."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.cluster.base import SERVICE_ACCOUNTS, WORKFLOWS, Cluster
from jupyter_mlops.engine.argo.engine import ArgoEngine
from jupyter_mlops.engine.argo.recording import RECORDED
from jupyter_mlops.engine.base import DONE, Run, Submission
from jupyter_mlops.errors import MlopsError, Unavailable
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.oci.open import open_store
from jupyter_mlops.settings import Settings, Storage, Target
from jupyter_mlops.testing.engine import wait, workflow
from tests.cluster.conftest import fresh_namespace, wait_for
from tests.cluster.faults import Gate, bring_back, kill
from tests.cluster.notebooks import submit_notebook

pytestmark = [pytest.mark.cluster, pytest.mark.fault, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def namespace(cluster: Cluster) -> Iterator[str]:
    with fresh_namespace(cluster, "h-argo-faults") as name:
        yield name


@pytest.fixture
def engine(cluster: Cluster, namespace: str, tmp_path: Path) -> ArgoEngine:
    home = Settings(storage=Storage(home=tmp_path))
    return ArgoEngine(home, cluster, Target("kit", namespace=namespace), Layout(tmp_path / "registry"))


def submit(engine: ArgoEngine, image: str, *steps: tuple[str, str], **options: Any) -> Run:
    return engine.submit(Submission(workflow(*steps, image=image, **options)))


class Watching:
    """A run that a thread watches to its end."""

    def __init__(self, engine: ArgoEngine, name: str) -> None:
        self.seen: list[Run] = []
        self.lines: list[str] = []
        self.errors: list[MlopsError] = []
        self._threads = [
            threading.Thread(target=self._until_over, args=(engine.watch(name), self.seen.append), daemon=True),
            threading.Thread(
                target=self._until_over,
                args=(engine.logs(name, follow=True), lambda line: self.lines.append(line.text)),
                daemon=True,
            ),
        ]
        for thread in self._threads:
            thread.start()

    def _until_over(self, items: Iterator[Any], take: Callable[[Any], object]) -> None:
        try:
            for item in items:
                take(item)
        except MlopsError as error:
            self.errors.append(error)

    def running(self) -> bool:
        return bool(self.seen) and self.seen[-1].steps[0].phase == "Running" and bool(self.lines)

    def end(self, seconds: float = 240) -> Run:
        for thread in self._threads:
            thread.join(seconds)
            assert not thread.is_alive()
        assert self.errors == []
        return self.seen[-1]


COUNT = "for i in range(8): print(i, flush=True); time.sleep(1)"


@pytest.mark.parametrize("server", ["kube-apiserver", "workflow-controller"])
def test_a_run_and_whoever_watches_it_survive_a_server_that_is_killed(engine: ArgoEngine, python_image: str, server: str) -> None:
    run = submit(engine, python_image, ("a", COUNT), ("b", "print('end')"))
    watching = Watching(engine, run.name)
    try:
        wait_for(watching.running, "the first step", 120)
        kill(server)
    finally:
        bring_back()
    last = watching.end()
    assert (last.phase, [step.phase for step in last.steps]) == ("Succeeded", ["Succeeded", "Succeeded"])
    assert watching.lines == [*map(str, range(8)), "end"]
    revisions = [state.revision for state in watching.seen]
    assert revisions == sorted(set(revisions))
    assert engine.get(run.name).phase == "Succeeded"
    engine.control(run.name, "delete")


PROGRAM = """
import sys
from pathlib import Path
from jupyter_mlops.cluster.client import connect
from jupyter_mlops.engine.argo.engine import ArgoEngine
from jupyter_mlops.engine.base import Submission
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.settings import Settings, Storage, Target
from jupyter_mlops.testing.engine import workflow
home, namespace, image = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
engine = ArgoEngine(Settings(storage=Storage(home=home)), connect(), Target("kit", namespace=namespace), Layout(home / "registry"))
document = workflow(("a", "print('one', flush=True); time.sleep(6)"), ("b", "print('two')"), name="killed", image=image)
run = engine.submit(Submission(document, "/home/someone/killed.ipynb"))
for state in engine.watch(run.name):
    print(run.name, state.steps[0].phase, flush=True)
"""


def test_a_run_goes_on_when_our_process_is_killed_and_is_found_by_the_next(
    cluster: Cluster, namespace: str, python_image: str, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", PROGRAM, str(tmp_path), namespace, python_image]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        name = next(line.split()[0] for line in process.stdout if line.split()[1] == "Running")
        os.kill(process.pid, signal.SIGKILL)
    settings = Settings(storage=Storage(home=tmp_path))
    engine = ArgoEngine(settings, cluster, Target("kit", namespace=namespace), Layout(tmp_path / "registry"))
    found = engine.list(pipeline="killed")
    assert [(run.name, run.notebook) for run in found] == [(name, "/home/someone/killed.ipynb")]
    assert found[0].phase not in DONE
    last = list(engine.watch(name))[-1]
    assert last.phase == "Succeeded"
    assert [line.text for line in engine.logs(name)] == ["one", "two"]
    engine._recorder.finish(name)
    assert RECORDED in cluster.get(WORKFLOWS, name, namespace)["metadata"]["annotations"]


def test_a_registry_that_dies_while_a_step_runs(
    cluster: Cluster, namespace: str, registry: str, python_image: str, tmp_path: Path
) -> None:
    gate = Gate(registry)
    target = Target("kit", namespace=namespace, registry=f"http://{gate.address}/{namespace}", image=python_image)
    store = open_store(target.registry)
    engine = ArgoEngine(Settings(storage=Storage(home=tmp_path)), cluster, target, store)
    cells = [("a", "import time\nprint('begun')"), ("a", "time.sleep(6)"), ("b", "print('never')")]
    run = submit_notebook(engine, store, target, cells, name="cut", options={"a": {"env": {"MLOPS_PATIENCE": "5"}}})
    wait(engine, run.name, lambda now: now.steps[0].progress == (1, 2), seconds=180)
    gate.shut()
    last = list(engine.watch(run.name))[-1]
    assert last.phase in {"Failed", "Error"}
    assert last.failure is not None
    assert (last.failure.step, last.failure.blame) == ("a", "platform")
    assert gate.address in last.failure.message + " ".join(last.failure.facts)
    begun = time.monotonic()
    assert engine.get(run.name).failure == last.failure
    assert [found.name for found in engine.list(pipeline="cut")] == [run.name]
    assert time.monotonic() - begun < 20
    assert "begun" in [line.text for line in engine.logs(run.name)]
    with pytest.raises(Unavailable):
        store.tags("runs/cut")
    gate.reopen()
    later = ArgoEngine(Settings(storage=Storage(home=tmp_path / "later")), cluster, target, open_store(target.registry))
    later.get(run.name)
    later._recorder.finish(run.name)
    assert RECORDED in cluster.get(WORKFLOWS, run.name, namespace)["metadata"]["annotations"]
    gate.shut()


WISHES: dict[str, tuple[Any, ...]] = {
    # what: (container, template, spec, code, a pattern of the message)
    "image": ({"image": "{registry}/nope:1"}, {}, {}, "image-not-found", "nope:1"),
    "gpu": ({"resources": {"limits": {"nvidia.com/gpu": "64"}}}, {}, {}, None, "nvidia.com/gpu"),
    "memory": ({"resources": {"requests": {"memory": "4Ti"}}}, {}, {}, None, "memory"),
    "node": ({}, {"nodeSelector": {"disk": "none"}}, {}, None, "another kind|disk=none"),  # by whether the pod was read
    "secret": ({"env": [{"name": "X", "valueFrom": {"secretKeyRef": {"name": "hf-token", "key": "x"}}}]}, {}, {}, None, "hf-token"),
}


@pytest.fixture(scope="module")
def wishes(cluster: Cluster, namespace: str, registry: str, python_image: str, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """All of them at once: a cluster needs some seconds to find out."""
    home = tmp_path_factory.mktemp("wishes")
    engine = ArgoEngine(
        Settings(storage=Storage(home=home)), cluster, Target("kit", namespace=namespace), Layout(home / "registry")
    )
    names = {}
    for what, (wish, template, spec, _, _) in WISHES.items():
        container = {key: value.format(registry=registry) if isinstance(value, str) else value for key, value in wish.items()}
        document = workflow(("a", "pass"), name=what, image=python_image, container=container, template=template)
        document["spec"] |= spec
        names[what] = engine.submit(Submission(document)).name
    return engine, names


@pytest.mark.parametrize("what", WISHES)
def test_a_wish_that_cannot_be_fulfilled_is_told_while_the_run_waits(wishes: Any, what: str) -> None:
    engine, names = wishes
    code, words = WISHES[what][3:]
    told = next(run for run in engine.watch(names[what]) if run.steps[0].cause is not None)
    assert told.phase == "Running"
    cause = told.steps[0].cause
    assert code in {None, cause.code}
    assert re.search(words, cause.message), cause.message
    assert cause.fix
    assert cause.facts
    listed = next(run for run in engine.list(pipeline=what) if run.name == names[what])
    assert listed.steps[0].cause is not None
    assert listed.steps[0].cause.code == cause.code
    engine.control(names[what], "stop")
    stopped = wait(engine, names[what], seconds=120)
    assert (stopped.phase, stopped.steps[0].phase, stopped.failure) == ("Stopped", "Stopped", None)


def test_an_account_that_may_nothing_is_told_by_its_name(
    cluster: Cluster, engine: ArgoEngine, namespace: str, python_image: str
) -> None:
    cluster.create(SERVICE_ACCOUNTS, {"metadata": {"name": "nobody"}}, namespace)
    document = workflow(("a", "print('fine')"), ("b", "pass"), name="nobody", image=python_image)
    document["spec"]["serviceAccountName"] = "nobody"
    run = engine.submit(Submission(document))
    last = list(engine.watch(run.name))[-1]
    assert (last.phase, [step.phase for step in last.steps]) == ("Error", ["Error", "Skipped"])
    assert last.failure is not None
    assert (last.failure.step, last.failure.blame) == ("a", "platform")
    assert "nobody" in last.failure.message
    assert any("workflowtaskresults" in fact for fact in last.failure.facts)
    assert "fine" in [line.text for line in engine.logs(run.name)]


def test_an_account_that_does_not_exist_is_told(engine: ArgoEngine, python_image: str) -> None:
    document = workflow(("a", "pass"), name="ghost", image=python_image)
    document["spec"]["serviceAccountName"] = "ghost"
    last = list(engine.watch(engine.submit(Submission(document)).name))[-1]
    assert last.phase == "Error"
    assert last.failure is not None
    assert "ghost" in last.failure.message


def test_a_cell_that_takes_too_much_memory_is_named(
    cluster: Cluster, namespace: str, registry: str, python_image: str, tmp_path: Path
) -> None:
    target = Target("kit", namespace=namespace, registry=f"http://{registry}/{namespace}", image=python_image)
    store = open_store(target.registry)
    engine = ArgoEngine(Settings(storage=Storage(home=tmp_path)), cluster, target, store)
    cells = [("a", "x = 1"), ("a", "big = bytearray(2 << 30)\nbig[::4096] = b'x' * len(big[::4096])")]
    run = submit_notebook(engine, store, target, cells, name="memory", options={"a": {"memory": "400Mi"}})
    last = list(engine.watch(run.name))[-1]
    assert last.phase == "Failed"
    assert last.failure is not None
    assert (last.failure.code, last.failure.step, last.failure.cell) == ("out-of-memory", "a", 1), last.failure
