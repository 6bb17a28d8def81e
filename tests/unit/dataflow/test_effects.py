"""The table of effects: what the analysis makes of it, and that the script still writes it."""

from __future__ import annotations

import importlib.util
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType

import pytest

from jupyter_mlops.dataflow.facts import CellFacts
from jupyter_mlops.dataflow.link import analyse
from jupyter_mlops.dataflow.table import CHANGES, parse, table
from jupyter_mlops.notebook.document import Cell

ROOT = Path(__file__).parents[3]
TABLE = ROOT / "jupyter_mlops/dataflow/effects.txt"
IMPORTS = "import numpy as np, pandas as pd, random, heapq, torch, shutil, json\nimport matplotlib.pyplot as plt\n"


def facts(above: str, source: str) -> CellFacts:
    return analyse([Cell(0, "code", IMPORTS + above), Cell(1, "code", source)]).facts[-1]


@pytest.mark.parametrize(
    ("above", "source", "changed"),
    [
        # the class is known: the table decides, whatever becomes of the result
        ("df = pd.read_csv('a')", "df.insert(0, 'a', 1)", "df"),
        ("df = pd.read_csv('a')", "x = df.pop('a')", "df"),
        ("df = pd.read_csv('a')", "df.add(1)", ""),
        ("df = pd.read_csv('a')", "df.sample(3)", ""),
        ("df = pd.DataFrame()", "df.drop(columns='a')", ""),
        ("df = pd.DataFrame()", "df.drop(columns='a', inplace=True)", "df"),
        ("d = {}", "x = d.setdefault('a', 1)", "d"),
        ("d = {}", "x = d.get('a')", ""),
        ("s = {1}", "s.union({2})", ""),
        ("text = 'a'", "text.strip()", ""),
        ("rng = np.random.default_rng(0)", "x = rng.normal(size=3)", "rng"),
        ("x = v()", "y = x.normal()", "x"),
        ("x = v()", "y = x.sample(3)", ""),
        ("from sklearn.linear_model import Ridge\nm = Ridge()", "m.predict(x)", ""),
        ("from sklearn.linear_model import Ridge\nm = Ridge()", "y = m.fit(x, y)", "m"),
        ("from sklearn.preprocessing import StandardScaler as S\ns = S()", "z = s.partial_fit(x)", "s"),
        # drawing on axes that an earlier cell made is a change of the figure too
        ("fig, ax = plt.subplots()", "ax.plot([1])", "ax fig"),
        ("fig, axes = plt.subplots(2)", "axes[0].set_title('a')", "axes fig"),
        ("fig, ax = plt.subplots()", "fig.savefig('a.png')", ""),
        ("df = v()", "df.plot()", ""),
        # nobody knows the class: all classes of the table are asked
        ("q = v()", "x = q.popleft()", "q"),
        ("q = v()", "q.isin([1])", ""),
        ("t = v()", "y = t.clamp_(0)", "t"),
        ("t = v()", "t.unheard_of()", "t"),
        # arguments
        ("xs = [1]", "random.shuffle(xs)", "xs"),
        ("xs = [1]", "np.random.shuffle(xs)", "xs"),
        ("xs = [1]", "y = heapq.heappop(xs)", "xs"),
        ("a = np.zeros(3)\nb = np.zeros(3)", "np.copyto(a, b)", "a"),
        ("a = np.zeros(3)\nb = np.zeros(3)", "c = np.add(a, a, b)", "b"),
        ("a = np.zeros(3)\nb = np.zeros(3)", "c = np.mean(a, out=b)", "b"),
        ("a = np.zeros(3)", "c = np.mean(a, 0)", ""),
        ("xs = []\ndef f(a, *, seen=xs): seen.append(a)", "y = f(1)", "xs"),
        # of two definitions either may be the one
        ("xs = []\ndef f(a): a.append(1)\nif v:\n    def f(b): pass", "f(xs)", "xs"),
        ("xs = []\ndef f(): xs.append(1)\nif v:\n    def f(): pass", "y = f()", "xs"),
        ("def shuffle(x): return x\nxs = [1]", "y = shuffle(xs)", "xs"),
    ],
)
def test_what_calls_change(above: str, source: str, changed: str) -> None:
    assert " ".join(sorted(facts(above, source).mutations)) == changed


@pytest.mark.parametrize(
    ("above", "source", "changed"),
    [
        ("a = np.zeros(4)\nb = a.T", "b[0] = 1", "a b"),
        ("a = np.zeros(4)\nb = a.reshape(2, 2)[0]", "b[0] = 1", "a b"),
        ("a = np.zeros(4)\nb = a[1:]", "b += 1", "a b"),
        ("a = np.zeros(4)\nb = np.reshape(a, (2, 2))", "a[0] = 1", "a b"),
        ("a = np.zeros(4)\nb = np.asarray(a)", "b.sort()", "a b"),
        ("a = np.zeros(4)\nb = a.copy()", "b[0] = 1", "b"),
        ("a = np.zeros(4)\nb = a + 1", "b[0] = 1", "b"),
        ("df = v()\nb = df.loc[:, 'x']", "b[0] = 1", "b df"),
        ("df = v()\nb = df.values", "b[0] = 1", "b df"),
        ("df = v()\nb = df.head()", "b['x'] = 1", "b"),
        ("t = v()\nb = t.view(-1)", "b.zero_()", "b t"),
        ("t = v()\nb = torch.from_numpy(t)", "b.zero_()", "b t"),
        ("a = [1, 2]\nb = a[1:]", "b.append(1)", "b"),
        ("a = 'x y'\nb = a.split()", "b.append(1)", "b"),
        ("a = np.zeros(4)\nb = a.T\nb = 1", "a[0] = 1", "a"),
        ("a = np.zeros(4)\nb = a.T\na = 1", "b[0] = 1", "b"),
        ("a = []\nb = a if v else 0", "b.append(1)", "a b"),
        ("a = []\nb = a or v", "a.append(1)", "a b v"),
        ("a = []\nc = []\nb = a\na, c = c, a", "c.append(1)", "a b c"),
        ("a = np.zeros(4)\nb = a", "b += 1\nb += 1", "a b"),
        ("a = 'x'\nb = a", "b += f()", ""),
        ("a = np.zeros(4)\nb = a.T\nif v:\n    b = 1", "a[0] = 1", "a b"),
    ],
)
def test_a_change_of_a_view_is_a_change_of_what_it_shows(above: str, source: str, changed: str) -> None:
    assert " ".join(sorted(facts(above, source).mutations)) == changed


@pytest.mark.parametrize(
    ("source", "reads", "writes"),
    [
        ("df.to_csv(path_or_buf='a.csv', index=False)", "", "a.csv"),
        ("df.to_excel('a.xlsx', 'sheet')", "", "a.xlsx"),
        ("pd.read_csv(filepath_or_buffer='a.csv', sep=';')", "a.csv", ""),
        ("pd.read_csv(source, ';')", "", ""),
        ("np.savetxt(fname='a.txt', X=x)", "", "a.txt"),
        ("torch.save(model, 'm.pt')", "", "m.pt"),
        ("torch.load(f='m.pt')", "m.pt", ""),
        ("shutil.copy('a.csv', 'b.csv')", "a.csv", "b.csv"),
        ("plt.savefig('a.png')", "", "a.png"),
        ("import joblib\njoblib.dump(m, 'a.pkl')", "", "a.pkl"),
        ("json.dump(x, handle)", "", ""),
    ],
)
def test_which_argument_names_a_file(source: str, reads: str, writes: str) -> None:
    found = facts("", source)
    assert (" ".join(found.reads_files), " ".join(found.writes_files)) == (reads, writes)


@pytest.mark.parametrize(
    ("source", "setup"),
    [
        ("np.random.seed(1)", True),
        ("pd.set_option('a', 1)", True),
        ("torch.manual_seed(1)", True),
        ("plt.rc('font', size=1)", True),
        ("import unheard\nunheard.set_seed(1)", True),
        ("np.random.normal(3)", False),
        ("np.sort(x)", False),
        ("plt.plot(x)", False),
    ],
)
def test_what_sets_the_process(source: str, setup: bool) -> None:
    assert bool(facts("", source).setup) is setup


def test_the_table_speaks_of_each_library():
    owners = table().owners
    for owner in (
        "builtins.list",
        "pandas.DataFrame",
        "numpy.ndarray",
        "torch.Tensor",
        "matplotlib.Axes",
        "sklearn.Ridge",
        "random",
    ):
        assert owner in owners, owner
    for name in ("append", "fit", "pop", "update", "copy_", "partial_fit"):
        assert table().known("", name) & CHANGES, name


def test_entries_of_several_owners_and_lines_are_read():
    found = parse("# head\n\n[lib 1]\nlib.A lib.B\n  lib.C\n    changes  go@1:x\n             come\n    gives    make>A\n")
    assert set(found.owners) == {"lib.A", "lib.B", "lib.C"}
    assert (found.of("lib.C", "go")[0].place, found.of("lib.A", "come")[0].kind) == (1, "changes")
    assert found.gives["lib.A.make"] == "lib.A"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("effects_script", ROOT / "scripts/effects.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["effects_script"] = module
    spec.loader.exec_module(module)
    return module


RELEASES = {"standard": "mypy", "numpy": "numpy", "pandas": "pandas", "sklearn": "scikit-learn", "matplotlib": "matplotlib"}


@pytest.mark.slow
@pytest.mark.parametrize("library", RELEASES)
def test_the_script_writes_what_is_committed(library: str, script: ModuleType):
    committed = script.parts(TABLE.read_text(encoding="utf-8"))[library]
    release = committed.partition("]")[0].rpartition(" ")[2].removeprefix("mypy-")
    try:
        here = version(RELEASES[library])
    except PackageNotFoundError:
        pytest.skip(f"{library} is not installed")
    if here != release:
        pytest.skip(f"the table was made with {library} {release}; here is {here}")
    assert script.generated(None, only=library)[library] == committed


@pytest.mark.slow
def test_a_changed_rule_changes_the_table(script: ModuleType, monkeypatch: pytest.MonkeyPatch):
    """The comparison is awake: without one reviewed line the output differs."""
    committed = script.parts(TABLE.read_text(encoding="utf-8"))["standard"]
    monkeypatch.delitem(script.REVIEWED, "*.pop")
    assert script.generated(None, only="standard")["standard"] != committed
