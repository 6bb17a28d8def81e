"""A notebook's folder with files, folders, links and modules whose names are not easy, and the notebook that reads them all."""

from __future__ import annotations

import json
from pathlib import Path

SOURCE = """import glob, os
import tools_é
import inner.part
import linked
read = {name: open(name, encoding="utf-8").read() for name in ("plain.txt", "a name with spaces.txt", "größe €😀.txt", "link.txt", "quote'\\"s.txt", "%s {x} $y.txt")}
deep = sorted(os.path.relpath(os.path.join(at, name), "folder ö") for at, _, names in os.walk("folder ö") for name in names)
found = sorted(glob.glob("many/*.csv"))"""
SHOW = "print(sorted(read.items()))\nprint(deep, found)\nprint(tools_é.NAME, inner.part.VALUE, linked.WHO, tools_é.data())"


def write(folder: Path, *, large: int = 0) -> Path:
    """Make the folder; ``large`` bytes lie in a file that the notebook names as well. Returns the notebook's path."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {
        "plain.txt": "p", "a name with spaces.txt": "s", "größe €😀.txt": "ü", "quote'\"s.txt": "q", "%s {x} $y.txt": "f",
        "folder ö/one.txt": "1", "folder ö/deep er/two.txt": "2", "many/a 1.csv": "a", "many/b.csv": "b", "many/c.txt": "not named",
        "tools_é.py": "NAME = 'tool'\n\ndef data():\n    return open('beside module.txt').read()\n", "beside module.txt": "m",
        "inner/__init__.py": "", "inner/part.py": "VALUE = 3\n", "elsewhere/real.py": "WHO = 'linked'\n",
    }  # fmt: skip
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "link.txt").symlink_to("plain.txt")
    (folder / "linked.py").symlink_to("elsewhere/real.py")
    more = []
    if large:
        with (folder / "large file.bin").open("wb") as out:
            out.truncate(large)
        more = [("import os\nprint(os.path.exists('large file.bin'))", ["step:large"])]
    cells = [(SOURCE, ["step:read"]), (SHOW, ["step:show"]), *more]
    made = [
        {"cell_type": "code", "id": f"c{n}", "metadata": {"tags": tags}, "source": source, "outputs": [], "execution_count": None}
        for n, (source, tags) in enumerate(cells)
    ]
    spec = {"kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}}
    path = folder / "reads all ü.ipynb"
    path.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": spec, "cells": made}), encoding="utf-8")
    return path


SHOWN = (
    "[('%s {x} $y.txt', 'f'), ('a name with spaces.txt', 's'), ('größe €😀.txt', 'ü'), ('link.txt', 'p'), ('plain.txt', 'p'), "
    "('quote\\'\"s.txt', 'q')]\n"
    "['deep er/two.txt', 'one.txt'] ['many/a 1.csv', 'many/b.csv']\n"
    "tool 3 linked m\n"
)
