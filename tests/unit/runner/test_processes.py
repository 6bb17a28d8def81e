"""What a kernel and a pipeline left of the process is compared by what it says, and a difference names its place."""

from __future__ import annotations

import pickle
import re
import warnings
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.runner.alike import Alike
from jupyter_mlops.runner.processes import CHANGED, UNTOUCHED, differing, in_one_order
from jupyter_mlops.session.pickler import dumps
from jupyter_mlops.session.scope import Scope
from jupyter_mlops.session.transfer import Blobs

TRIO = ("ignore", re.compile(".*Trio's signal handling code might have collided.*", re.IGNORECASE), RuntimeWarning, None, 0)
OWN = ("ignore", None, UserWarning, None, 0)


def found(place: Path, first: dict[str, Any], second: dict[str, Any], *, seeded: bool = True) -> list[tuple[str, str, str, str]]:
    """The differences between two processes whose carriers say this."""
    blobs = Blobs(Layout(place / "registry"), "runs/x")
    scopes = Scope({}, None, place), Scope({}, None, place)

    def stored(values: dict[str, Any], scope: Scope) -> dict[str, str]:
        pickled = {name: dumps(value, scope) for name, value in values.items()}
        parts = {
            name: (one.stream, [bytes(buffer) for buffer in one.buffers], sorted(one.mentions)) for name, one in pickled.items()
        }
        return {name: blobs.put(pickle.dumps(part, protocol=5)) for name, part in parts.items()}

    alike = Alike((("/kernel",), ("/steps",)))
    sides = differing(stored(first, scopes[0]), stored(second, scopes[1]), blobs, scopes, alike, seeded=seeded)
    return [(name, unlike.path, unlike.first, unlike.second) for name, unlike in sides]


@pytest.mark.parametrize(
    ("first", "second", "differences"),
    [
        ({}, {}, []),
        ({"environ": ([("A", "1")], [])}, {"environ": ([("A", "1")], [])}, []),
        ({"environ": ([("A", "1")], [])}, {}, [("environ", "environ", CHANGED, UNTOUCHED)]),
        ({}, {"cwd": "data"}, [("cwd", "cwd", UNTOUCHED, CHANGED)]),
        (
            {"pandas.options": [("display.max_rows", 7)]}, {"pandas.options": [("display.max_rows", 8)]},
            [("pandas.options", "pandas.options[0][1]", "7", "8")],
        ),
        ({"sys.path": (["/kernel/lib"], [], [])}, {"sys.path": (["/steps/lib"], [], [])}, []),
        ({"sys.path": (["/kernel/lib"], [], [])}, {"sys.path": (["/other/lib"], [], [])}, [
            ("sys.path", "sys.path[0][0]", "'/kernel/lib'", "'/other/lib'"),
        ]),
        ({"history": 1, "imports": 2, "metrics": 3}, {"history": 4, "imports": 5}, []),
        ({"warnings": [TRIO, OWN]}, {"warnings": [OWN]}, []),
        ({"warnings": [OWN, TRIO]}, {"warnings": []}, [("warnings", "warnings (number of items)", "1", "0")]),
    ],
)  # fmt: skip
def test_what_differs_is_told_with_its_place(
    tmp_path: Path, first: dict[str, Any], second: dict[str, Any], differences: list[tuple[str, str, str, str]]
) -> None:
    assert found(tmp_path, first, second) == differences


def test_generators_count_only_where_they_are_seeded(tmp_path: Path) -> None:
    assert found(tmp_path, {"random": (3, 1)}, {"random": (3, 2)}, seeded=False) == []
    assert found(tmp_path, {"random": (3, 1)}, {"random": (3, 2)}) == [("random", "random[1]", "1", "2")]


def test_the_filter_of_kernels_is_the_one_that_ipykernel_adds(monkeypatch: pytest.MonkeyPatch) -> None:
    ipykernel = pytest.importorskip("ipykernel")
    source = (Path(ipykernel.__file__).parent / "zmqshell.py").read_text(encoding="utf-8")
    if "Trio" not in source:
        pytest.skip("NOT RUN: this ipykernel adds no filter")
    assert TRIO[1].pattern in source
    monkeypatch.setattr(warnings, "filters", [])
    warnings.filterwarnings("ignore", TRIO[1].pattern, RuntimeWarning)
    assert [*warnings.filters] == [TRIO]


def test_filters_that_cannot_meet_may_stand_in_any_order() -> None:
    class Special(UserWarning): ...

    matrix, special = ("ignore", re.compile("the matrix"), Warning, None, 0), ("always", None, Special, None, 0)
    everything = ("error", None, Warning, None, 0)
    assert in_one_order([matrix, special]) == in_one_order([special, matrix])
    assert in_one_order([everything, special]) == [everything, special]
    assert in_one_order([special, matrix, everything]) == in_one_order([matrix, special, everything])
    assert in_one_order([special, everything]) != in_one_order([everything, special])
