"""What earlier runs of a notebook taught about the order of its steps, kept beside them in the registry.

A step's account says what it was delivered, asked for and changed. Two steps of one run were apart if nothing that the
earlier changed was any business of the later. A pair that was apart once, and never was not, may run beside each other from
then on: the step that joins them checks it again, since other data can change it, and a run that failed there has taught the
opposite. All of it holds for one source digest: an edited notebook begins anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

from jupyter_mlops.errors import Corrupt, Diagnostic, NotFound, WrongUsage
from jupyter_mlops.oci.artifact import push_artifact, read_config
from jupyter_mlops.oci.names import LEARNED, LEARNED_CONFIG
from jupyter_mlops.oci.store import Store
from jupyter_mlops.pipeline.independence import Pair, waits
from jupyter_mlops.pipeline.pipeline import Pipeline
from jupyter_mlops.registry.deliveries import accounts_of
from jupyter_mlops.registry.runs import RunRecords, run_repository
from jupyter_mlops.session.account import DRAWN, MERGED

VERSION = 1
LOOKED_AT = 20
"""Runs that are looked at in one go, the newest first: a notebook that ran a thousand times waits for no thousand reports."""


CARRIED = 200
"""Pairs that met which a Workflow carries, so that a notebook of many steps stays below the size of its annotation."""


@dataclass(frozen=True, slots=True)
class Learned:
    """Pairs of steps, the earlier first, that a run saw apart, and those that one saw meet; and the runs that were asked."""

    apart: frozenset[Pair] = frozenset()
    met: frozenset[Pair] = frozenset()
    runs: frozenset[str] = frozenset()

    def to_json(self, source: str) -> dict[str, Any]:
        """The config of the artifact."""
        return {
            "version": VERSION, "source": source, "apart": sorted(map(list, self.apart)), "met": sorted(map(list, self.met)),
            "runs": sorted(self.runs),
        }  # fmt: skip


def with_learned(
    store: Store, pipeline: Pipeline, source: str, resume: str | None = None, *, keep: bool = True
) -> tuple[Pipeline, tuple[Diagnostic, ...]]:
    """The pipeline with the pairs that earlier runs of the same source showed to be independent, and a note for each.

    What finished runs have to teach that were not asked yet is learned first, and kept; not for a run that is resumed, whose
    finished steps can be taken over only where they stand as they stood, unless it failed because two steps met.

    Args:
        store: where the runs are.
        pipeline: the plan.
        source: digest of the notebook's source.
        resume: a run that is resumed.
        keep: write down what was learned; False: read only.

    Raises:
        Unavailable and other errors of a store that does not answer.
    """
    order = [step.name for step in pipeline.steps]
    if resume and not _has_met(store, pipeline.name, resume):
        known = read(store, pipeline.name, source)
    else:
        known = learn(store, pipeline.name, source, order, keep=keep)
    may = {
        (first, second)
        for first, second in known.apart
        if {first, second} <= {*pipeline.early} and first in order and not waits(pipeline.steps, second, first)
    }
    certain = {*pipeline.independent}
    independent = tuple(sorted((certain | may) - known.met))
    notes = tuple(
        Diagnostic(
            "side-by-side", "info", f"{first} and {second} may run side by side: in an earlier run neither needed the other",
            pipeline.steps[order.index(second)].cells[0], None, f"To keep their order: --pin {first} {second}.",
        )
        for first, second in independent if (first, second) not in certain
    )  # fmt: skip
    return replace(pipeline, independent=independent, met=_not_to_try(pipeline, known)), notes


def _not_to_try(pipeline: Pipeline, known: Learned) -> tuple[Pair, ...]:
    """Pairs that met although no link says so, the nearest in the document where there are too many to carry."""
    place = {step.name: number for number, step in enumerate(pipeline.steps)}
    met = [
        (first, second)
        for first, second in known.met
        if {first, second} <= {*pipeline.early} & place.keys() and not waits(pipeline.steps, second, first)
    ]
    return tuple(sorted(sorted(met, key=lambda pair: (place[pair[1]] - place[pair[0]], pair))[:CARRIED]))


def learn(store: Store, pipeline: str, source: str, order: list[str], *, keep: bool = True) -> Learned:
    """All that runs of this source have taught; with ``keep`` it is kept for the next time."""
    known = found = read(store, pipeline, source)
    for run, succeeded in _finished(store, pipeline, source, known.runs):
        accounts = dict(accounts_of(store, pipeline, run))
        pairs = [pair for pair in combinations(order, 2) if accounts.keys() >= {*pair}]
        apart = {pair for pair in pairs if are_apart(accounts[pair[0]], accounts[pair[1]])}
        found = Learned(found.apart | (apart if succeeded else set()), found.met | ({*pairs} - apart), found.runs | {run})
    if keep and found != known:
        document = found.to_json(source)
        push_artifact(store, run_repository(pipeline), LEARNED, document, [], config_type=LEARNED_CONFIG, tags=[tag_of(source)])
    return found


def tag_of(source: str) -> str:
    """The tag of what is kept for a source digest."""
    return f"learned-{source.partition(':')[2][:12]}"


def read(store: Store, pipeline: str, source: str) -> Learned:
    """What is kept; nothing where it is not there, damaged, or of another source or version."""
    repository = run_repository(pipeline)
    try:
        found = read_config(store, repository, store.get_manifest(repository, tag_of(source)))
        if found["version"] != VERSION or found["source"] != source:
            return Learned()
        pairs = {key: frozenset((str(first), str(second)) for first, second in found[key]) for key in ("apart", "met")}
        return Learned(pairs["apart"], pairs["met"], frozenset(found["runs"]))
    except (NotFound, Corrupt, KeyError, TypeError, ValueError):
        return Learned()


def are_apart(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Whether nothing that the first changed was any business of the second; both ran, the first before or beside it.

    What both import is nobody's business: either of them would have it without the other. An account of an older version, which
    does not say what was asked for, teaches that they met.
    """
    changed = {*first["changed"], *first["removed"]}
    asked = {*second.get("asked", ()), *second["changed"], *second["removed"]} - {*second.get("again", ())}
    same = {name for name in first["changed"].keys() & second["changed"].keys() - {*second.get("asked", ())}
            if first["changed"][name] == second["changed"][name]}  # fmt: skip
    carriers = {*first["carriers"]} - MERGED
    return not (
        "asked" not in second
        or "asked" not in first
        or second.get("everything")
        or first["files"]
        or (changed & asked) - same
        or any(":" in name for name in changed)
        or carriers - DRAWN
        or carriers & {*second["carriers"]}
    )


def _has_met(store: Store, pipeline: str, run: str) -> bool:
    """Whether a run failed because steps that ran beside each other met."""
    try:
        failure = RunRecords(store).get(pipeline, run).get("failure") or {}
    except (NotFound, Corrupt, WrongUsage):
        return False
    return bool(failure.get("code") == "two-versions")


def _finished(store: Store, pipeline: str, source: str, known: Iterable[str]) -> Iterator[tuple[str, bool]]:
    """Recorded runs of this source that were not asked yet, the newest first, and whether each succeeded."""
    records = RunRecords(store)
    seen = {*known}
    found: list[tuple[str, str, bool]] = []
    for run in records.runs(pipeline):
        if run not in seen:
            try:
                record = records.get(pipeline, run)
            except (NotFound, Corrupt, WrongUsage):
                continue
            if record.get("source_digest") == source:
                found.append((str(record.get("finished") or ""), run, record.get("phase") == "Succeeded"))
    yield from ((run, succeeded) for _, run, succeeded in sorted(found, reverse=True)[:LOOKED_AT])
