"""What a step's process sees of this machine's environment: what a kernel would see, since its cells would read it there.

A notebook that reads ``DATABASE_URL`` or ``SEABORN_DATA`` from the environment of whoever starts it works in a kernel; a step
in which the variable is silently absent would give another result. So only what belongs to the servers themselves is kept
back. Nothing of it is written down: a session's state holds only variables that the notebook changed, and no declared secret. On
a cluster none of them is there; ``env`` or ``secrets`` of a step declare them.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

from jupyter_mlops.errors import Refused, Where

OWN = ("MLOPS_*", "JPY_*", "JUPYTER_TOKEN", "JUPYTERHUB_*", "CONFIGPROXY_*", "PYTHONHASHSEED", "PYTHONUNBUFFERED", "PYTHONSTARTUP")
"""Names (glob patterns) of what is a server's, or ours to set."""


def inherited(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that a step inherits."""
    return {name: value for name, value in environ.items() if not any(fnmatchcase(name, pattern) for pattern in OWN)}


def secret_value(variable: str, reference: Mapping[str, object], environ: Mapping[str, str]) -> str | None:
    """Value of a Secret's key here: that of the environment variable of the same name as the step's.

    Raises:
        Refused: it is not set and not optional; names the variable, the secret and the key, never a value.
    """
    if variable in environ:
        return environ[variable]
    if reference.get("optional"):
        return None
    raise Refused(
        f"the step reads the secret {reference.get('name')}/{reference.get('key')} as {variable}, and {variable} is not set here",
        code="secret-missing",
        fix=f"Set {variable} in the environment that Jupyter (or the command line) is started from, and run again.",
        where=Where(field=f"env.{variable}"),
    )
