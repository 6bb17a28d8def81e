"""Where pages go: a cell's output in a notebook, plain lines in a terminal, and the one way a magic fails.

A kernel can replace an output in place, a terminal can only add to it; so a page that changes is shown again in a terminal
only when its states changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jupyter_mlops.kernel.page import Page, as_text, bundle
from jupyter_mlops.kernel.present import error_page

if TYPE_CHECKING:
    from jupyter_mlops.errors import MlopsError


class CellFailed(Exception):
    """Ends a cell whose magic failed, so that *Run All* stops there. IPython asks it how to look: one line, no traceback."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


@dataclass
class Output:
    """One output of a cell, shown at first and replaced from then on."""

    live: bool
    """Whether it can be replaced in place (a kernel), or only added to (a terminal)."""

    _handle: Any = None
    _last: str = ""

    def show(self, page: Page, *, quiet: bool = False) -> None:
        """Show a page in place of the one before. ``quiet``: skip it where nothing can be replaced."""
        from IPython.display import display

        if self._handle is None:
            self._handle = display(bundle(page), raw=True, display_id=True)
        elif self.live:
            self._handle.update(bundle(page), raw=True)
        elif quiet or as_text(page) == self._last:
            return
        else:
            display(bundle(page), raw=True)
        self._last = as_text(page)


def output(shell: Any) -> Output:
    """A new output of the running cell. ``shell`` is IPython's; only that of a kernel has one."""
    return Output(live=getattr(shell, "kernel", None) is not None)


def fail(shell: Any, what: str, error: MlopsError) -> CellFailed:
    """Show an error in the form of the house and return what ends the cell."""
    output(shell).show(error_page(error))
    return CellFailed(f"{what} failed: {error.code} (see above)")
