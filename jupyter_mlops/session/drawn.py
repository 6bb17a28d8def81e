"""What drawing libraries keep for the notebook without a name: open figures, plugins, templates, a document.

``plt.plot(…)`` in one cell and ``plt.title(…)`` in the next draw on one figure, and the notebook may hold it, or its axes, by a
name as well. So they hang on the process (see :mod:`attached`) and are not carriers, which would be copies.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import sys
from collections.abc import Callable, Iterator
from typing import Any

from jupyter_mlops.session.carriers.base import Context

_REGISTRIES = ("data_transformers", "renderers", "themes")


class Drawn:
    """``library/where`` → what hangs there."""

    kind = "drawn"

    def __init__(self, context: Context) -> None:
        self._space = context.shell.user_ns if context.shell is not None else {}
        self._parts: dict[str, tuple[str, Callable[[], Iterator[tuple[str, Any]]], Callable[[str, Any], None]]] = {
            "pyplot": ("matplotlib.pyplot", self._figures, self._give_figures),
            "altair": ("altair", self._plugins, self._give_plugins),
            "plotly": ("plotly.io", self._templates, self._give_templates),
            "bokeh": ("bokeh.io.state", self._document, self._give_document),
        }

    def find(self) -> dict[str, Any]:
        """See :class:`Place`."""
        found = {}
        for part, (module, look, _) in self._parts.items():
            if module in sys.modules:
                found.update({f"{part}/{where}": value for where, value in look()})
        return found

    def module(self, key: str) -> str:
        """See :class:`Place`."""
        part = key.partition("/")[0]
        return self._parts[part][0] if part in self._parts else ""

    def hang(self, key: str, value: Any) -> None:
        """See :class:`Place`."""
        part, _, where = key.partition("/")
        if part in self._parts:
            self._parts[part][2](where, value)

    def unhang(self) -> None:
        """See :class:`Place`. None of them is asked by the work at a step's end."""

    # -- pyplot --------------------------------------------------------------------------------------------------------

    def _figures(self) -> Iterator[tuple[str, Any]]:
        """Figures that are open after a cell: none where they are shown in the page, which closes them."""
        managers = sys.modules["matplotlib._pylab_helpers"].Gcf.figs
        if managers:
            yield "figures", [(number, manager.canvas.figure) for number, manager in managers.items()]

    def _give_figures(self, _: str, figures: list[tuple[Any, Any]]) -> None:
        """With their numbers, the current one last; a figure opens itself when it is loaded, under any number."""
        open_ones, pyplot = sys.modules["matplotlib._pylab_helpers"].Gcf, sys.modules["matplotlib.pyplot"]
        open_ones.figs.clear()
        for number, figure in figures:
            manager = figure.canvas.manager or pyplot._get_backend_mod().new_figure_manager_given_figure(number, figure)  # noqa: SLF001
            manager.num = number
            open_ones._set_new_active_manager(manager)  # noqa: SLF001  (what ``plt.figure`` does with a new one)
        inline: Any = sys.modules.get("matplotlib_inline.backend_inline")
        if inline is not None:  # they were shown by the cell that drew them
            inline.show._to_draw, inline.show._draw_called = [], False  # noqa: SLF001

    # -- altair --------------------------------------------------------------------------------------------------------

    def _plugins(self) -> Iterator[tuple[str, Any]]:
        """Those that the notebook registered, and which of all is enabled with what options."""
        for name in _REGISTRIES:
            registry = _registry(name)
            own = {key: one for key, one in getattr(registry, "_plugins", {}).items() if self._is_ours(one)}
            if own:
                yield name, (own, registry.active, dict(registry.options))

    def _give_plugins(self, name: str, value: tuple[dict[str, Any], str, dict[str, Any]]) -> None:
        registry, (own, active, options) = _registry(name), value
        for key, one in own.items():
            registry.register(key, one)
        registry.enable(active, **options)

    def _is_ours(self, plugin: Any) -> bool:
        return getattr(plugin, "__globals__", None) is self._space or type(plugin).__module__ == "__main__"

    # -- plotly --------------------------------------------------------------------------------------------------------

    def _templates(self) -> Iterator[tuple[str, Any]]:
        """Those that the notebook added, and plotly's own that it changed."""
        templates = sys.modules["plotly.io"].templates
        own = {name: one for name, one in templates._templates.items() if hasattr(one, "to_plotly_json") and _is_changed(name, one)}  # noqa: SLF001
        if own:
            yield "templates", (own, templates.default)

    def _give_templates(self, _: str, value: tuple[dict[str, Any], str | None]) -> None:
        templates, (own, default) = sys.modules["plotly.io"].templates, value
        templates._templates.update(own)  # noqa: SLF001  (setting one would copy it)
        templates.default = default

    # -- bokeh ---------------------------------------------------------------------------------------------------------

    def _document(self) -> Iterator[tuple[str, Any]]:
        """What ``curdoc()`` gives, once the notebook did anything with it."""
        now = sys.modules["bokeh.io.state"].curstate().document
        fresh = type(now)
        if now.roots or now.title != fresh().title or now.theme is not fresh().theme:
            yield "document", now

    def _give_document(self, _: str, document: Any) -> None:
        sys.modules["bokeh.io.state"].curstate().document = document


def _registry(name: str) -> Any:
    """A registry of plugins; that of themes has another place since altair 5.5."""
    altair: Any = sys.modules["altair"]
    return getattr(altair, name) if name != "themes" else themes(altair)


def themes(altair: Any) -> Any:
    """The registry of themes."""
    modern = getattr(altair, "theme", None)
    return modern._themes if modern is not None and hasattr(modern, "_themes") else altair.themes  # noqa: SLF001


def _is_changed(name: str, template: Any) -> bool:
    """Whether a template is not what plotly's own file of that name says."""
    try:
        data = pkgutil.get_data("plotly", f"package_data/templates/{name}.json")
    except OSError:
        return name != "none"
    now = json.loads(json.dumps(template.to_plotly_json(), default=_plain))
    return data is None or bool(json.loads(data) != now)


def _plain(value: Any) -> Any:
    """Arrays of a template, as its file has them."""
    return importlib.import_module("plotly.utils").PlotlyJSONEncoder().default(value)
