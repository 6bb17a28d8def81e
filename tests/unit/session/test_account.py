"""A step's own account of what came in and what has changed."""

from __future__ import annotations

from jupyter_mlops.session.account import account
from jupyter_mlops.session.state import FileEntry, Lost, State


def entry(digest: str) -> FileEntry:
    return FileEntry(digest, 1, 0o100644)


BEFORE = State(
    names={"x": "1", "y": "2", "gone": "3", "lost": "4", "_3": "5", "__doc__": "6"},
    carriers={"random": "a", "environ": "b"},
    files={"old.csv": entry("1"), "same.csv": entry("2")},
    removed=("before.txt",),
)
AFTER = State(
    names={"x": "1", "y": "20", "new": "7", "_5": "8", "__name__": "9"},
    lost={"lost": Lost("generator", "runs once")},
    carriers={"random": "z", "environ": "b", "warnings": "c"},
    files={"old.csv": entry("9"), "same.csv": entry("2"), "new.csv": entry("3")},
    removed=("before.txt", "data.csv"),
)


def test_what_came_in_and_what_has_changed() -> None:
    found = account(BEFORE, AFTER, {"x": "1", "y": "2", "_3": "5", "__doc__": "6"}).to_json()
    assert found == {
        "delivered": {"x": "1", "y": "2"},
        "changed": {"new": "7", "y": "20"},
        "removed": ["gone"],
        "carriers": ["random", "warnings"],
        "asked": [],
        "files": ["data.csv", "new.csv", "old.csv"],
    }


def test_a_step_that_does_nothing_has_nothing_to_tell() -> None:
    assert account(BEFORE, BEFORE, {}).to_json() == {
        "delivered": {},
        "changed": {},
        "removed": [],
        "carriers": [],
        "files": [],
        "asked": [],
    }
