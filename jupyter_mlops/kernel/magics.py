"""``%load_ext jupyter_mlops``: the magics ``%mlops`` and ``%%step``.

The kernel is another environment than the server's: nothing here imports jupyter_server, asks for its address or holds a
token. What a front end should show live travels as a MIME type of ours in the output.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from jupyter_mlops.errors import Bug, MlopsError
from jupyter_mlops.kernel import arguments, step_cell
from jupyter_mlops.kernel.commands import COMMANDS, Context
from jupyter_mlops.kernel.completion import completer
from jupyter_mlops.kernel.display import CellFailed, fail, output
from jupyter_mlops.kernel.present import help_page

if TYPE_CHECKING:
    from jupyter_mlops.flow import Workbench


def register(shell: Any, workbench: Workbench | None = None) -> None:
    """Make the magics known to an IPython shell. Doing it again changes nothing.

    Args:
        shell: IPython's ``InteractiveShell``.
        workbench: What the magics work on; this machine, as the environment describes it when a magic runs, if none is given.
    """
    from IPython.core.magic import no_var_expand

    def bench() -> Workbench:
        from jupyter_mlops.flow import Workbench

        return workbench or Workbench()

    def mlops(line: str) -> None:
        run_line(shell, line, bench)

    def step(line: str, cell: str) -> None:
        run_step_cell(shell, line, cell)

    no_var_expand(mlops)  # a parameter may hold braces: IPython would make {"a":1} an expression and {{ one brace
    mlops.__doc__ = arguments.build()[0].format_help()
    step.__doc__ = step_cell.USAGE
    shell.register_magic_function(mlops, "line", "mlops")
    shell.register_magic_function(step, "cell", "step")
    shell.set_hook("complete_command", completer(bench), str_key="%mlops")
    if step_cell.blank_step_line not in shell.input_transformers_cleanup:
        shell.input_transformers_cleanup.append(step_cell.blank_step_line)


def run_line(shell: Any, line: str, bench: Callable[[], Workbench]) -> None:
    """One ``%mlops`` line. Raises CellFailed after the error was shown."""
    what = f"%mlops {line}".strip()
    try:
        options = arguments.parse(line)
        found = bench().at(options.target) if hasattr(options, "target") else bench()
        COMMANDS[options.command](Context(found, shell), options)
    except arguments.HelpAsked as asked:
        output(shell).show(help_page(asked.text))
    except MlopsError as error:
        raise fail(shell, what, error) from None
    except CellFailed:
        raise
    except Exception as error:
        bug = Bug(f"{type(error).__name__}: {error}", fix="Please report it with the output of: jupyter mlops doctor")
        raise fail(shell, what, bug) from error


def run_step_cell(shell: Any, line: str, cell: str) -> None:
    """A ``%%step`` cell whose line the transformer left: help, or an error. A good one (called by name) is run."""
    if line.split() in step_cell.HELP:
        output(shell).show(help_page(step_cell.USAGE))
        return
    try:
        step_cell.check(line)
    except MlopsError as error:
        raise fail(shell, "%%step", error) from None
    result = shell.run_cell(cell, store_history=False)
    if not result.success:
        raise CellFailed("the cell failed (see above)")
