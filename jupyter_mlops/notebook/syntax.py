"""A cell's IPython syntax becomes Python, with a way back from every line to the line of the cell.

The translation is IPython's own (``TransformerManager``), the one that the kernel uses; importing it costs about 250 ms and
200 modules, so it is imported in one place and only when a cell is not plain Python. What Python parses is Python for
IPython too (a test holds it), with one exception: ``In [1]: x``, a pasted prompt, is an annotation to Python.
"""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache, lru_cache
from tokenize import TokenError
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Container

AUTOMAGIC = frozenset(
    """alias alias_magic aimport autoawait autocall autoindent automagic autosave bookmark cat cd clear code_wrap colors conda
    config connect_info cp debug dhist dirs doctest_mode ed edit env gui hist history killbgscripts ldir less lf lk ll
    load load_ext loadpy logoff logon logstart logstate logstop ls lsmagic lx macro magic mamba man matplotlib
    micromamba mkdir more mv notebook page pastebin pdb pdef pdoc pfile pinfo pinfo2 pip popd pprint precision prun
    psearch psource pushd pwd pycat pylab qtconsole quickref recall rehashx reload_ext rep rerun reset reset_selective
    rm rmdir run save sc set_env store subshells sx system tb time timeit unalias unload_ext uv who who_ls whos xdel
    xmode""".split()  # noqa: SIM905 - a table of words
)
"""IPython's own line magics, which a cell of one line may call without ``%``: ``pip install x``, ``cd data``."""

BARE_MAGIC = re.compile(r"\s*(?P<name>[a-z]\w*)(?:[ \t]+(?![=!]=|[-+*/%&|^<>@]?=)[^\n]*)?\s*")
PROMPT = re.compile(r"^\s*In \[\d+\]:", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Python:
    """A cell as Python: the text, its tree, and for each of its lines (from 1) the line of the cell it came from."""

    text: str
    tree: ast.Module
    shift: int = 0
    lines: tuple[int, ...] = ()
    """Line of the cell for each line of ``text``, where they do not differ by ``shift`` alone."""

    def origin(self, line: int) -> int:
        """Line of the cell for a line of the translated text."""
        if self.lines:
            return self.lines[min(max(line, 1), len(self.lines)) - 1]
        return line + self.shift


class NotPython(Exception):
    """The cell does not parse, even as IPython. ``line`` is the line of the cell."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.message, self.line = message, line


@lru_cache(maxsize=4096)
def translate(source: str) -> Python:
    """The cell as Python. Equal cells are translated once: a notebook is converted again after every edit.

    Raises:
        NotPython: with the compiler's message and the line of the cell.
    """
    if not PROMPT.search(source):
        try:
            return Python(source, _compiled(source))
        except SyntaxError as error:
            if not _may_be_ipython(source):
                raise NotPython(_message(error), error.lineno or 1) from error
        except ValueError as error:  # a null byte
            raise NotPython(str(error), 1) from error
    text = transform(source)
    shift, lines = _correspondence(source, text)
    try:
        return Python(text, _compiled(text), shift, lines)
    except SyntaxError as error:
        place = Python(text, ast.Module([], []), shift, lines).origin(error.lineno or 1)
        raise NotPython(_message(error), place) from error


def explicit_magic(source: str, bound: Container[str]) -> str:
    """A cell of one line that calls a magic without ``%``, with it; any other cell as it is.

    IPython does so (``automagic``) where nothing of that name is ``bound``.
    """
    match = BARE_MAGIC.fullmatch(source)
    if match is None or match["name"] not in AUTOMAGIC or match["name"] in bound:
        return source
    return f"{source[: match.start('name')]}%{source[match.start('name') :]}"


def transform(source: str) -> str:
    """IPython's translation of a cell. A cell that even its tokenizer refuses comes back as it is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about control characters that only a generator of tests writes
        try:
            return _transformer()(source)
        except (SyntaxError, TokenError, ValueError, IndexError):
            return source


@cache
def _transformer() -> Callable[[str], str]:
    from IPython.core.inputtransformer2 import TransformerManager

    transform_cell: Callable[[str], str] = TransformerManager().transform_cell
    return transform_cell


def _compiled(text: str) -> ast.Module:
    """The tree, after the compiler has agreed: ``return`` outside a function parses, yet no kernel runs it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an invalid escape sequence is for the person's own linter
        tree = ast.parse(text)
        compile(text, "<cell>", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    return tree


def _may_be_ipython(source: str) -> bool:
    """Whether any line could be IPython syntax; otherwise Python's verdict stands and IPython is not imported."""
    if source[:1].isspace() or ">>>" in source:
        return True
    return any(mark in source for mark in "%!?") or re.search(r"^\s*[,;/]", source, re.MULTILINE) is not None


def _message(error: SyntaxError) -> str:
    return error.msg or "invalid syntax"


def _correspondence(source: str, text: str) -> tuple[int, tuple[int, ...]]:
    """How lines of the translation map to lines of the cell: a shift if none was joined, else line by line."""
    before, after = source.rstrip("\n").split("\n"), text.rstrip("\n").split("\n")
    blank = next((i for i, line in enumerate(before) if line.strip()), 0)
    before = before[blank:]
    if len(after) in {1, len(before)}:  # one line: a cell magic, which holds its body as text
        return blank, ()
    lines: list[int] = []
    matcher = SequenceMatcher(None, [line.strip() for line in before], [line.strip() for line in after], autojunk=False)
    for _, i1, i2, j1, j2 in matcher.get_opcodes():
        lines.extend(blank + min(i1 + k, max(i2 - 1, i1), len(before) - 1) + 1 for k in range(j2 - j1))
    return 0, tuple(lines)
