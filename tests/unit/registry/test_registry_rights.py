"""Rights by repository: what a rule matches, that rules only add, and what the server shows of what a user may not read."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.errors import NotAllowed, NotFound, WrongUsage
from jupyter_mlops.oci.artifact import push_artifact
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.oci.names import OCI_LAYER, OCI_MANIFEST
from jupyter_mlops.oci.remote import Remote
from jupyter_mlops.registry.rights import Rights, Rule, parse_rights, rights_of
from jupyter_mlops.registry.users import Users, add
from jupyter_mlops.testing.embedded import embedded_registry
from tests.unit.laws import law
from tests.unit.registry.registry_client import Client

# -- the rules -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rights", "repository", "read", "write"),
    [
        ("read", "models/churn", True, False),
        ("write", "models/churn", True, True),
        ("read=**", "a/b/c", True, False),
        ("write=models/churn", "models/churn", True, True),
        ("write=models/churn", "models/churn2", False, False),
        ("write=models/churn", "models/churn/x", False, False),
        ("write=models/churn", "other/models/churn", False, False),
        ("write=models/team-*", "models/team-b", True, True),
        ("write=models/team-*", "models/team-", True, True),
        ("write=models/team-*", "models/team-b/x", False, False),
        ("read=datasets/**", "datasets/a/b", True, False),
        ("read=datasets/**", "datasets", False, False),
        ("read=*", "one", True, False),
        ("read=*", "one/two", False, False),
        ("read=**,write=models/churn", "models/churn", True, True),
        ("read=**,write=models/churn", "models/fraud", True, False),
        ("write=a.b", "axb", False, False),
    ],
)
def test_what_a_rule_allows(rights, repository, read, write):
    found = parse_rights(rights)
    assert (found.may("read", repository), found.may("write", repository)) == (read, write)


@pytest.mark.parametrize(
    "text", ["", "all", "read=", "write=/a", "write=a//b", "read=A", "read=a b", "write=a,", "=a", "read=../a:b", "write=a/"]
)
def test_what_is_no_right_is_refused_with_the_grammar(text):
    with pytest.raises(WrongUsage) as refused:
        parse_rights(text)
    assert refused.value.code == "invalid-pattern"
    assert "models/churn" in refused.value.fix


PATTERNS = st.lists(st.sampled_from(["a", "b", "*", "**", "a*", "team-*"]), min_size=1, max_size=3).map("/".join)
RULES = st.lists(st.builds(Rule, st.sampled_from(["read", "write"]), PATTERNS), max_size=4).map(tuple)
NAMES = st.lists(st.sampled_from(["a", "b", "ab", "team-x"]), min_size=1, max_size=3).map("/".join)


@law
@given(RULES, RULES, NAMES)
def test_rules_only_add(some, more, name):
    for right in ("read", "write"):
        assert Rights(some).may(right, name) <= Rights(some + more).may(right, name)
        assert Rights(some + more).may(right, name) == Rights(more + some).may(right, name)
    assert Rights(some).may("write", name) <= Rights(some).may("read", name), "who writes reads"
    assert Rights(some).may("write", name) <= Rights(some).may_write
    assert not Rights(some).reads_everything or Rights(some).may("read", name)


@law
@given(RULES.filter(bool))
def test_rights_are_read_as_they_were_written(rules):
    assert parse_rights(Rights(rules).text).rules == rules


def test_patterns_as_the_command_takes_them():
    assert rights_of(read=["datasets/**"], write=["models/a", "models/b"]).text == "write=models/a,write=models/b,read=datasets/**"
    assert rights_of(read=[], write=[]).rules == ()
    assert parse_rights("read").text == "read"


def test_a_line_with_a_right_that_is_none_is_named(tmp_path):
    path = tmp_path / "users"
    path.write_text(f"a:read:{64 * '0'}\nb:write=a//b:{64 * '0'}\n")
    with pytest.raises(WrongUsage, match=r"line 2: 'a//b' is no pattern") as refused:
        Users(path)
    assert refused.value.code == "invalid-users"


# -- the server ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def layout(tmp_path):
    layout = Layout(tmp_path / "registry")
    for name in ("models/team-b", "models/secret", "datasets/rides"):
        blob = layout.put_blob(name, name.encode(), OCI_LAYER)
        push_artifact(layout, name, "application/vnd.example", {}, [blob], tags=["v1"])
    return layout


@pytest.fixture
def server(layout, tmp_path):
    users = tmp_path / "users"
    add(users, "ben", "ben-token", parse_rights("write=models/team-*,read=datasets/**"))
    add(users, "anna", "anna-token", parse_rights("write"))
    with embedded_registry(layout.root, users=users) as address:
        yield address


def ask(address, user, verb, path):
    """Status, headers and body."""
    login = {"Authorization": "Basic " + base64.b64encode(f"{user}:{user}-token".encode()).decode()} if user else {}
    answer, body = Client(address)(verb, path, **login)
    return answer.status, answer.headers, body


def test_lists_name_what_may_be_read(server):
    assert json.loads(ask(server, "ben", "GET", "/v2/_catalog")[2])["repositories"] == ["datasets/rides", "models/team-b"]
    assert len(json.loads(ask(server, "anna", "GET", "/v2/_catalog")[2])["repositories"]) == 3


@pytest.mark.parametrize(
    ("verb", "path", "status"),
    [
        ("GET", "/v2/", 200),
        ("GET", "/v2/models/team-b/manifests/v1", 200),
        ("GET", "/v2/models/team-b/tags/list", 200),
        ("POST", "/v2/models/team-b/blobs/uploads/", 202),
        ("POST", "/v2/models/team-new/blobs/uploads/", 202),
        ("GET", "/v2/datasets/rides/tags/list", 200),
        ("POST", "/v2/datasets/rides/blobs/uploads/", 403),
        ("DELETE", "/v2/datasets/rides/manifests/v1", 403),
        *(("GET", f"/v2/models/{name}/{rest}", 403) for name in ("secret", "nothing") for rest in ("manifests/v1", "tags/list")),
        ("HEAD", "/v2/models/secret/manifests/v1", 403),
        ("GET", "/v2/models/secret/referrers/sha256:" + 64 * "0", 403),
        ("GET", "/v2/models/secret/blobs/sha256:" + 64 * "0", 403),
        ("PUT", "/v2/models/secret/manifests/v2", 403),
        ("PATCH", "/v2/models/secret/blobs/uploads/abc", 403),
        ("DELETE", "/v2/models/secret/manifests/v1", 403),
    ],
)
def test_each_request(server, verb, path, status):
    """What is there and what is not gives the same answer to who may not read it."""
    found, _, body = ask(server, "ben", verb, path)
    assert found == status
    if status == 403 and verb != "HEAD":
        said = json.loads(body)["errors"][0]
        assert said["code"] == "DENIED"
        assert "ben may not" in said["message"]


@pytest.mark.parametrize(
    ("user", "source", "status"),
    [
        ("ben", "models/secret", 202),
        ("ben", "", 202),
        ("ben", "datasets/rides", 202),
        ("anna", "models/secret", 201),
        ("anna", "", 201),
    ],
)
def test_nothing_is_mounted_from_what_may_not_be_read(server, layout, user, source, status):
    """Nor is it told whether it is there: the upload begins as if it were not. Rides has not these bytes."""
    digest = layout.put_blob("models/secret", b"models/secret", OCI_LAYER).digest
    query = f"?mount={digest}" + (f"&from={source}" if source else "")
    assert ask(server, user, "POST", f"/v2/models/team-b/blobs/uploads/{query}")[0] == status


def test_a_manifest_does_not_bring_what_may_not_be_read(server, layout):
    """Blobs are stored once for all; a name for one is had by bringing its bytes, and in no other way."""
    secret = layout.put_blob("models/secret", b"models/secret", OCI_LAYER)
    config = layout.put_blob("models/team-b", b"{}", OCI_LAYER)
    part = {"mediaType": OCI_LAYER, "digest": secret.digest, "size": secret.size}
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {**part, "digest": config.digest, "size": config.size},
        "layers": [part],
    }
    login = {"Authorization": "Basic " + base64.b64encode(b"ben:ben-token").decode()}
    answer, body = Client(server)("PUT", "/v2/models/team-b/manifests/v9", json.dumps(document), Content_Type=OCI_MANIFEST, **login)
    assert (answer.status, json.loads(body)["errors"][0]["code"]) == (404, "MANIFEST_BLOB_UNKNOWN")
    assert ask(server, "ben", "GET", f"/v2/models/team-b/blobs/{secret.digest}")[0] == 404
    empty = ask(server, "ben", "POST", "/v2/models/team-b/blobs/uploads/")[1]["Location"]
    assert ask(server, "ben", "PUT", f"{empty}?digest={secret.digest}")[0] == 400, "without its bytes"


def test_our_client_says_whose_right_is_missing(server, monkeypatch, tmp_path):
    (tmp_path / "config.json").write_text(
        json.dumps({"auths": {server.removeprefix("http://"): {"auth": base64.b64encode(b"ben:ben-token").decode()}}})
    )
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    store = Remote(server)
    assert store.repositories() == ["datasets/rides", "models/team-b"]
    blob = store.put_blob("models/team-b", b"mine", OCI_LAYER)
    push_artifact(store, "models/team-b", "application/vnd.example", {}, [blob], tags=["v2"])
    assert store.tags("models/team-b") == ["v1", "v2"]
    with pytest.raises(NotAllowed, match="ben may not write datasets/rides"):
        store.put_blob("datasets/rides", b"mine", OCI_LAYER)
    with pytest.raises(NotAllowed, match="ben may not read models/secret"):
        store.get_manifest("models/secret", "v1")
    with pytest.raises(NotFound):
        store.get_manifest("models/team-b", "v9")


def test_health_needs_no_login_and_tells_nothing(server):
    status, headers, body = ask(server, "", "GET", "/healthz")
    assert (status, body) == (200, b"ok\n")
    assert "Server" not in headers
    assert ask(server, "", "GET", "/v2/")[0] == 401
