"""A notebook server with the extension in a pod, and how a test talks to it: through a port that ``kubectl`` forwards.

The forwarding works on every cluster, whether or not pods can be reached from where the tests run.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from jupyter_mlops.cluster.base import PODS, SECRETS, Cluster
from tests.cluster.conftest import wait_for
from tests.cluster.pod_image import PLACE
from tests.cluster.pods import pod_of

PORT = 8888
API = "jupyter-mlops/api/v1"


class PodServer:
    """The server, as a browser or a script reaches it."""

    def __init__(self, address: str, token: str, log: Callable[[], list[str]]) -> None:
        """``log`` reads what the server has written by now."""
        self.address, self.token, self.log = address, token, log
        self.answers: list[str] = []

    def request(self, method: str, path: str, body: object = None, token: str | None = None) -> tuple[int, Any]:
        """Status, and what was answered: JSON, or text where it is none. An empty token: without signing in."""
        word = self.token if token is None else token
        request = urllib.request.Request(
            f"http://{self.address}/{path}",
            data=None if body is None else json.dumps(body).encode(),
            method=method,
            headers={"Authorization": f"token {word}"} if word else {},
        )
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                status, text = answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                status, text = error.code, error.read().decode()
        self.answers.append(text)
        try:
            return status, json.loads(text) if text else None
        except ValueError:
            return status, text

    def api(self, method: str, path: str, body: object = None) -> Any:
        """The answer of one call of our interface, which has to succeed."""
        status, answer = self.request(method, f"{API}/{path}", body)
        assert 200 <= status < 300, "\n".join([f"{method} {path} answered {status}: {answer}", *self.log()[-40:]])
        return answer

    @contextlib.contextmanager
    def events(self) -> Iterator[list[dict[str, Any]]]:
        """What the server tells its panels while the block runs: the list grows."""
        import websocket

        headers = [f"Authorization: token {self.token}"]
        socket = websocket.create_connection(f"ws://{self.address}/api/events/subscribe", header=headers, timeout=300)
        told: list[dict[str, Any]] = []

        def listen() -> None:
            with contextlib.suppress(websocket.WebSocketException, OSError):
                while text := socket.recv():
                    told.append(json.loads(text))

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        try:
            yield told
        finally:
            socket.shutdown()
            thread.join(10)


@contextlib.contextmanager
def server_in_pod(cluster: Cluster, namespace: str, image: str) -> Iterator[PodServer]:
    """The server in a pod of the person's account, protected by a token, until the block ends."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("NOT RUN: there is no kubectl, which forwards a port of the pod")
    token = secrets.token_hex(16)
    cluster.create(SECRETS, {"metadata": {"name": "server"}, "stringData": {"token": token}}, namespace)
    container = {
        "image": image,
        "command": [
            "python3", "-m", "jupyterlab", "--no-browser", "--ip=0.0.0.0", f"--port={PORT}", "--ServerApp.root_dir=/home/me",
            "--ServerApp.allow_unauthenticated_access=False", "--LabApp.extension_manager=readonly",
        ],
        "env": [
            {"name": "PYTHONPATH", "value": f"/{PLACE}"},
            {"name": "JUPYTER_TOKEN", "valueFrom": {"secretKeyRef": {"name": "server", "key": "token"}}},
        ],
        "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1, "failureThreshold": 120},
    }  # fmt: skip
    cluster.create(PODS, pod_of("server", container), namespace)
    wait_for(lambda: _ready(cluster, namespace), "the server's pod", 120)
    command = [kubectl, "--namespace", namespace, "port-forward", "pod/server", f":{PORT}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as forwarding:
        assert forwarding.stdout is not None
        said = forwarding.stdout.readline()
        assert said.startswith("Forwarding from "), said
        server = PodServer(said.split()[2], token, lambda: list(cluster.logs("server", "main", namespace)))
        try:
            yield server
        finally:
            forwarding.terminate()


def until(server: PodServer, path: str, over: Any, seconds: float = 240) -> Any:
    """Ask until the answer is one that is waited for."""
    end = time.monotonic() + seconds
    while True:
        answer = server.api("GET", path)
        if over(answer):
            return answer
        assert time.monotonic() < end, f"{path}: not after {seconds:.0f} s: {json.dumps(answer)[:2000]}"
        time.sleep(0.3)


def _ready(cluster: Cluster, namespace: str) -> bool:
    status = cluster.get(PODS, "server", namespace)["status"]
    if status.get("phase") in {"Failed", "Succeeded"}:
        pytest.fail("the server ended:\n" + "\n".join([*cluster.logs("server", "main", namespace)][-30:]))
    return any(one["type"] == "Ready" and one["status"] == "True" for one in status.get("conditions", ()))
