"""Parts of the runner that need no process: what cells ask for, arguments, the message that fits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.errors import Corrupt, NotFound
from jupyter_mlops.runner.arguments import parse
from jupyter_mlops.runner.asks import asked_by
from jupyter_mlops.runner.failure import LIMIT, Failure, of_exception, shortened
from jupyter_mlops.runner.plan import Parameter, read_plan
from jupyter_mlops.runner.sources import binding_line, differs, naming_place, runnable, value_of


class Transformer:
    """What is asked of a shell here."""

    def __init__(self) -> None:
        self.user_ns: dict[str, Any] = {}

    def transform_cell(self, source: str) -> str:
        from IPython.core.inputtransformer2 import TransformerManager

        return str(TransformerManager().transform_cell(source))


EVERYTHING = {
    "print(x)": False, "eval('x')": True, "exec(code)": True, "globals()['x']": True, "vars()": True, "vars(o)": False, "dir(o)": False,
    "dir()": True, "%run other.py": True, "%who": True, "%whos": True, "%time y = x": False, "%%time\ny = x": False, "!ls {folder}": False,
    "%unknown_magic x": True, "%matplotlib inline": False, "%env A=1": False, "df.eval('a + b')": False, "import __main__": True,
    "if __name__ == '__main__':\n    main()": False, "sys.modules['__main__'].x": True, "get_ipython().user_ns['x']": True,
    "ip = get_ipython()": True, "%time eval('x')": True, "f.__globals__['x']": True, "%%bash\necho $x": False, "x = !ls": False,
    "inspect.currentframe().f_back": True, "x?": False, "%store x": True, "%reset -f": True, "from __main__ import x": True,
}  # fmt: skip


@pytest.mark.parametrize("source", EVERYTHING)
def test_code_that_can_reach_everything(source: str) -> None:
    assert asked_by([source], Transformer()).everything is EVERYTHING[source]


ASKED = {
    "!ls {folder} $name": {"folder", "name"},
    "%time y = clean(x)": {"clean", "x"},
    "%%capture out\nshow(x)": {"show", "x"},
    "x = !cat {path}": {"path"},
    "%%bash -s {arg}\necho": {"arg"},
    "await fetch(url)": {"fetch", "url"},
}


@pytest.mark.parametrize("source", ASKED)
def test_magics_ask_for_the_names_in_their_arguments(source: str) -> None:
    assert asked_by([source], Transformer()).mentions.loads >= ASKED[source]


def test_a_cell_that_does_not_parse_asks_for_nothing() -> None:
    assert asked_by(["x = ("], Transformer()).mentions.loads == frozenset()


GOOD = ["--registry", "file:///r", "--bundle", "runs/x@sha256:1", "--run", "r", "--step", "s", "--state", "", "--out", "/o"]


def test_arguments() -> None:
    found = parse([*GOOD, "--param", "lr=0.5", "--param", 'name="a=b"'])
    assert (found.registry, found.repository, found.run, found.step, found.state) == ("file:///r", "runs/x", "r", "s", "")
    assert found.out == Path("/o")
    assert found.parameters == {"lr": 0.5, "name": "a=b"}


@given(
    names=st.dictionaries(st.text(min_size=1, max_size=40), st.text(max_size=40), max_size=200),
    traceback=st.lists(st.text(max_size=300), max_size=60),
    message=st.text(max_size=3000),
)
def test_every_message_fits_and_is_json(names: dict[str, str], traceback: list[str], message: str) -> None:
    failure = Failure("step-failed", message, cell=3, line=4, step="s", error="E", traceback=traceback, names=names, fix="Do.")
    data = shortened(failure)
    assert len(data) <= LIMIT
    said = json.loads(data)
    assert (said["code"], said["cell"], said["line"], said["step"]) == ("step-failed", 3, 4, "s")
    if len(json.dumps(failure.to_json(), separators=(",", ":"))) <= LIMIT:
        assert said == failure.to_json()


DIFFERS: list[tuple[Any, Any, bool]] = [
    (1, 1, False), (1, 1.0, True), (1, True, True), ("a", "a", False), ([1], [1], False), ({"a": 1}, {"a": 2}, True), (None, 0, True),
]  # fmt: skip


@pytest.mark.parametrize(("value", "default", "expected"), DIFFERS)
def test_a_parameter_differs_by_value_and_type(value: Any, default: Any, expected: bool) -> None:
    assert differs(value, Parameter("p", "int", default, 0)) is expected


def test_a_float_may_be_given_as_a_whole_number() -> None:
    assert repr(value_of(2, Parameter("p", "float", 0.1, 0))) == "2.0"
    assert value_of(True, Parameter("p", "float", 0.1, 0)) is True
    assert value_of(2, Parameter("p", "int", 1, 0)) == 2


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("x = 1\ng = f()", 2),
        ("for g in xs: pass", 1),
        ("%magic\ng = 1", 2),
        ("(a,\n g) = f()", 2),
        ("print(1)", None),
        ("with open('f') as g: pass", 1),
    ],
)
def test_the_line_that_binds_a_name(source: str, line: int | None) -> None:
    assert binding_line(source, "g") == line


SAID = {0: "other = 'out/big.bin'", 2: "\n# %%step\nx = 1", 3: "open('out/big.bin')\nopen('small_big.bin')", 5: "p / 'rows.csv'"}


@pytest.mark.parametrize(
    ("cells", "name", "place"),
    [
        ((2, 3, 5), "out/big.bin", (3, 1)),
        ((2, 3, 5), "far/rows.csv", (5, 1)),  # its own name is enough
        ((2, 3, 5), "big.bin", (3, 1)),
        ((2, 3, 5), "mall_big.bin", (2, 2)),  # a part of a name is none: where the step starts
        ((2, 3, 5), "model.ckpt", (2, 2)),
        ((0, 2), "out/big.bin", (0, 1)),
        ((7,), "x", (7, 1)),
        ((), "x", (None, None)),
    ],
)
def test_where_a_step_names_a_file(cells: tuple[int, ...], name: str, place: tuple[int | None, int | None]) -> None:
    assert naming_place(SAID, cells, name) == place


def test_runnable_keeps_every_line() -> None:
    source = "\n%%step train --gpu 1\nx = 1\n"
    assert runnable(source).count("\n") == source.count("\n")
    assert "\n%%step" not in runnable(source)


@pytest.mark.parametrize("damage", ["missing", "no json", "no steps"])
def test_a_damaged_bundle_is_refused(damage: str, tmp_path: Path) -> None:
    plan = {"pipeline": "p", "notebook": "n", "steps": [{"name": "s", "cells": [0]}], "parameters": []}
    if damage == "no steps":
        del plan["steps"]
    if damage != "missing":
        (tmp_path / "plan.json").write_text("{" if damage == "no json" else json.dumps(plan))
        (tmp_path / "notebook.ipynb").write_text(json.dumps({"cells": []}))
    with pytest.raises(Corrupt):
        read_plan(tmp_path)


def test_an_unknown_step_is_named(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text(
        json.dumps({"pipeline": "p", "notebook": "n", "steps": [{"name": "s", "cells": [0]}], "parameters": []})
    )
    (tmp_path / "notebook.ipynb").write_text(
        json.dumps({"cells": [{"cell_type": "code", "source": ["a\n", "b"]}, {"cell_type": "markdown", "source": "x"}]})
    )
    plan = read_plan(tmp_path)
    assert plan.sources == {0: "a\nb"}
    with pytest.raises(NotFound, match="nope"):
        plan.step("nope")


@pytest.mark.parametrize(
    ("error", "environ", "parts"),
    [
        (ValueError("no"), {}, ["Correct the cell"]),
        (ModuleNotFoundError("No module named 'a.b'", name="a.b"), {}, ["pip install a", "a.py beside the notebook"]),
        (
            ModuleNotFoundError("No module named 'a'", name="a"),
            {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "MLOPS_IMAGE": "python:3.11"},
            ["image that has a", "`image` of the target", "it was python:3.11", "a.py"],
        ),
        (ModuleNotFoundError("No module named 'a'", name="a"), {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, ["of the step, or put"]),
        (ModuleNotFoundError("odd"), {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, ["Correct the cell"]),
        (ImportError("cannot import name 'x'", name="a"), {}, ["Correct the cell"]),
    ],
)
def test_the_fix_fits_the_place(
    error: Exception, environ: dict[str, str], parts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("KUBERNETES_SERVICE_HOST", "MLOPS_IMAGE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    fix = of_exception(error, "s", 0, {}, {}, "import a").fix
    for part in parts:
        assert part in fix
