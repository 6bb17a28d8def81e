"""How fast a registry server gives out one large blob: ours, over plain HTTP and TLS, beside docker-registry.

    python benchmarks/registry_server.py [--mib 1024] [--repeat 5] [--json]

Each server is a process of its own over a folder of its own, in memory after the first reading; the receiver throws the bytes
away, so that what is measured is the server and the loopback. The servers take turns; compare them only where little else runs.
Budget (design, chapter 11): faster than docker-registry.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from urllib.parse import urlsplit

from jupyter_mlops.oci.digest import CHUNK
from jupyter_mlops.oci.remote import Remote
from jupyter_mlops.testing.registries import PROGRAM, DockerRegistry

SERVE = """
import sys
from pathlib import Path
from jupyter_mlops.registry.server import Options, serve
cert, key = map(Path, sys.argv[2:]) if sys.argv[2:] else (None, None)
serve(Options(Path(sys.argv[1]), certificate=cert, key=key), lambda url: print(url, flush=True))
"""
CERTIFICATE = "openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=127.0.0.1"


@contextlib.contextmanager
def ours(root: Path, *files: Path) -> Iterator[str]:
    """Our server in a process of its own."""
    with subprocess.Popen([sys.executable, "-c", SERVE, root, *files], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def fetch(address: str, digest: str, trust: Path) -> float:
    """Seconds for one GET of the blob."""
    host, secure = urlsplit(address).netloc, address.startswith("https")
    context = ssl.create_default_context(cafile=trust) if secure else None
    connection = HTTPSConnection(host, context=context) if secure else HTTPConnection(host)
    buffer = bytearray(CHUNK)
    begin = time.perf_counter()
    with contextlib.closing(connection):
        connection.request("GET", f"/v2/bench/blobs/{digest}")
        answer = connection.getresponse()
        assert answer.status == 200, answer.status
        while answer.readinto(buffer):
            pass
    return time.perf_counter() - begin


def measure(folder: Path, mib: int, repeat: int) -> Mapping[str, float]:
    """Median seconds of each server."""
    subprocess.run([*CERTIFICATE.split(), "-addext", "subjectAltName=IP:127.0.0.1"], cwd=folder, check=True, capture_output=True)
    cert, key = folder / "cert.pem", folder / "key.pem"
    os.environ["SSL_CERT_FILE"] = str(cert)
    blob = folder / "blob"
    with blob.open("wb") as file:
        for _ in range(mib):
            file.write(os.urandom(CHUNK))
    with contextlib.ExitStack() as stack:
        servers = {
            "ours": stack.enter_context(ours(folder / "ours")),
            "ours, TLS": stack.enter_context(ours(folder / "tls", cert, key)),
        }
        if shutil.which(PROGRAM):
            servers[PROGRAM] = stack.enter_context(DockerRegistry(folder / "docker")).address
            servers[f"{PROGRAM}, TLS"] = stack.enter_context(DockerRegistry(folder / "docker-tls", tls=(cert, key))).address
        digests = {
            name: Remote(address).put_blob("bench", blob, "application/octet-stream").digest for name, address in servers.items()
        }
        taken: dict[str, list[float]] = {name: [] for name in servers}
        for turn in range(repeat + 1):
            for name, address in servers.items():
                seconds = fetch(address, digests[name], cert)
                if turn:  # the first one reads the disk
                    taken[name].append(seconds)
    return {name: statistics.median(each) for name, each in taken.items()}


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        found = measure(Path(scratch), arguments.mib, arguments.repeat)
    if arguments.json:
        print(json.dumps({"mib": arguments.mib, "seconds": found}))
        return
    for name, seconds in found.items():
        print(f"{name:<24} {seconds:7.3f} s  {arguments.mib / seconds:7.0f} MiB/s")


if __name__ == "__main__":
    main()
