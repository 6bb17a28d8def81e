"""Which Python serves a model, what it is given, and which registry is trusted."""

import json
import os
import sys

import pytest

from jupyter_mlops.errors import NotAllowed, WrongUsage
from jupyter_mlops.serving.local.interpreter import Interpreter, environment, interpreter_of
from jupyter_mlops.serving.local.trust import check_registry, checked_reference


@pytest.fixture
def kernels(tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))

    def install(name, spec):
        folder = tmp_path / "kernels" / name
        folder.mkdir(parents=True)
        (folder / "kernel.json").write_text(spec if isinstance(spec, str) else json.dumps(spec))

    return install


LAUNCH = ["-m", "ipykernel_launcher", "-f", "{connection_file}"]


@pytest.mark.parametrize(
    ("argv", "command"),
    [
        ([sys.executable, *LAUNCH], (sys.executable,)),
        (["python", *LAUNCH], (sys.executable,)),
        (["python3", *LAUNCH], (sys.executable,)),
        ([sys.executable, "-X", "utf8", *LAUNCH], (sys.executable, "-X", "utf8")),
        (["/usr/bin/env", "A=1", sys.executable, *LAUNCH], ("/usr/bin/env", "A=1", sys.executable)),
        ([sys.executable, "-m", "own_kernel"], (sys.executable,)),
    ],
)
def test_the_command_of_a_kernel_is_its_python(kernels, argv, command):
    kernels("mine", {"argv": argv, "env": {"FROM_SPEC": "1"}})
    found = interpreter_of({"kernel": "mine"})
    assert (found.command, found.env, found.remark) == (command, {"FROM_SPEC": "1"}, "")
    assert interpreter_of({"kernel": "Mine"}).command == command


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"argv": ["/usr/bin/R", "--slave"]}, "kernel 'mine' does not start Python"),
        ({"argv": []}, "does not start Python"),
        ({}, "does not start Python"),
        ({"argv": ["/gone/bin/python", *LAUNCH]}, "the Python of kernel 'mine' (/gone/bin/python) is gone"),
        ("{", "kernel 'mine' is not installed"),
        ("[]", "does not start Python"),
    ],
)
def test_another_python_serves_and_says_why(kernels, spec, said):
    kernels("mine", spec)
    found = interpreter_of({"kernel": "mine"})
    assert found.command == (sys.executable,)
    assert said in found.remark
    assert sys.executable in found.remark


def test_no_kernel_and_the_default_one_need_no_remark(kernels):
    assert interpreter_of({}) == Interpreter((sys.executable,))
    assert interpreter_of({"kernel": "python3"}).remark == ""
    assert "'other' is not installed" in interpreter_of({"kernel": "other"}).remark


def test_a_server_is_given_little_and_nothing_secret(tmp_path, monkeypatch):
    for name in ("JUPYTER_TOKEN", "JUPYTERHUB_API_TOKEN", "AWS_SECRET_ACCESS_KEY", "HF_TOKEN", "MY_PASSWORD"):
        monkeypatch.setenv(name, "canary")
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    monkeypatch.setenv("PYTHONPATH", "/from/the/shell")
    interpreter = Interpreter((sys.executable,), {"FROM_SPEC": "1", "PYTHONPATH": "/from/the/kernel"})
    env = environment(interpreter, tmp_path, {"FROM_DOCUMENT": "2"})
    assert "canary" not in env.values()
    assert (env["OMP_NUM_THREADS"], env["FROM_SPEC"], env["FROM_DOCUMENT"], env["PATH"]) == ("2", "1", "2", os.environ["PATH"])
    assert env["PYTHONPATH"] == f"{tmp_path}:/from/the/kernel"


# -- trust -----------------------------------------------------------------------------------------------------------------

DIGEST = f"sha256:{'a' * 64}"


def document(uri, reference=None):
    annotations = {} if reference is None else {"jupyter-mlops.github.io/model-ref": reference}
    return {"metadata": {"annotations": annotations}, "spec": {"predictor": {"model": {"storageUri": uri}}}}


def test_a_digest_of_the_embedded_registry_is_taken():
    uri = f"oci+fetch://jupyter-mlops.local/models/churn@{DIGEST}"
    assert checked_reference(document(uri)) == f"churn@{DIGEST}"
    assert checked_reference(document(uri, f"models/churn@{DIGEST}")) == f"churn@{DIGEST}"


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (document(f"oci+fetch://ghcr.io/models/churn@{DIGEST}"), NotAllowed),
        (document("https://example.org/model.pkl"), NotAllowed),
        (document(""), NotAllowed),
        ({"spec": {}}, NotAllowed),
        (document("oci+fetch://jupyter-mlops.local/models/churn:latest"), WrongUsage),
        (document(f"oci+fetch://jupyter-mlops.local/models/churn@{DIGEST}", f"models/other@{DIGEST}"), WrongUsage),
        (document(f"oci+fetch://jupyter-mlops.local/models/churn@{DIGEST}", f"models/churn@sha256:{'b' * 64}"), WrongUsage),
    ],
)
def test_nothing_else_is(given, error):
    with pytest.raises(error) as caught:
        checked_reference(given)
    assert caught.value.fix


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o757])
def test_a_registry_that_others_may_write_to_is_refused(tmp_path, mode):
    tmp_path.chmod(0o755)
    check_registry(tmp_path.as_uri())
    tmp_path.chmod(mode)
    with pytest.raises(NotAllowed, match="others can write") as caught:
        check_registry(tmp_path.as_uri())
    assert "chmod go-w" in caught.value.fix


def test_a_registry_elsewhere_is_refused():
    with pytest.raises(NotAllowed):
        check_registry("https://ghcr.io")
