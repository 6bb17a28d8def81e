"""How long lists of a full registry take: 1,000 models with 200 versions each by default, made through the layout.

    python benchmarks/listing.py [MODELS] [VERSIONS] [--keep FOLDER]

Prints milliseconds: the first list, which reads every manifest and fills the index; the next one of a new process; one after
a version was added; and the list without the index. The manifests are as small as an index of a version can be, with the
annotations that a list reads; ``index.json`` of each repository is written once, as copying a folder would.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from jupyter_mlops.oci.canonical import canonical
from jupyter_mlops.oci.descriptor import to_dict
from jupyter_mlops.oci.digest import digest_of
from jupyter_mlops.oci.index import REF_NAME
from jupyter_mlops.oci.layout import MARKER
from jupyter_mlops.oci.modelpack import BYTES, CREATED, FORMAT, METRIC, SIGNATURE
from jupyter_mlops.oci.names import MODEL, OCI_INDEX
from jupyter_mlops.oci.store import Descriptor

_TIMED = """
import sys, time
from pathlib import Path
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.registry.models import Models
models = Models(Layout(Path(sys.argv[1])))
start = time.perf_counter()
found = models.summaries()
taken = time.perf_counter() - start
print(len(found), sum(model.versions for model in found), 1000 * taken)
"""


def fill(root: Path, models: int, versions: int) -> None:
    """Write the registry: one repository a model, one small index a version."""
    for number in range(models):
        folder = root / "models" / f"model-{number:04}"
        blobs = folder / "blobs" / "sha256"
        blobs.mkdir(parents=True)
        (folder / "oci-layout").write_bytes(MARKER)
        entries = []
        for version in range(1, versions + 1):
            descriptor = _version(blobs, number, version)
            tags = [f"v{version}", "latest"] if version == versions else [f"v{version}"]
            entries += [{**to_dict(descriptor), "annotations": {REF_NAME: tag}} for tag in tags]
        (folder / "index.json").write_bytes(canonical({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}))
        os.utime(folder / "index.json", (1_700_000_000, 1_700_000_000))


def _version(blobs: Path, number: int, version: int) -> Descriptor:
    notes = {
        BYTES: "100",
        CREATED: "2026-01-01T00:00:00.000Z",
        FORMAT: "sklearn",
        METRIC + "accuracy": f"0.{number:04}{version}",
        SIGNATURE: json.dumps({"inputs": [{"name": "age", "datatype": "INT64"}], "outputs": []}),
    }
    document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "artifactType": MODEL, "manifests": [], "annotations": notes}
    data = canonical(document)
    digest = digest_of(data)
    (blobs / digest.partition(":")[2]).write_bytes(data)
    return Descriptor(OCI_INDEX, digest, len(data), artifact_type=MODEL)


def timed(root: Path) -> str:
    """One list in a process of its own, as a command makes it."""
    found = subprocess.run([sys.executable, "-c", _TIMED, str(root)], capture_output=True, text=True, check=True)
    models, versions, taken = found.stdout.split()
    return f"{float(taken):9.1f} ms  ({models} models, {versions} versions)"


def main() -> None:
    """Make the registry and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="?", type=int, default=1000)
    parser.add_argument("versions", nargs="?", type=int, default=200)
    parser.add_argument("--keep", type=Path, help="make it here, and leave it")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="jupyter-mlops-listing-") as scratch:
        root = arguments.keep or Path(scratch)
        start = time.perf_counter()
        if not (root / "models").exists():
            fill(root, arguments.models, arguments.versions)
        print(f"made in {time.perf_counter() - start:.0f} s")
        print(f"first list         {timed(root)}")
        for _ in range(3):
            print(f"from the index     {timed(root)}")
        changed = root / "models" / "model-0000" / "index.json"
        document = json.loads(changed.read_bytes())
        document["manifests"] = document["manifests"][:-1]
        changed.write_bytes(canonical(document))
        os.utime(changed, (1_700_000_100, 1_700_000_100))
        print(f"one model changed  {timed(root)}")


if __name__ == "__main__":
    main()
