"""Settles runs whose supervisor is gone: a run that nobody drives must not stay "Running" for ever.

Whoever looks at such a run first (any engine, any process) ends what its steps left, under a lock, and writes down what
happened. A supervisor is recognised by its number and start time, so a number that was given again fools nobody.
"""

from __future__ import annotations

import json
import shutil
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from filelock import FileLock

from jupyter_mlops.engine.branches import branch_of
from jupyter_mlops.engine.local.assemble import Executed, notebooks
from jupyter_mlops.engine.local.folder import RunFolder
from jupyter_mlops.engine.local.identity import alive, own
from jupyter_mlops.engine.local.pod import MARK
from jupyter_mlops.engine.local.process import end_all
from jupyter_mlops.engine.local.record import forget_attempts, record_run
from jupyter_mlops.engine.local.request import Request
from jupyter_mlops.engine.local.status import Status
from jupyter_mlops.errors import MlopsError

STARTING = 30.0
"""Seconds in which a submitter may bring its supervisor up."""

FINISHED = frozenset({"Succeeded", "Failed", "Error"})


def orphaned(document: Mapping[str, Any], request: Mapping[str, Any]) -> bool:
    """Whether a run goes on by its document, but nobody drives it."""
    if (document.get("status") or {}).get("phase") in FINISHED:
        return False
    supervisor = request.get("supervisor")
    if supervisor:
        return not alive(supervisor)
    return time.time() - float(request.get("created") or 0) > STARTING


def settle(folder: RunFolder, *, defect: str = "") -> None:
    """Write the end of a run that nobody drives, and end what its steps left. No harm if somebody else was first.

    Args:
        folder: the run.
        defect: what went wrong in our own code, where the supervisor itself calls this.
    """
    try:
        lock = FileLock(folder.path / "lock", mode=0o600)
        with lock:
            document, request = folder.read_workflow(), folder.read_request()
            if not defect and not orphaned(document, request):
                return
            end_steps(folder)
            _keep_outputs(folder, document, request)
            _write_end(folder, document, request, defect)
    except (OSError, MlopsError):
        return  # deleted meanwhile, or no room to write: the next look tries again
    for leftover in ("work", "pods", "branches", "early"):
        shutil.rmtree(folder.path / leftover, ignore_errors=True)


def end_steps(folder: RunFolder) -> None:
    """Kill whatever runs for a run: by the identities that its supervisor recorded, and by the mark that all of it carries.

    The mark also finds a step that was started in the very moment in which the supervisor died.
    """
    for record in [*folder.path.glob("pods/*/process.json"), *folder.early.glob("*/process.json")]:
        with suppress(OSError, ValueError, KeyError, TypeError):
            known = json.loads(record.read_bytes())
            mark = known.pop("mark")
            leader = known["pid"] if alive(known) else None
            end_all(leader, mark, signal.SIGKILL)
    end_all(None, f"{MARK}={folder.name}/", signal.SIGKILL)


def _write_end(folder: RunFolder, document: dict[str, Any], request: Mapping[str, Any], defect: str) -> None:
    status = Status(folder, document)
    if folder.stop.exists() and not defect:
        status.shut_down()
        status.end("Failed", "Stopped with strategy 'Stop'")
    else:
        failure = _failure(request, defect)
        status.end("Error", failure["message"], failure)
    with suppress(KeyError, TypeError, ValueError):
        tried = [record.parent.name for record in folder.early.glob("*/process.json")]
        forget_attempts(Request.from_document(request), folder.name, tried)
        record_run(folder, Request.from_document(request), document)
    status.save()


def _keep_outputs(folder: RunFolder, document: Mapping[str, Any], request: Mapping[str, Any]) -> None:
    """Put what the steps have reported into the executed notebook, since the supervisor cannot any more."""
    with suppress(KeyError, TypeError, ValueError, OSError):
        parameters = {p["name"]: p.get("value") for p in (document["spec"].get("arguments") or {}).get("parameters") or ()}
        executed = Executed(folder.executed)
        executed.use(notebooks(str(parameters.get("mlops-bundle") or ""), Request.from_document(request)))
        for outputs in sorted((folder.path / "pods").rglob("outputs.json")):
            executed.add(outputs.parent, branch_of(outputs.relative_to(folder.path / "pods").parts[0]))
        executed.write()


def _failure(request: Mapping[str, Any], defect: str) -> dict[str, Any]:
    """What happened, in words that a person can act on."""
    supervisor = request.get("supervisor") or {}
    if defect:
        return {
            "code": "bug", "blame": "us", "message": f"the run's supervisor failed: {defect}",
            "fix": "Please report it with the file supervisor.log of the run's folder.",
        }  # fmt: skip
    if not supervisor:
        what = "the process that submitted the run ended before the run had started"
    elif supervisor.get("boot") != own()["boot"]:
        what = "the machine restarted while the run went on"
    else:
        what = "the run's supervisor was killed: the machine restarted or the process was killed"
    return {"code": "interrupted", "blame": "platform", "message": what, "fix": "Run it again."}
