"""Golden Workflows: of small notebooks here, and of each example beside it; and what Argo's and Hera's models make of them.

Write them anew with ``UPDATE_GOLDENS=1 pytest tests/unit/workflow``, and read the difference before you commit it. The
bootstrap and the bundle change with the runner; a golden names them instead of repeating them.
"""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.notebook.read import parse
from jupyter_mlops.pipeline.plan import plan
from jupyter_mlops.workflow.bootstrap import bootstrap_text
from jupyter_mlops.workflow.compile import compile_workflow
from jupyter_mlops.workflow.lint import lint
from jupyter_mlops.workflow.yaml import dump, load
from tests.unit.notebook_building import Spec, document

ROOT = Path(__file__).parents[3]
GOLDEN = Path(__file__).parent / "golden"
STANDS_FOR_BOOTSTRAP = "# jupyter_mlops/runner/bootstrap.py\n"

SMALL: dict[str, list[Spec]] = {
    "nothing": ["md:# Only words"],
    "one-step": ["x = 1\nprint(x)"],
    "parameters": [("lr = 0.1  # rate\nname = 'a{{b}}'", ["parameters", "step:setup"]), ("print(lr)", ["step:use"])],
    "lanes": [
        ("x = [3, 1, 2]", ["step:load"]), ("a = sum(x)", ["step:left"]), ("b = max(x)", ["step:right"]),
        ("c = b + 1", ["step:deep"]), ("print(a, b, c)", ["step:join"]),
    ],
    "gpu": [
        ("import torch", {"mlops": {"step": "prepare"}}),
        ("train()", {"mlops": {
            "step": "train", "gpu": 2, "memory": "32Gi", "cpu": 4, "image": "ghcr.io/me/train:1", "timeout": "2h", "retries": 2,
            "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
            "node_selector": {"gpu": "a100"}, "env": {"OMP_NUM_THREADS": "4"},
            "secrets": [{"env": "TOKEN", "secret": "hub", "key": "token"}], "outputs": "model",
        }}),
        ("evaluate()", {"mlops": {"step": "evaluate"}}),
    ],
}  # fmt: skip
EXAMPLES = sorted((ROOT / "examples").glob("*.ipynb"))


def cases() -> Iterator[Any]:
    for name, cells in SMALL.items():
        yield pytest.param(f"{name}.ipynb", json.dumps(document(*cells)), GOLDEN / f"{name}.workflow.yaml", id=name)
    for path in EXAMPLES:
        yield pytest.param(path.name, path.read_text(encoding="utf-8"), path.with_name(f"{path.stem}.workflow.yaml"), id=path.stem)


def workflow_of(name: str, text: str) -> dict[str, Any]:
    pipeline = plan(parse(text, name))
    return compile_workflow(pipeline, bundle=f"runs/{pipeline.name}@sha256:{'0' * 64}", source_digest=f"sha256:{'0' * 64}")


def without_bootstrap(workflow: dict[str, Any]) -> dict[str, Any]:
    document = copy.deepcopy(workflow)
    for template in document["spec"]["templates"]:
        if "container" in template:
            assert template["container"]["command"][2] == bootstrap_text()
            template["container"]["command"][2] = STANDS_FOR_BOOTSTRAP
    return document


@pytest.mark.parametrize(("name", "text", "path"), list(cases()))
def test_the_manifest_is_the_golden_one(name: str, text: str, path: Path) -> None:
    workflow = without_bootstrap(workflow_of(name, text))
    if os.environ.get("UPDATE_GOLDENS"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(dump(workflow), encoding="utf-8")
    assert dump(workflow) == path.read_text(encoding="utf-8"), "read the difference, then UPDATE_GOLDENS=1"
    assert load(path.read_text(encoding="utf-8")) == workflow
    assert lint(workflow_of(name, text)) == ()


def differences(one: Any, other: Any, path: str = "") -> Iterator[str]:
    """Where two documents differ, by the path of the field."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted(one.keys() | other.keys()):
            if key not in other:
                yield f"{path}.{key} is lost"
            elif key not in one:
                yield f"{path}.{key} is added"
            else:
                yield from differences(one[key], other[key], f"{path}.{key}")
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for place, (left, right) in enumerate(zip(one, other, strict=True)):
            yield from differences(left, right, f"{path}[{place}]")
    elif one != other or type(one) is not type(other):
        yield f"{path}: {one!r} became {other!r}"


@pytest.mark.slow
@pytest.mark.parametrize(("name", "text", "path"), list(cases()))
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_hera_keeps_every_field(name: str, text: str, path: Path) -> None:
    from hera.workflows.models import Workflow

    workflow = workflow_of(name, text)
    kept = json.loads(Workflow.model_validate(workflow).model_dump_json(by_alias=True, exclude_none=True))
    assert list(differences(workflow, kept)) == []


@pytest.mark.slow
@pytest.mark.parametrize(("name", "text", "path"), list(cases()))
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_argos_own_client_keeps_every_field(name: str, text: str, path: Path) -> None:
    """Its model checks the type of every field it knows."""
    from argo_workflows.api_client import ApiClient
    from argo_workflows.configuration import Configuration
    from argo_workflows.model.io_argoproj_workflow_v1alpha1_workflow import IoArgoprojWorkflowV1alpha1Workflow as Model
    from argo_workflows.model_utils import validate_and_convert_types

    workflow = workflow_of(name, text)
    model = validate_and_convert_types(
        copy.deepcopy(workflow), (Model,), ["received_data"], True, True, configuration=Configuration(discard_unknown_keys=False)
    )
    assert isinstance(model, Model)
    assert list(differences(workflow, ApiClient.sanitize_for_serialization(model))) == []


def test_the_comparison_is_awake() -> None:
    workflow = workflow_of("gpu.ipynb", json.dumps(document(*SMALL["gpu"])))
    changed = copy.deepcopy(workflow)
    del changed["spec"]["podGC"]
    changed["spec"]["securityContext"]["runAsUser"] = "1000"
    assert list(differences(workflow, changed)) == [".spec.podGC is lost", ".spec.securityContext.runAsUser: 1000 became '1000'"]
