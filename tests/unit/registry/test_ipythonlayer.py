"""IPython as a layer: pure Python, small, the same each time, for the Pythons that it fits, and made once."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_mlops.registry import ipythonlayer
from jupyter_mlops.registry.ipythonlayer import LICENSES, IPythonLayer, ipython_layer
from jupyter_mlops.registry.lexers import fetched_when_asked

THIS = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture(autouse=True)
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home of its own, and nothing remembered."""
    monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(tmp_path / "home"))
    ipython_layer.cache_clear()
    yield tmp_path / "home" / "cache" / "layers"
    ipython_layer.cache_clear()


def members(*layers: bytes) -> list[str]:
    found = []
    for layer in layers:
        with tarfile.open(fileobj=io.BytesIO(layer)) as archive:
            found += [member.name for member in archive if member.isreg()]
    return found


@pytest.mark.slow
def test_what_is_in_it() -> None:
    found = members(ipython_layer(THIS).data)
    tops = {name.partition("/")[0] for name in found}
    assert {"IPython", "traitlets", "pygments", "pexpect", "matplotlib_inline", "stack_data", LICENSES} <= tops
    assert not tops & {"jedi", "parso", "psutil", "numpy"}
    assert {name for name in tops if name.endswith(".dist-info")} == {
        name for name in tops if name.startswith("matplotlib_inline-")
    }, "nothing else looks installed"
    assert not [name for name in found if name.endswith((".so", ".pyc")) or "/tests/" in name]
    assert len([name for name in found if name.startswith(LICENSES)]) >= 8
    assert len(ipython_layer(THIS).data) < 1_500_000


def test_what_is_fetched_only_when_it_is_asked_for() -> None:
    import pygments.lexers

    layer = ipython_layer(THIS)
    first, second = set(members(layer.data)), set(members(layer.lexers))
    assert not first & second
    assert all(name.startswith("pygments/lexers/") for name in second)
    there = {f"pygments/lexers/{path.name}" for path in Path(str(pygments.lexers.__file__)).parent.glob("*.py")}
    assert there == {name for name in first | second if name.startswith("pygments/lexers/")}
    assert {f"pygments/lexers/{name}.py" for name in ("__init__", "_mapping", "python", "shell", "html")} <= first
    assert {f"pygments/lexers/{name}.py" for name in ("r", "sql", "julia", "fortran")} <= second


def test_a_pygments_that_is_not_known_is_brought_along_whole() -> None:
    files: dict[str, Path | bytes] = {"pygments/lexers/_mapping.py": b"LEXERS = load()", "pygments/lexers/r.py": b""}
    assert fetched_when_asked(files) == frozenset()


@pytest.mark.slow
def test_it_is_the_same_each_time_and_kept(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = ipython_layer(THIS)
    kept = list(fresh.iterdir())
    assert len(kept) == 2
    ipython_layer.cache_clear()
    monkeypatch.setattr(ipythonlayer, "_files", None)
    assert ipython_layer(THIS) == first, "it was read, not made"
    monkeypatch.undo()
    monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(fresh.parents[1]))
    for one in kept:
        one.write_bytes(b"damaged")
        ipython_layer.cache_clear()
        assert ipython_layer(THIS) == first


@pytest.mark.slow
def test_a_home_that_cannot_be_written_only_costs_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(tmp_path / "file"))
    assert ipython_layer(THIS).data


@pytest.mark.parametrize("python", ["2.7", "3.6"])
def test_a_python_that_it_does_not_run_with_is_said(python: str) -> None:
    layer = ipython_layer(python)
    assert layer.data == b""
    assert "needs Python >=3." in layer.why
    assert layer.why.endswith(f"the pipeline has {python}")


def test_without_ipython_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ipythonlayer.importlib.util, "find_spec", lambda _: None)
    assert ipython_layer(THIS) == IPythonLayer(why="IPython is not installed where the run was submitted")


SHELL = """
import sys, tempfile
sys.path[:] = [p for p in sys.path if 'site-packages' not in p] + sys.argv[1:]
from pathlib import Path
from jupyter_mlops.runner.outputs import Outputs
from jupyter_mlops.runner.progress import Log
from jupyter_mlops.runner.shell import make_shell
shell = make_shell(Outputs(), Log(), 1, Path(tempfile.mkdtemp()))
for cell in ("1 + 1", "!echo hi", "x = !echo hi", "%timeit -n1 -r1 1", "%%bash\\necho 3", "print?", "%%time\\n1", "%who", "%env A=1",
             "from IPython.display import display, HTML, Markdown, Code\\ndisplay(HTML('a'), Code('x = 1'))", "%%capture a\\nprint(1)",
             "%precision 3", "%xmode Verbose", "%load_ext autoreload", "await __import__('asyncio').sleep(0)", "%prun 1", "%lsmagic"):
    result = shell.run_cell(cell)
    assert result.success, cell
assert not shell.run_cell("def f():\\n    raise ValueError('é')\\nf()").success
outside = [m.__file__ for m in sys.modules.values() if getattr(m, "__file__", None) and "site-packages" in m.__file__]
assert not outside, outside
print("all")
"""


@pytest.mark.slow
def test_it_is_all_that_a_step_needs(tmp_path: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(ipython_layer(THIS).data)) as archive:
        archive.extractall(tmp_path / "layer", filter="data")
    root = str(Path(__file__).parents[3])
    done = subprocess.run(
        [sys.executable, "-S", "-c", SHELL, str(tmp_path / "layer"), root], capture_output=True, text=True, timeout=60, cwd=tmp_path
    )
    assert done.stdout.splitlines()[-1:] == ["all"], done.stdout[-2000:] + done.stderr[-2000:]
