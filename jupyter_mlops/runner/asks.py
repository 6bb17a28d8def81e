"""What the cells of a step can ask for, read from their source as IPython transforms it.

Magics and shell lines name variables inside strings, so every identifier in their arguments counts. Code that can reach
names which it does not mention (``eval``, ``globals()``, ``%who``, unknown magics) asks for everything.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

from jupyter_mlops.runner.generators import may_stay_put
from jupyter_mlops.session.account import Account, is_ours
from jupyter_mlops.session.mentions import Mentions, mentions_of
from jupyter_mlops.session.session import Asked
from jupyter_mlops.session.state import EVERYTHING, State

OPAQUE_CALLS = frozenset({"exec", "eval", "globals", "locals", "compile", "__import__"})
OPAQUE_EMPTY = frozenset({"vars", "dir"})
"""Without an argument they show the namespace."""

OPAQUE_WORDS = frozenset({"__main__", "_getframe", "currentframe", "user_ns", "f_globals", "f_locals", "__globals__"})

TRANSPARENT_MAGICS = frozenset({
    "time", "timeit", "prun", "capture", "matplotlib", "load_ext", "reload_ext", "unload_ext", "env", "set_env", "cd", "pwd",
    "ls", "ll", "cat", "mkdir", "rmdir", "rm", "cp", "mv", "sx", "system", "sc", "bash", "sh", "script", "writefile", "pip",
    "conda", "mamba", "uv", "config", "precision", "autosave", "html", "HTML", "javascript", "js", "latex", "markdown", "svg",
    "SVG", "mlops", "step", "autoreload", "alias", "bookmark", "colors", "xmode", "lsmagic", "magic", "quickref", "pinfo",
    "pinfo2", "psearch", "pdoc", "pdef", "psource", "pfile", "pycat", "less", "more", "man", "automagic", "autoawait", "pushd",
    "popd", "dirs", "dhist", "perl", "ruby", "python", "python2", "python3", "pypy", "tb", "debug", "pdb", "mprun", "memit",
    "lprun", "snakeviz", "watermark", "history", "hist", "page", "gui", "logstart", "logstop", "doctest_mode", "pprint",
})  # fmt: skip
"""Magics that see no more of the namespace than the names in their arguments."""

_IDENTIFIER = re.compile(r"[A-Za-z_]\w*")


def asked_by(sources: list[str], shell: Any, known: Iterable[str] = ()) -> Asked:
    """What these cells ask for, taken together. A cell that does not parse asks for what its words say.

    ``known`` are names that earlier steps bound. They are not there yet, and IPython would take ``store["df"]`` or ``mv[0]``
    for a magic of that name where the notebook has a variable.
    """
    mentions, everything = Mentions(), False
    for source in sources:
        with _bound(shell.user_ns, {*known, *mentions.stores}):
            text = shell.transform_cell(source)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(text)
                code = compile(text, "<cell>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        except (SyntaxError, ValueError):
            continue  # it stops the step when its turn comes
        found = _Reader()
        found.visit(tree)
        everything = everything or found.everything
        mentions = mentions | mentions_of(code) | Mentions(loads=frozenset(found.words))
    return Asked(mentions, everything)


def what_was_asked(account: Account, before: State, asked: Asked, sources: Iterable[str], namespace: Mapping[str, Any]) -> Account:
    """The account of a step with what its cells, and the functions and classes that came to it, asked for.

    A name that the cells surely bind before they read it is not asked for: it does not matter who else bound it. One that is
    there at the end and did not arrive was bound here; where its value is an equal one, no digest shows it. One that they delete
    is gone at the end, whoever else bound it. One that is only imported once more is told apart from these (``again``): where steps
    lie beside each other it is there all the same. A generator that was seeded or put back did not move, though the step depends on
    where others left it, or overrules them: such cells ask for everything.
    """
    sources = [*sources]
    names = (set(asked.mentions.loads) - bound_first(sources)) | asked.mentions.deletes
    for digest in {*account.delivered.values()} & before.components.keys():
        names |= {*before.components[digest].mentions}
    kept = {name for name in before.names if name in namespace and name not in account.delivered and is_ours(name)}
    again = (kept & _imported(sources) & bound_first(sources)) - names - {*account.changed}
    names |= kept
    came = [namespace[name] for name in account.delivered if name in namespace]
    everything = asked.everything or EVERYTHING in names or may_stay_put(sources, came)
    return replace(account, asked=tuple(sorted(names - {EVERYTHING})), again=tuple(sorted(again)), everything=everything)


def bound_first(sources: Iterable[str]) -> set[str]:
    """Names that a plain statement at the top of a cell binds before anything mentions them; up to a cell that is no Python.

    Words of texts are mentions, too: ``!head $path``, ``"y ~ x"``.
    """
    bound: set[str] = set()
    seen: set[str] = set()
    for statement in _statements(sources):
        nodes = [*ast.walk(statement)]
        targets = statement.targets if isinstance(statement, ast.Assign) else []
        seen |= {node.id for node in nodes if isinstance(node, ast.Name) and node not in targets}
        seen |= {name for node in nodes if isinstance(node, (ast.Global, ast.Nonlocal)) for name in node.names}
        for node in nodes:
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                seen.update(_IDENTIFIER.findall(node.value))
        bound |= (_imports(statement) | {target.id for target in targets if isinstance(target, ast.Name)}) - seen
    return bound


def _statements(sources: Iterable[str]) -> Iterator[ast.stmt]:
    """Statements at the top of the cells, as IPython transforms them; up to a cell that is no Python."""
    from IPython.core.inputtransformer2 import TransformerManager

    with suppress(SyntaxError, ValueError):
        for source in sources:
            yield from ast.parse(TransformerManager().transform_cell(source)).body


def _imports(statement: ast.stmt) -> set[str]:
    """Names that an import binds; of another statement none."""
    if not isinstance(statement, (ast.Import, ast.ImportFrom)):
        return set()
    return {alias.asname or alias.name.partition(".")[0] for alias in statement.names}


def _imported(sources: Iterable[str]) -> set[str]:
    """Names that imports at the top of the cells bind."""
    return {name for statement in _statements(sources) for name in _imports(statement)}


@contextmanager
def _bound(namespace: dict[str, Any], names: set[str]) -> Iterator[None]:
    """Let names be there for a moment."""
    added = names - set(namespace)
    namespace.update(dict.fromkeys(added))
    try:
        yield
    finally:
        for name in added:
            del namespace[name]


class _Reader(ast.NodeVisitor):
    """Finds magics and opaque code in a transformed cell."""

    def __init__(self) -> None:
        self.everything = False
        self.words: set[str] = set()

    def visit_Call(self, node: ast.Call) -> None:
        method = _shell_method(node)
        if method is not None:
            self._shell_call(method, node)
            return
        if isinstance(node.func, ast.Attribute) and node.args and not isinstance(node.args[0], ast.Constant):
            self.everything = self.everything or _evaluates(node.func, node.args[0])
        if isinstance(node.func, ast.Name) and node.func.id in OPAQUE_EMPTY and not (node.args or node.keywords):
            self.everything = True
        self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        if node.id in OPAQUE_CALLS or node.id in OPAQUE_WORDS or node.id == "get_ipython":
            self.everything = True

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.everything = self.everything or node.attr in OPAQUE_WORDS
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        if isinstance(node.left, ast.Name) and node.left.id == "__name__":
            return
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        self.everything = self.everything or node.value == "__main__"

    def visit_Import(self, node: ast.Import) -> None:
        self.everything = self.everything or any(alias.name == "__main__" for alias in node.names)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        self.everything = self.everything or node.module == "__main__"

    def _shell_call(self, method: str, node: ast.Call) -> None:
        texts = [part.value for part in node.args if isinstance(part, ast.Constant) and isinstance(part.value, str)]
        if len(texts) != len(node.args):
            self.everything = True
        if method in {"run_line_magic", "run_cell_magic"}:
            name, *texts = texts or [""]
            self.everything = self.everything or name not in TRANSPARENT_MAGICS
        elif method not in {"system", "getoutput", "getoutput_simple", "set_next_input"}:
            self.everything = True
        for text in texts:
            words = set(_IDENTIFIER.findall(text))
            self.words |= words
            self.everything = self.everything or bool(words & (OPAQUE_CALLS | OPAQUE_WORDS) and method != "system")


def _evaluates(function: ast.Attribute, text: ast.expr) -> bool:
    """Whether a method looks names of its caller up in a text that only the run knows: ``pd.eval``, ``numexpr.evaluate``.

    A query may be the value of a variable, whose text is looked at when it arrives; one that is put together here is not.
    """
    owner = function.value.id if isinstance(function.value, ast.Name) else ""
    if function.attr == "query":
        parts = text.values if isinstance(text, ast.JoinedStr) else []
        at = any(isinstance(part, ast.Constant) and str(part.value).endswith("@") for part in parts)
        return at or isinstance(text, (ast.BinOp, ast.Call))
    return function.attr == "eval" or (function.attr == "evaluate" and owner in {"ne", "numexpr"})


def _shell_method(node: ast.Call) -> str | None:
    """Name of the method in ``get_ipython().method(…)``."""
    call = node.func.value if isinstance(node.func, ast.Attribute) else None
    if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "get_ipython":
        return str(node.func.attr)  # type: ignore[attr-defined]
    return None
