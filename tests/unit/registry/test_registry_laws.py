"""Laws over any history: the folder keeps what a plain model keeps, and the server answers nonsense without falling over."""

import http.client
import shutil
import tempfile
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from jupyter_mlops.errors import NotFound
from jupyter_mlops.oci.artifact import push_artifact
from jupyter_mlops.oci.descriptor import to_dict
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.oci.names import OCI_INDEX, OCI_LAYER
from jupyter_mlops.registry.layout import LayoutRegistry
from jupyter_mlops.testing.embedded import embedded_registry

KIND = "application/vnd.example.v1+json"
TAGS = st.sampled_from(["v1", "v2", "latest"])


class Keeping(RuleBasedStateMachine):
    """Push, tag, untag, delete and collect in any order; what tags lead to must be whole, and after a collection alone."""

    manifests = Bundle("manifests")

    @initialize()
    def start(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="registry-laws-"))
        self.layout = Layout(self.root)
        self.tags: dict[str, str] = {}
        self.holds: dict[str, set[str]] = {}
        self.about: dict[str, str] = {}

    def teardown(self) -> None:
        shutil.rmtree(self.root)

    def put(self, document, tags):
        manifest = self.layout.put_manifest("a", document, tags=tags)
        self.tags.update(dict.fromkeys(tags, manifest.descriptor.digest))
        return manifest

    @rule(target=manifests, content=st.integers(0, 5), tags=st.lists(TAGS, max_size=2))
    def push(self, content, tags):
        layer = self.layout.put_blob("a", bytes([content]) * 10, OCI_LAYER)
        manifest = push_artifact(self.layout, "a", KIND, {"content": content}, [layer], tags=tags)
        self.tags.update(dict.fromkeys(tags, manifest.descriptor.digest))
        self.holds[manifest.descriptor.digest] = set()
        return manifest

    @rule(target=manifests, child=manifests, tags=st.lists(TAGS, max_size=2))
    def index(self, child, tags):
        if not self.layout.blob_path("a", child.descriptor.digest).exists():
            return child
        document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [to_dict(child.descriptor)]}
        try:
            manifest = self.put(document, tags)
        except NotFound:  # what the child needs is gone: it was collected
            return child
        self.holds[manifest.descriptor.digest] = {child.descriptor.digest}
        return manifest

    @rule(target=manifests, subject=manifests, number=st.integers(0, 3))
    def refer(self, subject, number):
        manifest = push_artifact(self.layout, "a", KIND, {"about": number}, subject=subject.descriptor)
        self.holds[manifest.descriptor.digest] = set()
        self.about[manifest.descriptor.digest] = subject.descriptor.digest
        return manifest

    @rule(tag=TAGS)
    def untag(self, tag):
        if self.tags.pop(tag, None):
            self.layout.delete("a", tag)
        else:
            with pytest.raises(NotFound):
                self.layout.delete("a", tag)

    @rule()
    def collect(self):
        """As a process that starts when all others have ended."""
        self.layout = Layout(self.root)
        LayoutRegistry(self.layout).collect()
        assert set(self.layout.index("a").manifests) <= self.live(), "nothing stays that no tag leads to"

    def live(self):
        found, waiting = set(), set(self.tags.values())
        while waiting:
            found |= waiting
            held = {child for digest in waiting for child in self.holds[digest]}
            waiting = (held | {digest for digest, subject in self.about.items() if subject in found}) - found
        return found

    @invariant()
    def tags_are_those_of_the_model(self):
        if hasattr(self, "root"):
            assert dict(self.layout.index("a").tags) == self.tags

    @invariant()
    def what_tags_lead_to_is_whole(self):
        if not hasattr(self, "root"):
            return
        waiting = list(self.tags.values())
        while waiting:
            manifest = self.layout.get_manifest("a", waiting.pop())
            facts = self.layout.facts("a", manifest.descriptor.digest)
            waiting += facts.children
            for blob in facts.blobs:
                with self.layout.open_blob("a", blob) as stream:
                    stream.read()


Keeping.TestCase.settings = settings(
    max_examples=25, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
)
TestKeeping = Keeping.TestCase


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    with embedded_registry(tmp_path_factory.mktemp("laws") / "registry") as address:
        yield urlsplit(address).netloc


pieces = st.sampled_from(
    [
        "v2",
        "a",
        "..",
        ".",
        "",
        "blobs",
        "uploads",
        "manifests",
        "tags",
        "list",
        "referrers",
        "_catalog",
        "sha256:" + 64 * "0",
        "v1",
        "%2e%2e",
        "é",
        "\x00",
    ]
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    method=st.sampled_from(["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE"]),
    path=st.lists(pieces, max_size=7),
    query=st.sampled_from(["", "?n=-1", "?n=1&last=x", "?digest=x", "?mount=x&from=../a", "?tag=..", "?artifactType="]),
    body=st.sampled_from([b"", b"{}", b"[]", b'{"schemaVersion":2,"layers":[null]}', b"\xff"]),
    headers=st.sampled_from(
        [{}, {"Range": "bytes=5-1"}, {"Content-Range": "x-y"}, {"Content-Type": "application/json"}, {"Range": "bytes=-0"}]
    ),
)
def test_no_request_makes_the_server_fail(host, method, path, query, body, headers):
    connection = http.client.HTTPConnection(host, timeout=20)
    try:
        connection.request(method, "/v2/" + "/".join(quote(piece, safe="%:") for piece in path) + query, body, headers)
        answer = connection.getresponse()
        answer.read()
        assert answer.status < 500
    finally:
        connection.close()
