"""What steps left in the registry: their reports, outputs and logs, read beside the watch and never in its way.

A registry may be slow or away; a run must be shown all the same. So reports are fetched by threads, waited for only as long
as the caller says, and a registry that does not answer is left alone for a while. A finished step's report never changes and
is kept in memory.
"""

from __future__ import annotations

import json
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import wait as wait_all
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jupyter_mlops.engine.argo.patience import in_background
from jupyter_mlops.engine.branches import label_of
from jupyter_mlops.errors import MlopsError, NotFound, Unavailable
from jupyter_mlops.oci.artifact import layers_of, read_config
from jupyter_mlops.oci.modelpack import TITLE
from jupyter_mlops.oci.names import REPORT_OUTPUTS
from jupyter_mlops.oci.store import Descriptor

if TYPE_CHECKING:
    from jupyter_mlops.oci.store import Store

AWAY = 15.0
"""Seconds for which a registry that did not answer is not asked again."""

KEPT = 1000
"""Reports kept in memory; each is a few kB."""

LARGEST_OUTPUTS = 256 << 20
"""Bytes of one step's outputs that are read at most."""

THREADS = 6
PATIENT = 5.0
"""Seconds from which on a caller also waits for what others have asked for."""

LOG = "log"
"""Title of the layer that holds the step's log."""


@dataclass(frozen=True, slots=True)
class Report:
    """A step's report: its manifest's digest, what it says, and where outputs and log lie."""

    digest: str
    config: Mapping[str, Any] = field(default_factory=dict)
    outputs: Descriptor | None = None
    log: Descriptor | None = None


Place = tuple[str, str, str]
"""(repository, run, step)."""


class Reports:
    """The reports of a store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: OrderedDict[Place, Report | None] = OrderedDict()
        self._asked: dict[Place, Future[None]] = {}
        self._lock = threading.Lock()
        self._turns = threading.Semaphore(THREADS)
        self._away_until = 0.0

    @property
    def away(self) -> bool:
        """Whether the registry did not answer just now."""
        return time.monotonic() < self._away_until

    def of_finished(self, places: Sequence[Place], wait: float) -> dict[str, Report]:
        """Reports of finished steps by step; those that do not come within ``wait`` seconds are there the next time.

        Who is in a hurry waits for each report once: a registry that hangs must not slow down every look at a run.
        """
        with self._lock:
            unknown = [place for place in places if place not in self._known]
            pending = [place for place in unknown if place in self._asked]
            asked = [self._ask(place) for place in unknown if wait >= PATIENT or place not in pending]
        if asked:
            wait_all(asked, timeout=wait)
        with self._lock:
            for place in places:
                if place in self._known:
                    self._known.move_to_end(place)
            return {place[2]: report for place in places if (report := self._known.get(place))}

    def now(self, repository: str, reference: str) -> Report | None:
        """A report as it is now, by tag or digest; None where there is none, or the registry does not answer."""
        if self.away:
            return None
        try:
            return self._fetch(repository, reference)
        except NotFound:
            return None
        except (MlopsError, OSError) as error:
            self._failed(error)
            return None

    def outputs(self, repository: str, report: Report) -> Mapping[str, Any]:
        """Outputs by cell. Raises MlopsError."""
        if report.outputs is None or report.outputs.size > LARGEST_OUTPUTS:
            return {}
        with self._store.open_blob(repository, report.outputs.digest) as stream:
            found = json.loads(stream.read())
        return found if isinstance(found, dict) else {}

    def log(self, repository: str, report: Report) -> Iterator[str]:
        """Lines of the log. Raises MlopsError."""
        if report.log is None:
            return
        with self._store.open_blob(repository, report.log.digest) as stream:
            yield from text_lines(stream)

    def forget(self, run: str) -> None:
        """Drop what is known of a run."""
        with self._lock:
            for place in [place for place in self._known if place[1] == run]:
                del self._known[place]

    def _ask(self, place: Place) -> Future[None]:
        """Fetch a report in the background, once; under the lock."""
        if place not in self._asked:
            self._asked[place] = in_background(lambda: self._load(place))
        return self._asked[place]

    def _load(self, place: Place) -> None:
        repository, run, step = place
        report = None
        known = False
        try:
            with self._turns:
                if not self.away:
                    report, known = self._fetch(repository, f"report.{run}.{label_of(step)}"), True
        except NotFound:
            known = True
        except (MlopsError, OSError) as error:
            self._failed(error)
        with self._lock:
            self._asked.pop(place, None)
            if known:
                self._known[place] = report
                while len(self._known) > KEPT:
                    self._known.popitem(last=False)

    def _fetch(self, repository: str, reference: str) -> Report:
        manifest = self._store.get_manifest(repository, reference)
        layers = layers_of(manifest)
        return Report(
            manifest.descriptor.digest,
            read_config(self._store, repository, manifest),
            next((layer for layer in layers if layer.media_type == REPORT_OUTPUTS), None),
            next((layer for layer in layers if layer.annotations.get(TITLE) == LOG), None),
        )

    def _failed(self, error: Exception) -> None:
        if isinstance(error, Unavailable | OSError):
            self._away_until = time.monotonic() + AWAY


def text_lines(stream: Any) -> Iterator[str]:
    """Lines of a stream of bytes, without their ends."""
    rest = b""
    while chunk := stream.read(1 << 20):
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.removesuffix(b"\r").decode(errors="replace")
    if rest:
        yield rest.removesuffix(b"\r").decode(errors="replace")
