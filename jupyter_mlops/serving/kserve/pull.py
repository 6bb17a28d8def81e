"""Runs in the pod before the server: fetch the model by digest into a folder that the server's container shares.

It travels in the bundle and so imports nothing but ``oci``. Only this container has the registry's credentials; the one that
loads the model, which runs the model's own code, has none.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from jupyter_mlops.errors import Corrupt, MlopsError
from jupyter_mlops.oci.artifact import layers_of
from jupyter_mlops.oci.descriptor import children_of
from jupyter_mlops.oci.open import open_store
from jupyter_mlops.oci.store import Manifest, Store
from jupyter_mlops.oci.tar import extract_all

FAILED = 3
LIMIT = 4096
"""Bytes of a termination message."""


def main(argv: Sequence[str], bundle: str) -> int:
    """Fetch what the arguments name; without ``--model`` the bundle was all. Returns the exit code."""
    option = dict(zip(argv[::2], argv[1::2], strict=True))
    os.chmod(bundle, 0o755)  # noqa: PTH101, S103 - where the model runs beside the server, KServe gives that another user
    sys.stderr.write(f"the model server is in {bundle}\n")
    if "--model" not in option:
        return 0
    try:
        size = pull(open_store(option["--registry"]), option["--model"], Path(option["--into"]))
    except MlopsError as error:
        return _end(error)
    sys.stderr.write(f"{option['--model']} is in {option['--into']}, {size} bytes of layers\n")
    return 0


def pull(store: Store, reference: str, folder: Path) -> int:
    """Unpack ``models/…`` of a version into a folder, which appears whole and verified, or not at all; bytes of its layers.

    Raises:
        NotFound, NotAllowed, Unavailable: the registry does not give it.
        Corrupt: bytes without their digest, or no model.
    """
    if (folder / "models").is_dir():
        return 0  # an earlier start of this pod did it
    repository, _, digest = reference.rpartition("@")
    layers = layers_of(_image(store, repository, store.get_manifest(repository, digest)))
    extract_all((store.open_blob(repository, layer.digest) for layer in layers), folder, below="models/")
    return sum(layer.size for layer in layers)


def _image(store: Store, repository: str, index: Manifest) -> Manifest:
    """An image of the index; any for linux will do, since all share the layers that are the model."""
    if "manifests" not in index.document:
        return index
    for child in children_of(index.document):
        if (child.platform or {}).get("os") == "linux":
            return store.get_manifest(repository, child.digest)
    raise Corrupt(f"{index.descriptor.digest} in {repository} holds no image for linux", code="not-a-model")


def _end(error: MlopsError) -> int:
    """Say it in the log and as the container's termination message."""
    said = {**error.to_dict(), "message": f"the model cannot be fetched: {error.message}"[:2000]}
    text = json.dumps(said, ensure_ascii=False)
    sys.stderr.write(f"{said['message']}\n")
    with open(os.environ.get("MLOPS_TERMINATION") or "/dev/termination-log", "w", encoding="utf-8") as stream:  # noqa: PTH123
        stream.write(text.encode()[:LIMIT].decode(errors="ignore"))
    return FAILED
