"""SIGTERM at the worst moments. Each in a process of its own, since it takes over the process's signals."""

from __future__ import annotations

import subprocess
import sys

import pytest

_BEGIN = """
import os, signal, sys, threading, time
from jupyter_mlops.runner.failure import Terminated
from jupyter_mlops.runner.stopping import Stopping
seen = []
stopping = Stopping(lambda: seen.append(1))
stopping.install()
"""

_MOMENTS = {
    # The kernel hands the signal to a thread: the main thread's sleep is not interrupted by it.
    "while another thread takes it": """
threading.Thread(target=lambda: (time.sleep(0.3), signal.pthread_kill(threading.get_ident(), signal.SIGTERM)), daemon=True).start()
began = time.monotonic()
try:
    time.sleep(30)
except Terminated:
    assert time.monotonic() - began < 20
    assert seen == [1]
    print('ended')
""",
    "while it computes": """
threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGTERM)).start()
try:
    while True:
        sum(range(1000))
except Terminated:
    print('ended')
""",
    "twice": """
try:
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(30)
except Terminated:
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(0.3)
    assert seen == [1]
    print('ended')
""",
    # A child's signal is written to no file of ours: the parent goes on.
    "in a fork": """
child = os.fork()
if child == 0:
    time.sleep(30)
    os._exit(0)
os.kill(child, signal.SIGTERM)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGTERM
time.sleep(0.3)
assert seen == []
print('ended')
""",
}


@pytest.mark.parametrize("moment", _MOMENTS)
def test_it_ends_in_order(moment: str) -> None:
    done = subprocess.run([sys.executable, "-c", _BEGIN + _MOMENTS[moment]], capture_output=True, text=True, timeout=25)
    assert (done.returncode, done.stdout, done.stderr) == (0, "ended\n", "")


def test_afterwards_it_ends_the_process() -> None:
    code = _BEGIN + "stopping.remove()\nos.kill(os.getpid(), signal.SIGTERM)\ntime.sleep(30)"
    assert subprocess.run([sys.executable, "-c", code], timeout=25).returncode == -15
