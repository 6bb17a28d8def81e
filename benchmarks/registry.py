"""What one large file costs on its way to a registry and back, beside sha256 of the same bytes and beside the oras CLI.

    python benchmarks/registry.py [--mib 1024] [--repeat 3] [--registry http://host:5000 …] [--json]

Each operation is a process of its own, so that its processor time and its memory are those of a client alone. Without
``--registry`` a ``docker-registry`` of its own is started where there is one, else our own server. oras is measured where it
is on PATH, in turn with us. Only ratios can be compared on a machine that does other things too. Budgets (design, chapter 11):
commit 1.8 s where sha256 alone takes 1.03 s; push at most 0.8 and pull at most 1.0 times oras; 40 MB resident at any size.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from jupyter_mlops.oci.digest import CHUNK
from jupyter_mlops.testing.embedded import embedded_registry
from jupyter_mlops.testing.registries import PROGRAM, DockerRegistry

KIND = "application/octet-stream"


@dataclass
class Cost:
    """Wall and processor seconds, and mebibytes resident at most, of one process; the best of several."""

    wall: float = float("inf")
    cpu: float = float("inf")
    resident: float = 0.0

    def best(self, other: Cost) -> Cost:
        """The shorter times, and the larger memory, of two."""
        return Cost(min(self.wall, other.wall), min(self.cpu, other.cpu), max(self.resident, other.resident))


def run(*command: str | Path, cwd: Path | None = None) -> Cost:
    """One process, measured from outside; of its memory the high-water mark that the kernel showed last."""
    begin = time.perf_counter()
    process = subprocess.Popen([str(part) for part in command], cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    resident, done = 0.0, 0
    while not done:
        with contextlib.suppress(OSError):
            lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
            resident = next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), resident)
        done, status, usage = os.wait4(process.pid, os.WNOHANG)
        time.sleep(0 if done else 0.01)
    wall = time.perf_counter() - begin
    assert process.stderr is not None
    if status:
        raise RuntimeError(f"{command[:3]}: {process.stderr.read().decode()[-2000:]}")
    process.stderr.close()
    process.returncode = 0
    return Cost(wall, usage.ru_utime + usage.ru_stime, resident)


def do(operation: str, *given: str) -> None:
    """One operation of ours, in a process of its own."""
    import hashlib

    from jupyter_mlops.oci.layout import Layout
    from jupyter_mlops.oci.modelpack import publish_model
    from jupyter_mlops.oci.open import open_store
    from jupyter_mlops.registry.copy import copy

    if operation == "sha256":
        total, buffer = hashlib.sha256(), bytearray(CHUNK)
        with Path(given[0]).open("rb", buffering=0) as file:
            while count := file.readinto(buffer):
                total.update(memoryview(buffer)[:count])
    elif operation == "push":
        open_store(given[0]).put_blob(given[1], Path(given[2]), KIND)
    elif operation == "publish":
        publish_model(open_store(given[0]), given[1], Path(given[2]), key=uuid.uuid4().hex, annotations={}, metrics={})
    elif operation == "pull":
        buffer = bytearray(CHUNK)
        with open_store(given[0]).open_blob(given[1], given[2]) as stream, Path(given[3]).open("wb", buffering=0) as file:
            while count := stream.readinto(buffer):  # type: ignore[attr-defined]
                file.write(memoryview(buffer)[:count])
    elif operation == "copy":
        source, target = open_store(given[0]), open_store(given[1])
        copy(source, target, given[2], "v1", into=given[3])  # type: ignore[arg-type]
    elif operation == "commit":
        publish_model(Layout(Path(given[0])), "m", Path(given[1]), key="k", annotations={}, metrics={})
    else:
        raise SystemExit(f"no operation {operation}")


def ours(operation: str, *given: str | Path) -> Cost:
    return run(sys.executable, __file__, "--do", operation, *given)


def measure(address: str, folder: Path, weights: Path, layout: Path) -> dict[str, Cost]:
    """Each operation once, against one registry."""
    from jupyter_mlops.oci.layout import Layout

    found, names = {}, iter(f"bench/{uuid.uuid4().hex[:10]}" for _ in range(20))
    digest = Layout(layout).get_manifest("models/m", "v1.modelpack").document["layers"][0]["digest"]
    oras, host = shutil.which("oras"), address.partition("://")[2]
    plain = ["--plain-http"] if address.startswith("http://") else []
    found["push a file"] = ours("push", address, next(names), weights)
    if oras:
        target = f"{host}/{next(names)}:v1"
        found["oras push"] = run(oras, "push", *plain, target, f"{weights.name}:{KIND}", cwd=weights.parent)
    found["publish a model"] = ours("publish", address, f"bench-{uuid.uuid4().hex[:10]}", weights.parent)
    repository = next(names)
    found["copy a model there"] = ours("copy", layout.as_uri(), address, "models/m", repository)
    found["copy it again"] = ours("copy", layout.as_uri(), address, "models/m", repository)
    if oras:
        target = f"{host}/{next(names)}:v1"
        found["oras cp there"] = run(oras, "cp", "--from-oci-layout", f"{layout / 'models' / 'm'}:v1", *_to(plain), target)
    found["pull a file"] = ours("pull", address, repository, digest, folder / "pulled")
    (folder / "pulled").unlink()
    if oras:
        place = folder / "oras"
        found["oras pull"] = run(oras, "blob", "fetch", *plain, "--output", place, f"{host}/{repository}@{digest}")
        place.unlink()
    back = folder / "back"
    found["copy it back"] = ours("copy", address, back.as_uri(), repository, "models/m")
    shutil.rmtree(back)
    if oras:
        found["oras cp back"] = run(
            oras, "cp", *(["--from-plain-http"] if plain else []), f"{host}/{repository}:v1", "--to-oci-layout", f"{back}:v1"
        )
        shutil.rmtree(back)
    return found


def _to(plain: list[str]) -> list[str]:
    return ["--to-plain-http"] if plain else []


@contextlib.contextmanager
def registries(given: list[str], folder: Path) -> Iterator[list[str]]:
    """The addresses that were given, else one of a server that runs meanwhile."""
    if given:
        yield given
    elif shutil.which(PROGRAM):
        with DockerRegistry(folder / "docker") as server:
            yield [server.address]
    else:
        with embedded_registry(folder / "served") as address:
            yield [address]


def main() -> int:
    """Print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mib", type=int, default=1024, help="size of the file")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--registry", action="append", default=[], help="address of a registry to measure")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--do", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.do:
        do(*arguments.do)
        return 0
    found: dict[str, dict[str, Cost]] = {}
    with tempfile.TemporaryDirectory() as name, registries(arguments.registry, Path(name)) as addresses:
        folder = Path(name)
        weights = folder / "model" / "weights.bin"
        weights.parent.mkdir()
        with weights.open("wb") as file:
            for _ in range(arguments.mib):
                file.write(os.urandom(CHUNK))
        here = found.setdefault("this machine", {})
        for _ in range(arguments.repeat):
            here["sha256"] = ours("sha256", weights).best(here.get("sha256", Cost()))
            shutil.rmtree(folder / "layout", ignore_errors=True)
            here["commit"] = ours("commit", folder / "layout", weights.parent).best(here.get("commit", Cost()))
            for address in addresses:
                there = found.setdefault(address, {})
                for operation, cost in measure(address, folder, weights, folder / "layout").items():
                    there[operation] = cost.best(there.get(operation, Cost()))
    if arguments.json:
        print(json.dumps({place: {name: vars(cost) for name, cost in costs.items()} for place, costs in found.items()}))
        return 0
    floor = found["this machine"]["sha256"]
    for place, costs in found.items():
        print(place)
        for operation, cost in costs.items():
            ratio = cost.wall / floor.wall
            print(f"  {operation:20} {cost.wall:6.2f} s {ratio:5.2f} x sha256  {cost.cpu:6.2f} CPU s  {cost.resident:5.0f} MiB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
