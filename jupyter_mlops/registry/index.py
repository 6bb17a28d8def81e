"""The local index: what the lists of models, datasets and runs said last, in a file of SQLite.

It is never the truth. A row is believed only while the repository looks as it did when the row was written (its ``stamp``),
and has a checksum of its own, since a flipped bit inside a page is nothing that SQLite notices. Whatever goes wrong with the
file is nobody's error: it is set aside, and made again from the tags; while it is locked or cannot be written, lists are made
without it. See docs/decisions/0029-lists-are-remembered.md.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import uuid
import zlib
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

VERSION = 1
"""Of the table. A file of another version is set aside."""

PATIENCE = 0.5
"""Seconds that a lock is waited for: a list without the index is slow, not wrong."""

FILE = "lists.sqlite"

_TABLE = """
CREATE TABLE IF NOT EXISTS lists (
    place TEXT NOT NULL, repository TEXT NOT NULL, stamp TEXT NOT NULL, head TEXT NOT NULL, head_sum INTEGER NOT NULL,
    PRIMARY KEY (place, repository)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS details (
    place TEXT NOT NULL, repository TEXT NOT NULL, stamp TEXT NOT NULL, body TEXT NOT NULL, body_sum INTEGER NOT NULL,
    PRIMARY KEY (place, repository)
) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Row:
    """What is remembered of a repository: ``stamp`` is how it looked, ``value`` a JSON object."""

    stamp: str
    value: Mapping[str, Any]


class Index:
    """The file of one registry or of several, told apart by ``place``. Every call stands alone: threads and processes share it."""

    def __init__(self, folder: Path, place: str = "") -> None:
        """``folder`` is the index's own: set aside with all that SQLite keeps beside its file."""
        self._folder, self._place = folder, place

    @property
    def folder(self) -> Path:
        """Its folder, which may be deleted at any time."""
        return self._folder

    def heads(self, prefix: str) -> Mapping[str, Row]:
        """Repository → the short form, of all whose name starts with the prefix; empty where nothing is remembered."""
        rows = self._within(
            lambda database: database.execute(
                "SELECT repository, stamp, head, head_sum FROM lists WHERE place = ? AND substr(repository, 1, ?) = ?",
                (self._place, len(prefix), prefix),
            ).fetchall()
        )
        found = {}
        for repository, stamp, text, check in rows or ():
            if (row := self._row(repository, stamp, text, check)) is not None:
                found[repository] = row
        return found

    def body(self, repository: str) -> Row | None:
        """The long form of one."""
        row = self._within(
            lambda database: database.execute(
                "SELECT stamp, body, body_sum FROM details WHERE place = ? AND repository = ?", (self._place, repository)
            ).fetchone()
        )
        return self._row(repository, *row) if row is not None else None

    def put(self, repository: str, stamp: str, head: Mapping[str, Any], body: Mapping[str, Any]) -> None:
        """Remember both forms; nothing is kept where the file cannot be written."""
        forms = [("lists", _text(head)), ("details", _text(body))]

        def write(database: sqlite3.Connection) -> None:
            for table, text in forms:
                row = (self._place, repository, stamp, text, self._sum(repository, stamp, text))
                database.execute(f"INSERT OR REPLACE INTO {table} VALUES (?, ?, ?, ?, ?)", row)  # noqa: S608 - the names above

        self._within(write)

    def drop(self, repository: str) -> None:
        """Forget a repository."""

        def remove(database: sqlite3.Connection) -> None:
            for table in ("lists", "details"):
                where = (self._place, repository)
                database.execute(f"DELETE FROM {table} WHERE place = ? AND repository = ?", where)  # noqa: S608 - the names above

        self._within(remove)

    def clear(self) -> None:
        """Forget everything: the folder is moved away as a whole, so that nobody opens half of it."""
        aside = self._folder.with_name(f"{self._folder.name}-{uuid.uuid4().hex[:12]}")
        with suppress(OSError):
            self._folder.replace(aside)
        if aside.is_dir():
            shutil.rmtree(aside, ignore_errors=True)
        else:
            aside.unlink(missing_ok=True)

    # -- inside ------------------------------------------------------------------------------------------------------------

    def _within(self, work: Callable[[sqlite3.Connection], T]) -> T | None:
        """Do it in a transaction; None where that cannot be. A file that is broken is set aside."""
        try:
            with closing(self._connect()) as database, database:
                return work(database)
        except sqlite3.Error as error:
            if not _passes(error):
                self.clear()
        except (FileExistsError, UnicodeDecodeError):  # something else has the folder's name; the error tells of broken text
            self.clear()
        except OSError:
            pass  # a folder that cannot be written: lists are made without the index
        return None

    def _connect(self) -> sqlite3.Connection:
        self._folder.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(self._folder / FILE, timeout=PATIENCE)
        try:
            self._prepare(database)
        except BaseException:
            database.close()
            raise
        return database

    @staticmethod
    def _prepare(database: sqlite3.Connection) -> None:
        database.execute("PRAGMA synchronous = OFF")  # what a power cut breaks is found out, and made again
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version == VERSION:
            return
        if version != 0:
            raise sqlite3.DatabaseError(f"version {version} of the index")
        database.execute("PRAGMA journal_mode = WAL")
        database.executescript(f"{_TABLE} PRAGMA user_version = {VERSION};")

    def _row(self, repository: str, stamp: str, text: str, check: int) -> Row | None:
        """The row, unless it is damaged."""
        if not (isinstance(stamp, str) and isinstance(text, str)) or self._sum(repository, stamp, text) != check:
            return None
        return Row(stamp, json.loads(text))

    def _sum(self, repository: str, stamp: str, text: str) -> int:
        return zlib.crc32(f"{self._place}\0{repository}\0{stamp}\0{text}".encode("utf-8", "surrogatepass"))


def _text(value: Mapping[str, Any]) -> str:
    """JSON as Python reads it back, NaN and infinity included: nobody else reads this file."""
    return json.dumps(value, separators=(",", ":"))


def _passes(error: sqlite3.Error) -> bool:
    """Whether the file is sound and only cannot be used now: locked, read-only, or on a disk that is full."""
    told = str(error)
    return isinstance(error, sqlite3.OperationalError) and any(
        word in told for word in ("locked", "readonly", "full", "unable to open", "disk I/O")
    )
