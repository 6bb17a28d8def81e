"""Imports as the source has them: which have to succeed, which may not, and which steps need them."""

from __future__ import annotations

import pytest

from jupyter_mlops.pipeline.environment import (
    Distribution,
    Environment,
    Use,
    imports_of,
    imports_of_source,
    installs_packages,
    required_by_steps,
    to_json,
)
from jupyter_mlops.pipeline.plan import plan
from tests.unit.notebook_building import notebook

IMPORTS = [
    # source, (module, members, line, required)
    ("import a", [("a", (), 1, True)]),
    ("import a.b as c, d", [("a.b", (), 1, True), ("d", (), 1, True)]),
    ("\nfrom a.b import c, d as e", [("a.b", ("c", "d"), 2, True)]),
    ("from a import *", [("a", (), 1, True)]),
    ("from . import a", []),
    ("%time import a", [("a", (), 1, True)]),
    ("%%time\n\nimport a", [("a", (), 3, True)]),
    ("!pip install a\nimport a", [("a", (), 2, True)]),
    ("def f():\n    import a", [("a", (), 2, False)]),
    ("if x:\n    import a\nelse:\n    import b", [("a", (), 2, False), ("b", (), 4, False)]),
    ("class A:\n    import a", [("a", (), 2, True)]),
    ("with open('x'):\n    import a", [("a", (), 2, True)]),
    ("with suppress(ImportError):\n    import a", [("a", (), 2, False)]),
    ("try:\n    import a\nexcept ImportError:\n    import b", [("a", (), 2, False), ("b", (), 4, False)]),
    ("try:\n    import a\nexcept (ValueError, ModuleNotFoundError):\n    pass", [("a", (), 2, False)]),
    ("try:\n    import a\nexcept:\n    pass\nfinally:\n    import c", [("a", (), 2, False), ("c", (), 6, True)]),
    ("try:\n    import a\nexcept ValueError:\n    pass", [("a", (), 2, True)]),
    ("import (", []),
    ("x = 'import a'", []),
]


@pytest.mark.parametrize(("source", "found"), IMPORTS, ids=[source for source, _ in IMPORTS])
def test_imports(source: str, found: list[tuple[str, tuple[str, ...], int, bool]]) -> None:
    assert [(use.module, use.members, use.line, use.required) for use in imports_of_source(source, 0)] == found


def test_a_step_needs_what_it_imports_and_what_it_is_handed() -> None:
    cells = [
        ("import a\nimport b.c\nfrom d import e as f", ["step:one"]),
        ("x = a.y", ["step:two"]),
        ("import g\nf(x)\nb.c", ["step:three"]),
        ("x + 1", ["step:four"]),
    ]
    read = notebook(*cells)
    needed = required_by_steps(plan(read), imports_of(read.code))
    assert {step: [use.module for use in uses] for step, uses in needed.items()} == {
        "one": ["a", "b.c", "d"],
        "two": ["a"],
        "three": ["g", "b.c", "d"],
        "four": [],
    }


def test_what_may_fail_is_nobodys_need() -> None:
    read = notebook("try:\n    import a\nexcept ImportError:\n    a = None")
    assert required_by_steps(plan(read), imports_of(read.code)) == {"test": []}


@pytest.mark.parametrize(
    ("source", "installs"),
    [("%pip install a", True), ("!pip3 install a", True), ("!uv pip install a", True), ("import pip", False), ("x = 1", False)],
)
def test_a_notebook_that_installs(source: str, installs: bool) -> None:
    assert installs_packages(notebook("x = 1", source).code) is installs


def test_the_document() -> None:
    use = Use("gone.x", (), 3, 4, required=True)
    given = Environment(
        "3.11.7", "linux-x86_64",
        (Distribution("pandas", "2.2", ("pandas",)), Distribution("me", "1", ("me",), "vcs", "https://x/y", "abc")),
        ("helper",), ("odd",), (use,), {"one": ("pandas",)}, installs=True,
    )  # fmt: skip
    assert to_json(given) == {
        "version": 1,
        "python": "3.11.7",
        "platform": "linux-x86_64",
        "distributions": [
            {"name": "pandas", "version": "2.2", "modules": ["pandas"], "source": "index"},
            {"name": "me", "version": "1", "modules": ["me"], "source": "vcs", "url": "https://x/y", "commit": "abc"},
        ],
        "local": ["helper"],
        "unknown": ["odd"],
        "missing": [{"module": "gone.x", "cell": 3, "line": 4}],
        "steps": {"one": ["pandas"]},
        "installs": True,
    }
