"""``..`` in a step means what it means in a kernel, and what is made there is given back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jupyter_mlops.engine.local.surroundings import MOST, give_back_around, surround, view_path
from jupyter_mlops.testing.engine import wait

if TYPE_CHECKING:
    from tests.unit.engine.conftest import Lab


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """``people/ann/project/notebooks``, with data beside the last two."""
    home = tmp_path / "people" / "ann" / "project" / "notebooks"
    home.mkdir(parents=True)
    (home.parent / "data").mkdir()
    (home.parent / "data" / "train.csv").write_text("1,2\n")
    (home.parent / "helpers.py").write_text("answer = 42\n")
    (home.parent.parent / "shared.txt").write_text("shared")
    return home


@pytest.mark.parametrize(
    ("home", "expected"),
    [
        (None, "work"),
        ("/a/b/c/d/e", "work/c/d/e"),
        ("/a", "work/a"),
        ("/", "work"),
        ("/home/ann/Übung 1", "work/home/ann/Übung 1"),
    ],
)
def test_the_view_has_the_folders_own_names(home: str | None, expected: str) -> None:
    assert view_path(Path("work"), None if home is None else Path(home)) == Path(expected)


def test_what_is_around_is_found_by_the_same_paths(tree: Path, tmp_path: Path) -> None:
    work = tmp_path / "run" / "work"
    work.mkdir(parents=True)
    surround(work, tree)
    view = view_path(work, tree)
    assert view.is_dir()
    assert (view / ".." / "data" / "train.csv").resolve().read_text() == "1,2\n"
    assert (view.parent / "helpers.py").samefile(tree.parent / "helpers.py")
    assert (view.parent.parent / "shared.txt").read_text() == "shared"
    assert list(view.iterdir()) == []
    assert give_back_around(work, tree) == []


def test_a_new_file_on_a_level_around_is_given_back_and_nothing_is_overwritten(tree: Path, tmp_path: Path) -> None:
    work = tmp_path / "run" / "work"
    work.mkdir(parents=True)
    surround(work, tree)
    level = view_path(work, tree).parent
    (level / "results").mkdir()
    (level / "results" / "best.json").write_text("{}")
    (level / "late.txt").write_text("the run's")
    (tree.parent / "late.txt").write_text("the person's")
    said = give_back_around(work, tree)
    assert (tree.parent / "results" / "best.json").read_text() == "{}"
    assert (tree.parent / "late.txt").read_text() == "the person's"
    assert said == [
        f"late.txt was made in {tree.parent} while the run went on and is left as it is",
        f"wrote {tree.parent / 'results'}",
    ]


def test_a_level_that_is_too_full_stays_without_links(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST >= 1000
    monkeypatch.setattr("jupyter_mlops.engine.local.surroundings.MOST", 2)
    work = tmp_path / "run" / "work"
    work.mkdir(parents=True)
    surround(work, tree)
    assert {entry.name for entry in view_path(work, tree).parent.iterdir()} == {tree.name}
    assert (view_path(work, tree).parent.parent / "shared.txt").exists()


def test_a_step_reads_and_writes_beside_the_notebooks_folder(lab: Lab) -> None:
    (lab.project.parent / "beside").mkdir()
    (lab.project.parent / "beside" / "in.txt").write_text("in")
    source = (
        "print(os.path.basename(os.getcwd()), open('../beside/in.txt').read());"
        "open('../beside/out.txt', 'w').write('out'); open('../made.txt', 'w').write('made')"
    )
    run = wait(lab.engine, lab.submit(("a", source), notebook=True).name)
    assert run.phase == "Succeeded", lab.text(run)
    assert lab.text(run).splitlines()[0] == f"{lab.project.name} in"
    assert (lab.project.parent / "beside" / "out.txt").read_text() == "out"
    assert (lab.project.parent / "made.txt").read_text() == "made"
    lab.until(lambda: not (lab.folder(run).path / "work").exists())
    assert (lab.project.parent / "beside" / "in.txt").read_text() == "in", "removing the view follows no link"
