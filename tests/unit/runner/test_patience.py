"""A registry that is away while a step holds its result."""

from __future__ import annotations

import io

import pytest

from jupyter_mlops.errors import NotAllowed, Unavailable
from jupyter_mlops.runner import patience
from jupyter_mlops.runner.patience import patiently
from jupyter_mlops.runner.progress import Log


class Clock:
    """Time that passes when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(patience, "time", found)
    return found


@pytest.mark.parametrize("failures", [0, 1, 30])
def test_it_is_done_when_the_registry_is_back(clock: Clock, failures: int) -> None:
    left, log = failures, Log(io.StringIO())

    def work() -> str:
        nonlocal left
        if left:
            left -= 1
            raise Unavailable("the registry does not answer")
        return "done"

    assert patiently(work, log, "the model m") == "done"
    assert clock.now == 1000 + failures * patience.PAUSE
    assert log.content().decode().count("waiting for the registry to store the model m") == failures


def test_it_is_given_up_in_the_end(clock: Clock) -> None:
    def work() -> None:
        raise Unavailable("nobody there")

    with pytest.raises(Unavailable) as caught:
        patiently(work, Log(io.StringIO()), "the model m")
    assert (caught.value.code, caught.value.blame) == ("result-lost", "platform")
    assert "the model m is lost: nobody there" in caught.value.message
    assert "--resume" in caught.value.fix
    assert clock.now == 1000 + patience.LONGEST


def test_nothing_else_is_waited_for(clock: Clock) -> None:
    def work() -> None:
        raise NotAllowed("no right")

    with pytest.raises(NotAllowed):
        patiently(work, Log(io.StringIO()), "x")
    assert clock.now == 1000


@pytest.mark.parametrize(
    ("said", "waited", "words"),
    [
        ("15", 15, "15 s"),
        ("0", 0, "0 s"),
        ("-3", 0, "0 s"),
        ("600", 600, "10 minutes"),
        ("soon", 300, "5 minutes"),
        ("", 300, "5 minutes"),
    ],
)
def test_a_step_can_say_how_long(clock: Clock, monkeypatch: pytest.MonkeyPatch, said: str, waited: int, words: str) -> None:
    monkeypatch.setenv("MLOPS_PATIENCE", said)

    def work() -> None:
        raise Unavailable("nobody there")

    with pytest.raises(Unavailable, match=f"for {words};"):
        patiently(work, Log(io.StringIO()), "x")
    assert clock.now == 1000 + waited
