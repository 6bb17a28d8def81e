"""``%%step`` and the lines that speak to the product."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.notebook.magic import parse_step, step_line, strip_product_lines
from tests.unit.laws import law


@pytest.mark.parametrize(
    ("line", "name", "options"),
    [
        ("train", "train", {}),
        ("'Train the model'", "Train the model", {}),
        ("train --gpu 2 --cpu 500m --memory=16Gi", "train", {"gpu": 2, "cpu": "500m", "memory": "16Gi"}),
        ("--image ghcr.io/me/x:1 train --retries 3 --timeout 2h", "train", {"image": "ghcr.io/me/x:1", "retries": 3, "timeout": "2h"}),
        ("t --output model --output model:clf", "t", {"outputs": ["model", "model:clf"]}),
        ("t --env A=1 --env B=x=y", "t", {"env": {"A": "1", "B": "x=y"}}),
        ("t --secret TOKEN=hub:token", "t", {"secrets": [{"env": "TOKEN", "secret": "hub", "key": "token"}]}),
        ("t --node-selector zone=a --resource ephemeral-storage=1Gi", "t",
         {"node_selector": {"zone": "a"}, "resources": {"ephemeral-storage": "1Gi"}}),
        ("t --gpu two", "t", {"gpu": "two"}),
        ('t --each "x in [1, -2]" --cache off', "t", {"each": "x in [1, -2]", "cache": "off"}),
        ("t --when 'score < 0.9'", "t", {"when": "score < 0.9"}),
        ("t --finally true", "t", {"finally": True}),
        ("t --finally=outcome", "t", {"finally": "outcome"}),
        ("t --volume data:/data:ro --volume :/scratch", "t",
         {"volumes": [{"claim": "data", "mount": "/data", "read_only": True}, {"mount": "/scratch"}]}),
        ("t --toleration gpu --toleration gpu=a100:NoSchedule", "t",
         {"tolerations": [{"key": "gpu", "operator": "Exists"}, {"key": "gpu", "value": "a100", "effect": "NoSchedule"}]}),
    ],
)  # fmt: skip
def test_the_line(line: str, name: str, options: dict[str, Any]) -> None:
    found = parse_step(line)
    assert (found.name, dict(found.options), found.problems) == (name, options, ())


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", "needs one name"),
        ("a b", "takes one name, not a b"),
        ("a --gpus 1", "unknown option --gpus"),
        ("a --gpu", "--gpu: a value is missing"),
        ("a --env A", "expected NAME=VALUE"),
        ("a --secret A=b", "expected ENV=SECRET:KEY"),
        ("a 'b", "cannot be read"),
        ("a --volume data", "expected CLAIM:/path"),
        ("a --toleration =x", "expected KEY[=VALUE][:EFFECT]"),
    ],
)
def test_what_is_wrong_is_said(line: str, words: str) -> None:
    assert any(words in problem for problem in parse_step(line).problems)


@pytest.mark.parametrize("source", ["x = 1", "x\n%%step a", "%%steps a", "# %%step a", "%step a"])
def test_other_cells_have_no_step_line(source: str) -> None:
    assert step_line(source) is None


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("%%step train --gpu 1\nx = 1", "\nx = 1"),
        ("\n%%step train\n%%time\nx = 1", "\n\n%%time\nx = 1"),
        ("%load_ext jupyter_mlops\nx = 1", "\nx = 1"),
        ("%reload_ext jupyter_mlops", ""),
        ("%load_ext autoreload", "%load_ext autoreload"),
        ("x = 1\n%mlops run\ny = 2", "x = 1\n\ny = 2"),
        ("%mlops run \\\n  --detach\ny = 2", "\n\ny = 2"),
        ("if x:\n    %mlops run", "if x:\n    pass"),
        ("%mlopsy", "%mlopsy"),
        ("text = '''\n%mlops run\n'''", "text = '''\n%mlops run\n'''"),
        ("import jupyter_mlops", "import jupyter_mlops"),
    ],
)
def test_product_lines_are_blanked(source: str, code: str) -> None:
    assert strip_product_lines(source) == code


@law
@given(st.lists(st.sampled_from(["x = 1", "%mlops run", "%%step a", "  %mlops x", "%load_ext jupyter_mlops", "", "!ls"])))
def test_line_numbers_stay(lines: list[str]) -> None:
    before = "\n".join(lines).split("\n")
    after = strip_product_lines("\n".join(lines)).split("\n")
    assert len(before) == len(after)
    assert all(b == a or "mlops" in b or b.startswith("%%step") for b, a in zip(before, after, strict=True))
    assert strip_product_lines("\n".join(after)).count("%mlops") == 0
