"""Inside a real kernel that ``check`` takes as its reference: what is watched, and what is kept when its last cell has run.

The kernel is an ordinary one and runs the cells itself. Before the first of them it only learns where ``log_model`` publishes
(nowhere, as in a step that has not ended) and that ``%mlops`` lines are not for it; after the last one its names are stored
as a step's are, so that both sides can be compared in one process.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_mlops.errors import WrongUsage
from jupyter_mlops.oci.artifact import push_artifact
from jupyter_mlops.oci.names import STATE, STATE_CONFIG
from jupyter_mlops.oci.open import open_store
from jupyter_mlops.oci.store import Descriptor
from jupyter_mlops.runner import failure, record
from jupyter_mlops.runner.answer import answer
from jupyter_mlops.runner.fanout import Fanout
from jupyter_mlops.runner.plan import Ask, Parameter, Plan
from jupyter_mlops.runner.shell import OURS
from jupyter_mlops.session.carriers.base import Context
from jupyter_mlops.session.carrying import Carrying
from jupyter_mlops.session.scope import Scope
from jupyter_mlops.session.state import Lost, State, this_python
from jupyter_mlops.session.transfer import MEDIA_TYPE, Blobs, Delivery, capture

HISTORY = re.compile(r"In|Out|_{1,3}|_i{1,3}|_[dio]h|_i?\d+|__\w+__")
"""Names that IPython and the interpreter keep: outputs are compared as outputs."""


@dataclass
class _Watched:
    """This kernel."""

    shell: Any
    recorder: record.Recorder
    carrying: Carrying
    """What of the process a step hands on, asked of this kernel too."""

    files: dict[str, int] = field(default_factory=dict)
    """Code file → execution count of its cell."""

    lost: dict[str, Lost] = field(default_factory=dict)
    """Names that not every branch of a step bound."""

    fanouts: list[Fanout] = field(default_factory=list)
    """Steps with ``each`` so far; the last one may still be under way."""


_KERNEL: list[_Watched] = []


def begin(pipeline: str, kernel: str, scratch: str, registry: str, repository: str) -> None:
    """Called before the first cell.

    Args:
        pipeline: name of the notebook's pipeline.
        kernel: name of its kernel.
        scratch: folder for the files of logged models.
        registry: address of the registry that the state goes to in the end.
        repository: repository in it.
    """
    from IPython import get_ipython

    shell = get_ipython()  # type: ignore[no-untyped-call,unused-ignore]
    recorder = record.Recorder("check", "kernel", pipeline, kernel=kernel, scratch=Path(scratch))
    record.begin(recorder)
    root = Path.cwd()
    scope, blobs = Scope(shell.user_ns, shell, root), Blobs(open_store(registry), repository)
    watched = _Watched(shell, recorder, Carrying(Context(root, shell), scope, blobs, {}))
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
    watched.carrying.restore_process()
    watched.carrying.restore_libraries()


def _but_ours(load: Any) -> Any:
    """Loading an extension, except this product's own, as in a step."""
    return lambda module: None if module == OURS else load(module)


def assign(values: Mapping[str, Any]) -> None:
    """Give parameters their values."""
    _KERNEL[0].shell.user_ns.update(values)


def evaluate(asked: Mapping[str, Any], parameters: list[list[Any]], given: Mapping[str, Any]) -> dict[str, Any]:
    """What the flow asks before a step: ``{"go": bool}``, ``{"items": list}``, or the failure of the expression.

    Args:
        asked: the fields of :class:`Ask`.
        parameters: (name, type, default, cell) of each parameter of the notebook.
        given: their values for this run.
    """
    known = tuple(Parameter(*one) for one in parameters)
    try:
        return answer(Ask(**asked), _KERNEL[0].shell.user_ns, Plan(Path(), "", "", "", "", (), known), dict(given))
    except WrongUsage as error:
        return {"failure": {"cell": asked["cell"], "line": None, "error": type(error).__name__, "message": error.message}}


def fan_out(item: str, sources: list[str], step: str, cell: int) -> None:
    """A step with ``each`` begins."""
    watched = _KERNEL[0]
    metrics = watched.recorder.metrics
    watched.fanouts.append(Fanout(watched.shell, lambda: own_names(watched.shell), metrics, item, sources, step, cell))


def begin_branch(value: Any) -> None:
    """A branch of it begins with this item."""
    _KERNEL[0].fanouts[-1].begin(value)


def end_branch() -> None:
    """And has ended well."""
    _KERNEL[0].fanouts[-1].end()


def join() -> None:
    """The next step finds lists."""
    _KERNEL[0].lost.update(_KERNEL[0].fanouts[-1].join())


def leave() -> None:
    """No step follows that asks for what the branches bound."""
    _KERNEL[0].fanouts[-1].leave()


def failed(cells: Mapping[int, int], cell: int, source: str) -> dict[str, Any]:
    """Where and why a cell stopped.

    Args:
        cells: execution count → cell.
        cell: the cell at whose exception the notebook stopped.
        source: its source.
    """
    files = {name: cells[count] for name, count in _KERNEL[0].files.items() if count in cells}
    raised = sys.last_value or RuntimeError("the kernel kept no exception")
    found = failure.of_exception(raised, "", cell, files, {}, source)
    return {"cell": found.cell, "line": found.line, "error": found.error, "message": found.message}


def end(registry: str, repository: str) -> dict[str, Any]:
    """Called after the last cell that ran: store the names, and say what there is to know.

    Args:
        registry: address of the registry that the state goes to.
        repository: repository in it.
    """
    watched = _KERNEL[0]
    carriers = watched.carrying.capture()
    return {
        "path": list(sys.path),
        "logged": [{"kind": x.kind, "name": x.name, "metrics": x.metrics} for x in watched.recorder.pending],
        "metrics": watched.recorder.metrics,
        "loose": sorted({name for one in watched.fanouts for name in one.loose}),
        "state": _store(watched, carriers, registry, repository),
    }


def own_names(shell: Any) -> dict[str, Any]:
    """The notebook's own names with their values."""
    hidden = shell.user_ns_hidden
    return {
        name: value
        for name, value in shell.user_ns.items()
        if not HISTORY.fullmatch(name) and not (name in hidden and hidden[name] is value)
    }


def _store(watched: _Watched, carriers: Mapping[str, str], registry: str, repository: str) -> str:
    """Store the names as a step does, beside the process; the digest of the state."""
    store, shell = open_store(registry), watched.shell
    blobs, scope = Blobs(store, repository), Scope(shell.user_ns, shell, Path.cwd())
    for digest in carriers.values():
        blobs.sizes[digest] = watched.carrying.size(digest)
    names = own_names(shell)
    found = capture(names, State(), Delivery(), blobs, scope, {})
    lost = {**{name: why for name, why in watched.lost.items() if name not in names}, **found.lost}
    state = State(this_python(), shell.execution_count, found.names, lost, found.components, carriers)
    layers = [Descriptor(MEDIA_TYPE, digest, blobs.sizes[digest]) for digest in state.blobs()]
    return push_artifact(store, repository, STATE, state.to_json(), layers, config_type=STATE_CONFIG).descriptor.digest
