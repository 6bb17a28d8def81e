"""Our code and IPython's, compiled, as a layer of the bundle: as much of it as a step imports before its first cell.

Compiled code fits one minor version of Python, so there is such a layer only where the pipeline's Python is the one that this
runs in; anywhere else a step compiles for itself, and does the same. Nothing is chosen by hand: a fresh Python imports what the
other layers hold, as a step does, and what it has imported then is compiled. Fresh also means that the same layers and the same
Python give the same bytes: no site packages, a fixed hash seed, and ``marshal`` without references, which depend on the process.

Format: zlib of Python's magic number and of ``marshal`` of a dict, as ``runner.compiled`` reads it. See ``docs/decisions/``,
0010, also for why Python's own library is not in it.
"""

from __future__ import annotations

import gzip
import io
import subprocess
import sys
import tempfile
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, cast

from jupyter_mlops.oci.digest import digest_of
from jupyter_mlops.oci.tar import extract_all
from jupyter_mlops.registry.keptlayer import KeptLayer

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from typing import BinaryIO

LIMIT = 60.0
"""Seconds for what takes two; on a machine under load a bundle without this layer is better than none."""


@lru_cache(maxsize=8)
def compiled_layer(python: str, runner: bytes, ipython: bytes) -> bytes:
    """The layer for steps of a Python minor version; b'' if there can be none.

    Args:
        python: e.g. ``3.11``.
        runner: the layer with our code.
        ipython: that with IPython, or b''.
    """
    if python != f"{sys.version_info.major}.{sys.version_info.minor}" or sys.implementation.name != "cpython":
        return b""
    script = files("jupyter_mlops.registry").joinpath("compile_start.py").read_text(encoding="utf-8")
    kept = KeptLayer("compiled", script, sys.version, digest_of(runner), digest_of(ipython))
    data = kept.read()
    if not data:
        data = _made(script, {"runner": runner, "ipython": ipython})
        if data:
            kept.write(data)
    return data


def _made(script: str, layers: dict[str, bytes]) -> bytes:
    """The layer; b'' if it cannot be made here, since a step can do without."""
    with tempfile.TemporaryDirectory(prefix="mlops-compile-", ignore_cleanup_errors=True) as scratch:
        for name, layer in layers.items():
            if layer:
                tar = cast("AbstractContextManager[BinaryIO]", gzip.GzipFile(fileobj=io.BytesIO(layer)))
                extract_all([tar], Path(scratch) / name)
        command = [sys.executable, "-S", "-s", "-B", "-c", script, scratch]
        try:
            done = subprocess.run(
                command, check=True, timeout=LIMIT, cwd=scratch, stdin=subprocess.DEVNULL, capture_output=True,
                env={"HOME": scratch, "PYTHONHASHSEED": "0"},
            )  # fmt: skip
        except (OSError, subprocess.SubprocessError):
            return b""
    return done.stdout
