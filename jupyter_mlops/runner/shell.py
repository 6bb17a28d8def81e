"""The IPython shell of a step: what a kernel's shell does, with outputs collected instead of sent.

Everything that a terminal or a history database would need is left off: starting is part of every step's cost.
"""

from __future__ import annotations

import atexit
import builtins
import getpass
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_mlops.runner.outputs import Outputs
from jupyter_mlops.runner.progress import Log

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

OURS = "jupyter_mlops"
INLINE = "module://matplotlib_inline.backend_inline"

_MODULE = {
    **dict.fromkeys(("__package__", "__loader__", "__spec__")),
    "__doc__": "Automatically created module for IPython interactive environment",
}
"""What the module of a kernel's names has from the start: ``print(__doc__)`` of a script that became a notebook shows it."""


def make_shell(outputs: Outputs, log: Log, count: int, scratch: Path) -> InteractiveShell:
    """The shell of this process; its first cell has this execution count. Its namespace becomes ``__main__``.

    ``scratch`` is a folder for IPython's own files, which nobody keeps: a step must not write into a person's profile.
    """
    os.environ.setdefault("MPLBACKEND", INLINE)  # as ipykernel does, before anything can import matplotlib
    from traitlets.config import Config

    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor" if _lower_case_colors() else "NoColor"
    config.IPKernelApp.connection_file = ""  # that there is such a section is how some libraries know a kernel
    shell = _shell_class()(config=config, ipython_dir=str(scratch), user_ns=dict(_MODULE))
    shell.user_ns_hidden.update(_MODULE)  # the notebook did not make them
    atexit.unregister(shell.atexit_operations)  # it writes a history that is not kept
    for cls in type(shell)._walk_mro():  # noqa: SLF001  (what instance() does; it makes get_ipython() find this shell)
        cls._instance = shell
    shell.collect(outputs, log)
    shell.kernel = _Kernel(shell)
    shell.execution_count = count
    sys.displayhook = shell.displayhook
    builtins.input = shell.raw_input
    getpass.getpass = shell.raw_input
    return shell


def _lower_case_colors() -> bool:
    from IPython import version_info

    return bool(version_info[0] >= 9)  # noqa: PLR2004  (IPython 9 renamed its colour schemes)


class _Kernel:
    """That the shell has one is how pandas knows that it prints for a page and not for a terminal; no more can be asked of it."""

    def __init__(self, shell: Any) -> None:
        self.shell = shell

    def get_parent(self) -> dict[str, Any]:
        """No request of a browser is being answered."""
        return {}


def _hook_class() -> Any:
    from IPython.core.displayhook import DisplayHook

    class Hook(DisplayHook):  # type: ignore[misc]  # IPython has no types
        """The value of a cell's last expression becomes an output."""

        data: dict[str, Any]
        metadata: dict[str, Any]

        def write_output_prompt(self) -> None:
            self.data, self.metadata = {}, {}

        def write_format_data(self, format_dict: dict[str, Any], md_dict: dict[str, Any] | None = None) -> None:
            self.data, self.metadata = clean(format_dict), clean(md_dict or {})

        def finish_displayhook(self) -> None:
            sys.stdout.flush()
            if self.data:
                self.shell.outputs.result(self.prompt_count, self.data, self.metadata)
            self._is_active = False

    return Hook


def _publisher_class() -> Any:
    from IPython.core.displaypub import DisplayPublisher

    class Publisher(DisplayPublisher):  # type: ignore[misc]  # IPython has no types
        """Displays become outputs."""

        def publish(
            self,
            data: dict[str, Any],
            metadata: dict[str, Any] | None = None,
            *_: Any,
            transient: dict[str, Any] | None = None,
            update: bool = False,
            **__: Any,
        ) -> None:
            display_id = (transient or {}).get("display_id")
            shown, about = clean(data), clean(metadata or {})
            if update and display_id:
                self.shell.outputs.update(shown, about, display_id)
            else:
                self.shell.outputs.display(shown, about, display_id)

        def clear_output(self, wait: bool = False) -> None:
            self.shell.outputs.clear(wait=wait)

    return Publisher


def _extensions_class() -> Any:
    from IPython.core.extensions import ExtensionManager

    class Extensions(ExtensionManager):  # type: ignore[misc]  # IPython has no types
        """This product's own extension belongs to the kernel of a person: loading it does nothing here."""

        def load_extension(self, module_str: str) -> str | None:
            return None if module_str == OURS else super().load_extension(module_str)

        def reload_extension(self, module_str: str) -> str | None:
            return None if module_str == OURS else super().reload_extension(module_str)

    return Extensions


def _shell_class() -> Any:
    """The class, made when IPython is loaded."""
    from IPython.core.error import StdinNotImplementedError
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets import Any as Anything
    from traitlets import Type

    class StepShell(InteractiveShell):  # type: ignore[misc]  # IPython has no types
        """A kernel's shell without a kernel."""

        displayhook_class = Type(_hook_class())
        display_pub_class = Type(_publisher_class())
        kernel = Anything()
        outputs: Outputs
        tell: Log
        unshown: BaseException | None = None
        """Why the value of the cell's last expression could not be shown: there a kernel ends a cell, too."""

        def collect(self, outputs: Outputs, log: Log) -> None:
            self.outputs, self.tell = outputs, log
            for kind in ("line", "cell"):
                self.register_magic_function(lambda *_: None, kind, "mlops")
            self.set_hook("show_in_pager", lambda *_, **__: None, 99)

        def init_extension_manager(self) -> None:
            self.extension_manager = _extensions_class()(shell=self, parent=self)
            self.configurables.append(self.extension_manager)

        def init_sys_modules(self) -> None:
            self._main_mod_cache: dict[str, Any] = {}
            sys.modules["__main__"] = self.user_module

        def init_virtualenv(self) -> None:
            """The interpreter is the right one already."""

        def enable_gui(self, gui: Any = None) -> None:
            """No windows."""

        def ask_exit(self) -> None:
            """``exit`` ends nothing here; the notebook goes on as under Restart & Run All."""

        def raw_input(self, *_: Any, **__: Any) -> str:
            raise StdinNotImplementedError("a pipeline step cannot ask: make the value a parameter")

        def _showtraceback(self, etype: Any, evalue: Any, stb: list[str]) -> None:
            lines = [str(line) for line in stb]
            if self.displayhook.is_active:
                self.unshown = evalue
            self.outputs.error(getattr(etype, "__name__", str(etype)), _text(evalue), lines)
            self.tell.text("\n".join(lines) + "\n")

        system = InteractiveShell.system_piped

    StepShell.__name__ = StepShell.__qualname__ = "ZMQInteractiveShell"  # libraries and notebooks know a kernel by this name
    return StepShell


def clean(data: dict[str, Any]) -> dict[str, Any]:
    """A MIME bundle as JSON: bytes become base64, what JSON cannot say is left out."""
    import base64
    import json

    found: dict[str, Any] = {}
    for key, value in data.items():
        if isinstance(value, bytes):
            found[key] = base64.b64encode(value).decode("ascii")
            continue
        try:
            json.dumps(value)
        except (TypeError, ValueError):
            continue
        found[key] = value
    return found


def _text(value: Any) -> str:
    try:
        return str(value)
    except Exception as error:  # noqa: BLE001  (an exception of the notebook that cannot say itself)
        return f"<{type(value).__name__}, whose str() raised {type(error).__name__}>"
