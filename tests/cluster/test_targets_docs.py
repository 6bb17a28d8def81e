"""The guide to clusters is true: its commands run on a real one, in the order of somebody who starts with an empty namespace.

The names of the guide are replaced by those that are there: its target, its namespace, its registry, its image.
"""

from __future__ import annotations

import re
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_mlops.cluster.base import CONFIG_MAPS, NAMESPACES, SECRETS, SERVICE_ACCOUNTS, WORKFLOWS, Cluster
from jupyter_mlops.errors import NotFound
from tests.cluster.conftest import wait_for
from tests.cluster.pod_image import image_with_plots
from tests.cluster.test_cli_main_job import There
from tests.e2e.machine import ROOT, Machine
from tests.e2e.test_docs import SHELL, Block, blocks

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

GUIDE = ROOT / "docs" / "clusters.md"


def commands(*starts: str) -> list[Block]:
    """The blocks that begin with these words, each of which there is once."""
    there = [block for block in blocks(GUIDE) if block.language in SHELL]
    found = [[block for block in there if block.text.startswith(start)] for start in starts]
    assert [len(one) for one in found] == [1] * len(starts), starts
    return [one for [one] in found]


class Reader:
    """Somebody who does what the guide says, with names of their own."""

    def __init__(self, machine: Machine, cluster: Cluster, namespace: str, registry: str, image: str) -> None:
        self.machine, self.cluster, self.namespace = machine, cluster, namespace
        self.there = There(machine, cluster, namespace, registry, image)
        machine.ask("targets", "set", self.there.name, "registry=", "image=")
        self.names = [
            ("registry.example.com/team/python:3.11", image),
            ("https://registry.example.com/team", self.there.registry),
            ("registry.example.com", registry),
            ("namespace: team", f"namespace: {namespace}"),
            ("-n team", f"-n {namespace}"),
        ]

    def do(self, block: Block) -> subprocess.CompletedProcess[str]:
        text = block.text
        for written, real in self.names:
            text = text.replace(written, real)
        text = re.sub(r"\bdev\b", self.there.name, text)
        return subprocess.run(
            ["bash", "-c", f"set -euo pipefail\n{text}"],
            cwd=self.machine.work.parent,
            env={**self.machine.env, "REGISTRY_PASSWORD": "not-needed-here"},
            capture_output=True,
            text=True,
            timeout=800,
            check=False,
        )


@pytest.fixture(scope="module")
def reader(cluster: Cluster, registry: str, python_image: str, tmp_path_factory: pytest.TempPathFactory):
    """An empty namespace, without even Argo's Role: the guide makes it."""
    minor = ".".join(map(str, sys.version_info[:2]))
    if f":{minor}" not in python_image:
        pytest.skip(f"NOT RUN: the image {python_image} has another Python than {minor}, from which its libraries are taken")
    name = f"h-targets-docs-{secrets.token_hex(3)}"
    machine = Machine(tmp_path_factory.mktemp("reader"))
    cluster.create(NAMESPACES, {"metadata": {"name": name}})
    try:
        wait_for(lambda: _account(cluster, name), f"the default account of {name}")
        yield Reader(machine, cluster, name, registry, image_with_plots(python_image))
    finally:
        machine.env.pop("KUBECONFIG", None)
        machine.clean()
        cluster.delete(NAMESPACES, name)


def _account(cluster: Cluster, namespace: str) -> bool:
    try:
        cluster.get(SERVICE_ACCOUNTS, "default", namespace)
    except NotFound:
        return False
    return True


def test_the_check_says_what_an_empty_namespace_lacks(reader: Reader) -> None:
    [check] = commands("jupyter mlops targets --check dev")
    done = reader.do(check)
    assert done.returncode == 1
    assert "✗ TA03" in done.stdout
    assert "✗ TR01" in done.stdout
    assert "kind: RoleBinding" in done.stdout


def test_what_the_check_offers_can_be_applied_as_it_is(reader: Reader) -> None:
    checks = reader.machine.ask("targets", "--check", reader.there.name, code=1)["checks"]
    fix = next(check["fix"] for check in checks if check["id"] == "TA03")
    command = fix.partition("\n")[2]
    subprocess.run(["bash", "-c", command], env=reader.machine.env, check=True, capture_output=True, timeout=60)
    checks = reader.machine.ask("targets", "--check", reader.there.name, code=1)["checks"]
    assert next(check["level"] for check in checks if check["id"] == "TA03") == "ok"


def test_the_administrators_commands_make_a_target_that_works(reader: Reader) -> None:
    applied = [block for block in blocks(GUIDE) if block.text.startswith("kubectl apply -f -")]
    assert len(applied) == 2
    for block in (*applied, *commands("kubectl -n team create configmap", "kubectl -n team create secret")):
        done = reader.do(block)
        assert done.returncode == 0, f"{GUIDE.name}:{block.line}\n{done.stderr}"
    assert reader.cluster.get(SECRETS, "registry-login", reader.namespace)["type"] == "kubernetes.io/dockerconfigjson"
    said = reader.cluster.get(CONFIG_MAPS, "jupyter-mlops", reader.namespace)["data"]
    assert said["pull_secret"] == "registry-login"
    [check] = commands("jupyter mlops targets --check dev")
    done = reader.do(check)
    assert done.returncode == 0, done.stdout


def test_the_persons_commands(reader: Reader) -> None:
    for block in commands(
        "jupyter mlops targets set dev",
        "jupyter mlops run examples/churn.ipynb --target dev",
        "jupyter mlops deploy churn --target dev",
        "jupyter mlops targets use dev",
    ):
        done = reader.do(block)
        assert done.returncode == 0, f"{GUIDE.name}:{block.line}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"


def test_taking_up_again_and_without_us(reader: Reader) -> None:
    for block in commands("RUN=$(jupyter", "jupyter mlops convert examples/churn.ipynb"):
        done = reader.do(block)
        assert done.returncode == 0, f"{GUIDE.name}:{block.line}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    created = max(reader.cluster.list(WORKFLOWS, reader.namespace).items, key=lambda one: str(one["metadata"]["creationTimestamp"]))
    assert created["spec"]["arguments"]["parameters"][0]["value"] == reader.there.registry


def test_every_command_of_the_guide_is_run_here_or_on_this_machine() -> None:
    ours = Path(__file__).read_text(encoding="utf-8")
    for block in blocks(GUIDE):
        if block.language in SHELL and block.reason:
            first = block.text.splitlines()[0]
            assert any(first.startswith(start) for start in re.findall(r'"((?:jupyter|kubectl|RUN)[^"]+)"', ours)), first
