"""Lexers that stay behind: fetched when a cell asks for one, all of them there, and only for the pygments that came along."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_mlops.oci.artifact import artifact_document
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.oci.names import BUNDLE, BUNDLE_CONFIG, BUNDLE_IPYTHON, BUNDLE_LEXERS
from jupyter_mlops.registry.ipythonlayer import ipython_layer
from jupyter_mlops.runner.ipython import WhenAsked

THIS = f"{sys.version_info.major}.{sys.version_info.minor}"
ROOT = Path(__file__).parents[3]

STEP = """
import json, sys
from pathlib import Path
registry, bundle, cache, code = sys.argv[1:]
sys.path[:] = [part for part in sys.path if "site-packages" not in part]
from jupyter_mlops.oci.open import open_store
from jupyter_mlops.runner.ipython import provide_ipython
provide_ipython(open_store(registry), bundle, "", Path(cache))
folders = lambda: len(list((Path(cache) / "ipython").iterdir()))
before = folders()
try:
    from pygments.lexers import find_lexer_class as find, get_all_lexers
    value = eval(code)
except Exception as error:
    value = f"{type(error).__name__}: {error}"
print(json.dumps([before, value, folders()]))
"""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> tuple[Layout, str]:
    layer, store = ipython_layer(THIS), Layout(tmp_path_factory.mktemp("registry"))
    config, *layers = [
        store.put_blob("runs/x", data, kind)
        for data, kind in ((b"{}", BUNDLE_CONFIG), (layer.data, BUNDLE_IPYTHON), (layer.lexers, BUNDLE_LEXERS))
    ]
    return store, f"runs/x@{store.put_manifest('runs/x', artifact_document(BUNDLE, config, layers)).descriptor.digest}"


def step(bundle: tuple[Layout, str], cache: Path, code: str) -> tuple[int, object, int]:
    """Folders of layers before, the value, and folders after, in a Python that has no package but ours."""
    store, reference = bundle
    command = [sys.executable, "-S", "-c", STEP, store.root.as_uri(), reference, str(cache), code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    before, value, after = json.loads(done.stdout.splitlines()[-1])
    return before, value, after


ASKED = {
    "python": ("__import__('pygments.lexers').lexers.get_lexer_by_name('python').name", "Python", 1),
    "what magics are highlighted by": ("__import__('pygments.lexers').lexers.get_lexer_by_name('bash').name", "Bash", 1),
    "by its name": ("__import__('pygments.lexers').lexers.get_lexer_by_name('julia').name", "Julia", 2),
    "by a file's name": ("__import__('pygments.lexers').lexers.get_lexer_for_filename('a.f90').name", "Fortran", 2),
    "as a module": ("__import__('importlib').import_module('pygments.lexers.sql').SqlLexer.name", "SQL", 2),
    "shown by IPython": (
        "'<span' in __import__('IPython.display').display.Code('select 1', language='sql')._repr_html_()", True, 2,
    ),
    "all of them": (
        "len({find(one[0]) for one in get_all_lexers(plugins=False)}) > 500", True, 2,
    ),
    "one that there is not": (
        "__import__('pygments.lexers').lexers.get_lexer_by_name('klingon')",
        "ClassNotFound: no lexer for alias 'klingon' found", 1,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", ASKED)
def test_a_lexer_that_is_asked_for_is_there(case: str, bundle: tuple[Layout, str], tmp_path: Path) -> None:
    code, value, folders = ASKED[case]
    assert step(bundle, tmp_path, code) == (1, value, folders)


def test_a_registry_that_is_gone_is_said(tmp_path: Path) -> None:
    layer, store = ipython_layer(THIS), Layout(tmp_path / "registry")
    config = store.put_blob("runs/x", b"{}", BUNDLE_CONFIG)
    layers = [store.put_blob("runs/x", layer.data, BUNDLE_IPYTHON), store.put_blob("runs/x", layer.lexers, BUNDLE_LEXERS)]
    reference = f"runs/x@{store.put_manifest('runs/x', artifact_document(BUNDLE, config, layers)).descriptor.digest}"
    for path in (tmp_path / "registry").rglob(layers[1].digest.partition(":")[2]):
        path.unlink()
    _, value, _ = step((store, reference), tmp_path / "cache", "__import__('pygments.lexers.sql')")
    assert str(value).startswith("ModuleNotFoundError: No module named 'pygments.lexers.sql': it is in the run's registry, and ")


ELSEWHERE = {
    "the image's own package": ("pygments.lexers.sql", ["/usr/lib/python3/pygments/lexers"]),
    "another package": ("pygments.styles.sql", ["{folder}/pygments/lexers"]),
    "a module at the top": ("sql", None),
    "a name that leads out": ("pygments.lexers.../sql", ["{folder}/pygments/lexers"]),
}


@pytest.mark.parametrize("case", ELSEWHERE)
def test_nothing_is_fetched_for_what_is_not_ours(case: str, tmp_path: Path) -> None:
    name, path = ELSEWHERE[case]

    def fetched() -> Path:
        raise AssertionError("nothing is fetched")

    finder = WhenAsked("pygments.lexers", tmp_path, fetched)
    assert finder.find_spec(name, path and [part.format(folder=tmp_path) for part in path]) is None
