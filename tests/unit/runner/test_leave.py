"""What a program may rely on when its process ends, in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

START = "import atexit, sys, threading, time\nfrom jupyter_mlops.runner.leave import leave\n"


def ended(source: str) -> tuple[int, str]:
    done = subprocess.run([sys.executable, "-c", START + source], capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout


@pytest.mark.parametrize("code", [0, 1, 2, 3])
def test_the_code_is_the_processes(code: int) -> None:
    assert ended(f"leave({code})") == (code, "")


def test_threads_end_then_exit_functions_run_then_buffers_are_written() -> None:
    source = (
        "go = threading.Event()\n"
        "atexit.register(print, 'exit')\n"
        "threading.Thread(target=lambda: (go.wait(), print('thread'))).start()\n"
        "threading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n"
        "print('buffered', end=' ')\n"
        "go.set()\nleave(0)"
    )
    assert ended(source) == (0, "buffered thread\nexit\n")


def test_pools_are_waited_for() -> None:
    source = (
        "from concurrent.futures import ThreadPoolExecutor\n"
        "ThreadPoolExecutor(1).submit(lambda: (time.sleep(0.2), print('done')))\nleave(0)"
    )
    assert ended(source) == (0, "done\n")


def test_what_an_exit_function_raises_and_a_closed_stream_change_nothing() -> None:
    assert ended("atexit.register(lambda: 1 / 0)\nsys.stdout.close()\nleave(0)")[0] == 0
