"""Settings of drawing and table libraries that are plain values: each with its way of asking and setting.

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
