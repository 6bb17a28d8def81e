"""Reading documents that anybody may have written, and turning their words into ours.

A cluster's documents hold what users, images and admission webhooks put there. Nothing here raises on a value of another type;
texts lose control and direction characters, the parts of addresses that can hold a password or a signature, and whatever is
longer than a person reads. What stands in a sentence of ours is reduced to the characters that names have.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from jupyter_mlops.diagnose.cause import Cause

Document = Mapping[str, Any]

TEXT = 8192
"""Characters of a text that are looked at: more than a termination message or an event can hold."""

SENTENCE = 500
"""Characters of a message or fix at most."""

FACT = 1024
"""Characters of a fact at most."""

FACTS = 10
"""Facts of a cause at most."""

NAME = 200
"""Characters of a name in a sentence at most: image references with a digest fit."""

_MARKUP = str.maketrans("<>", "()")
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
_NOT_OF_NAMES = re.compile(r"[^\w.:/@+=,*-]+", re.ASCII)
_LOGIN = re.compile(r"(?<=://)[^\s/@\"']+@")
_QUERY = re.compile(r"(https?://[^\s\"'?]*)\?[^\s\"']*")
_BEARER = re.compile(r"\b(Bearer|Basic) [\w.~+/=-]{8,}")
_ZONE = re.compile(r"\.\d+(?=Z|[+-]|$)")


def mapping(value: Any) -> Document:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def at(document: Any, *path: str) -> Document:
    """The object at a path; empty where there is none."""
    for key in path:
        document = mapping(document).get(key)
    return mapping(document)


def objects(value: Any) -> list[Document]:
    """The objects of a list."""
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list | tuple) else []


def text(value: Any) -> str:
    """The value if it is text, no longer than is looked at."""
    return value[:TEXT] if isinstance(value, str) else ""


def number(value: Any) -> int:
    """The value if it is a whole number, else 0."""
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def moment(value: Any) -> float | None:
    """Seconds since the epoch of a time as Kubernetes writes it; None if it is not one."""
    try:
        found = datetime.fromisoformat(_ZONE.sub("", text(value)).replace("Z", "+00:00"))
        return found.timestamp() if found.tzinfo else None
    except (ValueError, OverflowError):
        return None


def name(value: Any) -> str:
    """A name as it can stand in a sentence: no blanks, quotes, markup or invisible characters; its end where it is long."""
    found = _NOT_OF_NAMES.sub("", _LOGIN.sub("", text(value)))
    return found if len(found) <= NAME else f"{found[: NAME // 2]}...{found[-(NAME // 2) + 3 :]}"


def words(value: Any, limit: int = SENTENCE) -> str:
    """A foreign text as one line of a sentence."""
    return shorten(" ".join(_visible(text(value)).split()).translate(_MARKUP).replace("`", "'"), limit)


def fact(about: str, *said: Any) -> str:
    """``<object>: <text>`` in the cluster's own words; lines stay lines."""
    parts = [found for part in said if (found := _visible(text(part)).strip())]
    whole = f"{about}: {': '.join(parts)}" if parts else about
    if len(whole) > FACT and "\n" in whole:  # a log or a traceback: its end tells
        head = shorten(whole, FACT // 4)
        return head + whole[len(head) - FACT :]
    return shorten(whole, FACT)


def shorten(value: str, limit: int) -> str:
    """The beginning of a text, with a sign that there was more."""
    return value if len(value) <= limit else value[: limit - 1] + "…"


def finish(cause: Cause, more: Iterable[str] = ()) -> Cause:
    """The cause as it is shown: bounded, one line a sentence, each fact once."""
    facts: dict[str, None] = {}
    for said in (*cause.facts, *more):
        facts.setdefault(shorten(_visible(said).strip(), FACT))
    return replace(
        cause,
        message=shorten(" ".join(_visible(cause.message).translate(_MARKUP).split()).rstrip(" ."), SENTENCE),
        fix=shorten(" ".join(_visible(cause.fix).translate(_MARKUP).split()), SENTENCE),
        facts=tuple(said for said in facts if said)[:FACTS],
    )


def counted(count: int, singular: str, plural: str = "") -> str:
    """``1 node``, ``3 nodes``."""
    return f"{count} {singular if count == 1 else plural or singular + 's'}"


def listed(names: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def events_of(events: Iterable[Document], kind: str, called: str, uid: str = "") -> list[Document]:
    """Events about one object, the latest last; those of an earlier object of the same name are left out."""
    found = []
    for event in events:
        about = mapping(mapping(event).get("involvedObject")) or mapping(mapping(event).get("regarding"))
        if (
            text(about.get("kind")) in {kind, ""}
            and about.get("name") == called
            and (not uid or text(about.get("uid")) in {uid, ""})
        ):
            found.append(event)
    return sorted(found, key=last_seen)


def said_of(event: Document) -> str:
    """The text of an event, in either of its two APIs."""
    return text(event.get("message")) or text(event.get("note"))


def newest(events: Iterable[Document], *reasons: str) -> Iterator[Document]:
    """Events with one of these reasons, the newest first."""
    return (event for event in reversed(list(events)) if text(event.get("reason")) in reasons)


def last_seen(event: Document) -> float:
    """When an event was seen last, in seconds since the epoch; 0 where it does not say."""
    for key in ("lastTimestamp", "eventTime", "firstTimestamp"):
        if (found := moment(event.get(key))) is not None:
            return found
    return moment(at(event, "metadata").get("creationTimestamp")) or 0.0


def _visible(value: str) -> str:
    """Without control and direction characters (line ends and tabs stay), logins, signatures and tokens."""
    kept = "".join(c for c in value if c in "\n\t" or unicodedata.category(c) not in _HIDDEN)
    return _BEARER.sub(r"\1 …", _QUERY.sub(r"\1?…", _LOGIN.sub("…@", kept)))
