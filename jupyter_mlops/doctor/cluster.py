"""Checks of a cluster as a group of the doctor's: those of its target, which ``targets/check.py`` makes.

They are no probes of their own here, since whether they can be asked at all depends on the first of them.
"""

from __future__ import annotations

from jupyter_mlops.doctor.check import Check
from jupyter_mlops.errors import MlopsError, NotFound
from jupyter_mlops.settings import Settings

DEFAULT = ("TD01", "default target")


def ids() -> tuple[str, ...]:
    """Ids of all checks of a target."""
    from jupyter_mlops.targets.check import REACH, questions

    return (DEFAULT[0], REACH[0], *(question.id for question in questions()))


def examine(settings: Settings, name: str | None = None) -> list[Check]:
    """What is found about a target, or about the default one; this machine is looked at by the other checks.

    Raises:
        NotFound: there is no target of the name that was given.
    """
    from jupyter_mlops.targets.find import Targets

    targets = Targets(settings)
    try:
        target = targets.find(name)
    except MlopsError as error:
        if name is not None and isinstance(error, NotFound):
            raise
        return [Check(DEFAULT[0], "fail", DEFAULT[1], error.message, error.fix)]
    if target.local:
        return [Check(DEFAULT[0], "ok", DEFAULT[1], "this machine; a cluster is checked with --target")]
    health = targets.check(target.name)
    here = Check(DEFAULT[0], "ok", DEFAULT[1] if name is None else "target", f"{target.name}, namespace {target.namespace}")
    return [here, *(Check(one.id, one.level, one.title, one.why, one.fix) for one in health.checks)]
