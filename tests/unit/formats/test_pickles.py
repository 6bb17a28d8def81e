"""What a pickle would call, told without calling it: ways to hide a name, files of joblib and torch, and what no list has."""

from __future__ import annotations

import bz2
import copyreg
import gzip
import io
import lzma
import os
import pickle
import pickletools
import struct
import sys
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import joblib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.formats.allowed import is_allowed, judge, judged, loader_of
from jupyter_mlops.formats.pickles import Loader, globals_of

TOUCHED = "import os\nos.environ['TOUCHED'] = '1'"


@pytest.fixture(autouse=True, scope="module")
def untouched() -> Any:
    """Nothing that a pickle names is called or imported by reading it."""
    os.environ.pop("TOUCHED", None)
    before = set(sys.modules)
    yield
    assert "TOUCHED" not in os.environ
    assert not {name for name in set(sys.modules) - before if name.split(".")[0] in {"this", "antigravity", "turtledemo"}}


def scanned(tmp_path: Path, data: bytes, loader: Loader = "pickle") -> Any:
    path = tmp_path / "file"
    path.write_bytes(data)
    return globals_of(path, loader)


def short(text: str) -> bytes:
    data = text.encode()
    return b"\x8c" + bytes([len(data)]) + data


CALL = short(TOUCHED) + b"\x85R."
"""Calls what is on the stack with the code that would be seen."""

HIDDEN: dict[str, tuple[bytes, str]] = {
    "by its name": (b"cbuiltins\nexec\n" + CALL, "builtins.exec"),
    "by two texts": (b"\x80\x04" + short("builtins") + short("exec") + b"\x93" + CALL, "builtins.exec"),
    "by texts from the memo": (
        b"\x80\x04" + short("exec") + b"\x94" + short("builtins") + b"\x94" + b"0" * 2 + b"h\x01h\x00\x93" + CALL, "builtins.exec",
    ),
    "by a text of a list": (b"\x80\x04" + short("builtins") + b"2\x93" + CALL, "builtins.builtins"),
    "a dotted one": (b"\x80\x04" + short("os") + short("environ.update") + b"\x93" + CALL, "os.environ.update"),
    "of a module that an import would run": (b"cthis\ns\n.", "this.s"),
    "made by an old instance": (b"(" + short(TOUCHED) + b"ibuiltins\nexec\n.", "builtins.exec"),
    "made by an object": (b"(cbuiltins\nexec\n" + short(TOUCHED) + b"o.", "builtins.exec"),
    "made by a new object": (b"\x80\x02cbuiltins\nexec\n" + short(TOUCHED) + b"\x85\x81.", "builtins.exec"),
    "in a key": (b"}cbuiltins\nexec\n" + short(TOUCHED) + b"\x85RK\x01s.", "builtins.exec"),
    "in a tuple that is thrown away": (b"cbuiltins\nexec\n" + short(TOUCHED) + b"\x85R0N.", "builtins.exec"),
    "behind a call": (b"cfunctools\npartial\ncbuiltins\nexec\n\x85R" + CALL, "builtins.exec"),
    "in a persistent name": (b"cbuiltins\nexec\n" + short(TOUCHED) + b"\x85RQ.", "builtins.exec"),
    "in a state": (b"ccollections\nOrderedDict\n)Rcbuiltins\nexec\n" + short(TOUCHED) + b"\x85Rb.", "builtins.exec"),
}  # fmt: skip


@pytest.mark.parametrize("name", HIDDEN)
def test_a_name_is_found_however_it_is_hidden(name: str, tmp_path: Path) -> None:
    data, found = HIDDEN[name]
    seen = scanned(tmp_path, data)
    assert found in seen.names
    assert not judged(seen.names, seen.unreadable).harmless


def test_a_number_that_a_process_registered(tmp_path: Path) -> None:
    copyreg.add_extension("builtins", "exec", 77)
    try:
        pickle.loads(b"\x82\x4d.")  # it is remembered now, and would be given without a look at its name
        assert scanned(tmp_path, b"\x82\x4d" + CALL).names == {"builtins.exec"}
    finally:
        copyreg.remove_extension("builtins", "exec", 77)
    assert scanned(tmp_path, b"\x82\x4e.").names == {"?.extension-78"}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"\x80\x04",
        b"cbuiltins\nlist\n",
        b"]K\x01b.",
        b"K\x01K\x02b.",
        b"\x80\xff.",
        b"(lp0\n0g9\n.",
        b"\x80\x04\x93.",
    ],
)
def test_what_cannot_be_followed_is_no_harmless_file(data: bytes, tmp_path: Path) -> None:
    found = scanned(tmp_path, data)
    assert found.unreadable
    assert not judged(found.names, found.unreadable).harmless


@given(data=st.binary(max_size=200))
def test_no_bytes_break_the_reader(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    for loader in ("pickle", "joblib", "torch"):
        assert scanned(tmp_path_factory.mktemp("bytes"), data, loader) is not None


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.builds(Fraction, st.integers()),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner) | st.builds(OrderedDict, st.just(()))
    ),
    max_leaves=10,
)


@given(value=VALUES, protocol=st.integers(0, 5))
def test_names_are_those_that_the_operations_say(value: Any, protocol: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    """For pickles that Python writes, a list of their operations tells the names as well."""
    data = pickle.dumps(value, protocol=protocol)
    strings: list[str] = []
    said = set()
    for operation, argument, _ in pickletools.genops(data):
        if operation.name == "GLOBAL":
            said.add(str(argument).replace(" ", "."))
        elif operation.name == "STACK_GLOBAL":
            said.add(".".join(strings[-2:]))
        elif isinstance(argument, str) and "UNICODE" in operation.name:
            strings.append(argument)
    found = scanned(tmp_path_factory.mktemp("values"), data)
    assert not found.unreadable
    if not {"MEMOIZE", "BINGET"} & {operation.name for operation, _, _ in pickletools.genops(data)}:
        assert found.names == said
    assert found.names <= {"fractions.Fraction", "collections.OrderedDict", "_codecs.encode", "builtins.bytes", "__builtin__.bytes"}


ARRAYS = {
    "numbers": "np.arange(12.0).reshape(3, 4)",
    "none": "np.zeros((2, 0, 3))",
    "a number": "np.array(5)",
    "texts": 'np.array(["aa", "b"])',
    "bytes": 'np.array([b"aa", b"b"])',
    "dates": 'np.array(["2020-01-01"], dtype="M8[D]")',
    "records": 'np.zeros(3, dtype=[("x", "f4"), ("y", "U3"), ("z", "i2", (2, 2))])',
    "objects": 'np.array([{"k": np.arange(3)}, None], dtype=object)',
    "records of objects": 'np.array([(1, [1])], dtype=[("a", "i4"), ("b", "O")])',
    "in Fortran's order": "np.asfortranarray(np.ones((3, 2)))",
    "the other end first": 'np.arange(3, dtype=">i4")',
}


def made(text: str) -> Any:
    """The value of an expression, ``np`` and ``Shell`` in it."""
    import numpy as np

    return eval(text, {"np": np, "Shell": Shell})


@pytest.mark.parametrize("compress", [0, 3, ("gzip", 3), ("bz2", 3), ("xz", 3), ("lzma", 3)])
@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_of_joblib_are_passed_over(name: str, compress: Any, tmp_path: Path) -> None:
    path = tmp_path / "m.joblib"
    joblib.dump({"first": made(ARRAYS[name]), "then": Fraction(1, 3), "last": made(ARRAYS[name])}, path, compress=compress)
    verdict = judge(path, "joblib")
    assert (verdict.refused, verdict.unreadable) == ((), "")
    assert "fractions.Fraction" in verdict.allowed


class Shell:
    """What nobody wants to load."""

    def __reduce__(self) -> Any:
        return exec, (TOUCHED,)


@pytest.mark.parametrize("text", ["np.array([Shell()], dtype=object)", "[np.zeros(5), Shell()]", "{'a': (np.array('x'), Shell())}"])
def test_code_behind_or_inside_of_arrays_is_found(text: str, tmp_path: Path) -> None:
    path = tmp_path / "m.joblib"
    joblib.dump(made(text), path)
    assert "builtins.exec" in judge(path, "joblib").refused


def wrapper(state: dict[str, Any]) -> bytes:
    """An array of joblib's with this state, and no bytes of its own."""
    whole = pickle.dumps(state, protocol=2)[2:-1]
    return b"\x80\x02cjoblib.numpy_pickle\nNumpyArrayWrapper\n)\x81" + whole + b"b"


@pytest.mark.parametrize(
    ("change", "loader", "known"),
    [
        ({}, "joblib", True),
        ({}, "pickle", False),  # to another loader the bytes of the array are operations
        ({"dtype": "np.dtype('f8')", "shape": (2,)}, "joblib", True),
        ({"shape": "x"}, "joblib", False),
        ({"dtype": "f8"}, "joblib", False),
        ({"shape": (10**6,)}, "joblib", False),
    ],
)
def test_where_an_array_ends_is_as_its_loader_has_it(change: dict[str, Any], loader: Loader, known: bool, tmp_path: Path) -> None:
    state = {"subclass": made("np.ndarray"), "shape": (16,), "order": "C", "dtype": "np.dtype('i1')", "allow_mmap": False, **change}
    if state["dtype"].startswith("np."):
        state["dtype"] = made(state["dtype"])
    inside = b"cbuiltins\nexec\n" + b"." * 2
    data = wrapper(state) + inside[:16].ljust(16, b".") + b"."
    found = scanned(tmp_path, data, loader)
    assert ("builtins.exec" not in found.names and not found.unreadable) is known


@pytest.mark.parametrize("kind", ["d", "f8,f8", "(2,)f8", "i", "", "V"])
def test_a_type_that_does_not_say_its_size_is_not_guessed(kind: str, tmp_path: Path) -> None:
    text = kind.encode()
    made = b"cnumpy\ndtype\nX" + struct.pack("<I", len(text)) + text + b"\x89\x88\x87R"
    state = b"}(X\x05\x00\x00\x00dtype" + made + b"X\x05\x00\x00\x00shapeK\x01\x85u"
    found = scanned(tmp_path, b"\x80\x02cjoblib.numpy_pickle\nNumpyArrayWrapper\n)\x81" + state + b"b" + b"N" * 8 + b".", "joblib")
    assert "size it does not say" in found.unreadable


@pytest.mark.parametrize(
    "pack", [gzip.compress, bz2.compress, lzma.compress, zlib.compress, lambda data: lzma.compress(data, format=lzma.FORMAT_ALONE)]
)
def test_a_compressed_file_hides_nothing_from_joblib_s_reader(pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    data = pack(pickle.dumps(Shell()))
    assert "builtins.exec" in scanned(tmp_path, data, "joblib").names
    assert scanned(tmp_path, data[: len(data) // 2], "joblib").unreadable
    assert scanned(tmp_path, data, "pickle").unreadable


def test_each_pickle_of_an_archive_is_read(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"a": 1}))
        archive.writestr("archive/data/0", b"\0" * 8)
        archive.writestr("archive/more.pkl", pickle.dumps(Shell()))
    assert judge(path, "torch").refused == ("builtins.exec",)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x", b"")
    assert judge(path, "torch").unreadable
    path.write_bytes(b"PK\x03\x04 and no more")
    assert judge(path, "torch").unreadable


@pytest.mark.parametrize(
    "name",
    [
        "os.system", "posix.system", "nt.system", "builtins.eval", "builtins.exec", "builtins.getattr", "builtins.__import__", "builtins.type",
        "subprocess.Popen", "operator.methodcaller", "operator.attrgetter", "functools.partial", "importlib.import_module", "types.CodeType",
        "cloudpickle.cloudpickle._make_function", "numpy.testing._private.utils.runstring", "numpy.f2py.crackfortran.myeval", "numpy.load",
        "numpy.memmap", "joblib.load", "sklearn.externals._packaging.version.parse", "sklearn.datasets._base.load_files", "sklearn.Os.system",
        "sklearn.utils._testing.SkipTest", "sklearn.linear_model._base.make_dataset", "xgboost.dask.Future", "sklearnx.Class", "pandas.eval",
        "pandas.io.pickle.read_pickle", "sklearn.tree._tree.Tree.__reduce__", "builtins.exec\n", "sklearn.A\n", "__main__.Model", "",
    ],
)  # fmt: skip
def test_names_on_no_list(name: str) -> None:
    assert not is_allowed(name)


@pytest.mark.slow
def test_every_estimator_of_scikit_learn_is_on_the_lists(tmp_path: Path) -> None:
    """Fitted, stored as ``log_model`` does."""
    import warnings

    import numpy as np
    from sklearn.utils import all_estimators

    rows = np.abs(np.random.RandomState(0).rand(40, 4))
    target = (rows[:, 0] > 0.5).astype(int)
    seen, refused = 0, {}
    for name, cls in all_estimators():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                model = cls().fit(rows, target)
            except Exception:  # it wants other data, or estimators of its own
                continue
        joblib.dump(model, tmp_path / "m.joblib")
        verdict = judge(tmp_path / "m.joblib", "joblib")
        seen += 1
        if not verdict.harmless:
            refused[name] = (verdict.refused, verdict.unreadable)
    assert seen > 100
    assert refused == {}


@pytest.mark.parametrize(
    ("file", "loader"),
    [
        ("model.joblib", "joblib"),
        ("model.pkl", "pickle"),
        ("m.pickle", "pickle"),
        ("m.pt", "torch"),
        ("m.onnx", None),
        ("mlops.json", None),
    ],
)
def test_which_files_are_pickles(file: str, loader: str | None) -> None:
    assert loader_of(file) == loader


def test_a_stream_that_ends_is_read_to_its_end() -> None:
    from jupyter_mlops.formats.pickles import _Zlib

    data = os.urandom(3 << 20)
    assert io.BufferedReader(_Zlib(io.BytesIO(zlib.compress(data)))).read() == data
