"""What a local step costs over the user's own code: the same cells as ten steps, in one kernel, and in plain Python.

    python benchmarks/steps.py [--steps 10] [--repeat 3] [--json]

Every cell imports pandas and scikit-learn, as cells of real notebooks do, and hands a small frame on. Ten steps are ten
processes, so each pays these imports again; what is ours is what is left when ten such imports are taken away. The budget is
300 ms a step. Times are wall clock on whatever machine this runs on; the ratios are what to compare.
"""

from __future__ import annotations

import argparse
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

BUDGET = 0.3
IMPORTS = "import pandas as pd\nfrom sklearn.linear_model import LogisticRegression\n"
FIRST = IMPORTS + "df = pd.DataFrame({'x': range(100), 'y': [n % 2 for n in range(100)]})"
NEXT = IMPORTS + "df = df.assign(x=df['x'] + 1)\nLogisticRegression().fit(df[['x']], df['y'])\ndf['x'].sum()"
SHELL = (
    "import json, sys\n"
    "from IPython.core.interactiveshell import InteractiveShell\n"
    "shell = InteractiveShell.instance()\n"
    "for cell in json.load(open(sys.argv[1])):\n"
    "    shell.run_cell(cell, store_history=True).raise_error()\n"
)


def cells(steps: int) -> list[str]:
    return [FIRST, *[NEXT] * (steps - 1)]


def notebook(sources: list[str], folder: Path) -> Path:
    """A notebook of one tagged step a cell."""
    document = {
        "cells": [
            {
                "cell_type": "code", "id": f"c{index}", "source": source, "outputs": [], "execution_count": None,
                "metadata": {"tags": [f"step:s{index}"]},
            }
            for index, source in enumerate(sources)
        ],
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }  # fmt: skip
    path = folder / "bench.ipynb"
    path.write_text(json.dumps(document))
    return path


def clock(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def python(*arguments: str) -> None:
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)


def pipeline(bench: Workbench, path: Path) -> None:
    run = bench.run(path)
    for state in bench.engine.watch(run.name):
        run = state
    if run.phase != "Succeeded":
        raise SystemExit(f"the run {run.phase}: {run.failure}")


def measure(steps: int, repeat: int) -> dict[str, float]:
    """Median seconds of each way."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "project"
        folder.mkdir()
        sources = cells(steps)
        path = notebook(sources, folder)
        plain, listed = Path(scratch) / "plain.py", Path(scratch) / "cells.json"
        plain.write_text("\n".join(sources))
        listed.write_text(json.dumps(sources))
        bench = Workbench(Settings(storage=Storage(home=Path(scratch) / "home")))
        pipeline(bench, path)  # unpacks the bundle and warms the disk's cache
        ways: dict[str, Callable[[], object]] = {
            "start of Python": lambda: python("-c", "pass"),
            "start and imports": lambda: python("-c", IMPORTS),
            "plain Python": lambda: python(str(plain)),
            "one IPython shell": lambda: python("-c", SHELL, str(listed)),
            "pipeline": lambda: pipeline(bench, path),
        }
        rounds = [{name: clock(action) for name, action in ways.items()} for _ in range(repeat)]
    return {name: statistics.median(found[name] for found in rounds) for name in ways}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = measure(options.steps, options.repeat)
    own = (found["pipeline"] - options.steps * found["start and imports"]) / options.steps
    if options.json:
        print(json.dumps({"seconds": found, "overhead_per_step": own, "budget": BUDGET}))
        return
    for name, seconds in found.items():
        print(f"{name:20} {seconds:7.2f} s  {seconds / found['one IPython shell']:6.2f} times one shell")
    verdict = "kept" if own <= BUDGET else "missed"
    print(f"per step over the imports: {own * 1000:.0f} ms   budget {BUDGET * 1000:.0f} ms: {verdict}")


if __name__ == "__main__":
    main()
