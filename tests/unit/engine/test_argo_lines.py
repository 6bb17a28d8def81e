"""Lines of a container's log: timestamps, Argo's own lines, structured ones."""

from __future__ import annotations

import pytest

from jupyter_mlops.engine.argo.lines import log_lines, own_lines, parse
from jupyter_mlops.engine.times import moment

STAMP = "2026-11-22T21:16:01.962012014Z"


@pytest.mark.parametrize(
    ("raw", "time", "text"),
    [
        (f"{STAMP} hi", moment(STAMP), "hi"),
        (f"{STAMP} ", moment(STAMP), ""),
        (f"{STAMP}", moment(STAMP), ""),
        (f"{STAMP}   indented", moment(STAMP), "  indented"),
        (f"{STAMP} windows\r", moment(STAMP), "windows"),
        ("2026-11-22T21:16:01+01:00 zone", moment("2026-11-22T21:16:01+01:00"), "zone"),
        ("no stamp", None, "no stamp"),
        ("", None, ""),
    ],
)
def test_the_kubelets_timestamp_is_the_lines_time(raw: str, time: float | None, text: str) -> None:
    assert parse(raw) == (time, text)


EXECUTOR = [
    'time=2026-11-22T21:16:01.961Z level=INFO msg="waiting for signals" signalPath=/var/run/argo/ctr/main/signal argo=true',
    'time=2026-11-22T21:16:01.961Z level=INFO msg="waiting for signals" argo=true signalPath=/var/run/argo/ctr/main/signal',
    'time=2026-11-22T21:16:02.962Z level=INFO msg="sub-process exited" argo=true error="exit status 1"',
    'time=2026-11-22T21:16:08.340Z level=INFO msg="sub-process exited" argo=true error=<nil>',
    'time="2024-05-01T10:00:00 UTC" level=info msg="capturing logs" argo=true',
]
NOTEBOOK = [
    "argo=true",
    "time=12 level=INFO msg=x argo=true",
    'my model said: time=2026-11-22T21:16:01.961Z level=INFO msg="x" argo=true',
    "Error: exit status 1",
    'time=2026-11-22T21:16:01.961Z level=INFO msg="mine" model=argo',
]


@pytest.mark.parametrize("line", EXECUTOR[:4])
def test_lines_of_the_executor_are_left_out(line: str) -> None:
    assert list(own_lines([f"{STAMP} {line}"])) == []


@pytest.mark.parametrize("line", NOTEBOOK)
def test_lines_of_the_notebook_stay_whatever_they_say(line: str) -> None:
    assert [text for _, text in own_lines([f"{STAMP} {line}"])] == [line]


def test_the_executors_last_words_are_left_out_only_at_the_end() -> None:
    raw = [f"{STAMP} {line}" for line in ("Error: exit status 3", EXECUTOR[2], "Error: exit status 1")]
    assert [text for _, text in own_lines(raw)] == ["Error: exit status 3"]


def test_structured_lines_are_events_too() -> None:
    raw = [f'{STAMP} @mlops {{"event": "metric", "name": "x", "value": 1}}', f"{STAMP} @mlops nonsense"]
    first, second = log_lines("a", raw)
    assert (first.step, first.time, first.event) == ("a", moment(STAMP), {"event": "metric", "name": "x", "value": 1})
    assert (second.text, second.event) == ("@mlops nonsense", None)


def test_lines_of_argos_own_containers_are_all_shown() -> None:
    assert [line.text for line in log_lines("a", [f"{STAMP} {EXECUTOR[0]}"], ours=False)] == [EXECUTOR[0]]
