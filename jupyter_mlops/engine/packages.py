"""The exact packages that a notebook's kernel imports, asked of the kernel's own interpreter and remembered.

The answer is kept in a file for as long as the interpreter and the folders that it imports from are the same: asking costs
a few hundred milliseconds, looking at the times of some folders nothing. A kernel that cannot be asked gives no environment; a
run does not fail for it, since the steps find out themselves.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.resources import files
from pathlib import Path
from typing import Any

from jupyter_mlops.engine.kernels import Kernel
from jupyter_mlops.engine.packageprobe import MARK
from jupyter_mlops.errors import MlopsError
from jupyter_mlops.notebook.document import Notebook
from jupyter_mlops.pipeline.environment import (
    Distribution,
    Environment,
    Use,
    imports_of,
    imports_of_source,
    installs_packages,
    required_by_steps,
)
from jupyter_mlops.pipeline.pipeline import Pipeline

LIMIT = 60.0
"""Seconds that an interpreter may take to answer."""

Answer = Mapping[str, Any]


def environment_of(
    kernel: Kernel,
    notebook: Notebook,
    pipeline: Pipeline,
    modules: Mapping[str, Path],
    folder: Path,
    cache: Path,
    *,
    keep: bool = True,
) -> Environment | None:
    """What the kernel imports for this notebook; None where its interpreter does not answer.

    Args:
        kernel: of the notebook.
        notebook: whose cells import.
        pipeline: its plan, for what each step needs.
        modules: local modules by their names relative to the folder; what they import counts for the cells that import them.
        folder: of the notebook.
        cache: folder where answers are kept.
        keep: whether this answer is kept there too.
    """
    uses = _with_local(imports_of(cell for cell in notebook.code if pipeline.step_of(cell.index) is not None), modules)
    asked = sorted({(use.module, use.members) for use in uses})
    answer = _answer(kernel, asked, folder, cache, keep=keep)
    if answer is None:
        return None
    where = {
        (module, members): (place, names) for (module, members), (_, place, names) in zip(asked, answer["modules"], strict=True)
    }
    placed = [(use, *where[use.module, use.members]) for use in uses]
    needed = required_by_steps(pipeline, uses)
    known = answer["distributions"]
    return Environment(
        python=answer["python"],
        platform=answer["platform"],
        distributions=tuple(
            Distribution(
                known[name]["name"], known[name]["version"],
                tuple(sorted({use.top for use, _, names in placed if name in names})),
                known[name]["source"], known[name]["url"], known[name]["commit"],
            )
            for name in sorted(known, key=str.lower)
        ),
        local=tuple(sorted({use.top for use, place, _ in placed if place == "local"})),
        unknown=tuple(sorted({use.top for use, place, _ in placed if place == "unknown"})),
        missing=tuple(use for use, place, _ in placed if place == "missing" and use.required),
        steps={
            step: tuple(sorted({known[name]["name"] for use in found for name in where[use.module, use.members][1]}))
            for step, found in needed.items()
        },
        installs=installs_packages(notebook.code),
    )  # fmt: skip


def _with_local(uses: Sequence[Use], modules: Mapping[str, Path]) -> list[Use]:
    """The imports, with those of local modules in place of the cells that import them."""
    found = list(uses)
    by_top: dict[str, list[Path]] = {}
    for name, path in modules.items():
        if path.suffix == ".py":
            by_top.setdefault(name.partition("/")[0].removesuffix(".py"), []).append(path)
    seen: set[tuple[str, int]] = set()
    for use in found:  # grows while it is walked: local modules import one another
        if use.top not in by_top or (use.top, use.cell) in seen:
            continue
        seen.add((use.top, use.cell))
        for path in by_top[use.top]:
            with suppress(OSError):
                inner = imports_of_source(path.read_text(encoding="utf-8", errors="replace"), use.cell)
                found += [Use(x.module, x.members, use.cell, use.line, x.required and use.required, use.binds) for x in inner]
    return list(dict.fromkeys(found))


def _answer(
    kernel: Kernel, asked: Sequence[tuple[str, tuple[str, ...]]], folder: Path, cache: Path, *, keep: bool
) -> Answer | None:
    """The interpreter's answer, from the file of an earlier one if nothing has changed since."""
    program = next((part for part in reversed(kernel.command) if Path(part).exists()), kernel.command[-1])
    question = json.dumps(asked)
    key = json.dumps([kernel.command, _changed(program), question, str(folder.resolve()), os.environ.get("PYTHONPATH", "")])
    kept = cache / "environments" / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"
    with suppress(OSError, ValueError, KeyError, AttributeError):
        found: Answer = json.loads(kept.read_text(encoding="utf-8"))
        if all(_changed(path) == changed for path, changed in found["paths"].items()):
            return found
    with suppress(OSError, ValueError, KeyError, subprocess.SubprocessError, MlopsError):
        found = _ask(kernel.command, question, folder)
        if keep:
            with suppress(OSError):
                _keep(kept, found)
        return found
    return None


def _ask(command: Sequence[str], question: str, folder: Path) -> Answer:
    script = (files("jupyter_mlops") / "engine" / "packageprobe.py").read_text(encoding="utf-8")
    done = subprocess.run(
        [*command, "-c", script], input=question, capture_output=True, text=True, timeout=LIMIT, check=True, cwd=folder
    )
    found: Answer = json.loads(done.stdout.rpartition(MARK)[2])
    return found


def _keep(path: Path, found: Answer) -> None:
    """All or nothing: two processes may ask at the same time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(f".{os.getpid()}")
    fresh.write_text(json.dumps(found), encoding="utf-8")
    fresh.replace(path)


def _changed(path: str) -> int:
    try:
        return Path(path).stat().st_mtime_ns
    except OSError:
        return 0
