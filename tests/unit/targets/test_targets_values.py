"""Every setting of a target, right and wrong."""

from __future__ import annotations

import pytest

from jupyter_mlops.errors import WrongUsage
from jupyter_mlops.targets.creator import creator
from jupyter_mlops.targets.values import assignment, check_key, check_value


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("registry", "https://registry.example.com", "https://registry.example.com"),
        ("registry", "registry.example.com:5000/team/ml/", "https://registry.example.com:5000/team/ml"),
        ("registry", " http://10.0.0.1:5000 ", "http://10.0.0.1:5000"),
        ("registry_here", "http://[::1]:5000", "http://[::1]:5000"),
        ("registry", "", ""),
        ("namespace", "team-a", "team-a"),
        ("image", "10.0.0.1:5000/python:3.11@sha256:ab", "10.0.0.1:5000/python:3.11@sha256:ab"),
        ("service_account", "my.account-1", "my.account-1"),
        ("mirrors", "", {}),
        ("mirrors", "docker.io/=m/", {"docker.io/": "m/"}),
        ("mirrors", "a/=b/, c/ = d/\ne/=f/", {"a/": "b/", "c/": "d/", "e/": "f/"}),
        ("mirrors", '{"a/": "b/"}', {"a/": "b/"}),
        ("mirrors", {"a/": "b/"}, {"a/": "b/"}),
    ],
)
def test_good(key, text, value):
    assert check_value(key, text) == value


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("registry", "ftp://x"),
        ("registry", "https://"),
        ("registry", "https://host:port"),
        ("registry", "https://host:0"),
        ("registry", "https://host/UPPER"),
        ("registry", "https://host/a?b=c"),
        ("registry", "file:///tmp/x"),
        ("registry_here", 3),
        ("namespace", "Team"),
        ("namespace", "-a"),
        ("namespace", "a" * 64),
        ("image", "a b"),
        ("image", None),
        ("pull_secret", "My Secret"),
        ("queue", "a/b"),
        ("mirrors", "docker.io"),
        ("mirrors", "{broken"),
        ("mirrors", "=x"),
        ("mirrors", "a b=c"),
    ],
)
def test_bad(key, value):
    with pytest.raises(WrongUsage) as caught:
        check_value(key, value)
    assert caught.value.code == "invalid-setting"
    assert caught.value.where.field == key
    assert caught.value.fix


def test_a_password_in_an_address_is_refused_and_not_repeated():
    with pytest.raises(WrongUsage) as caught:
        check_value("registry", "https://me:s3cret@registry.example.com")
    assert "s3cret" not in f"{caught.value} {caught.value.fix}"
    assert "docker login" in caught.value.fix


@pytest.mark.parametrize(("asked", "near"), [("imgae", "image"), ("service-acount", "service_account"), ("Registry", "registry")])
def test_an_unknown_setting_names_the_nearest(asked, near):
    with pytest.raises(WrongUsage) as caught:
        check_key(asked)
    assert caught.value.fix.startswith(f"Did you mean {near}?")


def test_assignments():
    assert assignment("pull-secret=a=b") == ("pull_secret", "a=b")
    assert assignment("image=") == ("image", "")
    with pytest.raises(WrongUsage, match="not KEY=VALUE"):
        assignment("image")


@pytest.mark.parametrize(
    ("environ", "label"),
    [
        ({"JUPYTERHUB_USER": "ada@example.com"}, "ada-example.com"),
        ({"NB_USER": "jovyan"}, "jovyan"),
        ({"JUPYTERHUB_USER": "é" * 80}, ""),
        ({"JUPYTERHUB_USER": "-a" * 40}, ("a" + "-a" * 40)[:62].strip("-")),
    ],
)
def test_who_submits_as_a_label(environ, label):
    found = creator(environ)
    assert found == label
    assert len(found) <= 63
