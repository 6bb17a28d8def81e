"""What a cell may do that no state holds: a shell, the network, a database, a file anywhere, a question.

Only a cell without any of it may be tried before its turn, or beside another step: what is discarded must leave nothing behind.
So it is a list of what is known to stay inside; a module that is not on it may act outside.
"""

# ruff: noqa: SIM905 - tables of words read better as text

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from jupyter_mlops.dataflow.facts import CellFacts
from jupyter_mlops.dataflow.table import table
from jupyter_mlops.pipeline.walks import UNREADABLE, Walk

INSIDE = frozenset(
    """__future__ abc array ast base64 binascii bisect builtins calendar cmath collections colorsys contextlib copy csv
    dataclasses datetime decimal difflib enum errno fnmatch fractions functools gc glob gzip hashlib heapq html inspect io
    itertools json keyword linecache locale math numbers operator os pathlib pickle platform pprint queue random re reprlib
    secrets statistics string struct sys textwrap time timeit tokenize traceback types typing typing_extensions unicodedata
    uuid warnings weakref zlib zoneinfo IPython PIL altair bokeh catboost category_encoders cupy cv2 imblearn jax joblib
    keras lightgbm matplotlib mlxtend networkx nltk numba numpy optuna pandas patsy plotly polars prophet pyarrow scipy
    seaborn shap skimage sklearn spacy statsmodels sympy tabulate tensorflow tensorflow_datasets tokenizers torch torchaudio
    torchvision tqdm transformers umap xgboost yaml""".split()
)
"""Modules that act on values, the process and named files, and on nothing else unless a name below says so."""

GUARDED = frozenset({"os", "sys"})
"""Modules of which only these names stay inside:"""

HARMLESS = re.compile(
    r"os\.(?:path(?:\.\w+)*|environ(?:\.get|\.items|\.keys)?|getenv|getcwd|listdir|walk|scandir|stat|sep|linesep|name|cpu_count"
    r"|fspath|PathLike|getpid|curdir|pardir|extsep|devnull)"
    r"|sys\.(?:version\w*|version_info(?:\.\w+)*|executable|platform|maxsize|getsizeof|byteorder|modules|argv|float_info\.\w+"
    r"|float_info|stdout|stderr|stdout\.flush|implementation\.name)"
)
OUTSIDE = re.compile(
    r"builtins\.(?:input|exec|eval|compile|__import__|breakpoint|get_ipython|globals|exit|quit)"
    r"|torch\.(?:hub|distributed)(?:\..*)?|pandas\.(?:io|read_sql\w*|read_gbq|read_clipboard)(?:\..*)?"
    r"|transformers\.(?:pipeline|Trainer)|nltk\.download\w*|IPython\.(?:get_ipython|core\..*)|joblib\.(?:dump|Memory)|pickle\.dump"
    r"|plotly\.io\.(?:write_\w+|show)|optuna\.storages(?:\..*)?|tensorflow\.(?:distribute|io)(?:\..*)?|io\.open\w*|gzip\.open"
    r"|tensorflow_datasets\..*|sklearn\.datasets\.fetch_\w+|seaborn\.load_dataset|torchvision\.datasets(?:\..*)?"
)
"""Names that act outside, or reach what does; what downloads keeps a cache in the home folder."""

METHODS = frozenset(
    """to_sql to_gbq to_clipboard push_to_hub upload unlink rename replace_file mkdir makedirs rmdir touch symlink_to
    hardlink_to chmod lchmod write_text write_bytes open execute executemany commit post patch send sendall
    connect savefig""".split()
)
READING = frozenset({"r", "rb", "rt", "U"})
REMOTE = re.compile(r"(?!https?://|file://)[A-Za-z][\w+.-]*://")
"""Text that names a place which is not only read: a bucket, a database."""

MAGICS = frozenset({"matplotlib", "autoreload", "who", "whos", "pwd", "ls"})
"""Magics that stay inside."""


def outward(facts: CellFacts, walk: Walk) -> str:
    """Why a cell may act outside, as the end of a sentence; '' where it surely does not, or only in its own folder's reading."""
    return next(_reasons(facts, walk), "")


def _reasons(facts: CellFacts, walk: Walk) -> Iterator[str]:
    doubts = [*facts.doubts, *(doubt for bind in facts.defs.values() if bind.code for doubt in bind.code.doubts)]
    yield from (f"it uses {doubt.what}" for doubt in doubts)
    yield from (f"it asks with {question.name}" for question in facts.questions)
    if facts.writes_files or facts.makes_files:
        yield f"it writes {', '.join(sorted(facts.writes_files)) or 'files'}"
    yield from ("it runs a shell command" if magic == UNREADABLE else f"it runs %{magic}" for magic in sorted(walk.magics - MAGICS))
    yield from (f"it uses the module {module}" for module in sorted(walk.modules) if module.partition(".")[0] not in INSIDE)
    yield from (f"it uses {path.removeprefix('builtins.')}" for path in sorted(walk.paths) if not _inside(path))
    yield from (f"it calls {method}" for method in sorted(walk.methods) if method in METHODS or _writes(method))
    yield from ("it opens a file to write" for mode in walk.modes if mode not in READING)
    yield from (f"it names {text[:60]}" for text in sorted(walk.texts) if REMOTE.match(text))


@cache
def _inside(path: str) -> bool:
    module = path.partition(".")[0]
    if module in GUARDED:
        return HARMLESS.fullmatch(path) is not None
    if OUTSIDE.fullmatch(path) or (path.endswith(".*") and module not in INSIDE):
        return False
    owner, _, name = path.rpartition(".")
    return module in INSIDE and not any(effect.kind == "writes" for effect in table().of(owner, name))


@cache
def _writes(method: str) -> bool:
    """Whether any class of the table writes a file by this method."""
    return "writes" in table().known("", method)
