"""Which names a model's pickle may hold: a list for each framework, of what makes data and nothing else.

A name that is not on the list is refused, so that a new trick costs a model and never a machine. No prefix of a library is
enough: ``numpy`` alone has functions that run text as code. Of libraries of models whole packages of *classes* are taken: their
constructors keep what they are given. What a class is, is told by its name, since nothing is imported to judge it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_mlops.formats.pickles import Loader, globals_of

LISTS = 1
"""Counts the changes of these lists, so that a verdict says which it is by."""

VALUES = frozenset(
    """builtins.set builtins.frozenset builtins.list builtins.dict builtins.tuple builtins.slice builtins.range builtins.complex
    builtins.bytearray builtins.int builtins.float builtins.str builtins.bytes builtins.bool builtins.object
    __builtin__.set __builtin__.frozenset __builtin__.slice __builtin__.complex __builtin__.bytearray __builtin__.object
    copyreg._reconstructor copyreg.__newobj__ copy_reg._reconstructor _codecs.encode
    collections.OrderedDict collections.defaultdict collections.Counter collections.deque
    datetime.date datetime.datetime datetime.time datetime.timedelta datetime.timezone decimal.Decimal fractions.Fraction
    uuid.UUID pathlib.PurePosixPath""".split()  # noqa: SIM905 - a table of words
)
"""Python's own values, and how old protocols make an object of a class that is itself on a list."""

NUMPY = frozenset(
    f"numpy.{core}.{name}"
    for core in ("core", "_core")
    for name in ("multiarray._reconstruct", "multiarray.scalar", "numeric._frombuffer")
) | frozenset(
    """numpy.ndarray numpy.dtype numpy.ma.core._mareconstruct numpy.ma.core.MaskedArray numpy.float64 numpy.float32 numpy.int64
    numpy.int32 numpy.bool numpy.bool_ numpy.str_ numpy.random._pickle.__randomstate_ctor numpy.random._pickle.__generator_ctor
    numpy.random._pickle.__bit_generator_ctor numpy.random._mt19937.MT19937 numpy.random._pcg64.PCG64
    numpy.random._mt19937.__pyx_unpickle_MT19937 numpy.random.bit_generator.__pyx_unpickle_SeedSequence
    numpy.random.bit_generator.SeedSequence numpy.random.mtrand.RandomState
    joblib.numpy_pickle.NumpyArrayWrapper""".split()  # noqa: SIM905
)

SPARSE = re.compile(r"scipy\.sparse\.(?:_?[a-z]+\.)?(?:csr|csc|coo|bsr|dia|dok|lil)_(?:matrix|array)")

PANDAS = frozenset(
    """pandas.DataFrame pandas.Series pandas.Index pandas.RangeIndex pandas.MultiIndex pandas.DatetimeIndex pandas.Categorical
    pandas.CategoricalDtype pandas.StringDtype pandas.arrays.StringArray pandas.core.frame.DataFrame pandas.core.series.Series
    pandas.core.indexes.base.Index pandas.core.indexes.base._new_Index pandas.core.indexes.range.RangeIndex
    pandas.core.indexes.multi.MultiIndex pandas.core.indexes.datetimes.DatetimeIndex
    pandas.core.indexes.datetimes._new_DatetimeIndex pandas.core.internals.managers.BlockManager
    pandas.core.internals.managers.SingleBlockManager pandas._libs.internals._unpickle_block
    pandas._libs.arrays.__pyx_unpickle_NDArrayBacked pandas.core.arrays.categorical.Categorical
    pandas.core.dtypes.dtypes.CategoricalDtype pandas.core.arrays.string_.StringArray
    pandas.core.arrays.string_.StringDtype""".split()  # noqa: SIM905
)

CLASSES = re.compile(
    r"(?P<library>sklearn|xgboost|lightgbm|imblearn)(?P<module>(?:\.\w+)*)\.(?:_?[A-Z]\w*|__pyx_unpickle_[A-Z]\w*|newObj)"
)
"""Classes of libraries of models; the functions that Cython makes for theirs take the class as an argument."""

NOT_OF = frozenset(
    {"externals", "datasets", "tests", "conftest", "testing", "_testing", "utils", "dask", "spark", "callback", "plotting"}
)
"""Parts of those libraries that are none of a model's."""

FUNCTIONS = (
    frozenset(f"numpy.{name}" for name in "mean median sum min max abs absolute sqrt log log2 log10 log1p exp expm1 square".split())  # noqa: SIM905
    | frozenset(
        f"sklearn.feature_selection._univariate_selection.{name}"
        for name in "f_classif f_regression chi2 r_regression".split()  # noqa: SIM905
    )
    | frozenset(f"sklearn.feature_selection._mutual_info.mutual_info_{name}" for name in ("classif", "regression"))
    | frozenset(f"sklearn.cluster._kmeans._kmeans_single_{name}" for name in ("lloyd", "elkan"))
    | {"sklearn.utils._bunch.Bunch", "sklearn.utils.Bunch", "scipy.interpolate._bsplines.BSpline"}
    | {"scipy._lib.array_api_compat.numpy._aliases.asarray"}
)
"""Functions that estimators keep to compute with, each looked at, and a class or two from elsewhere."""


def is_allowed(name: str) -> bool:
    """Whether a name makes data, or an object of a class of models, and nothing else."""
    if name in VALUES or name in NUMPY or name in PANDAS or name in FUNCTIONS or SPARSE.fullmatch(name):
        return True
    found = CLASSES.fullmatch(name)
    return found is not None and NOT_OF.isdisjoint(found["module"].split("."))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a file would do when it is loaded, as far as its names tell."""

    refused: tuple[str, ...] = ()
    """Names that are on no list."""

    allowed: tuple[str, ...] = ()
    unreadable: str = ""
    """Why the file could not be followed to its end; '' where it could."""

    @property
    def harmless(self) -> bool:
        """Whether all that it names is on a list."""
        return not self.refused and not self.unreadable

    def to_json(self) -> dict[str, Any]:
        """For people's scripts."""
        return {
            "harmless": self.harmless, "refused": list(self.refused), "allowed": list(self.allowed), "unreadable": self.unreadable,
        }  # fmt: skip


def judged(names: Iterable[str], unreadable: str = "") -> Verdict:
    """The verdict on names."""
    listed = sorted(names)
    return Verdict(
        tuple(name for name in listed if not is_allowed(name)), tuple(name for name in listed if is_allowed(name)), unreadable
    )


def judge(path: Path, loader: Loader) -> Verdict:
    """The verdict on a file. Nothing in it is called or imported. Raises OSError where it cannot be read."""
    found = globals_of(path, loader)
    return judged(found.names, found.unreadable)


def loader_of(file: str) -> Loader | None:
    """What a file of this name is loaded with; None where that is no pickle."""
    if file.endswith(".joblib"):
        return "joblib"
    if file.endswith((".pkl", ".pickle")):
        return "pickle"
    return "torch" if file.endswith((".pt", ".pth")) else None
