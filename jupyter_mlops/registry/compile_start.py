"""Run as a script, by a Python without site packages: compiles what a step imports, for ``compiledlayer``.

    python -S -B -c "$(cat compile_start.py)" FOLDER

FOLDER holds the unpacked layers ``runner`` and ``ipython``; the new layer is written to standard output.
"""

from __future__ import annotations

import importlib
import marshal
import sys
import zlib
from contextlib import suppress
from importlib.machinery import SourceFileLoader
from importlib.util import MAGIC_NUMBER, source_hash
from pathlib import Path

FORMAT = 2
"""The last format of marshal that writes everything by value."""


def imported(folder: Path) -> dict[str, str]:
    """Name → file of those modules of the layers that a step has imported when its first cell runs.

    Where IPython cannot be imported, it is left out: the image has its own, or the step is refused.
    """
    sys.path[:] = [*(entry for entry in sys.path if entry), str(folder / "runner" / "lib"), str(folder / "ipython")]
    for name in ("runner.start", "runner.main", "oci.remote"):  # the last for a registry that is not a folder
        importlib.import_module(f"jupyter_mlops.{name}")
    with suppress(ImportError):
        _cell()
    origins = {name: _file(module) for name, module in sys.modules.items()}
    return {name: file for name, file in origins.items() if file and Path(file).is_relative_to(folder)}


def _cell() -> None:
    """Run one, as a step does."""
    from jupyter_mlops.runner.loop import Loop
    from jupyter_mlops.runner.outputs import Outputs
    from jupyter_mlops.runner.progress import Log
    from jupyter_mlops.runner.shell import make_shell

    Loop(make_shell(Outputs(), Log(), 1, Path.cwd())).run("1 + 1")


def _file(module: object) -> str:
    """The Python file that a module was read from; '' for any other kind."""
    spec = getattr(module, "__spec__", None)
    return str(spec.origin) if spec is not None and type(spec.loader) is SourceFileLoader else ""


def layer(found: dict[str, str]) -> bytes:
    """The layer of these modules."""
    table = {}
    for name, file in sorted(found.items()):
        source = Path(file).read_bytes()
        code = compile(source, "", "exec", dont_inherit=True, optimize=0)  # an import gives the code its file's name
        table[name] = source_hash(source) + marshal.dumps(code, FORMAT)
    return zlib.compress(MAGIC_NUMBER + marshal.dumps(table, FORMAT), 9)


if __name__ == "__main__":
    out, sys.stdout = sys.stdout.buffer, sys.stderr
    out.write(layer(imported(Path(sys.argv[1]))))
