"""A check as a value, and the list of all checks.

A check is a small function registered by a decorator. It looks at one thing, says what it saw in one sentence, and what to
do in one line. It reads only, or cleans up what it made; it never prints a secret; it knows no other check.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from jupyter_mlops.settings import Settings

Level = Literal["ok", "warn", "fail", "skip"]


@dataclass(frozen=True, slots=True)
class Check:
    """What was found. ``why`` holds the value that was seen; ``fix`` is empty where nothing is to be done."""

    id: str
    level: Level
    title: str
    why: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check function answers; the registry adds id and title."""

    level: Level
    why: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Machine:
    """What checks look at. ``server`` holds what a running Jupyter Server knows of itself, or None outside of one."""

    settings: Settings = field(default_factory=Settings)
    server: Mapping[str, Any] | None = None


Probe = Callable[[Machine], Finding]


@dataclass(frozen=True, slots=True)
class Registered:
    """A check function with its stable id and its title."""

    id: str
    title: str
    probe: Probe


CHECKS: dict[str, Registered] = {}
"""Id → check, in the order in which they are shown."""


def check(check_id: str, title: str) -> Callable[[Probe], Probe]:
    """Register a check. An id is used once, and never again for something else: people search for it."""

    def register(probe: Probe) -> Probe:
        if check_id in CHECKS:
            raise ValueError(f"check {check_id} exists already")
        CHECKS[check_id] = Registered(check_id, title, probe)
        return probe

    return register


def ok(why: str) -> Finding:
    """In order."""
    return Finding("ok", why)


def warn(why: str, fix: str) -> Finding:
    """Works, but will cost something."""
    return Finding("warn", why, fix)


def fail(why: str, fix: str) -> Finding:
    """Does not work."""
    return Finding("fail", why, fix)


def skip(why: str) -> Finding:
    """Does not apply here."""
    return Finding("skip", why)
