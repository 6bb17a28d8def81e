from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.cluster import kubeconfig
from jupyter_mlops.cluster.kubeconfig import Context, contexts, find_access, in_cluster
from jupyter_mlops.errors import MlopsError, NotAllowed, NotFound, WrongUsage


def document(*names: str, current: str = "", **more: Any) -> dict[str, Any]:
    """A kubeconfig with a context of each name, each with its own cluster and user."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": current,
        "contexts": [{"name": n, "context": {"cluster": f"{n}-cluster", "user": f"{n}-user"}} for n in names],
        "clusters": [{"name": f"{n}-cluster", "cluster": {"server": f"https://{n}.example:6443/"}} for n in names],
        "users": [{"name": f"{n}-user", "user": {"token": f"{n}-secret"}} for n in names],
        **more,
    }


def written(folder: Path, *documents: Any) -> dict[str, str]:
    files = []
    for number, content in enumerate(documents):
        file = folder / f"config-{number}"
        file.write_text(content if isinstance(content, str) else json.dumps(content))
        file.chmod(0o600)
        files.append(str(file))
    return {"KUBECONFIG": os.pathsep.join(files), "HOME": str(folder)}


@pytest.fixture(autouse=True)
def no_pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a pod would have its service account; empty."""
    folder = tmp_path / "serviceaccount"
    monkeypatch.setattr(kubeconfig, "SERVICE_ACCOUNT", folder)
    return folder


@pytest.fixture
def pod(no_pod: Path) -> dict[str, str]:
    """The environment and files of a pod."""
    no_pod.mkdir()
    for name, text in (("token", "pod-secret"), ("ca.crt", "authority"), ("namespace", "team-a\n")):
        (no_pod / name).write_text(text)
    return {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443", "HOME": str(no_pod.parent)}


def test_every_context_is_listed_with_where_it_leads(tmp_path: Path) -> None:
    environ = written(tmp_path, document("a", "b", current="b"))
    assert contexts(environ) == (
        Context("a", "a-cluster", "https://a.example:6443", "default", "a-user", current=False),
        Context("b", "b-cluster", "https://b.example:6443", "default", "b-user", current=True),
    )


def test_of_several_files_the_first_that_says_something_wins(tmp_path: Path) -> None:
    second = document("a", "b", current="b")
    second["clusters"][0]["cluster"]["server"] = "https://other.example"
    environ = written(tmp_path, document("a"), "", second)
    environ["KUBECONFIG"] += os.pathsep + str(tmp_path / "nothing-there")
    assert [(c.name, c.server, c.current) for c in contexts(environ)] == [
        ("a", "https://a.example:6443", False),
        ("b", "https://b.example:6443", True),
    ]
    assert find_access(None, environ).context == "b"


def test_the_usual_file_is_in_the_home(tmp_path: Path) -> None:
    (tmp_path / ".kube").mkdir()
    (tmp_path / ".kube" / "config").write_text(json.dumps(document("home", current="home")))
    assert [c.name for c in contexts({"HOME": str(tmp_path)})] == ["home"]
    assert contexts({"HOME": str(tmp_path), "KUBECONFIG": str(tmp_path / "elsewhere")}) == ()


def test_files_are_named_from_where_they_are_named(tmp_path: Path) -> None:
    config = document("a", current="a")
    config["clusters"][0]["cluster"]["certificate-authority"] = "ca.crt"
    config["users"][0]["user"] = {"client-certificate": "../me.crt", "client-key": "/keys/me.key"}
    access = find_access("a", written(tmp_path, config))
    assert access.cluster["certificate-authority"] == str(tmp_path / "ca.crt")
    assert Path(access.user["client-certificate"]).resolve() == tmp_path.parent / "me.crt"
    assert access.user["client-key"] == "/keys/me.key"


def test_an_access_shows_no_secret(tmp_path: Path) -> None:
    access = find_access("a", written(tmp_path, document("a")))
    assert access.user["token"] == "a-secret"
    assert "a-secret" not in repr(access)


@pytest.mark.parametrize(
    ("asked", "there", "current", "message", "listed"),
    [
        ("prod", ["a", "b"], "a", "there is no context prod", "a, b"),
        ("", ["a", "b"], "", "no current context", "a, b"),
        (None, ["a"], "gone", "there is no context gone", "a"),
    ],
)
def test_a_wrong_context_is_told_with_those_that_exist(
    tmp_path: Path, asked: str | None, there: list[str], current: str, message: str, listed: str
) -> None:
    with pytest.raises(NotFound, match=message) as info:
        find_access(asked, written(tmp_path, document(*there, current=current)))
    assert info.value.code == "context-not-found"
    assert info.value.fix == f"Those there are: {listed}"


def test_many_contexts_are_not_all_listed(tmp_path: Path) -> None:
    with pytest.raises(NotFound) as info:
        find_access("x", written(tmp_path, document(*(f"c{n}" for n in range(50)))))
    assert info.value.fix.endswith("c19, …")


def test_no_cluster_at_all(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no Kubernetes cluster is configured") as info:
        find_access(None, {"HOME": str(tmp_path)})
    assert info.value.code == "no-cluster"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a: [", "is not YAML"),
        ("- 1", "is no kubeconfig"),
        ("contexts: {}\nusers: 3", "users in .* is not a list"),
        ("contexts: [{name: a, context: 3}]", "an entry without name or context"),
        ("contexts: [{context: {}}]", "an entry without name or context"),
        ("\xff\x00", "is not YAML|cannot be read"),
    ],
)
def test_a_kubeconfig_that_cannot_be_read(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(WrongUsage, match=message) as info:
        contexts(written(tmp_path, content))
    assert info.value.code == "kubeconfig-invalid"


def test_a_broken_kubeconfig_is_not_quoted(tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match="line 2") as info:
        contexts(written(tmp_path, "token: my-very-secret\n  bad: [my-very-secret\n"))
    assert "my-very-secret" not in str(info.value)
    assert info.value.__cause__ is None


@pytest.mark.parametrize("missing", ["clusters", "users"])
def test_a_context_that_leads_nowhere(tmp_path: Path, missing: str) -> None:
    environ = written(tmp_path, document("a", current="a", **{missing: []}))
    assert contexts(environ)[0].name == "a", "it is listed all the same"
    with pytest.raises(WrongUsage, match=f"names the {missing[:-1]}") as info:
        find_access("a", environ)
    assert info.value.code == "kubeconfig-invalid"


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
@pytest.mark.parametrize("login", ["exec", "auth-provider"])
def test_a_program_is_not_run_for_a_file_that_others_can_write(tmp_path: Path, mode: int, login: str) -> None:
    config = document("a", current="a")
    config["users"][0]["user"] = {login: {"command": "login", "apiVersion": "client.authentication.k8s.io/v1"}}
    environ = written(tmp_path, config)
    find_access("a", environ)
    Path(environ["KUBECONFIG"]).chmod(mode)
    with pytest.raises(NotAllowed, match="others than you can write") as info:
        find_access("a", environ)
    assert info.value.code == "kubeconfig-not-private"
    assert len(contexts(environ)) == 1, "listing runs nothing"


def test_a_token_may_stand_in_a_file_that_others_can_write(tmp_path: Path) -> None:
    environ = written(tmp_path, document("a", current="a"))
    Path(environ["KUBECONFIG"]).chmod(0o664)
    assert find_access(None, environ).context == "a"


def test_a_pod_is_found_by_its_files(pod: dict[str, str], no_pod: Path) -> None:
    access = find_access(None, pod)
    assert (access.context, access.namespace, access.server) == ("in-cluster", "team-a", "https://10.96.0.1:443")
    assert access.user == {"tokenFile": str(no_pod / "token")}
    assert contexts(pod)[-1] == Context(
        "in-cluster", "in-cluster", "https://10.96.0.1:443", "team-a", "service account of this pod", current=True
    )
    assert find_access("in-cluster", pod) == access


def test_a_pods_kubeconfig_comes_first(pod: dict[str, str], tmp_path: Path) -> None:
    environ = {**pod, **written(tmp_path, document("a", current="a"))}
    assert find_access(None, environ).context == "a"
    assert [(c.name, c.current) for c in contexts(environ)] == [("a", True), ("in-cluster", False)]
    assert find_access("in-cluster", environ).namespace == "team-a"


def test_a_kubeconfig_without_a_current_context_leaves_the_pod(pod: dict[str, str], tmp_path: Path) -> None:
    assert find_access(None, {**pod, **written(tmp_path, document("a"))}).context == "in-cluster"


@pytest.mark.parametrize("missing", ["token", "ca.crt"])
def test_a_pod_without_a_token_is_none(pod: dict[str, str], no_pod: Path, missing: str) -> None:
    (no_pod / missing).unlink()
    assert in_cluster(pod) is None


def test_a_pod_on_ipv6_and_without_a_namespace_file(pod: dict[str, str], no_pod: Path) -> None:
    (no_pod / "namespace").unlink()
    access = in_cluster({**pod, "KUBERNETES_SERVICE_HOST": "fd00::1"})
    assert access is not None
    assert (access.server, access.namespace) == ("https://[fd00::1]:443", "default")


def test_listing_and_connecting_load_neither_the_client_nor_its_connections(tmp_path: Path) -> None:
    environ = written(tmp_path, document("a", current="a"))
    program = (
        "import sys; from jupyter_mlops.cluster.client import connect, contexts\n"
        "assert len(contexts()) == 1\n"
        "assert 'urllib3' not in sys.modules\n"
        "connect()\n"
        "assert 'kubernetes' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], env={**os.environ, **environ}, check=True)


def test_errors_survive_being_shown(tmp_path: Path) -> None:
    with pytest.raises(MlopsError) as info:
        find_access("x", written(tmp_path, document("a")))
    assert info.value.to_dict()["fix"]
