"""Every sample: recognised, accounted for field by field, valid, deterministic, and convertible."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jupyter_mlops.flow import Workbench
from jupyter_mlops.importing import import_file
from tests.unit.importers.samples import ELYRA8, KALE0, KALE1, KALE2, PAPERMILL, SAME, SAME_TAGS, SAMPLES, SCHEDULER, Sample, nb

STEPS = {
    "kale2": [("load-data", ()), ("compute", ("load-data",)), ("score-it", ("compute",))],
    "kale1": [("load", ()), ("sum-up", ("load",)), ("load-2", ("load",)), ("show", ("sum-up", "load-2"))],
    "kale0": [("first", ()), ("second", ("first",)), ("last", ("first", "second"))],
    "elyra8": [("load", ()), ("train", ("load",)), ("check", ("load", "train"))],
    "elyra3": [("one", ()), ("two", ("one",))],
    "papermill": [("executed-imported", ())],
    "scheduler": [("report-imported", ())],
    "same": [("step-0", ()), ("step-1", ("step-0",)), ("step-2", ("step-0", "step-1"))],
    "same_tags": [("step-0", ()), ("step-1", ("step-0",)), ("step-2", ("step-0", "step-1"))],
}


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_becomes_a_valid_notebook_that_converts(name: str, tmp_path: Path) -> None:
    import nbformat

    sample = SAMPLES[name]
    path = sample.write(tmp_path)
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    written = import_file(path)
    assert written.imported.format == sample.format
    nbformat.validate(json.loads(written.path.read_text()))
    assert {file: file.read_bytes() for file in before} == before, "the source was changed"
    bench = Workbench()
    pipeline = bench.convert(bench.read(written.path))
    assert [(step.name, step.needs) for step in pipeline.steps] == STEPS[name]
    assert [one for one in pipeline.diagnostics if one.severity == "error"] == []
    assert [one.code for one in pipeline.diagnostics if one.code in {"invalid-metadata", "unknown-step", "duplicate-step"}] == []


@pytest.mark.parametrize("name", SAMPLES)
def test_importing_again_changes_nothing(name: str, tmp_path: Path) -> None:
    path = SAMPLES[name].write(tmp_path)
    first = import_file(path)
    text = first.path.read_bytes()
    again = import_file(path)
    assert (again.path, again.path.read_bytes(), again.imported) == (first.path, text, first.imported)


def fields(sample: Sample) -> set[str]:
    """Names of the fields and tags that a source sets: each has to appear in the account."""
    content = sample.files[sample.main]
    if isinstance(content, str):
        return {
            "environments.default",
            "run.parameters",
            "notebook.path",
            "notebook.requirements",
            "datasets",
            "metadata",
            "apiVersion",
        }
    if "cells" in content:
        metadata = content["metadata"]
        found = {
            tag
            for cell in content["cells"]
            for tag in cell["metadata"].get("tags", ())
            if tag not in {"parameters", "hide-input", "keep-me"}
        }
        found |= {key for key in metadata.get("kubeflow_notebook", {}) if key not in {"steps_defaults", "volumes"}}
        found |= {f"papermill.{key}" for key in metadata.get("papermill", {})}
        return {part for tag in found for part in (tag.split(";") if tag.startswith("prev:") else [tag])}
    if "pipelines" in content:
        about = content["pipelines"][0]["app_data"]
        nodes = content["pipelines"][0]["nodes"]
        own = {
            f"{node['id']}: {key}"
            for node in nodes
            for key, value in node["app_data"].get("component_parameters", {}).items()
            if value and key not in {"filename", "gpu_vendor", "pipeline_parameters", "memory_limit"}
        }
        return own | (set(about["properties"]) - {"pipeline_defaults", "pipeline_parameters"})
    return {key for key, value in content.items() if value and key not in {"timezone", "active"}}


@pytest.mark.parametrize("sample", [KALE0, KALE1, KALE2, ELYRA8, PAPERMILL, SCHEDULER, SAME, SAME_TAGS], ids=lambda one: one.format)
def test_nothing_is_dropped_in_silence(sample: Sample, tmp_path: Path) -> None:
    written = import_file(sample.write(tmp_path))
    said = [item.field for item in written.imported.items]
    missing = {name for name in fields(sample) if not any(one == name or one.startswith((f"{name} ", f"{name}[")) for one in said)}
    missing = {name for name in missing if f"prev:{name}" not in said}
    assert missing == set()
    lost = [item for item in written.imported.items if item.outcome == "lost"]
    assert all(item.fix for item in lost)
    assert all(item.meaning for item in written.imported.items)


def test_kale_gets_our_metadata_and_loses_its_own(tmp_path: Path) -> None:
    written = import_file(KALE2.write(tmp_path))
    document = written.imported.document
    assert written.path.name == "discs.ipynb"
    assert document["metadata"]["mlops"] == {
        "image": "python:3.12", "cache": "off", "memory": "2Gi", "queue": "team-a", "volumes": [{"claim": "data", "mount": "/data"}],
    }  # fmt: skip
    assert "kubeflow_notebook" not in document["metadata"]
    told = {item.field: item for item in written.imported.items}
    assert '"LR": [0.1, 0.2, 0.3], "KIND": ["a", "b"]' in told["katib_metadata"].meaning
    assert told["katib_metadata"].fix.startswith("Let the step that trains run once for each value, ")
    assert told["volumes[data]"].outcome == "taken"
    assert told["volumes[ws]"].outcome == "not-needed"
    assert told["unheard_of"].outcome == "lost"
    assert document["cells"][-1]["source"].endswith('jupyter_mlops.log_metrics({"score": float(score)})')
    assert document["cells"][7]["metadata"]["tags"] == ["hide-input", "prev:load_data"]


def test_a_step_that_goes_on_further_down_is_a_step_of_its_own_and_told(tmp_path: Path) -> None:
    written = import_file(KALE1.write(tmp_path))
    told = [item for item in written.imported.items if item.outcome == "lost"]
    assert [(item.field, item.cell) for item in told] == [("step:load", 4), ("prev:ghost", None)]


def test_elyra_keeps_what_nodes_ask_for(tmp_path: Path) -> None:
    cells = import_file(ELYRA8.write(tmp_path)).imported.document["cells"]
    options = {cell["metadata"]["mlops"]["step"]: cell["metadata"]["mlops"] for cell in cells if "mlops" in cell["metadata"]}
    assert options["train"] == {
        "step": "train", "image": "me/train:1", "cpu": 2, "memory": "3.5G", "gpu": 1, "gpu_resource": "amd.com/gpu", "shm": "1G",
        "secrets": [{"env": "TOKEN", "secret": "hub", "key": "token"}],
        "tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}],
        "volumes": [{"claim": "claim", "mount": "/data", "read_only": True}], "cache": "off",
    }  # fmt: skip
    assert options["check"] == {"step": "check", "image": "me/base:1"}
    assert cells[0]["source"] == "# analysis\n\nall of it"
    assert cells[1]["source"] == "factor = 3  # by how much"


def test_same_takes_images_and_parameters_from_its_configuration(tmp_path: Path) -> None:
    document = import_file(SAME.write(tmp_path)).imported.document
    assert document["metadata"]["mlops"] == {"image": "library/python:3.11"}
    assert document["cells"][0]["source"] == "exponent = 4"
    assert document["cells"][3]["metadata"]["mlops"] == {"step": "step_1", "image": "me/gpu:1"}
    assert document["cells"][5]["metadata"]["tags"] == ["keep-me"]


SPACES = [
    ({"parameterType": "int", "feasibleSpace": {"min": "1", "max": "3"}}, "[1, 2, 3]"),
    ({"parameterType": "double", "feasibleSpace": {"min": "0.1", "max": "0.2", "step": "0.05"}}, "[0.1, 0.15, 0.2]"),
    ({"parameterType": "double", "feasibleSpace": {"min": "0.1", "max": "0.2"}}, '{"min": 0.1, "max": 0.2}'),
    ({"parameterType": "int", "feasibleSpace": {"min": "1", "max": "5000"}}, '{"min": 1, "max": 5000}'),
    ({"parameterType": "categorical", "feasibleSpace": {"list": ["a", "b"]}}, '["a", "b"]'),
    ({"parameterType": "int", "feasibleSpace": {"min": "one", "max": "3"}}, '{"min": "one", "max": "3"}'),
    ({"parameterType": "int"}, "{}"),
]


@pytest.mark.parametrize(("space", "shown"), SPACES, ids=[shown for _, shown in SPACES])
def test_the_spaces_of_a_search_are_written_out(space: dict[str, object], shown: str, tmp_path: Path) -> None:
    metadata = {"pipeline_name": "p", "katib_metadata": {"parameters": [{"name": "LR", **space}]}}
    (tmp_path / "x.ipynb").write_text(json.dumps(nb("LR = 1", kubeflow_notebook=metadata)))
    (told,) = [item for item in import_file(tmp_path / "x.ipynb").imported.items if item.field == "katib_metadata"]
    assert f'its spaces are {{"LR": {shown}}}' in told.meaning
    if shown.startswith("["):
        assert told.fix == f'Let the step that trains run once for each: {{"mlops": {{"each": {{"LR": {shown}}}}}}}'
