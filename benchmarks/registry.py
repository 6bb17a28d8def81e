"""What the registry costs for one large file, as ratios against sha256 of the same bytes, which nobody can do without.

    python benchmarks/registry.py [--mib 1024] [--json]

Commit to the folder, verified read, push to and pull from our own server. The CPU time of this process is what can be
compared on a machine that does other things too. Budgets (design, chapter 11): commit 1.8 s where sha256 alone takes
1.03 s, and 40 MB resident at any size.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from jupyter_mlops.oci.digest import CHUNK
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.oci.modelpack import publish_model
from jupyter_mlops.oci.remote import Remote
from jupyter_mlops.oci.store import Store
from jupyter_mlops.testing.embedded import embedded_registry


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def read(store: Store, repository: str, digest: str) -> None:
    """All of a blob, verified."""
    buffer = bytearray(CHUNK)
    with store.open_blob(repository, digest) as stream:
        while stream.readinto(buffer):  # type: ignore[attr-defined]
            pass


def measure(folder: Path, mib: int) -> dict[str, tuple[float, float]]:
    """Each operation's wall and CPU seconds; the server's CPU time is in the last two."""
    model = folder / "model"
    model.mkdir()
    weights = model / "weights.bin"
    with weights.open("wb") as file:
        for _ in range(mib):
            file.write(os.urandom(CHUNK))
    total, chunk = hashlib.sha256(), os.urandom(CHUNK)
    found = {"sha256": timed(lambda: [total.update(chunk) for _ in range(mib)])}
    layout = Layout(folder / "registry")
    found["commit"] = timed(lambda: publish_model(layout, "m", model, key="k", annotations={}, metrics={}))
    layer = layout.get_manifest("models/m", "v1.modelpack").document["layers"][0]["digest"]
    found["read"] = timed(lambda: read(layout, "models/m", layer))
    with embedded_registry(folder / "served") as address:
        remote = Remote(address)
        found["push"] = timed(lambda: remote.put_blob("m", weights, "application/octet-stream"))
        digest = Layout(folder / "served").put_blob("m", weights, "application/octet-stream").digest
        found["pull"] = timed(lambda: read(remote, "m", digest))
    return found


def main() -> int:
    """Print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mib", type=int, default=1024, help="size of the file")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), arguments.mib)
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    if arguments.json:
        print(json.dumps({"seconds": found, "resident_mib": resident}))
        return 0
    floor = found["sha256"][1]
    for name, (wall, cpu) in found.items():
        print(f"{name:8} {wall:6.2f} s  {cpu:6.2f} CPU s  {cpu / floor:5.2f} x sha256")
    print(f"resident {resident:.0f} MiB, client and server together")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
