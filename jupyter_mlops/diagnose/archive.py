"""Why Argo could not keep a step's log: its artifact repository, which our runs do without but cannot always stay away from.

Our Workflows say ``archiveLogs: false`` and have no artifacts. Argo's rule is "controller (on), template, workflow, controller
(off)", so where the controller's configuration keeps logs, a Workflow cannot decline; only the namespace can, by a repository
of its own. A step that did all its work then fails because of its log.
"""

from __future__ import annotations

import re

from jupyter_mlops.diagnose.cause import Cause
from jupyter_mlops.diagnose.documents import words
from jupyter_mlops.diagnose.owner import Owner

_NOT_KEPT = re.compile(
    r"failed to put (?:file|directory)|failed to create (?:new S3 client|bucket)|GCS (?:client|storage)|upload \S{1,300}: "
    r"|artifact (?:driver|repository|storage)",
    re.IGNORECASE,
)
"""What Argo's drivers for S3, GCS and others say when something cannot be stored (4.0's sources)."""


def archive_cause(owner: Owner, container: str, said: str, about: str) -> Cause | None:
    """The cause where Argo's own container could not store the log; None for everything else."""
    found = _NOT_KEPT.search(said) if owner.kind == "step" and container == "wait" else None
    if found is None:
        return None
    space = owner.namespace or "NAMESPACE"
    fix = (
        "An administrator corrects Argo's artifact repository, or lets this namespace keep no logs (ours are in the registry): "
        f"`kubectl -n {space} create configmap artifact-repositories --from-literal=none='archiveLogs: false'`, then "
        f"`kubectl -n {space} annotate configmap artifact-repositories workflows.argoproj.io/default-artifact-repository=none`"
    )
    why = words(said[found.start() :], 200).rstrip(". ")
    message = f"{owner.who} failed only because Argo could not keep its log in the artifact repository: {why}"
    return Cause("log-archive", message, "platform", fix, (about,), final=True)
