"""What cells register is there in later steps, each case judged by one kernel; what holds for one step is told."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.session.attached import attached_names
from jupyter_mlops.session.carriers.base import Context
from jupyter_mlops.session.registered import REGISTRIES, Registered
from jupyter_mlops.session.session import load_state
from tests.unit.session.processes import Steps, in_fork, in_one_process, in_processes, warm
from tests.unit.session.registered_libraries import REGISTERED

warm()


@pytest.mark.parametrize("name", REGISTERED)
def test_what_a_cell_registered_is_there_in_later_steps(name: str) -> None:
    needs, cells = REGISTERED[name]
    for module in needs:
        if find_spec(module) is None:
            pytest.skip(f"{module} is not installed: what it keeps is not tried here")
    expected = in_one_process(cells)
    assert [cell.error for cell in expected] == [""] * len(cells)
    assert any(cell.printed or cell.shown for cell in expected[1:]), "the case shows nothing"
    assert in_processes(cells) == expected


TOLD = {
    "an exit function": ("import atexit\n@atexit.register\ndef bye(): pass", "`@atexit.register` (line 2 of its cell)"),
    "a handler of the signal that stops steps": (
        "import signal\n_ = signal.signal(signal.SIGINT, lambda *_: None)",
        "handler of SIGINT holds for its step alone",
    ),
    "a comm that waits": (
        "import comm\nc = comm.create_comm(target_name='x')\ndef got(message): pass\nc.on_msg(got)",
        "the comm to 'x' waits for messages of a page",
    ),
}
NOT_TOLD = {
    "a word in a remark": "n = 1  # atexit.register(bye)",
    "a comm that waits for nothing": "import comm\nc = comm.create_comm(target_name='x')",
    "python's own handler": "import signal\n_ = signal.signal(signal.SIGINT, signal.default_int_handler)",
}


@pytest.mark.parametrize("name", TOLD)
def test_what_holds_for_one_step_alone_is_told(name: str, tmp_path: Path) -> None:
    source, said = TOLD[name]
    steps = Steps(tmp_path)
    assert steps.run(source).error == ""
    assert [said in text for text in steps.warned] == [True]


@pytest.mark.parametrize("name", NOT_TOLD)
def test_nothing_is_told_of_what_is_the_same(name: str, tmp_path: Path) -> None:
    steps = Steps(tmp_path)
    assert steps.run(NOT_TOLD[name]).error == ""
    assert steps.warned == []


def test_an_opener_that_the_notebook_did_not_install_is_nobodys(tmp_path: Path) -> None:
    steps = Steps(tmp_path)
    steps.run("import urllib.request\nwith urllib.request.urlopen('data:,x') as stream: stream.read()")
    assert steps.done[0].error == ""
    again = steps.run("import urllib.request\nprint(urllib.request._opener)")
    assert again.printed == "None\n"
    assert steps.warned == []


def test_an_entry_that_cannot_travel_is_told(tmp_path: Path) -> None:
    steps = Steps(tmp_path)
    steps.run("import sqlite3, threading\nclass Pt: lock = threading.Lock()\nsqlite3.register_adapter(Pt, lambda p: 'pt')\ndel Pt")
    assert [("adapters" in text, "lock" in text) for text in steps.warned] == [(True, True)]


@pytest.mark.parametrize("name", REGISTRIES)
def test_of_a_library_that_is_only_loaded_nothing_is_taken(name: str, tmp_path: Path) -> None:
    if find_spec(REGISTRIES[name].module.partition(".")[0]) is None:
        pytest.skip(f"{REGISTRIES[name].module} is not installed: what it keeps is not tried here")

    def found() -> set[str]:
        __import__(REGISTRIES[name].module)
        return set(Registered(Context(tmp_path)).find())

    assert name not in in_fork(found)


def test_without_a_shell_nothing_of_the_notebook_is_found(tmp_path: Any) -> None:
    place = Registered(Context(tmp_path))
    assert place.find() == {}
    assert (place.module("adapters"), place.module("errors"), place.module("opener")) == ("sqlite3", "", "urllib.request")


def test_of_bokeh_and_pint_nothing_is_taken_that_nobody_touched(tmp_path: Path) -> None:
    for module in ("bokeh", "pint"):
        if find_spec(module) is None:
            pytest.skip(f"{module} is not installed: what it keeps is not tried here")
    steps = Steps(tmp_path)
    steps.run("import bokeh.plotting, pint\nq = pint.Quantity(1, 'm')")
    state = load_state(Layout(tmp_path / "registry"), "runs/steps", steps.state)
    assert attached_names(state.names) == set()
    assert not {name for name in state.carriers if "bokeh" in name}


PARTED = {
    "what a rule says of a tensor": (
        "",
        "from jupyter_mlops.session.scope import PARTED\nloss = [PARTED]; n = 1\ndel PARTED",
        "print(loss)",
        "[False]\n",
    ),
    "a loss": (
        "torch",
        "import torch\nw = torch.ones(2, requires_grad=True); loss = (w * 2).sum(); n = 1",
        "print(loss.item(), loss.grad_fn, loss.requires_grad)",
        "4.0 None False\n",
    ),
}


@pytest.mark.parametrize("name", PARTED)
def test_that_a_tensor_came_without_its_history_is_told_where_it_is_read(name: str, tmp_path: Path) -> None:
    module, made, read, printed = PARTED[name]
    if module and find_spec(module) is None:
        pytest.skip(f"{module} is not installed: its tensors are not tried here")
    steps = Steps(tmp_path)
    steps.run(made)
    steps.run("print(n)")
    assert steps.warned == []
    for _ in range(2):  # the step behind it reads what that one was told of
        assert steps.run(read).printed == printed
    assert [text.partition(":")[0] for text in steps.warned] == ["loss", "loss"]
    assert "grad_fn reads None" in steps.warned[0]


def test_a_tensor_that_wants_its_gradient_is_told_of_nothing(tmp_path: Path) -> None:
    if find_spec("torch") is None:
        pytest.skip("torch is not installed: its tensors are not tried here")
    steps = Steps(tmp_path)
    steps.run("import torch\nw = torch.ones(2, requires_grad=True); a = w.detach(); b = torch.nn.Linear(2, 2)")
    assert steps.run("print(w.requires_grad, a.requires_grad, b.weight.requires_grad)").printed == "True False True\n"
    assert steps.warned == []


def test_tensors_that_share_nothing_are_components_of_their_own(tmp_path: Path) -> None:
    """Each holds the one object that is its type, as every tensor of that type does; those over one memory stay together."""
    if find_spec("torch") is None:
        pytest.skip("torch is not installed: its tensors are not tried here")
    steps = Steps(tmp_path)
    steps.run(
        "import torch\na = torch.ones(2); b = torch.zeros(3); kind = torch.float32; view = a[:1]; net = torch.nn.Linear(1, 1)"
    )
    components = load_state(Layout(tmp_path / "registry"), "runs/steps", steps.state).components.values()
    assert {("a", "view"), ("b",), ("kind",), ("net",)} <= {tuple(sorted(each.names)) for each in components}
