"""The shape that the project keeps: sizes of modules and functions, a docstring on each, a reason beside each dependency."""

from __future__ import annotations

import ast
import re
import statistics
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted(p for p in (ROOT / "jupyter_mlops").rglob("*.py") if p.name != "_version.py")
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def test_the_usual_module_is_short() -> None:
    assert statistics.median(len(p.read_text().splitlines()) for p in MODULES if p.name != "__init__.py") < 180


@pytest.mark.parametrize("module", MODULES, ids=lambda p: str(p.relative_to(ROOT / "jupyter_mlops")))
def test_a_module_is_one_thought(module: Path) -> None:
    text = module.read_text()
    tree = ast.parse(text)
    if module.name != "__init__.py" or text.strip():
        assert ast.get_docstring(tree), "a module opens by saying what it is responsible for"
    lines = text.splitlines()
    assert len(lines) <= 400 or lines[0].startswith("# Long on purpose:"), f"{len(lines)} lines"
    long = [
        f"{n.name} ({n.end_lineno - n.lineno + 1})"
        for n in ast.walk(tree)
        if isinstance(n, FUNCTIONS) and n.end_lineno - n.lineno >= 60
    ]
    assert not long, f"functions over 60 lines: {long}"


def test_each_dependency_says_why() -> None:
    block = re.search(r"\ndependencies = \[\n(.*?)\n\]", (ROOT / "pyproject.toml").read_text(), re.DOTALL)
    assert block
    for line in block[1].splitlines():
        assert re.search(r'"[^"]+",\s+# .+; [\d.]+ MB', line), line


def test_the_corpus_is_what_it_was() -> None:
    import hashlib

    corpus = ROOT / "tests" / "corpus"
    for row in (corpus / "SHA256SUMS").read_text().splitlines():
        digest, name = row.split()
        assert hashlib.sha256((corpus / name).read_bytes()).hexdigest() == digest, f"{name} was edited"
