"""What it brings to try a step before its turn: a notebook with two branches, with attempts and without.

    python benchmarks/early.py [--seconds 4] [--repeat 3] [--wait] [--json]

``apart``: two steps of so many seconds that need nothing of each other, and one after them. ``met``: the same, but both draw from
one generator, so that the attempt is thrown away each time; only the first run of such a notebook pays that, the next has
learned. ``short``: steps that are over before an attempt begins. Each run is the notebook's first, in a home of its own. Wall
clock; what to compare is the ratio of the two columns. On a machine without a free processor nothing can be gained; ``--wait`` lets
the steps wait instead of computing, as for a disk or a network, and shows what is ours.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from jupyter_mlops.flow import Workbench
from jupyter_mlops.settings import Settings, Storage

FIRST = "import os\nimport random\nimport time\nrandom.seed(1)\nrows = list(range(1000))\nwhere = os.path.basename('x')"
WORK = "end_{name} = time.process_time() + {seconds}\nwhile time.process_time() < end_{name}:\n    sum(rows)\n{name} = {value}"
WAIT = "time.sleep({seconds})\n{name} = {value}"
LAST = "print(a, b)"


def cells(kind: str, seconds: float, *, wait: bool) -> list[str]:
    """The notebook; ``os`` keeps the source from proving anything, so that only an attempt can gain."""
    value = "random.random()" if kind == "met" else "where.count('x') + len(rows)"
    seconds = 0.1 if kind == "short" else seconds
    work = WAIT if wait else WORK
    return [FIRST, *(work.format(seconds=seconds, name=name, value=value + f" + {place}") for place, name in enumerate("ab")), LAST]


def took(sources: list[str], after: float) -> tuple[float, list[str]]:
    """Seconds of one first run, and what is said of its steps."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(Storage(Path(folder) / "home"))
        bench = Workbench(replace(settings, steps=replace(settings.steps, early_after=after)))
        path = Path(folder) / "project" / "bench.ipynb"
        path.parent.mkdir()
        made: list[dict[str, object]] = [
            {
                "cell_type": "code", "id": f"c{place}", "source": source, "outputs": [], "execution_count": None,
                "metadata": {"tags": [f"step:s{place}"]},
            }
            for place, source in enumerate(sources)
        ]  # fmt: skip
        path.write_text(json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
        began = time.perf_counter()
        *_, run = bench.engine.watch(bench.run(path).name)
        seconds = time.perf_counter() - began
        if run.phase != "Succeeded":
            raise SystemExit(f"the run failed: {run.failure}")
        return seconds, [step.message for step in run.steps if step.message]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=4.0, help="work of each of the two branches")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each; the median counts")
    parser.add_argument("--wait", action="store_true", help="let the steps wait instead of computing")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    found: dict[str, dict[str, Any]] = {}
    for kind in ("apart", "met", "short"):
        sources = cells(kind, arguments.seconds, wait=arguments.wait)
        runs = {after: [took(sources, after) for _ in range(arguments.repeat)] for after in (-1.0, 1.0)}
        order, early = (statistics.median(seconds for seconds, _ in runs[after]) for after in (-1.0, 1.0))
        said = sorted({message for _, messages in runs[1.0] for message in messages})
        found[kind] = {"order": round(order, 2), "early": round(early, 2), "ratio": round(early / order, 2), "said": said}
    if arguments.json:
        json.dump(found, sys.stdout, indent=1)
        return
    print(f"{'':8}{'in order':>10}{'early':>10}{'ratio':>8}")
    for kind, one in found.items():
        print(f"{kind:8}{one['order']:>9} s{one['early']:>9} s{one['ratio']:>8}  {'; '.join(one['said'])}")


if __name__ == "__main__":
    main()
