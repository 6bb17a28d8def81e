"""Lines of a container's log as the kubelet gives them: its timestamp in front, Argo's own lines between.

Argo runs the step's command below its executor, which writes to the same log: ``time=… msg="…" argo=true``, and at last
``Error: exit status 1``. Nobody asked for these.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from jupyter_mlops.engine.base import LogLine
from jupyter_mlops.engine.logs import event_of
from jupyter_mlops.engine.times import moment

_STAMP = re.compile(r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)) ?", re.ASCII)
_EXECUTOR = re.compile(r'^time="?\d{4}-\d\d-\d\dT[^ ]+ level=\w+ msg=.* argo=true(?: [\w.]+=(?:"(?:[^"\\]|\\.)*"|[^ ]*))*$')
_ENDED = 'msg="sub-process exited"'
_EXIT = re.compile(r"^Error: exit status \d+$")


def parse(raw: str) -> tuple[float | None, str]:
    """(when the kubelet took it, the line)."""
    match = _STAMP.match(raw)
    if match is None:
        return None, raw.rstrip("\r")
    return moment(match.group(1)), raw[match.end() :].rstrip("\r")


def own_lines(raw: Iterable[str]) -> Iterator[tuple[float | None, str]]:
    """Parsed lines of the container ``main`` without the executor's."""
    over = False
    for line in raw:
        time, text = parse(line)
        if " argo=true" in text and _EXECUTOR.match(text):
            over = over or _ENDED in text
        elif not (over and _EXIT.match(text)):
            yield time, text


def log_lines(step: str, raw: Iterable[str], *, ours: bool = True) -> Iterator[LogLine]:
    """Lines as the port gives them; ``ours`` is False for a container of Argo's, whose lines all count."""
    for time, text in own_lines(raw) if ours else map(parse, raw):
        event = event_of(text)
        yield LogLine(step, text, time, event)
