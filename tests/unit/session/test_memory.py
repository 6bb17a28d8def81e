"""What capture and delivery take of memory: never twice the largest component, each measured in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SIZE = 96 << 20
"""Bytes of the one large component; beside it, what libraries load late is little."""

PROGRAM = """
import json, sys
from pathlib import Path
import numpy as np
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.session.scope import Scope
from jupyter_mlops.session.state import State
from jupyter_mlops.session.transfer import Blobs, Delivery, capture, deliver, note_arrival

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024

def captured(space, state, delivery):
    own = {name: value for name, value in space.items() if not name.startswith("__")}
    found = capture(own, state, delivery, blobs, Scope(space), {})
    assert not found.lost
    return State(names=found.names, components=found.components)

root, size, what = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
blobs = Blobs(Layout(root), "runs/memory")
captured({"small": np.zeros(99999)}, State(), Delivery())
path, space = root / "state.json", {"__name__": "__main__"}
if what == "capture":
    space["array"] = np.arange(size, dtype="u1")
    space["seen"] = {"view": space["array"][size // 4 :]}
    before = peak()
    state = captured(space, State(), Delivery())
    print(peak() - before)
    path.write_text(json.dumps([state.to_json(), blobs.sizes]))
else:
    state = State.from_json(*json.loads(path.read_text()))
    before = peak()
    delivery = deliver(sorted(set(state.names.values())), state, blobs, Scope(space))
    note_arrival(delivery, state, Scope(space))
    space["seen"]["view"][0] = 7
    assert space["array"][size // 4] == 7
    captured(space, state, delivery)
    print(peak() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(
    not sys.platform.startswith("linux"),
    reason="the peak of one program alone is told by Linux; that of getrusage begins with its parent's",
)
@pytest.mark.parametrize(("what", "allowed"), [("capture", SIZE), ("delivery and capture", 2 * SIZE)])
def test_memory_stays_below_twice_the_largest_component(what: str, allowed: int, tmp_path: Path) -> None:
    """The array is there before capture, so that capture may add less than one more; delivery makes it."""
    (tmp_path / "registry").mkdir()
    for step in dict.fromkeys(("capture", what)):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(tmp_path / "registry"), str(SIZE), step],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    grown = int(done.stdout)
    assert grown < allowed
    if what != "capture":
        assert grown > SIZE // 2, "the measure sees nothing"
