"""The step after lanes: what ran beside each other becomes the one state that document order would have left.

The Workflow says which steps ran in which lanes, and from which state. What each left and asked for is in its report, which
it pushed before it ended. Whether they come together the states decide (``session/merge.py``): that the plan or an earlier
run took the steps for independent proves nothing about this run, whose data may differ. History and imports are brought
together here, where their content can be read: each lane left the places of the others free, so that ``In`` and ``Out`` count
as in one kernel.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from jupyter_mlops.errors import Corrupt
from jupyter_mlops.oci.store import Store
from jupyter_mlops.session.account import Account
from jupyter_mlops.session.carrying import Bytes
from jupyter_mlops.session.merge import Clash, Side, clashes, merge, refuse
from jupyter_mlops.session.pickler import dumps, loads
from jupyter_mlops.session.scope import Scope
from jupyter_mlops.session.session import load_state
from jupyter_mlops.session.state import State
from jupyter_mlops.session.transfer import Blobs

RECENT = 3
"""Results that ``_``, ``__`` and ``___`` stand for."""

Names = tuple[str, ...]
Reports = Callable[[str], Mapping[str, Any]]
"""Step → its report; raises NotFound, Corrupt."""


@dataclass(frozen=True)
class Lane:
    """A chain of steps: what it left, and the account of each."""

    digest: str
    state: State
    accounts: Mapping[str, Account]

    @property
    def side(self) -> Side:
        """The chain as one, under the name of its last step."""
        found = Account()
        for account in self.accounts.values():
            found = Account(
                {**found.delivered, **account.delivered},
                asked=(*found.asked, *account.asked),
                everything=found.everything or account.everything,
            )
        return Side(list(self.accounts)[-1], self.state, found)


def sides_of(text: str) -> tuple[tuple[Names, ...], ...]:
    """Sections, lanes and steps of the argument ``--join``."""
    return tuple(tuple(tuple(lane.split("+")) for lane in section.split(",")) for section in text.split(";") if section)


def bring_sides(
    store: Store, repository: str, base: State, sections: Sequence[Sequence[Names]], report: Reports
) -> tuple[State, tuple[str, ...]]:
    """The state after these sections, and the digests of the states that it was made of.

    Raises:
        Refused: code ``two-versions``: two lanes left, or read, two versions of one thing; it and both steps are named.
        Corrupt, NotFound: the store does not hold what the Workflow says.
    """
    digests: list[str] = []
    for section in sections:
        lanes = [lane_of(store, repository, names, report) for names in section]
        sides = [lane.side for lane in lanes]
        if found := clashes(base, sides):
            refuse([named(clash, lanes) for clash in found])
        base = one_state(store, repository, base, lanes)
        digests += [lane.digest for lane in lanes]
    return base, tuple(digests)


def leave_free(shell: Any, places: int) -> None:
    """Leave places in the history for cells that run beside this step and come before it in the document."""
    for entries in (shell.history_manager.input_hist_parsed, shell.history_manager.input_hist_raw):
        entries.extend([""] * places)


def one_state(store: Store, repository: str, base: State, lanes: Sequence[Lane]) -> State:
    """The state after lanes that do not clash."""
    merged = merge(base, [lane.side for lane in lanes])
    return _with_content(merged, [lane.state for lane in lanes], Blobs(store, repository, dict(merged.sizes)))


def lane_of(store: Store, repository: str, names: Names, report: Reports) -> Lane:
    """The lane of these steps, from their reports. Raises NotFound, Corrupt."""
    found = {name: report(name) for name in names}
    try:
        accounts = {name: Account.from_json(one["account"]) for name, one in found.items()}
    except (KeyError, TypeError) as error:
        raise Corrupt(f"the report of {names[-1]} has no account: {error!r}", fix="Run the notebook again.") from error
    digest = str(found[names[-1]]["state"])
    return Lane(digest, load_state(store, repository, digest), accounts)


def named(clash: Clash, lanes: Iterable[Lane]) -> Clash:
    """A clash with the steps of the lanes that it is about: who changed it, and who read or changed it later."""
    of = {lane.side.step: lane.accounts for lane in lanes}
    return replace(clash, first=_who(clash, of[clash.first], changed=True), second=_who(clash, of[clash.second], changed=False))


def _who(clash: Clash, accounts: Mapping[str, Account], *, changed: bool) -> str:
    for step, account in accounts.items():
        touched = {*account.changed, *account.removed, *account.carriers, *account.files}
        if clash.what in touched or (not changed and clash.what in {*account.delivered, *account.asked}):
            return step
    return list(accounts)[-1]


def _with_content(merged: State, states: Sequence[State], blobs: Blobs) -> State:
    """The state with the history and the imports of all lanes."""
    scope = Scope({}, None, Path())
    carriers = dict(merged.carriers)
    for name, bring in (("history", histories), ("imports", imports)):
        found = list(dict.fromkeys(state.carriers[name] for state in states if name in state.carriers))
        if len(found) > 1:
            values = []
            for digest in found:
                stream, buffers, _ = pickle.loads(blobs.get(digest))
                values.append(loads(stream, [Bytes(buffer) for buffer in buffers], scope))
            value = dumps(bring(values), scope)
            carriers[name] = blobs.put(pickle.dumps((value.stream, [bytes(part) for part in value.buffers], []), protocol=5))
    return replace(merged, carriers=carriers, sizes={**merged.sizes, **blobs.sizes})


def histories(values: Sequence[Any]) -> Any:
    """Inputs by their execution count, the last results, and the code files of all lanes, as ``History`` carries them."""
    parsed, raw, recent, files = zip(*values, strict=True)
    latest = sorted({count for counts in recent for count in counts}, reverse=True)[:RECENT]
    return _laid(parsed), _laid(raw), latest, sorted({tuple(file) for found in files for file in found})


def _laid(entries: Iterable[Sequence[str]]) -> list[str]:
    """Lists of inputs laid over each other: where one has left a place free, another has the cell."""
    found: list[str] = []
    for one in entries:
        found += [""] * (len(one) - len(found))
        found = [text or (one[place] if place < len(one) else "") for place, text in enumerate(found)]
    return found


def imports(values: Sequence[Any]) -> Any:
    """All names that were imported."""
    return sorted({name for value in values for name in value})
