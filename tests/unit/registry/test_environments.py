"""What a bundle takes along besides the notebook: the environment and, for a cluster, the data; and the way back from a run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.engine.kernels import find_kernel
from jupyter_mlops.errors import Diagnostic, Refused
from jupyter_mlops.fitting import fit
from jupyter_mlops.flow import Workbench
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.oci.names import BUNDLE_DATA
from jupyter_mlops.packing import described, pack
from jupyter_mlops.registry import datafiles
from jupyter_mlops.registry.bundles import Packed, bundle_reference, push_bundle
from jupyter_mlops.registry.environments import environment_of_run
from jupyter_mlops.settings import Settings, Storage, Target
from tests.unit.notebook_building import notebook
from tests.unit.registry.test_bundles import members

CELLS = ("import cloudpickle\nimport helper", 'rows = open("rows.csv").read()\nbig = "big.bin"')


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "work"
    place.mkdir()
    (place / "helper.py").write_text('PLACE = "more.csv"\n')
    (place / "rows.csv").write_text("1,2\n")
    (place / "more.csv").write_text("3\n")
    return place


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(storage=Storage(home=tmp_path / "home"))


def packed(settings: Settings, folder: Path, *, local: bool, cells: tuple[str, ...] = CELLS) -> Packed:
    read = notebook(*cells)
    return pack(settings, read, Workbench(settings).convert(read), folder, find_kernel(""), local=local)


def test_on_this_machine_only_the_environment_is_kept(settings: Settings, folder: Path) -> None:
    found = packed(settings, folder, local=True)
    document = json.loads(found.environment)
    assert [one["name"] for one in document["distributions"]] == ["cloudpickle"]
    assert document["local"] == ["helper"]
    assert found.data == {}


def test_on_a_cluster_the_data_travel(settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datafiles, "LIMIT", 10)
    (folder / "big.bin").write_text("x" * 11)
    found = packed(settings, folder, local=False)
    assert list(found.data) == ["more.csv", "rows.csv"]
    assert json.loads(found.environment)["left"] == {"big.bin": 11}


def test_data_lie_in_a_layer_of_their_own_that_bundles_share(settings: Settings, folder: Path, tmp_path: Path) -> None:
    store, bench = Layout(tmp_path / "registry"), Workbench(settings)
    layers = []
    for more in ("x = 1", "x = 2"):
        read = notebook(*CELLS, more)
        pipeline = bench.convert(read)
        found = pack(settings, read, pipeline, folder, find_kernel(""), local=False)
        reference = push_bundle(store, read, pipeline, folder, found)
        assert push_bundle(store, read, pipeline, folder, found) == reference
        repository, _, digest = reference.partition("@")
        layers.append({layer["mediaType"]: layer["digest"] for layer in store.get_manifest(repository, digest).document["layers"]})
        content = members(store, reference)
        assert (content["files/rows.csv"], content["files/more.csv"]) == (b"1,2\n", b"3\n")
        assert content["files/helper.py"].startswith(b"PLACE")
        workflow = {"spec": {"arguments": {"parameters": [{"name": "mlops-bundle", "value": reference}]}}}
        assert environment_of_run(store, workflow) == json.loads(found.environment)
    assert layers[0][BUNDLE_DATA] == layers[1][BUNDLE_DATA]
    assert layers[0] != layers[1]


def test_without_anything_the_bundle_is_the_one_that_convert_names(settings: Settings, folder: Path, tmp_path: Path) -> None:
    read = notebook(*CELLS)
    pipeline, store = Workbench(settings).convert(read), Layout(tmp_path / "registry")
    reference = push_bundle(store, read, pipeline, folder)
    assert reference == bundle_reference(read, pipeline, folder)
    assert "environment.json" not in members(store, reference)


def test_a_missing_package_is_told_before_anything_runs(settings: Settings, folder: Path) -> None:
    cells = ("import json", "\nimport nowhere_at_all.deep\nimport gone_for_good")
    with pytest.raises(Refused) as caught:
        packed(settings, folder, local=True, cells=cells)
    assert caught.value.code == "missing-packages"
    assert [(one.code, one.cell, one.line) for one in caught.value.diagnostics] == [
        ("missing-package", 1, 2),
        ("missing-package", 1, 3),
    ]
    assert "pip install nowhere_at_all gone_for_good" in caught.value.fix
    found = packed(settings, folder, local=False, cells=cells)
    assert [one["module"] for one in json.loads(found.environment)["missing"]] == ["nowhere_at_all.deep", "gone_for_good"]


def test_a_kernel_that_is_not_here_leaves_the_environment_unsaid(settings: Settings, folder: Path) -> None:
    read = notebook(*CELLS, metadata={"kernelspec": {"name": "no-such-kernel", "language": "python"}})
    pipeline = Workbench(settings).convert(read)
    assert described(settings, read, pipeline, folder) is None
    found = pack(settings, read, pipeline, folder, None, local=False)
    assert (found.environment, list(found.data)) == (b"", ["more.csv", "rows.csv"])


@pytest.mark.parametrize("value", ["", "runs/x", f"runs/x@sha256:{'0' * 64}", "runs/x@sha256:no"])
def test_a_run_whose_bundle_is_gone_has_no_environment(value: str, tmp_path: Path) -> None:
    workflow = {"spec": {"arguments": {"parameters": [{"name": "mlops-bundle", "value": value}]}}}
    assert environment_of_run(Layout(tmp_path / "registry"), workflow) is None
    assert environment_of_run(Layout(tmp_path / "registry"), {}) is None


def test_a_workflow_that_is_written_names_a_bundle_with_the_data(settings: Settings, folder: Path, tmp_path: Path) -> None:
    read = notebook(*CELLS)
    store = Layout(tmp_path / "registry")
    there = Workbench(settings, Target("dev", "dev", "ml", registry="http://registry.example"))
    there.__dict__["store"] = store
    pipeline = there.convert(read)
    written = there.compile(read, pipeline, folder)
    data = there.compile(read, pipeline, folder, push=True)
    bundle = bundle_of(data)
    assert members(store, bundle)["files/rows.csv"] == b"1,2\n"
    assert bundle_of(written).partition("@")[0] == bundle.partition("@")[0]


def bundle_of(workflow: Mapping[str, Any]) -> str:
    return next(str(one["value"]) for one in workflow["spec"]["arguments"]["parameters"] if one["name"] == "mlops-bundle")


@pytest.mark.parametrize(
    ("kernel", "known", "said"),
    [("python3", True, []), ("no-such-kernel", False, ["environment-unknown"])],
)
def test_a_pushed_bundle_holds_the_environment_where_the_kernel_is_here(
    kernel: str, known: bool, said: list[str], settings: Settings, folder: Path, tmp_path: Path
) -> None:
    read = notebook(*CELLS, metadata={"kernelspec": {"name": kernel, "language": "python"}})
    store = Layout(tmp_path / "registry")
    there = Workbench(settings, Target("dev", "dev", "ml", registry="http://registry.example"))
    there.__dict__["store"] = store
    told: list[Diagnostic] = []
    workflow = there.compile(read, there.convert(read), folder, push=True, tell=told.append)
    assert [one.code for one in told] == said
    assert all("compare" in one.message and one.fix for one in told)
    content = members(store, bundle_of(workflow))
    assert ("environment.json" in content) is known
    assert content["files/rows.csv"] == b"1,2\n"
    if known:
        assert [one["name"] for one in json.loads(content["environment.json"])["distributions"]] == ["cloudpickle"]
        assert environment_of_run(store, workflow) == json.loads(content["environment.json"])


@pytest.mark.parametrize(("module", "codes"), [("json", []), ("nowhere_at_all", ["missing-package"])])
def test_what_would_stop_a_run_here_is_known_before(module: str, codes: list[str], settings: Settings, folder: Path) -> None:
    read = notebook(f"import {module}")
    found = fit(Workbench(settings), read, Workbench(settings).convert(read), folder)
    assert [one.code for one in found.findings] == codes
    assert found.environment is not None
    assert "images" not in found.environment
    assert (settings.storage.cache / "environments").exists() is False
