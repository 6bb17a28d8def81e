"""Which notebook a kernel runs: the traces of each front end, and their absence."""

from __future__ import annotations

import os

import pytest

from jupyter_mlops.errors import NotFound, WrongUsage
from jupyter_mlops.kernel.notebook_path import SESSION, VSCODE, find_notebook, saved


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.ipynb", "b.ipynb", "notes.txt"):
        (tmp_path / name).write_text("{}")
    return tmp_path


def test_the_given_path_alone_counts(folder):
    assert find_notebook("a.ipynb", {VSCODE: str(folder / "b.ipynb")}, {SESSION: str(folder / "b.ipynb")}).name == "a.ipynb"
    with pytest.raises(NotFound, match=r"no notebook at c\.ipynb") as caught:
        find_notebook("c.ipynb", {VSCODE: str(folder / "b.ipynb")}, {})
    assert str(folder) in caught.value.fix


@pytest.mark.parametrize(
    ("namespace", "environ"),
    [
        ({VSCODE: "{folder}/a.ipynb"}, {}),
        ({}, {SESSION: "{folder}/a.ipynb"}),
        ({}, {SESSION: "a.ipynb"}),
        ({}, {SESSION: "work/deep/a.ipynb"}),  # relative to the server's root, which the kernel does not know
        ({VSCODE: 7}, {SESSION: "{folder}/a.ipynb"}),
        ({VSCODE: "{folder}/gone.ipynb"}, {SESSION: "{folder}/a.ipynb"}),
    ],
)
def test_traces(folder, namespace, environ):
    fill = lambda values: {key: v.replace("{folder}", str(folder)) if isinstance(v, str) else v for key, v in values.items()}  # noqa: E731
    assert find_notebook(None, fill(namespace), fill(environ)).resolve() == folder / "a.ipynb"


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({}, "does not know"),
        ({SESSION: "console-1-8f1c"}, "does not know"),
        ({SESSION: "gone.ipynb"}, r"gone\.ipynb, which is not there"),
    ],
)
def test_no_trace(folder, environ, message):
    with pytest.raises(NotFound, match=message) as caught:
        find_notebook(None, {}, environ)
    assert "%mlops run path/to/notebook.ipynb" in caught.value.fix


def test_something_else_than_a_notebook(folder):
    with pytest.raises(WrongUsage, match="is not a notebook"):
        find_notebook("notes.txt", {}, {})


@pytest.mark.parametrize(
    ("age", "words"),
    [(0, "just now"), (-5, "just now"), (1, "1 second ago"), (59, "59 seconds ago"), (150, "2 minutes ago"), (90000, "1 day ago")],
)
def test_the_age_of_the_saved_copy(folder, age, words):
    os.utime(folder / "a.ipynb", (1000.0, 1000.0))
    said = saved(folder / "a.ipynb", now=1000.0 + age)
    assert words in said
    assert "changes made since are not in it" in said
