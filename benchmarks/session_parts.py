"""Large buffers as raw parts, as the session stores them, beside typed forms: what each costs to capture and to deliver.

    python benchmarks/session_parts.py [--rows 1000000] [--repeat 5]

A frame of ten columns of doubles, and one array of as many bytes. ``npy`` is a file of NumPy's format for each column, hashed and
written without a copy; ``npy_mapped`` reads it by a copy-on-write map and hashes what is mapped; ``arrow`` is an Arrow file, whose
lines are missing without pyarrow. Every way hashes what it writes and checks what it reads, on one file system. Times are
medians of processor time; decision 19 rests on them.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import importlib.util
import io
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.session.scope import Scope
from jupyter_mlops.session.state import State
from jupyter_mlops.session.transfer import Blobs, Delivery, capture, deliver

np: Any = importlib.import_module("numpy")
pd: Any = importlib.import_module("pandas")

Way = Callable[[Any, Path], tuple[Callable[[], Any], Callable[[Any], Any]]]
"""For a value and a folder: how it is captured, and how it is delivered from what capturing gave."""


def space() -> dict[str, Any]:
    """An empty namespace of a notebook."""
    return {"__name__": "__main__", "__builtins__": __builtins__}


def raw(value: Any, folder: Path) -> tuple[Callable[[], Any], Callable[[Any], Any]]:
    """By the session itself."""
    blobs = Blobs(Layout(folder), "runs/bench")

    def store() -> State:
        found = capture({"x": value}, State(), Delivery(), blobs, Scope(space() | {"x": value}), {})
        return State(names=found.names, components=found.components)

    def load(state: State) -> Any:
        scope = Scope(space())
        deliver(sorted(set(state.names.values())), state, blobs, scope)
        return scope.namespace["x"]

    return store, load


def columns(value: Any) -> Iterator[tuple[str, Any]]:
    """Arrays by name."""
    yield from ((str(name), value[name].to_numpy()) for name in value) if isinstance(value, pd.DataFrame) else [("x", value)]


def npy(value: Any, folder: Path, *, mapped: bool = False) -> tuple[Callable[[], Any], Callable[[Any], Any]]:
    """By files of NumPy's format."""
    folder.mkdir()

    def store() -> dict[str, str]:
        digests = {}
        for name, array in columns(value):
            header = io.BytesIO()
            np.lib.format.write_array_header_2_0(header, np.lib.format.header_data_from_array_1_0(array))
            data = memoryview(np.ascontiguousarray(array)).cast("B")
            digest = hashlib.sha256(header.getvalue())
            digest.update(data)
            with (folder / name).open("wb") as out:
                out.write(header.getvalue())
                out.write(data)
            digests[name] = digest.hexdigest()
        return digests

    def load(digests: Mapping[str, str]) -> Any:
        found = {}
        for name, digest in digests.items():
            data: Any = np.memmap(folder / name, mode="r") if mapped else (folder / name).read_bytes()
            if hashlib.sha256(data).hexdigest() != digest:
                raise ValueError(name)
            found[name] = np.load(folder / name, mmap_mode="c") if mapped else np.load(io.BytesIO(data))
        return pd.DataFrame(found, copy=False) if isinstance(value, pd.DataFrame) else found["x"]

    return store, load


def npy_mapped(value: Any, folder: Path) -> tuple[Callable[[], Any], Callable[[Any], Any]]:
    """The same, mapped into memory."""
    return npy(value, folder, mapped=True)


def arrow(value: Any, folder: Path) -> tuple[Callable[[], Any], Callable[[Any], Any]]:
    """By one Arrow file."""
    import pyarrow as pa

    folder.mkdir()

    def store() -> str:
        table = pa.Table.from_pandas(value) if isinstance(value, pd.DataFrame) else pa.table({"x": value})
        sink = pa.BufferOutputStream()
        with pa.ipc.new_file(sink, table.schema) as out:
            out.write_table(table)
        data = sink.getvalue()
        (folder / "x").write_bytes(data)
        return hashlib.sha256(data).hexdigest()

    def load(digest: str) -> Any:
        data = (folder / "x").read_bytes()
        if hashlib.sha256(data).hexdigest() != digest:
            raise ValueError(digest)
        table = pa.ipc.open_file(pa.BufferReader(data)).read_all()
        return table.to_pandas() if isinstance(value, pd.DataFrame) else table["x"].to_numpy()

    return store, load


def measured(work: Callable[[], Any]) -> tuple[float, Any]:
    """(milliseconds of processor time, result)."""
    began = time.process_time()
    found = work()
    return (time.process_time() - began) * 1e3, found


def one_round(way: Way, value: Any) -> tuple[float, float]:
    """(capture, delivery) in milliseconds; what arrives is what was given."""
    with tempfile.TemporaryDirectory() as folder:
        store, load = way(value, Path(folder, "x"))
        captured, stored = measured(store)
        delivered, found = measured(lambda: load(stored))
        if not np.array_equal(np.asarray(found), np.asarray(value)):
            raise ValueError(way.__name__)
        return captured, delivered


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the frame (80 bytes each)")
    parser.add_argument("--repeat", type=int, default=5)
    given = parser.parse_args()
    draw = np.random.default_rng(1).random
    values = {"frame": pd.DataFrame(draw((given.rows, 10)), columns=list("abcdefghij")), "array": draw(given.rows * 10)}
    ways: list[Way] = [raw, npy, npy_mapped, *([arrow] if importlib.util.find_spec("pyarrow") else [])]
    for name, value in values.items():
        for way in ways:
            rounds = [one_round(way, value) for _ in range(given.repeat)]
            stored, loaded = (statistics.median(one[place] for one in rounds) for place in (0, 1))
            what = f"{name} of {given.rows * 80 / 1e6:,.0f} MB  {way.__name__:<11}"
            print(f"{what} capture {stored:6,.0f} ms   delivery {loaded:6,.0f} ms")


if __name__ == "__main__":
    main()
