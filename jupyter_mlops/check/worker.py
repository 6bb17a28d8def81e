"""The detached process of one check: ``python -m jupyter_mlops.check.worker FOLDER LOCK REQUEST``.

Asked to stop, it leaves by an exception, so that the kernel and the run that it has started are ended on the way out.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from jupyter_mlops.check.jobs import Job
from jupyter_mlops.errors import Bug, MlopsError


class Stop(BaseException):
    """Somebody asked for it; no error, so that nothing on the way takes it for one."""


def main(arguments: list[str]) -> int:
    """Detach, check, and write down how it goes."""
    folder, lock, request = Path(arguments[0]), int(arguments[1]), json.loads(arguments[2])
    os.set_inheritable(lock, False)
    signal.signal(signal.SIGTERM, _stop)
    if child := os.fork():
        (folder / "pid").write_text(str(child))
        os._exit(0)
    work(Job(folder), request)
    return 0


def work(job: Job, request: Mapping[str, Any]) -> None:
    """One check, whose progress and end are in the job's document."""
    document = job.read() | {"phase": "Running"}

    def tell(text: str) -> None:
        document["progress"] = text
        job.write(document)

    try:
        try:
            end = {"phase": "Succeeded", "verdict": _verdict(document, request, tell)}
        except MlopsError as error:
            end = {"phase": "Failed", "error": error.to_dict()}
        except Exception:  # noqa: BLE001  (the process ends here, and who asked shall hear of it)
            traceback.print_exc()
            bug = Bug("the check broke off", fix=f"Look into {job.folder / 'log'}, and report it with the notebook.")
            end = {"phase": "Failed", "error": bug.to_dict()}
    except Stop:
        end = {"phase": "Stopped"}
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    job.write({**document, **end, "finished": time.time()})


def _verdict(document: Mapping[str, Any], request: Mapping[str, Any], tell: Any) -> dict[str, Any]:
    from jupyter_mlops.check.check import check
    from jupyter_mlops.flow import Workbench
    from jupyter_mlops.settings import Settings

    base = Settings()
    settings = replace(
        base,
        storage=replace(base.storage, home=Path(request["home"])),
        workspace=replace(base.workspace, copy_limit=request["copy_limit"]),
        steps=replace(base.steps, stop_grace=request["stop_grace"]),
    )
    verdict = check(Workbench(settings), Path(document["notebook"]), document["parameters"], request["kernel"], tell)
    return {key: value for key, value in verdict.to_json().items() if key != "deliveries"}


def _stop(number: int, frame: object) -> NoReturn:
    """Once: what is ended on the way out shall not be left half-ended by a second wish."""
    del number, frame
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Stop


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
