"""Names that belong together: names of one object, or names that look at one memory.

What is done and seen is written down, so that a cell that has not changed need not be scanned again: what it did is done
again to the groups as they are now.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

Step = tuple[str, ...]
"""Names that became one group; one name alone left its group."""


class Groups:
    """A partition of names; names in no group stand alone."""

    def __init__(self) -> None:
        self._of: dict[str, frozenset[str]] = {}
        self.seen: dict[str, frozenset[str]] = {}
        """Group of each name that was asked about or moved, as it was before that."""

        self.steps: list[Step] = []

    def of(self, name: str) -> frozenset[str]:
        """All names of its group, itself included."""
        found = self._of.get(name)
        if found is None:
            found = frozenset((name,))
        self.seen.setdefault(name, found)
        return found

    def join(self, names: Iterable[str]) -> None:
        """Make these names, and whoever is in their groups, one group."""
        listed = tuple(names)
        together: frozenset[str] = frozenset().union(*(self.of(name) for name in listed))
        self.steps.append(listed)
        self._of.update(dict.fromkeys(together, together))

    def leave(self, name: str) -> None:
        """Take a name out of its group."""
        rest = self.of(name) - {name}
        self.steps.append((name,))
        self._of.pop(name, None)
        for other in rest:
            if len(rest) > 1:
                self._of[other] = rest
            else:
                self._of.pop(other, None)

    def all(self) -> tuple[frozenset[str], ...]:
        """Groups of more than one name."""
        return tuple(dict.fromkeys(self._of.values()))

    def start(self) -> None:
        """Forget what was seen and done: a new cell begins."""
        self.seen, self.steps = {}, []

    def fits(self, seen: Mapping[str, frozenset[str]]) -> bool:
        """Whether the groups are as they were seen."""
        return all(self._of.get(name, frozenset((name,))) == group for name, group in seen.items())

    def again(self, steps: Iterable[Step]) -> None:
        """Do again what a cell did."""
        for step in steps:
            if len(step) > 1:
                self.join(step)
            else:
                self.leave(step[0])

    def copy(self) -> Groups:
        """The same groups, with nothing seen or done."""
        other = Groups()
        other._of = dict(self._of)
        return other
