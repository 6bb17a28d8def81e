"""Calls: what they change, which files they touch, whom they ask.

The effects of the notebook's own functions are known from their bodies; those of methods from tables; of the rest it is assumed
that a call whose result is thrown away was made to change something.
"""

# ruff: noqa: N802 - the names of visitors are ast.NodeVisitor's

from __future__ import annotations

import ast

from jupyter_mlops.dataflow import effects
from jupyter_mlops.dataflow.bindings import ARRAYS, root
from jupyter_mlops.dataflow.definitions import Definitions
from jupyter_mlops.dataflow.facts import Bind, Question
from jupyter_mlops.dataflow.quoted import quoted_names, tables_of, words_of
from jupyter_mlops.dataflow.table import Effect, table

EXPRESSIONS = frozenset({"eval", "evaluate", "dmatrix", "dmatrices"})
"""Functions and methods (pandas, numexpr, patsy) whose first argument is an expression over names of their caller."""

EVALUATORS = frozenset({"pandas.eval", "numexpr.evaluate"})
"""Those of which it is sure."""

QUERIES = frozenset({"sql", "sqldf", "execute", "query", "from_query"})
"""Those (duckdb, polars, pandasql) whose first argument is SQL over frames of their caller, or a part of it."""

FILE_ENDINGS = (ast.Name, ast.Attribute, ast.Subscript)


class Calls(Definitions):
    """Walks calls."""

    def visit_Expr(self, node: ast.Expr) -> None:
        """A call as a statement of its own throws its result away."""
        value = node.value.value if isinstance(node.value, ast.Await) else node.value
        if isinstance(value, ast.Call):
            self._call(value, discarded=True)
        else:
            self.visit(node.value)

    def visit_Call(self, node: ast.Call) -> None:
        """A call within an expression."""
        self._call(node, discarded=False)

    def _call(self, node: ast.Call, *, discarded: bool) -> None:
        self.at(node.lineno)
        if self.magic(node):
            return
        self.visit(node.func)
        for argument in node.args:
            self.visit(argument)
        for keyword in node.keywords:
            self.visit(keyword.value)
        self.at(node.lineno)
        name = called_name(node.func)
        self.draft.calls.add(name)
        if isinstance(node.func, ast.Attribute):
            self._method(node, name, root(node.func), discarded=discarded)
        elif isinstance(node.func, ast.Name):
            self._function_call(node, name, discarded=discarded)
        self._arguments(node, name)
        self._named_in_texts(node, name)
        self._files(node, name)
        self._asks(node, name)

    def magic(self, node: ast.Call) -> bool:
        """Whether the call is IPython syntax, and was walked as such."""
        raise NotImplementedError

    # -- effects -----------------------------------------------------------------------------------------------------------

    def _method(self, node: ast.Call, name: str, receiver: str | None, *, discarded: bool) -> None:
        """``receiver.name(…)``."""
        if receiver is None:
            return
        if self.is_module(receiver):
            if discarded and effects.sets_process(self.path_of(node.func), name):
                self.draft.setup.append(ast.unparse(node))
            return
        owner = node.func.value if isinstance(node.func, ast.Attribute) else node.func
        kind = self.kind_of(owner if isinstance(owner, ast.Name) else _holder(owner))
        if effects.changes_receiver(name, discarded=discarded, kind=kind) or _is_true(keyword(node, "inplace")):
            self.mutate(receiver)

    def path_of(self, function: ast.expr) -> str:
        """``numpy.random.seed`` for ``np.random.seed``: what an import, or the builtins, make of a name; ''."""
        if isinstance(function, ast.Attribute):
            base = self.path_of(function.value)
            return f"{base}.{function.attr}" if base else ""
        if not isinstance(function, ast.Name):
            return ""
        if self.is_builtin(function.id):
            return f"builtins.{function.id}"
        bind = self.bind_of(function.id)
        if bind is None or bind.code is None or bind.code.kind != "import":
            return ""
        module = bind.code.module
        return function.id if module.startswith(f"{function.id}.") else module.replace(":", ".")

    def kind_of(self, value: ast.expr) -> str:
        """Also what known functions and classes give, and views of arrays, which are arrays."""
        kind = table().class_of(self.path_of(value.func)) if isinstance(value, ast.Call) else super().kind_of(value)
        if not kind and isinstance(value, (ast.Call, ast.Attribute, ast.Subscript)):
            shown = root(value.func if isinstance(value, ast.Call) else value)
            bind = self.bind_of(shown) if shown else None
            if bind is not None and bind.kind in ARRAYS and bind.certain and self.view_of(value) == shown:
                return bind.kind
        return kind

    def view_of(self, value: ast.expr) -> str | None:
        """Through views of the table, slices of arrays and functions that hand their argument on."""
        shown, steps = self._shown(value)
        return shown if steps else None

    def _shown(self, node: ast.expr) -> tuple[str | None, int]:
        """(name, number of views on the way to it)."""
        if isinstance(node, ast.Name):
            return (None, 0) if self.is_module(node.id) else (node.id, 0)
        if isinstance(node, ast.Call):
            shares = [effect for effect in table().of(*_split(self.path_of(node.func))) if effect.kind == "shares"]
            if shares and shares[0].place >= 0:
                name, steps = self._shown(node.args[shares[0].place]) if node.args else (None, 0)
                return name, steps + 1
            return self._shown_by(node.func, called=True) if isinstance(node.func, ast.Attribute) else (None, 0)
        if isinstance(node, ast.Attribute):
            return self._shown_by(node, called=False)
        if isinstance(node, ast.Subscript):
            name, steps = self._shown(node.value)
            return (name, steps + 1) if steps or self.kind_of(node.value) in ARRAYS else (None, 0)
        return None, 0

    def _shown_by(self, node: ast.Attribute, *, called: bool) -> tuple[str | None, int]:
        name, steps = self._shown(node.value)
        if name is None or not effects.shows(node.attr, self.kind_of(node.value), called=called):
            return None, 0
        return name, steps + 1

    def _function_call(self, node: ast.Call, name: str, *, discarded: bool) -> None:
        """``name(…)``: the notebook's own functions are known, an unknown one called for its effect changes its arguments."""
        bind = self.bind_of(name)
        if bind is not None and bind.code is not None and bind.code.kind != "import":
            self._own_function(node, name, bind)
        elif discarded and (bind is None or bind.code is not None) and not self.is_builtin(name) and name not in self.shadow:
            for argument in node.args:
                changed = root(argument) if isinstance(argument, FILE_ENDINGS) else None
                if changed is not None and not self.is_module(changed):
                    self.mutate(changed)
        elif self.is_builtin(name) and (name in effects.NAMESPACE_READERS or (name == "vars" and not node.args)):
            self.doubt("dynamic", f"{name}()")

    def _own_function(self, node: ast.Call, name: str, bind: Bind) -> None:
        """A function of the notebook: what it does to its arguments and to names of the notebook."""
        code = bind.code
        if code is None:
            return
        for place, parameter in enumerate(code.params):
            if parameter not in code.mutates_params:
                continue
            given = node.args[place] if place < len(node.args) else keyword(node, parameter)
            if isinstance(given, FILE_ENDINGS):
                self.mutate(root(given))
        for changed in sorted(self._effects(name, "mutates")):
            self.read(changed, via=True)
            if changed not in self.must:
                self.draft.mutates.add(changed)
        for written in sorted(self._effects(name, "writes")):
            self.bind(written, certain=False)

    def _effects(self, name: str, which: str) -> set[str]:
        """Names that a call binds or changes, through all functions of the notebook that it may call."""
        found: set[str] = set()
        for inner in {name} | self._reachable(name):
            bind = self.bind_of(inner)
            if bind is not None and bind.code is not None:
                found |= bind.code.writes if which == "writes" else bind.code.mutates
        return found

    def _arguments(self, node: ast.Call, name: str) -> None:
        """Functions that are known to change an argument, and ``out=``."""
        place = effects.ARGUMENT_MUTATORS.get(name)
        known = effects.argument_effects(self.path_of(node.func))
        if place is not None and not known:
            known = [Effect("argument", place)]
        changed = [given for effect in known if (given := argument(node, effect)) is not None]
        for given in [*changed, keyword(node, "out")]:
            if isinstance(given, FILE_ENDINGS) and not self.is_module(root(given) or ""):
                self.mutate(root(given))

    # -- texts -------------------------------------------------------------------------------------------------------------

    def _named_in_texts(self, node: ast.Call, name: str) -> None:
        """Names in an expression, in SQL, and in a formula or query that a variable holds."""
        first = node.args[0] if node.args else None
        text = self._said(first)
        if name in EXPRESSIONS and text is not None:
            self.named(words_of(text))
        elif name in EXPRESSIONS and first is not None and self.path_of(node.func) in EVALUATORS:
            self.doubt("dynamic", f"{name}()")
        elif name in QUERIES and text is not None:
            self.named(tables_of(text))
        for given in [*node.args, *(k.value for k in node.keywords)]:
            if isinstance(given, ast.Name) and (held := self._text(given)):
                self.named(quoted_names(held))

    def _said(self, node: ast.expr | None) -> str | None:
        """The text that an expression is, with a word for each part of it that only a run knows."""
        if isinstance(node, ast.JoinedStr):
            return "".join(str(part.value) if isinstance(part, ast.Constant) else "_" for part in node.values)
        return self._text(node)

    # -- files -------------------------------------------------------------------------------------------------------------

    def _files(self, node: ast.Call, name: str) -> None:
        """Files with a literal or constant path."""
        receiver = node.func.value if isinstance(node.func, ast.Attribute) else None
        arguments: list[ast.expr] = list(node.args)
        if isinstance(receiver, ast.Call) and root(receiver.func) in effects.PATH_CLASSES:
            arguments = [receiver, *(node.args if name == "open" else ())]
        known = effects.file_effects(self.path_of(node.func), name) if name != "open" else []
        for effect in known:
            given = self._text(argument(node, effect))
            if given and effect.kind == "writes":
                self.draft.writes_files.add(given)
            elif given:
                self.asks_file(given)
        if known or not arguments:
            return
        path = self._text(arguments[0])
        if name == "open" and path:
            mode = self._text(arguments[1] if len(arguments) > 1 else keyword(node, "mode")) or "r"
            if set(mode) & set("wax+"):
                self.draft.writes_files.add(path)
            else:
                self.asks_file(path)
        elif name in effects.WRITERS and (written := path or next(filter(None, map(self._text, arguments)), None)):
            self.draft.writes_files.add(written)  # some take the path after what they write
        elif name in effects.READERS and path:
            self.asks_file(path)

    def _text(self, node: ast.expr | None) -> str | None:
        """The text that an expression surely is."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return node.value
        if isinstance(node, ast.Call) and root(node.func) in effects.PATH_CLASSES and len(node.args) == 1:
            return self._text(node.args[0])
        bind = self.bind_of(node.id) if isinstance(node, ast.Name) else None
        return bind.const if bind else None

    def unstorable(self, value: ast.expr) -> str:
        """Also what known calls return: files, locks, pools."""
        if isinstance(value, ast.Call):
            name = called_name(value.func)
            what = effects.OPENERS.get(name, "")
            if name == "open":
                return what if isinstance(value.func, ast.Name) and self.is_builtin("open") else ""
            return what if what and self._module_of(value.func) in effects.OPENER_MODULES else ""
        return super().unstorable(value)

    def _module_of(self, function: ast.expr) -> str:
        """The module that a called name was imported from; ''."""
        name = root(function)
        bind = self.bind_of(name) if name else None
        return bind.code.module.split(":")[0] if bind and bind.code else ""

    # -- questions ---------------------------------------------------------------------------------------------------------

    def _asks(self, node: ast.Call, name: str) -> None:
        """``input()`` and ``getpass()``: nobody is there to answer."""
        if name == "input" and isinstance(node.func, ast.Name) and self.is_builtin("input"):
            self.draft.questions.append(Question("input", self.context.line))
        elif name == "getpass":
            taken = root(node.func)
            if taken is not None and self._module_of(node.func) == "getpass":
                self.draft.questions.append(Question(taken, self.context.line))


def called_name(function: ast.expr) -> str:
    """Last part of what is called: ``fit`` of ``model.fit``."""
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def keyword(node: ast.Call, name: str) -> ast.expr | None:
    """Value of a keyword argument."""
    return next((k.value for k in node.keywords if k.arg == name), None)


def argument(node: ast.Call, effect: Effect) -> ast.expr | None:
    """The argument that an effect is about, given by place or by name."""
    if 0 <= effect.place < len(node.args):
        return node.args[effect.place]
    return keyword(node, effect.parameter) if effect.parameter else None


def _holder(node: ast.expr) -> ast.expr:
    """``axes`` of ``axes[0]``, whose elements are what its kind says; else the expression itself."""
    return node.value if isinstance(node, ast.Subscript) else node


def _split(path: str) -> tuple[str, str]:
    owner, _, name = path.rpartition(".")
    return owner, name


def _is_true(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is True
