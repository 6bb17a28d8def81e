"""Which of pygments' lexers a step brings along with IPython, and which it fetches only if a cell asks for one.

IPython highlights Python and the languages of its cell magics. The other lexers, one for each of some hundred languages, are
more than half of all that IPython needs; so they are a layer of their own, that no step fetches for nothing. Which are kept is read
off the packages: the classes that they name, and what those modules import.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

ROOM = "pygments/lexers/"
"""Folder of the lexers in the layer."""

_ALWAYS = frozenset({"__init__", "_mapping"})
_CLASS = re.compile(r"\b\w+Lexer\b")
_ENTRY = re.compile(r"^    '(\w+)': \('pygments\.lexers\.(\w+)'", re.MULTILINE)
_IMPORT = re.compile(r"\bfrom pygments\.lexers(?:\.(\w+))? import (\([^)]*\)|[^\n]*)|\bimport pygments\.lexers\.(\w+)")


def fetched_when_asked(files: Mapping[str, Path | bytes]) -> frozenset[str]:
    """Names in the layer of the lexers that nothing in it imports.

    Args:
        files: name in the layer → file, all of it.
    """
    lexers = {name for name in files if name.startswith(ROOM) and name.endswith(".py")}
    mapping = _text(files.get(f"{ROOM}_mapping.py", b""))
    modules = dict(_ENTRY.findall(mapping))
    if not modules:
        return frozenset()  # another pygments than is known here: all of it is brought along
    named = {word for name in files.keys() - lexers if name.endswith(".py") for word in _CLASS.findall(_text(files[name]))}
    kept = set(_ALWAYS) | {modules[word] for word in named & modules.keys()}
    waiting = list(kept)
    while waiting:
        text = _text(files.get(f"{ROOM}{waiting.pop()}.py", b""))
        fresh = set(_imported(text, modules)) - kept
        kept |= fresh
        waiting += fresh
    return frozenset(lexers - {f"{ROOM}{module}.py" for module in kept})


def _imported(text: str, modules: Mapping[str, str]) -> Iterable[str]:
    """Modules of lexers that a source imports; by the classes where it names these."""
    for module, names, plain in _IMPORT.findall(text):
        if module or plain:
            yield module or plain
        else:
            words = re.findall(r"\w+", names)
            yield from (modules.get(word, word) for word in words)


def _text(file: Path | bytes) -> str:
    data = file if isinstance(file, bytes) else file.read_bytes()
    return data.decode("utf-8", "replace")
