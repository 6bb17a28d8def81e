"""Documents of a real cluster (Kubernetes 1.35, Argo 4.0, KServe 0.20), each with the cause that was right at that moment.

``observed/`` holds, for each trouble, the first state in which the cluster showed it and the last one. The same documents are
then taken apart: without pods and events, as an older Argo words them, and by whoever may only read some of them.
"""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.diagnose.cause import Cause
from jupyter_mlops.diagnose.pod import pod_cause
from jupyter_mlops.diagnose.service import service_cause
from jupyter_mlops.diagnose.workflow import causes
from tests.unit.diagnose.making import says, well_said

FOLDER = Path(__file__).parent / "observed"
STATES = [(path.stem, state) for path in sorted(FOLDER.glob("*.json")) for state in json.loads(path.read_text())]
ARGO = [(name, state) for name, state in STATES if name.startswith("argo-")]
KSERVE = [(name, state) for name, state in STATES if name.startswith("kserve-")]
ONLY_IN_EVENTS = {"argo-mount", "argo-config"}
"""The node says ``PodInitializing`` and nothing else."""


def ids(states: list[tuple[str, Any]]) -> list[str]:
    return [f"{name}-{number}" for number, (name, _) in enumerate(states)]


def found(state: dict[str, Any]) -> Cause | None:
    if state["document"]["kind"] == "Workflow":
        return causes(state["document"], state["pods"], state["events"]).get("")
    return service_cause(state["document"], state["pods"], state["events"])


def strange(event: dict[str, Any]) -> dict[str, Any]:
    """The event, about an object of another name."""
    about = event["involvedObject"]
    return {**event, "involvedObject": {**about, "name": f"other-{about['name']}"}}


def test_there_are_as_many_as_troubles() -> None:
    assert len({name for name, _ in ARGO}) >= 30
    assert len({name for name, _ in KSERVE}) >= 20


@pytest.mark.parametrize(("name", "state"), STATES, ids=ids(STATES))
def test_what_was_seen_is_recognised(name: str, state: dict[str, Any]) -> None:
    cause = found(state)
    if state["code"] is None:
        assert cause is None
        assert name in {"argo-holder", "argo-retried", "argo-mended", "kserve-works"}
    else:
        says(cause, state["code"])
        assert cause
        assert cause.facts


@pytest.mark.parametrize(("name", "state"), ARGO, ids=ids(ARGO))
def test_the_node_alone_tells_the_same_once_it_tells_anything(name: str, state: dict[str, Any]) -> None:
    """Pods and events are gone, or may not be read."""
    document = state["document"]
    messages = [node.get("message", "") for node in document["status"].get("nodes", {}).values()]
    cause = causes(document).get("")
    if (state["code"] and any(messages) and name not in ONLY_IN_EVENTS and messages != ["PodInitializing"]) or cause:
        says(cause, state["code"])


@pytest.mark.parametrize(("name", "state"), ARGO, ids=ids(ARGO))
def test_without_the_containers_name_as_older_versions_write_it(name: str, state: dict[str, Any]) -> None:
    older = copy.deepcopy(state)
    for holder in (older["document"]["status"], *older["document"]["status"].get("nodes", {}).values()):
        if "message" in holder:
            holder["message"] = re.sub(r"^(main|wait): ", "", holder["message"])
    cause = found(older)
    assert (cause.code if cause else None) == state["code"]


@pytest.mark.parametrize(("name", "state"), STATES, ids=ids(STATES))
def test_events_are_not_needed_where_the_pod_tells_it(name: str, state: dict[str, Any]) -> None:
    """An event lives for an hour, and some may not read them."""
    seen = found({**state, "events": []})
    if seen:
        well_said(seen)
        assert seen.code in {state["code"], "not-ready"}


@pytest.mark.parametrize(("name", "state"), STATES, ids=ids(STATES))
def test_events_of_others_change_nothing(name: str, state: dict[str, Any]) -> None:
    foreign = [strange(event) for other, one in STATES if other != name for event in one["events"]][:200]
    again = found({**state, "events": [*foreign, *state["events"]]})
    assert (again.code if again else None) == state["code"]


@pytest.mark.parametrize(("name", "state"), STATES, ids=ids(STATES))
def test_each_pod_says_nothing_else(name: str, state: dict[str, Any]) -> None:
    for pod in state["pods"]:
        cause = pod_cause(pod, state["events"])
        if cause and state["code"] not in {"timeout", "interrupted", "stopped", None}:
            says(cause, state["code"])
