"""What a user may do, by the names of repositories: a pure answer to "may this be read, may that be written".

A rule has a pattern of names and says read or write; writing includes reading. Rules only ever add: what none names is not
there for the user, who learns nothing of it, not even whether it exists.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from jupyter_mlops.errors import WrongUsage

Right = Literal["read", "write"]
EVERYTHING = "**"
_PATTERN = re.compile(r"[a-z0-9._*-]+(?:/[a-z0-9._*-]+)*")
GRAMMAR = "A pattern is the name of a repository, such as models/churn, with * for anything but a slash and ** for anything at all."


@dataclass(frozen=True, slots=True)
class Rule:
    """A right to the repositories whose names match."""

    right: Right
    pattern: str = EVERYTHING

    def __post_init__(self) -> None:
        """Raises WrongUsage, code ``invalid-pattern``."""
        if not _PATTERN.fullmatch(self.pattern):
            raise WrongUsage(f"{self.pattern!r} is no pattern of repositories", code="invalid-pattern", fix=GRAMMAR)

    @property
    def text(self) -> str:
        """As the file of users has it."""
        return f"{self.right}={self.pattern}"


@dataclass(frozen=True, slots=True)
class Rights:
    """All rules of a user."""

    rules: tuple[Rule, ...]

    def may(self, right: Right, repository: str) -> bool:
        """Whether the repository may be read, or written."""
        return any(_matches(rule.pattern, repository) for rule in self.rules if right in {"read", rule.right})

    @property
    def may_write(self) -> bool:
        """Whether there is anything at all that may be written."""
        return any(rule.right == "write" for rule in self.rules)

    @property
    def reads_everything(self) -> bool:
        """Whether nothing is hidden."""
        return any(rule.pattern == EVERYTHING for rule in self.rules)

    @property
    def text(self) -> str:
        """As the file of users has it."""
        if self.rules in {(READ,), (WRITE,)}:
            return self.rules[0].right
        return ",".join(rule.text for rule in self.rules)


READ, WRITE = Rule("read"), Rule("write")


def parse_rights(text: str) -> Rights:
    """``read`` and ``write`` (of everything), or rules such as ``write=models/team-*,read=datasets/**``.

    Raises:
        WrongUsage: code ``invalid-pattern``.
    """
    if text in {"read", "write"}:
        return Rights((READ if text == "read" else WRITE,))
    return Rights(tuple(_rule(one) for one in text.split(",")))


def rights_of(*, read: Sequence[str], write: Sequence[str]) -> Rights:
    """Rights by patterns. Raises WrongUsage, code ``invalid-pattern``."""
    return Rights((*(Rule("write", one) for one in write), *(Rule("read", one) for one in read)))


def _rule(text: str) -> Rule:
    right, _, pattern = text.partition("=")
    if right == "read":
        return Rule("read", pattern)
    if right == "write":
        return Rule("write", pattern)
    raise WrongUsage(f"{text!r} is no right", code="invalid-pattern", fix="Write read=PATTERN or write=PATTERN. " + GRAMMAR)


def _matches(pattern: str, repository: str) -> bool:
    return _compiled(pattern).fullmatch(repository) is not None


@lru_cache(maxsize=1000)
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = (".*" if part == "**" else "[^/]*" if part == "*" else re.escape(part) for part in re.split(r"(\*\*|\*)", pattern))
    return re.compile("".join(parts))
