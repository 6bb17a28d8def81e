"""%%step in a kernel: the cell as if the line were not there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.errors import WrongUsage
from jupyter_mlops.kernel.step_cell import USAGE, blank_step_line, check
from jupyter_mlops.notebook.magic import FLAGS

BODY = st.lists(st.sampled_from(["x = 1\n", "\n", "print(x)\n", "    y\n", "# %%step no\n", "!ls\n", "%time x\n"]), max_size=6)


@given(BODY)
def test_every_line_keeps_its_number(body):
    assert blank_step_line(["%%step train --gpu 1\n", *body]) == ["\n", *body]


@pytest.mark.parametrize(
    ("lines", "left"),
    [
        (["%%step train\n"], ["\n"]),
        (["%%step train\n", "%%time\n", "x\n"], ["%%time\n", "x\n"]),
        (["%%step train\n", "\n", "%%capture out\n", "x\n"], ["%%capture out\n", "x\n"]),
        (["%%step --help\n"], ["%%step --help\n", "\n"]),
    ],
)
def test_bodies(lines, left):
    assert blank_step_line(lines) == left


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["x = 1\n"],
        ["%%stepwise a\n", "x\n"],
        ["x\n", "%%step train\n"],
        ["%%step\n", "x\n"],
        ["%%step a --gpu x\n", "x\n"],
        ["%%step a b\n", "x\n"],
    ],
)
def test_other_cells_are_left_alone(lines):
    assert blank_step_line(list(lines)) == lines


@pytest.mark.parametrize(
    "line",
    ["train", "train --gpu 1 --memory 8Gi --timeout 2h", "load --env A=1 --env B=2 --secret T=portal:token", "fit --output model:clf --retries 2",
     "x --image ghcr.io/me/train:1 --cpu 500m --node-selector zone=a --resource ephemeral-storage=2Gi --gpu-resource amd.com/gpu"],
)  # fmt: skip
def test_good_lines(line):
    check(line)
    assert blank_step_line([f"%%step {line}\n", "x\n"]) == ["\n", "x\n"]


@pytest.mark.parametrize(
    ("line", "message"),
    [("", "it needs one name"), ("a b", "one name, not a b"), ("a --gpus 1", "unknown option --gpus"), ("a --gpu two", "--gpu"), ("a --memory much", "--memory"),
     ("a --timeout soon", "--timeout"), ("a --env X", "NAME=VALUE"), ("a --secret T=x", "ENV=SECRET:KEY"), ("a --output table", "model"),
     ("a --gpu", "a value is missing"), ("'a", "cannot be read")],
)  # fmt: skip
def test_bad_lines(line, message):
    with pytest.raises(WrongUsage) as caught:
        check(line)
    assert message in caught.value.message
    assert "cell 0" not in caught.value.message
    assert "--help" in caught.value.fix


def test_all_problems_at_once():
    with pytest.raises(WrongUsage) as caught:
        check("a --gpu two --memory much --foo=1")
    assert all(word in caught.value.message for word in ("--gpu", "--memory", "--foo"))


def test_the_help_names_every_option():
    assert all(flag in USAGE for flag in FLAGS)
