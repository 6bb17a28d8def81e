"""Laws of the analysis on generated programs: its names are the compiler's names, and it never fails on what parses."""

from __future__ import annotations

import ast
import builtins
import dis
import symtable
import types

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_mlops.dataflow.link import analyse
from jupyter_mlops.dataflow.names import BUILTINS
from jupyter_mlops.dataflow.scopes import Scopes
from jupyter_mlops.notebook.document import Cell
from tests.unit.laws import law

NAMES = st.sampled_from(["a", "b", "c", "d", "e", "print", "len"])
ATOMS = st.one_of(NAMES, st.sampled_from(["1", "'s'", "None"]))


def joined(*parts: st.SearchStrategy[str], form: str) -> st.SearchStrategy[str]:
    return st.tuples(*parts).map(lambda found: form.format(*found))


EXPRESSIONS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        joined(inner, inner, form="({} + {})"),
        joined(NAMES, inner, form="{}({})"),
        joined(inner, form="[{}]"),
        joined(NAMES, inner, form="{}[{}]"),
        joined(NAMES, form="{}.attr"),
        joined(inner, NAMES, inner, form="[{} for {} in {}]"),
        joined(inner, NAMES, NAMES, inner, form="{{{}: {} for {} in {}}}"),
        joined(NAMES, inner, inner, form="(lambda {}, z={}: {})"),
        joined(inner, inner, inner, form="({} if {} else {})"),
        joined(NAMES, inner, form="({} := {})"),
        joined(inner, inner, form="({} and {})"),
    ),
    max_leaves=5,
)


def indented(block: str) -> str:
    return "\n".join("    " + line for line in block.split("\n"))


def compound(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    body = st.lists(inner, min_size=1, max_size=3).map(lambda lines: indented("\n".join(lines)))
    return st.one_of(
        joined(EXPRESSIONS, body, body, form="if {}:\n{}\nelse:\n{}"),
        joined(NAMES, EXPRESSIONS, body, form="for {} in {}:\n{}"),
        joined(EXPRESSIONS, body, form="while {}:\n{}"),
        joined(body, NAMES, body, form="try:\n{}\nexcept ValueError as {}:\n{}"),
        joined(EXPRESSIONS, NAMES, body, form="with {} as {}:\n{}"),
        joined(NAMES, NAMES, EXPRESSIONS, body, form="def {}({}, y={}):\n{}"),
        joined(NAMES, NAMES, NAMES, body, form="def {}({}):\n    global q_{}\n{}"),
        joined(NAMES, EXPRESSIONS, body, form="class {}({}):\n{}"),
    )


STATEMENTS = st.recursive(
    st.one_of(
        joined(NAMES, EXPRESSIONS, form="{} = {}"),
        joined(NAMES, EXPRESSIONS, form="{} += {}"),
        joined(NAMES, EXPRESSIONS, EXPRESSIONS, form="{}[{}] = {}"),
        joined(NAMES, EXPRESSIONS, form="{}: {} = 1"),
        joined(NAMES, form="import {}"),
        joined(NAMES, form="del {}"),
        EXPRESSIONS,
    ),
    compound,
    max_leaves=8,
)
PROGRAMS = st.lists(STATEMENTS, min_size=1, max_size=5).map("\n".join)


def compiles(source: str) -> bool:
    try:
        compile(source, "<cell>", "exec")
    except SyntaxError:
        return False
    return True


@pytest.mark.slow
@settings(law, max_examples=60)
@given(PROGRAMS.filter(compiles))
def test_a_function_reads_the_names_that_the_compiler_loads(source: str) -> None:
    """For each def and lambda: names by symtable are the LOAD_GLOBAL of its byte code and of the code in it."""
    tree, scopes = ast.parse(source), Scopes(source)
    nodes = [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.Lambda))]
    codes = list(code_objects(compile(source, "<cell>", "exec", dont_inherit=True)))
    for node in nodes:
        name = "<lambda>" if isinstance(node, ast.Lambda) else node.name
        first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
        same = [code for code in codes if code.co_name == name and code.co_firstlineno == first]
        if len(same) != 1:  # two on one line cannot be told apart from outside
            continue
        free = scopes.free(node)
        loaded, stored = global_names(same[0])
        assert loaded <= free.reads | free.unsure, (source, name)
        assert stored == free.writes, (source, name)


def code_objects(code: types.CodeType) -> list[types.CodeType]:
    return [code, *(deep for inner in code.co_consts if isinstance(inner, types.CodeType) for deep in code_objects(inner))]


def global_names(code: types.CodeType) -> tuple[set[str], set[str]]:
    loaded, stored = set(), set()
    for inner in code_objects(code):
        for instruction in dis.get_instructions(inner):
            if instruction.opname == "LOAD_GLOBAL" or (instruction.opname == "LOAD_NAME" and inner is not code):
                loaded.add(instruction.argval)
            elif instruction.opname == "STORE_GLOBAL":
                stored.add(instruction.argval)
    own = {name for inner in code_objects(code) for name in inner.co_varnames + inner.co_cellvars} if code.co_flags & 2 else set()
    return {name for name in loaded if not name.startswith("__")} - own, stored


@pytest.mark.slow
@settings(law, max_examples=60)
@given(PROGRAMS.filter(compiles))
def test_a_cell_binds_and_reads_only_names_of_its_symbol_table(source: str) -> None:
    """What the compiler calls assigned at the top of the cell is bound; what it calls referenced anywhere bounds what is read."""
    facts = analyse([Cell(0, "code", source)]).facts[0]
    top = symtable.symtable(source, "<cell>", "exec")
    assigned = {s.get_name() for s in top.get_symbols() if s.is_assigned() or s.is_imported() or s.is_namespace()}
    written = {s.get_name() for table in tables(top) for s in table.get_symbols() if s.is_declared_global()}
    referenced = {s.get_name() for table in tables(top) for s in table.get_symbols() if s.is_referenced()}
    augmented = {
        n.target.id for n in ast.walk(ast.parse(source)) if isinstance(n, ast.AugAssign) and isinstance(n.target, ast.Name)
    }
    deleted = {t.id for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Delete) for t in n.targets if isinstance(t, ast.Name)}
    assert facts.defs.keys() <= assigned | written
    assert facts.refs | facts.closure_refs | facts.type_refs <= referenced | augmented | deleted


def tables(table: symtable.SymbolTable) -> list[symtable.SymbolTable]:
    return [table, *(deep for inner in table.get_children() for deep in tables(inner))]


@pytest.mark.slow
@settings(law, max_examples=60)
@given(st.lists(PROGRAMS, min_size=1, max_size=5))
def test_links_point_down_and_carry_what_the_source_binds(sources: list[str]) -> None:
    found = analyse([Cell(2 * index, "code", source) for index, source in enumerate(sources)])
    facts = {cell.cell: cell for cell in found.facts}
    assert list(facts) == [2 * index for index in range(len(sources))]
    for flow in found.flows:
        assert flow.source < flow.target
        assert flow.names
        source = facts[flow.source]
        assert flow.names <= source.defs.keys() | source.mutations
    for cell, names in found.unresolved.items():
        assert not names & (BUILTINS | set(dir(builtins)))
        assert names <= facts[cell].refs | facts[cell].closure_refs | facts[cell].type_refs
    assert found == analyse([Cell(2 * index, "code", source) for index, source in enumerate(sources)])


@pytest.mark.slow
@settings(law, max_examples=60)
@given(
    st.lists(
        st.text(max_size=40)
        | PROGRAMS
        | st.sampled_from(["%", "%%", "!", "?", "%%time", "%time", "%%x\n", "!{", "x?", "%run", "%%writefile"]),
        max_size=4,
    )
)
def test_nothing_that_a_person_writes_is_a_crash(sources: list[str]) -> None:
    found = analyse([Cell(index, "code", source) for index, source in enumerate(sources)])
    for diagnostic in found.diagnostics:
        lines = sources[diagnostic.cell or 0].replace("\r\n", "\n").replace("\r", "\n").split("\n")
        assert diagnostic.line is None or 1 <= diagnostic.line <= len(lines)
