"""What %mlops takes, and that a wrong word is an error of ours and never the end of the kernel."""

from __future__ import annotations

import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.errors import WrongUsage
from jupyter_mlops.kernel.arguments import HelpAsked, assignments, build, options, parse
from jupyter_mlops.kernel.commands import COMMANDS


def test_every_command_has_a_parser_and_every_parser_a_command():
    assert set(build()[1]) == set(COMMANDS) == {
        "convert", "preflight", "check", "run", "runs", "logs", "models", "deploy", "predict", "services", "stop", "targets", "use",
    }  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_is_carried_out_with_an_example(name, flag):
    with pytest.raises(HelpAsked) as asked:
        parse(f"{name} {flag}")
    assert f"usage: %mlops {name}" in asked.value.text
    example = asked.value.text.partition("example: %mlops ")[2].strip()
    assert parse(example).command == name


@pytest.mark.parametrize("line", ["", "--help", "-h"])
def test_help_of_all(line):
    with pytest.raises(HelpAsked) as asked:
        parse(line)
    assert all(re.search(rf"^    {name}\s", asked.value.text, re.MULTILINE) for name in COMMANDS)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("convert", {"notebook": None, "output": None}),
        ("convert a.ipynb -o w.yaml", {"notebook": "a.ipynb", "output": "w.yaml"}),
        ("run 'my book.ipynb' -p a=1 -p b=x", {"notebook": "my book.ipynb", "parameter": ["a=1", "b=x"], "detach": False}),
        ("run --detach", {"detach": True, "widget": False}),
        ("runs churn-1 --delete", {"run": "churn-1", "delete": True}),
        ("logs --step train --tail 5", {"run": None, "step": "train", "tail": 5}),
        ("deploy churn:v2 --port 8080", {"model": "churn:v2", "port": 8080}),
        ("predict churn", {"service": "churn", "data": None}),
        ("predict churn --into answer --data X.head(2)", {"data": "X.head(2)", "into": "answer"}),
        ("""predict churn --data X[X["age"] > 3]""", {"data": 'X[X["age"] > 3]'}),
        ("predict churn --data [{'a': 'it is'}]", {"data": "[{'a': 'it is'}]"}),
        ("stop churn --delete", {"name": "churn", "delete": True}),
    ],
)
def test_lines(line, expected):
    found = vars(parse(line))
    assert {key: found[key] for key in expected} == expected
    assert found["command"] == line.split()[0]


@pytest.mark.parametrize(
    ("line", "message", "fix"),
    [
        ("rnu", "no command 'rnu'", "%mlops run?"),
        ("xyzzy", "no command 'xyzzy'", "convert, preflight, check, run"),
        ("run --paramter a=1", "%mlops run: unrecognized arguments", "%mlops run --help"),
        ("run a b", "unrecognized arguments: b", "--help"),
        ("run --detach --widget", "not allowed with", "--help"),
        ("deploy", "required: MODEL", "%mlops deploy --help"),
        ("deploy m --port 99999", "from 1 to 65535", "--help"),
        ("deploy m --port x", "invalid", "--help"),
        ("logs --tail 0", "must be 1 or more", "--help"),
        ("run 'open", "No closing quotation", "quotation mark"),
    ],
)
def test_wrong_lines(line, message, fix):
    with pytest.raises(WrongUsage) as caught:
        parse(line)
    assert message in caught.value.message
    assert fix in caught.value.fix
    assert caught.value.exit_code == 2


@given(st.text(max_size=60))
def test_no_line_ends_the_kernel(line):
    with suppress(WrongUsage, HelpAsked):
        assert parse(line).command in COMMANDS


@pytest.mark.parametrize(("pair", "text"), [("n=3", "3"), ("s=", ""), ('s="3"', '"3"'), ("s=a=b", "a=b"), ("l=[1, 2]", "[1, 2]")])
def test_assignments_stay_text(pair, text):
    assert list(assignments([pair]).values()) == [text]


@pytest.mark.parametrize("pair", ["n", "=3", "a b=3", "1=2", ""])
def test_wrong_assignments(pair):
    with pytest.raises(WrongUsage, match="not NAME=VALUE"):
        assignments([pair])


def test_options_for_completion():
    assert "--detach" in options("run")
    assert options("nothing") == ()
