"""What handing a session on costs: time and memory, beside cloudpickle and dill of the whole namespace.

    python benchmarks/session.py [--rows 2000000] [--repeat 3] [--json]

Three namespaces: ``usual`` (a small notebook: imports, functions, a class, a frame of some rows, a fitted model), ``large`` (a
frame and an array of hundreds of megabytes beside small things) and ``objects`` (containers of 300,000 objects). Each is
captured whole into a registry folder, delivered to a process of its own, and captured again after one small thing changed.
Beside it the same namespace goes through one ``dumps`` to a file and one ``loads`` from it; those check no digest, keep nothing
unmoved, and refuse the whole namespace for one value that cannot be stored. Times are processor time, since the clock on the wall
also measures what else a machine does; numpy works in one thread, since those of a fit spin on and would be counted. ``+`` is the
growth of the peak of memory.

dill is no dependency of this project: without it its lines are missing. Budgets: capture of large buffers at 0.6 GB/s with hash
and write, delivery at 1 GB/s, 20 ms for the state of a usual small notebook, memory below twice the largest component.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import pickle
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.session.scope import Scope
from jupyter_mlops.session.state import State
from jupyter_mlops.session.transfer import Blobs, Delivery, capture, deliver, note_arrival

USUAL = """
import numpy as np, pandas as pd
from sklearn.linear_model import LogisticRegression
from functools import partial
settings = {'rate': 0.1, 'columns': ['a', 'b'], 'seed': 7}
def clean(frame, drop=()): return frame.drop(columns=list(drop)) * settings['rate']
class Trainer:
    runs = []
    def __init__(self, model): self.model = model
    def fit(self, x, y): self.model.fit(x, y); self.runs.append(len(x)); return self
frame = pd.DataFrame({'a': np.arange(500.0), 'b': np.arange(500.0) ** 2, 'y': np.arange(500) % 2})
part = frame[['a', 'b']]
trainer = Trainer(LogisticRegression()).fit(part, frame['y'])
history = [trainer.model.coef_, trainer.runs]
report = partial(clean, drop=['a'])
"""
LARGE = """
import numpy as np, pandas as pd
frame = pd.DataFrame(np.random.default_rng(1).random((ROWS, 10)), columns=list('abcdefghij'))
array = np.random.default_rng(2).random(ROWS * 5)
view = array[: ROWS]
counter = {'n': 0}
"""
OBJECTS = """
rows = [{'id': n, 'tags': [str(n), n % 7], 'pair': (n, [n])} for n in range(100_000)]
index = {row['id']: row for row in rows}
counter = {'n': 0}
"""
CHANGE = "try:\n    counter['n'] += 1\nexcept NameError:\n    settings['rate'] = 0.2"


def namespace(source: str) -> dict[str, Any]:
    """What cells leave, as the namespace of ``__main__``."""
    space: dict[str, Any] = {"__name__": "__main__", "__builtins__": __builtins__}
    sys.modules["__main__"].__dict__.update(space)
    exec(compile(source, "<cell>", "exec", dont_inherit=True), space)
    return space


def own(space: dict[str, Any]) -> dict[str, Any]:
    """The notebook's names."""
    return {name: value for name, value in space.items() if not name.startswith("__")}


def forked(work: Callable[[], Any]) -> Any:
    """What ``work`` returns, in a process whose memory is its own."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        with os.fdopen(writing, "wb") as out:
            pickle.dump(work(), out)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        found = pickle.load(stream)
    os.waitpid(child, 0)
    return found


def measured(work: Callable[[], Any]) -> tuple[float, float, Any]:
    """(seconds of processor time, growth of the peak of memory in MB, result)."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.process_time()
    result = work()
    seconds = time.process_time() - began
    return seconds, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024, result


def one_round(source: str, folder: Path) -> dict[str, Any]:
    """Capture, delivery and second capture of one namespace, each in its own process."""

    def first() -> tuple[float, float, State]:
        space = namespace(source)
        blobs = Blobs(Layout(folder), "runs/bench")
        seconds, memory, found = measured(lambda: capture(own(space), State(), Delivery(), blobs, Scope(space), {}))
        return seconds, memory, State(names=found.names, components=found.components, lost=found.lost)

    def second(state: State) -> dict[str, Any]:
        space = namespace("")
        scope, blobs = Scope(space), Blobs(Layout(folder), "runs/bench")
        digests = sorted(set(state.names.values()))
        seconds, memory, delivery = measured(lambda: deliver(digests, state, blobs, scope))
        noted = measured(lambda: note_arrival(delivery, state, scope))[0]
        exec(CHANGE, space)
        again, _, found = measured(lambda: capture(own(space), state, delivery, blobs, scope, {}))
        moved = sum(blobs.sizes.values())
        return {
            "deliver": seconds,
            "deliver MB": memory,
            "note": noted,
            "again": again,
            "moved MB": moved / 1e6,
            "lost": list(found.lost),
        }

    seconds, memory, state = forked(first)
    sizes = [sum(size for _, size in component.parts) for component in state.components.values()]
    later = forked(lambda: second(state))
    return {"MB": sum(sizes) / 1e6, "largest MB": max(sizes) / 1e6, "capture": seconds, "capture MB": memory, **later}


def whole(source: str, folder: Path, tool: str) -> dict[str, Any]:
    """The same by one pickle of the namespace."""
    path = folder / f"{tool}.pkl"

    def write() -> tuple[float, float]:
        values = own(namespace(source))
        dumps = importlib.import_module(tool).dumps
        return measured(lambda: path.write_bytes(dumps(values)))[:2]

    def read() -> tuple[float, float]:
        namespace("")
        loads = importlib.import_module(tool).loads
        return measured(lambda: loads(path.read_bytes()))[:2]

    (seconds, memory), (back, back_memory) = forked(write), forked(read)
    return {"capture": seconds, "capture MB": memory, "deliver": back, "deliver MB": back_memory}


def best(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """The median of every number."""
    return {
        key: statistics.median(one[key] for one in rounds) if isinstance(value, (int, float)) else value
        for key, value in rounds[0].items()
    }


def table(results: dict[str, dict[str, dict[str, Any]]]) -> str:
    """The numbers with their ratios to ours."""
    lines = []
    for name, tools in results.items():
        ours = tools["session"]
        size = ours["MB"]
        lines.append(f"{name}: {size:,.1f} MB, largest component {ours['largest MB']:,.1f} MB")
        lines.append(
            f"  session      capture {ours['capture'] * 1e3:9,.1f} ms ({size / 1e3 / ours['capture']:.2f} GB/s, "
            f"+{ours['capture MB']:,.0f} MB)   delivery {ours['deliver'] * 1e3:9,.1f} ms ({size / 1e3 / ours['deliver']:.2f} GB/s, "
            f"+{ours['deliver MB']:,.0f} MB)"
        )
        lines.append(
            f"               noted on arrival {ours['note'] * 1e3:,.1f} ms; one thing changed: captured again in "
            f"{ours['again'] * 1e3:,.1f} ms, {ours['moved MB']:,.3f} MB moved"
        )
        for tool, found in tools.items():
            if tool != "session":
                lines.append(
                    f"  {tool:<12} capture {found['capture'] * 1e3:9,.1f} ms ({found['capture'] / ours['capture']:.2f} x ours, "
                    f"+{found['capture MB']:,.0f} MB)   delivery {found['deliver'] * 1e3:9,.1f} ms "
                    f"({found['deliver'] / ours['deliver']:.2f} x ours, +{found['deliver MB']:,.0f} MB)"
                )
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rows", type=int, default=2_000_000, help="rows of the large frame (80 bytes each)")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print the numbers as JSON")
    parser.add_argument("--only", default="", help="usual, large or objects")
    given = parser.parse_args()
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    for module in ("numpy", "pandas", "sklearn.linear_model", "cloudpickle"):
        importlib.import_module(module)
    sources = {"usual": USUAL, "large": LARGE.replace("ROWS", str(given.rows)), "objects": OBJECTS}
    results: dict[str, dict[str, dict[str, Any]]] = {}
    for name, source in sources.items():
        if given.only in {"", name}:
            with tempfile.TemporaryDirectory() as folder:
                places = [Path(folder, str(number)) for number in range(given.repeat)]
                results[name] = {"session": best([one_round(source, place / "registry") for place in places])}
                for tool in ("cloudpickle", "dill"):
                    if importlib.util.find_spec(tool):
                        results[name][tool] = best([whole(source, place, tool) for place in places])
    print(json.dumps(results, indent=2) if given.json else table(results))


if __name__ == "__main__":
    main()
