"""Which Python serves a model: that of the kernel it was trained with.

Kernelspecs are read as Jupyter finds them (folders ``kernels/NAME`` on its data path), without the machinery of
``jupyter_client``, whose import would cost more than all else before the model's own.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PASSED = (
    "PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH",
    "SSL_CERT_FILE", "SSL_CERT_DIR",
)  # fmt: skip
PASSED_PREFIXES = ("LC_", "CONDA_", "CUDA_", "NVIDIA_", "OMP_", "MKL_", "OPENBLAS_", "NUMEXPR_")
"""What a server inherits: where things are and how much it may compute; never a token or a key of the user's shell."""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A command that runs Python, what its kernelspec sets, and a remark when it is not the one asked for."""

    command: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    remark: str = ""


def interpreter_of(card: Mapping[str, Any]) -> Interpreter:
    """The interpreter of the card's kernel, else this one with a remark that says why."""
    name = str(card.get("kernel") or "")
    if not name:
        return Interpreter((sys.executable,))
    spec = _kernelspec(name)
    if spec is None:
        return Interpreter((sys.executable,), remark="" if name == "python3" else f"kernel '{name}' is not installed: {_instead()}")
    command = _command(spec.get("argv"))
    if command is None:
        return Interpreter((sys.executable,), remark=f"kernel '{name}' does not start Python: {_instead()}")
    if shutil.which(command[0]) is None:
        return Interpreter((sys.executable,), remark=f"the Python of kernel '{name}' ({command[0]}) is gone: {_instead()}")
    env = {str(key): str(value) for key, value in dict(spec.get("env") or {}).items()}
    return Interpreter(command, env)


def _instead() -> str:
    return f"{sys.executable} serves the model instead"


def _kernelspec(name: str) -> Mapping[str, Any] | None:
    from jupyter_core.paths import jupyter_path

    for folder in jupyter_path("kernels"):
        path = Path(folder) / name.lower() / "kernel.json"
        try:
            return dict(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            continue
    return None


def _command(argv: object) -> tuple[str, ...] | None:
    """The part of a kernel's command that runs Python: all before ``-m ipykernel_launcher``; None for another language.

    A bare ``python`` means the Python that Jupyter runs in, as ``jupyter_client`` has it.
    """
    if not isinstance(argv, list) or not argv or not all(isinstance(part, str) for part in argv):
        return None
    modules = [index for index, part in enumerate(argv[:-1]) if part == "-m" and argv[index + 1].startswith("ipykernel")]
    if modules:
        command = list(argv[: modules[0]])
    elif re.fullmatch(r"python[\d.]*(\.exe)?", Path(argv[0]).name):
        command = [argv[0]]
    else:
        return None
    if re.fullmatch(r"python(3(\.\d+)?)?", command[0]):
        command[0] = sys.executable
    return tuple(command)


def environment(interpreter: Interpreter, bundle: Path, given: Mapping[str, str]) -> dict[str, str]:
    """The environment of the server: little of ours, the kernel's, the document's, and the bundle first on the import path."""
    env = {name: value for name, value in os.environ.items() if name in PASSED or name.startswith(PASSED_PREFIXES)}
    env |= interpreter.env
    env |= given
    path = [str(bundle), *filter(None, [env.get("PYTHONPATH")])]
    return env | {"PYTHONPATH": os.pathsep.join(path), "PYTHONUNBUFFERED": "1", "PYTHONFAULTHANDLER": "1"}
