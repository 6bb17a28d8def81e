"""``jupyter mlops targets``, and every command that goes elsewhere, on a cluster in memory and on one that is away."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.cli import main
from jupyter_mlops.cli.console import Console
from jupyter_mlops.cli.progress import Live, Plain
from jupyter_mlops.cluster.base import CONFIG_MAPS, SERVICE_ACCOUNTS, WORKFLOWS
from jupyter_mlops.engine.base import Failure, Run, StepRun
from jupyter_mlops.targets.probes.namespace import QUOTAS
from jupyter_mlops.testing.cluster import KINDS, FakeCluster
from jupyter_mlops.testing.embedded import embedded_registry
from tests.unit.cli.test_cli_progress import Terminal, screen

KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: dev
contexts:
- {name: dev, context: {cluster: one, user: me, namespace: ml}}
- {name: away, context: {cluster: two, user: me}}
clusters:
- {name: one, cluster: {server: "https://one.example:6443"}}
- {name: two, cluster: {server: "https://127.0.0.1:1"}}
users:
- {name: me, user: {token: hidden-token}}
"""
NOTEBOOK = {
    "nbformat": 4,
    "nbformat_minor": 5,
    "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    "cells": [
        {"id": "a", "cell_type": "code", "source": "trees = 5", "metadata": {"tags": ["parameters"]}, "outputs": [], "execution_count": None},
        {"id": "b", "cell_type": "code", "source": "print(trees)", "metadata": {}, "outputs": [], "execution_count": None},
    ],
}  # fmt: skip


@pytest.fixture(autouse=True)
def person(mlops_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Somebody with a kubeconfig, in a folder with a notebook."""
    path = tmp_path / "kubeconfig"
    path.write_text(KUBECONFIG)
    path.chmod(0o600)
    monkeypatch.setenv("KUBECONFIG", str(path))
    monkeypatch.setenv("COLUMNS", "300")
    (tmp_path / "a.ipynb").write_text(json.dumps(NOTEBOOK))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    """The cluster behind every context."""
    made = FakeCluster(namespace="ml", context="dev", kinds=(*KINDS, QUOTAS))
    made.put(SERVICE_ACCOUNTS, {"metadata": {"name": "default"}})
    monkeypatch.setattr("jupyter_mlops.cluster.client.connect", lambda *_: made)
    return made


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    with embedded_registry(tmp_path / "remote") as address:
        yield address


@pytest.fixture
def dev(cluster: FakeCluster, registry: str) -> FakeCluster:
    """A target with a registry, said by its namespace."""
    data = {"registry": registry, "image": "example.com/python:latest"}
    cluster.put(CONFIG_MAPS, {"metadata": {"name": "jupyter-mlops"}, "data": data})
    return cluster


def call(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> Any:
    """JSON of a command."""
    assert main([*words, "--json"]) == code
    return json.loads(capsys.readouterr().out)


# -- the list, settings, the default -------------------------------------------------------------------------------------------


def test_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["targets"]) == 0
    shown = capsys.readouterr()
    rows = [line.split() for line in shown.out.splitlines()]
    assert [row[0] for row in rows] == ["TARGET", "local", "dev", "away"]
    assert rows[1][1:3] == ["default", "ok"]
    assert "not checked" in shown.out
    assert "targets --check" in shown.err
    document = call(capsys, "targets")
    assert document["default"] == "local"
    assert [target["health"] for target in document["targets"]] == ["ok", "unknown", "unknown"]
    assert "hidden-token" not in json.dumps(document)


def test_set_show_use(capsys: pytest.CaptureFixture[str], cluster: FakeCluster) -> None:
    cluster.put(CONFIG_MAPS, {"metadata": {"name": "jupyter-mlops"}, "data": {"queue": "gpu"}})
    assert main(["targets", "set", "dev", "registry=registry.example.com", "mirrors=docker.io/=m.example/"]) == 0
    assert "dev: registry = https://registry.example.com" in capsys.readouterr().out
    assert main(["targets", "show", "dev"]) == 0
    shown = capsys.readouterr().out
    assert "registry         https://registry.example.com" in shown
    assert "queue            gpu   (says its namespace)" in shown
    assert "mirrors          docker.io/=m.example/" in shown
    assert call(capsys, "targets", "use", "dev") == {"default": "dev"}
    assert call(capsys, "targets")["default"] == "dev"
    assert main(["targets", "set", "dev", "registry="]) == 0
    assert capsys.readouterr().out == "dev: registry = -\n"
    assert call(capsys, "targets", "show", "dev")["registry"] == ""


def test_use_says_when_something_else_counts(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_MLOPS_TARGET", "away")
    assert main(["targets", "use", "dev"]) == 0
    shown = capsys.readouterr()
    assert "away is the default target" in shown.out
    assert "JUPYTER_MLOPS_TARGET" in shown.err


WRONG: list[tuple[list[str], str, str]] = [
    (["targets", "ues", "dev"], "targets does not take", "targets use NAME"),
    (["targets", "use"], "targets does not take", "targets use NAME"),
    (["targets", "use", "a", "b"], "targets does not take", "targets use NAME"),
    (["targets", "set", "dev"], "targets does not take", "KEY=VALUE"),
    (["targets", "set", "dev", "image"], "not KEY=VALUE", "registry=https://"),
    (["targets", "set", "dev", "imgae=x"], "no setting 'imgae'", "Did you mean image?"),
    (["targets", "set", "dev", "registry=ftp://x"], "cannot be the registry", "https://HOST"),
    (["targets", "set", "local", "image=x"], "this machine has no settings", "targets lists them"),
    (["targets", "set", "nowhere", "image=x"], "there is no target 'nowhere'", "There are local, dev, away"),
    (["targets", "use", "nowhere"], "there is no target 'nowhere'", "There are local, dev, away"),
    (["targets", "show", "deb"], "there is no target 'deb'", "Did you mean dev?"),
    (["targets", "--check", "nowhere"], "there is no target 'nowhere'", "There are local, dev, away"),
    (["targets", "--check", "dev", "use"], "--check takes a name and nothing else", "targets --check dev"),
    (["run", "a.ipynb", "--target", "nowhere"], "there is no target 'nowhere'", "There are local, dev, away"),
    (["runs", "--target", "nowhere"], "there is no target 'nowhere'", "There are local, dev, away"),
    (["doctor", "--target", "nowhere"], "there is no target 'nowhere'", "There are local, dev, away"),
    (["convert", "a.ipynb", "--target", "dev"], "--target and --push are about the Workflow", "-o workflow.yaml"),
    (["convert", "a.ipynb", "--push"], "--target and --push are about the Workflow", "-o workflow.yaml"),
    (["deploy", "m", "--resource", "cpu"], "--resource takes NAME=QUANTITY", "memory=4Gi"),
    (["deploy", "m", "--gpu", "1"], "gpu is for clusters", "--target NAME"),
    (["resume", "nothing-1"], "nothing-1", "jupyter mlops runs"),
    (["pause", "nothing-1"], "nothing-1", "jupyter mlops runs"),
    (["run", "a.ipynb", "--resume", "nothing-1"], "nothing-1", "jupyter mlops runs"),
]


@pytest.mark.parametrize(("words", "said", "fix"), WRONG, ids=[" ".join(words) for words, _, _ in WRONG])
def test_wrong_usage_is_one_line_and_a_fix(words: list[str], said: str, fix: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    shown = capsys.readouterr()
    assert said in shown.err
    assert fix in shown.err
    assert len(shown.err.splitlines()) == 2
    assert shown.out == ""


# -- a check -------------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_check_shows_every_finding_and_its_exit_code(capsys: pytest.CaptureFixture[str], dev: FakeCluster) -> None:
    assert main(["targets", "--check", "dev"]) == 0
    shown = capsys.readouterr().out
    assert "✓ TK01 API server: Kubernetes 1.35" in shown
    assert "✓ TR01 registry" in shown
    assert call(capsys, "targets")["targets"][1]["health"] in {"ok", "warn"}
    dev.forbid("create", WORKFLOWS)
    assert main(["targets", "--check", "dev"]) == 1
    shown = capsys.readouterr().out
    assert "✗ TK04 rights to run" in shown
    assert "\nkind: Role\n" in shown
    assert shown.endswith("Something is missing.\n")
    assert main(["targets"]) == 0
    assert "fail (rights to run)" in capsys.readouterr().out


@pytest.mark.slow
def test_the_doctor_looks_at_the_default_target(capsys: pytest.CaptureFixture[str], dev: FakeCluster) -> None:
    checks = {check["id"]: check for check in call(capsys, "doctor", "--only", "TD01")["checks"]}
    assert checks["TD01"]["why"].startswith("this machine")
    main(["targets", "use", "dev"])
    capsys.readouterr()
    document = call(capsys, "doctor", "--only", "TD01", "--only", "TK01", "--only", "TR01")
    assert [(check["id"], check["level"]) for check in document["checks"]] == [("TD01", "ok"), ("TK01", "ok"), ("TR01", "ok")]


# -- a cluster that cannot be used ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [["runs"], ["run", "a.ipynb"], ["services"], ["models"], ["deploy", "m"]])
def test_an_unreachable_cluster_is_told_in_words(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words, "--target", "away"]) == 1
    shown = capsys.readouterr()
    assert "127.0.0.1:1" in shown.err
    assert "Traceback" not in shown.err
    assert "fix:" in shown.err
    assert "hidden-token" not in shown.err


@pytest.mark.parametrize("words", [["run", "a.ipynb"], ["runs"], ["models"], ["deploy", "m"], ["predict", "m"]])
def test_a_target_without_a_registry_says_how_to_set_one(
    words: list[str], capsys: pytest.CaptureFixture[str], cluster: FakeCluster
) -> None:
    document = call(capsys, *words, "--target", "dev", code=2)
    assert document["error"]["code"] == "no-registry"
    assert "jupyter mlops targets set dev registry=" in document["error"]["fix"]
    assert "ConfigMap" in document["error"]["fix"]


# -- a cluster -----------------------------------------------------------------------------------------------------------------


def submitted(capsys: pytest.CaptureFixture[str], cluster: FakeCluster, *words: str) -> tuple[dict[str, Any], dict[str, Any]]:
    document = call(capsys, "run", "a.ipynb", "--detach", *words)
    return document, dict(cluster.get(WORKFLOWS, document["run"]))


def values(workflow: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one["value"] for one in workflow["spec"]["arguments"]["parameters"]}


@pytest.mark.slow
def test_run_submits_there(capsys: pytest.CaptureFixture[str], dev: FakeCluster, registry: str, mlops_home: Path) -> None:
    document, workflow = submitted(capsys, dev, "--target", "dev", "-p", "trees=7")
    assert (document["target"], document["phase"]) == ("dev", "Pending")
    given = values(workflow)
    assert (given["mlops-registry"], given["mlops-image"], given["trees"]) == (registry, "example.com/python:latest", "7")
    assert given["mlops-bundle"].startswith("runs/a@sha256:")
    assert workflow["metadata"]["namespace"] == "ml"
    assert not (mlops_home / "registry").exists()
    assert not (mlops_home / "runs").exists()
    assert [run["name"] for run in call(capsys, "runs", "--target", "dev")["runs"]] == [document["run"]]
    assert call(capsys, "runs")["runs"] == []


@pytest.mark.slow
def test_the_default_target_is_where_commands_go(capsys: pytest.CaptureFixture[str], dev: FakeCluster) -> None:
    main(["targets", "use", "dev"])
    capsys.readouterr()
    document, _ = submitted(capsys, dev)
    assert document["target"] == "dev"
    assert call(capsys, "runs", "--target", "local")["runs"] == []


@pytest.mark.slow
def test_hints_name_the_target(capsys: pytest.CaptureFixture[str], dev: FakeCluster) -> None:
    assert main(["run", "a.ipynb", "--detach", "--target", "dev"]) == 0
    shown = capsys.readouterr()
    name = shown.out.strip()
    assert f"run {name} started on dev" in shown.err
    assert f"jupyter mlops logs {name} -f --target dev" in shown.err


@pytest.mark.slow
def test_pause_and_unpause(capsys: pytest.CaptureFixture[str], dev: FakeCluster) -> None:
    document, _ = submitted(capsys, dev, "--target", "dev")
    assert call(capsys, "pause", document["run"], "--target", "dev")["paused"] is True
    assert main(["runs", document["run"], "--target", "dev"]) == 0
    assert "Pending, paused" in capsys.readouterr().out
    assert call(capsys, "unpause", document["run"], "--target", "dev")["paused"] is False


@pytest.mark.slow
def test_resume_names_the_run_and_its_parameters(capsys: pytest.CaptureFixture[str], dev: FakeCluster) -> None:
    first, _ = submitted(capsys, dev, "--target", "dev", "-p", "trees=7")
    again = call(capsys, "resume", first["run"], "--notebook", "a.ipynb", "--detach", "--target", "dev")
    workflow = dict(dev.get(WORKFLOWS, again["run"]))
    assert values(workflow)["mlops-resume"] == first["run"]
    assert values(workflow)["trees"] == "7"
    other = call(capsys, "run", "a.ipynb", "--resume", first["run"], "--detach", "--target", "dev")
    assert values(dict(dev.get(WORKFLOWS, other["run"])))["trees"] == "5"


@pytest.mark.slow
def test_a_run_of_another_notebook_is_not_resumed(capsys: pytest.CaptureFixture[str], dev: FakeCluster, person: Path) -> None:
    first, _ = submitted(capsys, dev, "--target", "dev")
    (person / "b.ipynb").write_text(json.dumps(NOTEBOOK))
    document = call(capsys, "run", "b.ipynb", "--resume", first["run"], "--target", "dev", code=2)
    assert document["error"]["code"] == "other-pipeline"
    assert "runs --pipeline b" in document["error"]["fix"]


@pytest.mark.slow
def test_an_image_with_another_python_is_refused_before_anything_is_submitted(
    capsys: pytest.CaptureFixture[str], dev: FakeCluster
) -> None:
    main(["targets", "set", "dev", "image=docker.io/library/python:3.7-slim"])
    capsys.readouterr()
    document = call(capsys, "run", "a.ipynb", "--target", "dev", code=2)
    assert document["error"]["code"] == "python-mismatch"
    assert "Python 3.7" in document["error"]["message"]
    assert dev.list(WORKFLOWS).items == ()


@pytest.mark.slow
def test_convert_writes_for_a_target_and_pushes_when_asked(
    capsys: pytest.CaptureFixture[str], dev: FakeCluster, registry: str, person: Path
) -> None:
    from jupyter_mlops.oci.open import open_store

    store = open_store(registry)
    assert main(["convert", "a.ipynb", "--target", "dev", "-o", "w.yaml"]) == 0
    text = (person / "w.yaml").read_text()
    assert registry in text
    assert "namespace: ml" in text
    assert store.tags("runs/a") == []
    assert main(["convert", "a.ipynb", "--target", "dev", "--push", "-o", "w.yaml"]) == 0
    [tag] = store.tags("runs/a")
    assert store.get_manifest("runs/a", tag).descriptor.digest in (person / "w.yaml").read_text()
    assert dev.list(WORKFLOWS).items == ()


def test_convert_alone_asks_no_cluster(capsys: pytest.CaptureFixture[str], dev: FakeCluster, person: Path) -> None:
    main(["targets", "use", "dev"])
    dev.calls.clear()
    assert main(["convert", "a.ipynb", "-o", "w.yaml"]) == 0
    assert dev.calls == []


@pytest.mark.parametrize(
    ("words", "said"),
    [(["--port", "9000"], "a port can be chosen on this machine only"), (["--namespace", "other"], "is namespace ml, not other")],
)
def test_what_only_this_machine_has_is_not_asked_of_a_cluster(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str], dev: FakeCluster
) -> None:
    assert main(["deploy", "m", "--target", "dev", *words]) == 2
    assert said in capsys.readouterr().err


def test_a_model_that_is_nowhere(capsys: pytest.CaptureFixture[str], dev: FakeCluster) -> None:
    assert call(capsys, "deploy", "nothing", "--target", "dev", code=2)["error"]["code"] == "model-not-found"


@pytest.mark.slow
def test_a_cluster_without_argo_is_told(capsys: pytest.CaptureFixture[str], registry: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bare = FakeCluster(namespace="ml", context="dev", kinds=[kind for kind in KINDS if kind.group != "argoproj.io"])
    monkeypatch.setattr("jupyter_mlops.cluster.client.connect", lambda *_: bare)
    assert main(["targets", "set", "dev", f"registry={registry}", "image=example.com/python:latest"]) == 0
    capsys.readouterr()
    error = call(capsys, "run", "a.ipynb", "--target", "dev", code=1)["error"]
    assert (error["code"], error["blame"]) == ("no-argo", "platform")
    assert "has no Argo Workflows" in error["message"]
    checks = {check["id"]: check for check in call(capsys, "targets", "--check", "dev", code=1)["checks"]}
    assert checks["TA01"]["level"] == "fail"
    assert "install Argo Workflows" in checks["TA01"]["fix"]


# -- why a step waits ----------------------------------------------------------------------------------------------------------

CAUSE = Failure("no-gpu", "no node has a free GPU", fix="Ask for fewer.\nOr wait.")


def waiting(cause: Failure | None, phase: Any = "Pending") -> Run:
    return Run("a-1", "a", "Running", (StepRun("load", phase, cause=cause), StepRun("train", "Pending")), 0.0, started=0.0)


def test_plain_lines_say_once_why_a_step_waits() -> None:
    err = io.StringIO()
    plain = Plain(Console(io.StringIO(), err))
    for state in (waiting(None), waiting(CAUSE), waiting(CAUSE), waiting(None, "Running"), waiting(CAUSE, "Running")):
        plain.show(state)
    assert err.getvalue().splitlines() == [
        "step load waits: no node has a free GPU", "  fix: Ask for fewer.", "Or wait.", "step load: Running",
    ]  # fmt: skip


@pytest.mark.parametrize("phase", ["Pending", "Running"])
def test_a_step_whose_container_has_failed_is_said_to_have_failed(phase: Any) -> None:
    err = io.StringIO()
    plain = Plain(Console(io.StringIO(), err))
    run = waiting(CAUSE, phase)
    failing = replace(run, steps=(replace(run.steps[0], failing=True), *run.steps[1:]))
    for state in (failing, failing, waiting(CAUSE, "Failed")):
        plain.show(state)
    lines = [line for line in err.getvalue().splitlines() if line != "step load: Running"]
    assert lines == ["step load failed: no node has a free GPU", "  fix: Ask for fewer.", "Or wait.", "step load: Failed"]


def test_a_terminal_says_it_below_the_step(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"NO_COLOR": "1", "TERM": "xterm", "COLUMNS": "40", "LINES": "12"}.items():
        monkeypatch.setenv(name, value)
    terminal = Terminal()
    live = Live(Console(io.StringIO(), terminal))
    live.show(waiting(CAUSE))
    shown = [line.rstrip() for line in screen(terminal.getvalue())]
    assert shown == ["· load", "  waits: no node has a free GPU", "  fix: Ask for fewer.", "· train"]
    live.show(waiting(None, "Running"))
    assert [line.rstrip() for line in screen(terminal.getvalue())][1] == "· train"
