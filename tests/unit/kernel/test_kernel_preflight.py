"""What would cross the boundaries of steps, seen in a live kernel: sizes, groups, what cannot be stored, and what mends it."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.flow import Workbench
from jupyter_mlops.kernel.magics import register
from jupyter_mlops.kernel.page import as_html, as_text
from jupyter_mlops.kernel.preflight import Crossing, Preflight, advice, in_words, preflight, preflight_page
from jupyter_mlops.pipeline.plan import plan
from tests.unit.notebook_building import Spec, document, notebook

CELLS: tuple[Spec, ...] = (
    ("import math\nraw = load()\nsame = raw\nk = 3\ngen = (x for x in raw)", ["step:load"]),
    ("def f(x):\n    return x * k", ["step:load"]),
    ("clean = raw[:1] + same\nprint(math.pi, k)", ["step:train"]),
    ("f(clean)\nnext(gen)\nprint(later)", ["step:test"]),
    ("later = 1", ["step:end"]),
    ("later", ["step:last"]),
)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A notebook's folder: in the checkout, this package's own modules would be modules beside the notebook."""
    monkeypatch.chdir(tmp_path)


def look(values: dict[str, Any], *cells: Spec) -> Preflight:
    return preflight(plan(notebook(*(cells or CELLS))), values)


def kernel() -> dict[str, Any]:
    """The names as a kernel has them after the first cells."""
    import math

    raw = [1, 2, 3]
    space: dict[str, Any] = {"raw": raw, "same": raw, "math": math, "k": 3, "clean": [1], "gen": (x for x in raw)}
    exec("def f(x):\n    return x * k", space)
    return space


def test_what_crosses_and_what_does_not() -> None:
    found = look(kernel())
    told = {one.names: one for one in found.crossings}
    assert set(told) == {("raw", "same"), ("k",), ("gen",), ("f",), ("clean",)}, "modules go by name, and are no value"
    assert (told["raw", "same"].made, told["raw", "same"].needed) == (("load",), ("train",))
    assert told["raw", "same"].types == ("list", "list")
    assert told["f",].needed == ("test",)
    assert told["gen",].reason == "a generator runs in one process only"
    assert found.crossings[0].names == ("gen",), "what cannot be stored comes first"
    assert found.absent == ("later",)


def test_the_kernel_is_left_as_it_was() -> None:
    space = kernel()
    before = {name: id(value) for name, value in space.items()}
    look(space)
    assert {name: id(value) for name, value in space.items()} == before
    assert next(space["gen"]) == 1


def test_large_buffers_are_counted() -> None:
    import numpy as np

    array = np.zeros(1 << 20)
    found = look({"a": array, "view": array[10:]}, ("a = make()\nview = a[10:]", ["step:one"]), ("a\nview", ["step:two"]))
    (one,) = found.crossings
    assert one.names == ("a", "view")
    assert array.nbytes <= one.size < array.nbytes + 10_000


@pytest.mark.parametrize(
    ("crossing", "said", "fix"),
    [
        (Crossing(("raw",), ("DataFrame",), 1_900_000_000, ("load",), ("train",)), "1.9 GB would cross: keep raw with step load", "--join load train"),
        (Crossing(("raw",), ("DataFrame",), 1_900_000_000, ("load",), ("train", "test")), "1.9 GB would cross", "Make less of raw in load"),
        (
            Crossing(("lgb_train",), ("Dataset",), 0, ("train",), ("test",), "why"),
            "lgb_train cannot be stored (why): keep with train",
            "jupyter mlops steps nb.ipynb --join train test",
        ),
        (Crossing(("x",), ("int",), 5, ("a",), ("b",)), None, None),
    ],
)  # fmt: skip
def test_advice(crossing: Crossing, said: str | None, fix: str | None) -> None:
    found = advice(crossing, "nb.ipynb")
    assert (found is None) is (said is None)
    if found is not None:
        assert said in found[0]
        assert fix in found[1]


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 KB"), (1_900_000_000, "1.9 GB"), (3 * 10**15, "3000.0 TB")]
)
def test_sizes_in_words(count: int, words: str) -> None:
    assert in_words(count) == words


def test_a_page_of_nothing() -> None:
    assert "No value goes" in as_text(preflight_page(look({}, "x = 1"), "nb.ipynb"))


def test_the_magic(shell: Any, tmp_path: Path) -> None:
    from IPython.utils.capture import capture_output

    path = tmp_path / "nb.ipynb"
    path.write_text(json.dumps(document(*CELLS, metadata={})))
    register(shell, Workbench())
    shell.user_ns |= kernel() | {"lock": threading.Lock()}
    with capture_output() as shown:
        shell.run_line_magic("mlops", f"preflight {path}")
    text = "\n".join(output.data["text/plain"] for output in shown.outputs)
    assert "would go from step to step of nb.ipynb, as this kernel has it now" in text
    assert "gen" in text
    assert "cannot be stored" in text
    assert "--join load test" in text
    assert "raw and same share something changeable" in text
    assert "Not in this kernel yet: later" in text
    assert "lock" not in text
    page = preflight_page(look(kernel()), "nb.ipynb")
    assert "<table" in as_html(page)
