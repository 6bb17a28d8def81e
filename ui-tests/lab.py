"""A real JupyterLab for browser tests: protected by a token and XSRF, in a folder of its own, ended by its process id.

Everything it could share with the machine (configuration, data, settings, runs, registry) lies in a temporary folder, so
that two of them, or one beside a person's own Jupyter, never meet.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

EXAMPLES = Path(__file__).parent.parent / "examples"

QUIET: dict[str, object] = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False}}
"""Settings that keep JupyterLab from asking about news, and from looking for them elsewhere."""

START_LIMIT = 90.0
"""Seconds until the server answers, on a busy machine."""

STOP_LIMIT = 15.0
"""Seconds from SIGTERM to SIGKILL."""


@dataclass(frozen=True)
class Lab:
    """A running server. ``root`` is the folder that its file browser shows, ``home`` where the product keeps its state."""

    url: str
    token: str
    root: Path
    home: Path
    log: Path
    pid: int
    arguments: tuple[str, ...] = ()

    @property
    def page(self) -> str:
        """Address that signs in; ``reset`` forgets the layout of the last visit."""
        return f"{self.url}/lab?token={self.token}&reset"

    def request(self, method: str, path: str, body: object = None) -> tuple[int, object]:
        """A call of the server as a script would make it: status and JSON (None where there is none)."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.url}/{path}", data=data, method=method, headers={"Authorization": f"token {self.token}"}
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                text = answer.read()
                return answer.status, json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            return error.code, None

    def api(self, method: str, path: str, body: object = None) -> object:
        """The JSON of one call of our REST interface, which has to succeed."""
        status, answer = self.request(method, f"jupyter-mlops/api/v1/{path}", body)
        if not 200 <= status < 300:
            raise AssertionError(f"{method} {path} answered {status}")
        return answer


@contextmanager
def lab(
    folder: Path, notebooks: Sequence[Path] = (), settings: dict[str, object] | None = None, arguments: Sequence[str] = ()
) -> Iterator[Lab]:
    """A JupyterLab with copies of the notebooks, until the block ends. Services that it left running are stopped."""
    root, home, log = folder / "root", folder / "home", folder / "lab.log"
    root.mkdir(parents=True)
    for notebook in notebooks:
        if notebook.is_dir():
            shutil.copytree(notebook, root, dirs_exist_ok=True)
        else:
            shutil.copy(notebook, root)
    for plugin, values in {**QUIET, **(settings or {})}.items():
        place = folder / "user-settings" / f"{plugin.replace(':', '/')}.jupyterlab-settings"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(json.dumps(values))
    # In the session of the tests: whoever ends them by force ends the server too.
    server = Lab(f"http://127.0.0.1:{_free_port()}", secrets.token_hex(16), root, home, log, 0, tuple(arguments))
    with again(server) as running:
        yield running


@contextmanager
def again(place: Lab) -> Iterator[Lab]:
    """The same server anew, at the same address and with the same folders, until the block ends; see ``kill``."""
    with place.log.open("a") as output:
        process = subprocess.Popen(
            [*_command(place.root, urlsplit(place.url).port or 0), *place.arguments],
            env=_environment(place.root.parent, place.home, place.token),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    running = replace(place, pid=process.pid)
    try:
        _wait(running, process)
        yield running
        with suppress(urllib.error.URLError):  # killed meanwhile: the server that came after it ends what is left
            _stop_services(running)
    finally:
        _stop(process)


def kill(running: Lab) -> None:
    """End the server as a machine that runs out of memory does: at once, and with nothing cleaned up."""
    os.kill(running.pid, signal.SIGKILL)


def kernels(running: Lab) -> list[int]:
    """Process ids of its kernels."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            if parent == running.pid and b"ipykernel" in (stat.parent / "cmdline").read_bytes():
                found.append(int(stat.parent.name))
    return found


def _command(root: Path, port: int) -> list[str]:
    return [
        sys.executable, "-m", "jupyterlab",
        "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={root}",
        "--ServerApp.allow_unauthenticated_access=False",
        "--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.extension_manager=readonly",
    ]  # fmt: skip


def _environment(folder: Path, home: Path, token: str) -> dict[str, str]:
    """The token travels in the environment: command lines are there for all to see."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "IPYTHON", "JPY_"))}
    return {
        **inherited,
        "HOME": str(folder),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "user-settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
        "IPYTHONDIR": str(folder / "ipython"),
        "JUPYTER_PLATFORM_DIRS": "1",
        "JUPYTER_MLOPS_HOME": str(home),
        "JUPYTER_TOKEN": token,
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(running: Lab, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + START_LIMIT
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"JupyterLab ended with {process.returncode}:\n{running.log.read_text()}")
        try:
            if running.request("GET", "api/status")[0] == 200:
                return
        except OSError:
            time.sleep(0.2)
    raise TimeoutError(f"JupyterLab did not answer within {START_LIMIT:.0f} s:\n{running.log.read_text()}")


def _stop_services(running: Lab) -> None:
    """Runs and services outlive a server on purpose, so a test has to end them."""
    status, answer = running.request("GET", "jupyter-mlops/api/v1/services")
    if status == 200 and isinstance(answer, dict):
        for service in answer["services"]:
            running.request("DELETE", f"jupyter-mlops/api/v1/services/{service['namespace']}/{service['name']}")
    status, answer = running.request("GET", "jupyter-mlops/api/v1/runs")
    if status == 200 and isinstance(answer, dict):
        for run in answer["runs"]:
            if run["phase"] in {"Pending", "Running"}:
                running.request("POST", f"jupyter-mlops/api/v1/runs/{run['name']}/stop", {})


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_LIMIT)
    except subprocess.TimeoutExpired:
        process.kill()  # its kernels notice that their parent is gone
        process.wait()
