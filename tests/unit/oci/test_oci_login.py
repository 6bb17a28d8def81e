"""Logins: found where people and clusters keep them, given to nobody else, never shown, and renewed once."""

import base64
import json
import stat
import threading
import time

import pytest

from jupyter_mlops.errors import MlopsError, NotAllowed, Unavailable
from jupyter_mlops.oci.connection import Connections
from jupyter_mlops.oci.credentials import Credential, credential_for
from jupyter_mlops.oci.digest import digest_of
from jupyter_mlops.oci.login import Login
from jupyter_mlops.oci.names import OCI_LAYER
from jupyter_mlops.oci.remote import Remote

SECRET = "hush-hush-4711"
BASIC = base64.b64encode(f"me:{SECRET}".encode()).decode()


@pytest.fixture
def environ(tmp_path, monkeypatch):
    """Nothing of the person who runs the tests; the same for this process."""
    found = {"HOME": str(tmp_path / "home"), "PATH": str(tmp_path / "bin") + ":/usr/bin:/bin"}
    for name in ("DOCKER_CONFIG", "REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in found.items():
        monkeypatch.setenv(name, value)
    return found


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr("jupyter_mlops.oci.http.time.sleep", lambda _: None)


def write(path, document):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(document if isinstance(document, str) else json.dumps(document))


def auths(**entries):
    return {"auths": {host: {"auth": base64.b64encode(f"u:{value}".encode()).decode()} for host, value in entries.items()}}


def password(credential):
    return base64.b64decode(credential.basic).decode().partition(":")[2]


# -- where logins are ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("REGISTRY_AUTH_FILE", "named.json"), ("DOCKER_CONFIG", "docker/config.json")),
        (("DOCKER_CONFIG", "docker/config.json"), ("XDG_RUNTIME_DIR", "run/containers/auth.json")),
        (("XDG_RUNTIME_DIR", "run/containers/auth.json"), ("XDG_CONFIG_HOME", "config/containers/auth.json")),
        (("XDG_CONFIG_HOME", "config/containers/auth.json"), ("HOME", "home/.docker/config.json")),
    ],
)
def test_the_special_file_before_the_general_one(environ, tmp_path, first, second):
    def use(variable, place):
        folder = {"REGISTRY_AUTH_FILE": place, "HOME": "home"}.get(variable, place.partition("/")[0])
        environ[variable] = str(tmp_path / folder)

    write(tmp_path / second[1], auths(reg="second", only="second"))
    use(*second)
    assert password(credential_for("reg", "", environ)) == "second"
    write(tmp_path / first[1], auths(reg="first"))
    use(*first)
    assert password(credential_for("reg", "", environ)) == "first"
    if first[0] != "DOCKER_CONFIG" or second[0] != "HOME":
        assert password(credential_for("only", "", environ)) == "second", "a file that does not know the host is passed over"


def test_docker_config_stands_in_the_place_of_the_home(environ, tmp_path):
    write(tmp_path / "home" / ".docker" / "config.json", auths(reg="home"))
    assert credential_for("reg", "", environ)
    assert not credential_for("reg", "", {**environ, "DOCKER_CONFIG": str(tmp_path / "empty")})


@pytest.mark.parametrize(
    ("host", "repository", "expected"),
    [
        ("reg:5000", "", "host"),
        ("reg:5000", "other/x", "host"),
        ("reg:5000", "org/x", "org"),
        ("reg:5000", "org/team/x", "team"),
        ("reg:5000", "organisation/x", "host"),
        ("registry-1.docker.io", "library/x", "hub"),
        ("docker.io", "", "hub"),
        ("slash", "", "slash"),
        ("v2", "", "v2"),
        ("elsewhere", "org/x", None),
    ],
)
def test_the_longest_name_counts(environ, tmp_path, host, repository, expected):
    entries = {
        "reg:5000": "host",
        "reg:5000/org": "org",
        "https://reg:5000/org/team": "team",
        "https://index.docker.io/v1/": "hub",
        "http://slash/": "slash",
        "https://v2/v2/": "v2",
    }
    write(tmp_path / "home" / ".docker" / "config.json", auths(**entries))
    found = credential_for(host, repository, environ)
    assert (password(found) if found else None) == expected


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"auths": 3}', "{}", '{"auths": {"reg": {"auth": "not base64!"}}}', '{"auths": {"reg": {"auth": 3}}}']
)
def test_a_strange_file_is_none(environ, tmp_path, text):
    write(tmp_path / "home" / ".docker" / "config.json", text)
    assert not credential_for("reg", "", environ)


def test_tokens_of_a_file(environ, tmp_path):
    entries = {"a": {"auth": BASIC, "identitytoken": "refresh"}, "b": {"registrytoken": "bearer"}}
    write(tmp_path / "home" / ".docker" / "config.json", {"auths": entries})
    assert credential_for("a", "", environ).refresh == "refresh"
    assert credential_for("b", "", environ).bearer == "bearer"


# -- programs --------------------------------------------------------------------------------------------------------------


def program(tmp_path, name, script):
    path = tmp_path / "bin" / f"docker-credential-{name}"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def answer(user, secret):
    return (
        f'read host; test "$1" = get || exit 9; echo \'{{"ServerURL": "\'$host\'", "Username": "{user}", "Secret": "{secret}"}}\''
    )


@pytest.mark.parametrize(
    "config", [{"credsStore": "good"}, {"credHelpers": {"reg": "good"}, "credsStore": "bad", **auths(reg="file")}]
)
def test_a_program_is_asked(environ, tmp_path, config):
    program(tmp_path, "good", answer("me", SECRET))
    program(tmp_path, "bad", "exit 1")
    write(tmp_path / "home" / ".docker" / "config.json", config)
    found = credential_for("reg", "", environ)
    assert (found.basic, found.source) == (BASIC, "docker-credential-good")


def test_an_identity_token_of_a_program(environ, tmp_path):
    program(tmp_path, "good", answer("<token>", SECRET))
    write(tmp_path / "home" / ".docker" / "config.json", {"credsStore": "good"})
    assert credential_for("reg", "", environ).refresh == SECRET


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        (None, "docker-credential-x is not on PATH"),
        (f"echo {SECRET}; echo {SECRET} >&2; exit 3", "docker-credential-x failed with exit status 3"),
        (f"echo {SECRET}", "docker-credential-x did not answer with a login"),
        ('echo "{\\"Username\\": \\"u\\"}"', "docker-credential-x did not answer with a login"),
        ("exec sleep 30", "docker-credential-x did not answer within"),
        ("echo credentials not found in native keychain; exit 1", ""),
    ],
)
def test_a_program_that_fails_is_named_and_what_it_wrote_is_not(environ, tmp_path, monkeypatch, script, problem):
    monkeypatch.setattr("jupyter_mlops.oci.credentials.HELPER_TIMEOUT", 0.5)
    if script:
        program(tmp_path, "x", script)
    write(tmp_path / "home" / ".docker" / "config.json", {"credsStore": "x"})
    found = credential_for("reg", "", environ)
    assert not found
    assert found.problem.startswith(problem)
    assert bool(found.problem) == bool(problem)
    assert SECRET not in found.problem


def test_a_program_s_name_is_no_path(environ, tmp_path):
    program(tmp_path, "good", answer("me", SECRET))
    write(tmp_path / "home" / ".docker" / "config.json", {"credsStore": "../bin/docker-credential-good"})
    assert not credential_for("reg", "", environ)


def test_no_secret_is_shown():
    shown = repr(Credential(basic=BASIC, refresh=SECRET, bearer=SECRET, source="file"))
    assert SECRET not in shown
    assert BASIC not in shown


# -- tokens ----------------------------------------------------------------------------------------------------------------


class Service:
    """A registry with a token service; ``rights`` of a login, and how long its tokens last."""

    def __init__(self, rights="pull,push", lasts=300, basic=f"Basic {BASIC}"):
        self.rights, self.lasts, self.basic = rights, lasts, basic
        self.asked, self.tokens, self.fail = [], {}, 0

    def __call__(self, method, path, headers, body):
        if path.startswith("/token"):
            return self.token(method, path, headers, body)
        need = "pull" if method in {"GET", "HEAD"} else "push"
        scopes = self.tokens.get(headers.get("Authorization", "").removeprefix("Bearer "))
        repository = "/".join(path.split("/")[2:4])
        if scopes is None or need not in scopes.get(repository, ""):
            scope = f"repository:{repository}:{'pull' if need == 'pull' else 'pull,push'}"
            why = ',error="insufficient_scope"' if scopes is not None else ""
            challenge = f'Bearer realm="http://{headers["Host"]}/token",service="reg",scope="{scope}"{why}'
            return 401, {"WWW-Authenticate": challenge}, b'{"errors":[{"code":"UNAUTHORIZED","message":"who are you"}]}'
        if method == "POST":
            return 202, {"Location": path + "up"}, b""
        return (404 if method == "HEAD" else 201 if method == "PUT" else 200), {}, b"data"

    def token(self, method, path, headers, body):
        self.asked.append((method, path, body.decode()))
        if self.fail:
            self.fail -= 1
            return 503, {}, b""
        refreshed = method == "POST" and f"refresh_token={SECRET}" in body.decode()
        if not refreshed and headers.get("Authorization") != self.basic:
            return 401, {}, b"no"
        from urllib.parse import parse_qs, urlsplit

        fields = parse_qs(body.decode() if method == "POST" else urlsplit(path).query)
        token = f"t{len(self.asked)}"
        self.tokens[token] = {}
        for scope in " ".join(fields["scope"]).split():
            _, repository, actions = scope.split(":")
            self.tokens[token][repository] = ",".join(action for action in actions.split(",") if action in self.rights)
        return 200, {}, json.dumps({"access_token" if refreshed else "token": token, "expires_in": self.lasts}).encode()


@pytest.fixture
def logged_in(environ, tmp_path):
    def log_in(server, **entry):
        write(tmp_path / "home" / ".docker" / "config.json", {"auths": {server.host: entry or {"auth": BASIC}}})
        return Remote(f"http://{server.host}/org")

    return log_in


def test_a_token_for_reading_and_one_for_writing_and_no_more(logged_in, scripted_server):
    service = Service()
    store = logged_in(scripted_server(service))
    for number in range(5):
        with store.open_blob("a", digest_of(b"data")) as stream:
            assert stream.read() == b"data"
        store.put_blob("a", bytes([number]), OCI_LAYER)
    assert len(service.asked) == 2
    assert "scope=repository%3Aorg%2Fa%3Apull%2Cpush" in service.asked[1][1]


@pytest.mark.parametrize("user", ["org+robot", "robot$project+name", "$oauthtoken"])
def test_names_of_robots_reach_the_token_service_as_they_are(logged_in, scripted_server, user):
    encoded = base64.b64encode(f"{user}:{SECRET}".encode()).decode()
    service = Service(basic=f"Basic {encoded}")
    logged_in(scripted_server(service), username=user, password=SECRET).put_blob("a", b"1", OCI_LAYER)
    assert service.tokens
    assert all(user not in path for _, path, _ in service.asked), "in the header alone"


def test_a_token_that_has_ended_is_not_used(logged_in, scripted_server, monkeypatch):
    service = Service(lasts=100)
    server = scripted_server(service)
    store = logged_in(server)
    store.put_blob("a", b"1", OCI_LAYER)
    before, refused = len(service.asked), [path for _, path, auth in server.asked if auth and "token" not in path]
    later = time.monotonic() + 95
    monkeypatch.setattr("jupyter_mlops.oci.login.time.monotonic", lambda: later)
    store.put_blob("a", b"2", OCI_LAYER)
    assert len(service.asked) > before
    assert refused


def test_a_token_that_the_registry_forgot_is_renewed_once(logged_in, scripted_server):
    service = Service()
    store = logged_in(scripted_server(service))
    store.put_blob("a", b"1", OCI_LAYER)
    service.tokens.clear()
    store.put_blob("a", b"2", OCI_LAYER)
    assert len(service.asked) == 4


@pytest.mark.slow
def test_threads_share_a_token(logged_in, scripted_server):
    service = Service()
    store = logged_in(scripted_server(service))
    threads = [threading.Thread(target=store.put_blob, args=("a", bytes([number]), OCI_LAYER)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(service.asked) <= 2


def test_an_identity_token_is_exchanged(logged_in, scripted_server):
    service = Service()
    store = logged_in(scripted_server(service), auth=BASIC, identitytoken=SECRET)
    store.put_blob("a", b"1", OCI_LAYER)
    method, path, body = service.asked[0]
    assert (method, path) == ("POST", "/token")
    assert "grant_type=refresh_token" in body
    assert "service=reg" in body
    assert SECRET not in path


@pytest.mark.parametrize(
    ("service", "entry", "code", "said"),
    [
        (Service(rights="pull"), {"auth": BASIC}, "registry-forbidden", "the right to push to org/a"),
        (Service(), {"auth": base64.b64encode(b"me:wrong").decode()}, "registry-login", "gives no token"),
        (Service(basic=None), {"username": ""}, "registry-login", ""),
    ],
)
def test_what_is_missing_is_said_and_no_secret(logged_in, scripted_server, service, entry, code, said):
    store = logged_in(scripted_server(service), **entry)
    if service.basic is None:
        service.rights = ""
    with pytest.raises(NotAllowed) as refused:
        store.put_blob("a", b"1", OCI_LAYER)
    if code == "registry-forbidden" or service.basic:
        assert refused.value.code == code
    assert said in str(refused.value)
    assert "docker login" in refused.value.fix
    for text in (str(refused.value), repr(refused.value), refused.value.fix):
        assert SECRET not in text
        assert BASIC not in text


def test_a_token_service_that_stumbles_and_one_that_is_away(logged_in, scripted_server):
    service = Service()
    service.fail = 2
    store = logged_in(scripted_server(service))
    store.put_blob("a", b"1", OCI_LAYER)
    service.fail = 100
    with pytest.raises(Unavailable, match="token service"):
        store.put_blob("b", b"1", OCI_LAYER)


@pytest.mark.parametrize("said", [b"", b"[]", b"{}", b'{"token": 3}', b'{"token": "a\\r\\nX: y"}', b"<html>"])
def test_a_token_service_that_answers_nonsense(logged_in, scripted_server, said):
    def answer(method, path, headers, body):
        if path.startswith("/token"):
            return 200, {}, said
        return 401, {"WWW-Authenticate": f'Bearer realm="http://{headers["Host"]}/token"'}, b""

    with pytest.raises(MlopsError) as refused:
        logged_in(scripted_server(answer)).tags("a")
    assert refused.value.code == "registry-login"


def test_a_password_is_not_sent_without_tls_by_a_registry_that_has_it(environ, tmp_path, scripted_server):
    asked = []
    server = scripted_server(lambda *given: asked.append(given) or (200, {}, b"{}"))
    write(tmp_path / "home" / ".docker" / "config.json", {"auths": {"reg.example": {"auth": BASIC}}})
    login = Login("https://reg.example", Connections())
    assert not login.renew("repository:a", f'Bearer realm="http://{server.host}/token"', None, write=False)
    assert asked == []
    assert "without TLS" in login.why


def test_the_program_that_failed_is_named_with_the_refusal(environ, tmp_path, scripted_server):
    server = scripted_server(lambda *_: (401, {"WWW-Authenticate": 'Basic realm="x"'}, b""))
    write(tmp_path / "home" / ".docker" / "config.json", {"credsStore": "desktop"})
    with pytest.raises(NotAllowed, match="docker-credential-desktop is not on PATH"):
        Remote(f"http://{server.host}").tags("a")
