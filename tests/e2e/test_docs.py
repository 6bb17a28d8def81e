"""The documentation is true: its commands run, its code runs, its links lead somewhere, its lists of codes are complete.

Commands of a page run in one shell and in order, Python of a page in one kernel, both on a fresh machine with the examples. A block
that cannot run here has ``<!-- not run: reason -->`` on the line before it; how many there are is held below.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import jupyter_mlops.errors
from tests.e2e.machine import ROOT, Machine

PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    ROOT / "examples" / "README.md",
]
NOT_RUN = {
    "CONTRIBUTING.md": 4,
    "README.md": 4,
    "docs/cli.md": 1,
    "docs/clusters.md": 11,
    "docs/metadata.md": 2,
    "docs/quickstart.md": 2,
    "docs/registry.md": 4,
}
"""Page → blocks that are not run; a new one is a decision, not a convenience."""

FENCE = re.compile(r"^(?P<before>[^\n]*)\n```(?P<language>\w+)[^\n]*\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
SKIP = re.compile(r"<!-- not run: (?P<reason>\S.*) -->")
LINK = re.compile(r"(?<!\!)\[[^\]]+\]\((?P<target>[^)\s]+)\)")
SHELL, PYTHON = ("bash", "console", "sh"), ("python", "ipython")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    language: str
    text: str
    line: int
    reason: str


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path) -> Iterator[Block]:
    text = f"\n{page.read_text(encoding='utf-8')}"
    for match in FENCE.finditer(text):
        skipped = SKIP.search(match["before"])
        yield Block(
            match["language"], match["text"], text.count("\n", 0, match.start("text")), skipped["reason"] if skipped else ""
        )


def to_run(page: Path, languages: tuple[str, ...]) -> list[Block]:
    return [block for block in blocks(page) if block.language in languages and not block.reason]


def pages_with(languages: tuple[str, ...]) -> list[str]:
    return [name(page) for page in PAGES if to_run(page, languages)]


@pytest.fixture
def machine(tmp_path):
    """A checkout with the examples and nothing else."""
    made = Machine(tmp_path)
    yield made
    made.clean()


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", pages_with(SHELL))
def test_commands_run(page, machine):
    found = to_run(ROOT / page, SHELL)
    script = "set -euo pipefail\n" + "".join(f"echo '@ {page}:{block.line}'\n{block.text}" for block in found)
    folder = machine.work if page.startswith("examples/") else machine.work.parent
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, env=machine.env, capture_output=True, text=True, timeout=500, check=False
    )
    last = [line for line in done.stdout.splitlines() if line.startswith("@ ")][-1:]
    assert done.returncode == 0, f"{last}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", pages_with(PYTHON))
def test_python_runs_in_a_kernel(page, machine):
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    sources = [block.text.rstrip("\n") for block in to_run(ROOT / page, PYTHON)]
    if any("churn" in source and "deploy" in source for source in sources) and not any(
        "%mlops run" in source for source in sources
    ):
        machine.ask("run", "churn.ipynb")
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    notebook = nbformat.v4.new_notebook(cells=cells)
    client = NotebookClient(notebook, timeout=200, kernel_name="python3", resources={"metadata": {"path": str(machine.work)}})
    environ = {**machine.env, "JPY_SESSION_NAME": str(machine.work / "churn.ipynb")}
    try:
        client.execute(env=environ)
    except CellExecutionError as error:
        shown = [
            output.get("data", {}).get("text/plain", output.get("text", "")) for cell in cells for output in cell.get("outputs", [])
        ]
        pytest.fail(f"{page}: {error}\n" + "\n".join(shown[-3:]))


@pytest.mark.parametrize("page", [name(page) for page in PAGES])
def test_links_lead_somewhere(page):
    here = (ROOT / page).parent
    broken = []
    for match in LINK.finditer(re.sub(r"```.*?```", "", (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL)):
        target, _, anchor = match["target"].partition("#")
        if "://" in target or target.startswith("mailto:"):
            continue
        path = here / target if target else ROOT / page
        if not path.exists() or (anchor and path.suffix == ".md" and anchor not in anchors(path)):
            broken.append(match["target"])
    assert broken == []


def anchors(page: Path) -> set[str]:
    """Anchors as GitHub makes them of headings, and those of its own that a page names."""
    text = page.read_text(encoding="utf-8")
    heads = re.findall(r"^#+ +(.*)$", text, re.MULTILINE)
    made = {re.sub(r"[^\w\- ]", "", head.strip().lower()).replace(" ", "-") for head in heads}
    return made | set(re.findall(r'<a id="([^"]+)"></a>', text))


def test_what_is_not_run_is_counted():
    counted = {name(page): sum(bool(block.reason) for block in blocks(page)) for page in PAGES}
    assert {page: count for page, count in counted.items() if count} == NOT_RUN


def test_python_parses_where_it_is_python():
    for page in PAGES:
        for block in blocks(page):
            if block.language in PYTHON and "%" not in block.text:
                ast.parse(block.text, f"{name(page)}:{block.line}")


def calls() -> Iterator[tuple[Path, str, ast.Call]]:
    """Every call in the package, with the name of what is called."""
    for path in sorted((ROOT / "jupyter_mlops").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                called = node.func
                yield (
                    path,
                    called.id if isinstance(called, ast.Name) else called.attr if isinstance(called, ast.Attribute) else "",
                    node,
                )


def texts(node: ast.expr | None) -> set[str]:
    """The texts that an expression can be: a constant, or either arm of a choice."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return {node.value}
    return texts(node.body) | texts(node.orelse) if isinstance(node, ast.IfExp) else set()


def code_of(node: ast.Call, place: int) -> set[str]:
    given = next((keyword.value for keyword in node.keywords if keyword.arg == "code"), None)
    return texts(given if given is not None else node.args[place] if len(node.args) > place else None)


def diagnostic_codes() -> set[str]:
    found: set[str] = set()
    for path, called, node in calls():
        if (called == "Diagnostic" and "cluster" not in path.parts) or (called == "note" and "dataflow" in path.parts):
            found |= code_of(node, 0)
    for path in (ROOT / "jupyter_mlops").rglob("*.py"):
        if path.parent.name in {"dataflow", "pipeline", "notebook", "workflow"}:
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Assign) and any(
                    isinstance(target, ast.Name) and target.id == "code" for target in node.targets
                ):
                    found |= texts(node.value)
    return found


def error_codes() -> set[str]:
    classes = {item for item in vars(jupyter_mlops.errors).values() if isinstance(item, type) and issubclass(item, Exception)}
    names = {item.__name__ for item in classes}
    found = {item.default_code for item in classes if item is not jupyter_mlops.errors.MlopsError}
    for path, called, node in calls():
        if called in names:
            found |= code_of(node, 1)
        elif called in {"Cause", "Failure"} or (called == "Diagnostic" and "cluster" in path.parts):
            found |= code_of(node, 0)
    for path in (ROOT / "jupyter_mlops" / "importers").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Tuple) and len(node.elts) == 3:  # (code, message, fix) of a refusal
                found |= {text for text in texts(node.elts[0]) if re.fullmatch(r"[a-z]+(-[a-z]+)+|cycle", text)}
    for path in (ROOT / "jupyter_mlops").rglob("*.py"):
        if path.parts[-2] in {"engine", "local", "runner", "session"}:
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                found |= written_codes(node)
    return found


def written_codes(node: ast.AST) -> set[str]:
    """Codes in a termination message written as a dictionary, and in the table of what a container can end with."""
    if isinstance(node, ast.Dict):
        return set().union(
            *(texts(value) for key, value in zip(node.keys, node.values, strict=True) if texts(key) == {"code"}), set()
        )
    if isinstance(node, ast.Tuple) and len(node.elts) == 4 and isinstance(node.elts[0], ast.Call):
        return texts(node.elts[1])
    return set()


def documented(page: str) -> set[str]:
    """Codes in the first column of the page's tables."""
    rows = re.findall(r"^\|((?: `[a-z0-9-]+`,?)+) \|", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)
    return {code for row in rows for code in re.findall(r"`([^`]+)`", row)}


def test_every_diagnostic_has_its_row():
    told_before = {"python-mismatch"}  # a refusal of a run, told as a diagnostic before it (fitting.py)
    assert told_before <= error_codes()
    assert documented("docs/notebooks.md") == diagnostic_codes() | told_before


def test_every_error_code_has_its_row():
    assert documented("docs/errors.md") == error_codes()


def test_every_command_has_its_section():
    from jupyter_mlops.cli.command import COMMANDS

    heads = " ".join(re.findall(r"^## (.*)$", (ROOT / "docs/cli.md").read_text(encoding="utf-8"), re.MULTILINE))
    assert {command for command in COMMANDS if command not in re.split(r"[ ,]+", heads)} == set()


def test_every_magic_has_its_row():
    from jupyter_mlops.kernel.commands import COMMANDS

    rows = re.findall(r"^\| `%mlops (\w+)", (ROOT / "docs/magics.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(rows) == sorted(COMMANDS)


def test_no_page_speaks_of_the_machine_it_was_written_on():
    words = [os.sep + "work" + os.sep, "/tmp/brief", "session of the project"]
    assert [(name(page), word) for page in PAGES for word in words if word in page.read_text(encoding="utf-8")] == []
