"""Inside a real kernel that ``check`` takes as its reference: what is watched, and what is kept when its last cell has run.

The kernel is an ordinary one and runs the cells itself. Before the first of them it only learns where ``log_model`` publishes
(nowhere, as in a step that has not ended) and that ``%mlops`` lines are not for it; after the last one its names are stored
as a step's are, so that both sides can be compared in one process.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_mlops.oci.artifact import push_artifact
from jupyter_mlops.oci.names import STATE, STATE_CONFIG
from jupyter_mlops.oci.open import open_store
from jupyter_mlops.oci.store import Descriptor
from jupyter_mlops.runner import failure, record
from jupyter_mlops.runner.shell import OURS
from jupyter_mlops.session.scope import Scope
from jupyter_mlops.session.state import State, this_python
from jupyter_mlops.session.transfer import MEDIA_TYPE, Blobs, Delivery, capture

HISTORY = re.compile(r"In|Out|_{1,3}|_i{1,3}|_[dio]h|_i?\d+|__\w+__")
"""Names that IPython and the interpreter keep: outputs are compared as outputs."""


@dataclass
class _Watched:
    """This kernel."""

    shell: Any
    recorder: record.Recorder
    files: dict[str, int] = field(default_factory=dict)
    """Code file → execution count of its cell."""


_KERNEL: list[_Watched] = []


def begin(pipeline: str, kernel: str, scratch: str) -> None:
    """Called before the first cell.

    Args:
        pipeline: name of the notebook's pipeline.
        kernel: name of its kernel.
        scratch: folder for the files of logged models.
    """
    from IPython import get_ipython

    shell = get_ipython()  # type: ignore[no-untyped-call,unused-ignore]
    recorder = record.Recorder("check", "kernel", pipeline, kernel=kernel, scratch=Path(scratch))
    record.begin(recorder)
    watched = _Watched(shell, recorder)
    _KERNEL[:] = [watched]
    for kind in ("line", "cell"):
        shell.register_magic_function(lambda *_: None, kind, "mlops")
    manager = shell.extension_manager
    for name in ("load_extension", "reload_extension"):
        setattr(manager, name, _but_ours(getattr(manager, name)))
    cache = shell.compile.cache

    def noting(transformed_code: str, number: int = 0, raw_code: str | None = None) -> str:
        name: str = cache(transformed_code, number, raw_code)
        watched.files.setdefault(name, number)
        return name

    shell.compile.cache = noting


def _but_ours(load: Any) -> Any:
    """Loading an extension, except this product's own, as in a step."""
    return lambda module: None if module == OURS else load(module)


def assign(values: Mapping[str, Any]) -> None:
    """Give parameters their values."""
    _KERNEL[0].shell.user_ns.update(values)


def end(registry: str, repository: str, out: str, cells: Mapping[int, int], stopped: int | None, source: str) -> None:
    """Called after the last cell that ran: store the names, and write down what there is to know.

    Args:
        registry: address of the registry that the state goes to.
        repository: repository in it.
        out: file that the answer is written to.
        cells: execution count → cell.
        stopped: the cell at whose exception it stopped, or None.
        source: source of that cell.
    """
    watched = _KERNEL[0]
    answer: dict[str, Any] = {"failure": None, "path": list(sys.path)}
    if stopped is not None:
        files = {name: cells[count] for name, count in watched.files.items() if count in cells}
        raised = sys.last_value or RuntimeError("the kernel kept no exception")
        found = failure.of_exception(raised, "", stopped, files, {}, source)
        answer["failure"] = {"cell": found.cell, "line": found.line, "error": found.error, "message": found.message}
    answer["logged"] = [{"kind": x.kind, "name": x.name, "metrics": x.metrics} for x in watched.recorder.pending]
    answer["metrics"] = watched.recorder.metrics
    answer["state"] = _store(watched.shell, registry, repository)
    Path(out).write_text(json.dumps(answer), encoding="utf-8")


def own_names(shell: Any) -> dict[str, Any]:
    """The notebook's own names with their values."""
    hidden = shell.user_ns_hidden
    return {
        name: value
        for name, value in shell.user_ns.items()
        if not HISTORY.fullmatch(name) and not (name in hidden and hidden[name] is value)
    }


def _store(shell: Any, registry: str, repository: str) -> str:
    """Store the names as a step does; the digest of the state."""
    store = open_store(registry)
    blobs, scope = Blobs(store, repository), Scope(shell.user_ns, shell, Path.cwd())
    found = capture(own_names(shell), State(), Delivery(), blobs, scope, {})
    state = State(this_python(), shell.execution_count, found.names, found.lost, found.components)
    layers = [Descriptor(MEDIA_TYPE, digest, blobs.sizes[digest]) for digest in state.blobs()]
    return push_artifact(store, repository, STATE, state.to_json(), layers, config_type=STATE_CONFIG).descriptor.digest
