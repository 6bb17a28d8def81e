"""A registry in front of another one that asks for a name and a password, as companies have it."""

from __future__ import annotations

import base64
import contextlib
import http.client
import os
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

HOSTS = Path(os.environ.get("CLUSTER_HOME") or Path.home() / ".cache" / "mlops-cluster") / "config" / "hosts"
"""Where the container runtime of the kit's node looks up how a registry is spoken to; it does so at each pull."""


@contextlib.contextmanager
def plain_for_the_node(address):
    """Let the node pull from an address over plain HTTP, as its administrator would, until the block ends."""
    if not HOSTS.is_dir():
        pytest.skip("NOT RUN: the node is not of the kit, so it cannot be told how to reach a registry that this test starts")
    place = HOSTS / address
    place.mkdir()
    try:
        (place / "hosts.toml").write_text(
            f'server = "http://{address}"\n[host."http://{address}"]\n  capabilities = ["pull", "resolve"]\n'
        )
        yield
    finally:
        shutil.rmtree(place)


@contextlib.contextmanager
def guarded(behind, name, password):
    """Address (host and port) that pods reach: reads of the registry behind it, for who logs in."""
    wanted = "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            if self.headers.get("Authorization") != wanted:
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="company"')
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            with contextlib.closing(http.client.HTTPConnection(behind, timeout=30)) as connection:
                connection.request(self.command, self.path, headers={"Accept": self.headers.get("Accept", "*/*")})
                answer = connection.getresponse()
                body = answer.read()
            self.send_response(answer.status)
            for key in ("Content-Type", "Docker-Content-Digest"):
                if answer.headers.get(key):
                    self.send_header(key, answer.headers[key])
            length = answer.headers.get("Content-Length") if self.command == "HEAD" else None
            self.send_header("Content-Length", length or str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815 - the name that http.server looks for

        def log_message(self, *_args):
            pass

    host = behind.partition(":")[0]
    server = ThreadingHTTPServer((host, 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"{host}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
