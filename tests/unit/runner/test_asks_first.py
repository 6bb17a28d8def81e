"""Names that cells surely bind before they ask for them."""

from __future__ import annotations

import pytest

from jupyter_mlops.runner.asks import bound_first


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        (["import numpy as np\nnp.mean(x)"], {"np"}),
        (["from a.b import c, d as e", "import f.g"], {"c", "e", "f"}),
        (["x = 1\ny = x"], {"x", "y"}),
        (["x = x + 1"], set()),
        (["y = x", "x = 1"], {"y"}),
        (["if c:\n    x = 1"], set()),
        (["try:\n    x\nexcept NameError:\n    x = 1"], set()),
        (["def f():\n    return x\nx = 1"], set()),
        (["def f():\n    global x\n    x += 1\nx = 1"], set()),
        (["x = 1", "!ls", "y = 2"], {"x"}),
        (["a = b = 1\n(c, d) = 1, 2\ne.f = 1"], {"a", "b"}),
    ],
)
def test_names_bound_first(sources: list[str], expected: set[str]) -> None:
    assert bound_first(sources) == expected
