"""Whatever a cluster could hold in the place of what was seen, nothing fails, and what is said is bounded and visible."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.diagnose.declared import refused_cause
from jupyter_mlops.diagnose.pod import pod_cause
from jupyter_mlops.diagnose.service import service_cause
from jupyter_mlops.diagnose.workflow import causes
from tests.unit.diagnose.making import well_said
from tests.unit.laws import law

STATES = [state for path in sorted((Path(__file__).parent / "observed").glob("*.json")) for state in json.loads(path.read_text())]
ODD: list[Any] = [
    None, True, 0, -1, 10**400, 1.5, float("nan"), "", "x", "x" * 20_000, "\x00\x1b\u202e", "<b>&", "{" * 5000, '{"a":' * 3000, "0/1 nodes are available: ",
    "main: Error (exit code 999)", [], [None], [[]], {}, {"": None}, {"name": {}}, [{"name": 3, "state": []}], "2026-99-99T00:00:00Z",
    "exceeded quota: " + "a=1," * 2000, "a" * 300 + "://" + "@" * 300,
]  # fmt: skip
WORDS = json.dumps(STATES)
TEXTS = sorted({text for state in STATES for text in json.dumps(state).split('"') if 20 < len(text) < 2000})


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place of a document."""
    found = [path] if path else []
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in pairs:
        found += places(item, (*path, key))
    return found


def mutilate(state: Any, chance: random.Random) -> Any:
    """The state with some of its places replaced by what nobody expects, or gone."""
    made = copy.deepcopy(state)
    for _ in range(chance.randint(1, 6)):
        every = [path for path in places(made) if len(path) > 1]
        if not every:
            break
        path = chance.choice(every)
        holder = made
        for key in path[:-1]:
            holder = holder[key]
        if chance.random() < 0.2 and isinstance(holder, dict):
            del holder[path[-1]]
        else:
            holder[path[-1]] = copy.deepcopy(chance.choice(ODD) if chance.random() < 0.7 else chance.choice(TEXTS))
    return made


def judge(state: Any) -> None:
    """Every way to ask, in the types that the callers have checked: a document, lists of documents."""
    pods, events = (state.get(key) if isinstance(state.get(key), list) else [] for key in ("pods", "events"))
    document = state.get("document")
    found = [
        service_cause(document, pods, events, document, now=1.8e9),
        *causes(document, pods, events, now=1.8e9, controller_seen=1.8e9).values(),
    ]
    found += [*causes(document, now=1.8e9).values(), *(pod_cause(pod, events) for pod in pods)]
    for cause in found:
        if cause is not None:
            well_said(cause)


@law
@given(st.sampled_from(STATES), st.randoms(use_true_random=False))
def test_a_mutilated_document_never_fails(state: Any, chance: random.Random) -> None:
    judge(mutilate(state, chance))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30) | st.sampled_from(TEXTS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["status", "metadata", "spec", "nodes", "phase", "message", "name", "a"]), inner, max_size=5),
    max_leaves=25,
)  # fmt: skip


@law
@given(JSON, st.lists(JSON, max_size=3), st.lists(JSON, max_size=3))
def test_any_json_never_fails(document: Any, pods: list[Any], events: list[Any]) -> None:
    judge({"document": document, "pods": pods, "events": events})


@law
@given(st.text(max_size=500) | st.sampled_from(TEXTS))
def test_any_text_of_a_node_or_refusal_never_fails(said: str) -> None:
    for message in (
        said,
        f"main: Error (exit code 1): {said}",
        f"Unschedulable: {said}",
        f"ImagePullBackOff: {said}",
        f"CreateContainerError: {said}",
    ):
        for phase in ("Pending", "Failed"):
            node = {"type": "Pod", "phase": phase, "message": message, "displayName": said}
            for cause in causes({"metadata": {"namespace": said}, "status": {"phase": phase, "nodes": {"a": node}}}).values():
                well_said(cause)
    if (cause := refused_cause(said, said, said)) is not None:
        well_said(cause)


@pytest.mark.parametrize("odd", [text for text in ODD if isinstance(text, str) and len(text) > 100], ids=lambda text: text[:12])
def test_long_texts_take_no_time_worth_noticing(odd: str) -> None:
    """A pattern that tries again and again would not come back from these; the limit of a test's time is the judge."""
    for prefix in (
        "",
        "0/1 nodes are available: 1 ",
        'violates PodSecurity "a": containers ',
        "main: Error (exit code 1): ",
        'exec: "',
        "error mounting ",
    ):
        said = (prefix + odd * 3)[:60_000]
        pod = {
            "status": {
                "phase": "Pending",
                "containerStatuses": [{"name": "main", "state": {"waiting": {"reason": "CreateContainerError", "message": said}}}],
            }
        }
        judge({"document": {"status": {"phase": "Failed", "message": said}}, "pods": [pod], "events": []})


def test_nothing_of_the_machine_is_in_the_documents_kept() -> None:
    assert "/root/" not in WORDS
    assert "mlops-cluster" not in WORDS
