"""Names that code asks for, files that changed, libraries that come late."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from jupyter_mlops.errors import NotStorable
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.session import files
from jupyter_mlops.session.afterimport import AfterImport, is_loaded
from jupyter_mlops.session.lost import Placeholder
from jupyter_mlops.session.mentions import mentions_of
from jupyter_mlops.session.state import FileEntry, Lost

LOADS = {
    "y = x": ("x", "", "y"),
    "x = 1": ("", "", "x"),
    "x += 1": ("x", "", "x"),
    "del x": ("", "x", ""),
    "a.b.c(d)": ("a d", "", ""),
    "def f(p, q=r): return p + g": ("g r", "", "f"),
    "class C(B):\n    v = w\n    def m(self): return self.z + u": ("B __name__ u w", "", "C"),
    "[i for i in xs if i > k]": ("k xs", "", ""),
    "lambda: later": ("later", "", ""),
    "def f():\n    global n\n    n = 1": ("", "", "f n"),
    "def f():\n    global n\n    del n": ("", "n", "f"),
    "import numpy as np\nfrom os.path import join": ("", "", "join np"),
    "f'{a!r:>{w}}'": ("a w", "", ""),
    "with o as h:\n    pass": ("o", "", "h"),
    "for i in r: pass": ("r", "", "i"),
    "try:\n    a\nexcept E as e:\n    b": ("E a b", "e", "e"),
    "def f():\n    def g(): return deep\n    return g": ("deep", "", "f"),
    "df.query('size > @least')": ("df least", "", ""),
    "q = 'size > @least'": ("least", "", "q"),
    "fit('y ~ np.log(x)', ('a ~ b', 1))": ("a b fit log np x y", "", ""),
    "mail = 'me@host', '~/data/a.csv', 'about 3 ~'": ("", "", "mail"),
    "ne.evaluate('a + b')": ("a b ne", "", ""),
    "duckdb.sql('select a from df d, other')": ("d df duckdb other", "", ""),
    "duckdb.sql('FROM df')": ("df duckdb", "", ""),
    "q = '-- all\\nSELECT * FROM df LEFT JOIN other USING (a)'": ("df other", "", "q"),
    "q = 'with t as (select 1 from df) select * from t'": ("df t", "", "q"),
    "print('From least to other; select other')": ("print", "", ""),
    "pl.sql(f'select {a} from df')": ("a df pl", "", ""),
    "x: T = v": ("T __annotations__ v", "", "x"),
}


@pytest.mark.parametrize("source", LOADS)
def test_mentions(source: str) -> None:
    found = mentions_of(compile(source, "<cell>", "exec", dont_inherit=True))
    loads, deletes, stores = (set(text.split()) for text in LOADS[source])
    optional = {"__name__", "__annotations__"}  # what class bodies and annotations read of the namespace differs by version
    assert found.loads - optional == loads - optional
    assert found.deletes == deletes
    assert found.stores - {"__module__", "__qualname__", "v", "m"} - optional == stores


def test_many_names_need_long_arguments() -> None:
    source = "\n".join(f"n{number}" for number in range(700))
    assert mentions_of(compile(source, "<cell>", "exec")).loads == {f"n{number}" for number in range(700)}


def test_imports_are_known() -> None:
    code = compile("import a.b\ndef f():\n    from c.d import e", "<cell>", "exec")
    assert mentions_of(code).modules == {"a.b", "c.d"}


@pytest.mark.parametrize(
    "use", ["p.x", "p()", "p[0]", "len(p)", "list(p)", "str(p)", "p + 1", "bool(p)", "repr(p)", "p.x = 1", "next(p)", "p < 1"]
)
def test_a_placeholder_says_what_it_stands_for(use: str) -> None:
    space = {"p": Placeholder("g", Lost("generator", "why", 3))}
    with pytest.raises(NotStorable, match="g, made in cell 3, is a generator"):
        exec(use, space)


def test_files_new_changed_and_removed(tmp_path: Path) -> None:
    store, root = Layout(tmp_path / "registry"), tmp_path / "work"
    root.mkdir()
    for name in ("same", "changed", "gone"):
        (root / name).write_text(name)
    (root / "__pycache__").mkdir()
    before = files.look(root, [root / "ours"])
    (root / "changed").write_text("other")
    (root / "gone").unlink()
    (root / "deep").mkdir()
    (root / "deep" / "new").write_text("n")
    (root / "deep" / "new").chmod(0o755)
    (root / "empty" / "in").mkdir(parents=True)
    (root / "__pycache__" / "x.pyc").write_text("x")
    (root / "ours").mkdir()
    (root / "ours" / "state").write_text("x")
    (root / "link").symlink_to("same")
    found, removed = files.changes(root, before, files.look(root, [root / "ours"]), {}, ("older",), store, "runs/x")
    assert set(found) == {"changed", "deep/new", "empty/in", "link"}
    assert removed == ("gone", "older")

    other = tmp_path / "other"
    other.mkdir()
    for name in ("same", "gone", "older"):
        (other / name).write_text(name)
    files.restore(other, found, removed, store, "runs/x")
    assert sorted(path.relative_to(other).as_posix() for path in other.rglob("*")) == [
        "changed",
        "deep",
        "deep/new",
        "empty",
        "empty/in",
        "link",
        "same",
    ]
    assert str((other / "link").readlink()) == "same"
    assert (other / "changed").read_text() == "other"
    assert os.access(other / "deep" / "new", os.X_OK)
    stamp = (other / "changed").stat().st_mtime_ns
    files.restore(other, found, removed, store, "runs/x")
    assert (other / "changed").stat().st_mtime_ns == stamp, "a file that is there was written again"

    again = files.look(other)
    kept, still = files.changes(other, again, files.look(other), found, removed, store, "runs/x")
    assert kept == found
    assert still == removed


def test_links_and_modes_are_what_they_were(tmp_path: Path) -> None:
    store, root, other = Layout(tmp_path / "registry"), tmp_path / "work", tmp_path / "other"
    for folder in (root, other):
        (folder / "data").mkdir(parents=True)
        (folder / "data" / "x").write_text("x")
        (folder / "script").write_text("s")
        (folder / "old").symlink_to("data")
    before = files.look(root)
    (root / "latest").symlink_to("data")
    (root / "dangling").symlink_to("nowhere")
    (root / "old").unlink()
    (root / "script").chmod(0o700)
    found, removed = files.changes(root, before, files.look(root), {}, (), store, "runs/x")
    assert (set(found), removed) == ({"latest", "dangling", "script"}, ("old",))
    files.restore(other, found, removed, store, "runs/x")
    files.restore(other, found, removed, store, "runs/x")
    assert (other / "latest" / "x").read_text() == "x"
    assert str((other / "dangling").readlink()) == "nowhere"
    assert not (other / "old").is_symlink()
    assert (other / "data" / "x").exists()
    assert (other / "script").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("name", ["../out", "/etc/x", "a/../../x", ""])
def test_files_stay_inside(name: str, tmp_path: Path) -> None:
    with pytest.raises(NotStorable):
        files.restore(tmp_path, {name: FileEntry("sha256:" + "0" * 64, 1, 33188)}, (), Layout(tmp_path / "r"), "runs/x")


def test_too_many_bytes_are_refused_by_name(tmp_path: Path) -> None:
    before = files.look(tmp_path)
    (tmp_path / "big.bin").write_bytes(b"x" * 100)
    with pytest.raises(NotStorable, match=r"100 bytes, more than 10 bytes; the biggest: big\.bin \(100 bytes\)") as caught:
        files.changes(tmp_path, before, files.look(tmp_path), {}, (), Layout(tmp_path / "r"), "runs/x", 10)
    assert caught.value.code == "files-too-large"
    assert "file_limit" in caught.value.fix


@pytest.mark.parametrize(
    ("size", "said"),
    [(1, "1 bytes"), (1023, "1023 bytes"), (2048, "2 KiB"), (5 << 20, "5 MiB"), (4 << 30, "4 GiB"), (1 << 41, "2048 GiB")],
)
def test_sizes_are_said_in_the_unit_that_fits(size: int, said: str) -> None:
    assert files._said(size) == said


@pytest.mark.parametrize(
    ("ignore", "left"),
    [
        ((), {"a.ckpt", "data/raw/x.csv", "data/raw/deep/y.csv", "data/x.csv", "models/a.ckpt"}),
        (("*.ckpt",), {"data/raw/x.csv", "data/raw/deep/y.csv", "data/x.csv"}),
        (("data/raw",), {"a.ckpt", "data/x.csv", "models/a.ckpt"}),
        (("data/raw/*",), {"a.ckpt", "data/x.csv", "models/a.ckpt"}),
        (("models/*.ckpt",), {"a.ckpt", "data/raw/x.csv", "data/raw/deep/y.csv", "data/x.csv"}),
        (("data", "models"), {"a.ckpt"}),
        (("raw/x.csv",), {"a.ckpt", "data/raw/x.csv", "data/raw/deep/y.csv", "data/x.csv", "models/a.ckpt"}),
    ],
)
def test_patterns_of_the_notebook_leave_files_behind(tmp_path: Path, ignore: tuple[str, ...], left: set[str]) -> None:
    for name in ("a.ckpt", "data/raw/x.csv", "data/raw/deep/y.csv", "data/x.csv", "models/a.ckpt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    found = set(files.look(tmp_path, (), files.Rules(ignore=ignore)).stamps)
    assert {name for name in found if "." in name} == left


def test_what_libraries_write_into_home_is_not_the_notebooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache" / "x").write_text("x")
    assert ".cache/x" in files.look(tmp_path).stamps
    monkeypatch.setenv("HOME", str(tmp_path))
    assert files.look(tmp_path).stamps == {}


def test_a_library_that_comes_late_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "latelib").mkdir()
    (tmp_path / "latelib" / "__init__.py").write_text("from latelib import part\nREADY = True\n")
    (tmp_path / "latelib" / "part.py").write_text("V = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    told: list[tuple[str, bool]] = []
    hook = AfterImport(["latelib.part"], lambda name: told.append((name, is_loaded("latelib.part", name))))
    hook.install()
    try:
        import latelib  # type: ignore[import-not-found]

        assert latelib.READY
        assert told == [("latelib.part", False), ("latelib", True)]
        assert "exec_module" not in vars(latelib.__loader__)
    finally:
        hook.remove()
        for name in ("latelib", "latelib.part"):
            sys.modules.pop(name, None)
    assert hook not in sys.meta_path
