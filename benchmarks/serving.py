"""What serving costs: CPU a request and memory, beside the least a server can do, and the time to a first prediction.

    python benchmarks/serving.py [--seconds 5] [--json]

One row of a scikit-learn pipeline over one keep-alive connection. CPU time of the server's process over its requests is
what can be compared on a machine that does other things too; latencies are printed for the eye. The floor is a bare
tornado handler that calls the same ``predict`` without any check; nothing below it can be had with tornado.

Budgets (design, chapter 11): V2 at most 2 ms CPU a request, at most 45 MiB over Python with the model's framework; the
first prediction within the model's own imports and 1 s.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

COLUMNS = ("sepal_length", "sepal_width", "petal_length", "petal_width")
ROW = (5.1, 3.5, 1.4, 0.2)
WARM_UP = 200
TICKS = os.sysconf("SC_CLK_TCK")

BARE = """
import asyncio, json, sys
import tornado.web
{load}
class Handler(tornado.web.RequestHandler):
    def post(self):
        self.finish(json.dumps({{"predictions": {predict}}}))
async def main():
    app = tornado.web.Application([("/", Handler)], log_function=lambda handler: None)
    server = app.listen(0, "127.0.0.1")
    print(json.dumps({{"port": next(iter(server._sockets.values())).getsockname()[1]}}), flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""
LOAD = """
import joblib, json, pandas
model = joblib.load({path!r} + '/model.joblib')
columns = {columns!r}
"""
CALLED = "model.predict(pandas.DataFrame(json.loads(self.request.body)['instances'], columns=columns)).tolist()"
ALONE = """
import time
started = time.perf_counter()
{load}
model.predict(pandas.DataFrame([{row}], columns=columns))
print(time.perf_counter() - started)
print(open('/proc/self/status').read())
"""


@dataclass(frozen=True)
class Measured:
    """CPU milliseconds a request, resident MiB, requests, and median and 99th percentile of the latency in milliseconds."""

    cpu: float
    memory: float
    requests: int
    p50: float
    p99: float


def make_model(folder: Path) -> None:
    """Logistic regression on iris, with its card."""
    import joblib
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    data = load_iris(as_frame=True)
    frame = data.data.set_axis(list(COLUMNS), axis=1)
    folder.mkdir(parents=True)
    joblib.dump(make_pipeline(StandardScaler(), LogisticRegression()).fit(frame, data.target), folder / "model.joblib")
    card = {
        "version": 1,
        "format": "sklearn",
        "file": "model.joblib",
        "name": "iris",
        "python": platform.python_version(),
        "kernel": "python3",
        "packages": {name: version(name) for name in ("scikit-learn", "numpy")},
        "signature": {
            "kind": "columns",
            "shape": [-1, 4],
            "inputs": [{"name": name, "datatype": "FP64"} for name in COLUMNS],
            "outputs": [{"name": "predict", "datatype": "INT64", "shape": [-1]}],
        },
        "sample": {"instances": [dict(zip(COLUMNS, ROW, strict=True))]},
    }
    (folder / "mlops.json").write_text(json.dumps(card))


@contextlib.contextmanager
def running(command: list[str], **options: Any) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A server that prints its port as JSON."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, **options)
    try:
        assert process.stdout is not None
        yield process, int(json.loads(process.stdout.readline())["port"])
    finally:
        process.kill()
        process.wait()


def measure(pid: int, port: int, path: str, body: Mapping[str, Any], seconds: float) -> Measured:
    """Ask one after the other for so many seconds."""
    data = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
    request, latencies = head.encode() + data, []
    with socket.create_connection(("127.0.0.1", port)) as connection:
        for _ in range(WARM_UP):
            ask(connection, request)
        before, until = cpu_seconds(pid), time.perf_counter() + seconds
        while (started := time.perf_counter()) < until:
            ask(connection, request)
            latencies.append(time.perf_counter() - started)
        spent = cpu_seconds(pid) - before
    cuts = statistics.quantiles(latencies, n=100)
    return Measured(spent / len(latencies) * 1e3, memory(pid), len(latencies), cuts[49] * 1e3, cuts[98] * 1e3)


def ask(connection: socket.socket, request: bytes) -> None:
    """One request; its answer is read as far as its length says, and must be a good one."""
    connection.sendall(request)
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(65536)
    head, _, body = received.partition(b"\r\n\r\n")
    assert b" 200 " in head[:20], received
    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(65536)


def cpu_seconds(pid: int) -> float:
    """User and system time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory(pid: int) -> float:
    """Resident MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def plain_python(folder: Path) -> tuple[float, float]:
    """Seconds and resident MiB of Python that loads the model and calls it once, as it was trained: with a DataFrame."""
    code = ALONE.format(load=LOAD.format(path=str(folder), columns=list(COLUMNS)), row=list(ROW))
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    return float(said.splitlines()[0]), int(said.partition("VmRSS:")[2].split()[0]) / 1024


def first_prediction(home: Path, folder: Path) -> float:
    """Seconds from Deploy to the first prediction, the median of three."""
    from jupyter_mlops.flow import Workbench
    from jupyter_mlops.oci.modelpack import publish_model
    from jupyter_mlops.serving.wait import until_ready
    from jupyter_mlops.settings import Settings, Storage

    bench = Workbench(Settings(storage=Storage(home=home)))
    publish_model(bench.store, "iris", folder, key="run/step/0", annotations={}, metrics={})
    try:
        seconds = []
        for _ in range(3):
            started = time.perf_counter()
            bench.deploy("iris")
            until_ready(bench.services, "iris", "default", 60)
            assert bench.predict("iris").predictions == [0]
            seconds.append(time.perf_counter() - started)
            bench.services.control("iris", "delete")
        return statistics.median(seconds)
    finally:
        for service in bench.services.list():
            bench.services.control(service.name, "delete")


def servers(folder: Path, seconds: float) -> dict[str, Measured]:
    """Each server over the same model, one after the other."""
    instances = {"instances": [list(ROW)]}
    tensor = {"inputs": [{"name": "input", "shape": [1, 4], "datatype": "FP64", "data": list(ROW)}]}
    found = {}
    bare = BARE.format(load="", predict="[0]")
    with running([sys.executable, "-c", bare]) as (process, port):
        found["bare tornado"] = measure(process.pid, port, "/", instances, seconds)
    called = BARE.format(load=LOAD.format(path=str(folder), columns=list(COLUMNS)), predict=CALLED)
    with running([sys.executable, "-c", called]) as (process, port):
        found["bare tornado + predict"] = measure(process.pid, port, "/", instances, seconds)
    ours = [sys.executable, "-m", "jupyter_mlops.serving.server", str(folder), "--name", "iris", "--announce-fd", "1"]
    with running(ours, stderr=subprocess.DEVNULL) as (process, port):
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["event"] == "ready"
        found["this server, V1"] = measure(process.pid, port, "/v1/models/iris:predict", instances, seconds)
        found["this server, V2"] = measure(process.pid, port, "/v2/models/iris/infer", tensor, seconds)
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0, help="per server")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "models"
        make_model(folder)
        found = servers(folder, args.seconds)
        alone, python = plain_python(folder)
        cold = first_prediction(Path(temporary) / "home", folder)
    floor = found["bare tornado + predict"].cpu
    if args.json:
        rows = {name: vars(row) | {"ratio": row.cpu / floor} for name, row in found.items()}
        print(json.dumps({"servers": rows, "python_mib": python, "first_prediction_s": cold, "plain_python_s": alone}))
        return
    names = ("CPU ms/request", "ratio", "MiB over Python", "p50 ms", "p99 ms", "requests")
    print(" " * 24 + "".join(f"{name:>{width}}" for name, width in zip(names, (15, 8, 17, 9, 9, 10), strict=True)))
    for name, row in found.items():
        line = f"{name:24}{row.cpu:15.2f}{row.cpu / floor:8.2f}{row.memory - python:17.0f}"
        print(f"{line}{row.p50:9.2f}{row.p99:9.2f}{row.requests:10}")
    print(f"\nPython with the model, called once with a DataFrame: {python:.0f} MiB")
    print(f"first prediction after Deploy: {cold:.2f} s; plain Python that loads and calls the model: {alone:.2f} s")


if __name__ == "__main__":
    main()
