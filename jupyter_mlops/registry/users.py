"""The users of a team's registry: a file with a line for each, as ``htpasswd`` has it, without a token in it.

A token is made here and has 192 bits, so that its plain sha256 tells nobody anything: the slow hashes are for passwords that
people choose. The file is read again when it has changed, so that who is taken out is out at once.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jupyter_mlops.errors import Conflict, PlatformError, WrongUsage
from jupyter_mlops.registry.rights import Rights, parse_rights

_LINE = re.compile(r"([A-Za-z0-9][A-Za-z0-9._@+-]{0,63}):([a-z0-9._*/=,-]+):([0-9a-f]{64})")
RULE = (
    "Each line of the file is NAME:RIGHTS:HASH, as `jupyter mlops registry token` writes them; rights are read, write, or rules "
    "such as write=models/churn,read=datasets/**."
)


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who has a token."""

    name: str
    rights: Rights
    hash: str = ""
    """sha256 of the token, in hexadecimal digits."""


class Users:
    """The users that a file names."""

    def __init__(self, path: Path) -> None:
        """Read it. Raises PlatformError, WrongUsage."""
        self._path = path
        self._stamp: tuple[int, int, int] | None = None
        self._known: Mapping[str, User] = {}
        self._refresh()

    def who(self, name: str | None, token: str) -> User | None:
        """Whose token this is; ``name`` None: whoever's. A file that became unreadable lets nobody in."""
        try:
            self._refresh()
        except (PlatformError, WrongUsage):
            return None
        hashed = _hash(token)
        found = None
        for user in self._known.values():
            if secrets.compare_digest(user.hash, hashed) and name in {None, user.name}:
                found = user
        return found

    def _refresh(self) -> None:
        try:
            status = self._path.stat()
            stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
            if stamp != self._stamp:
                self._known = parse(self._path.read_text(encoding="utf-8"), str(self._path))
                self._stamp = stamp
        except (OSError, UnicodeDecodeError) as error:
            self._stamp = None
            raise PlatformError(f"cannot read {self._path}: {error}", code="unreadable", fix="Check the file of users.") from error


def parse(text: str, place: str) -> dict[str, User]:
    """The users that a text names; lines that are empty or start with ``#`` are skipped.

    Raises:
        WrongUsage: code ``invalid-users``: a line is none, names somebody twice, or a right that is none. The line is not shown.
    """
    found: dict[str, User] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None or match[1] in found:
            raise WrongUsage(f"{place}: line {number} names no user, or one again", code="invalid-users", fix=RULE)
        try:
            found[match[1]] = User(match[1], parse_rights(match[2]), match[3])
        except WrongUsage as error:
            raise WrongUsage(f"{place}: line {number}: {error.message}", code="invalid-users", fix=error.fix) from error
    return found


def add(path: Path, name: str, token: str, rights: Rights) -> None:
    """Write a new user into the file, which is made if need be and readable for its owner alone.

    Raises:
        WrongUsage: code ``invalid-users``: no such name, or the file is none.
        Conflict: code ``user-exists``.
        PlatformError: the file cannot be read or written.
    """
    line = f"{name}:{rights.text}:{_hash(token)}"
    if not _LINE.fullmatch(line):
        raise WrongUsage(f"{name!r} is not a name of a user", code="invalid-users", fix="Use letters, digits and . _ @ + -")
    try:
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        if name in parse(text, str(path)):
            raise Conflict(
                f"{path} has {name} already", code="user-exists", fix="Take the line out first, which ends the old token."
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent)  # readable for its owner alone
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text + ("\n" if text and not text.endswith("\n") else "") + line + "\n")
        Path(temporary).replace(path)
    except OSError as error:
        raise PlatformError(f"cannot write {path}: {error.strerror}", code="read-only", fix="Choose another file.") from error


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
