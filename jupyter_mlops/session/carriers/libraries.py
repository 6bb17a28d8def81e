"""State that libraries keep for themselves and notebooks set on purpose: random streams, print options, styles.

Each is asked only when its library is loaded, and put back when it is.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from typing import Any

from jupyter_mlops.session.carriers import torchlib
from jupyter_mlops.session.carriers.base import Context


class NumpyRandom:
    """numpy's global generator."""

    name, module = "numpy.random", "numpy.random"

    def __init__(self, _: Context) -> None:
        pass

    def capture(self) -> Any:
        """See :class:`Carrier`."""
        return sys.modules["numpy.random"].get_state()

    def restore(self, value: Any) -> None:
        """See :class:`Carrier`."""
        sys.modules["numpy.random"].set_state(value)


class NumpyOptions:
    """How numpy prints, and what it does about floating-point errors."""

    name, module = "numpy.options", "numpy"

    def __init__(self, _: Context) -> None:
        pass

    def capture(self) -> Any:
        """See :class:`Carrier`."""
        numpy = sys.modules["numpy"]
        options = {key: value for key, value in numpy.get_printoptions().items() if key != "override_repr"}
        return sorted(options.items(), key=str), sorted(numpy.geterr().items())

    def restore(self, value: Any) -> None:
        """See :class:`Carrier`."""
        numpy = sys.modules["numpy"]
        numpy.set_printoptions(**dict(value[0]))
        numpy.seterr(**dict(value[1]))


class PandasOptions:
    """Options of pandas that differ from their defaults."""

    name, module = "pandas.options", "pandas"

    def __init__(self, _: Context) -> None:
        pass

    def capture(self) -> Any:
        """See :class:`Carrier`."""
        pandas, found = sys.modules["pandas"], {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            config = sys.modules["pandas._config.config"]
            for key, option in config._registered_options.items():  # noqa: SLF001  (there is no public list)
                value = pandas.get_option(key)
                if value is not option.defval and value != option.defval:
                    found[key] = value
        return sorted(found.items())

    def restore(self, value: Any) -> None:
        """See :class:`Carrier`."""
        pandas = sys.modules["pandas"]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for key, wanted in value:
                pandas.set_option(key, wanted)


class MatplotlibStyle:
    """rcParams that the notebook set; backend and interactivity belong to the place."""

    name, module = "matplotlib.rcParams", "matplotlib"
    _PLACE = frozenset({"backend", "interactive", "backend_fallback", "webagg.port"})

    def __init__(self, _: Context) -> None:
        pass

    def capture(self) -> Any:
        """See :class:`Carrier`."""
        matplotlib, found = sys.modules["matplotlib"], {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            start = matplotlib.rcParamsOrig
            for key in matplotlib.rcParams:
                if key not in self._PLACE and dict.get(matplotlib.rcParams, key) != dict.get(start, key):
                    found[key] = dict.get(matplotlib.rcParams, key)
        return sorted(found.items())

    def restore(self, value: Any) -> None:
        """See :class:`Carrier`."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            sys.modules["matplotlib"].rcParams.update(dict(value))


class SklearnOptions:
    """What ``sklearn.set_config`` was told: the kind of what ``transform`` returns, how estimators are shown."""

    name, module = "sklearn.options", "sklearn"

    def __init__(self, _: Context) -> None:
        pass

    def capture(self) -> Any:
        """See :class:`Carrier`."""
        sklearn = sys.modules["sklearn"]
        start = sys.modules["sklearn._config"]._global_config  # noqa: SLF001  (there is no public list of defaults)
        return sorted((key, value) for key, value in sklearn.get_config().items() if key in start and value != start[key]) or None

    def restore(self, value: Any) -> None:
        """See :class:`Carrier`."""
        sys.modules["sklearn"].set_config(**dict(value))


class MpmathPrecision:
    """Digits with which mpmath, and sympy's ``evalf`` of it, work when nobody says how many."""

    name, module = "mpmath.precision", "mpmath"

    def __init__(self, _: Context) -> None:
        pass

    def capture(self) -> Any:
        """See :class:`Carrier`."""
        mpmath = sys.modules["mpmath"]
        return (mpmath.mp.prec, mpmath.iv.prec, mpmath.mp.pretty)

    def restore(self, value: Any) -> None:
        """See :class:`Carrier`."""
        mpmath = sys.modules["mpmath"]
        mpmath.mp.prec, mpmath.iv.prec, mpmath.mp.pretty = value


class InlineFigures:
    """That figures are shown as pictures: the inline backend registers itself with the shell when pyplot is first used.

    A step that is handed a figure need not mention pyplot; a kernel that has shown one has it.
    """

    name, module = "matplotlib.inline", "matplotlib"

    def __init__(self, _: Context) -> None:
        pass

    def capture(self) -> Any:
        """See :class:`Carrier`."""
        return True if "matplotlib_inline.backend_inline" in sys.modules else None

    def restore(self, value: Any) -> None:
        """See :class:`Carrier`."""
        if value:
            importlib.import_module("matplotlib.pyplot").get_backend()
            importlib.import_module("matplotlib_inline.backend_inline")


FACTORIES = (
    NumpyRandom, NumpyOptions, PandasOptions, *torchlib.FACTORIES, MatplotlibStyle, InlineFigures, SklearnOptions, MpmathPrecision,
)  # fmt: skip
