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

from jupyter_mlops.errors import MlopsError
from jupyter_mlops.oci.modelfiles import fetch_model
from jupyter_mlops.oci.open import open_store

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
        size = pulled(option["--registry"], option["--model"], Path(option["--into"]))
    except MlopsError as error:
        return _end(error)
    sys.stderr.write(f"{option['--model']} is in {option['--into']}, {size} bytes of layers\n")
    return 0


def pulled(registry: str, reference: str, folder: Path) -> int:
    """Bytes of layers that were unpacked; none where an earlier start of this pod did it. Raises as ``fetch_model``."""
    if (folder / "models").is_dir():
        return 0
    repository, _, digest = reference.rpartition("@")
    return fetch_model(open_store(registry), repository, digest, folder)


def _end(error: MlopsError) -> int:
    """Say it in the log and as the container's termination message."""
    said = {**error.to_dict(), "message": f"the model cannot be fetched: {error.message}"[:2000]}
    text = json.dumps(said, ensure_ascii=False)
    sys.stderr.write(f"{said['message']}\n")
    with open(os.environ.get("MLOPS_TERMINATION") or "/dev/termination-log", "w", encoding="utf-8") as stream:  # noqa: PTH123
        stream.write(text.encode()[:LIMIT].decode(errors="ignore"))
    return FAILED
