"""Who submits a run, as the label of a Workflow can say it: for a list of runs that colleagues share."""

from __future__ import annotations

import getpass
import os
import re
from collections.abc import Mapping

_VARIABLES = ("JUPYTERHUB_USER", "NB_USER")
"""Where a spawner says whose server this is; the account in a container is everybody's."""

_LONGEST = 63


def creator(environ: Mapping[str, str] = os.environ) -> str:
    """A name that Kubernetes takes as a label's value; '' where nothing is known. It proves nothing: anybody can set it."""
    name = next((environ[variable] for variable in _VARIABLES if environ.get(variable)), "")
    if not name:
        try:
            name = getpass.getuser()
        except (KeyError, OSError):  # a container's user need not be in its list of users
            return ""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", name)[:_LONGEST].strip("-_.")
