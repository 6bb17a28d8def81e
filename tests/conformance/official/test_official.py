"""The gate: the specification's own program finds nothing wrong with our server, and nothing missing."""

import shutil
import subprocess

import pytest

from jupyter_mlops.testing.embedded import embedded_registry
from tests.conformance.official import program
from tests.conformance.official.program import APIS, DATA, VERSIONS, Report, build, examine, missing, others, row

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """The program."""
    if reason := missing():
        pytest.skip(f"NOT RUN: {reason}: the conformance of our registry with the specification is NOT tested on this machine")
    return build(tmp_path_factory.mktemp("conformance"))


@pytest.mark.parametrize("token", [None, "a-token"])
@pytest.mark.parametrize("version", VERSIONS)
def test_every_line_passes(built, tmp_path, version, token):
    with embedded_registry(tmp_path / "registry", token) as address:
        host = address.partition("//")[2]
        report = examine(built, host, version, tmp_path / "results", user="mlops" if token else "", password=token or "")
    said = {**report.apis, **report.data}
    assert {line: said.get(line) for line in APIS | DATA} == dict.fromkeys(APIS | DATA, "Pass"), report.output
    assert set(said) == APIS | DATA | {"Sparse Manifests"}, "lines that this list does not know"
    assert (report.failed, report.skipped) == (0, 0), report.output
    assert report.passed > 800, "the program lost tests"


def test_it_sees_what_is_missing(built, tmp_path):
    """Against a registry that is known not to offer all, the very same reading finds failures and skips by name."""
    if shutil.which("docker-registry") is None:
        pytest.skip("NOT RUN: docker-registry is not installed, beside which our own result would stand")
    with others(tmp_path) as hosts:
        report = examine(built, hosts["docker-registry"], "1.1", tmp_path / "results")
    assert report.apis["Blob get"] == "FAIL", "it keeps sha256 alone"
    assert report.apis["Tag delete"] == "Skip"
    assert report.failed
    assert report.skipped
    assert "Tag delete (Skip)" in row("docker-registry", "1.1", report)


def test_a_run_that_did_not_happen_is_no_success(built, tmp_path):
    """The program exits with 0 although it never ran: a report that is not there is an error."""
    wrong = {"OCI_VERSION": "9.9"}
    done = subprocess.run([built], cwd=tmp_path, env=wrong, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0
    with pytest.raises(FileNotFoundError):
        examine(built, "127.0.0.1:1", "9.9", tmp_path / "results")


def test_a_row_names_what_did_not_pass():
    report = Report(7, 1, 2, {"Ping": "Pass", "Referrers": "FAIL"}, {"Image": "Skip", "Sparse Manifests": "Disabled"}, "")
    assert row("x", "1.1", report) == "| x | 1.1 | 7 | 1 | 2 | Referrers (FAIL), Image (Skip) |"


@pytest.mark.parametrize(
    ("said", "reason"), [("go1.26.8", ""), ("go1.21", ""), ("go1.19.8", "too old"), ("devel", "too old"), ("", "too old")]
)
def test_which_go_is_new_enough(monkeypatch, said, reason):
    answer = subprocess.CompletedProcess([], 0, stdout=said)
    monkeypatch.setattr(program.shutil, "which", lambda _: "/go")
    monkeypatch.setattr(program.subprocess, "run", lambda *_, **__: answer)
    assert reason in missing()
    assert bool(missing()) is bool(reason)
    monkeypatch.setattr(program.shutil, "which", lambda _: None)
    assert "not on PATH" in missing()
