"""What the guide to clusters lists is what there is: rights, settings, checks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from jupyter_mlops.diagnose.rights import role_manifest as step_role
from jupyter_mlops.targets.check import REACH, questions
from jupyter_mlops.targets.rights import RUN, SERVE, SETTINGS, Missing, rules
from jupyter_mlops.targets.values import KEYS

GUIDE = (Path(__file__).parents[3] / "docs" / "clusters.md").read_text(encoding="utf-8")


def test_the_role_of_people_is_the_list_of_rights() -> None:
    wanted = rules(Missing(right, right.verbs) for right in (*RUN, *SERVE, *SETTINGS))
    role = GUIDE.partition("name: jupyter-mlops-user, namespace: team}\nrules:\n")[2].partition("---")[0]
    assert [line.removeprefix("- ") for line in role.splitlines()] == wanted


def test_the_role_of_steps_is_the_one_that_is_offered() -> None:
    assert step_role("team") in GUIDE


def test_every_setting_has_its_row() -> None:
    table = GUIDE.partition("## Who says what")[2].partition("The first that says")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == list(KEYS)


def test_every_check_has_its_row() -> None:
    ids = re.findall(r"^\| `(T[A-Z]\d\d)` \|", GUIDE, re.MULTILINE)
    assert ids == [REACH[0], *(question.id for question in questions())]


@pytest.mark.parametrize("word", ["password=…", "localhost:8080"])
def test_nothing_in_it_cannot_be_typed(word: str) -> None:
    assert word not in GUIDE
