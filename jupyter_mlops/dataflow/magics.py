"""IPython syntax, as its translation stands in the tree: calls on ``get_ipython()``, read by table.

Some magics run their argument as code of the notebook, some in a namespace of their own, some change the process, some need
packages or files; what is left cannot be read and is said to be so.
"""

# ruff: noqa: SIM905 - tables of words read better as text

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from contextlib import suppress

from jupyter_mlops.dataflow.calls import Calls
from jupyter_mlops.dataflow.names import Names
from jupyter_mlops.dataflow.quoted import tables_of
from jupyter_mlops.notebook.syntax import NotPython, translate

IN_PLACE = frozenset({"time", "prun", "memit", "capture", "snakeviz", "mprun", "lprun", "scalene"})
"""Run their argument or body in the notebook's namespace."""

APART = frozenset({"timeit"})
"""Run it in a namespace of their own: they read and bind nothing."""

REQUIREMENTS = frozenset({"pip", "conda", "mamba", "micromamba", "uv"})
SETUP = frozenset(
    "matplotlib load_ext reload_ext unload_ext env set_env cd config autoreload precision aimport xmode colors pushd popd".split()
)
SHOWS = frozenset(
    """pinfo pinfo2 psearch pdoc pdef pfile psource pycat who whos who_ls lsmagic magic quickref history hist doctest_mode page
    pprint automagic alias ls ll lf lk ldir lx pwd cat less more man head tail clear cls notebook colab debug tb
    alias_magic autoawait autocall autoindent autosave bookmark code_wrap connect_info dhist dirs gui killbgscripts logoff logstate
    logstop pdb qtconsole rehashx save subshells unalias watermark version_information""".split()
)
"""Only show something."""

FILES = frozenset("cp mkdir mv rm rmdir system sx".split())
"""Shell commands under the name of a magic."""

OPAQUE = frozenset("run load loadpy store edit ed recall rep rerun pylab reset reset_selective macro pastebin logstart".split())
SHELLS = frozenset({"bash", "sh", "system", "!", "sx", "script", "cmd"})
MARKUP = frozenset({"html", "HTML", "javascript", "js", "latex", "markdown", "svg", "SVG"})
LANGUAGES: Mapping[str, str] = {
    "R": "R", "julia": "Julia", "perl": "Perl", "ruby": "Ruby", "sql": "SQL", "bigquery": "SQL", "cython": "Cython",
    "octave": "Octave", "matlab": "MATLAB", "scala": "Scala", "rust": "Rust", "python2": "Python 2", "pypy": "PyPy",
}  # fmt: skip
DOUBTFUL = "The step that runs it hands on all of its state; split it off or write it in Python to see its links."


class Magics(Calls):
    """Walks IPython syntax."""

    def magic(self, node: ast.Call) -> bool:
        """Read ``get_ipython().run_line_magic(…)`` and its kin."""
        f = node.func
        if not (
            isinstance(f, ast.Attribute)
            and isinstance(f.value, ast.Call)
            and isinstance(f.value.func, ast.Name)
            and f.value.func.id == "get_ipython"
        ):
            return False
        text = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
        if f.attr == "run_line_magic" and text:
            self._line_magic(text[0], *text[1:2])
        elif f.attr == "run_cell_magic" and text:
            self._cell_magic(text[0], *text[1:3])
        elif f.attr in {"system", "getoutput", "getoutputs", "getoutput_s"} and text:
            self._expand(text[0])
            self._shell(text[0])
        return True

    # -- code inside magics ------------------------------------------------------------------------------------------------

    def _inline(self, source: str, first: int, *, apart: bool = False, body: bool = False) -> None:
        """Walk code that a magic runs; its first line is line ``first`` of the cell.

        A ``body`` that does not parse stops the notebook; the line of a magic may hold options that no table knows.
        """
        context = self.context
        kept = context.origin, context.scopes
        try:
            python = translate(source)
        except NotPython as error:
            if not body:
                self.doubt("opaque", source)
                return
            context.line = first + error.line - 1
            self.note("syntax-error", "error", f"cell {context.cell} does not parse: {error.message}", "Correct the line.")
            return
        context.origin, context.scopes = (lambda line: first + python.origin(line) - 1), type(context.scopes)(python.text)
        try:
            if apart:
                inner = type(self)(context, self.above, self.must, self.shadow)
                inner.draft.defs = dict(self.draft.defs)
                inner.lazy, inner.alias, inner.share = self.lazy, self.alias.copy(), self.share.copy()
                inner.block(python.tree.body)
                self._take_effects(inner)
            else:
                self.block(python.tree.body)
        finally:
            context.origin, context.scopes = kept

    def _take_effects(self, inner: Names) -> None:
        """What code in a namespace of its own does to this one: it reads, and may change what it read."""
        for name in sorted(inner.draft.refs | inner.draft.closure_refs):
            self.read(name)
        for name in sorted(inner.draft.mutates):
            self.mutate(name)
        self.draft.doubts += inner.draft.doubts
        self.draft.questions += inner.draft.questions

    # -- line magics -------------------------------------------------------------------------------------------------------

    def _line_magic(self, name: str, line: str = "") -> None:
        """``%name line``."""
        if name in IN_PLACE:
            self._inline(_without_options(line), self.context.line)
        elif name in APART:
            self._inline(_without_options(line), self.context.line, apart=True)
        elif name in REQUIREMENTS:
            self._requirements(line)
        elif name in SETUP:
            self._expand(line)
            self.draft.setup.append(f"%{name} {line}".strip())
        elif name in OPAQUE:
            self.doubt("opaque", f"%{name}")
            if name == "run" and (words := [word for word in line.split() if not word.startswith("-")]):
                self.asks_file(words[0])
        elif name in FILES:
            self._expand(line)
            self._shell(f"{name} {line}")
        elif name == "sql":
            self._sql(line)
            self._language("%sql", "SQL")
        elif name not in SHOWS:
            self._expand(line)
            self._unknown(f"%{name}")

    def _unknown(self, magic: str) -> None:
        """A magic that no table knows."""
        self.doubt("opaque", magic)
        message = f"the magic {magic} in cell {self.context.cell} is unknown; what it reads and binds cannot be read off"
        self.note("unknown-magic", "warning", message, DOUBTFUL)

    # -- cell magics -------------------------------------------------------------------------------------------------------

    def _cell_magic(self, name: str, line: str = "", body: str = "") -> None:
        """``%%name line`` with a body that begins on the next line."""
        after = self.context.line + 1
        words = line.split()
        if name in IN_PLACE:
            self._inline(body, after, body=True)
            if name == "capture":
                for word in words:
                    if not word.startswith("-"):
                        self.bind(word)
        elif name in APART:
            setup = _without_options(line)
            if setup:
                self._inline(setup, self.context.line, apart=True)
            self._inline(body, after, apart=True, body=True)
        elif name in {"writefile", "file"}:
            paths = [word for word in words if not word.startswith("-")]
            if paths:
                if "-a" in words or "--append" in words:
                    self.draft.reads_files.add(paths[-1])
                self.draft.writes_files.add(paths[-1].strip("\"'"))
        else:
            self._foreign(name, line, body)

    def _foreign(self, name: str, line: str, body: str) -> None:
        """Shell, markup, another language, or a magic nobody knows."""
        self._expand(line)
        words = line.split()
        for option in ("--out", "--err"):
            if option in words[:-1]:
                self.bind(words[words.index(option) + 1])
        if name in SHELLS:
            self._shell(body)
        elif name in LANGUAGES:
            if name == "sql":
                self._sql(f"{line}\n{body}")
            self._language(f"%%{name}", LANGUAGES[name])
        elif name not in MARKUP:
            self._unknown(f"%%{name}")

    def _language(self, magic: str, language: str) -> None:
        """A cell, or a line of it, that is not Python."""
        self.doubt("opaque", magic)
        message = f"cell {self.context.cell} is {language}; what it reads and binds cannot be read off"
        self.note("other-language", "warning", message, DOUBTFUL)

    def _sql(self, text: str) -> None:
        """``%sql rows << select * from df``: frames are read as tables, and the result may be bound."""
        self._expand(text)
        self.named(tables_of(text))
        bound = re.match(r"\s*(?:\S+://\S*\s+)?(?:--?\w+(?:[ =]\S+)?\s+)*([A-Za-z_]\w*)=?\s*<<", text)
        if bound:
            self.bind(bound[1])

    # -- shell -------------------------------------------------------------------------------------------------------------

    def _requirements(self, line: str) -> None:
        words = line.partition("#")[0].split()
        if words[:1] == ["pip"]:
            words = words[1:]
        if words[:1] != ["install"]:
            return
        rest = iter(words[1:])
        for word in rest:
            if word in {"-r", "--requirement", "-c", "-i", "--index-url", "--extra-index-url", "-t", "--target", "-f"}:
                next(rest, None)
            elif not word.startswith("-"):
                self.context.requirements.append(word)

    def _shell(self, command: str) -> None:
        match = re.match(r"\s*(?:python3? -m |\{sys\.executable\} -m )?(?:pip3?|uv pip) (install .*)", command)
        if match:
            self._requirements(match[1].splitlines()[0])
            return
        message = f"cell {self.context.cell} runs a shell command: {' '.join(command.split())[:60]}"
        self.draft.calls.add("system")
        fix = "Its programs must be in the step's image; files outside the working folder do not travel."
        self.note("shell-command", "info", message, fix)

    def _expand(self, line: str) -> None:
        """``{expression}`` is Python, ``$name`` is read if a cell bound it (else it is the shell's own)."""
        for expression in re.findall(r"(?<!\{)\{([^{}]+)\}", line):
            tree = _expression(expression)
            if tree is None:  # braces of the shell: {a,b c}
                continue
            line_now, origin = self.context.line, self.context.origin
            self.context.origin = lambda _: line_now  # noqa: B023 - used up in this round
            self.visit(tree.body)
            self.context.origin = origin
        for name in re.findall(r"(?<![\$\\])\$([A-Za-z_]\w*)", line):
            if name in self.above or name in self.draft.defs:
                self.read(name)


def _expression(text: str) -> ast.Expression | None:
    """What stands between braces, without a conversion (``!r``) and a format (``:>5``) behind it; None: no Python."""
    plain = text.partition("!")[0]
    for part in (text, text.rpartition(":")[0], plain, plain.partition(":")[0], text.partition(":")[0]):
        with suppress(SyntaxError, ValueError):
            return ast.parse(part.strip(), mode="eval")
    return None


def _without_options(line: str) -> str:
    """A magic's code without the options before it: ``-n 10 -r 3 f(x)``."""
    return re.sub(r"^(?:-[a-zA-Z]+\s*\d*\s+|--[\w-]+(?:=\S+)?\s+)*", "", line.strip() + " ").strip()
