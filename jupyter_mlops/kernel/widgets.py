"""A live view of one run: steps, progress, the end of the log, and a button that stops it.

Made of the controls that ipywidgets has, so that it looks like the rest of the notebook; where ipywidgets is not installed the
same view is a plain output that replaces itself. A run belongs to no cell: the view follows it in a thread of its own, the
cell ends at once, and the run goes on when the view is gone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from jupyter_mlops.errors import MlopsError
from jupyter_mlops.kernel import present
from jupyter_mlops.kernel.display import Output
from jupyter_mlops.kernel.follow import follow
from jupyter_mlops.kernel.page import Block, Page, as_html, as_text, bundle

if TYPE_CHECKING:
    from jupyter_mlops.engine.base import Run
    from jupyter_mlops.flow import Workbench


class Surface(Protocol):
    """Something a run can be drawn on."""

    def draw(self, run: Run, tail: Sequence[str]) -> None:
        """Show a run and the last lines of its logs; called from the following thread."""

    def fail(self, page: Page) -> None:
        """Show that the following ended with an error."""

    def display(self) -> None:
        """Appear as an output of the running cell."""


class RunView:
    """A live view of a run; the last expression of a cell shows it.

    Args:
        run: A run or its name.
        workbench: Where the run is; the target that the run names, or the default one, if none is given.
        surface: Draws it; controls of ipywidgets where that is installed, else plain output.

    Raises:
        NotFound: There is no such run.
    """

    def __init__(
        self, run: str | Run, workbench: Workbench | None = None, surface: Callable[[RunView], Surface] | None = None
    ) -> None:
        from jupyter_mlops.flow import Workbench

        self._bench = workbench or Workbench().at(None if isinstance(run, str) else run.target)
        self._run: Run = self._bench.engine.get(run) if isinstance(run, str) else run
        self._left = threading.Event()
        self._surface = (surface or _surface)(self)
        self._surface.draw(self._run, ())
        self._thread = threading.Thread(target=self._follow, name=f"mlops-view-{self._run.name}", daemon=True)
        self._thread.start()

    @property
    def run(self) -> Run:
        """The run as it was last seen."""
        return self._run

    def wait(self, timeout: float | None = None) -> Run:
        """Block until the run is done or ``timeout`` seconds are over, and return the run."""
        self._thread.join(timeout)
        return self._run

    def stop(self) -> None:
        """Stop the run. Returns when it is stopped; a finished run stays as it is."""
        self._bench.engine.control(self._run.name, "stop")

    def close(self) -> None:
        """End the view; the run goes on."""
        self._left.set()
        self._thread.join(timeout=5.0)

    def _draw(self, run: Run, tail: Sequence[str]) -> None:
        self._run = run
        self._surface.draw(run, tail)

    def _follow(self) -> None:
        try:
            self._run = follow(self._bench.engine, self._run, self._draw, left=self._left)
        except MlopsError as error:
            self._surface.fail(present.error_page(error))

    def _ipython_display_(self) -> None:
        self._surface.display()

    def __repr__(self) -> str:
        return as_text(present.run_page(self._run))


def _surface(view: RunView) -> Surface:
    """Controls where ipywidgets can be imported, else a plain output."""
    try:
        import ipywidgets  # noqa: F401  (only to see whether it is there)
    except ImportError:
        return Plain(Output(live=True), view.run)
    return Controls(view)


class Plain:
    """One output that replaces itself. Nothing is shown before ``display``."""

    def __init__(self, output: Output, run: Run) -> None:
        self._output = output
        self._page = present.run_page(run)
        self._shown = False
        self._lock = threading.Lock()

    def draw(self, run: Run, tail: Sequence[str]) -> None:
        """Replace the output."""
        self._show(present.run_page(run, tail))

    def fail(self, page: Page) -> None:
        """Replace the output by an error."""
        self._show(page)

    def display(self) -> None:
        """Appear."""
        with self._lock:
            self._shown = True
            self._output.show(self._page)

    def _show(self, page: Page) -> None:
        with self._lock:
            self._page = page
            if self._shown:
                self._output.show(page)


class Controls:
    """The view made of stock ipywidgets controls. Values are set from the following thread, which comms allow."""

    def __init__(self, view: RunView) -> None:
        import ipywidgets as widgets

        self._view = view
        self._steps = widgets.HTML()
        self._bar = widgets.IntProgress(description="cells", layout=widgets.Layout(width="100%"))
        self._log = widgets.HTML()
        self._trouble = widgets.HTML()
        self._button = widgets.Button(description="Stop", icon="stop", tooltip=f"Stop {view.run.name}")
        self._button.on_click(self._stop)
        self.box = widgets.VBox([self._bar, self._steps, self._log, self._trouble, self._button])

    def draw(self, run: Run, tail: Sequence[str]) -> None:
        """Set the values of the controls."""
        self._steps.value = as_html(present.run_page(run))
        done, cells = progress(run)
        self._bar.max, self._bar.value = max(cells, 1), done
        self._bar.bar_style = {"Succeeded": "success", "Failed": "danger", "Error": "danger", "Stopped": "warning"}.get(
            run.phase, ""
        )
        self._log.value = as_html(Page((Block(tuple(tail)),))) if tail else ""
        if run.finished is not None:
            self._button.layout.display = "none"

    def fail(self, page: Page) -> None:
        """Show the error under what was seen of the run."""
        self._trouble.value = as_html(page)

    def display(self) -> None:
        """Appear, with HTML and text beside the controls for whoever has no widgets in front of them."""
        from IPython.display import display

        made = dict(self.box._repr_mimebundle_())
        shown = bundle(present.run_page(self._view.run))
        display({**made, "text/plain": shown["text/plain"], "text/html": shown["text/html"]}, raw=True)

    def _stop(self, _button: Any) -> None:
        self._trouble.value = ""
        self._button.disabled = True
        self._button.description = "Stopping"
        # A step has some seconds to end; the kernel's own thread must stay free for the next cell meanwhile.
        threading.Thread(target=self._stop_now, name="mlops-stop", daemon=True).start()

    def _stop_now(self) -> None:
        try:
            self._view.stop()
        except MlopsError as error:
            self.fail(present.error_page(error))
            self._button.disabled = False
            self._button.description = "Stop"


def progress(run: Run) -> tuple[int, int]:
    """Cells done and cells to do, over all steps."""
    done = total = 0
    for step in run.steps:
        ready, cells = step.progress or (0, len(step.cells))
        done += cells if step.phase == "Succeeded" else ready
        total += cells
    return done, total
