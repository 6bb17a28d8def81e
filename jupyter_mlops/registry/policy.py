"""Which models may run code when they are loaded: what is set, where a model comes from, and what its person allowed.

A pickle is a program. One that names nothing but data and classes of known libraries (``formats.allowed``) is harmless as far as
can be told; any other is loaded only if this user's own runs on this machine made it, or the user allowed that very version.
Neither is told by the registry itself: whoever may write to it could write that too. What was made here is noted in a place of
the registry's folder that no request reaches (``oci.made``); what is allowed, in the user's own folder (``allowances``).
"""

from __future__ import annotations

from pathlib import Path

from jupyter_mlops.errors import NotFound
from jupyter_mlops.formats.gate import Origin, Rule, rule_for
from jupyter_mlops.oci.made import was_made
from jupyter_mlops.oci.store import Store
from jupyter_mlops.registry.allowances import Allowances


def rule_elsewhere(setting: str, home: Path, here: Store, reference: str) -> Rule:
    """What loading a version may run that lies in the registry of a cluster.

    Who may write there is up to those who keep it, as with everything that a cluster runs: what is there counts as made by this
    user's own. A version that came from this machine's registry is judged as there.

    Args:
        setting: ``pickles``.
        home: where the user's own list lies.
        here: the registry of this machine.
        reference: ``models/churn@sha256:…``.

    Raises:
        Corrupt: code ``allowances-unreadable``, or the version is damaged here: nothing can be told of it then.
    """
    repository, _, digest = reference.partition("@")
    try:
        here.get_manifest(repository, digest)
    except NotFound:
        return rule_for(setting, Origin(own=True))
    return rule_of(setting, home, here, digest)


def rule_of(setting: str, home: Path, store: Store, digest: str) -> Rule:
    """What loading a version of the registry of this machine may run.

    Args:
        setting: ``pickles``.
        home: where the user's own list lies.
        store: the registry.
        digest: of the version's index.

    Raises:
        Corrupt: code ``allowances-unreadable``.
    """
    if setting in {"never", "any"}:
        return rule_for(setting, Origin())
    return rule_for(setting, Origin(was_made(store, digest), Allowances(home).has(digest)))
