from __future__ import annotations

import gzip
import json
import logging
import os
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.cluster import session
from jupyter_mlops.cluster.base import CONFIG_MAPS, PODS, SERVICES, WORKFLOWS
from jupyter_mlops.cluster.client import connect
from jupyter_mlops.errors import MlopsError, NotAllowed, NotFound, PlatformError, Refused, Unavailable, WrongUsage
from tests.unit.cluster.answering import CUT, Asked, Reply, answering, in_turn, kubeconfig, status

POD = Reply(body={"kind": "Pod", "metadata": {"name": "p"}})
TOKEN = "secret-token-of-the-test"


def login(folder: Path, *tokens: str) -> dict[str, Any]:
    """A user whose plugin hands out these tokens in turn, the last one for ever; ``runs`` beside it counts."""
    file = folder / "plugin"
    cases = "".join(f"{number}) token={token};;\n" for number, token in enumerate(tokens, 1))
    file.write_text(
        f"""#!/bin/sh
echo run >> {folder}/runs
case $(wc -l < {folder}/runs | tr -d ' ') in
{cases}*) token={tokens[-1]};;
esac
echo '{{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {{"token": "'$token'"}}}}'
"""
    )
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": str(file), "interactiveMode": "Never"}}


def runs(folder: Path) -> int:
    return len((folder / "runs").read_text().splitlines())


def only(token: str) -> Any:
    """Answers to this token and refuses all others."""
    return lambda asked: (
        POD if asked.headers.get("authorization") == f"Bearer {token}" else status(401, "Unauthorized", "Unauthorized")
    )


def test_a_request_is_logged_in_and_says_who_asks(start: Any) -> None:
    cluster, server = start(lambda _: POD)
    assert cluster.get(PODS, "p")["metadata"]["name"] == "p"
    (asked,) = server.asked
    assert (asked.method, asked.path) == ("GET", "/api/v1/namespaces/ml/pods/p")
    assert asked.headers["authorization"] == f"Bearer {TOKEN}"
    assert asked.headers["user-agent"] == "jupyter-mlops"


def test_a_refused_token_is_renewed_once(start: Any, tmp_path: Path) -> None:
    cluster, server = start(only("good"), login(tmp_path, "bad", "good"))
    assert cluster.get(PODS, "p")
    assert (len(server.asked), runs(tmp_path)) == (2, 2)
    assert cluster.get(PODS, "p")
    assert (len(server.asked), runs(tmp_path)) == (3, 2), "the good one is kept"


def test_a_token_that_is_refused_again_is_an_error(start: Any, tmp_path: Path) -> None:
    cluster, server = start(only("good"), login(tmp_path, "bad", "worse", "good"))
    with pytest.raises(NotAllowed, match="does not know who you are: Unauthorized") as info:
        cluster.get(PODS, "p")
    assert (len(server.asked), runs(tmp_path)) == (2, 2), "exactly one more try"
    assert info.value.code == "cluster-login"
    assert "plugin" in info.value.fix


@pytest.mark.slow
def test_many_threads_log_in_once(start: Any, tmp_path: Path) -> None:
    cluster, _ = start(only("good"), login(tmp_path, "good"))
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(cluster.get(PODS, "p"))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 16
    assert runs(tmp_path) == 1


@pytest.mark.slow
def test_many_threads_whose_token_is_refused_log_in_once_more(start: Any, tmp_path: Path) -> None:
    cluster, _ = start(only("good"), login(tmp_path, "bad", "good"))
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(cluster.get(PODS, "p"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert runs(tmp_path) == 2


def test_a_login_written_meanwhile_counts(start: Any, tmp_path: Path) -> None:
    cluster, server = start(only("good"), {"token": "bad"})
    with pytest.raises(NotAllowed):
        cluster.get(PODS, "p")
    kubeconfig(tmp_path, server.url, {"token": "good"})
    assert cluster.get(PODS, "p")


def test_a_token_file_is_read_again_when_it_changes(start: Any, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first\n")
    cluster, server = start(lambda _: POD, {"tokenFile": str(file), "token": "older"})
    cluster.get(PODS, "p")
    (tmp_path / "next").write_text("second\n")
    (tmp_path / "next").replace(file)
    cluster.get(PODS, "p")
    assert [asked.headers["authorization"] for asked in server.asked] == ["Bearer first", "Bearer second"]


@pytest.mark.parametrize("content", [None, "", "\n"])
def test_a_token_file_without_a_token(start: Any, tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_text(content)
    cluster, _ = start(lambda _: POD, {"tokenFile": str(file)})
    with pytest.raises(NotAllowed, match="token file") as info:
        cluster.get(PODS, "p")
    assert info.value.code == "cluster-login"


def test_a_credential_is_replaced_shortly_before_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(session.time, "time", lambda: now)
    pool: Any = None
    lasting = session.Session(pool, dict, expires=now + 900, opened=now)
    short = session.Session(pool, dict, expires=now + 5, opened=now)
    assert not lasting.stale()
    assert not short.stale(), "one that lasts less than the margin is used for a second at least"
    now += 2
    assert short.stale()
    assert not lasting.stale()
    now += 880
    assert lasting.stale()
    assert not session.Session(pool, dict).stale()


def test_impersonation_is_kept(start: Any) -> None:
    cluster, server = start(lambda _: POD, {"token": "t", "as": "somebody", "as-groups": ["team"], "as-uid": "1"})
    cluster.get(PODS, "p")
    headers = server.asked[0].headers
    assert (headers["impersonate-user"], headers["impersonate-group"], headers["impersonate-uid"]) == ("somebody", "team", "1")


def test_name_and_password(start: Any) -> None:
    cluster, server = start(lambda _: POD, {"username": "u", "password": "p"})
    cluster.get(PODS, "p")
    assert server.asked[0].headers["authorization"] == "Basic dTpw"


def test_a_busy_server_is_waited_for_as_long_as_it_asks(start: Any, pauses: list[float]) -> None:
    busy = status(429, "TooManyRequests", "too many requests")
    busy.headers = {"Retry-After": "3"}
    cluster, server = start(in_turn(busy, status(429, "TooManyRequests", "too many"), POD))
    cluster.create(PODS, {"metadata": {"name": "p"}})
    assert pauses == [3.0, 0.4]
    assert [asked.method for asked in server.asked] == ["POST"] * 4


def test_a_busy_server_is_not_waited_for_without_end(start: Any, pauses: list[float]) -> None:
    busy = status(429, "TooManyRequests", "too many requests")
    cluster, server = start(lambda _: busy)
    with pytest.raises(Unavailable, match="is busy: too many requests") as info:
        cluster.get(PODS, "p")
    assert info.value.code == "cluster-busy"
    assert len(server.asked) == 4
    busy.headers = {"Retry-After": "60"}
    pauses.clear()
    with pytest.raises(Unavailable):
        cluster.get(PODS, "p")
    assert pauses == []


@pytest.mark.parametrize("code", [500, 502, 503, 504])
def test_a_failing_server_is_asked_again_only_for_what_changes_nothing(start: Any, pauses: list[float], code: int) -> None:
    cluster, server = start(in_turn(status(code, "InternalError", "etcdserver: request timed out"), POD))
    assert cluster.get(PODS, "p")
    assert len(server.asked) == 2
    cluster, server = start(in_turn(POD, status(code, "InternalError", "etcdserver: request timed out"), POD))
    with pytest.raises(Unavailable, match="etcdserver: request timed out") as info:
        cluster.create(PODS, {"metadata": {"name": "p"}})
    assert info.value.code == "cluster-failing"
    assert len(server.asked) == 2, "the trial, and one that may have been done"


def test_a_kept_connection_that_ended_is_opened_anew(start: Any) -> None:
    cut = Reply(body=CUT)
    cluster, server = start(in_turn(POD, cut, POD))
    cluster.get(PODS, "p")
    assert cluster.get(PODS, "p")
    assert len(server.asked) == 3


def test_what_may_have_been_done_is_not_sent_twice(start: Any) -> None:
    cluster, server = start(in_turn(POD, Reply(body=CUT), POD))
    with pytest.raises(Unavailable, match="without an answer") as info:
        cluster.create(PODS, {"metadata": {"name": "p"}})
    assert info.value.code == "cluster-unreachable"
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("reply", "kind", "code", "message"),
    [
        (
            Reply(body=b"<html><head><title>Sign in</title>", headers={"Content-Type": "text/html"}),
            PlatformError,
            "not-kubernetes",
            "Sign in",
        ),
        (
            Reply(status=403, body=b"<HTML><body>no</body>", headers={"Content-Type": "text/html"}),
            PlatformError,
            "not-kubernetes",
            "a web page",
        ),
        (Reply(body=b'{"kind": "Pod", "meta'), PlatformError, "not-kubernetes", "something else than JSON"),
        (Reply(body=b"[]"), PlatformError, "not-kubernetes", "something else than JSON"),
        (Reply(body=b""), PlatformError, "not-kubernetes", "something else than JSON"),
        (Reply(status=302, headers={"Location": "https://login"}), PlatformError, "not-kubernetes", "something else"),
        (Reply(status=502, body=b"<html><title>Bad Gateway</title>"), Unavailable, "cluster-failing", "Bad Gateway"),
        (Reply(status=503, body=b"no backend"), Unavailable, "cluster-failing", "no backend"),
        (Reply(status=401, body=b"who are you"), NotAllowed, "cluster-login", "who are you"),
        (Reply(status=413, body=b"too large"), Refused, "document-too-large", "too large"),
        (Reply(status=404, body=b"404 page not found\n"), NotFound, "no-such-kind", "pods"),
        (Reply(status=418, body=b"teapot"), Unavailable, "cluster-failing", "HTTP 418"),
    ],
)
def test_what_stands_between_is_told(
    start: Any, pauses: list[float], reply: Reply, kind: type[MlopsError], code: str, message: str
) -> None:
    cluster, _ = start(lambda _: reply)
    with pytest.raises(kind, match=message) as info:
        cluster.get(PODS, "p")
    assert info.value.code == code
    assert info.value.fix


def test_an_answer_cut_short(start: Any) -> None:
    cluster, _ = start(lambda _: Reply(body=iter([b'{"kind": ', CUT])))
    with pytest.raises(Unavailable) as info:
        cluster.get(PODS, "p")
    assert info.value.code == "cluster-unreachable"


def test_compressed_answers_are_read(start: Any) -> None:
    body = gzip.compress(json.dumps({"kind": "Pod", "metadata": {"name": "z"}}).encode())
    cluster, server = start(lambda _: Reply(body=body, headers={"Content-Encoding": "gzip"}))
    assert cluster.get(PODS, "z")["metadata"]["name"] == "z"
    assert server.asked[0].headers["accept-encoding"] == "gzip"


def test_every_create_and_apply_is_tried_first_and_strictly(start: Any) -> None:
    cluster, server = start(lambda _: POD)
    cluster.create(WORKFLOWS, {"metadata": {"generateName": "w-"}})
    cluster.apply(CONFIG_MAPS, {"metadata": {"name": "c", "managedFields": [1]}})
    strict = "fieldValidation=Strict&fieldManager=jupyter-mlops"
    base = "/apis/argoproj.io/v1alpha1/namespaces/ml/workflows"
    assert [(asked.method, asked.path) for asked in server.asked] == [
        ("POST", f"{base}?{strict}&dryRun=All"),
        ("POST", f"{base}?{strict}"),
        ("PATCH", f"/api/v1/namespaces/ml/configmaps/c?{strict}&force=true&dryRun=All"),
        ("PATCH", f"/api/v1/namespaces/ml/configmaps/c?{strict}&force=true"),
    ]
    assert server.asked[0].json == {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"generateName": "w-"}}
    assert server.asked[2].headers["content-type"] == "application/apply-patch+yaml"
    assert server.asked[2].json["metadata"] == {"name": "c"}


def test_what_fails_its_trial_is_not_sent(start: Any) -> None:
    unknown = 'Pod in version "v1" cannot be handled as a Pod: strict decoding error: unknown field "spec.contaners"'
    cluster, server = start(lambda _: status(400, "BadRequest", unknown))
    with pytest.raises(Refused, match="unknown field"):
        cluster.create(PODS, {"metadata": {"name": "p"}})
    assert [asked.method for asked in server.asked] == ["POST", "GET"], "the trial, and the schema for a suggestion"


def test_a_webhook_that_takes_no_trial(start: Any) -> None:
    no_trial = status(400, "BadRequest", 'admission webhook "w.example" does not support dry run')
    cluster, server = start(in_turn(no_trial, POD))
    assert cluster.create(PODS, {"metadata": {"name": "p"}})
    assert "dryRun" not in server.asked[1].path
    cluster, server = start(in_turn(no_trial, POD))
    with pytest.raises(WrongUsage) as info:
        cluster.create(PODS, {"metadata": {"name": "p"}}, dry_run=True)
    assert info.value.code == "no-dry-run"
    assert len(server.asked) == 1


def test_the_namespace_that_is_meant(start: Any) -> None:
    cluster, server = start(lambda _: Reply(body={"items": None}))
    cluster.list(PODS)
    cluster.list(PODS, "other")
    cluster.list(PODS, "")
    cluster.create(PODS, {"metadata": {"name": "p", "namespace": "own"}}, dry_run=True)
    assert [asked.path.split("?")[0] for asked in server.asked] == [
        "/api/v1/namespaces/ml/pods",
        "/api/v1/namespaces/other/pods",
        "/api/v1/pods",
        "/api/v1/namespaces/own/pods",
    ]


def test_a_list_that_grows_too_old_is_read_again(start: Any) -> None:
    page = Reply(body={"metadata": {"resourceVersion": "5", "continue": "more"}, "items": [{"metadata": {"name": "a"}}]})
    last = Reply(body={"metadata": {"resourceVersion": "6"}, "items": [{"metadata": {"name": "a"}}, {"metadata": {"name": "b"}}]})
    cluster, _ = start(in_turn(page, status(410, "Expired", "The provided continue parameter is too old"), last))
    found = cluster.list(PODS)
    assert [item["metadata"]["name"] for item in found.items] == ["a", "b"]
    assert found.version == "6"
    assert found.items[0]["kind"] == "Pod"


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a%2fb"])
def test_a_name_does_not_lead_elsewhere(start: Any, name: str) -> None:
    cluster, server = start(lambda _: POD)
    if name:
        with pytest.raises(WrongUsage):
            cluster.get(PODS, name)
    with pytest.raises(WrongUsage):
        cluster.proxy(name, 80, "GET", "/")
    assert server.asked == []


def test_a_service_answers_for_itself(start: Any) -> None:
    def answer(asked: Asked) -> Reply:
        return Reply(422, b'{"error": "shape"}', {"Content-Type": "application/json", "X-Own": "1"})

    cluster, server = start(answer)
    reply = cluster.proxy(
        "iris", 80, "POST", "/v2/models/iris/infer?x=1", body=b"\x00\xff", headers={"Content-Type": "application/x"}
    )
    assert (reply.status, reply.body, reply.headers["x-own"]) == (422, b'{"error": "shape"}', "1")
    (asked,) = server.asked
    assert asked.path == "/api/v1/namespaces/ml/services/iris:80/proxy/v2/models/iris/infer?x=1"
    assert (asked.headers["content-length"], asked.body, asked.headers["content-type"]) == ("2", b"\x00\xff", "application/x")
    assert "transfer-encoding" not in asked.headers


@pytest.mark.parametrize("code", [401, 404, 429, 503])
def test_an_error_of_the_service_is_its_own_and_sent_once(start: Any, pauses: list[float], code: int) -> None:
    cluster, server = start(lambda _: Reply(code, b"own words"))
    assert cluster.proxy("iris", 80, "GET", "/").status == code
    assert len(server.asked) == 1


def test_an_empty_body_has_a_length(start: Any) -> None:
    cluster, server = start(lambda _: Reply(body=b"ok"))
    cluster.proxy("iris", 80, "POST", "/x")
    assert server.asked[0].headers["content-length"] == "0"


@pytest.mark.parametrize(
    ("reply", "kind", "message"),
    [
        (status(404, "NotFound", 'services "iris" not found', name="iris", kind="services"), NotFound, 'services "iris" not found'),
        (status(503, "ServiceUnavailable", 'no endpoints available for service "iris"'), Unavailable, "no endpoints available"),
        (status(503, "ServiceUnavailable", "error trying to reach service: EOF"), Unavailable, "error trying to reach service"),
        (
            status(
                403,
                "Forbidden",
                'services "iris" is forbidden: User "u" cannot get resource "services/proxy" in API group "" in the namespace "ml"',
            ),
            NotAllowed,
            "services/proxy",
        ),
    ],
)
def test_an_error_of_the_api_server_is_told(
    start: Any, pauses: list[float], reply: Reply, kind: type[MlopsError], message: str
) -> None:
    cluster, _ = start(lambda _: reply)
    with pytest.raises(kind, match=message):
        cluster.proxy("iris", 80, "GET", "/")


def test_a_slow_service_is_not_waited_for_longer_than_allowed(start: Any) -> None:
    release = threading.Event()

    def answer(_: Asked) -> Reply:
        release.wait(30)
        return Reply()

    cluster, _ = start(answer)
    with pytest.raises(Unavailable, match="did not answer in time"):
        cluster.proxy("iris", 80, "POST", "/", timeout=0.2)
    release.set()


def test_headers_of_the_caller_do_not_replace_the_login(start: Any) -> None:
    cluster, server = start(lambda _: Reply())
    cluster.proxy("iris", 80, "GET", "/", headers={"Authorization": "Bearer other", "Host": "elsewhere", "X-Y": "z"})
    headers = server.asked[0].headers
    assert (headers["authorization"], headers["x-y"]) == (f"Bearer {TOKEN}", "z")
    assert headers["host"].startswith("127.0.0.1")


def test_no_token_is_shown_anywhere(start: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    cluster, _ = start(lambda asked: status(401, "Unauthorized", f"token {asked.headers['authorization']} has expired"))
    with pytest.raises(NotAllowed) as info:
        cluster.get(SERVICES, "s")
    wire = cluster._wire
    shown = [repr(cluster), repr(wire), repr(wire._session), str(info.value), json.dumps(info.value.to_dict()), caplog.text]
    assert TOKEN not in " ".join(shown)


def test_a_proxy_is_used_as_the_client_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    with answering(lambda _: POD) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        environ = kubeconfig(tmp_path, "http://cluster.invalid")
        assert connect(environ=environ).get(PODS, "p")
        assert proxy.asked[0].path == "http://cluster.invalid/api/v1/namespaces/ml/pods/p"
        monkeypatch.setenv("NO_PROXY", "cluster.invalid")
        monkeypatch.setenv("no_proxy", "cluster.invalid")
        with pytest.raises(Unavailable, match="its name is not known"):
            connect(environ=environ).get(PODS, "p")
        assert len(proxy.asked) == 1


def test_a_proxy_named_by_the_kubeconfig(tmp_path: Path) -> None:
    with answering(lambda _: POD) as proxy:
        environ = kubeconfig(tmp_path, "http://cluster.invalid", cluster={"proxy-url": proxy.url})
        assert connect(environ=environ).get(PODS, "p")
        assert len(proxy.asked) == 1
