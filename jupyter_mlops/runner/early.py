"""A step that was tried before its turn: what it may not have done, and how its outcome becomes the run's when the turn comes.

The attempt began with the state of an earlier step, in a copy of the working folder, and told nobody: its report lies beside its
output only. When the steps between have ended, a process of its own compares what they and the attempt changed and asked for, by
the rule that joins lanes (``session/merge.py``). If nothing met, the state, the report and the files are made what they would be
in order. Else it ends with why, and has changed nothing: the step is run again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from jupyter_mlops.errors import Corrupt, Refused, Where
from jupyter_mlops.oci.artifact import push_artifact
from jupyter_mlops.oci.canonical import canonical
from jupyter_mlops.oci.names import REPORT, REPORT_CONFIG, REPORT_OUTPUTS, STATE, STATE_CONFIG
from jupyter_mlops.oci.open import open_store
from jupyter_mlops.oci.store import Descriptor, Store
from jupyter_mlops.runner.arguments import Arguments
from jupyter_mlops.runner.gather import places, report_of
from jupyter_mlops.runner.join import Lane, lane_of, named, one_state
from jupyter_mlops.runner.plan import Plan
from jupyter_mlops.runner.record import Recorder
from jupyter_mlops.runner.report import LOG_TITLE, LOG_TYPE
from jupyter_mlops.session import files
from jupyter_mlops.session.merge import Clash, clashes
from jupyter_mlops.session.session import load_state
from jupyter_mlops.session.state import State
from jupyter_mlops.session.transfer import MEDIA_TYPE

MET = "met"
"""Code of a refusal: the attempt is no good, and its words say why."""

_CHUNK = 1 << 20


def check_quiet(recorder: Recorder) -> None:
    """See that an attempt has recorded nothing: a number or a model of an attempt that is thrown away would be nobody's.

    Raises:
        Refused: code ``met``.
    """
    if recorder.pending or recorder.own:
        raise Refused("it records metrics, models or datasets", code=MET)


def commit(arguments: Arguments, plan: Plan) -> None:
    """Make the attempt's outcome the step's, in the working folder of the run.

    Raises:
        Refused: code ``met``: the steps between changed what it was given, or what it left says where it ran.
        Corrupt, NotFound: the store does not hold what the arguments say.
    """
    store, repository = open_store(arguments.registry), arguments.repository
    before = load_state(store, repository, arguments.state)
    between = lane_of(store, repository, tuple(arguments.lane.split(",")), partial(report_of, store, arguments))
    report = _read(arguments.out / "report.json")
    attempt = lane_of(store, repository, (arguments.step,), {arguments.step: report}.__getitem__)
    if found := clashes(before, [between.side, attempt.side]):
        raise _refused(named(found[0], [between, attempt]))
    if between.state.count != before.count + places(plan, arguments.lane):
        raise Refused(f"{arguments.lane} ran another number of cells than there are", code=MET)
    outputs = _read(arguments.out / "outputs.json")
    _check_place(arguments.early, store, repository, before, attempt.state, [canonical(outputs), canonical(report)])
    state = one_state(store, repository, before, [between, attempt])
    files.restore(Path.cwd().resolve(), state.files, state.removed, store, repository)
    _publish(_Outcome(arguments, state, report, outputs, between), store)


@dataclass(frozen=True)
class _Outcome:
    """What is published of an attempt that was good."""

    arguments: Arguments
    state: State
    report: Mapping[str, Any]
    outputs: Mapping[str, Any]
    between: Lane


def _publish(outcome: _Outcome, store: Store) -> None:
    """Tag the state and the report; the output that the engine reads comes last. The key is that of a step in its turn."""
    arguments, state, repository = outcome.arguments, outcome.state, outcome.arguments.repository
    layers = [Descriptor(MEDIA_TYPE, digest, state.sizes[digest]) for digest in state.blobs()]
    tags = [f"state.{arguments.run}.{arguments.label}"]
    made = push_artifact(store, repository, STATE, state.to_json(), layers, config_type=STATE_CONFIG, tags=tags)
    digest = made.descriptor.digest
    report = {**outcome.report, "state": digest, "key": {**outcome.report.get("key", {}), "state": outcome.between.digest}}
    log = store.put_blob(repository, (arguments.out / "log").read_bytes(), LOG_TYPE)
    parts = [
        store.put_blob(repository, canonical(outcome.outputs), REPORT_OUTPUTS),
        Descriptor(log.media_type, log.digest, log.size, LOG_TITLE),
    ]
    tags = [f"report.{arguments.run}.{arguments.label}"]
    push_artifact(store, repository, REPORT, report, parts, config_type=REPORT_CONFIG, tags=tags)
    for name, data in (("report.json", canonical(report)), ("state", digest.encode())):
        fresh = arguments.out / f".{name}"
        fresh.write_bytes(data)
        fresh.replace(arguments.out / name)


def _refused(clash: Clash) -> Refused:
    """The clash from where the attempt stands."""
    what = {"name": clash.what, "file": f"the file {clash.what}", "carrier": f"the process ({clash.what})"}[clash.kind]
    return Refused(f"{clash.first} changed {what}", code=MET, where=Where(field=clash.what))


def _check_place(word: str, store: Store, repository: str, before: State, after: State, told: Iterable[bytes]) -> None:
    """See that nothing of what it left says where it ran: a path of its own folder, which is gone afterwards. Raises Refused."""
    known = {*before.blobs()}
    blobs = (_chunks(store, repository, digest) for digest in after.blobs() if digest not in known)
    marks = (word.encode(), word.encode("utf-32-le"))
    if any(_holds(parts, marks) for parts in ((data,) for data in told)) or any(_holds(parts, marks) for parts in blobs):
        raise Refused("what it left names its working folder", code=MET)


def _holds(parts: Iterable[bytes], marks: Iterable[bytes]) -> bool:
    """Whether any mark stands in these bytes, across the cuts between them too."""
    longest, rest = max(map(len, marks)), b""
    for part in parts:
        whole = rest + part
        if any(mark in whole for mark in marks):
            return True
        rest = whole[1 - longest :]
    return False


def _chunks(store: Store, repository: str, digest: str) -> Iterator[bytes]:
    with store.open_blob(repository, digest) as stream:
        while chunk := stream.read(_CHUNK):
            yield chunk


def _read(path: Path) -> dict[str, Any]:
    """What the attempt left beside its output. Raises Corrupt."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise Corrupt(f"the attempt has left no {path.name}: {error}", fix="Run the notebook again.") from error
    if not isinstance(found, dict):
        raise Corrupt(f"{path.name} of the attempt is no object", fix="Run the notebook again.")
    return found
