"""Jobs and job definitions of jupyter-scheduler, as its REST interface and exports write them (JSON), with their notebook.

A job is a notebook, values for its parameters, and sometimes a schedule. The first two become an ordinary notebook. This
product runs no schedule, which is told with the line for cron that does the same.
"""

from __future__ import annotations

import ast
import keyword
import posixpath
from collections.abc import Mapping
from typing import Any

from jupyter_mlops.importers.base import Account, Imported, Source, refused
from jupyter_mlops.importers.cells import copied, finished
from jupyter_mlops.importers.parameters import give
from jupyter_mlops.notebook.read import parse

NOTEBOOK = ("input_filename", "input_uri", "input_file", "input_path")
NOT_NEEDED: Mapping[str, str] = {
    "output_formats": "every run keeps its executed notebook; nbconvert makes other formats of it",
    "output_filename_template": "a run's executed notebook is found by its run",
    "output_prefix": "a run's executed notebook is found by its run",
    "output_uri": "a run's executed notebook is found by its run",
    "package_input_folder": "the notebook's folder is always there",
    "packaged_files": "the notebook's folder is always there",
    "idempotency_key": "a run is started by hand",
    "compute_type": "cells say what a step needs: cpu, memory, gpu",
    "job_filenames": "about one execution",
    "job_files": "about one execution",
    "downloaded": "about one execution",
    "status": "about one execution",
    "status_message": "about one execution",
    "url": "about one execution",
    "start_time": "about one execution",
    "end_time": "about one execution",
    "create_time": "about one execution",
    "update_time": "about one execution",
    "pid": "about one execution",
    "process_id": "about one execution",
    "job_id": "about one execution",
    "job_definition_id": "jupyter-scheduler's own",
    "name": "a pipeline is called after its file",
    "tags": "jupyter-scheduler's own",
}
UNSUPPORTED: Mapping[str, tuple[str, str]] = {
    "email_notifications": ("no mail is sent", "Let cron mail the output of jupyter mlops run."),
    "timeout_seconds": ("a run has no time limit of its own", 'Give the steps one: {"mlops": {"timeout": "2h"}} in the notebook.'),
    "max_retries": ("a failed step is not tried again", 'Ask for it: {"mlops": {"retries": 2}} in the notebook.'),
    "retry_on_timeout": ("a step that ran out of time is not tried again", "Give it more time."),
    "min_retry_interval_millis": ("there is no pause between tries", "Nothing."),
}


class Scheduler:
    """Jobs of jupyter-scheduler."""

    def recognises(self, source: Source) -> bool:
        """By the file it names and an id, a schedule or an environment of jupyter-scheduler's."""
        about = {"job_id", "job_definition_id", "runtime_environment_name", "schedule", "output_formats"}
        return any(source.document.get(key) and isinstance(source.document[key], str) for key in NOTEBOOK) and bool(
            about & set(source.document)
        )

    def convert(self, source: Source) -> Imported:
        """The job's notebook with the job's values as defaults.

        Raises:
            Refused: the notebook is missing, or is none.
        """
        account, job = Account(), source.document
        key = next(key for key in NOTEBOOK if isinstance(job.get(key), str) and job[key])
        name = str(job[key])
        document = copied(_notebook(source, name))
        account.taken(key, f"the notebook {posixpath.basename(name)}")
        values = _values(job.get("parameters"), account)
        if values:
            account.taken("parameters", give(document["cells"], values))
        for field, value in job.items():
            if field in {*NOTEBOOK, "parameters", "timezone", "active"} or (value in (None, "", [], {}, False) and field != key):
                continue
            if field == "schedule":
                _schedule(str(value), job, account)
            elif field == "runtime_environment_name":
                account.not_needed(field, f"the notebook's kernel is used; another by jupyter mlops run --kernel {value}")
            elif field in UNSUPPORTED:
                account.lost(field, *UNSUPPORTED[field])
            elif field in NOT_NEEDED:
                account.not_needed(field, NOT_NEEDED[field])
            else:
                account.lost(
                    field, "a field that jupyter-scheduler 2 does not write", "Nothing; look whether something relied on it."
                )
        base = posixpath.basename(name)
        folder = posixpath.dirname(name) if not posixpath.isabs(name) and "://" not in name else ""
        return Imported(
            "jupyter-scheduler", finished(document), base.removesuffix(".ipynb"), tuple(account.items), False, (name, base), folder
        )


def _notebook(source: Source, name: str) -> Mapping[str, Any]:
    """The job's notebook: at its path, or beside the job where the path is that of another machine."""
    for path in dict.fromkeys((name, posixpath.basename(name))):
        try:
            text = source.read(path)
        except FileNotFoundError:
            continue
        except UnicodeDecodeError as error:
            raise refused(source, ("not-importable", f"{path} is no text", "Save it in JupyterLab.")) from error
        return parse(text, posixpath.basename(path)).raw
    message = f"the job's notebook {name} is not there"
    raise refused(source, ("missing-file", message, f"Put {posixpath.basename(name)} beside {source.name}."))


def _values(given: Any, account: Account) -> dict[str, Any]:
    """Values of the parameters. jupyter-scheduler pastes each as source, so a text of Python's own form is what it says."""
    found: dict[str, Any] = {}
    for name, value in given.items() if isinstance(given, Mapping) else ():
        if not str(name).isidentifier() or keyword.iskeyword(str(name)):
            account.lost(f"parameters {name!r}", "it is no name of a variable", "Name it as Python does.")
            continue
        try:
            found[name] = ast.literal_eval(value) if isinstance(value, str) else value
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            what = f"{value!r} is code, not a value: the job pastes it as {name} = {value}"
            account.lost(f"parameters {name}", what, f"Write {name} = {value} into a cell, or quote it if it is a text.")
            continue
        account.taken(f"parameters {name}", f"the default of {name}: {found[name]!r}")
    return found


def _schedule(schedule: str, job: Mapping[str, Any], account: Account) -> None:
    """A schedule, as the line for cron that does the same."""
    zone = job.get("timezone")
    line = f"CRON_TZ={zone} " if zone else ""
    state = " (it was paused)" if job.get("active") is False else ""
    account.lost(
        "schedule", f"nothing is started at {schedule}{f' {zone}' if zone else ''}{state}",
        f"Let cron do it: {line}{schedule} jupyter mlops run NOTEBOOK.ipynb",
    )  # fmt: skip
