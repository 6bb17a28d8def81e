"""What a step will want of the place that it runs in, and has not asked for: a GPU, environment variables.

Notes only: this machine may have both, and only its owner knows whether the cluster does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from jupyter_mlops.errors import Diagnostic
from jupyter_mlops.notebook.document import Cell
from jupyter_mlops.pipeline.environ import environment_reads
from jupyter_mlops.pipeline.gpu import Use
from jupyter_mlops.pipeline.pipeline import Step


def advice(steps: Iterable[Step], cells: Iterable[Cell], gpu: Mapping[int, Use]) -> Iterator[Diagnostic]:
    """All notes.

    Args:
        steps: with their options.
        cells: the code cells that run, in document order.
        gpu: the cells that use a GPU.
    """
    step_of = {cell: step for step in steps for cell in step.cells}
    yield from _gpu(dict.fromkeys(step.name for step in step_of.values()), step_of, gpu)
    yield from _environment(step_of, cells)


def _gpu(names: Iterable[str], step_of: Mapping[int, Step], gpu: Mapping[int, Use]) -> Iterator[Diagnostic]:
    """Steps that use a GPU and ask for none: on a cluster they would get a machine without."""
    first: dict[str, int] = {}
    for cell in sorted(gpu.keys() & step_of.keys()):
        first.setdefault(step_of[cell].name, cell)
    for name in names:
        if name not in first or _asks(step_of[first[name]]):
            continue
        cell = first[name]
        use = gpu[cell]
        how = "uses a GPU" if use.sure else "uses a GPU where there is one"
        message = f"step {name} {how} ({use.what} in cell {cell}) and asks for none; on a cluster it gets none"
        fix = f"Ask for one: `gpu: 1` in the options of the step, or `%%step {name} --gpu 1`."
        yield Diagnostic("gpu-unasked", "info", message, cell, use.line, fix)


def _asks(step: Step) -> bool:
    return step.options.gpu is not None or any("gpu" in name or "/mig-" in name for name in step.options.resources)


def _environment(step_of: Mapping[int, Step], cells: Iterable[Cell]) -> Iterator[Diagnostic]:
    """Variables that a cell reads, no cell sets, and the cell's step does not declare."""
    for read in environment_reads(cells):
        step = step_of.get(read.cell)
        if step is None or read.name in step.options.env or any(one["env"] == read.name for one in step.options.secrets):
            continue
        then = "fails without it" if read.needed else "goes on without it"
        message = f"cell {read.cell} reads the environment variable {read.name}; on a cluster it is not there, and the cell {then}"
        fix = f"Declare it in the options of step {step.name}: `env` for a plain value, `secrets` for anything else."
        yield Diagnostic("environment-read", "info", message, read.cell, read.line, fix)
