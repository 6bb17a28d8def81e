"""What models cost on their way to a registry and back, beside sha256 of the same bytes and beside the tools that others use.

    python benchmarks/registry.py [--mib 1024] [--files 300] [--repeat 3] [--registry http://host:5000 …] [--no-tls] [--json]

Two models: one large file, and many of 100 KB. Each operation is a process of its own, so that its processor time and its memory
are those of a client alone. Without ``--registry`` a ``docker-registry`` of its own is started where there is one, over plain HTTP
and over TLS, else our own server. crane, skopeo, the oras CLI and oras-py are measured in turn with us where they are installed;
what is not there is said. Only ratios can be compared on a machine that does other things too. Budgets (design, chapter 11):
commit 1.8 s where sha256 alone takes 1.03 s; push at most 0.8 and pull at most 1.0 times oras; 40 MB resident at any size.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
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
        open_store(given[0]).put_blob(given[1], Path(given[2]), KIND, new=True)
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
    elif operation in {"oras-push", "oras-pull"}:
        _oras_py(operation, *given)
    else:
        raise SystemExit(f"no operation {operation}")


def _oras_py(operation: str, target: str, plain: str, place: str) -> None:
    """By the library of others."""
    from oras.provider import Registry

    registry = Registry(hostname=target.partition("/")[0], insecure=plain == "True")
    if operation == "oras-push":
        os.chdir(place)
        registry.push(target, files=sorted(path.name for path in Path().iterdir()))
    else:
        registry.pull(target, outdir=place)


def ours(operation: str, *given: str | Path) -> Cost:
    return run(sys.executable, __file__, "--do", operation, *given)


@dataclass(frozen=True)
class Place:
    """A registry under measurement, and a model that is to go there and back."""

    address: str
    folder: Path
    model: Path
    layout: Path

    @property
    def host(self) -> str:
        """With the port."""
        return self.address.partition("://")[2]

    @property
    def plain(self) -> bool:
        """Whether there is no TLS."""
        return self.address.startswith("http://")

    def new(self) -> str:
        """A repository that nobody has used, so that nothing is there already."""
        return f"bench/{uuid.uuid4().hex[:10]}"

    @contextlib.contextmanager
    def scratch(self) -> Iterator[Path]:
        """Where something may come back to."""
        place = self.folder / uuid.uuid4().hex
        try:
            yield place
        finally:
            shutil.rmtree(place, ignore_errors=True)
            place.unlink(missing_ok=True)


def measure(place: Place, *, single: bool) -> dict[str, Cost]:
    """Each operation once, against one registry. ``single``: the model is one large file, whose blob is measured alone too."""
    from jupyter_mlops.oci.layout import Layout

    found, there = {}, place.new()
    files = sorted(place.model.iterdir())
    if single:
        found["push a file"] = ours("push", place.address, place.new(), files[0])
    found["publish a model"] = ours("publish", place.address, f"bench-{uuid.uuid4().hex[:10]}", place.model)
    found["copy a model there"] = ours("copy", place.layout.as_uri(), place.address, "models/m", there)
    found["copy it again"] = ours("copy", place.layout.as_uri(), place.address, "models/m", there)
    if single:
        digest = Layout(place.layout).get_manifest("models/m", "v1.modelpack").document["layers"][0]["digest"]
        with place.scratch() as back:
            found["pull a file"] = ours("pull", place.address, there, digest, back)
    with place.scratch() as back:
        found["copy it back"] = ours("copy", place.address, back.as_uri(), there, "models/m")
    found["copy it to another registry"] = ours("copy", place.address, f"{place.address}/else", there, place.new())
    for name, rival in RIVALS.items():
        found |= {f"{name} {operation}": cost for operation, cost in rival(place, there).items()}
    return found


def oras(place: Place, there: str) -> dict[str, Cost]:
    """The CLI."""
    program = shutil.which("oras")
    if program is None:
        return {}
    plain = ["--plain-http"] if place.plain else []
    files = [f"{path.name}:{KIND}" for path in sorted(place.model.iterdir())]
    source, remote = f"{place.layout / 'models' / 'm'}:v1", ["--to-plain-http"] if place.plain else []
    found = {
        "push": run(program, "push", *plain, f"{place.host}/{place.new()}:v1", *files, cwd=place.model),
        "copy there": run(program, "cp", "--from-oci-layout", source, *remote, f"{place.host}/{place.new()}:v1"),
    }
    with place.scratch() as back:
        remote = ["--from-plain-http"] if place.plain else []
        found["copy back"] = run(program, "cp", *remote, f"{place.host}/{there}:v1", "--to-oci-layout", f"{back}:v1")
    return found


def oras_py(place: Place, there: str) -> dict[str, Cost]:
    """The Python library; a model's ModelPack comes back."""
    if importlib.util.find_spec("oras") is None:
        return {}
    found = {"push": ours("oras-push", f"{place.host}/{place.new()}:v1", str(place.plain), place.model)}
    with place.scratch() as back:
        found["pull"] = ours("oras-pull", f"{place.host}/{there}:v1.modelpack", str(place.plain), back)
    return found


def skopeo(place: Place, there: str) -> dict[str, Cost]:
    """Whole indexes, there and back."""
    program = shutil.which("skopeo")
    if program is None:
        return {}
    verify = str(not place.plain).lower()
    copying = [program, "--insecure-policy", "copy", "--all", "--quiet"]
    source = f"oci:{place.layout / 'models' / 'm'}:v1"
    found = {"copy there": run(*copying, f"--dest-tls-verify={verify}", source, f"docker://{place.host}/{place.new()}:v1")}
    with place.scratch() as back:
        found["copy back"] = run(*copying, f"--src-tls-verify={verify}", f"docker://{place.host}/{there}:v1", f"oci:{back}:v1")
    return found


def crane(place: Place, there: str) -> dict[str, Cost]:
    """Whole indexes, there and back."""
    program = shutil.which("crane")
    if program is None:
        return {}
    plain = ["--insecure"] if place.plain else []
    with place.scratch() as back:
        found = {"copy back": run(program, "pull", *plain, "--format", "oci", f"{place.host}/{there}:v1", back)}
        found["copy there"] = run(program, "push", *plain, "--index", back, f"{place.host}/{place.new()}:v1")
    return found


RIVALS: dict[str, Callable[[Place, str], dict[str, Cost]]] = {"oras": oras, "oras-py": oras_py, "skopeo": skopeo, "crane": crane}


@contextlib.contextmanager
def registries(given: list[str], folder: Path, *, tls: bool) -> Iterator[list[str]]:
    """The addresses that were given, else those of servers that run meanwhile."""
    with contextlib.ExitStack() as running:
        if given:
            yield given
        elif shutil.which(PROGRAM):
            plain = running.enter_context(DockerRegistry(folder / "docker")).address
            secure = [running.enter_context(DockerRegistry(folder / "safe", tls=_certificate(folder))).address] if tls else []
            yield [plain, *secure]
        else:
            yield [running.enter_context(embedded_registry(folder / "served"))]


def _certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate of 127.0.0.1 and its key, trusted by every process that is measured."""
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-days", "2"]
    subprocess.run([*command, *subject], cwd=folder, check=True, capture_output=True)
    os.environ["SSL_CERT_FILE"] = os.environ["REQUESTS_CA_BUNDLE"] = str(folder / "cert.pem")
    return folder / "cert.pem", folder / "key.pem"


def models(folder: Path, mib: int, files: int) -> dict[str, Path]:
    """The two models that are measured."""
    found = {f"one file of {mib} MiB": folder / "one", f"{files} files of 100 KB": folder / "many"}
    for path in found.values():
        path.mkdir()
    with (folder / "one" / "weights.bin").open("wb") as file:
        for _ in range(mib):
            file.write(os.urandom(CHUNK))
    for number in range(files):
        (folder / "many" / f"{number:04}.bin").write_bytes(os.urandom(100_000))
    return found


def rounds(arguments: argparse.Namespace, folder: Path) -> dict[str, dict[str, Cost]]:
    """The best of several rounds of everything, by model and place."""
    found: dict[str, dict[str, Cost]] = {}
    with registries(arguments.registry, folder, tls=not arguments.no_tls) as addresses:
        for (title, model), turn in product(models(folder, arguments.mib, arguments.files).items(), range(arguments.repeat)):
            single, layout = len(list(model.iterdir())) == 1, folder / f"layout-{model.name}-{turn}"
            here = {"commit": ours("commit", layout, model)}
            if single:
                here["sha256"] = ours("sha256", model / "weights.bin")
            measured = {f"{title}, this machine": here}
            for address in addresses:
                measured[f"{title}, {address}"] = measure(Place(address, folder, model, layout), single=single)
            shutil.rmtree(layout)
            for place, costs in measured.items():
                kept = found.setdefault(place, {})
                for operation, cost in costs.items():
                    kept[operation] = cost.best(kept.get(operation, Cost()))
    return found


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mib", type=int, default=1024, help="size of the one file")
    parser.add_argument("--files", type=int, default=300, help="how many of 100 KB")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--registry", action="append", default=[], help="address of a registry to measure")
    parser.add_argument("--no-tls", action="store_true", help="over plain HTTP alone")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--do", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.do:
        do(*arguments.do)
        return 0
    with tempfile.TemporaryDirectory() as name:
        found = rounds(arguments, Path(name))
    if arguments.json:
        print(json.dumps({place: {name: vars(cost) for name, cost in costs.items()} for place, costs in found.items()}))
        return 0
    floor = next(cost for costs in found.values() for name, cost in costs.items() if name == "sha256")
    for place, costs in found.items():
        print(place)
        for operation, cost in costs.items():
            ratio = f"{cost.wall / floor.wall:5.2f} x sha256" if "one file" in place else " " * 14
            print(f"  {operation:28} {cost.wall:6.2f} s {ratio}  {cost.cpu:6.2f} CPU s  {cost.resident:5.0f} MiB")
    absent = [name for name in ("oras", "skopeo", "crane") if shutil.which(name) is None]
    print(f"not installed, so not measured: {', '.join(absent)}" if absent else "")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
