"""What the notebook set on IPython itself: extensions, traits (``%precision``, ``%config``), aliases.

Only differences to a fresh shell travel. Of its history, completion and streams nothing does: those belong to
the process. Functions of the notebook that hang on IPython (printers, magics, callbacks) are in ``hooks``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from jupyter_mlops.session.carriers.base import Context

_SKIPPED_CLASSES = frozenset({
    "HistoryManager", "IPCompleter", "DisplayPublisher", "DisplayHook", "PayloadManager", "Publisher", "Hook", "Extensions",
})  # fmt: skip
_SKIPPED_TRAITS = frozenset({
    "ipython_dir", "logfile", "logappend", "logstart", "inspector_class", "loop_runner", "parent", "config", "log",
    "type_printers", "singleton_printers", "deferred_printers",
})  # fmt: skip
_RELOADER = ("enabled", "check_all", "autoload_obj")


class Extensions:
    """Extensions that the notebook loaded, and the mode of ``autoreload``."""

    name, module = "ipython.extensions", ""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._found = set(_loaded(context.shell))

    def capture(self) -> Any:
        """See :class:`Carrier`."""
        fresh = sorted(set(_loaded(self._context.shell)) - self._found)
        reloader = self._reloader()
        mode = [getattr(reloader, key, None) for key in _RELOADER] if reloader is not None else None
        return (fresh, mode) if fresh else None

    def restore(self, value: Any) -> None:
        """See :class:`Carrier`."""
        extensions, mode = value
        for extension in extensions:
            try:
                self._context.shell.extension_manager.load_extension(extension)
            except Exception as error:  # noqa: BLE001, PERF203  (code of a third party)
                self._context.warn(f"the IPython extension {extension} cannot be loaded here: {type(error).__name__}: {error}")
        reloader = self._reloader()
        if reloader is not None and mode:
            for key, given in zip(_RELOADER, mode, strict=True):
                setattr(reloader, key, given)

    def _reloader(self) -> Any:
        registry = getattr(getattr(self._context.shell, "magics_manager", None), "registry", {})
        return getattr(registry.get("AutoreloadMagics"), "_reloader", None)


class Traits:
    """Configurable traits of the shell and what belongs to it, and the style of tracebacks (``%xmode``)."""

    name, module = "ipython.traits", ""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._there = {cls.__name__ for _, one in _configurables(context.shell) for cls in type(one).__mro__}
        self._there |= {type(one).__name__ for one in getattr(context.shell, "configurables", ())}
        self._found = dict(self._now())

    def capture(self) -> Any:
        """See :class:`Carrier`."""
        late = self._of_those_made_late()
        return [(key, value) for key, value in self._now() if _differ(self._found.get(key, late.get(key, late)), value)] or None

    def _of_those_made_late(self) -> dict[tuple[str, str], Any]:
        """What their traits are when nobody sets them: IPython makes some parts only when they are used first."""
        known = {owner for owner, _ in self._found}
        new = [(owner, one) for owner, one in _configurables(self._context.shell) if owner not in known]
        return {(owner, trait): given for owner, one in new for trait, given in one.trait_defaults(config=True).items()}

    def restore(self, value: Any) -> None:
        """See :class:`Carrier`."""
        owners = dict(_configurables(self._context.shell))
        for (owner, trait), given in value:
            if owner == "config":
                self._context.shell.config[trait].update(given)
            elif owner == "InteractiveTB":
                self._context.shell.InteractiveTB.set_mode(given)
            elif owner in owners:
                with suppress(Exception):  # a trait that this version of IPython does not take
                    setattr(owners[owner], trait, given)

    def _now(self) -> Iterator[tuple[tuple[str, str], Any]]:
        shell = self._context.shell
        for owner, configurable in _configurables(shell):
            for trait in sorted(configurable.trait_names(config=True)):
                if trait not in _SKIPPED_TRAITS:
                    with suppress(Exception):
                        yield (owner, trait), _copy(getattr(configurable, trait))
        for section in sorted(set(getattr(shell, "config", ())) - self._there):  # for what is made later, such as InlineBackend
            yield ("config", section), dict(shell.config[section])
        if hasattr(shell, "InteractiveTB"):
            yield ("InteractiveTB", "mode"), shell.InteractiveTB.mode


class Aliases:
    """Names for lines of the system's shell: ``%alias``."""

    name, module = "ipython.aliases", ""

    def __init__(self, context: Context) -> None:
        self._manager: Any = getattr(context.shell, "alias_manager", None)
        self._found = dict(self._now())

    def capture(self) -> Any:
        """See :class:`Carrier`."""
        return sorted((name, command) for name, command in self._now() if self._found.get(name) != command) or None

    def restore(self, value: Any) -> None:
        """See :class:`Carrier`."""
        for name, command in value:
            self._manager.soft_define_alias(name, command)

    def _now(self) -> list[tuple[str, str]]:
        return list(getattr(self._manager, "aliases", ()))


class InlineFigures:
    """How figures become outputs (``%config InlineBackend.figure_formats``), where it is not the default."""

    name, module = "inline", "matplotlib_inline.config"

    def __init__(self, context: Context) -> None:
        self._shell = context.shell

    def capture(self) -> Any:
        """See :class:`Carrier`."""
        cls = sys.modules[self.module].InlineBackend
        if not cls.initialized():
            return None
        backend = cls.instance()
        traits = [(name, getattr(backend, name), trait) for name, trait in sorted(backend.traits(config=True).items())]
        if "InlineBackend" not in self._shell.config and not any(_differ(now, trait.default(backend)) for _, now, trait in traits):
            return None
        return [(name, sorted(now) if isinstance(now, set) else now) for name, now, _ in traits if name != "figure_format"]

    def restore(self, value: Any) -> None:
        """See :class:`Carrier`."""
        backend = sys.modules[self.module].InlineBackend.instance(parent=self._shell)
        for name, given in value:
            setattr(backend, name, given)


class Pylab:
    """``%pylab``: names of numpy and pyplot, which IPython keeps apart from the notebook's own and a step would not be given."""

    name, module = "ipython.pylab", ""
    _SOME, _ALL = "figsize", "linspace"
    """A name that it always binds, and one of those that ``--no-import-all`` leaves out."""

    def __init__(self, context: Context) -> None:
        self._shell = context.shell

    def capture(self) -> Any:
        """See :class:`Carrier`."""
        hidden = getattr(self._shell, "user_ns_hidden", {})
        return (self._ALL in hidden,) if self._SOME in hidden else None

    def restore(self, value: Any) -> None:
        """See :class:`Carrier`. Names that the notebook bound itself are delivered after it."""
        from IPython.core.pylabtools import import_pylab

        names: dict[str, Any] = {}
        import_pylab(names, value[0])
        self._shell.user_ns.update(names)
        self._shell.user_ns_hidden.update(names)


class Folders:
    """Folders that ``%cd`` went through (``_dh``) and ``%pushd`` kept; those inside the step's own are kept relative to it."""

    name, module = "ipython.folders", ""

    def __init__(self, context: Context) -> None:
        self._shell, self._root = context.shell, context.root

    def capture(self) -> Any:
        """See :class:`Carrier`."""
        if self._shell is None:
            return None
        visited, kept = self._shell.user_ns.get("_dh", ()), self._shell.dir_stack
        return ([self._short(one) for one in visited], [self._short(one) for one in kept]) if len(visited) > 1 or kept else None

    def restore(self, value: Any) -> None:
        """See :class:`Carrier`."""
        visited, kept = ([self._long(one) for one in folders] for folders in value)
        self._shell.user_ns["_dh"][:] = visited
        self._shell.dir_stack[:] = kept

    def _short(self, folder: Any) -> tuple[str, bool, bool]:
        """(path, whether it is inside, whether it is a text and no path)."""
        inside = Path(folder).is_relative_to(self._root)
        return (Path(folder).relative_to(self._root).as_posix() if inside else str(folder)), inside, isinstance(folder, str)

    def _long(self, stored: tuple[str, bool, bool]) -> Any:
        path, inside, is_text = stored
        folder = self._root / path if inside else Path(path)
        return str(folder) if is_text else folder


class Comms:
    """Comms of the notebook that wait for messages of a page: there is none behind a step, so that it is told."""

    name, module = "comm", "comm"

    def __init__(self, context: Context) -> None:
        self._context, self._shell = context, context.shell

    def capture(self) -> Any:
        """See :class:`Carrier`. Nothing is carried: what waits is of its process."""
        known = sys.modules["comm"].get_comm_manager().comms if self._shell is not None else {}
        for one in known.values():
            called: Any = getattr(one, "_msg_callback", None)
            if getattr(called, "__globals__", None) is self._shell.user_ns:
                self._context.warn(
                    f"the comm to {one.target_name!r} waits for messages of a page, and there is none behind a step: "
                    f"{called.__qualname__} is never called. Give the values as parameters."
                )

    def restore(self, value: Any) -> None:
        """See :class:`Carrier`. There is never anything."""


def _loaded(shell: Any) -> Iterator[str]:
    yield from getattr(getattr(shell, "extension_manager", None), "loaded", ())


def _configurables(shell: Any) -> Iterator[tuple[str, Any]]:
    """By a name that another process has too."""
    if shell is None:
        return
    yield "InteractiveShell", shell
    for one in getattr(shell, "configurables", ()):
        name = type(one).__name__
        if one is not shell and name not in _SKIPPED_CLASSES and name != "InlineBackend":
            yield name, one
    yield from _formatters(shell)


def _formatters(shell: Any) -> Iterator[tuple[str, Any]]:
    yield from getattr(getattr(shell, "display_formatter", None), "formatters", {}).items()


def _copy(value: Any) -> Any:
    """Containers are compared with what they held."""
    return type(value)(value) if type(value) in {list, dict, set} else value


def _differ(first: Any, second: Any) -> bool:
    try:
        return first is not second and bool(first != second)
    except Exception:  # noqa: BLE001  (values of third parties)
        return True


FACTORIES = (Extensions, Traits, Aliases, InlineFigures, Folders, Pylab, Comms)
