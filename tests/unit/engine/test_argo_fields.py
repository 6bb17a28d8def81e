"""Misspelled fields are found where the cluster's own definition would take them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.cluster.base import WORKFLOWS
from jupyter_mlops.engine.argo.fields import misspelled, refuse_misspelled
from jupyter_mlops.errors import Refused
from jupyter_mlops.testing.cluster import FakeCluster
from jupyter_mlops.testing.engine import workflow

EXAMPLES = sorted((Path(__file__).parents[3] / "examples").glob("*.workflow.yaml"))


def document() -> dict[str, Any]:
    return workflow(("a", "pass"), name="typo", image="python:3.11")


def at(place: str, field: str) -> Callable[[dict[str, Any]], None]:
    """Put a field at a place, which is written as in a message."""

    def put(found: dict[str, Any]) -> None:
        here: Any = found
        for part in place.replace("[", ".[").split("."):
            here = here[int(part[1:-1])] if part.startswith("[") else here.setdefault(part, {})
        here[field] = "x"

    return put


TYPOS = [
    ("spec", "entrypont", "entrypoint"),
    ("spec.templates[1]", "retryStrategi", "retryStrategy"),
    ("spec.templates[1].container", "comand", "command"),
    ("spec.templates[1].container", "imagePullPolcy", "imagePullPolicy"),
    ("spec.templates[1].container.resources", "limit", "limits"),
    ("spec.templates[0].dag.tasks[0]", "dependes", "depends"),
    ("spec.podGC", "strategi", "strategy"),
]


@pytest.mark.parametrize(("place", "field", "meant"), TYPOS, ids=[typo[1] for typo in TYPOS])
def test_a_field_that_is_near_a_known_one_is_a_misspelling(place: str, field: str, meant: str) -> None:
    found = document()
    at(place, field)(found)
    told = [(one.message, one.fix) for one in misspelled(found)]
    assert told == [(f'unknown field "{place}.{field}"', f"Did you mean {meant}?")]


def test_what_only_a_newer_argo_knows_is_left_to_the_cluster() -> None:
    found = document()
    found["spec"]["quantumEntanglement"] = {"on": True}
    assert misspelled(found) == ()


@pytest.mark.parametrize("shape", [None, [], "x", {"templates": "x"}, {"templates": [None, {"container": 3}]}])
def test_any_shape_is_read(shape: object) -> None:
    assert misspelled({"spec": shape}) == ()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_nothing_of_ours_is_misspelled(path: Path) -> None:
    import yaml

    assert misspelled(yaml.safe_load(path.read_text())) == ()


@pytest.mark.parametrize(("knows", "refused"), [(True, False), (False, True)])
def test_a_cluster_that_checks_says_it_itself(knows: bool, refused: bool) -> None:
    cluster = FakeCluster()
    if knows:
        cluster.behaviour.fields[WORKFLOWS.plural] = ("spec.entrypoint",)
    else:
        cluster.behaviour.fields.pop(WORKFLOWS.plural, None)
    found = document()
    at("spec.templates[1]", "retryStrategi")(found)
    if not refused:
        refuse_misspelled(found, cluster)
        return
    with pytest.raises(Refused) as caught:
        refuse_misspelled(found, cluster)
    assert (caught.value.code, caught.value.fix) == ("unknown-field", "Did you mean retryStrategy?")
    assert "spec.templates[1].retryStrategi" in caught.value.message
