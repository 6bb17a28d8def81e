"""What scans of a version found, kept beside it as a referrer: for people and other tools, and never what decides.

Whoever may write to a registry may write a verdict there. So a load looks at the bytes again (``formats.gate``); a verdict tells
in a list what a version brings, and who looked when, with which list.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import jupyter_mlops
from jupyter_mlops.errors import Corrupt, NotFound
from jupyter_mlops.formats.allowed import LISTS, Verdict, judge, loader_of
from jupyter_mlops.formats.table import NAMES
from jupyter_mlops.oci.artifact import push_artifact, read_config
from jupyter_mlops.oci.names import SCAN
from jupyter_mlops.oci.store import Store
from jupyter_mlops.registry.events import actor
from jupyter_mlops.registry.times import now

CARD = "mlops.json"
CODE = "code that lies beside it"
"""What is refused of a format whose loading runs whatever its folder says."""


def scanned(place: Path) -> dict[str, Verdict]:
    """Each file that loading may run and what it would do: of one file, or of a folder. Nothing is loaded.

    What a model's card calls its file is judged as its format reads it; any other by its name.

    Raises:
        OSError: it cannot be read.
    """
    if place.is_file():
        loader = loader_of(place.name)
        return {place.name: judge(place, loader)} if loader else {}
    found = {}
    own = {card.parent / name: runs for card in place.rglob(CARD) for name, runs in _told(card)}
    for path in sorted(path for path in place.rglob("*") if path.is_file()):
        runs = own.get(path) or loader_of(path.name) or "nothing"
        if runs == "anything":
            found[path.relative_to(place).as_posix()] = Verdict(refused=(CODE,))
        elif runs != "nothing":
            found[path.relative_to(place).as_posix()] = judge(path, runs)
    return found


def record(store: Store, repository: str, reference: str, files: Mapping[str, Verdict]) -> bool:
    """Keep what a scan found, unless the newest there says the same; whether it was kept.

    Raises:
        NotFound: no such version. NotAllowed, StorageFull, Unavailable: the registry does not take it.
    """
    subject = store.get_manifest(repository, reference).descriptor
    told = {
        "version": 1,
        "lists": LISTS,
        "harmless": all(one.harmless for one in files.values()),
        "files": {file: one.to_json() for file, one in sorted(files.items())},
    }
    before = newest(store, repository, subject.digest)
    if before and told == {name: before.get(name) for name in told}:
        return False
    about = {"scanner": f"jupyter-mlops {jupyter_mlops.__version__}", "actor": actor(), "time": now()}
    notes = {"io.github.jupyter-mlops.harmless": str(told["harmless"]).lower()}
    push_artifact(store, repository, SCAN, {**told, **about}, subject=subject, annotations=notes)
    return True


def newest(store: Store, repository: str, digest: str) -> dict[str, Any]:
    """The last verdict on a version; {} where nobody scanned it. Damaged ones are passed over."""
    found = []
    for referrer in store.referrers(repository, digest, SCAN):
        with suppress(NotFound, Corrupt):
            found.append(read_config(store, repository, store.get_manifest(repository, referrer.digest)))
    return max(found, key=lambda one: str(one.get("time")), default={})


def _told(card: Path) -> list[tuple[str, Any]]:
    """The file that a card names, and what reading it runs; nothing where the card says nothing that is known."""
    with suppress(OSError, ValueError, AttributeError):
        said = json.loads(card.read_text(encoding="utf-8"))
        known = NAMES.get(str(said.get("format")))
        if known is not None and said.get("file"):
            return [(str(said["file"]), known.runs)]
    return []
