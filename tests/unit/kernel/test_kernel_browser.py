"""Preflight as the browser asks for it, of a real kernel: answered as JSON, and nothing of the session is changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from jupyter_mlops.errors import PlatformError
from jupyter_mlops.kernel.browser import Answer, answer, report
from jupyter_mlops.kernel.preflight import LARGE, Crossing, Preflight, joined

PATIENCE = 60.0

STEPS = [{"name": "load", "cells": [0, 1]}, {"name": "train", "cells": [2]}, {"name": "test", "cells": [3]}]
LINKS = [
    {"from": 0, "to": 2, "names": ["raw", "token"], "kind": "data"},
    {"from": 1, "to": 3, "names": ["gen", "f"], "kind": "data"},
    {"from": 2, "to": 3, "names": ["later"], "kind": "data"},
    {"from": 0, "to": 1, "names": ["inside"], "kind": "data"},
    {"from": 0, "to": 2, "names": ["file.csv"], "kind": "file"},
]
CODE = """
raw = [1, 2, 3]
same = raw
token = "hunter2-and-nobody-else"
gen = (x for x in raw)
def f(x):
    return raw
"""


def question(notebook: str = "nb.ipynb") -> str:
    return json.dumps({"steps": STEPS, "links": LINKS, "notebook": notebook})


def expression(notebook: str = "nb.ipynb") -> str:
    """As the browser writes it: a JSON text is a text in Python too."""
    return f"__import__('jupyter_mlops.kernel.browser', fromlist=['_']).answer({json.dumps(question(notebook))})"


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel(kernel_name="python3", startup_timeout=PATIENCE)
    try:
        yield client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def ask(client: Any, code: str, **expressions: str) -> Any:
    """The reply to an execution that leaves no trace."""
    said: list[Any] = []
    reply = client.execute_interactive(
        code, silent=not code, store_history=bool(code), user_expressions=expressions, timeout=PATIENCE, output_hook=said.append
    )
    assert reply["content"]["status"] == "ok", reply
    assert code or [one for one in said if one["msg_type"] != "status"] == []
    return reply["content"]


@pytest.mark.slow
def test_a_live_kernel_answers_and_stays_as_it_is(client: Any) -> None:
    ask(client, CODE)
    names = {"names": "sorted(globals())", "count": "get_ipython().execution_count"}
    before = ask(client, "", **names)["user_expressions"]
    found = ask(client, "", mlops=expression("näme \u2028\\'\".ipynb"))["user_expressions"]["mlops"]
    assert found["status"] == "ok", found
    told = found["data"]["application/json"]
    by_names = {tuple(one["names"]): one for one in told["crossings"]}
    assert ("gen",) in by_names
    assert by_names["gen",]["reason"] == "a generator runs in one process only"
    assert by_names["gen",]["join"] == ["load", "test"]
    assert "cannot be stored" in by_names["gen",]["warning"]
    assert by_names["token",] | {"size": 0} == {
        "names": ["token"], "types": ["str"], "size": 0, "made": ["load"], "needed": ["train"],
        "reason": "", "warning": "", "fix": "", "join": None,
    }  # fmt: skip
    assert told["absent"] == ["later"]
    assert "inside" not in str(told)
    assert "hunter2" not in json.dumps(found), "names and sizes travel, values never"
    assert ask(client, "", **names)["user_expressions"] == before
    assert ask(client, "", drawn="next(gen)")["user_expressions"]["drawn"]["data"]["text/plain"] == "1"


def test_without_ipython_it_is_said() -> None:
    with pytest.raises(PlatformError, match="none"):
        answer(question())


def test_an_answer_shows_nothing_but_its_document() -> None:
    shown = Answer({"a": 1})
    assert (repr(shown), shown._repr_mimebundle_()["application/json"]) == ("", {"a": 1})


@pytest.mark.parametrize(
    ("size", "needed", "reason", "fix"),
    [
        (LARGE, ("b",), "", "Or make less of raw in a."),
        (LARGE, ("b", "c"), "", "Make less of raw in a (columns, types, a sample), or delete it with del after its last use"),
        (0, ("b",), "why", ""),
        (5, ("b",), "", ""),
    ],
)
def test_what_the_panel_says_besides_its_button(size: int, needed: tuple[str, ...], reason: str, fix: str) -> None:
    found = Preflight((Crossing(("raw",), ("DataFrame",), size, ("a",), needed, reason),), ())
    (told,) = report(found, "nb.ipynb")["crossings"]
    assert told["fix"] == fix
    assert bool(told["warning"]) is (size >= LARGE or bool(reason))


@pytest.mark.parametrize(
    ("size", "made", "needed", "reason", "steps"),
    [
        (5, ("a",), ("b",), "", None),
        (LARGE, ("a", "b"), ("c",), "", ("b", "c")),
        (LARGE, ("a",), ("b", "c"), "", None),
        (0, ("a", "b"), ("c", "d"), "why", ("a", "d")),
    ],
)
def test_which_steps_made_one_keep_it_from_crossing(
    size: int, made: tuple[str, ...], needed: tuple[str, ...], reason: str, steps: tuple[str, str] | None
) -> None:
    assert joined(Crossing(("x",), ("int",), size, made, needed, reason)) == steps
