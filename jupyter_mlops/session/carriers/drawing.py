"""What matplotlib draws with, and what other packages and the notebook registered with it: colour maps and style sheets.

``import seaborn`` registers a dozen colour maps, and a later step that only mentions pyplot may be asked to draw with one. They
travel by value, so that nothing has to be imported for them; a package that is imported after all may register its own again.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

from jupyter_mlops.session.carriers.base import Context

_PAGE = frozenset({"inline", "module://matplotlib_inline.backend_inline"})
"""Names of what a step draws with anyway."""


class Backend:
    """What figures are drawn with, and whether at once, where the notebook chose it: ``matplotlib.use('agg')``, ``plt.ioff()``."""

    name, module = "matplotlib.backend", "matplotlib"

    def __init__(self, context: Context) -> None:
        self._context = context
        self._found: tuple[Any, bool] | None = None

    def capture(self) -> Any:
        """See :class:`Carrier`. The first look, right after matplotlib was loaded, tells what the place uses."""
        matplotlib = sys.modules["matplotlib"]
        backend = dict.get(matplotlib.rcParams, "backend")  # asking the settings themselves would choose one
        now = (None if not isinstance(backend, str) or backend in _PAGE else backend, matplotlib.is_interactive())
        if self._found is None:
            self._found = now
        return now if now != self._found else None

    def restore(self, value: Any) -> None:
        """See :class:`Carrier`."""
        self.capture()
        matplotlib, (backend, interactive) = sys.modules["matplotlib"], value
        if backend and backend != dict.get(matplotlib.rcParams, "backend"):
            try:
                matplotlib.use(backend)
            except (ImportError, ValueError) as error:
                self._context.warn(f"matplotlib cannot draw with {backend} here, as the notebook has chosen ({error})")
        matplotlib.interactive(interactive)


class ColorMaps:
    """Maps that were registered beside matplotlib's own."""

    name, module = "matplotlib.colormaps", "matplotlib"

    def __init__(self, _: Context) -> None:
        self._given: dict[str, Any] = {}
        """Name → map that this step arrived with, until somebody registers that name."""

    def capture(self) -> Any:
        """See :class:`Carrier`."""
        if "matplotlib.cm" not in sys.modules:
            return sorted(self._given.items()) or None
        registry = sys.modules["matplotlib"].colormaps
        own = frozenset(getattr(registry, "_builtin_cmaps", ()))
        found = {name: registry[name] for name in registry if name not in own} if own else {}
        return sorted(found.items()) or None

    def restore(self, value: Any) -> None:
        """See :class:`Carrier`."""
        registry = sys.modules["matplotlib"].colormaps
        self._given = {name: one for name, one in value if name not in registry}
        for name, one in self._given.items():
            registry.register(one, name=name)
        if self._given:
            self._let_others_register(registry)

    def _let_others_register(self, registry: Any) -> None:
        """A package that registers a name that has arrived finds it free, as it was when it was imported first."""
        register = registry.register

        def again(cmap: Any, *, name: str | None = None, force: bool = False) -> None:
            wanted = name or cmap.name
            if self._given.pop(wanted, None) is not None:
                registry.unregister(wanted)
            register(cmap, name=name, force=force)

        registry.register = again


class StyleSheets:
    """Style sheets beside matplotlib's own, which ``plt.style.use`` finds by name."""

    name, module = "matplotlib.styles", "matplotlib.style"

    def __init__(self, _: Context) -> None:
        pass

    def capture(self) -> Any:
        """See :class:`Carrier`."""
        style = sys.modules["matplotlib.style"]
        base = getattr(getattr(style, "core", style), "_base_library", None)
        if base is None:
            return None
        return sorted((name, dict(sheet)) for name, sheet in style.library.items() if name not in base) or None

    def restore(self, value: Any) -> None:
        """See :class:`Carrier`."""
        matplotlib, style = sys.modules["matplotlib"], sys.modules["matplotlib.style"]
        for name, sheet in value:
            if name not in style.library:
                style.library[name] = matplotlib.RcParams(sheet)
        style.available[:] = sorted(name for name in style.library if not name.startswith("_"))


class Units:
    """That pandas' converters of dates and periods are those of matplotlib: ``register_matplotlib_converters``."""

    name, module = "matplotlib.units", "matplotlib.units"

    def __init__(self, _: Context) -> None:
        pass

    def capture(self) -> Any:
        """See :class:`Carrier`."""
        known = sys.modules["matplotlib.units"].registry.values()
        return True if any(type(one).__module__.startswith("pandas.") for one in known) else None

    def restore(self, value: Any) -> None:
        """See :class:`Carrier`."""
        if value:
            importlib.import_module("pandas").plotting.register_matplotlib_converters()


FACTORIES = (Backend, ColorMaps, StyleSheets, Units)
