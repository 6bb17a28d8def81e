"""Compares two states in a process of the notebook's own interpreter: what a kernel left, and what a pipeline left.

What has one digest on both sides is equal and is not loaded. The rest is loaded beside each other and walked (``alike``):
serialising is made as deterministic as it can be, but equal values may still have different bytes.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_mlops.errors import MlopsError, NotStorable
from jupyter_mlops.oci.open import open_store
from jupyter_mlops.oci.store import Store
from jupyter_mlops.runner.alike import Alike
from jupyter_mlops.runner.outputs import Outputs
from jupyter_mlops.runner.plain import HISTORY
from jupyter_mlops.runner.processes import differing
from jupyter_mlops.runner.progress import Log
from jupyter_mlops.runner.shell import make_shell
from jupyter_mlops.session.attached import is_attached
from jupyter_mlops.session.carriers.base import Context
from jupyter_mlops.session.mentions import Mentions
from jupyter_mlops.session.scope import Scope
from jupyter_mlops.session.session import Asked, Session, load_state
from jupyter_mlops.session.state import State
from jupyter_mlops.session.transfer import Blobs, deliver

MISSING = "nothing"


@dataclass
class Judgement:
    """``equal`` names; ``different`` ones with the place and both texts; ``uncompared`` ones with the reason; the ``process``."""

    equal: list[str] = field(default_factory=list)
    different: list[dict[str, str]] = field(default_factory=list)
    uncompared: list[dict[str, str]] = field(default_factory=list)
    process: list[dict[str, str]] = field(default_factory=list)
    """Parts of the process that differ, as ``different`` has names."""

    def differ(self, name: str, path: str, first: str, second: str) -> None:
        """Note a difference."""
        self.different.append({"name": name, "path": path, "single": first, "pipeline": second})


def main(argv: Sequence[str]) -> int:
    """Read the request from the file ``argv[0]``, write the judgement to ``argv[1]``."""
    request = json.loads(Path(argv[0]).read_text(encoding="utf-8"))
    with (
        tempfile.TemporaryDirectory() as scratch,
        Path(os.devnull).open("w", encoding="utf-8") as nowhere,
        redirect_stdout(nowhere),
        redirect_stderr(nowhere),
    ):
        judgement = judge(request, Path(scratch), Log(nowhere))  # values may print when they are made again
    Path(argv[1]).write_text(json.dumps(judgement.__dict__), encoding="utf-8")
    return 0


def judge(request: Mapping[str, Any], scratch: Path, log: Log) -> Judgement:
    """Compare the states ``single`` and ``pipeline`` of a request.

    Raises:
        Corrupt, NotFound, NotStorable: a state cannot be read.
    """
    store, repository = open_store(request["registry"]), request["repository"]
    first, second = (load_state(store, repository, request[side]) for side in ("single", "pipeline"))
    judgement = Judgement()
    names = _own(first) | _own(second)
    for name in sorted(names):
        kinds = [_kind(state, name) for state in (first, second)]
        if kinds[0] != kinds[1] and MISSING in kinds:
            judgement.differ(name, name, *(kind or "a value" for kind in kinds))
        elif any(kinds):
            side = "on both sides" if all(kinds) else "in the single kernel" if kinds[0] else "in the pipeline"
            judgement.uncompared.append({"name": name, "reason": f"{kinds[0] or kinds[1]}, {side}"})
    ready = [name for name in sorted(names) if not _kind(first, name) and not _kind(second, name)]
    same = {name for name in ready if first.names[name] == second.names[name]}
    judgement.equal += sorted(same)
    todo = [name for name in ready if name not in same]
    if todo or first.carriers != second.carriers:
        _walk(judgement, todo, (first, second), request, (store, repository), (scratch, log))
    judgement.equal.sort()
    return judgement


def _walk(
    judgement: Judgement,
    todo: Sequence[str],
    states: tuple[State, State],
    request: Mapping[str, Any],
    place: tuple[Store, str],
    ours: tuple[Path, Log],
) -> None:
    """Load both sides and compare name by name."""
    root = Path.cwd().resolve()
    shell = make_shell(Outputs(), ours[1], 1, ours[0])
    sys.path[:] = ["", *sys.path]
    session = Session(*place, states[1], Context(root, shell))
    try:
        session.restore(Asked(Mentions(loads=frozenset(todo)), everything=True))
    except NotStorable as error:
        judgement.uncompared += [{"name": name, "reason": error.message} for name in todo]
        return
    sys.path += [entry for entry in request.get("path", ()) if entry not in sys.path]
    scope = Scope({"__name__": "__main__"}, shell, root)
    for digest in dict.fromkeys(states[0].names[name] for name in todo):
        _deliver_one(judgement, digest, todo, states[0], Blobs(*place), scope)
    alike = Alike((tuple(request["folders"][0]), tuple(request["folders"][1])))
    for name in (name for name in todo if name in scope.namespace):
        try:
            found = alike.compare(name, scope.namespace[name], shell.user_ns[name])
        except MlopsError:
            raise
        except Exception as error:  # noqa: BLE001  (code of the notebook and of libraries, asked what a value is made of)
            said = f"{type(error).__name__}: {error}"[:200]
            judgement.uncompared.append({"name": name, "reason": f"what it is made of cannot be read ({said})"})
            continue
        if found is None:
            judgement.equal.append(name)
        else:
            judgement.differ(name, found.path, found.first, found.second)
    carriers = states[0].carriers, states[1].carriers
    for name, unlike in differing(*carriers, Blobs(*place), (scope, session.scope), alike, seeded=bool(request.get("seeded"))):
        judgement.process.append({"name": name, "path": unlike.path, "single": unlike.first, "pipeline": unlike.second})


def _deliver_one(judgement: Judgement, digest: str, todo: Sequence[str], state: State, blobs: Blobs, scope: Scope) -> None:
    """Load a component of the single kernel; what its own code cannot make again is not compared."""
    try:
        deliver([digest], state, blobs, scope)
    except NotStorable as error:
        judgement.uncompared += [{"name": name, "reason": error.message} for name in todo if state.names[name] == digest]


def _own(state: State) -> set[str]:
    return {name for name in (*state.names, *state.lost) if not HISTORY.fullmatch(name) and not is_attached(name)}


def _kind(state: State, name: str) -> str:
    """What stands under a name where it is no stored value; '' where it is one."""
    if name in state.names:
        return ""
    return f"a {state.lost[name].type}, which cannot be stored" if name in state.lost else MISSING
