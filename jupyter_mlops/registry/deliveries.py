"""What the steps of a run were really delivered and really changed, compared with what the plan said would flow.

The steps' own accounts lie in their reports, beside the run's record and deleted with it; the plan is made again from the
notebook in the run's bundle, which is what ran. So both are the same on every engine, and as old as the run.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jupyter_mlops.errors import Corrupt, NotFound, Refused, WrongUsage
from jupyter_mlops.notebook.document import Notebook
from jupyter_mlops.notebook.read import parse
from jupyter_mlops.oci.artifact import layers_of, read_config
from jupyter_mlops.oci.names import BUNDLE_CODE
from jupyter_mlops.oci.store import Store
from jupyter_mlops.oci.tar import read_member
from jupyter_mlops.pipeline.pipeline import Pipeline
from jupyter_mlops.pipeline.plan import plan
from jupyter_mlops.registry.runs import run_repository

NOTEBOOK, LIMIT = "notebook.ipynb", 64 << 20
"""The notebook in a bundle, and its size in bytes at most."""

Account = Mapping[str, Any]


def deliveries_of_run(store: Store, pipeline: str, run: str, workflow: Mapping[str, Any]) -> dict[str, Any] | None:
    """``{"steps": […], "unplanned": […], "unused": […]}``; None where no step has left an account.

    Raises:
        Unavailable and other errors of a store that does not answer.
    """
    accounts = dict(accounts_of(store, pipeline, run))
    planned = _planned(store, workflow)
    if not accounts or planned is None:
        return None
    return compare(planned, accounts)


def compare(planned: Pipeline, accounts: Mapping[str, Account]) -> dict[str, Any]:
    """Compare the links of a plan with the accounts of its steps.

    Args:
        planned: the plan.
        accounts: step → its account; of a step that has not ended there is none.

    Returns:
        ``steps`` with names delivered and changed; ``unplanned`` names, each with the planned ``with`` which it came, since both
        share parts; ``unused`` links, by the step that should have been delivered the name.
    """
    links = _links(planned)
    order = {step.name: place for place, step in enumerate(planned.steps)}
    known = sorted((step for step in accounts if step in order), key=lambda step: order[step])
    unplanned = [one for step in known for one in _unplanned(step, accounts[step], links.get(step, {}))]
    unused = [
        {"from": source, "to": step, "name": name}
        for step in known
        for name, source in sorted(links.get(step, {}).items())
        if name not in accounts[step]["delivered"]
    ]
    return {"steps": [_shown(step, accounts[step]) for step in known], "unplanned": unplanned, "unused": unused}


def _unplanned(step: str, account: Account, links: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    delivered: Mapping[str, str] = account["delivered"]
    for name in sorted(delivered.keys() - links.keys()):
        beside = sorted(other for other in links if delivered.get(other) == delivered[name])
        yield {"step": step, "name": name, "with": beside}


def _shown(step: str, account: Account) -> dict[str, Any]:
    """An account with names for digests: digests are for machines, and stay in the report."""
    return {
        "step": step,
        "delivered": sorted(account["delivered"]),
        "changed": sorted(account["changed"]),
        **{key: list(account[key]) for key in ("removed", "carriers", "files")},
    }


def _links(planned: Pipeline) -> dict[str, dict[str, str]]:
    """Step → name that flows into it → the step that it comes from. Files are no names."""
    found: dict[str, dict[str, str]] = {}
    for link in planned.links:
        source, target = planned.step_of(link.source), planned.step_of(link.target)
        if source and target and source != target and link.kind != "file":
            found.setdefault(target, {}).update(dict.fromkeys(link.names, source))
    return found


def accounts_of(store: Store, pipeline: str, run: str) -> Iterator[tuple[str, Account]]:
    """Step → its account, as far as steps have ended. Branches of one step count as one."""
    repository, prefix = run_repository(pipeline), f"report.{run}."
    for tag in store.tags(repository):
        if not tag.startswith(prefix):
            continue
        try:
            report = read_config(store, repository, store.get_manifest(repository, tag))
        except (NotFound, Corrupt):
            continue
        account = report.get("account")
        if isinstance(account, Mapping) and account.keys() >= {"delivered", "changed", "removed", "carriers", "files"}:
            yield str(report.get("step")), account


def _planned(store: Store, workflow: Mapping[str, Any]) -> Pipeline | None:
    """The plan of the notebook that ran."""
    found = notebook_of_run(store, workflow)
    try:
        return None if found is None else plan(found)
    except Refused:
        return None


def notebook_of_run(store: Store, workflow: Mapping[str, Any]) -> Notebook | None:
    """The notebook that a run ran, from its bundle; None where that is gone.

    Raises:
        Unavailable and other errors of a store that does not answer.
    """
    listed: Sequence[Any] = ((workflow.get("spec") or {}).get("arguments") or {}).get("parameters") or ()
    bundle = next((str(one.get("value") or "") for one in listed if one.get("name") == "mlops-bundle"), "")
    repository, _, digest = bundle.partition("@")
    if not digest:
        return None
    try:
        code = next(one for one in layers_of(store.get_manifest(repository, digest)) if one.media_type == BUNDLE_CODE)
        with store.open_blob(repository, code.digest) as stream, gzip.open(stream) as plain:
            data = read_member(plain, NOTEBOOK, LIMIT)  # type: ignore[arg-type]  # reads like one
        return parse((data or b"").decode(), NOTEBOOK)
    except (NotFound, Corrupt, WrongUsage, Refused, StopIteration, ValueError, OSError, EOFError):
        return None
