"""A workbench of a target: found, kept, made anew when something about the target changed, and lazy."""

from __future__ import annotations

import subprocess
import sys

import pytest

from jupyter_mlops.cluster.base import CONFIG_MAPS
from jupyter_mlops.engine.argo.engine import ArgoEngine
from jupyter_mlops.engine.local.engine import LocalEngine
from jupyter_mlops.errors import NotFound, WrongUsage
from jupyter_mlops.flow import Workbench
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.serving.kserve.backend import KServeBackend
from jupyter_mlops.serving.local.backend import LocalBackend


@pytest.fixture
def bench(settings, make):
    made = Workbench(settings)
    made.__dict__["targets"] = make()
    return made


def test_this_machine_is_the_bench_itself(bench):
    assert bench.at() is bench
    assert bench.at("local") is bench
    assert (type(bench.store), type(bench.engine), type(bench.services)) == (Layout, LocalEngine, LocalBackend)
    with pytest.raises(WrongUsage):
        _ = bench.cluster


def test_a_cluster_has_its_own_rooms(bench, cluster):
    bench.targets.set("dev", {"registry": "http://127.0.0.1:1", "registry_here": "http://127.0.0.1:2"})
    there = bench.at("dev")
    assert (type(there.engine), type(there.services)) == (ArgoEngine, KServeBackend)
    assert there.cluster is cluster
    assert there.store.address == "http://127.0.0.1:2"
    assert there.namespace == "ml"
    assert (there.settings, there.targets) == (bench.settings, bench.targets)


def test_benches_are_kept_for_all_that_come_from_one_another(bench):
    there = bench.at("dev")
    assert bench.at("dev") is there
    assert there.at("dev") is there
    assert there.at("local") is bench
    assert there.at("prod") is bench.at("prod")


def test_a_changed_target_is_another_bench(bench, cluster):
    there = bench.at("dev")
    bench.targets.set("dev", {"image": "a:1"})
    changed = bench.at("dev")
    assert changed is not there
    assert changed.target.image == "a:1"
    cluster.put(CONFIG_MAPS, {"metadata": {"name": "jupyter-mlops"}, "data": {"queue": "gpu"}})
    assert bench.at("dev") is changed, "what a namespace says is believed for a minute"
    bench.targets.forget("dev")
    assert bench.at("dev").target.queue == "gpu"


def test_the_default_target_is_meant_by_none(bench):
    bench.targets.use("dev")
    assert bench.at().target.name == "dev"
    assert bench.at("local") is bench


def test_without_a_registry_a_cluster_is_still_a_place(bench):
    there = bench.at("dev")
    with pytest.raises(WrongUsage) as caught:
        _ = there.store
    assert caught.value.code == "no-registry"
    with pytest.raises(NotFound):
        bench.at("nowhere")


@pytest.mark.parametrize("command", [["targets"], ["runs"], ["convert", "--help"], ["targets", "show", "local"]])
def test_commands_about_this_machine_load_nothing_of_clusters(command, tmp_path):
    program = (
        "import sys\nfrom jupyter_mlops.cli import main\n"
        f"main({command!r})\n"
        "print([name for name in sys.modules if name.split('.')[0] in {'kubernetes', 'urllib3'} "
        "or name.startswith(('jupyter_mlops.engine.argo', 'jupyter_mlops.serving.kserve'))])"
    )
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "JUPYTER_MLOPS_HOME": str(tmp_path / "home")}
    done = subprocess.run([sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "[]", done.stdout
