"""Foreign words: bounded, visible, without logins; quantities; names of steps."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.diagnose.cause import Cause
from jupyter_mlops.diagnose.documents import (
    FACT,
    NAME,
    SENTENCE,
    at,
    events_of,
    fact,
    finish,
    listed,
    moment,
    name,
    number,
    text,
    words,
)
from jupyter_mlops.diagnose.owner import owner_of, step_name
from jupyter_mlops.diagnose.quantity import amount, bytes_text, larger
from tests.unit.diagnose.making import event, step_pod, well_said
from tests.unit.laws import law


@pytest.mark.parametrize(
    ("given_", "shown"),
    [
        ("ghcr.io/me/train:1@sha256:00", "ghcr.io/me/train:1@sha256:00"),
        ("<script>alert(1)</script>", "scriptalert1/script"),
        ("a\u202eb\u200bc\x00d\ne`f'\"", "abcdef"),
        ("https://me:secret@host/x", "https://host/x"),
        (None, ""), (3, ""), ("é", ""),
    ],
)  # fmt: skip
def test_a_name_is_only_what_names_have(given_: object, shown: str) -> None:
    assert name(given_) == shown


@law
@given(st.text(max_size=3000))
def test_whatever_a_name_is_it_is_short_and_plain(value: str) -> None:
    assert len(name(value)) <= NAME
    assert name(value).isascii()
    assert not set(name(value)) & set("<>`\"'\n &;")


@law
@given(st.text(max_size=3000), st.text(max_size=3000), st.lists(st.text(max_size=2000), max_size=20))
def test_whatever_is_said_is_finished(message: str, fix: str, facts: list[str]) -> None:
    cause = finish(Cause("x", message or "m", "user", "Fix.", tuple(facts)), facts)
    assert len(cause.message) <= SENTENCE
    assert len(set(cause.facts)) == len(cause.facts) <= 10
    assert all(0 < len(one) <= FACT for one in cause.facts)
    well_said(finish(Cause("x", "m", "user", "Fix.", (fact("pod", message, fix),))))
    assert "\n" not in words(message)
    assert "<" not in words(message)


def test_facts_keep_lines_and_lose_what_is_secret() -> None:
    said = fact(
        "pod a", "one\n\ttwo", "GET https://me:pw@host/blob?X-Amz-Signature=abc \x1b[31mred", "Authorization: Bearer abcdefghijklm"
    )
    assert said == "pod a: one\n\ttwo: GET https://…@host/blob?… [31mred: Authorization: Bearer …"
    assert len(fact("a", "x" * 5000)) == FACT


@pytest.mark.parametrize("value", [None, 3, [], "x", {"a": 3}, {"a": {"b": []}}])
def test_reading_never_fails(value: object) -> None:
    assert at(value, "a", "b") == {}
    assert text([value]) == ""
    assert number("3") == 0
    assert number(True) == 0


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("2026-01-01T00:00:00Z", 1767225600.0), ("2026-01-01T00:00:00.123456Z", 1767225600.0), ("2026-01-01T01:00:00+01:00", 1767225600.0),
        ("2026-01-01", None), ("no", None), (None, None), (5, None), ("0000-00-00T00:00:00Z", None),
    ],
)  # fmt: skip
def test_times(said: object, seconds: float | None) -> None:
    assert moment(said) == seconds


def test_events_are_those_of_the_object_in_order() -> None:
    late, early, other = event("B", "b", at=9), event("A", "a", at=1), event("C", "c", "x")
    earlier = event("D", "d", uid="old")
    assert [one["reason"] for one in events_of([late, early, other, earlier], "Pod", "churn-train", "new")] == ["A", "B"]
    assert events_of([{}, {"involvedObject": 3}], "Pod", "churn-train") == []


@pytest.mark.parametrize(
    ("quantity", "size"),
    [
        ("512Mi", 2**29), ("1Gi", 2**30), ("1.5Gi", 1.5 * 2**30), ("100M", 1e8), ("500m", 0.5), ("2e3", 2000), ("4", 4), (4, 4), (0.5, 0.5),
        ("", None), ("Mi", None), ("1 Gi", None), ("1Xi", None), (None, None), (True, None), ("9" * 30, None), ([], None),
    ],
)  # fmt: skip
def test_quantities(quantity: object, size: float | None) -> None:
    assert amount(quantity) == (pytest.approx(size) if size is not None else None)


@pytest.mark.parametrize(
    ("had", "try_"),
    [("48Mi", "256Mi"), ("128Mi", "256Mi"), ("200Mi", "512Mi"), ("512Mi", "1Gi"), ("2Gi", "4Gi"), ("3G", "5888Mi"), ("1Ti", "2Ti"), ("", ""), ("x", ""), ("0", "256Mi")],
)  # fmt: skip
def test_what_to_try_after_memory_ran_out(had: str, try_: str) -> None:
    assert larger(had) == try_


@law
@given(st.integers(1, 2**60))
def test_a_size_is_never_said_too_small(size: int) -> None:
    said = amount(bytes_text(size))
    assert said is not None
    assert size <= said < size + 2**20
    grown = amount(larger(str(size)))
    assert grown is None or grown >= 2 * size * 0.999


@pytest.mark.parametrize(
    ("node", "step"),
    [
        ("churn-x7.train", "train"),
        ("churn-x7.train(1)", "train"),
        ("churn-x7.train(2:lr:0.1)", "train"),
        ("churn", "churn"),
        ("", ""),
        (None, ""),
    ],
)
def test_the_step_of_a_node(node: object, step: str) -> None:
    assert step_name(node) == step


def test_whose_pod_it_is() -> None:
    owner = owner_of(step_pod())
    assert (owner.kind, owner.name, owner.namespace, owner.who, owner.about) == (
        "step",
        "train",
        "ml",
        "step 'train'",
        "pod churn-train",
    )
    assert owner_of({}).who == "the pod"
    assert owner_of({"metadata": {"labels": {"serving.kserve.io/inferenceservice": "s"}}}).who == "service 's'"


@pytest.mark.parametrize(("names", "said"), [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")])
def test_lists(names: list[str], said: str) -> None:
    assert listed(names) == said
