"""From a kernelspec's name to the Python that runs the steps, looked at before a run depends on it.

A step has to have what the notebook's kernel has, so it runs under the kernel's own interpreter; all that Jupyter adds to
that (``-m ipykernel_launcher -f …``) is left out. The interpreter is asked once for its version and for IPython, and the
answer is kept for as long as the program file is the same.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from jupyter_mlops.errors import NotFound, PlatformError, Refused

OLDEST = (3, 10)
_PROBE_LIMIT = 60.0
_PROBE = (
    "import importlib.util as u, json, sys; "
    "print('\\n@probe ' + json.dumps([list(sys.version_info[:2]), u.find_spec('IPython') is not None]))"
)
_PYTHON = re.compile(r"^(python|pypy)[0-9.]*(\.exe)?$")
_DEFAULT = "python3"


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel that steps can run under."""

    name: str
    """Name of its kernelspec."""

    command: tuple[str, ...]
    """Its Python, with what has to stand before it (``conda run``, variables of the kernelspec)."""

    minor: str
    """Version of its Python, e.g. ``3.11``."""

    language: str = "python"


def find_kernel(name: str) -> Kernel:
    """The kernel of a name; '' is the default Python.

    Raises:
        NotFound: code ``kernel-not-found``, with those that there are.
        Refused: its language is not Python.
        PlatformError: its interpreter does not start, is older than 3.10, or lacks IPython.
    """
    wanted = name or _DEFAULT
    argv, env, language = _spec(wanted, fallback=not name)
    if language.lower() != "python":
        raise Refused(
            f"the kernel {wanted!r} runs {language}, and only notebooks in Python become pipelines",
            code="kernel-not-python",
            fix="Choose a Python kernel with --kernel.",
        )
    command = _command(argv, env)
    minor = _probed(wanted, command)
    return Kernel(wanted, command, minor, "python")


def kernel_names() -> Sequence[str]:
    """Names of all kernelspecs on this machine, sorted."""
    from jupyter_client.kernelspec import KernelSpecManager

    return sorted(KernelSpecManager().find_kernel_specs())


def _spec(name: str, *, fallback: bool) -> tuple[Sequence[str], Mapping[str, str], str]:
    """(argv, env, language) of a kernelspec; the running Python where a default is asked for and none is installed."""
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    try:
        spec = KernelSpecManager().get_kernel_spec(name)
    except (NoSuchKernel, OSError, ValueError) as error:
        if fallback:
            return [sys.executable], {}, "python"
        there = ", ".join(kernel_names()) or "none"
        raise NotFound(
            f"there is no kernel {name!r} on this machine",
            code="kernel-not-found",
            fix=f"Choose one with --kernel ({there}), or install it: python -m ipykernel install --user --name {name}",
        ) from error
    return [str(part) for part in spec.argv], {str(k): str(v) for k, v in (spec.env or {}).items()}, str(spec.language or "python")


def _command(argv: Sequence[str], env: Mapping[str, str]) -> tuple[str, ...]:
    """The part of a kernelspec's argv up to its Python, found as Jupyter finds it, with the kernelspec's variables before it."""
    position = next((index for index, part in enumerate(argv) if _PYTHON.match(Path(part).name)), 0)
    head = list(argv[: position + 1]) or [sys.executable]
    if _PYTHON.match(head[0]):  # without a path: Jupyter takes the Python that it runs in itself
        head[0] = sys.executable
    elif found := shutil.which(head[0]):
        head[0] = found
    variables = [f"{key}={_expand(value)}" for key, value in env.items()]
    return (shutil.which("env") or "/usr/bin/env", *variables, *head) if variables else tuple(head)


def _expand(value: str) -> str:
    """``${NAME}`` of a kernelspec's variable, as Jupyter fills it in."""
    return re.sub(r"\$\{(\w+)\}", lambda found: os.environ.get(found.group(1), found.group(0)), value)


def _probed(name: str, command: tuple[str, ...]) -> str:
    """The interpreter's minor version, after its checks."""
    program = next((part for part in reversed(command) if Path(part).exists()), command[-1])
    try:
        about = Path(program).stat()
        version, has_ipython = _ask(command, about.st_mtime_ns, about.st_ino)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise PlatformError(
            f"the Python of the kernel {name!r} does not start: {' '.join(command)}: {_last_words(error)}",
            code="kernel-not-starting",
            fix="Repair or remove that kernel, or choose another with --kernel.",
        ) from error
    minor = ".".join(map(str, version))
    if version < OLDEST:
        raise PlatformError(
            f"the kernel {name!r} has Python {minor}, and steps need {'.'.join(map(str, OLDEST))} or newer",
            code="kernel-too-old",
            fix="Choose a kernel with a newer Python with --kernel.",
        )
    if not has_ipython:
        _ask.cache_clear()  # it can be installed at any time, and the program file stays the same
        raise PlatformError(
            f"the Python of the kernel {name!r} has no IPython: {command[-1]}",
            code="kernel-without-ipython",
            fix=f"{command[-1]} -m pip install ipykernel",
        )
    return minor


@lru_cache(maxsize=32)
def _ask(command: tuple[str, ...], _modified: int, _inode: int) -> tuple[tuple[int, int], bool]:
    """(version, whether IPython is there), from the interpreter itself."""
    done = subprocess.run(
        [*command, "-c", _PROBE], capture_output=True, text=True, timeout=_PROBE_LIMIT, check=True, stdin=subprocess.DEVNULL
    )
    said: Any = json.loads(done.stdout.rpartition("@probe ")[2])
    return (int(said[0][0]), int(said[0][1])), bool(said[1])


def _last_words(error: BaseException) -> str:
    """The last line that a failed program wrote, else the error itself."""
    said = getattr(error, "stderr", None)
    lines = said.strip().splitlines() if isinstance(said, str) else []
    return lines[-1] if lines else str(error)
