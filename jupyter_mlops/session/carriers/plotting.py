"""Settings of libraries that are plain values: each with its way of asking and setting.

Only what differs from what the library had when it was loaded travels.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import partial
from operator import attrgetter
from typing import Any

from jupyter_mlops.session.carriers.base import Context
from jupyter_mlops.session.drawn import themes

Setting = tuple[Callable[[Any], Any], Callable[[Any, Any], object]]
"""How a value is asked of a library's module, and how it is set there."""


def _attribute(owner: str, name: str) -> Setting:
    """A plain attribute of something in the module."""

    def find(module: Any) -> Any:
        return getattr(module, owner) if owner else module

    return lambda module: getattr(find(module), name), lambda module, value: setattr(find(module), name, value)


def _registry(find: Callable[[Any], Any]) -> Setting:
    """What altair has enabled: its name and options. What the notebook registered itself comes later (see :mod:`drawn`)."""

    def give(module: Any, value: tuple[str, dict[str, Any]]) -> None:
        if value[0] in find(module).names():
            find(module).enable(value[0], **value[1])

    return lambda module: (find(module).active, dict(find(module).options)), give


def _give_template(module: Any, name: str | None) -> None:
    """The template of new figures, of plotly's own; one of the notebook comes with that template (see :mod:`drawn`)."""
    if name is None or all(part in module.templates for part in name.split("+")):
        module.templates.default = name


def _give_options(module: Any, value: dict[str, Any]) -> None:
    module.set_options(**value)


def _give_config(module: Any, value: dict[str, Any]) -> None:
    module.set_config(**value)


def _give_levels(module: Any, levels: dict[int, str]) -> None:
    for level, name in levels.items():
        module.addLevelName(level, name)


_namespaces = attrgetter("_namespace_map")


def _give_start_method(module: Any, method: str | None) -> None:
    module.set_start_method(method, force=True)


def _give_file(module: Any, given: dict[str, Any] | None) -> None:
    """Where ``show`` writes to: a file of that name, or none."""
    if given is None:
        module.curstate().file = None
        return
    module.curstate().output_file(**given)


def _bokeh_file(module: Any) -> dict[str, Any] | None:
    """What ``output_file`` was told."""
    file = module.curstate().file
    return {"filename": file.filename, "title": file.title} if file is not None else None


def _give_page(module: Any, kind: str | None) -> None:
    """Whether ``show`` draws into the page; the page itself has what ``output_notebook`` loaded into it."""
    if kind is None:
        module.curstate().reset()
    else:
        module.curstate().output_notebook(kind)


def _give_progress(module: Any, shown: bool) -> None:
    (module.enable_progress_bars if shown else module.disable_progress_bars)()


SETTINGS: Mapping[str, Mapping[str, Setting]] = {
    "plotly.io": {
        "renderers": _attribute("renderers", "default"),
        "template": (lambda module: module.templates.default, _give_template),
    },
    "plotly.express": {
        name: _attribute("defaults", name)
        for name in ("template", "width", "height", "color_discrete_sequence", "color_continuous_scale")
    },
    "altair": {
        **{name: _registry(attrgetter(name)) for name in ("data_transformers", "renderers")},
        "themes": _registry(themes),
    },
    "xarray": {"options": (lambda module: dict(module.get_options()), _give_options)},
    "xgboost": {"config": (lambda module: module.get_config(), _give_config)},
    "bokeh.io.state": {
        "page": (lambda module: module.curstate().notebook_type if module.curstate().notebook else None, _give_page),
        "file": (_bokeh_file, _give_file),
    },
    "logging": {"levels": (lambda module: dict(module._levelToName), _give_levels)},  # noqa: SLF001  (it is not listed otherwise)
    "multiprocessing": {"start": (lambda module: module.get_start_method(allow_none=True), _give_start_method)},
    "reprlib": {"limits": (lambda module: dict(vars(module.aRepr)), lambda module, given: vars(module.aRepr).update(given))},
    "xml.etree.ElementTree": {
        "namespaces": (lambda module: dict(_namespaces(module)), lambda module, given: _namespaces(module).update(given)),
    },
    "datasets": {"progress": (lambda module: not module.are_progress_bars_disabled(), _give_progress)},
}  # fmt: skip
"""Module → setting → how it is asked and set."""


class Settings:
    """(setting, value) of one library."""

    def __init__(self, _: Context, module: str) -> None:
        self.name, self.module = f"settings.{module}", module
        self._found: dict[str, Any] | None = None

    def capture(self) -> Any:
        """See :class:`Carrier`. The first look, right after the library was loaded, tells its defaults."""
        now = {name: ask(sys.modules[self.module]) for name, (ask, _) in SETTINGS[self.module].items()}
        if self._found is None:
            self._found = now
        return sorted((name, value) for name, value in now.items() if value != self._found[name]) or None

    def restore(self, value: Any) -> None:
        """See :class:`Carrier`."""
        self.capture()
        for name, given in value:
            if name in SETTINGS[self.module]:
                SETTINGS[self.module][name][1](sys.modules[self.module], given)


FACTORIES = tuple(partial(Settings, module=module) for module in SETTINGS)
