"""The count of what the corpus judged, printed at the end: a suite that silently shrank would pass as well."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(autouse=True)
def no_stand_ins_stay() -> Iterator[None]:
    """The judges put modules named torch and trainlib into this process; another test would take the first for the real one."""
    yield
    for name in ("torch", "trainlib"):
        if getattr(sys.modules.get(name), "__spec__", None) is None:  # no import made it
            sys.modules.pop(name, None)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """One line for each test function, from the reports, so that it is right with several workers too."""
    counts: dict[str, Counter[str]] = {}
    for outcome in ("passed", "failed", "skipped", "xfailed"):
        for report in terminalreporter.stats.get(outcome, []):
            path, _, name = getattr(report, "nodeid", "").partition("::")
            if "tests/corpus/" in path and getattr(report, "when", "") in {"call", "setup"}:
                counts.setdefault(name.partition("[")[0], Counter())[outcome] += 1
    if counts:
        terminalreporter.section("corpus")
        for name, found in counts.items():
            terminalreporter.write_line(f"{name}: {', '.join(f'{number} {outcome}' for outcome, number in found.items())}")
