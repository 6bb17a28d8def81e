"""Where steps run beside each other: tables of independent pairs, and the laws that any choice keeps."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.pipeline.lanes import Section, sections
from jupyter_mlops.pipeline.pipeline import Options, Pipeline, Step
from tests.unit.laws import law

PLAIN = Options()


def pipeline(names: str, pairs: str, options: dict[str, Options] | None = None) -> Pipeline:
    steps = tuple(Step(name, (place,), options=(options or {}).get(name, PLAIN)) for place, name in enumerate(names))
    return Pipeline("p", "p.ipynb", steps, independent=tuple((pair[0], pair[1]) for pair in pairs.split()))


def shown(found: tuple[Section, ...]) -> str:
    return " ".join("|".join("".join(step.name for step in lane) for lane in section.lanes) for section in found)


@pytest.mark.parametrize(
    ("names", "pairs", "expected"),
    [
        ("abc", "", "a b c"),
        ("labj", "ab", "l a|b j"),
        ("labcj", "ab ac bc", "l a|b|c j"),
        ("labcj", "ab bc", "l a b|c j"),
        # two models, each fitted and judged: two chains
        ("lfeghj", "fg fh eg eh", "l fe|gh j"),
        # fitted, fitted, judged, judged: two sections, one after the other
        ("lfgejxz", "fg ej", "l f|g e|j x z"),
        ("abj", "ab", "a|b j"),
        # nothing gained: a chain is as short
        ("labcj", "ac", "l a b c j"),
        # never at the end
        ("lab", "ab", "l a b"),
        # no more side by side than it takes
        ("labcdj", "ad bd cd", "l a b c|d j"),
    ],
)
def test_sections(names: str, pairs: str, expected: str) -> None:
    assert shown(sections(pipeline(names, pairs))) == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"b": Options(when="x")}, "l a b c d j"),
        ({"j": Options(when="x")}, "l a|b|c d j"),
        ({"l": Options(each="i in x")}, "l a b|c|d j"),
        ({"j": Options(final="")}, "l a b c d"),
    ],
)
def test_control_flow_has_no_part_in_it(options: dict[str, Options], expected: str) -> None:
    assert shown(sections(pipeline("labcdj", "ab ac ad bc bd cd", options))) == expected


@law
@given(st.integers(1, 9), st.randoms(use_true_random=False))
def test_laws_of_sections(count: int, random: object) -> None:
    names = "abcdefghi"[:count]
    pairs = {(a, b) for i, a in enumerate(names) for b in names[i + 1 :] if random.random() < 0.5}  # type: ignore[attr-defined]
    made = pipeline(names, " ".join(a + b for a, b in pairs))
    found = sections(made)
    assert [step for section in found for step in section.steps] == list(made.steps)
    assert not found[-1].parallel
    for section in found:
        for place, lane in enumerate(section.lanes):
            for other in section.lanes[place + 1 :]:
                assert all((a.name, b.name) in pairs for a in lane for b in other)
    assert sum(max(map(len, section.lanes)) for section in found) <= count
    if any(section.parallel for section in found):
        assert sum(max(map(len, section.lanes)) for section in found) < count
