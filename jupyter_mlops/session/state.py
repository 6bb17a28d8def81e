"""The session state as a value, and its JSON form (``docs/formats.md``, "Session state").

A state names bytes by digest and holds none. It is made by the step that ran before, and what it names is loaded only along
the chain *state manifest → config → part*, each verified: unpickling is running code, so that nothing is ever unpickled
that the run itself did not write.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from json import dumps as json_text  # by value: the notebook of a step may patch json
from typing import Any

from jupyter_mlops.errors import Corrupt, Refused

VERSION = 1
EVERYTHING = "*"
"""A mention that stands for every name: code that can reach any of them (``eval``, ``globals()``)."""

Part = tuple[str, int]
"""Digest and size in bytes of a blob."""


def this_python() -> str:
    """Minor version of this interpreter, the only one that can load a state it wrote."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


@dataclass(frozen=True)
class Component:
    """Names that share something changeable, stored as one pickle: its stream, then its out-of-band buffers."""

    names: tuple[str, ...]
    mentions: tuple[str, ...]
    """Names that functions and classes in it read from the notebook when they are called."""

    parts: tuple[Part, ...]

    @property
    def digest(self) -> str:
        """Of the list of its parts."""
        text = json_text([list(part) for part in self.parts], separators=(",", ":"))
        return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Lost:
    """A value that could not be stored: harmless until a later step asks for its name."""

    type: str
    reason: str
    cell: int | None = None


@dataclass(frozen=True)
class FileEntry:
    """A file that the notebook made or changed; ``mode`` as in ``stat``."""

    digest: str
    size: int
    mode: int


@dataclass(frozen=True)
class State:
    """What a step hands on."""

    python: str = field(default_factory=this_python)
    count: int = 1
    """IPython's execution count of the next cell."""

    names: Mapping[str, str] = field(default_factory=dict)
    lost: Mapping[str, Lost] = field(default_factory=dict)
    components: Mapping[str, Component] = field(default_factory=dict)
    carriers: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, FileEntry] = field(default_factory=dict)
    removed: tuple[str, ...] = ()
    sizes: Mapping[str, int] = field(default_factory=dict)
    """Size of every blob by digest, from the layers of the manifest; not part of the JSON."""

    def blobs(self) -> Iterator[str]:
        """Every digest that the state needs, each once, in a fixed order."""
        found = [digest for component in self.components.values() for digest, _ in component.parts]
        found += [*self.carriers.values(), *(entry.digest for entry in self.files.values())]
        yield from dict.fromkeys(found)

    def check_python(self) -> None:
        """Refuse a state of another Python minor, before anything of it is loaded.

        Raises:
            Refused: code ``python-mismatch``. Code objects and pickles of classes do not cross minors.
        """
        if self.python != this_python():
            raise Refused(
                f"the steps before this one ran on Python {self.python}, this step's image has {this_python()}",
                code="python-mismatch",
                fix=f"Use an image with Python {self.python} for every step of the notebook.",
            )

    def to_json(self) -> dict[str, Any]:
        """The config of the state artifact."""
        return {
            "version": VERSION,
            "python": self.python,
            "count": self.count,
            "names": dict(sorted(self.names.items())),
            "lost": {name: {"type": x.type, "reason": x.reason, "cell": x.cell} for name, x in sorted(self.lost.items())},
            "components": {
                digest: {"names": list(x.names), "mentions": list(x.mentions), "parts": [list(part) for part in x.parts]}
                for digest, x in sorted(self.components.items())
            },
            "carriers": dict(sorted(self.carriers.items())),
            "files": {path: [x.digest, x.size, x.mode] for path, x in sorted(self.files.items())},
            "removed": sorted(self.removed),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any], sizes: Mapping[str, int]) -> State:
        """The state that a config says.

        Raises:
            Corrupt: it is no state of a version known here.
        """
        if document.get("version") != VERSION:
            raise Corrupt(
                f"session state of version {document.get('version')!r}, this runner knows {VERSION}",
                code="unknown-version",
                fix="Run the notebook again from its first step.",
            )
        try:
            return cls(
                python=str(document["python"]),
                count=int(document["count"]),
                names=dict(document["names"]),
                lost={name: Lost(x["type"], x["reason"], x.get("cell")) for name, x in document["lost"].items()},
                components={
                    digest: Component(
                        tuple(x["names"]), tuple(x["mentions"]), tuple((str(part), int(size)) for part, size in x["parts"])
                    )
                    for digest, x in document["components"].items()
                },
                carriers=dict(document["carriers"]),
                files={path: FileEntry(str(d), int(size), int(mode)) for path, (d, size, mode) in document["files"].items()},
                removed=tuple(document.get("removed", ())),
                sizes=dict(sizes),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise Corrupt(f"not a session state: {error!r}", fix="Run the notebook again from its first step.") from error
