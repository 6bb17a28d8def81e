"""The error tree: what every error carries, and that what the docstring draws is what there is."""

from __future__ import annotations

import inspect
import pickle
import re

import pytest

from jupyter_mlops import errors
from jupyter_mlops.errors import Diagnostic, MlopsError, Refused, Where

TREE = [c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, MlopsError)]


@pytest.mark.parametrize("kind", TREE, ids=lambda kind: kind.__name__)
def test_each_error_says_code_blame_status_and_exit(kind: type[MlopsError]) -> None:
    error = kind("it broke", fix="mend it", where=Where("a.ipynb", 3, 2))
    said = error.to_dict()
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", said["code"])
    assert said["blame"] in {"user", "platform", "us"}
    assert (said["message"], said["fix"], said["cell"], said["line"]) == ("it broke", "mend it", 3, 2)
    assert 400 <= error.status < 600
    assert error.exit_code in {1, 2}
    assert str(error) == "it broke (a.ipynb, cell 3, line 2)"


@pytest.mark.parametrize("kind", TREE, ids=lambda kind: kind.__name__)
def test_the_docstring_draws_the_whole_tree(kind: type[MlopsError]) -> None:
    assert errors.__doc__
    line = next((row for row in errors.__doc__.splitlines() if re.search(rf"\b{kind.__name__}\b", row)), "")
    assert line, f"{kind.__name__} is not drawn"
    if status := re.search(r"HTTP (\d+)", line):
        assert int(status[1]) == kind.status
    if code := re.search(r"exit (\d)", line):
        assert int(code[1]) == kind.exit_code


def test_codes_of_a_class_differ() -> None:
    codes = [kind.default_code for kind in TREE]
    assert len(set(codes)) == len(codes)


def test_a_refusal_carries_every_diagnostic() -> None:
    found = (Diagnostic("syntax-error", "error", "no", 1, 4, "fix it"), Diagnostic("history", "warning", "hm", 2, 1))
    said = Refused("2 problems", diagnostics=found).to_dict()
    assert [(d["code"], d["severity"], d["cell"], d["line"]) for d in said["diagnostics"]] == [
        ("syntax-error", "error", 1, 4),
        ("history", "warning", 2, 1),
    ]


def test_an_own_code_wins_and_survives_a_process_border() -> None:
    error = pickle.loads(pickle.dumps(errors.NotFound("no kernel", code="kernel-not-found", fix="install it")))
    assert (error.code, error.message, error.fix) == ("kernel-not-found", "no kernel", "install it")


@pytest.mark.parametrize(
    ("where", "text"),
    [(Where(), ""), (Where(cell=0), "cell 0"), (Where("n.ipynb", 1, 9, "gpu"), "n.ipynb, cell 1, line 9, gpu")],
)
def test_a_place_reads_as_people_say_it(where: Where, text: str) -> None:
    assert str(where) == text
