"""The private view of a notebook's folder, and what is given back of it."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.engine.local.publish import publish
from jupyter_mlops.engine.local.workspace import check_count, copy, scan, too_big
from jupyter_mlops.errors import Refused
from jupyter_mlops.settings import Workspace
from jupyter_mlops.testing.engine import wait

if TYPE_CHECKING:
    from tests.unit.engine.conftest import Lab

IGNORE = Workspace().ignore
ADD = "open('new.txt', 'w').write('new')"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "data" / "deep").mkdir(parents=True)
    (folder / "empty").mkdir()
    (folder / "nb.ipynb").write_text("{}")
    (folder / "data" / "a.csv").write_text("1,2\n")
    (folder / "data" / "deep" / "b.bin").write_bytes(bytes(range(256)))
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o755)
    for junk in (".git/config", ".venv/lib/x.py", "node_modules/m.js", "data/__pycache__/x.pyc", "x.pyc"):
        (folder / junk).parent.mkdir(parents=True, exist_ok=True)
        (folder / junk).write_text("junk")
    return folder


def paths(folder: Path) -> set[str]:
    return {entry.path for entry in scan(folder, ())}


def view(project: Path, tmp_path: Path) -> Path:
    work = tmp_path / "work"
    work.mkdir()
    return work


def test_a_view_holds_the_folder_without_what_is_ignored(project: Path, tmp_path: Path) -> None:
    work = view(project, tmp_path)
    taken, _ = copy(project, work, IGNORE)
    assert paths(work) == {"nb.ipynb", "data", "data/a.csv", "data/deep", "data/deep/b.bin", "empty", "run.sh"} == set(taken)
    assert (work / "data/deep/b.bin").read_bytes() == bytes(range(256))
    assert os.access(work / "run.sh", os.X_OK)
    assert (work / "data/a.csv").stat().st_mtime_ns == (project / "data/a.csv").stat().st_mtime_ns


def test_writing_in_the_view_changes_nothing_outside(project: Path, tmp_path: Path) -> None:
    work = view(project, tmp_path)
    copy(project, work, IGNORE)
    with (work / "data/a.csv").open("r+") as file:
        file.write("9")
    assert (project / "data/a.csv").read_text() == "1,2\n"


def test_links_stay_inside_or_point_where_they_did(project: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("far")
    (project / "relative").symlink_to("data/a.csv")
    (project / "absolute").symlink_to(project / "data" / "a.csv")
    (project / "data" / "up").symlink_to("../nb.ipynb")
    (project / "far").symlink_to(outside)
    (project / "relative-far").symlink_to("../outside.txt")
    (project / "dangling").symlink_to("nowhere")
    (project / "loop").symlink_to("loop")
    work = view(project, tmp_path)
    copy(project, work, IGNORE)
    assert (work / "relative").resolve() == (work / "data/a.csv").resolve()
    assert (work / "absolute").resolve() == (work / "data/a.csv").resolve()
    assert (work / "data/up").resolve() == (work / "nb.ipynb").resolve()
    assert (work / "far").read_text() == (work / "relative-far").read_text() == "far"
    assert (work / "dangling").is_symlink()
    assert not (work / "dangling").exists()
    assert (work / "loop").is_symlink()


def test_sockets_pipes_and_what_cannot_be_read_are_left_out(project: Path, tmp_path: Path) -> None:
    os.mkfifo(project / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(project / "sock"))
        (project / "closed").write_text("x")
        (project / "closed").chmod(0)
        work = view(project, tmp_path)
        copy(project, work, IGNORE)
    assert not {"pipe", "sock"} & paths(work)
    assert ("closed" in paths(work)) == (os.geteuid() == 0)


def test_the_products_own_folder_is_not_copied_into_itself(project: Path) -> None:
    home = project / "state"
    (home / "runs" / "x" / "work").mkdir(parents=True)
    (home / "big").write_text("x")
    copy(project, home / "runs" / "x" / "work", IGNORE, leave=home)
    assert not any(path.startswith("state") for path in paths(home / "runs" / "x" / "work"))


BIG = {"data/big.bin": 900, "data/bigger.bin": 2000}


def with_big_files(project: Path) -> Path:
    for name, size in BIG.items():
        (project / name).write_bytes(b"x" * size)
    return project


@pytest.mark.parametrize(("limit", "left_out"), [(5000, set()), (2000, {"data/bigger.bin"}), (1000, set(BIG)), (0, None)])
def test_the_biggest_files_are_left_out_until_the_rest_fits(project: Path, limit: int, left_out: set[str] | None) -> None:
    entries = list(scan(with_big_files(project), IGNORE))
    expected = left_out if left_out is not None else {e.path for e in entries if e.kind == "file" and e.stamp[0]}
    assert too_big(entries, limit) == expected


@pytest.mark.parametrize("other_device", [False, True])
def test_a_big_file_is_shared_and_still_only_changed_where_the_run_changed_it(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other_device: bool
) -> None:
    if other_device:
        monkeypatch.setattr("os.link", _no_link)
    work = view(with_big_files(project), tmp_path)
    taken, shared = copy(project, work, IGNORE, limit=1000)
    assert shared == set(BIG)
    assert (work / "data/big.bin").samefile(project / "data/big.bin")
    assert not (work / "data/a.csv").samefile(project / "data/a.csv")
    assert give_back(project, work, taken).lines() == []
    (work / "data/big.bin").unlink()
    (work / "data/big.bin").write_text("replaced")
    (work / "data/bigger.bin").unlink()
    result = give_back(project, work, taken)
    assert (project / "data/big.bin").read_text() == "replaced"
    assert (result.written, result.removed, result.kept) == (["data/big.bin"], ["data/bigger.bin"], [])
    assert not (project / "data/bigger.bin").exists(), "what a step removes is removed, as it would be in Jupyter"


def _no_link(*_: object) -> None:
    raise OSError(errno.EXDEV, "Invalid cross-device link")


def test_too_many_files_are_refused_with_the_fullest_folders(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jupyter_mlops.engine.local.workspace._MOST", 3)
    with pytest.raises(Refused, match=r"more than 3 files.*in data") as caught:
        check_count(project, IGNORE)
    assert caught.value.code == "folder-too-big"
    assert caught.value.fix


# -- giving back -----------------------------------------------------------------------------------------------------------


def give_back(project: Path, work: Path, taken: dict) -> object:
    return publish(work, project, taken, IGNORE, run="r-1", notebook="nb.ipynb")


def test_new_changed_and_deleted_files_are_given_back(project: Path, tmp_path: Path) -> None:
    work = view(project, tmp_path)
    taken, _ = copy(project, work, IGNORE)
    (work / "new" / "er").mkdir(parents=True)
    (work / "new" / "er" / "x.txt").write_text("x")
    (work / "made-empty").mkdir()
    (work / "data" / "a.csv").write_text("changed")
    (work / "data" / "deep" / "b.bin").unlink()
    (work / "run.sh").unlink()
    (work / "cached.pyc").write_text("never")
    (work / "link").symlink_to("data/a.csv")
    result = give_back(project, work, taken)
    assert (project / "new/er/x.txt").read_text() == "x"
    assert (project / "made-empty").is_dir()
    assert (project / "data/a.csv").read_text() == "changed"
    assert not (project / "data/deep/b.bin").exists()
    assert not (project / "run.sh").exists()
    assert not (project / "cached.pyc").exists()
    assert (project / "link").readlink() == Path("data/a.csv")
    assert sorted(result.written) == ["data/a.csv", "link", "new/er/x.txt"]
    assert sorted(result.removed) == ["data/deep/b.bin", "run.sh"]
    assert result.kept == []
    assert not list(project.glob(".jupyter-mlops-*"))


def test_nothing_is_done_where_nothing_has_changed(project: Path, tmp_path: Path) -> None:
    work = view(project, tmp_path)
    before = {p: p.lstat() for p in project.rglob("*")}
    result = give_back(project, work, copy(project, work, IGNORE)[0])
    assert result.lines() == []
    assert {p: p.lstat().st_mtime_ns for p in project.rglob("*")} == {p: s.st_mtime_ns for p, s in before.items()}


def test_the_notebook_is_never_touched(project: Path, tmp_path: Path) -> None:
    work = view(project, tmp_path)
    taken, _ = copy(project, work, IGNORE)
    (work / "nb.ipynb").write_text("overwritten by a cell")
    give_back(project, work, taken)
    (work / "nb.ipynb").unlink()
    give_back(project, work, taken)
    assert (project / "nb.ipynb").read_text() == "{}"


def test_a_file_that_a_person_changed_meanwhile_is_kept_and_the_runs_put_beside_it(project: Path, tmp_path: Path) -> None:
    work = view(project, tmp_path)
    taken, _ = copy(project, work, IGNORE)
    (work / "data/a.csv").write_text("the run's")
    (project / "data/a.csv").write_text("mine, newer")
    (work / "both.txt").write_text("the run's")
    (project / "both.txt").write_text("mine")
    (work / "run.sh").write_text("the run's")
    (project / "run.sh").unlink()
    (work / "data/deep/b.bin").unlink()
    (project / "data/deep/b.bin").write_text("mine")
    result = give_back(project, work, taken)
    assert (project / "data/a.csv").read_text() == "mine, newer"
    assert (project / "data/a.csv.from-run-r-1").read_text() == "the run's"
    assert (project / "both.txt").read_text() == "mine"
    assert (project / "both.txt.from-run-r-1").read_text() == "the run's"
    assert not (project / "run.sh").exists()
    assert (project / "run.sh.from-run-r-1").read_text() == "the run's"
    assert (project / "data/deep/b.bin").read_text() == "mine"
    assert sorted(line.split()[0] for line in result.kept) == ["both.txt", "data/a.csv", "run.sh", "the"]
    assert result.written == []


def test_the_same_change_on_both_sides_is_no_conflict(project: Path, tmp_path: Path) -> None:
    work = view(project, tmp_path)
    taken, _ = copy(project, work, IGNORE)
    for folder in (project, work):
        (folder / "data/a.csv").write_text("same")
        (folder / "new.txt").write_text("same")
    assert give_back(project, work, taken).lines() == []


def test_a_file_that_cannot_be_written_is_said_and_the_others_are_given_back(project: Path, tmp_path: Path) -> None:
    work = view(project, tmp_path)
    taken, _ = copy(project, work, IGNORE)
    (work / "sub").mkdir()
    (work / "sub" / "x.txt").write_text("x")
    (project / "sub").write_text("a file where the run has a folder")
    (work / "z.txt").write_text("z")
    result = give_back(project, work, taken)
    assert (project / "z.txt").read_text() == "z"
    assert any("sub" in line for line in result.kept)
    assert (project / "sub").read_text() == "a file where the run has a folder"


@given(
    st.dictionaries(st.sampled_from("abcd"), st.sampled_from(["", "1", "22"]), max_size=4),
    st.dictionaries(st.sampled_from("abcd"), st.sampled_from(["", "1", "22", "333"]), max_size=4),
)
def test_without_interference_the_folder_becomes_the_view(
    tmp_path_factory: pytest.TempPathFactory, before: dict, after: dict
) -> None:
    root = tmp_path_factory.mktemp("law")
    project, work = root / "p", root / "w"
    project.mkdir()
    work.mkdir()
    for name, text in before.items():
        (project / name).write_text(text)
    taken, _ = copy(project, work, IGNORE)
    for name in before:
        (work / name).unlink()
    for name, text in after.items():
        (work / name).write_text(text)
    result = publish(work, project, taken, IGNORE, run="r", notebook="nb.ipynb")
    assert {path.name: path.read_text() for path in project.iterdir()} == after
    assert result.kept == []


# -- in a run --------------------------------------------------------------------------------------------------------------


def test_a_run_works_beside_the_notebook_and_publishes_when_it_succeeds(lab: Lab) -> None:
    (lab.project / "in.txt").write_text("data")
    run = lab.run(
        ("a", "assert open('in.txt').read() == 'data'; " + ADD),
        ("b", "assert open('new.txt').read() == 'new'; os.remove('in.txt')"),
        notebook=True,
    )
    assert run.phase == "Succeeded"
    assert sorted(path.name for path in lab.project.iterdir()) == ["nb.ipynb", "new.txt"]
    assert "wrote in the notebook's folder: new.txt" in lab.text(run)
    assert "removed in the notebook's folder: in.txt" in lab.text(run)


@pytest.mark.parametrize("end", ["sys.exit(1)", "os.kill(os.getpid(), 9)"])
def test_a_run_that_fails_leaves_the_folder_as_it_was(lab: Lab, end: str) -> None:
    run = lab.run(("a", f"{ADD}; open('nb.ipynb', 'w').write('x'); {end}"), notebook=True)
    assert run.phase == "Failed"
    assert [path.name for path in lab.project.iterdir()] == ["nb.ipynb"]


@pytest.mark.slow
def test_what_a_person_should_know_is_in_the_runs_message(lab: Lab) -> None:
    run = lab.submit(("a", ADD + "; print('ready', flush=True); time.sleep(0.5)"), notebook=True)
    assert next(lab.engine.logs(run.name, follow=True)).text == "ready"
    (lab.project / "new.txt").write_text("mine")
    run = wait(lab.engine, run.name)
    assert run.phase == "Succeeded"
    assert f"new.txt.from-run-{run.name}" in run.workflow["status"]["message"]
    assert (lab.project / "new.txt").read_text() == "mine"


def test_a_notebook_beside_more_than_a_run_copies_runs_at_once(lab: Lab) -> None:
    with (lab.project / "huge.bin").open("wb") as file:
        file.truncate(2 << 30)  # sparse: two gigabytes that take no room
    run = wait(lab.engine, lab.submit(("a", "print(os.path.getsize('huge.bin'))"), notebook=True).name)
    assert run.phase == "Succeeded"
    assert lab.text(run).splitlines() == [
        "jupyter-mlops: too big to copy, so the run shares the notebook's own huge.bin",
        str(2 << 30),
    ]
    assert (lab.project / "huge.bin").stat().st_size == 2 << 30


@pytest.mark.slow
def test_two_runs_of_one_folder_do_not_meet(lab: Lab) -> None:
    source = "assert not os.path.exists('mark'); open('mark', 'w').close(); time.sleep(0.5); os.remove('mark')"
    runs = [lab.submit(("a", source), notebook=True) for _ in range(2)]
    assert [wait(lab.engine, run.name).phase for run in runs] == ["Succeeded", "Succeeded"]
