"""What conversion costs: reading, analysing, planning and compiling notebooks of 100 and 1,000 cells, beside parsing alone.

Analysis is measured alone too: the first time (nothing parsed, nothing remembered), again, and after an edit of one cell; also
where every cell has a magic, so that IPython's translation is part of it. Those are seconds of the processor, since the wall
clock of a shared machine says more about its other users.

    python benchmarks/conversion.py [--repeat 5] [--json]

Also what ``import jupyter_mlops`` adds to a bare interpreter, and how big the bundle is that a step fetches. Budgets: a
100-cell notebook in 0.5 s, 0.6 ms a cell over parsing, 1,000 cells in 1 s, the import in 20 ms, the bundle under 3 MB.
"""

from __future__ import annotations

import argparse
import ast
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from jupyter_mlops.flow import Workbench
from jupyter_mlops.settings import Settings, Storage

CELL = """\
def clean_{n}(frame, limit={n}):
    kept = [row for row in frame if row["value"] > limit]
    for row in kept:
        row["score"] = row["value"] * weights_{m}.get(row["name"], 1.0)
    return sorted(kept, key=lambda row: -row["score"])


weights_{n} = {{**weights_{m}, "w{n}": {n}}}
rows_{n} = clean_{n}(rows_{m}) if len(rows_{m}) > {n} else list(rows_{m})
total_{n} = sum(row["value"] for row in rows_{n})
print(f"step {n}: {{total_{n}}} of {{len(rows_{n})}}")
"""
"""A cell as people write them: a function, a comprehension, names of the cell before it."""

FIRST = "weights_0 = {}\nrows_0 = [{'name': 'a', 'value': n} for n in range(10)]"


def document(cells: int) -> dict[str, object]:
    """A notebook with a heading every ten cells."""
    made: list[dict[str, object]] = []
    for index in range(cells):
        if index % 10 == 0:
            made.append({"cell_type": "markdown", "id": f"m{index}", "metadata": {}, "source": f"## Part {index // 10}"})
        source = FIRST if index == 0 else CELL.format(n=index, m=index - 1)
        made.append(
            {"cell_type": "code", "id": f"c{index}", "metadata": {}, "source": source, "outputs": [], "execution_count": None}
        )
    spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {"cells": made, "metadata": {"kernelspec": spec}, "nbformat": 4, "nbformat_minor": 5}


def median(action: Callable[[], object], repeat: int, clock: Callable[[], float] = time.perf_counter) -> float:
    """Median seconds."""
    times = []
    for _ in range(repeat):
        began = clock()
        action()
        times.append(clock() - began)
    return statistics.median(times)


def conversion(bench: Workbench, folder: Path, cells: int, repeat: int) -> dict[str, float]:
    """Seconds of parsing alone, of the whole conversion, and of the command line around it."""
    path = folder / f"n{cells}.ipynb"
    path.write_text(json.dumps(document(cells)))
    sources = [str(cell["source"]) for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]

    def convert() -> object:
        notebook = bench.read(path)
        return bench.compile(notebook, bench.convert(notebook), folder)

    command = [sys.executable, "-m", "jupyter_mlops.cli", "convert", str(path), "--json"]
    return {
        "parse": median(lambda: [ast.parse(source) for source in sources], repeat),
        "convert": median(convert, repeat),
        "command line": median(lambda: subprocess.run(command, check=True, capture_output=True), min(repeat, 3)),
    }


def analysis(cells: int, repeat: int) -> dict[str, float]:
    """Seconds of the processor for the analysis alone."""
    from jupyter_mlops.dataflow.link import analyse
    from jupyter_mlops.dataflow.memory import Memory
    from jupyter_mlops.notebook import syntax
    from jupyter_mlops.notebook.document import Cell

    sources = [FIRST, *(CELL.format(n=index, m=index - 1) for index in range(1, cells))]
    plain = [Cell(index, "code", source) for index, source in enumerate(sources)]
    magic = [Cell(index, "code", f"%matplotlib inline\n{source}") for index, source in enumerate(sources)]
    analyse([*plain[:3], *magic[:3]], Memory(0))  # imports, and the table of effects

    def first(notebook: list[Cell]) -> Callable[[], object]:
        def run() -> object:
            syntax.translate.cache_clear()
            return analyse(notebook, Memory(4096))

        return run

    memory = Memory(4096)
    analyse(plain, memory)
    numbers = iter(range(10**6))

    def edited() -> object:
        place = cells // 2
        changed = Cell(place, "code", f"{plain[place].source}\nedit_{next(numbers)} = 1")
        return analyse([*plain[:place], changed, *plain[place + 1 :]], memory)

    return {
        "parse": median(lambda: [ast.parse(source) for source in sources], repeat, time.process_time),
        "first": median(first(plain), repeat, time.process_time),
        "translate": median(lambda: [syntax.transform(cell.source) for cell in magic], repeat, time.process_time),
        "first with magics": median(first(magic), repeat, time.process_time),
        "again": median(lambda: analyse(plain, memory), repeat, time.process_time),
        "one cell edited": median(edited, repeat, time.process_time),
    }


def import_cost(repeat: int) -> float:
    """Seconds that the import adds to a bare interpreter."""

    def run(code: str) -> Callable[[], object]:
        return lambda: subprocess.run([sys.executable, "-c", code], check=True)

    return median(run("import jupyter_mlops"), 2 * repeat) - median(run("pass"), 2 * repeat)


def bundle_bytes(bench: Workbench, folder: Path) -> dict[str, int]:
    """Bytes of each layer that a step fetches."""
    from jupyter_mlops.registry.bundles import push_bundle

    notebook = bench.read(folder / "n100.ipynb")
    repository, _, digest = push_bundle(bench.store, notebook, bench.convert(notebook), folder).partition("@")
    layers = bench.store.get_manifest(repository, digest).document["layers"]
    return {str(layer["mediaType"]).rpartition("bundle.")[2].partition(".")[0]: int(layer["size"]) for layer in layers}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "project"
        folder.mkdir()
        bench = Workbench(Settings(storage=Storage(home=Path(scratch) / "home")))
        found = {cells: conversion(bench, folder, cells, options.repeat) for cells in (100, 1000)}
        layers = bundle_bytes(bench, folder)
    analysed = {cells: analysis(cells, options.repeat) for cells in (100, 1000)}
    imported = import_cost(options.repeat)
    if options.json:
        print(json.dumps({"conversion": found, "analysis": analysed, "import": imported, "bundle": layers}))
        return
    for cells, times in found.items():
        own = (times["convert"] - times["parse"]) / cells * 1000
        print(
            f"{cells:5} cells: parse {times['parse'] * 1000:6.0f} ms, convert {times['convert'] * 1000:6.0f} ms"
            f" ({times['convert'] / times['parse']:.1f} times parsing, {own:.2f} ms a cell over it; budget 0.6),"
            f" command line {times['command line'] * 1000:.0f} ms"
        )
    for cells, times in analysed.items():
        own = (times["first"] - times["parse"]) / cells * 1000
        magics = (times["first with magics"] - times["parse"] - times["translate"]) / cells * 1000
        print(
            f"{cells:5} cells analysed: first {times['first'] * 1000:6.0f} ms ({own:.2f} ms a cell over parsing; budget 0.6),"
            f" with magics {times['first with magics'] * 1000:.0f} ms ({magics:.2f} over parsing and"
            f" IPython's {times['translate'] * 1000:.0f} ms),"
            f" again {times['again'] * 1000:.0f} ms, one cell edited {times['one cell edited'] * 1000:.0f} ms"
        )
    print(f"import jupyter_mlops: {imported * 1000:.1f} ms   budget 20 ms")
    total = sum(layers.values())
    print(
        f"bundle: {total / 1e6:.2f} MB ({', '.join(f'{name} {size / 1e3:.0f} kB' for name, size in layers.items())})   budget 3 MB"
    )


if __name__ == "__main__":
    main()
