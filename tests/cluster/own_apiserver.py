"""A Kubernetes API server of a test's own, without any definitions: what a cluster says that has neither Argo nor KServe.

The programs are those of the kit that made the cluster. Nothing else runs there: no controller, no node; and nothing of it is
left when the block ends.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
import socket
import ssl
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from jupyter_mlops.cluster.base import CRDS, Cluster, Document
from jupyter_mlops.cluster.client import connect
from tests.cluster.conftest import wait_for


@dataclass(frozen=True)
class OwnApiServer:
    """The server, and the kubeconfig of its administrator."""

    kubeconfig: Path
    cluster: Cluster
    programs: Path

    def define(self, product: str, kind: str) -> str:
        """Install one definition of a product as the kit has it; its name."""
        import yaml

        folder = max(self.programs.parent.joinpath("crds").glob(f"{product}*/"), default=None)
        if folder is None:
            pytest.skip(f"NOT RUN: the kit has no definitions of {product}")
        document: Document = yaml.load(
            next(folder.glob(f"*_{kind}.yaml")).read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        )
        name = str(document["metadata"]["name"])
        self.cluster.create(CRDS, document)
        wait_for(lambda: self._established(name), f"the definition {name}")
        return name

    def _established(self, name: str) -> bool:
        conditions = (self.cluster.get(CRDS, name).get("status") or {}).get("conditions") or ()
        return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)


@contextlib.contextmanager
def own_apiserver(folder: Path) -> Iterator[OwnApiServer]:
    """The server until the block ends; its data, keys and logs lie in the folder."""
    found = {name: shutil.which(name) for name in ("kube-apiserver", "etcd", "openssl")}
    for name, path in found.items():
        if path is None:
            pytest.skip(f"NOT RUN: there is no {name} to start a server of the test's own")
    clients, peers, port = _free_ports(3)
    token, key, words = secrets.token_hex(16), folder / "account.key", folder / "tokens"
    subprocess.run([str(found["openssl"]), "genrsa", "-out", str(key), "2048"], check=True, capture_output=True)
    words.write_text(f'{token},me,me,"system:masters"\n')
    words.chmod(0o600)
    etcd = [
        str(found["etcd"]), "--data-dir", str(folder / "etcd"), "--unsafe-no-fsync", "--name=own",
        f"--listen-client-urls=http://127.0.0.1:{clients}", f"--advertise-client-urls=http://127.0.0.1:{clients}",
        f"--listen-peer-urls=http://127.0.0.1:{peers}", f"--initial-advertise-peer-urls=http://127.0.0.1:{peers}",
        f"--initial-cluster=own=http://127.0.0.1:{peers}",
    ]  # fmt: skip
    server = [
        str(found["kube-apiserver"]), f"--etcd-servers=http://127.0.0.1:{clients}", f"--secure-port={port}",
        "--bind-address=127.0.0.1", "--advertise-address=192.0.2.1", "--endpoint-reconciler-type=none", "--service-cluster-ip-range=10.97.0.0/24",
        "--authorization-mode=RBAC", f"--token-auth-file={words}", f"--cert-dir={folder / 'certificates'}",
        "--service-account-issuer=https://own.test", f"--service-account-key-file={key}",
        f"--service-account-signing-key-file={key}",
    ]  # fmt: skip
    with _running(etcd, folder / "etcd.log"), _running(server, folder / "apiserver.log"):
        certificate = folder / "certificates" / "apiserver.crt"
        wait_for(lambda: certificate.exists() and _answers(port, token, certificate), "the API server of the test", 90)
        kubeconfig = folder / "kubeconfig"
        kubeconfig.write_text(
            "apiVersion: v1\nkind: Config\ncurrent-context: own\n"
            "contexts: [{name: own, context: {cluster: own, user: me}}]\n"
            f'clusters: [{{name: own, cluster: {{server: "https://127.0.0.1:{port}", certificate-authority: "{certificate}"}}}}]\n'
            f'users: [{{name: me, user: {{token: "{token}"}}}}]\n'
        )
        kubeconfig.chmod(0o600)
        cluster = connect("own", environ={"KUBECONFIG": str(kubeconfig)})
        yield OwnApiServer(kubeconfig, cluster, Path(str(found["etcd"])).parent)


@contextlib.contextmanager
def _running(command: list[str], log: Path) -> Iterator[None]:
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT) as process:
        try:
            yield
        finally:
            process.kill()


def _answers(port: int, token: str, certificate: Path) -> bool:
    request = urllib.request.Request(f"https://127.0.0.1:{port}/readyz", headers={"Authorization": f"Bearer {token}"})
    try:
        context = ssl.create_default_context(cafile=str(certificate))
        urllib.request.urlopen(request, timeout=5, context=context).close()
    except (OSError, ssl.SSLError):
        return False
    return True


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
