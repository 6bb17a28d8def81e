"""Docker's own registry, started here, with everything that goes wrong in real life: each ends right, or is said."""

import base64
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from jupyter_mlops.errors import MlopsError, NotAllowed, NotFound, StorageFull, Unavailable, WrongUsage
from jupyter_mlops.oci.artifact import push_artifact
from jupyter_mlops.oci.digest import digest_of
from jupyter_mlops.oci.modelpack import publish_model
from jupyter_mlops.oci.names import METRICS, OCI_LAYER
from jupyter_mlops.oci.remote import Remote
from jupyter_mlops.registry.models import Models
from jupyter_mlops.testing.registries import PROGRAM, DockerRegistry
from jupyter_mlops.testing.wire import Fault, Wire

pytestmark = pytest.mark.skipif(
    shutil.which(PROGRAM) is None or shutil.which("openssl") is None,
    reason=f"{PROGRAM} or openssl is not on PATH: real faults of a registry are NOT tested on this machine",
)

BIG = os.urandom(8_000_000)
RIGHT = "me:$2b$05$abcdefghijklmnopqrstuu8xaCxxL82bnl.UY74PMksDxIJShppPC\n"
KIND = "application/vnd.example.v1+json"


@pytest.fixture(autouse=True)
def environ(tmp_path, monkeypatch):
    for name in (
        "REGISTRY_AUTH_FILE",
        "SSL_CERT_FILE",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "http_proxy",
        "https_proxy",
        "NO_PROXY",
        "no_proxy",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.bin").write_bytes(BIG)
    (folder / "mlops.json").write_text('{"version": 1}')
    return folder


@pytest.fixture
def registry(tmp_path):
    with DockerRegistry(tmp_path / "registry") as running:
        yield running


def log_in(tmp_path, host, user, password):
    auth = base64.b64encode(f"{user}:{password}".encode()).decode()
    (tmp_path / "config.json").write_text(json.dumps({"auths": {host: {"auth": auth}}}))


def openssl(folder, *command):
    subprocess.run(["openssl", *map(str, command)], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    """An authority of our own, and a certificate of it for this machine and ``registry.test``."""
    folder = tmp_path_factory.mktemp("tls")
    openssl(
        folder,
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        "ca.key",
        "-out",
        "ca.crt",
        "-days",
        "2",
        "-subj",
        "/CN=ours",
    )
    openssl(folder, "req", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "request", "-subj", "/CN=registry.test")
    (folder / "names").write_text("subjectAltName=DNS:registry.test,IP:127.0.0.1")
    openssl(
        folder, "x509", "-req", "-in", "request", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
        "-extfile", "names", "-out", "cert.pem",
    )  # fmt: skip
    return folder


def read(store, data=BIG, repository="a"):
    with store.open_blob(repository, digest_of(data)) as stream:
        return stream.read()


def moves(store):
    """A large blob there and back."""
    store.put_blob("a", iter([BIG]), OCI_LAYER)
    assert read(store) == BIG


# -- logging in ------------------------------------------------------------------------------------------------------------


def test_basic(tmp_path):
    (tmp_path / "passwords").write_text(RIGHT)
    with DockerRegistry(tmp_path / "registry", auth={"htpasswd": {"realm": "x", "path": str(tmp_path / "passwords")}}) as registry:
        for password in (None, "wrong"):
            if password:
                log_in(tmp_path, registry.host, "me", password)
            with pytest.raises(NotAllowed) as refused:
                Remote(registry.address).put_blob("a", b"x", OCI_LAYER)
            assert refused.value.code == "registry-login"
            assert f"docker login {registry.host}" in refused.value.fix
            assert "wrong" not in str(refused.value)
        log_in(tmp_path, registry.host, "me", "right")
        moves(Remote(registry.address))


class Tokens(ThreadingHTTPServer):
    """A token service as registries have them: signs what a login may, and nothing more."""

    daemon_threads = True

    def __init__(self, folder):
        self.rights = {"writer": {"pull", "push"}, "reader": {"pull"}}
        self.folder = folder
        self.asked = 0
        super().__init__(("127.0.0.1", 0), TokenHandler)

    def sign(self, access, lasts):
        certificate = "".join((self.folder / "cert.pem").read_text().splitlines()[1:-1])
        now = int(time.time())
        claims = {
            "iss": "ours",
            "sub": "me",
            "aud": "reg",
            "exp": now + lasts,
            "nbf": now - 10,
            "iat": now,
            "jti": "1",
            "access": access,
        }
        head = {"typ": "JWT", "alg": "RS256", "x5c": [certificate]}
        text = b".".join(_encode(json.dumps(part).encode()) for part in (head, claims))
        command = ["openssl", "dgst", "-sha256", "-sign", str(self.folder / "key.pem")]
        return (text + b"." + _encode(subprocess.run(command, input=text, capture_output=True, check=True).stdout)).decode()


def _encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


class TokenHandler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked += 1
        user = base64.b64decode(self.headers.get("Authorization", "Basic ").partition(" ")[2]).decode().partition(":")[0]
        if user not in self.server.rights:
            self.send_error(401)
            return
        access = []
        for scope in parse_qs(urlsplit(self.path).query).get("scope", []):
            kind, name, actions = scope.split(":")
            access.append({"type": kind, "name": name, "actions": sorted(set(actions.split(",")) & self.server.rights[user])})
        body = json.dumps({"token": self.server.sign(access, 300), "expires_in": 300}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def bearer(tmp_path, certificates):
    tokens = Tokens(certificates)
    thread = threading.Thread(target=tokens.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    section = {
        "realm": f"http://127.0.0.1:{tokens.server_port}/token", "service": "reg", "issuer": "ours",
        "rootcertbundle": str(certificates / "ca.crt"),
    }  # fmt: skip
    try:
        with DockerRegistry(tmp_path / "registry", auth={"token": section}) as registry:
            yield registry, tokens
    finally:
        tokens.shutdown()
        thread.join()
        tokens.server_close()


def test_bearer_with_few_tokens_and_mounts_between_repositories(bearer, tmp_path, model):
    registry, tokens = bearer
    log_in(tmp_path, registry.host, "writer", "x")
    store = Remote(registry.address)
    moves(store)
    assert tokens.asked <= 2
    store.put_blob("b", iter([BIG]), OCI_LAYER)
    assert "mount" in registry_requests(registry)
    assert read(store, BIG, "b") == BIG
    publish_model(store, "churn", model, key="1", annotations={}, metrics={"m": 1.0})
    assert Models(Remote(registry.address)).find("churn").tag == "v1"


def registry_requests(registry):
    """That a blob was mounted shows in the folder: its link is there, and the bytes are there once."""
    links = list((registry.folder / "data").rglob(f"_layers/sha256/{digest_of(BIG)[7:]}/link"))
    return "mount" if len(links) == 2 else ""


def test_a_right_that_is_missing_is_named(bearer, tmp_path):
    registry, _ = bearer
    log_in(tmp_path, registry.host, "writer", "x")
    moves(Remote(registry.address))
    log_in(tmp_path, registry.host, "reader", "x")
    store = Remote(registry.address)
    assert read(store) == BIG
    with pytest.raises(NotAllowed, match="lacks the right to push to a"):
        store.put_blob("a", b"new", OCI_LAYER)
    log_in(tmp_path, registry.host, "nobody", "x")
    with pytest.raises(NotAllowed, match="gives no token"):
        Remote(registry.address).tags("a")


# -- certificates and proxies ----------------------------------------------------------------------------------------------


@pytest.fixture
def secure(tmp_path, certificates):
    with DockerRegistry(tmp_path / "registry", tls=(certificates / "cert.pem", certificates / "key.pem")) as registry:
        yield registry


def test_a_private_authority(secure, certificates, monkeypatch):
    with pytest.raises(Unavailable, match="not trusted") as refused:
        Remote(secure.address).tags("a")
    assert refused.value.code == "registry-certificate"
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates / "ca.crt"))
    moves(Remote(secure.address))
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates / "nothing"))
    with pytest.raises(MlopsError) as refused:
        Remote(secure.address).tags("a")
    assert refused.value.code == "ca-unreadable"


def test_https_and_http_are_told_apart(secure, registry_beside):
    with pytest.raises(WrongUsage) as refused:
        Remote(secure.address.replace("https", "http")).tags("a")
    assert refused.value.code == "registry-tls"
    with pytest.raises(Unavailable) as refused:
        Remote(registry_beside.address.replace("http", "https")).tags("a")
    assert refused.value.code == "registry-plain-http"
    assert f"http://{registry_beside.host}" in refused.value.fix


@pytest.fixture
def registry_beside(tmp_path):
    with DockerRegistry(tmp_path / "beside") as running:
        yield running


class Proxy(ThreadingHTTPServer):
    """A forward proxy that alone knows where ``registry.test`` is."""

    daemon_threads = True

    def __init__(self, upstream, login=""):
        self.upstream, self.login, self.seen = upstream, login, []
        super().__init__(("127.0.0.1", 0), ProxyHandler)


class ProxyHandler(BaseHTTPRequestHandler):
    def _tunnel(self):
        self.server.seen.append((self.command, self.path))
        if self.headers.get("Proxy-Authorization", "") != self.server.login:
            self.send_error(407)
            return
        if self.command == "CONNECT":
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            head = b""
        else:
            path = "/" + self.path.split("/", 3)[3]
            kept = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items() if name != "Proxy-Authorization")
            head = f"{self.command} {path} HTTP/1.1\r\n{kept}Connection: close\r\n\r\n".encode()
        with Wire(self.server.upstream) as wire:
            host, port = wire.host.split(":")
            with socket.create_connection((host, int(port))) as server:
                server.sendall(head)
                back = threading.Thread(target=_pour, args=(server, self.connection))
                back.start()
                _pour_buffered(self.rfile, server)
                back.join()
        self.close_connection = True

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = do_CONNECT = _tunnel  # noqa: N815 - the names that the base looks for

    def log_message(self, *_):
        pass


def _pour(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(1)
    except OSError:
        pass


def _pour_buffered(source, target):
    try:
        while data := source.read1(65536):
            target.sendall(data)
        target.shutdown(1)
    except OSError:
        pass


def through(upstream, login=""):
    server = Proxy(upstream, login)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    return server, thread


@pytest.mark.parametrize("login", ["", "Basic " + base64.b64encode(b"me:p@ss").decode()])
def test_a_proxy_that_alone_knows_the_registry(secure, registry_beside, certificates, monkeypatch, login):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates / "ca.crt"))
    for upstream, scheme in ((secure.host, "https"), (registry_beside.host, "http")):
        server, thread = through(upstream, login)
        try:
            user = "me:p%40ss@" if login else ""
            monkeypatch.setenv(f"{scheme.upper()}_PROXY", f"http://{user}127.0.0.1:{server.server_port}")
            moves(Remote(f"{scheme}://registry.test"))
            assert {command for command, _ in server.seen} >= ({"CONNECT"} if scheme == "https" else {"HEAD", "PUT", "GET"})
            if login:
                monkeypatch.setenv(f"{scheme.upper()}_PROXY", f"http://me:wrong@127.0.0.1:{server.server_port}")
                with pytest.raises(MlopsError, match="407") as refused:
                    Remote(f"{scheme}://registry.test").tags("a")
                assert "wrong" not in str(refused.value)
            monkeypatch.setenv("NO_PROXY", "registry.test")
            with pytest.raises(Unavailable):
                Remote(f"{scheme}://registry.test").tags("a")
            monkeypatch.delenv("NO_PROXY")
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


# -- dying, refusing, full -------------------------------------------------------------------------------------------------


class Dying:
    """Chunks of a blob; while they are sent the registry is killed, and started again."""

    def __init__(self, registry):
        self.registry, self.readings = registry, 0

    def __iter__(self):
        self.readings += 1
        for start in range(0, len(BIG), 1_000_000):
            if self.readings == 2 and start == 4_000_000:
                self.registry.kill()
                self.registry.start()
            yield BIG[start : start + 1_000_000]


def test_a_registry_that_dies_in_an_upload_and_comes_back(registry):
    store = Remote(registry.address)
    chunks = Dying(registry)
    store.put_blob("a", chunks, OCI_LAYER)
    assert chunks.readings >= 3
    assert read(store) == BIG


def test_a_registry_that_dies_in_a_download_and_comes_back(registry):
    store = Remote(registry.address)
    store.put_blob("a", iter([BIG]), OCI_LAYER)
    with store.open_blob("a", digest_of(BIG)) as stream:
        start = stream.read(100_000)
        registry.kill()
        registry.start()
        assert start + stream.read() == BIG


def test_a_registry_that_stays_away_is_said_soon(registry):
    store = Remote(registry.address)
    store.tags("a")
    registry.kill()
    with pytest.raises(Unavailable, match=registry.host):
        store.tags("a")


def test_a_registry_that_is_read_only(tmp_path):
    with DockerRegistry(tmp_path / "registry", readonly=True) as registry, pytest.raises(MlopsError) as refused:
        Remote(registry.address).put_blob("a", b"x", OCI_LAYER)
    assert refused.value.code == "registry-unsupported"


def test_a_registry_that_does_not_delete_says_so_and_nothing_is_lost(tmp_path, model):
    with DockerRegistry(tmp_path / "registry", delete=False) as registry:
        store = Remote(registry.address)
        for key in "12":
            publish_model(store, "churn", model, key=key, annotations={}, metrics={})
        models = Models(store)
        models.set_alias("churn", "champion", "v1")
        for attempt in (lambda: models.delete("churn", "v2"), lambda: models.remove_alias("churn", "champion")):
            with pytest.raises(WrongUsage, match="does not delete") as refused:
                attempt()
            assert "REGISTRY_STORAGE_DELETE_ENABLED" in refused.value.fix
        assert [(version.tag, version.aliases) for version in models.get("churn").versions] == [
            ("v2", ("latest",)),
            ("v1", ("champion",)),
        ]
        assert publish_model(store, "churn", model, key="3", annotations={}, metrics={}).tag in {"v3", "v4", "v5"}


def test_a_registry_without_room(tmp_path):
    """Its folder is a file system of 4 MB of its own."""
    data = tmp_path / "registry" / "data"
    data.mkdir(parents=True)
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode:
        pytest.skip("no namespaces for mounts here: a full disk of a registry is NOT tested on this machine")
    small = DockerRegistry(tmp_path / "registry")
    small.within = ("unshare", "-rm", "sh", "-c", f'mount -t tmpfs -o size=4m none {data} && exec "$0" "$@"')
    with small as registry, pytest.raises(StorageFull):
        Remote(registry.address).put_blob("a", iter([BIG]), OCI_LAYER)


@pytest.mark.parametrize("fault", [Fault(up=3_000_000), Fault(down=3_000_000), Fault(up=700)])
def test_a_connection_that_breaks(registry, fault):
    with Wire(registry.host, [fault]) as wire:
        moves(Remote(f"http://{wire.host}"))


# -- what its collector leaves, and many at once ---------------------------------------------------------------------------


def test_its_garbage_collection_eats_nothing_of_ours(registry, model, tmp_path):
    store = Remote(registry.address)
    made = publish_model(store, "churn", model, key="1", annotations={}, metrics={"m": 1.0})
    registry.kill()
    registry.collect()
    registry.start()
    models = Models(Remote(registry.address))
    models.extract(models.find("churn"), tmp_path / "out")
    assert (tmp_path / "out" / "models" / "model.bin").read_bytes() == BIG
    assert len(store.referrers("models/churn", made.digest, METRICS)) == 1


ATTACH = """
import sys
from jupyter_mlops.oci.artifact import push_artifact
from jupyter_mlops.oci.remote import Remote
store = Remote(sys.argv[1])
subject = store.get_manifest("a", "v1").descriptor
sys.stdin.readline()
push_artifact(store, "a", "application/x.about", {"n": sys.argv[2]}, subject=subject)
"""


def test_eight_who_attach_at_once_lose_nothing(registry):
    store = Remote(registry.address)
    subject = push_artifact(store, "a", KIND, {}, tags=["v1"])
    processes = [
        subprocess.Popen([sys.executable, "-c", ATTACH, registry.address, str(number)], stdin=subprocess.PIPE)
        for number in range(8)
    ]
    for process in processes:
        process.stdin.write(b"\n")
        process.stdin.flush()
    for process in processes:
        process.communicate()
        assert process.returncode == 0
    assert len(store.referrers("a", subject.descriptor.digest)) == 8


PUBLISH = """
import sys
from pathlib import Path
from jupyter_mlops.oci.modelpack import publish_model
from jupyter_mlops.oci.remote import Remote
sys.stdin.readline()
for number in range(3):
    made = publish_model(Remote(sys.argv[1]), "churn", Path(sys.argv[2]), key=f"{sys.argv[3]}/{number}", annotations={}, metrics={})
    print(made.tag, made.digest, flush=True)
"""


def test_processes_that_publish_at_once_never_share_a_number(registry, tmp_path):
    folder = tmp_path / "small"
    folder.mkdir()
    (folder / "model.bin").write_bytes(b"w" * 1000)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PUBLISH, registry.address, str(folder), str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    made = [line.split() for process in processes for line in process.communicate()[0].splitlines()]
    assert len(made) == len({tag for tag, _ in made}) == 12
    store = Remote(registry.address)
    for tag, digest in made:
        assert store.get_manifest("models/churn", tag).descriptor.digest == digest
    newest = max(made, key=lambda one: int(one[0][1:]))
    assert store.get_manifest("models/churn", "latest").descriptor.digest == newest[1]
    assert len(Models(store).get("churn").versions) == 12


def test_what_is_deleted_elsewhere_is_not_found(registry):
    store, other = Remote(registry.address), Remote(registry.address)
    manifest = push_artifact(store, "a", KIND, {}, tags=["v1"])
    other.delete("a", manifest.descriptor.digest)
    with pytest.raises(NotFound):
        store.get_manifest("a", "v1")
