"""``jupyter mlops registry``: keeping the folder in order, copies, logins and tokens, as a person or a script calls it."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import urllib.request
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.cli.logins import Place, place_of
from jupyter_mlops.errors import WrongUsage
from jupyter_mlops.oci.artifact import push_artifact
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.registry.users import Users
from jupyter_mlops.testing.embedded import embedded_registry

KIND = "application/vnd.example.v1+json"
REQUEST = "openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=127.0.0.1"


@pytest.fixture
def layout(mlops_home: Path) -> Layout:
    """Two repositories that share a layer."""
    layout = Layout(mlops_home / "registry")
    for name in ("models/a", "models/b"):
        layer = layout.put_blob(name, b"x" * 5000, KIND)
        push_artifact(layout, name, KIND, {"name": name}, [layer], tags=["v1"])
    return layout


def test_usage(mlops: Callable[..., Any], layout: Layout) -> None:
    told = mlops("registry", "usage", "--json").json
    assert [each["repository"] for each in told["repositories"]] == ["models/a", "models/b"]
    assert all(each["bytes"] > 5000 > each["own"] for each in told["repositories"])
    assert 5000 < told["bytes"] < 10_000, "what is shared counts once"
    shown = mlops("registry", "usage")
    assert shown.code == 0
    assert "models/a" in shown.out
    assert str(layout.root) in shown.err


def test_gc_says_and_frees_the_same(mlops: Callable[..., Any], layout: Layout) -> None:
    layout.delete("models/a", "v1")
    would = mlops("registry", "gc", "--dry-run", "--json").json
    assert (would["manifests"], would["blobs"], would["dry_run"]) == (1, 3, True)
    assert layout.index("models/a").entries
    assert "would free" in mlops("registry", "gc", "models/a", "--dry-run").out
    done = mlops("registry", "gc", "--json").json
    assert {**done, "dry_run": True} == would
    assert Layout(layout.root).repositories() == ["models/b"]
    assert mlops("registry", "gc").out == "freed 0 B: 0 manifests, 0 blobs\n"


def test_fsck_exits_with_1_until_all_is_mended(mlops: Callable[..., Any], layout: Layout) -> None:
    assert mlops("registry", "fsck").out == "nothing is wrong\n"
    layer = layout.get_manifest("models/a", "v1").document["layers"][0]["digest"]
    layout.blob_path("models/a", layer).unlink()
    found = mlops("registry", "fsck", "--json")
    assert (found.code, found.json["left"], found.json["damages"][0]["subject"]) == (1, 1, layer)
    told = mlops("registry", "fsck", "models/a")
    assert told.code == 1
    assert "--repair" in told.err
    assert mlops("registry", "fsck", "--repair").code == 0
    assert mlops("registry", "fsck").out == "nothing is wrong\n"


@pytest.mark.slow
def test_copies_to_a_server_and_back(mlops: Callable[..., Any], layout: Layout, tmp_path: Path) -> None:
    digest = layout.get_manifest("models/a", "v1").descriptor.digest
    with embedded_registry(tmp_path / "other") as address:
        done = mlops("registry", "copy", "models/a:v1", f"{address}/team/a", "--json")
        assert (done.json["manifests"], done.json["blobs"]) == (1, 2), done.err
        assert mlops("registry", "copy", f"{address}/team/a:v1", "models/back:v7").code == 0
        assert mlops("registry", "copy", f"{address}/team/a@{digest}", f"{address}/team/b:new").code == 0
        assert mlops("registry", "copy", "models/none:v1", f"{address}/x").code == 2
    other = Layout(tmp_path / "other")
    assert other.get_manifest("team/a", "v1").descriptor.digest == digest
    assert other.get_manifest("team/b", "new").descriptor.digest == digest
    assert layout.get_manifest("models/back", "v7").descriptor.digest == digest


def test_a_copy_of_the_other_algorithm_keeps_its_name(mlops: Callable[..., Any], layout: Layout, tmp_path: Path) -> None:
    layer = layout.put_blob("models/long", b"{}", KIND, "sha512")
    entry = {"mediaType": KIND, "digest": layer.digest, "size": 2}
    document = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": entry, "layers": [entry]}
    made = layout.put_manifest_bytes("models/long", json.dumps(document).encode(), tags=["v1"], algorithm="sha512")
    assert mlops("registry", "copy", "models/long:v1", "models/again").code == 0
    assert layout.get_manifest("models/again", "v1").descriptor.digest == made.descriptor.digest
    with embedded_registry(tmp_path / "other") as address:
        refused = mlops("registry", "copy", "models/long:v1", f"{address}/long", "--json")
        assert refused.json["error"]["code"] == "unsupported-digest"
        assert not Layout(tmp_path / "other").tags("long")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("models/a", Place("", "models/a", "")),
        ("models/a:v1", Place("", "models/a", "v1")),
        ("https://h.example/ml/a:v1", Place("https://h.example", "ml/a", "v1")),
        ("http://127.0.0.1:5000/a@sha256:" + 64 * "0", Place("http://127.0.0.1:5000", "a", "sha256:" + 64 * "0")),
        ("h.example/ml/a:v1", None),
        ("https://h.example", None),
        ("https://u:p@h.example/a:v1", None),
        ("../a:v1", None),
        ("a:", None),
        ("a@sha256:1", None),
    ],
)
def test_where_something_is(text: str, place: Place | None) -> None:
    if place is not None or text == "h.example/ml/a:v1":
        assert place_of(text) == (place or Place("", "h.example/ml/a", "v1")), "a name without a scheme is of this machine"
    else:
        with pytest.raises(WrongUsage):
            place_of(text)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["copy", "models/a", "b"], "which version"),
        (["copy", "models/a:v1", "b@sha256:" + 64 * "0"], "not given a digest"),
        (["gc", "--dry"], "--dry"),
        (["gc", "nothing"], "no repository nothing"),
        (["fsck", "nothing"], "no repository nothing"),
        (["serve", "--no-auth", "--users", "f"], "contradict"),
        (["serve", "--tls-cert", "f"], "its key"),
        (["serve", "--host", "0.0.0.0", "--no-auth"], "open to everybody"),
        (["serve", "--port", "70000"], "not a port"),
        (["serve", "--users", "absent"], "cannot read"),
        (["login", "h.example", "--username", "x"], "nobody to ask"),
        (["logout", "h.example"], "no login"),
        (["token", "a:b", "--users", "f"], "not a name"),
        (["token", "a", "--users", "f", "--write", "a//b"], "no pattern"),
        (["token", "a", "--users", "f", "--write", "a", "--read-only"], "do not go together"),
        (["nonsense"], "nonsense"),
        ([], "VERB"),
    ],
)
def test_what_is_refused(
    mlops: Callable[..., Any], environment: dict[str, str], tmp_path: Path, layout: Layout, words: list[str], said: str
) -> None:
    environment["DOCKER_CONFIG"] = str(tmp_path)
    done = mlops("registry", *words)
    assert done.code in {1, 2}, layout
    assert said in done.err
    assert "fix:" in done.err


@pytest.mark.slow
def test_a_team_s_registry(mlops: Callable[..., Any], environment: dict[str, str], layout: Layout, tmp_path: Path) -> None:
    """Tokens are made, the server asks for them, and a login is kept for the next command."""
    environment["DOCKER_CONFIG"] = str(tmp_path / "docker")
    environment.pop("REGISTRY_AUTH_FILE", None)
    environment["XDG_CONFIG_HOME"] = str(tmp_path / "xdg")
    token = mlops("registry", "token", "anna", "--users", "users").out.strip()
    reader = mlops("registry", "token", "ci", "--users", "users", "--read-only", "--json").json
    assert (reader["user"], reader["write"]) == ("ci", False)
    assert token not in (tmp_path / "users").read_text()
    assert Users(tmp_path / "users").who("anna", token)
    command = [sys.executable, "-m", "jupyter_mlops.cli", "registry", "serve", "--json", "--users", str(tmp_path / "users")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            url = json.loads(process.stdout.readline())["url"]
            assert mlops("registry", "copy", "models/a:v1", f"{url}/copied").code != 0
            assert mlops("registry", "login", url, "--username", "anna", "--password-stdin", stdin="wrong\n").code == 2
            done = mlops("registry", "login", url, "--username", "ci", "--password-stdin", stdin=f"{reader['token']}\n")
            assert (done.code, reader["token"] in done.out + done.err) == (0, False)
            denied = mlops("registry", "copy", "models/a:v1", f"{url}/copied")
            assert (denied.code, "may only read" in denied.err) == (2, True)
            assert mlops("registry", "login", url, "--username", "anna", "--password-stdin", stdin=f"{token}\n").code == 0
            assert mlops("registry", "copy", "models/a:v1", f"{url}/copied").code == 0
            assert mlops("registry", "logout", url).code == 0
        finally:
            process.terminate()
    assert layout.tags("copied") == ["v1"]


def test_https(mlops: Callable[..., Any], environment: dict[str, str], layout: Layout, tmp_path: Path) -> None:
    made = subprocess.run(
        [*REQUEST.split(), "-addext", "subjectAltName=IP:127.0.0.1"],
        cwd=tmp_path, capture_output=True, check=False,
    )  # fmt: skip
    if made.returncode:
        pytest.skip("NOT RUN: openssl made no certificate: `serve --tls-cert` is NOT tested on this machine")
    files = ["--tls-cert", str(tmp_path / "cert.pem"), "--tls-key", str(tmp_path / "key.pem")]
    command = [sys.executable, "-m", "jupyter_mlops.cli", "registry", "serve", "--json", *files]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            told = json.loads(process.stdout.readline())
            login = b64encode(f"{told['user']}:{told['token']}".encode()).decode()
            asked = urllib.request.Request(f"{told['url']}/v2/models/a/tags/list", headers={"Authorization": f"Basic {login}"})
            opener = urllib.request.build_opener(
                urllib.request.ProxyHandler({}),
                urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=tmp_path / "cert.pem")),
            )
            with opener.open(asked, timeout=20) as answer:
                assert json.load(answer)["tags"] == layout.tags("models/a")
        finally:
            process.terminate()
