"""What Tab offers after ``%mlops``: commands, options, notebooks, and the names of runs, models and services.

It runs while a person types: whatever goes wrong offers nothing rather than an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_mlops.kernel.arguments import options
from jupyter_mlops.kernel.commands import COMMANDS

if TYPE_CHECKING:
    from jupyter_mlops.flow import Workbench

MOST = 50
"""Names offered at most: a longer list helps nobody."""


def complete(text: str, line: str, bench: Callable[[], Workbench]) -> list[str]:
    """Completions of ``text``, the word under the cursor, in ``line`` up to the cursor."""
    words = line[: len(line) - len(text)].split()[1:]
    if not words:
        return [name for name in COMMANDS if name.startswith(text)]
    if text.startswith("-"):
        return [option for option in options(words[0]) if option.startswith(text)]
    try:
        if words[-1] == "--target":
            return [name for name in islice(_targets(bench()), MOST) if name.startswith(text)]
        return [name for name in islice(_names(words[0], bench), MOST) if name.startswith(text)]
    except Exception:  # noqa: BLE001  (see the module's docstring)
        return []


def _names(command: str, bench: Callable[[], Workbench]) -> Iterable[str]:
    sources: Mapping[str, Callable[[], Iterable[str]]] = {
        "convert": _notebooks,
        "preflight": _notebooks,
        "check": _notebooks,
        "run": _notebooks,
        "runs": lambda: (run.name for run in bench().engine.list()),
        "logs": lambda: (run.name for run in bench().engine.list()),
        "models": lambda: (model.name for model in bench().models.list()),
        "deploy": lambda: (model.name for model in bench().models.list()),
        "predict": lambda: _services(bench()),
        "services": lambda: _services(bench()),
        "targets": lambda: _targets(bench()),
        "use": lambda: _targets(bench()),
        "stop": lambda: [*_services(bench()), *(run.name for run in bench().engine.list() if run.finished is None)],
    }
    return sources[command]() if command in sources else ()


def _notebooks() -> Iterable[str]:
    return sorted(path.name for path in Path.cwd().glob("*.ipynb"))


def _targets(bench: Workbench) -> Iterable[str]:
    return (found.target.name for found in bench.targets.list())


def _services(bench: Workbench) -> Iterable[str]:
    return (service.name for service in bench.services.list())


def completer(bench: Callable[[], Workbench]) -> Callable[[Any, Any], list[str]]:
    """The hook that IPython calls for a line that starts with ``%mlops``."""

    def hook(_shell: Any, event: Any) -> list[str]:
        return complete(event.symbol, event.line, bench)

    return hook
