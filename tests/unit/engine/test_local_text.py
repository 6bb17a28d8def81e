"""The small languages of a Workflow: tags, depends, quantities, durations, names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.engine.local.depends import needs_of
from jupyter_mlops.engine.local.names import check_name, new_name
from jupyter_mlops.engine.local.quantities import quantity, seconds, size_text
from jupyter_mlops.engine.local.status import fnv32a
from jupyter_mlops.engine.local.template_text import replace, tags
from jupyter_mlops.errors import NotFound


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("plain", []),
        ("{{a}}", ["a"]),
        ("x{{ a.b-c }}y{{d}}", ["a.b-c", "d"]),
        ({"k": ["{{a}}", {"z": "{{b}}"}], "{{not}}": 1}, ["a", "b"]),
        ("{{=1+1}}", ["=1+1"]),
        ("{ {a} }", []),
        (None, []),
    ],
)
def test_tags_are_found_anywhere_in_a_document(value: object, found: list[str]) -> None:
    assert list(tags(value)) == found


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("{{a}}", "1"),
        ("{{ a }}-{{a}}", "1-1"),
        ("{{unknown}}", "{{unknown}}"),
        ("{{b}}", "{{a}}"),  # a value is not looked at again within one pass
        ("{{{a}}}", "{{{a}}}"),
    ],
)
def test_one_pass_replaces_what_it_knows(text: str, result: str) -> None:
    assert replace(text, {"a": "1", "b": "{{a}}"}) == result


@given(st.text(alphabet="ab{} ", max_size=30))
def test_without_known_tags_nothing_changes(text: str) -> None:
    assert replace({"k": [text]}, {}) == {"k": [text]}


@given(st.dictionaries(st.sampled_from(["a", "b", "c"]), st.text(max_size=5)))
def test_what_is_replaced_is_exactly_the_value(known: dict[str, str]) -> None:
    for name, value in known.items():
        assert replace("<{{" + name + "}}>", known) == f"<{value}>"


@pytest.mark.parametrize(
    ("expression", "needs"),
    [
        ("a", {"a": True}),
        ("a.Succeeded", {"a": False}),
        ("a.Succeeded && b-2.Succeeded", {"a": False, "b-2": False}),
        ("a&&(b.Succeeded)&&a", {"a": True, "b": False}),
        ("(a.Succeeded || a.Skipped)", {"a": True}),
        ("(a.Succeeded || a.Skipped) && b.Succeeded", {"a": True, "b": False}),
        ("a.Succeeded && (a.Skipped || a.Succeeded)", {"a": False}),
        ("a.Skipped", None),
        ("a || b", None),
        ("!a", None),
        ("a.Failed", None),
        ("", None),
    ],
)
def test_depends_is_a_conjunction_of_good_ends(expression: str, needs: dict[str, bool] | None) -> None:
    assert needs_of(expression) == needs


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("500m", 0.5), ("2", 2.0), (4, 4.0), ("2Gi", 2 << 30), ("1.5G", 1.5e9), ("1e3", 1000.0), ("100Mi", 100 << 20), ("10k", 10_000.0),
        ("", None), ("2GiB", None), ("lots", None), ("1.2.3", None),
    ],
)  # fmt: skip
def test_quantities(text: str | float, number: float | None) -> None:
    assert quantity(text) == number


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("90", 90.0), (30, 30.0), ("300s", 300.0), ("1h30m", 5400.0), ("1.5h", 5400.0), ("200ms", 0.2), ("2d", 172_800.0),
        ("", None), ("soon", None), ("5 minutes", None), ("-3", None), ("inf", None), ("nan", None),
    ],
)  # fmt: skip
def test_durations(text: str | float, length: float | None) -> None:
    assert seconds(text) == length


@pytest.mark.parametrize(("count", "text"), [(0, "0 bytes"), (1023, "1023 bytes"), (2048, "2.0 KiB"), (5 << 40, "5120.0 GiB")])
def test_sizes_as_people_read_them(count: int, text: str) -> None:
    assert size_text(count) == text


@pytest.mark.parametrize(("text", "value"), [("", 2166136261), ("a", 0xE40C292C), ("foobar", 0xBF9CF968)])
def test_the_hash_of_node_names_is_fnv_1a(text: str, value: int) -> None:
    assert fnv32a(text) == value  # vectors of the algorithm's authors


@given(st.text(max_size=80))
def test_a_made_name_is_a_name(prefix: str) -> None:
    assert check_name(new_name(prefix))


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a_b", "../x", "a/b", "a.b", "x" * 64, ".hidden"])
def test_what_cannot_be_a_run_is_not_found(name: str) -> None:
    with pytest.raises(NotFound):
        check_name(name)
