"""A notebook as one plain Python script that gives what Restart & Run All gives.

The cells stand one after the other in document order, each under a ``# %%`` mark that editors know, at the top level: functions
round them would change what is global, what is deleted and what a closure sees. IPython's syntax is translated by IPython's own
transformer; what that leaves (``get_ipython()…``) needs a shell, which the script then makes. The value of a cell's last
expression is printed. Parameters become options of the command line, and get their values after the cell of their defaults.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jupyter_mlops.errors import Refused, Where
from jupyter_mlops.notebook.document import Cell, Notebook
from jupyter_mlops.notebook.magic import strip_product_lines
from jupyter_mlops.notebook.syntax import NotPython, explicit_magic, translate

MAY_RAISE = "raises-exception"
"""Jupyter's own tag: after an exception there, Restart & Run All goes on."""

TYPES: Mapping[str, str] = {
    "int": "int", "float": "float", "str": "str", "bool": "_mlops_bool", "none": "json.loads", "list": "json.loads",
    "dict": "json.loads",
}  # fmt: skip
"""Type of a parameter → what reads it from the command line."""


@dataclass(frozen=True, slots=True)
class Option:
    """A parameter of the script; ``type`` as the pipeline names it."""

    name: str
    type: str
    default: Any
    cell: int
    choices: tuple[Any, ...] = ()
    description: str = ""


def script_of(notebook: Notebook, steps: Mapping[int, str], options: Sequence[Option] = ()) -> str:
    """The script.

    Args:
        notebook: what it is made from.
        steps: cell → the step that runs it; cells that are not there are left out.
        options: the notebook's parameters.

    Raises:
        Refused: code ``export-future``: a ``__future__`` import that is not in the first cell cannot hold from there on in a file.
    """
    parts = [_Part(notebook, cell) if cell.index in steps else cell for cell in notebook.cells]
    code = [part for part in parts if isinstance(part, _Part)]
    future = _future(notebook, code)
    body: list[str] = []
    for part in parts:
        if isinstance(part, _Part):
            body += ["", f"# %% cell {part.cell.index}, step {steps[part.cell.index]}", part.text.rstrip()]
            body += _assignments([option for option in options if option.cell == part.cell.index])
        elif part.kind == "markdown":
            body += ["", "# %% [markdown]", *(f"# {line}".rstrip() for line in part.source.splitlines())]
    head = _head(notebook, future, options, code)
    return "\n".join([*head, *body]).rstrip() + "\n"


class _Part:
    """A cell as it stands in the script."""

    def __init__(self, notebook: Notebook, cell: Cell) -> None:
        self.cell = cell
        source = explicit_magic(strip_product_lines(cell.source), ())
        try:
            found = translate(source)
        except NotPython as error:  # the plan has refused it before
            raise Refused(error.message, where=Where(notebook.name, cell.index, error.line)) from error
        self.tree, self.plain = found.tree, found.text
        self.futures = [x for x in self.tree.body if isinstance(x, ast.ImportFrom) and x.module == "__future__"]
        self.apart = MAY_RAISE in cell.tags or _awaits(self.plain)
        """Whether a file cannot have it as it stands, so that it is run from its text."""

        allowed = ", may_raise=True" if MAY_RAISE in cell.tags else ""
        shown = _shown(self.plain, self.tree)
        self.text = f"_mlops_run({shown!r}{allowed})" if self.apart else shown

    @property
    def needs_shell(self) -> bool:
        """Whether it calls IPython."""
        return "get_ipython(" in self.plain


def _future(notebook: Notebook, code: Sequence[_Part]) -> str:
    """Names that the first cell imports from ``__future__``; its own line stays, which is harmless only at the top of a file."""
    names: list[str] = []
    for number, part in enumerate(part for part in code if part.tree.body):
        for statement in part.futures:
            if number:
                raise Refused(
                    "a __future__ import holds for a whole file, and this one holds only from its cell on",
                    "export-future",
                    "Move it to the first code cell.",
                    Where(f"{notebook.name}.ipynb", part.cell.index, statement.lineno),
                )
            names += [alias.name for alias in statement.names]
            lines = part.text.split("\n")
            for line in range(statement.lineno - 1, statement.end_lineno or statement.lineno):
                lines[line] = f"# {lines[line]}"
            part.text = "\n".join(lines)
    return ", ".join(dict.fromkeys(names))


def _awaits(text: str) -> bool:
    """Whether it awaits at the top level, which a kernel allows and a file does not."""
    try:
        compile(text, "<cell>", "exec", dont_inherit=True)
    except SyntaxError:
        return True
    return False


def _shown(text: str, tree: ast.Module) -> str:
    """The text with its last expression printed, unless a semicolon follows."""
    last = tree.body[-1] if tree.body else None
    if not isinstance(last, ast.Expr) or last.end_lineno is None or last.end_col_offset is None:
        return text
    lines = text.encode().split(b"\n")
    after = b"\n".join([lines[last.end_lineno - 1][last.end_col_offset :], *lines[last.end_lineno :]])
    code = b"".join(line.partition(b"#")[0].strip() for line in after.split(b"\n"))
    if code:  # a semicolon: IPython shows nothing
        return text
    start, end = last.lineno - 1, last.end_lineno - 1
    lines[end] = lines[end][: last.end_col_offset] + b"))" + lines[end][last.end_col_offset :]
    lines[start] = lines[start][: last.col_offset] + b"_mlops_show((" + lines[start][last.col_offset :]
    return b"\n".join(lines).decode()


def _assignments(options: Sequence[Option]) -> Iterator[str]:
    for option in options:
        yield f'{option.name} = _mlops_options.get("{option.name}", {option.name})'


def _head(notebook: Notebook, future: str, options: Sequence[Option], code: Sequence[_Part]) -> Iterator[str]:
    """Everything before the first cell; only what this notebook needs."""
    yield f"# Made from {notebook.name}.ipynb by `jupyter mlops convert --to python`. Run it in the notebook's folder."
    if future:
        yield f"from __future__ import {future}"
    if any("matplotlib" in part.plain for part in code):
        yield from (
            "import os as _mlops_os",
            "",
            '_mlops_os.environ.setdefault("MPLBACKEND", "agg")  # figures are drawn, and shown nowhere',
        )
    if any("_mlops_show(" in part.text for part in code):
        yield from ("", "", *_SHOW.splitlines())
    if any(part.apart for part in code):
        yield from ("", "", *_RUN.splitlines())
    if any("display(" in part.plain for part in code):
        yield from ("", "from IPython.display import display")
    if any(part.needs_shell for part in code):
        yield from ("", *_SHELL.splitlines())
    if options:
        yield from ("", "", *_parser(notebook, options))


_SHOW = '''\
def _mlops_show(value):
    """The value of a cell's last expression, as a notebook shows it in text."""
    if value is not None:
        print(repr(value))'''

_RUN = '''\
def _mlops_run(source, may_raise=False):
    """A cell that a file cannot hold as it is: it awaits, or an exception in it is allowed."""
    import ast, asyncio, inspect, traceback

    try:
        code = compile(source, "<cell>", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        waiting = eval(code, globals())
        if inspect.iscoroutine(waiting):
            try:
                loop = _mlops_run.loop
            except AttributeError:
                loop = _mlops_run.loop = asyncio.new_event_loop()
                asyncio.set_event_loop(loop)
            loop.run_until_complete(waiting)
    except Exception:
        if not may_raise:
            raise
        traceback.print_exc()'''

_SHELL = """\
import sys as _mlops_sys

from IPython.core.interactiveshell import InteractiveShell as _MlopsShell

_mlops_shell = _MlopsShell.instance(user_module=_mlops_sys.modules["__main__"], user_ns=globals())
_mlops_shell.enable_gui = lambda gui=None: None
get_ipython = _MlopsShell.instance  # magics and shell lines"""


def _parser(notebook: Notebook, options: Sequence[Option]) -> Iterator[str]:
    """Code that reads the parameters that were given."""
    yield from ("def _mlops_bool(text):", '    if text.lower() in {"true", "1", "yes", "on"}:', "        return True")
    yield from ('    if text.lower() in {"false", "0", "no", "off"}:', "        return False", "    raise ValueError(text)", "", "")
    yield from ("def _mlops_read():", "    import argparse, json", "")
    yield f"    parser = argparse.ArgumentParser(description={f'The notebook {notebook.name}.ipynb as a script.'!r})"
    for option in options:
        flags = dict.fromkeys((f"--{option.name.replace('_', '-')}", f"--{option.name}"))
        said = f"{option.description + '; ' if option.description else ''}default: {option.default!r}".replace("%", "%%")
        kind = f"type={TYPES.get(option.type, 'str')}"
        if option.choices:
            kind = f"type={_choice(option)}, choices={list(option.choices)!r}"
        how = f"dest={option.name!r}, {kind}, default=argparse.SUPPRESS, help={said!r}"
        yield f"    parser.add_argument({', '.join(map(repr, flags))}, {how})"
    yield from ("    return vars(parser.parse_args())", "", "", "_mlops_options = _mlops_read()")


def _choice(option: Option) -> str:
    """What reads one of several values: text stands for itself, anything else for the value that prints like it."""
    known = {str(choice): choice for choice in option.choices}
    return "str" if all(isinstance(choice, str) for choice in option.choices) else f"lambda text: {known!r}[text]"
