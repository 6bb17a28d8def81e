"""What may run code: settings, where a version comes from, what its person allowed."""

from __future__ import annotations

import itertools
import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from jupyter_mlops.errors import Corrupt, NotFound, StorageFull, WrongUsage
from jupyter_mlops.formats.gate import RULES, SETTINGS, Origin, Rule, rule_for
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.oci.made import note_made, was_made
from jupyter_mlops.registry.allowances import Allowances
from jupyter_mlops.registry.policy import rule_elsewhere, rule_of
from jupyter_mlops.settings import PICKLES, default_pickles

ONE, OTHER = (f"sha256:{letter * 64}" for letter in "ab")

TABLE: dict[tuple[str, bool, bool], Rule] = {
    # setting, made here, allowed
    ("never", True, True): "never",
    ("listed", False, False): "listed",
    ("listed", True, False): "listed",
    ("listed", False, True): "any",
    ("own", False, False): "listed",
    ("own", True, False): "any",
    ("own", False, True): "any",
    ("any", False, False): "any",
    ("nonsense", True, True): "never",
}


@pytest.mark.parametrize("case", TABLE, ids=str)
def test_the_rule(case: tuple[str, bool, bool]) -> None:
    setting, own, allowed = case
    assert rule_for(setting, Origin(own, allowed)) == TABLE[case]


def test_settings_and_the_gate_know_the_same_words() -> None:
    assert PICKLES == SETTINGS


def test_no_setting_lets_in_less_than_a_stricter_one() -> None:
    for own, allowed in itertools.product((False, True), repeat=2):
        found = [RULES.index(rule_for(setting, Origin(own, allowed))) for setting in PICKLES]
        assert found == sorted(found)


@pytest.mark.parametrize("text", ["never", "listed", "own", "any"])
def test_the_setting_comes_from_the_environment(text: str) -> None:
    assert default_pickles({"JUPYTER_MLOPS_PICKLES": text}) == text
    assert default_pickles({}) == "own"


def test_a_wrong_setting_is_said() -> None:
    with pytest.raises(WrongUsage, match="JUPYTER_MLOPS_PICKLES is 'maybe'") as caught:
        default_pickles({"JUPYTER_MLOPS_PICKLES": "maybe"})
    assert "never, listed, own, any" in caught.value.fix


def test_what_was_made_here_is_known_of_the_folder_alone(tmp_path: Path) -> None:
    here, other = Layout(tmp_path / "here"), Layout(tmp_path / "other")
    note_made(here, ONE)
    note_made(here, ONE)
    assert (was_made(here, ONE), was_made(here, OTHER), was_made(other, ONE)) == (True, False, False)
    assert rule_of("own", tmp_path / "home", here, ONE) == "any"
    assert rule_of("own", tmp_path / "home", other, ONE) == "listed"
    [note] = (tmp_path / "here" / "_made").iterdir()
    assert stat.S_IMODE(note.stat().st_mode) == 0o600
    assert list(here.repositories()) == [], "it is no repository"


def _leave(note: Path) -> None:
    """As it was made."""


def _open_folder(note: Path) -> None:
    note.parent.chmod(0o770)


def _another_file(note: Path) -> None:
    note.write_text("a blob has a name like this")


def _link(note: Path) -> None:
    note.rename(note.with_name("away"))
    note.symlink_to(note.with_name("away"))


def _linked_folder(note: Path) -> None:
    away = note.parent.rename(note.parent.with_name("away"))
    note.parent.symlink_to(away)


def _anybodys_file(note: Path) -> None:
    os.chown(note, 12345, -1)


def _anybodys_folder(note: Path) -> None:
    os.chown(note.parent, 12345, -1)


def _gone(note: Path) -> None:
    note.unlink()


NOTES = (_leave, _open_folder, _another_file, _link, _linked_folder, _gone)
AS_ROOT = (_anybodys_file, _anybodys_folder)


@pytest.mark.parametrize("change", NOTES + (AS_ROOT if os.geteuid() == 0 else ()))
def test_a_note_that_somebody_else_can_have_left_says_nothing(tmp_path: Path, change: Callable[[Path], None]) -> None:
    here = Layout(tmp_path / "here")
    note_made(here, ONE)
    [note] = (tmp_path / "here" / "_made").iterdir()
    change(note)
    assert was_made(here, ONE) is (change is _leave)
    assert rule_of("own", tmp_path / "home", here, ONE) == ("any" if change is _leave else "listed")


def test_what_is_allowed_is_kept_by_digest(tmp_path: Path) -> None:
    known = Allowances(tmp_path / "home")
    assert known.list() == []
    made = known.add(ONE, "churn:v3", " looked at it ")
    assert (made.reason, made.digest, made.model) == ("looked at it", ONE, "churn:v3")
    assert made.who
    assert Allowances(tmp_path / "home").list() == [made]
    assert (known.has(ONE), known.has(OTHER)) == (True, False)
    assert rule_of("listed", tmp_path / "home", Layout(tmp_path / "r"), ONE) == "any"
    assert rule_of("never", tmp_path / "home", Layout(tmp_path / "r"), ONE) == "never"
    path = tmp_path / "home" / "allowed.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    known.add(ONE, "churn:v3", "again")
    assert [one.reason for one in known.list()] == ["again"]
    known.revoke(ONE)
    assert known.list() == []
    with pytest.raises(NotFound, match="was not allowed"):
        known.revoke(ONE)


def test_a_reason_is_needed(tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match="no reason"):
        Allowances(tmp_path).add(ONE, "churn:v3", "  ")
    assert not (tmp_path / "allowed.json").exists()


@pytest.mark.parametrize("text", ["", "7", "[1]", "[[]]", '[{"digest": 1}]', "\x00"])
def test_a_list_that_is_damaged_allows_nothing_and_is_said(text: str, tmp_path: Path) -> None:
    (tmp_path / "allowed.json").write_text(text)
    with pytest.raises(Corrupt, match=r"allowed\.json cannot be read"):
        rule_of("own", tmp_path, Layout(tmp_path / "r"), ONE)
    assert rule_of("never", tmp_path, Layout(tmp_path / "r"), ONE) == "never", "what needs no list reads none"


def test_a_home_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    with pytest.raises(StorageFull):
        Allowances(tmp_path / "home").add(ONE, "churn:v3", "why")


ADD = """
import sys
from collections.abc import Callable
from pathlib import Path
from jupyter_mlops.registry.allowances import Allowances
for number in range(8):
    Allowances(Path(sys.argv[1])).add(f"sha256:{int(sys.argv[2]) * 8 + number:064x}", "m:v1", "why")
"""


def test_writers_beside_each_other_lose_nothing(tmp_path: Path) -> None:
    running = [subprocess.Popen([sys.executable, "-c", ADD, str(tmp_path), str(number)]) for number in range(3)]
    assert [one.wait(60) for one in running] == [0, 0, 0]
    assert len(json.loads((tmp_path / "allowed.json").read_text())) == 24


def test_on_a_cluster_what_came_from_here_is_judged_as_here(tmp_path: Path) -> None:
    here = Layout(tmp_path / "here")
    config = here.put_blob("models/m", b"{}", "application/json")
    document = {
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": config.media_type, "digest": config.digest, "size": config.size}, "layers": [],
    }  # fmt: skip
    digest = here.put_manifest("models/m", document).descriptor.digest
    home, mine, theirs = tmp_path / "home", f"models/m@{digest}", f"models/m@{ONE}"
    assert rule_elsewhere("own", home, here, theirs) == "any"
    assert rule_elsewhere("listed", home, here, theirs) == "listed"
    assert rule_elsewhere("own", home, here, mine) == "listed", "it was imported here"
    note_made(here, digest)
    assert rule_elsewhere("own", home, here, mine) == "any"
    here.blob_path("models/m", digest).write_bytes(b"damaged")
    with pytest.raises(Corrupt):  # it is here, and nothing can be told of it
        rule_elsewhere("own", home, Layout(tmp_path / "here"), mine)
