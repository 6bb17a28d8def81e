"""Generate ``jupyter_mlops/dataflow/effects.txt``: what the calls of notebooks do to their receiver, arguments, files and process.

    python scripts/effects.py [--torch FOLDER] [--check]

Sources: typeshed (inside mypy) for the standard library, numpy's stubs, docstrings and signatures, the annotated sources of
pandas, scikit-learn and matplotlib, and torch's operator schemas, which say for each argument whether it is changed or shared.
Nothing of it is needed when the product runs. The result is data: read its difference as one reads code. torch is large, so an
unpacked wheel serves (``--torch``); a library that is not there keeps the part that is committed. ``--check`` compares only.
"""

# ruff: noqa: SIM905 - tables of words read better as text

from __future__ import annotations

import argparse
import ast
import importlib.util
import inspect
import re
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from effects_read import Call, Owner, inherit, live_class, live_functions, source, stub
from effects_reviewed import (
    ARTIST_READS,
    DRAWS,
    NUMPY,
    NUMPY_CLASSES,
    NUMPY_MAKERS,
    PANDAS,
    PYPLOT,
    REVIEWED,
    SKLEARN,
    STANDARD,
    TORCH_CLASSES,
    TORCH_FUNCTIONS,
    TORCH_STUBS,
)  # fmt: skip

TABLE = Path(__file__).parents[1] / "jupyter_mlops/dataflow/effects.txt"
WORDS = ("changes", "takes", "inplace", "out", "argument", "shares", "reads", "writes", "process", "draws", "gives", "pure")
"""The order in which effects are written; ``effects.txt`` opens by saying what each means."""

PATHS = frozenset(
    """path path_or_buf path_or_buffer filepath_or_buffer filepath file filename fname io excel_writer f fp fpath fid src dst
    filepath_or_buf""".split()
)
READS = re.compile(r"read_?|load|open|from_?|imread|genfrom|memmap|fetch")
WRITES = re.compile(r"to_|tofile|save|dump|write|imsave|mkdir|makedirs|touch|copy|move")
LISTS = re.compile(r"Mutable(?:Sequence|Mapping)|\blist\[|\bList\[|Supports(?:Next|Write|DunderSet)|NDArray|ndarray|ArrayLike")
DISTRIBUTIONS = {"sklearn": "scikit-learn"}
KINDS: Mapping[str, str] = {
    "DataFrame": "DataFrame", "Series": "Series", "NDArray": "ndarray", "ndarray": "ndarray", "Figure": "Figure", "Axes": "Axes",
    "Generator": "Generator", "Connection": "Connection",
}  # fmt: skip
"""Annotation → class of the same library whose effects matter to whoever keeps the result."""

STORES = frozenset("append extend insert add update pop popitem remove clear discard setdefault sort reverse appendleft".split())
VIEW = re.compile(r"(?i)\b(?:returns? (?:an?|the)?[^.]{0,40}\bview\b|view (?:of|into)|new view object|a view\b)")


# -- judging ---------------------------------------------------------------------------------------------------------------


def stores_into_self(call: Call, others: Mapping[str, bool]) -> bool:
    """Whether a body changes ``self``: a store, a change of something it holds, or a method of its own that does so."""
    for node in (inner for part in call.body for inner in ast.walk(part)):
        if isinstance(node, (ast.Attribute, ast.Subscript)) and not isinstance(node.ctx, ast.Load) and _of_self(node):
            return True
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _of_self(node.func):
            deep = isinstance(node.func.value, ast.Attribute)
            if (deep and node.func.attr in STORES) or (not deep and others.get(node.func.attr, False)):
                return True
    return False


def _of_self(node: ast.expr) -> bool:
    """``self.a.b[c]``, but no cache: ``self._cache`` and the like are nobody's result."""
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        if isinstance(node, ast.Attribute) and "cache" in node.attr:
            return False
        node = node.value
    return isinstance(node, ast.Name) and node.id == "self"


def changing(owner: Owner) -> dict[str, bool]:
    """Method → whether its body changes ``self``, through methods of its own too."""
    found = dict.fromkeys(owner.calls, False)
    while True:
        more = [name for name, call in owner.calls.items() if not found[name] and stores_into_self(call, found)]
        if not more:
            return found
        found |= dict.fromkeys(more, True)


def effects_of(owner: Owner, call: Call, *, changes: bool) -> list[tuple[str, str]]:
    """(effect, word in the table) for a call."""
    reviewed = REVIEWED.get(f"{owner.name}.{call.name}") or REVIEWED.get(f"*.{call.name}" if owner.is_class else "")
    if reviewed:
        return [(word, call.name + at + place) for word, at, place in (part.partition("@") for part in reviewed.split())]
    names = [name for name, _ in call.parameters]
    found = [("inplace", call.name)] if "inplace" in names else []
    if "out" in names:
        found.append(("out", f"{call.name}@{names.index('out')}:out"))
    nothing = call.returns in {"None", "NoReturn"} and not owner.name.startswith("pathlib.")  # a path changes the disk, not itself
    found += list(_files(call)) or ([] if owner.is_class else list(_arguments(call, nothing=nothing)))
    if found:
        return found
    if call.attribute:
        return [("shares", call.name)] if owner.name.startswith("numpy.") and VIEW.search(_first(call.doc)) else []
    if not owner.is_class:
        return [("process", call.name)] if nothing and owner.name != "builtins" else [("pure", call.name)]
    if changes or (call.stub and nothing):
        gives = call.returns not in {"None", ""} or (not call.returns and any(_gives(call)))
        return [("takes" if gives else "changes", call.name)]
    return [("shares" if owner.name.startswith("numpy.") and VIEW.search(_first(call.doc)) else "pure", call.name)]


def _gives(call: Call) -> Iterator[bool]:
    return (isinstance(node, ast.Return) and node.value is not None for part in call.body for node in ast.walk(part))


def _first(doc: str) -> str:
    """What a docstring says before its examples and cross references, and of what it returns."""
    return re.split(r"\n\s*(?:See Also|Notes|Examples|Parameters|References)\s*\n", doc)[0]


def _files(call: Call) -> Iterator[tuple[str, str]]:
    for place, (name, annotation) in enumerate(call.parameters):
        opened = re.match(r"_?Supports|IO\b|TextIO|BinaryIO", annotation)  # a file that somebody opened
        if name in PATHS and not opened and (not annotation or re.search(r"str|Path|AnyStr|FileDescriptor|FName", annotation)):
            word = "reads" if READS.match(call.name) else "writes" if WRITES.match(call.name) else ""
            if word:
                yield word, f"{call.name}@{place}:{name}"
                return


def _arguments(call: Call, *, nothing: bool) -> Iterator[tuple[str, str]]:
    """A stub that asks for a list where it could take any sequence says that it changes it."""
    for place, (name, annotation) in enumerate(call.parameters):
        strict = re.match(r"(?:MutableSequence|MutableMapping|list|SupportsNext|SupportsWrite)\b", annotation)
        if call.stub and (strict or (nothing and place == 0 and LISTS.search(annotation))):
            yield "argument", f"{call.name}@{place}:{name}"
            return


# -- libraries -------------------------------------------------------------------------------------------------------------


def standard() -> list[Owner]:
    """Modules of the standard library that notebooks use, from typeshed."""
    spec = importlib.util.find_spec("mypy")
    folder = Path(spec.origin or "").parent / "typeshed/stdlib" if spec else Path()
    found: list[Owner] = []
    for module in STANDARD:
        path = folder / module.replace(".", "/")
        file = path / "__init__.pyi" if path.is_dir() else path.with_suffix(".pyi")
        found += stub(file, module)
    found += streams(found, "random.Random", "random")
    return [owner for owner in inherit(found) if not owner.name.startswith("typing.")]


def streams(owners: Iterable[Owner], kind: str, module: str) -> list[Owner]:
    """``random.random`` and ``numpy.random.normal`` are methods of one generator that the module holds."""
    return [Owner(module, dict(owner.calls), is_class=False) for owner in owners if owner.name == kind]


def numpy() -> list[Owner]:
    """numpy: functions from its stubs, what an array shares from its docstrings."""
    import numpy as np

    folder = Path(np.__file__).parent
    found: dict[str, Owner] = {}
    for pattern, module in NUMPY.items():
        public = frozenset(dir(__import__(module, fromlist=["x"])))
        for path in sorted(folder.glob(pattern)):
            for owner in stub(path, module, public) if path.stem not in {"defchararray", "strings"} else ():
                kept = found.setdefault(owner.name, owner)
                kept.calls |= owner.calls
    for owner in found.values():
        last = owner.name.rpartition(".")[2]
        kind = getattr(np, last) if last in NUMPY_CLASSES and hasattr(np, last) else None
        for name, call in owner.calls.items():
            call.doc = inspect.getdoc(getattr(kind, name, None)) or "" if kind else ""
    for name in NUMPY_MAKERS:
        found["numpy"].calls.setdefault(name, Call(name, stub=True)).returns = "NDArray"
    for name, item in vars(np).items():
        if isinstance(item, np.ufunc):
            places = (*((f"x{place}", "") for place in range(item.nin)), ("out", ""))
            found["numpy"].calls[name] = Call(name, places, "NDArray", stub=True)
    owners = [*found.values(), *streams(found.values(), "numpy.random.RandomState", "numpy.random")]
    return [owner for owner in inherit(owners) if not owner.is_class or owner.name.rpartition(".")[2] in NUMPY_CLASSES]


def pandas() -> list[Owner]:
    """pandas: its annotated sources."""
    import pandas as pd

    found = [live_class(getattr(pd, name), f"pandas.{name}") for name in PANDAS]
    found += [live_class(getattr(pd.api.typing, name), f"pandas.{name}") for name in ("DataFrameGroupBy", "SeriesGroupBy")]
    return [*found, live_functions(pd, "pandas", dir(pd))]


def sklearn() -> list[Owner]:
    """scikit-learn: every estimator, and the functions of the modules that notebooks import."""
    from sklearn.utils import all_estimators

    found = [live_class(kind, f"sklearn.{name}") for name, kind in sorted(all_estimators())]
    for module in SKLEARN:
        room = __import__(f"sklearn.{module}", fromlist=["x"])
        found.append(live_functions(room, f"sklearn.{module}", getattr(room, "__all__", ())))
    return found


def matplotlib() -> list[Owner]:
    """matplotlib: artists, and the functions of pyplot that touch files."""
    import matplotlib as mpl
    import matplotlib.axes
    import matplotlib.figure
    from matplotlib import pyplot as plt

    kinds = {"matplotlib.Figure": mpl.figure.Figure, "matplotlib.Axes": mpl.axes.Axes, "matplotlib.Artist": mpl.artist.Artist}
    found = [live_class(kind, name) for name, kind in kinds.items()]
    shown = live_functions(plt, "matplotlib.pyplot", PYPLOT)
    shown.calls["subplots"].returns = "Axes"  # and its figure, which the axes know
    return [*found, shown, live_functions(mpl, "matplotlib", ("use", "rc", "rcdefaults"))]


def torch(folder: Path) -> dict[str, dict[str, set[str]]]:
    """torch: for each operator its schema, ``Tensor(a!)`` is changed and ``Tensor(a)`` shared; modules from their sources."""
    table: dict[str, dict[str, set[str]]] = {"torch.Tensor": {}, "torch": {}}
    text = (folder / "torchgen/packaged/ATen/native/native_functions.yaml").read_text(encoding="utf-8")
    schemas = re.findall(r"^- func: (\w+)(?:\.\w+)?\((.*)\) -> (.*)$", text, re.MULTILINE)
    blocks = re.findall(r"^- func: (\w+)(.*(?:\n(?!- func).*)*)", text, re.MULTILINE)
    methods = {name for name, block in blocks if re.search(r"\n  variants: .*method", block)}
    known: dict[str, set[str]] = {}
    stubs = "".join((folder / f"torch/_C/{file}").read_text(encoding="utf-8") for file in TORCH_STUBS)
    public = set(re.findall(r"^\s*def ([a-z]\w*)\(", stubs, re.MULTILINE))
    for name, parameters, gives in schemas:
        if name in public and not name.endswith(("_copy", "_backward")):
            first = parameters.split(",")[0]
            known.setdefault(name, set()).add(
                "takes" if "!)" in first else "shares" if re.search(r"\(\w(?: -> \*)?\)", first) and "(" in gives else "pure"
            )
    for name, words in known.items():
        word = next(word for word in ("takes", "shares", "pure") if word in words)
        owner = "torch.Tensor" if name in methods else "torch"
        if owner == "torch.Tensor" or word == "pure":
            table[owner].setdefault(word if owner == "torch.Tensor" or word == "pure" else "argument", set()).add(name)
    for path, module, kinds in TORCH_CLASSES:
        for owner in source(folder / path, module, kinds):
            table |= judged([owner])
    for effect, words in TORCH_FUNCTIONS.items():
        table["torch"].setdefault(effect, set()).update(words)
    return table


def judged(owners: Iterable[Owner]) -> dict[str, dict[str, set[str]]]:
    """Owner → effect → words."""
    table: dict[str, dict[str, set[str]]] = {}
    for owner in owners:
        changes = changing(owner)
        rows = table.setdefault(owner.name, {})
        for name, call in owner.calls.items():
            if name[0] == "_":
                continue
            for effect, word in effects_of(owner, call, changes=_by_kind(owner.name, call, changes=changes[name])):
                rows.setdefault("draws" if owner.name in DRAWS and effect in {"pure", "takes"} else effect, set()).add(word)
            kind = KINDS.get(re.split(r"[\[ |]", call.returns)[0].rpartition(".")[2]) if not owner.is_class else None
            if kind:
                rows.setdefault("gives", set()).add(f"{name}>{kind}")
    return table


def _by_kind(owner: str, call: Call, *, changes: bool) -> bool:
    """Conventions that whole libraries keep, before what a body shows.

    An artist may compute what it shows when it is asked, which nobody sees; all else sets something. An estimator changes when
    it is fitted or set, and what it stores while it predicts is a cache. What gives a new frame leaves the old one.
    """
    if owner.startswith("matplotlib."):
        return re.match(ARTIST_READS, call.name) is None
    if owner.startswith("sklearn."):
        return re.match(r"fit|partial_fit|set_|densify|sparsify|gibbs", call.name) is not None
    if owner.startswith("pandas."):
        return changes and call.returns == "None"
    return changes


# -- writing ---------------------------------------------------------------------------------------------------------------


def rendered(library: str, release: str, table: Mapping[str, Mapping[str, set[str]]]) -> str:
    """A library's part: owners with the same effects share one entry."""
    owners: dict[str, list[str]] = {}
    for name in sorted(table):
        rows = [f"    {word:8} {' '.join(sorted(table[name][word]))}" for word in WORDS if table[name].get(word)]
        text = "\n".join(
            textwrap.fill(row, 128, subsequent_indent=" " * 13, break_long_words=False, break_on_hyphens=False) for row in rows
        )
        if text:
            owners.setdefault(text, []).append(name)
    parts = [
        textwrap.fill(" ".join(names), 128, subsequent_indent="  ", break_long_words=False) + "\n" + text
        for text, names in sorted(owners.items(), key=lambda item: item[1])
    ]
    return f"[{library} {release}]\n" + "\n".join(parts) + "\n"


def parts(text: str) -> dict[str, str]:
    """Library → its part of the table."""
    found = re.split(r"^(?=\[)", text, flags=re.MULTILINE)[1:]
    return {part[1:].split(" ")[0]: part.rstrip("\n") + "\n" for part in found}


def generated(torch_folder: Path | None, only: str = "") -> dict[str, str]:
    """The parts of all libraries that are here, or of one."""
    found: dict[str, str] = {}
    if only in {"", "standard"}:
        found["standard"] = rendered("standard", f"mypy-{version('mypy')}", judged(standard()))
    for read in (numpy, pandas, sklearn, matplotlib):
        name = read.__name__
        if only in {"", name} and importlib.util.find_spec(name):
            found[name] = rendered(name, version(DISTRIBUTIONS.get(name, name)), judged(read()))
    if torch_folder is not None:
        release = re.search(r"__version__ = '([^']+)'", (torch_folder / "torch/version.py").read_text(encoding="utf-8"))
        found["torch"] = rendered("torch", release[1] if release else "", torch(torch_folder))
    return found


def main() -> int:
    """Write the table, or say whether it is as the script makes it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--torch", type=Path, help="folder of an unpacked torch wheel")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    old = TABLE.read_text(encoding="utf-8") if TABLE.exists() else ""
    head = old.partition("\n[")[0] + "\n" if old else ""
    new = parts(old) | generated(options.torch)
    text = head + "\n" * (not head.endswith("\n\n")) + "\n".join(new[name] for name in sorted(new))
    if not options.check:
        TABLE.write_text(text, encoding="utf-8")
    print(f"{len(text) / 1024:.0f} KiB, {'as before' if text == old else 'changed'}")
    return int(options.check and text != old)


if __name__ == "__main__":
    raise SystemExit(main())
