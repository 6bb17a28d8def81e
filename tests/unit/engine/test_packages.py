"""Which distributions a notebook imports, asked of a real interpreter over a made-up set of installed packages."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.engine import packages
from jupyter_mlops.engine.kernels import Kernel
from jupyter_mlops.engine.packages import environment_of
from jupyter_mlops.pipeline.environment import Environment, surely_missing
from jupyter_mlops.pipeline.plan import plan
from tests.unit.notebook_building import Spec, notebook


def install(site: Path, name: str, version: str, *files: str, top: str = "", direct: dict[str, Any] | None = None) -> None:
    """A distribution as pip leaves it."""
    about = site / f"{name.replace('-', '_')}-{version}.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (about / "RECORD").write_text("".join(f"{file},,\n" for file in files))
    if top:
        (about / "top_level.txt").write_text(top + "\n")
    if direct is not None:
        (about / "direct_url.json").write_text(json.dumps(direct))
    for file in files:
        (site / file).parent.mkdir(parents=True, exist_ok=True)
        (site / file).write_text("raise SystemExit('looking is not importing')\n")


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """An interpreter's folder of packages, a project in place, and a notebook's folder."""
    found = tmp_path / "site"
    install(found, "Plain-Thing", "1.2.3", "plain/__init__.py", "plain/deep.py", top="plain")
    install(found, "other-name", "2.0", "single.py")
    install(found, "space-storage", "3", "space/cloud/storage/__init__.py")
    install(found, "space-query", "4", "space/cloud/query/__init__.py")
    git = {"url": "https://user:secret@host/me/x.git", "vcs_info": {"vcs": "git", "commit_id": "abc123"}}
    install(found, "from-git", "0.1", "fromgit.py", direct=git)
    install(found, "from-folder", "0.2", "fromfolder.py", direct={"url": "file:///x/y", "dir_info": {}})
    install(found, "from-file", "0.3", "fromfile.py", direct={"url": "file:///x/y.whl", "archive_info": {}})
    project = tmp_path / "my project"
    (project / "inplace").mkdir(parents=True)
    (project / "inplace/__init__.py").write_text("")
    install(found, "in-place", "5", direct={"url": f"file://{project}".replace(" ", "%20"), "dir_info": {"editable": True}})
    (found / "stray.py").write_text("")
    work = tmp_path / "work"
    work.mkdir()
    (work / "helper.py").write_text("import plain\nimport inner\n\ndef f():\n    import single\n")
    (work / "inner.py").write_text("import fromgit\n")
    return found


def ask(site: Path, *cells: Spec) -> Environment:
    paths = os.pathsep.join([str(site), str(site.parent / "my project")])
    kernel = Kernel("test", ("/usr/bin/env", f"PYTHONPATH={paths}", sys.executable), "3.11")
    read, work = notebook(*cells), site.parent / "work"
    modules = {path.name: path for path in work.glob("*.py")}
    found = environment_of(kernel, read, plan(read), modules, work, site.parent / "cache")
    assert found is not None
    return found


WHERE = [
    ("import plain", "Plain-Thing", "1.2.3", "index"),
    ("import plain.deep as d", "Plain-Thing", "1.2.3", "index"),
    ("from single import x", "other-name", "2.0", "index"),
    ("import space.cloud.storage", "space-storage", "3", "index"),
    ("from space.cloud import query", "space-query", "4", "index"),
    ("from space.cloud.storage import blob", "space-storage", "3", "index"),
    ("import fromgit", "from-git", "0.1", "vcs"),
    ("import fromfolder", "from-folder", "0.2", "local"),
    ("import fromfile", "from-file", "0.3", "archive"),
    ("import inplace", "in-place", "5", "editable"),
]


@pytest.mark.parametrize(("source", "name", "version", "kind"), WHERE, ids=[row[0] for row in WHERE])
def test_where_a_module_comes_from(source: str, name: str, version: str, kind: str, site: Path) -> None:
    found = ask(site, source)
    assert [(one.name, one.version, one.source) for one in found.distributions] == [(name, version, kind)]
    assert found.steps == {"test": (name,)}
    assert found.missing == ()


def test_a_commit_is_kept_and_a_password_is_not(site: Path) -> None:
    (one,) = ask(site, "import fromgit").distributions
    assert (one.url, one.commit) == ("https://host/me/x.git", "abc123")


def test_what_is_no_distribution(site: Path) -> None:
    found = ask(site, "import os, sys, json\nimport stray\nimport helper\nimport nowhere.at.all\nimport space.gone")
    assert (found.unknown, found.local) == (("stray",), ("helper", "inner"))
    assert [(use.module, use.line) for use in found.missing] == [("nowhere.at.all", 4), ("space.gone", 5)]
    assert found.python.startswith("3.")


def test_local_modules_need_what_they_import_and_what_they_may_import_is_no_need(site: Path) -> None:
    found = ask(site, "import helper")
    assert [one.name for one in found.distributions] == ["from-git", "other-name", "Plain-Thing"]
    assert found.steps == {"test": ("Plain-Thing", "from-git")}


def test_each_step_needs_its_own(site: Path) -> None:
    found = ask(site, ("import plain", ["step:one"]), ("import single\nplain.x", ["step:two"]), ("1", ["step:three"]))
    assert found.steps == {"one": ("Plain-Thing",), "two": ("Plain-Thing", "other-name"), "three": ()}


def test_the_answer_is_remembered_until_something_is_installed(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    real = packages._ask

    def counted(*arguments: Any) -> Any:
        asked.append(arguments[1])
        return real(*arguments)

    monkeypatch.setattr(packages, "_ask", counted)
    first = ask(site, "import plain\nimport later")
    assert ask(site, "import plain\nimport later") == first
    assert len(asked) == 1
    install(site, "later", "9", "later.py")
    os.utime(site, ns=(1, 1))
    assert [one.name for one in ask(site, "import plain\nimport later").distributions] == ["later", "Plain-Thing"]
    assert len(asked) == 2


@pytest.mark.parametrize("text", ["", "{", "{}", '{"paths": []}'])
def test_a_damaged_memory_is_asked_anew(text: str, site: Path) -> None:
    first = ask(site, "import plain")
    for kept in (site.parent / "cache/environments").iterdir():
        kept.write_text(text)
    assert ask(site, "import plain") == first


@pytest.mark.parametrize("command", [("/nowhere/python",), ("/bin/false",), ("/bin/echo",)])
def test_an_interpreter_that_does_not_answer_gives_no_environment(command: tuple[str, ...], tmp_path: Path) -> None:
    read = notebook("import os")
    assert environment_of(Kernel("test", command, "3.11"), read, plan(read), {}, tmp_path, tmp_path / "cache") is None


SURE = [
    (["import nowhere"], 1),
    (["%matplotlib inline\nimport nowhere"], 1),
    (["%time import nowhere"], 1),
    (["!pip install nowhere", "import nowhere"], 0),
    (["%pip install nowhere\nimport nowhere"], 0),
    (["!git clone x", "import nowhere"], 0),
    (["%%writefile nowhere.py\nx = 1", "import nowhere"], 0),
    (["import sys\nsys.path.append('x')", "import nowhere"], 0),
    (["%cd x", "import nowhere"], 0),
    (["try:\n    import nowhere\nexcept ImportError:\n    nowhere = None"], 0),
    (["def f():\n    import nowhere"], 0),
    ([("import nowhere", ["raises-exception"])], 0),
    (["x = 1", ("import nowhere", ["skip"])], 0),
    ([("x = 1", ["step:one"]), ("import nowhere", {"mlops": {"step": "two", "when": "x > 1"}})], 0),
    ([("xs = []", ["step:one"]), ("import nowhere", {"mlops": {"step": "two", "each": "x in xs"}})], 0),
    ([("x = 1", ["step:one"]), ("import nowhere", {"mlops": {"step": "two", "finally": True}})], 1),
]


@pytest.mark.parametrize(("cells", "count"), SURE, ids=[str(cells) for cells, _ in SURE])
def test_an_import_that_must_fail(cells: list[Any], count: int, site: Path) -> None:
    read = notebook(*cells)
    assert len(surely_missing(ask(site, *cells), plan(read), read.code)) == count
