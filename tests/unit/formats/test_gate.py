"""What a file may run is asked of its bytes, before anything reads it."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from typing import Any

import cloudpickle
import pytest

from jupyter_mlops.errors import NotAllowed
from jupyter_mlops.formats import table
from jupyter_mlops.formats.base import Runs
from jupyter_mlops.formats.gate import RULES, Rule, check


class Evil:
    """Leaves a mark where it is loaded."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return Path.touch, (self.mark,)


def harmless(path: Path) -> Path:
    path.write_bytes(pickle.dumps({"weights": [1.0, 2.0]}))
    return path


def by_value(path: Path) -> Path:
    def total(rows: list[float]) -> float:
        return sum(rows)

    total.__module__ = "__main__"
    path.write_bytes(cloudpickle.dumps(total))
    return path


def broken(path: Path) -> Path:
    path.write_bytes(pickle.dumps([1] * 100)[:-5])
    return path


FILES = {"harmless": harmless, "by value": by_value, "broken": broken}

LET_IN: dict[tuple[Runs, str], set[Rule]] = {
    ("pickle", "harmless"): {"listed", "any"},
    ("pickle", "by value"): {"any"},
    ("pickle", "broken"): {"any"},
    ("joblib", "harmless"): {"listed", "any"},
    ("torch", "by value"): {"any"},
    ("anything", "harmless"): {"any"},
    ("anything", "broken"): {"any"},
    ("nothing", "by value"): {"never", "listed", "any"},
    ("nothing", "broken"): {"never", "listed", "any"},
}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(("runs", "file"), LET_IN)
def test_what_is_let_in(runs: Runs, file: str, rule: Rule, tmp_path: Path) -> None:
    path = FILES[file](tmp_path / "model.bin")
    if rule in LET_IN[runs, file]:
        check(path, runs, rule)
        return
    with pytest.raises(NotAllowed) as caught:
        check(path, runs, rule, {"name": "churn"})
    assert caught.value.code == "pickle-refused"
    assert caught.value.message.startswith("model.bin may run code when it is loaded")
    assert caught.value.fix


def test_rules_let_in_what_stricter_ones_do() -> None:
    for case in LET_IN.values():
        places = [rule in case for rule in RULES]
        assert places == sorted(places), "never < listed < any"


@pytest.mark.parametrize("rule", ["never", "listed"])
@pytest.mark.parametrize(("name", "file"), [("python", "model.pkl"), ("sklearn", "model.joblib"), ("torch", "model.pt")])
def test_what_is_refused_has_run_nothing(name: str, file: str, rule: Rule, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    (tmp_path / file).write_bytes(pickle.dumps(Evil(mark)))
    card = {"format": name, "python": ".".join(map(str, sys.version_info[:3])), "name": "churn", "pickle": False}
    with pytest.raises(NotAllowed) as caught:
        table.read(tmp_path / file, card, rule)
    assert not mark.exists()
    assert caught.value.code == "pickle-refused"


def test_a_refusal_names_what_it_found_and_the_ways_out(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(Evil(tmp_path)))
    with pytest.raises(NotAllowed) as caught:
        check(path, "pickle", "listed", {"name": "churn"})
    assert "it names " in caught.value.message
    assert "touch" in caught.value.message
    assert "models allow churn:VERSION" in caught.value.fix
    assert "skops" in caught.value.fix
    with pytest.raises(NotAllowed, match="the setting pickles is never") as caught:
        check(path, "pickle", "never")
    assert "JUPYTER_MLOPS_PICKLES" in caught.value.fix
