"""What the step after lanes reads of its arguments, and how it lays histories over each other."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from jupyter_mlops.errors import Corrupt, Refused
from jupyter_mlops.oci.artifact import push_artifact
from jupyter_mlops.oci.names import STATE, STATE_CONFIG
from jupyter_mlops.registry.layout import Layout
from jupyter_mlops.runner.join import bring_sides, histories, imports, leave_free, sides_of
from jupyter_mlops.session.state import State


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        ("a,b", ((("a",), ("b",)),)),
        ("a+b,c", ((("a", "b"), ("c",)),)),
        ("a,b;c,d+e", ((("a",), ("b",)), (("c",), ("d", "e")))),
    ],
)
def test_sections_of_the_argument(text: str, expected: object) -> None:
    assert sides_of(text) == expected


def test_histories_are_laid_over_each_other() -> None:
    first = (["", "x", "a"], ["", "%x", "%a"], [2, 1], [("f1", 1), ("fa", 2)])
    second = (["", "x", "", "b"], ["", "%x", "", "%b"], [3, 1], [("f1", 1), ("fb", 3)])
    third = (["", "x", "", "", "c", "d"], ["", "%x", "", "", "%c", "%d"], [1], [("f1", 1)])
    parsed, raw, recent, files = histories([first, second, third])
    assert parsed == ["", "x", "a", "b", "c", "d"]
    assert raw == ["", "%x", "%a", "%b", "%c", "%d"]
    assert recent == [3, 2, 1]
    assert files == [("f1", 1), ("fa", 2), ("fb", 3)]


def test_imports_are_all_of_them() -> None:
    assert imports([["a.b"], ["c.d", "a.b"]]) == ["a.b", "c.d"]


def test_places_stay_free() -> None:
    shell = SimpleNamespace(history_manager=SimpleNamespace(input_hist_parsed=["", "x"], input_hist_raw=["", "x"]))
    leave_free(shell, 2)
    assert shell.history_manager.input_hist_parsed == ["", "x", "", ""]
    assert shell.history_manager.input_hist_raw == ["", "x", "", ""]


NOTHING = {"delivered": {}, "changed": {}, "removed": [], "carriers": [], "files": [], "asked": []}


def pushed(store: Layout, names: dict[str, str]) -> str:
    document = State(names=names).to_json()
    return push_artifact(store, "runs/p", STATE, document, [], config_type=STATE_CONFIG, tags=[]).descriptor.digest


def test_a_clash_names_the_steps_of_the_lanes_that_it_is_about(tmp_path: object) -> None:
    store = Layout(tmp_path)  # type: ignore[arg-type]
    reports = {
        "a": {"state": "", "account": {**NOTHING, "changed": {"w": "1"}}},
        "b": {"state": pushed(store, {"w": "1", "v": "2"}), "account": {**NOTHING, "changed": {"v": "2"}}},
        "c": {"state": "", "account": {**NOTHING, "asked": ["w"]}},
        "d": {"state": pushed(store, {"z": "3"}), "account": {**NOTHING, "changed": {"z": "3"}}},
        "old": {"state": pushed(store, {}), "account": {}},
    }
    with pytest.raises(Refused) as caught:
        bring_sides(store, "runs/p", State(), sides_of("a+b,c+d"), reports.__getitem__)
    assert caught.value.code == "two-versions"
    assert "the steps a and c ran beside each other, and a changed w" in caught.value.message
    assert "--pin a c" in caught.value.fix
    merged, digests = bring_sides(store, "runs/p", State(), sides_of("b,d"), reports.__getitem__)
    assert dict(merged.names) == {"w": "1", "v": "2", "z": "3"}
    assert digests == (reports["b"]["state"], reports["d"]["state"])
    with pytest.raises(Corrupt, match="the report of old has no account"):
        bring_sides(store, "runs/p", State(), sides_of("b,old"), reports.__getitem__)
