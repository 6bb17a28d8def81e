"""A version that came from elsewhere: refused where it is served, allowed by its digest, and served then."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., Any]


class Evil:
    """Leaves a mark where it is loaded."""

    def __init__(self, mark: str) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return eval, (f"__import__('pathlib').Path({self.mark!r}).touch() or (lambda rows: [7 for _ in rows])",)


@pytest.fixture
def foreign(tmp_path: Path, mlops: Command) -> Path:
    """``evil:v1`` in the registry, from a file of somebody; the path that loading it would make."""
    mark = tmp_path / "mark"
    (tmp_path / "evil.pkl").write_bytes(pickle.dumps(Evil(str(mark))))
    assert mlops("models", "import", str(tmp_path / "evil.pkl"), "evil").code == 0
    return mark


def test_a_foreign_pickle_is_served_only_once_it_is_allowed(foreign: Path, mlops: Command) -> None:
    refused = mlops("deploy", "evil")
    assert refused.code != 0
    assert "model.pkl may run code when it is loaded" in refused.err or "evil.pkl may run code" in refused.err
    assert "models allow evil" in refused.err
    assert not foreign.exists(), "nothing of it ran"
    allowed = mlops("models", "allow", "evil:v1", "--reason", "a test of mine")
    assert (allowed.code, allowed.out) == (0, "evil:v1 may run code when it is loaded: a test of mine\n")
    assert mlops("deploy", "evil").code == 0
    assert foreign.exists()
    assert mlops("predict", "evil", "--data", "-", stdin="[[1], [2]]").code == 0
    assert mlops("services", "delete", "evil").code == 0


def test_it_is_allowed_where_it_is_deployed(foreign: Path, mlops: Command) -> None:
    """For that version alone, with a reason, which is recorded as if it had been allowed before."""
    assert mlops("deploy", "evil", "--allow-pickle", " ").code != 0
    assert not foreign.exists()
    done = mlops("deploy", "evil:v1", "--allow-pickle", "a test of mine")
    assert done.code == 0, done.err
    assert "evil:v1 may run code when it is loaded: a test of mine" in done.err
    [one] = json.loads(mlops("models", "--allowed", "--json").out)["allowed"]
    assert (one["model"], one["reason"]) == ("evil:v1", "a test of mine")
    assert mlops("services", "delete", "evil").code == 0
    foreign.unlink()
    source = foreign.parent / "evil.pkl"
    source.write_bytes(source.read_bytes() + b"more")
    assert mlops("models", "import", str(source), "evil").code == 0
    assert mlops("deploy", "evil:v2").code != 0, "another version was not allowed"
    assert not foreign.exists()


def test_what_is_allowed_is_listed_and_taken_back(foreign: Path, mlops: Command) -> None:
    assert "No version was allowed" in mlops("models", "--allowed").err
    mlops("models", "allow", "evil:v1", "--reason", "a test of mine")
    [one] = json.loads(mlops("models", "--allowed", "--json").out)["allowed"]
    assert (one["model"], one["reason"]) == ("evil:v1", "a test of mine")
    assert "a test of mine" in mlops("models", "--allowed").out
    assert json.loads(mlops("models", "allow", "evil:v1", "--remove", "--json").out)["allowed"] is False
    assert json.loads(mlops("models", "--allowed", "--json").out) == {"allowed": []}
    assert not foreign.exists()


WRONG = {
    "no reason": (("allow", "evil:v1"), "no reason", "--reason"),
    "no such version": (("allow", "evil:v9", "--reason", "x"), "v9", "v1"),
    "not allowed before": (("allow", "evil:v1", "--remove"), "was not allowed", "--allowed"),
    "too many words": (("allow", "evil:v1", "evil:v2", "--reason", "x"), "does not take", "allow NAME:TAG"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_words(case: str, foreign: Path, mlops: Command) -> None:
    words, said, fix = WRONG[case]
    found = mlops("models", *words)
    assert found.code == 2
    assert said in found.err
    assert fix in found.err
    assert not foreign.exists()
