"""Compiled modules: taken where the source is the very same, else Python's own way; and out of the notebook's sight."""

from __future__ import annotations

import importlib
import linecache
import marshal
import subprocess
import sys
import traceback
import zlib
from collections.abc import Iterator, Mapping
from importlib.machinery import SourceFileLoader
from importlib.util import MAGIC_NUMBER, source_hash
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.runner import compiled
from tests.unit.runner.staging import Stage

SOURCE = "VALUE = 'source'\ndef fails():\n    raise ValueError\n"
GIVEN = SOURCE.replace("source", "table")
NAME = "imported_here"


def entry(source: str, gives: str) -> bytes:
    """What a table says of a source: that it means another one, so that a test sees which was run."""
    return source_hash(source.encode()) + marshal.dumps(compile(gives, "", "exec", dont_inherit=True), 2)


@pytest.fixture(autouse=True)
def own_imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A module in a folder of the path; imports as they were afterwards."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (tmp_path / f"{NAME}.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    if "get_data" in vars(SourceFileLoader):
        del SourceFileLoader.get_data
    sys.modules.pop(NAME, None)


def load() -> Any:
    sys.modules.pop(NAME, None)
    importlib.invalidate_caches()
    return importlib.import_module(NAME)


TABLES: Mapping[str, tuple[Mapping[str, bytes], str]] = {
    "the very same source": ({NAME: entry(SOURCE, GIVEN)}, "table"),
    "another source": ({NAME: entry(SOURCE + "\n", GIVEN)}, "source"),
    "another module": ({"other": entry(SOURCE, GIVEN)}, "source"),
    "an empty table": ({}, "source"),
}


@pytest.mark.parametrize("what", TABLES)
def test_code_is_taken_for_the_very_same_source(what: str) -> None:
    given, expected = TABLES[what]
    compiled.install(given)
    assert expected == load().VALUE


def test_code_of_the_table_leaves_no_file_and_has_its_own_name(tmp_path: Path) -> None:
    compiled.install({NAME: entry(SOURCE, GIVEN)})
    module = load()
    assert type(module.__spec__.loader) is SourceFileLoader
    assert not list(tmp_path.rglob("*.pyc"))
    try:
        module.fails()
    except ValueError as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        assert (frame.filename, frame.lineno) == (str(tmp_path / f"{NAME}.py"), 3)
        assert linecache.getline(frame.filename, 3).strip() == "raise ValueError"


def test_compiled_files_of_the_image_count_where_the_table_does_not_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    load()
    [kept] = tmp_path.rglob("*.pyc")
    data = kept.read_bytes()
    kept.write_bytes(data.replace(b"source", b"cached"))
    compiled.install({NAME: entry("another", GIVEN)})
    assert load().VALUE == "cached"


def test_while_the_notebook_runs_imports_are_pythons_own() -> None:
    compiled.install({NAME: entry(SOURCE, GIVEN)})

    def notebook() -> None:
        with compiled.aside():
            assert "get_data" not in vars(SourceFileLoader)
            assert load().VALUE == "source"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        notebook()
    assert load().VALUE == "table"


def test_without_a_table_nothing_is_put_aside() -> None:
    with compiled.aside():
        assert load().VALUE == "source"
    assert "get_data" not in vars(SourceFileLoader)


def bundle(folder: Path, table: Mapping[str, bytes]) -> Path:
    """An unpacked bundle with the module in it."""
    (folder / "lib" / "package").mkdir(parents=True)
    for name in (f"{NAME}.py", "package/__init__.py"):
        (folder / "lib" / name).write_text(SOURCE)
    (folder / compiled.FILE).write_bytes(zlib.compress(MAGIC_NUMBER + marshal.dumps(dict(table), 2)))
    return folder


FITS = entry(SOURCE, GIVEN)


def test_a_container_uses_a_bundle_and_writes_nothing(tmp_path: Path) -> None:
    compiled.use(bundle(tmp_path, {NAME: FITS}), shared=False)
    assert load().VALUE == "table"
    assert (tmp_path / compiled.FILE).exists()
    assert not list(tmp_path.rglob("*.pyc"))


def test_steps_that_share_a_bundle_find_compiled_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    folder = bundle(tmp_path, {NAME: FITS, "package": FITS, "package.gone": FITS, "IPython": FITS})
    compiled.use(folder, shared=True)
    assert load().VALUE == "table"
    del SourceFileLoader.get_data
    assert not (folder / compiled.FILE).exists(), "the next step has nothing to unpack"
    assert {path.name.partition(".")[0] for path in (folder / "lib").rglob("*.*.*")} == {NAME, "__init__"}
    (folder.parent / f"{NAME}.py").unlink(missing_ok=True)
    (folder / f"{NAME}.py").unlink()
    monkeypatch.syspath_prepend(str(folder / "lib"))
    compiled.use(folder, shared=True)
    assert "get_data" not in vars(SourceFileLoader)
    assert load().VALUE == "table", "Python takes its code from the file"


def test_code_of_another_source_is_not_laid_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    compiled.use(bundle(tmp_path, {NAME: entry("another", GIVEN)}), shared=True)
    assert not list((tmp_path / "lib").rglob("*.pyc"))


def test_who_wants_no_compiled_files_gets_none(tmp_path: Path) -> None:
    compiled.use(bundle(tmp_path, {NAME: FITS}), shared=True)
    assert load().VALUE == "table"
    assert not list(tmp_path.rglob("*.pyc"))


def test_code_of_another_python_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / compiled.FILE).write_bytes(zlib.compress(b"?" + MAGIC_NUMBER[1:] + b"nothing that marshal reads"))
    compiled.use(tmp_path, shared=True)
    assert load().VALUE == "source"
    assert "get_data" not in vars(SourceFileLoader)


def test_a_bundle_without_compiled_code_is_one_too(tmp_path: Path) -> None:
    compiled.use(tmp_path, shared=True)
    assert "get_data" not in vars(SourceFileLoader)


def test_a_folder_that_cannot_be_written_only_costs_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError

    folder = bundle(tmp_path, {NAME: FITS})
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(Path, "write_bytes", full)
    compiled.use(folder, shared=True)
    monkeypatch.undo()
    monkeypatch.syspath_prepend(str(tmp_path))
    assert load().VALUE == "table"


ASIDE = """
from importlib.machinery import SourceFileLoader
print("get_data" in vars(SourceFileLoader))
"""


def test_a_step_uses_it_and_its_notebook_does_not_see_it(tmp_path: Path) -> None:
    this = f"{sys.version_info.major}.{sys.version_info.minor}"
    stage = Stage(tmp_path, [ASIDE, ASIDE], python=this, env={"PYTHONDONTWRITEBYTECODE": ""})
    ran = stage.run()
    assert [one.code for one in ran] == [0, 0], ran[-1].stdout + ran[-1].stderr
    assert [one.stream(index) for index, one in enumerate(ran)] == ["False\n", "False\n"]
    [folder] = (tmp_path / "cache" / "bundles").iterdir()
    assert not (folder / compiled.FILE).exists(), "the first step has used it"
    kept = {path.name.partition(".")[0]: path.read_bytes()[4:8] for path in folder.rglob("*.pyc")}
    assert {kept[name] for name in ("main", "shell", "execute", "session")} == {bytes([1, 0, 0, 0])}, "no step compiled them"


def test_optimised_code_is_pythons_own(tmp_path: Path) -> None:
    bundle(tmp_path, {NAME: FITS})
    script = (
        "import sys; from pathlib import Path; from jupyter_mlops.runner import compiled\n"
        f"sys.path.insert(0, {str(tmp_path)!r}); compiled.use(Path({str(tmp_path)!r}), shared=False); import {NAME}; print({NAME}.VALUE)"
    )
    for option, expected in (("-O", "source"), ("-B", "table")):
        done = subprocess.run(
            [sys.executable, option, "-c", script], capture_output=True, text=True, cwd=Path(__file__).parents[3], check=True
        )
        assert done.stdout.strip() == expected
