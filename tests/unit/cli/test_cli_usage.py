"""Help, wrong usage and exit codes: what a person meets before anything runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import import_module
from keyword import iskeyword
from typing import Any

import pytest

from jupyter_mlops.cli import main
from jupyter_mlops.cli.command import COMMANDS

WRONG = [
    (["rum"], "there is no command 'rum'", "Did you mean run?"),
    (["zzz"], "there is no command 'zzz'", "The commands are convert"),
    (["runs", "--jsno"], "does not take --jsno", "Did you mean --json?"),
    (["run"], "required: NOTEBOOK.ipynb", "run --help"),
    (["run", "a.ipynb", "-p", "lr"], "-p takes NAME=VALUE, not 'lr'", "-p trees=50"),
    (["run", "a.ipynb", "-p", "=3"], "-p takes NAME=VALUE", "-p trees=50"),
    (["runs", "--limit", "many"], "invalid int value", "runs --help"),
    (["convert", "a.ipynb", "-o", "-", "--json"], "both want standard output", "-o workflow.yaml"),
    (["convert", "none.ipynb"], "no notebook at none.ipynb", "Check the path"),
    (["run", "none.ipynb"], "no notebook at none.ipynb", "Check the path"),
    (["models", "alias", "churn"], "models does not take", "models alias NAME TAG ALIAS"),
    (["models", "delete", "churn"], "delete takes NAME:TAG", "churn:v1"),
    (["models", "none"], "none", ""),
    (["services", "stop"], "services takes a name", "services stop churn"),
    (["services", "stop", "a", "b"], "services takes a name", "services stop churn"),
    (["services", "none"], "no service 'none'", "deploy"),
    (["runs", "none"], "no run 'none'", "runs"),
    (["logs", "none"], "no run 'none'", "runs"),
    (["stop", "none"], "no run 'none'", "runs"),
    (["delete", "none"], "no run 'none'", "runs"),
    (["deploy", "none"], "none", ""),
    (["deploy", "BAD NAME"], "BAD NAME", ""),
    (["predict", "none"], "no service 'none'", "deploy"),
    (["predict", "none", "--data", "missing.json"], "no file missing.json", "standard input"),
    (["registry"], "required", "registry --help"),
    (["registry", "serve", "--port", "99999"], "99999 is not a port", "65535"),
    (["doctor", "--only", "DZ99"], "there is no check DZ99", "DJ01"),
]
IDS = [" ".join(words) for words, _, _ in WRONG]


@pytest.fixture(autouse=True)
def _home(mlops_home: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(("words", "said", "fix"), WRONG, ids=IDS)
def test_wrong_usage_says_what_and_how_to_get_on(words: list[str], said: str, fix: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    shown = capsys.readouterr()
    assert shown.out == "" or "--json" in words
    assert shown.err.startswith("error: ")
    assert said in shown.err.splitlines()[0]
    assert fix in shown.err
    assert "Traceback" not in shown.err


@pytest.mark.parametrize(
    ("words", "said", "fix"), [case for case in WRONG if "--json" not in case[0]], ids=[i for i in IDS if "--json" not in i]
)
def test_wrong_usage_with_json_is_one_document(words: list[str], said: str, fix: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words, "--json"]) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert said in error["message"]
    assert fix in error["fix"]
    assert error["code"]
    assert error["blame"] == "user"


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help_with_examples(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    text = capsys.readouterr().out
    assert "examples:" in text
    assert f"jupyter mlops {command}" in text.partition("examples:")[2]
    assert "--json" in text
    assert "--home" in text


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"], ["help"]])
def test_the_overview_names_every_command(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 0
    text = capsys.readouterr().out
    assert all(f"\n  {command} " in text for command in COMMANDS)
    assert "exit codes: 0 done, 1" in text


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    import jupyter_mlops

    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == jupyter_mlops.__version__


@pytest.mark.parametrize(
    ("words", "document"), [(["runs"], {"runs": []}), (["models"], {"models": []}), (["services"], {"services": []})]
)
def test_empty_lists(words: list[str], document: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == document
    assert main(words) == 0
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "jupyter mlops" in shown.err or "log_model" in shown.err


def test_every_command_is_a_module_with_its_parts() -> None:
    for command in COMMANDS:
        module = import_module(f"jupyter_mlops.cli.{command}{'_' * iskeyword(command)}")
        assert callable(module.configure)
        assert callable(module.run)
        assert module.EXAMPLES


def test_a_bug_is_told_in_words_and_kept_in_a_file(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("jupyter_mlops.cli.runs.run", lambda *_: 1 // 0)
    assert main(["runs", "--json"]) == 1
    shown = capsys.readouterr()
    assert "Traceback" not in shown.err
    assert json.loads(shown.out)["error"]["code"] == "bug"
    [log] = tmp_path.glob("jupyter-mlops-*.log")
    assert "ZeroDivisionError" in log.read_text()


def test_an_interrupt_is_told_apart(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("jupyter_mlops.cli.runs.run", interrupted)
    assert main(["runs"]) == 130
    assert "Traceback" not in capsys.readouterr().err


def test_a_reader_that_goes_away_is_no_error(mlops: Callable[..., Any], environment: dict[str, str]) -> None:
    import subprocess
    import sys

    done = subprocess.run(
        f"{sys.executable} -m jupyter_mlops.cli --help | head -1",
        shell=True,
        capture_output=True,
        text=True,
        env=environment,
        check=True,
    )
    assert done.stdout.startswith("usage:")
    assert done.stderr == ""
