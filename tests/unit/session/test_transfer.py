"""What is stored, delivered and kept: digests that stay, components that stand alone, bytes that are not what they should be."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from jupyter_mlops.errors import Corrupt, MlopsError, NotFound, NotStorable, Refused
from jupyter_mlops.oci.artifact import push_artifact
from jupyter_mlops.oci.names import STATE, STATE_CONFIG
from jupyter_mlops.session import components
from jupyter_mlops.session.components import group
from jupyter_mlops.session.pickler import dumps, loads
from jupyter_mlops.session.scope import Scope
from jupyter_mlops.session.session import load_state
from jupyter_mlops.session.state import EVERYTHING, Component, FileEntry, Lost, State
from jupyter_mlops.session.transfer import deliver, reach
from tests.unit.session.one_process import Chain, namespace, one_namespace


@pytest.fixture
def chain(tmp_path: Path) -> Chain:
    return Chain(tmp_path)


def names_of(space: dict[str, Any]) -> list[tuple[str, ...]]:
    own = {name: value for name, value in space.items() if not name.startswith("__")}
    return sorted(one.names for one in group(own, Scope(space))[0])


GROUPS = {
    "constants": ("x = 1000\ny = x\nz = 'a'\nw = z", [("w",), ("x",), ("y",), ("z",)]),
    "two lists": ("x = []\ny = []", [("x",), ("y",)]),
    "same list": ("x = []\ny = x", [("x", "y")]),
    "inside": ("x = []\ny = [x]\nz = [1]", [("x", "y"), ("z",)]),
    "chain": ("x = []\ny = {'x': x}\nz = (y, 1)", [("x", "y", "z")]),
    "shared constants do not join": ("k = (1, 'a')\nx = [k]\ny = [k]", [("k",), ("x",), ("y",)]),
    "functions stand alone": ("def f(): return g()\ndef g(): return 1", [("f",), ("g",)]),
    "shared default": ("xs = []\ndef f(a=xs): pass\ndef g(): pass", [("f", "xs"), ("g",)]),
    "instance and class": ("class C: pass\nc = C()\nd = 3", [("C", "c"), ("d",)]),
    "imports do not join": ("import os, sys\nfrom json import dumps\ne = dumps", [("dumps", "e"), ("os",), ("sys",)]),
    "dates do not join": ("import datetime as dt\nd = dt.date(2024, 1, 1)\nx = [d]\ny = [d]", [("d",), ("dt",), ("x",), ("y",)]),
    "arrays of one type": ("import numpy as np\na = np.zeros(3)\nb = np.zeros(3)", [("a",), ("b",), ("np",)]),
    "array and view": ("import numpy as np\na = np.zeros(3)\nb = a[1:]\nc = a.copy()", [("a", "b"), ("c",), ("np",)]),
    "views of a lost base": ("import numpy as np\na = np.zeros(9)\nb = a[1:]\nc = a[:2]\ndel a", [("b", "c"), ("np",)]),
}


@pytest.mark.parametrize("case", GROUPS)
def test_names_are_together_if_a_change_can_show(case: str) -> None:
    source, expected = GROUPS[case]
    space = one_namespace([source])
    assert names_of(space) == expected


TOGETHER = "import numpy as np\nrows = [[n] for n in range(9)]\narray = np.zeros(99999)\nindex = {0: rows[0], 1: array}\nother = 1"


@pytest.mark.parametrize(
    ("change", "walks"),
    [
        ("pass", 2),
        ("other = 3", 2),
        ("array[0] = 5", 2),
        ("other = rows[0]", 2),  # containers of constants are pickled once it is known what with
        ("rows[0].append(1)", 5),
        ("index[0] = list(index[0])", 6),
        ("index = {}", 5),
        ("del index", 3),
        ("index['open'] = (n for n in ())", 5),
    ],
)
def test_names_that_arrived_together_are_walked_once_while_they_share_the_same(
    change: str, walks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = one_namespace([TOGETHER])
    scope = Scope(space)
    before: tuple[str, ...] = ("array", "index", "rows")
    arrived = {before: dumps({name: space[name] for name in before}, scope).fingerprint[0]}
    exec(change, space)
    own = {name: value for name, value in space.items() if not name.startswith("__") and name != "np"}
    walk = Mock(wraps=dumps)
    monkeypatch.setattr(components, "dumps", walk)
    groups, lost = group(own, scope, arrived)
    assert walk.call_count == walks
    plain, plain_lost = group(own, scope)
    assert {one.names: one.pickled.fingerprint for one in groups} == {one.names: one.pickled.fingerprint for one in plain}
    assert lost == plain_lost


def test_what_is_only_read_keeps_its_digest(chain: Chain) -> None:
    chain.run("xs = [1, [2]]\nd = {'a': xs}\nn = 5")
    before = dict(chain.state.names)
    chain.run("print(len(xs), n)")
    assert dict(chain.state.names) == before


def test_what_changes_gets_another_digest_alone(chain: Chain) -> None:
    chain.run("xs = [1]\nys = [2]\nimport math\ndef f(): return xs")
    before = dict(chain.state.names)
    chain.run("f().append(math.pi)\nys")
    after = dict(chain.state.names)
    assert {name for name in after if after[name] != before[name]} == {"xs"}


def test_what_is_not_asked_for_is_not_loaded(chain: Chain) -> None:
    chain.run("xs = []\nys = []\nzs = []\ndef f(): return ys")
    space = chain.run("f().append(1)")
    assert {name for name in space if not name.startswith("__")} == {"f", "ys"}
    assert set(chain.state.names) == {"xs", "ys", "zs", "f"}


def test_the_same_cells_give_the_same_digests(tmp_path: Path) -> None:
    cells = ["class C:\n    def f(self): return k\nc = C()\nk = {'a', 'b'}", "def g(x=[1]): return c\ng.n = 1", "c.x = g"]
    chains = [Chain(tmp_path / name) for name in ("one", "two")]
    for one in chains:
        for source in cells:
            one.run(source)
    assert chains[0].state.names == chains[1].state.names


def test_deleted_names_are_gone(chain: Chain) -> None:
    chain.run("a = b = []")
    chain.run("del a")
    assert set(chain.state.names) == {"b"}


@pytest.mark.parametrize(
    ("made", "kind"),
    [("(i for i in ())", "generator"), ("open('/dev/null')", "TextIOWrapper"), ("__import__('threading').Lock()", "lock")],
)
def test_what_cannot_be_stored_is_an_error_when_it_is_asked_for(made: str, kind: str, chain: Chain) -> None:
    space = chain.run(f"g = {made}\nx = 1")
    if hasattr(space["g"], "close"):
        space["g"].close()
    chain.run("x += 1")
    assert chain.state.lost["g"].type == kind
    with pytest.raises(NotStorable, match="g is a") as caught:
        chain.run("print(g)")
    assert "one step" in caught.value.fix
    chain.run("g = 2")
    assert chain.state.lost == {}


def test_a_value_that_fails_when_it_is_made_again_is_named(chain: Chain) -> None:
    chain.run("class C:\n    def __init__(self): self.ok = 1\n    def __setstate__(self, state): raise ValueError('no')\nc = C()")
    with pytest.raises(NotStorable, match=r"c.*ValueError: no"):
        chain.run("c.ok")


def test_bytes_that_are_not_theirs_are_refused(chain: Chain) -> None:
    chain.run("xs = list(range(100))")
    part = chain.state.components[chain.state.names["xs"]].parts[0][0]
    path = chain.blobs.store.blob_path("runs/chain", part)  # type: ignore[attr-defined]
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-2] + b"??")
    with pytest.raises(Corrupt):
        chain.run("xs")


def test_a_component_under_a_wrong_digest_is_refused(chain: Chain) -> None:
    chain.run("a = [1]\nb = [2]")
    a, b = chain.state.names["a"], chain.state.names["b"]
    forged = State(names={"a": a}, components={a: chain.state.components[b]})
    with pytest.raises(Corrupt, match="not what the state says"):
        deliver([a], forged, chain.blobs, Scope(namespace()))


def test_a_missing_blob_is_said(chain: Chain) -> None:
    chain.run("a = [1]")
    part = chain.state.components[chain.state.names["a"]].parts[0][0]
    chain.blobs.store.blob_path("runs/chain", part).unlink()  # type: ignore[attr-defined]
    with pytest.raises(NotFound):
        chain.run("a")


def test_everything_reaches_everything() -> None:
    one, two = Component(("f",), (EVERYTHING,), (("sha256:1", 1),)), Component(("x",), (), (("sha256:2", 1),))
    state = State(names={"f": one.digest, "x": two.digest}, components={one.digest: one, two.digest: two})
    assert set(reach({"f"}, state)[0]) == {one.digest, two.digest}
    assert reach({"x"}, state)[0] == [two.digest]


def test_large_buffers_are_parts_of_their_own(chain: Chain) -> None:
    chain.run("import numpy as np\nbig = np.arange(100_000)\nsmall = np.arange(10)")
    parts = {name: chain.state.components[digest].parts for name, digest in chain.state.names.items()}
    assert [size for _, size in parts["big"]][1:] == [800_000]
    assert parts["big"][0][1] < 1000
    assert len(parts["small"]) == 1


def test_a_small_view_does_not_store_its_large_base(chain: Chain) -> None:
    chain.run("import numpy as np\nbig = np.zeros(1_000_000)\nbit = big[5:10]\ndel big")
    assert sum(size for _, size in chain.state.components[chain.state.names["bit"]].parts) < 1000


STATES = {
    "empty": State(),
    "full": State(
        count=4,
        names={"x": "sha256:c"},
        lost={"g": Lost("generator", "why", 2)},
        components={"sha256:c": Component(("x",), ("f",), (("sha256:p", 3),))},
        carriers={"random": "sha256:r"},
        files={"a/b.txt": FileEntry("sha256:f", 5, 33188)},
        removed=("old",),
    ),
}


@pytest.mark.parametrize("name", STATES)
def test_a_state_survives_its_json(name: str) -> None:
    assert State.from_json(STATES[name].to_json(), {}) == STATES[name]


@pytest.mark.parametrize(
    "damage", [{"version": 9}, {"names": None}, {"components": {"x": {}}}, {"files": {"a": ["d"]}}, {"count": "x"}]
)
def test_a_damaged_state_is_refused(damage: dict[str, Any]) -> None:
    with pytest.raises(Corrupt):
        State.from_json({**STATES["full"].to_json(), **damage}, {})


def test_a_state_of_another_python_is_refused_before_it_is_loaded(chain: Chain) -> None:
    document = {**STATES["empty"].to_json(), "python": "3.9"}
    manifest = push_artifact(chain.blobs.store, "runs/chain", STATE, document, config_type=STATE_CONFIG)
    with pytest.raises(Refused, match=r"3\.9") as caught:
        load_state(chain.blobs.store, "runs/chain", manifest.descriptor.digest)
    assert caught.value.code == "python-mismatch"
    assert "3.9" in caught.value.fix


@pytest.mark.parametrize("digest", ["sha256:" + "0" * 64, "nonsense"])
def test_an_unknown_state_is_said(digest: str, chain: Chain) -> None:
    with pytest.raises(MlopsError):
        load_state(chain.blobs.store, "runs/chain", digest)


@pytest.mark.parametrize(
    "make",
    [
        "np.arange(6).reshape(2, 3).T.copy(order='K')", "np.asfortranarray(np.arange(6).reshape(2, 3))", "np.zeros((0, 3))", "np.array(5)",
        "np.arange(24).reshape(2, 3, 4).transpose(1, 0, 2).copy(order='K')", "np.array(['2024'], 'M8[D]')", "np.array([1+2j])",
        "np.array(['a', None], object)", "np.array(['ab', 'c'])", "np.arange(3, dtype='>i4')", "np.zeros(3, [('a', 'i4'), ('b', 'O')])",
        "np.arange(70_000).reshape(2, -1)[:, ::-2]", "np.broadcast_to(np.arange(3), (4, 3))", "np.frombuffer(b'abcd', 'u1')",
        "np.matrix([[1, 2]])", "np.ma.array([1, 2], mask=[0, 1])", "np.float32(2.5)", "np.rec.array([(1, 'a')])", "np.arange(4)[::-1]",
    ],
)  # fmt: skip
def test_arrays_arrive_as_they_were(make: str) -> None:
    import numpy as np

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        value = eval(make, {"np": np})
    scope = Scope(namespace())
    pickled = dumps({"v": value}, scope)

    class Memory:
        def __init__(self, data: memoryview) -> None:
            self.data = data

        def read(self) -> bytearray:
            return bytearray(self.data)

        def readinto(self, target: memoryview) -> None:
            target[:] = self.data

    found = loads(pickled.stream, [Memory(buffer) for buffer in pickled.buffers], scope)["v"]
    assert type(found) is type(value)
    assert found.dtype == value.dtype
    assert found.shape == value.shape
    assert repr(found) == repr(value)
    if found.size and type(value) is np.ndarray:
        assert found.strides == value.strides
    assert found.flags.writeable == value.flags.writeable or value.base is not None
    if value.base is None and type(value) is np.ndarray:
        assert found.flags.owndata
