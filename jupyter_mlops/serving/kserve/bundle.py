"""Our model server as an artifact of the target's registry, fetched by digest when a pod starts.

So the image a model was trained in serves it, with nothing of ours installed there. The bundle is started by the bootstrap of
a step, which runs ``jupyter_mlops.runner.start`` of whatever bundle it fetched: here that is ``pull``. Everything in it is
deterministic: the same version of ours is the same digest, and a service that runs keeps the one it was deployed with.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jupyter_mlops.oci.artifact import artifact_document
from jupyter_mlops.oci.canonical import canonical
from jupyter_mlops.oci.descriptor import manifest_of
from jupyter_mlops.oci.digest import digest_of
from jupyter_mlops.oci.names import SERVER, SERVER_CODE, SERVER_CONFIG
from jupyter_mlops.oci.store import Descriptor, Store
from jupyter_mlops.oci.tar import tar_chunks
from jupyter_mlops.serving.bundle import folder_of, server_files

REPOSITORY = "services/server"
START = "serve.py"

SERVE = b'''"""Start the model server that lies beside this file: serve.py FOLDER --name NAME ..."""
import os
import runpy
import sys
import time

sys.path[0] = os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib")
until = time.monotonic() + 60
while os.environ.get("MODEL_INIT_MODE") == "async" and not os.path.isdir(sys.argv[1]) and time.monotonic() < until:
    time.sleep(0.05)  # the model runs beside us and links itself in when it has started
runpy.run_module("jupyter_mlops.serving.server", run_name="__main__", alter_sys=True)
'''
MAIN = b'''"""What the bootstrap starts."""
from jupyter_mlops.serving.kserve.pull import main as main
'''


@dataclass(frozen=True, slots=True)
class ServerBundle:
    """The bytes; ``digest`` is that of the manifest."""

    config: bytes
    code: bytes
    digest: str

    @property
    def reference(self) -> str:
        """``services/server@sha256:…``."""
        return f"{REPOSITORY}@{self.digest}"


@cache
def server_bundle() -> ServerBundle:
    """The bundle of what is installed here; the same bytes each time."""
    files: dict[str, Path | bytes] = {f"lib/{name}": path.read_bytes() for name, path in server_files()}
    ours = folder_of("jupyter_mlops")
    for path in (
        *(ours / "oci").glob("*.py"),
        ours / "serving" / "kserve" / "__init__.py",
        ours / "serving" / "kserve" / "pull.py",
    ):
        files[f"lib/jupyter_mlops/{path.relative_to(ours).as_posix()}"] = path.read_bytes()
    files |= {"lib/jupyter_mlops/runner/__init__.py": b"", "lib/jupyter_mlops/runner/start.py": MAIN, START: SERVE}
    code = gzip.compress(b"".join(bytes(chunk) for chunk in tar_chunks(files)), compresslevel=6, mtime=0)
    config = canonical({"version": 1})
    data = canonical(_document(Descriptor(SERVER_CONFIG, digest_of(config), len(config)), _described(code)))
    return ServerBundle(config, code, manifest_of(data, None, "the model server").descriptor.digest)


def push_server(store: Store) -> str:
    """Store the bundle, unless it is there, and return its reference.

    Raises:
        NotAllowed, Unavailable, StorageFull: the registry cannot be written to.
    """
    bundle = server_bundle()
    config = store.put_blob(REPOSITORY, bundle.config, SERVER_CONFIG)
    code = store.put_blob(REPOSITORY, bundle.code, SERVER_CODE)
    tag = f"bundle-{bundle.digest.partition(':')[2][:12]}"
    store.put_manifest(REPOSITORY, _document(config, code), tags=[tag])
    return bundle.reference


def _described(code: bytes) -> Descriptor:
    return Descriptor(SERVER_CODE, digest_of(code), len(code))


def _document(config: Descriptor, code: Descriptor) -> dict[str, object]:
    return artifact_document(SERVER, config, (code,))
