"""A transfer is painted where somebody looks, and nowhere else."""

import io
import json
import re
import threading
from types import SimpleNamespace

import pytest

from jupyter_mlops.cli.console import Console
from jupyter_mlops.cli.transfer import BETWEEN, Transfer

MB = 1_000_000


class Screen(io.StringIO):
    def isatty(self):
        return True


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def screen(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    return Screen()


def painted(screen):
    return screen.getvalue().split("\r\x1b[K")[1:]


def test_bytes_and_blobs(screen):
    clock = Clock()
    with Transfer(Console(io.StringIO(), screen), clock) as shown:
        for news in (("a", 0, MB), ("b", 0, 3 * MB), ("a", MB, MB), ("b", MB, 3 * MB)):
            shown(*news)
            clock.now += BETWEEN
    assert [re.sub("[━╌]+ ", "", line) for line in painted(screen)] == [
        "0 B of 1.0 MB, 0/1 blobs",
        "0 B of 4.0 MB, 0/2 blobs",
        "1.0 MB of 4.0 MB, 1/2 blobs",
        "2.0 MB of 4.0 MB, 1/2 blobs",
        "",
    ], "and the line is gone in the end"
    assert [line.count("━") for line in painted(screen)] == [0, 0, 6, 12, 0]


def test_it_is_not_painted_more_often_than_anybody_sees(screen):
    shown = Transfer(Console(io.StringIO(), screen), Clock())
    for done in range(1000):
        shown("a", done, 1000)
    assert len(painted(screen)) == 1


def test_a_narrow_terminal_is_not_wrapped(screen, monkeypatch):
    monkeypatch.setenv("COLUMNS", "30")
    Transfer(Console(io.StringIO(), screen), Clock())("a", 1, 1000)
    assert [len(line) for line in painted(screen)] == [29]


def test_empty_blobs(screen):
    Transfer(Console(io.StringIO(), screen), Clock())("a", 0, 0)
    assert "1/1 blobs" in painted(screen)[0]


def test_the_line_goes_when_it_fails(screen):
    shown = Transfer(Console(io.StringIO(), screen), Clock())
    shown("a", 0, 10)
    shown.__exit__(KeyError, KeyError(), None)
    assert painted(screen)[-1] == ""


def test_threads(screen):
    clock = Clock()
    with Transfer(Console(io.StringIO(), screen), clock) as shown:
        threads = [
            threading.Thread(target=lambda name=name: [shown(name, done, 100) for done in range(101)]) for name in "abcdefgh"
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert shown.text().endswith("800 B of 800 B, 8/8 blobs")


@pytest.mark.parametrize(
    ("err", "as_json", "term"), [(io.StringIO, False, "xterm"), (Screen, True, "xterm"), (Screen, False, "dumb")]
)
def test_nobody_looks(err, as_json, term, monkeypatch):
    monkeypatch.setenv("TERM", term)
    stream = err()
    with Transfer(Console(io.StringIO(), stream, as_json=as_json)) as shown:
        shown("a", 1, 2)
    assert stream.getvalue() == ""


@pytest.mark.parametrize("as_json", [False, True])
def test_the_command_shows_it(as_json, screen, tmp_path):
    from jupyter_mlops.cli.logins import VERBS
    from jupyter_mlops.oci.artifact import push_artifact
    from jupyter_mlops.oci.layout import Layout

    push_artifact(Layout(tmp_path), "x", "application/vnd.example", {}, tags=["v1"])
    out = io.StringIO()
    bench = SimpleNamespace(settings=SimpleNamespace(storage=SimpleNamespace(registry=tmp_path)))
    VERBS["copy"](SimpleNamespace(source="x:v1", destination="y"), Console(out, screen, as_json=as_json), bench)
    assert (screen.getvalue() == "") == as_json
    assert json.loads(out.getvalue())["blobs"] >= 1 if as_json else "1 manifests" in out.getvalue()
