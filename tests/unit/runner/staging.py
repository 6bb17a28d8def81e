"""Runs notebooks as steps through the real bootstrap, runner and registry folder, and compares with one kernel."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from judges.record import agrees, in_fresh_process, starred
from judges.values import steady

from jupyter_mlops.notebook.document import Cell, Notebook
from jupyter_mlops.oci.artifact import read_config
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.pipeline.pipeline import Options, Parameter, Pipeline, Step
from jupyter_mlops.registry.bundles import push_bundle
from jupyter_mlops.workflow.bootstrap import bootstrap_text

CORPUS = Path(__file__).parents[2] / "corpus"
PROBE = Path(__file__).with_name("probe.py")


@dataclass
class Ran:
    """One step that ran."""

    code: int
    stdout: str
    stderr: str
    state: str
    outputs: dict[str, Any]
    report: dict[str, Any]
    failure: dict[str, Any] | None

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line[7:]) for line in self.stdout.splitlines() if line.startswith("@mlops ")]

    @property
    def text(self) -> str:
        return "".join(line for line in self.stdout.splitlines(keepends=True) if not line.startswith("@mlops "))

    def stream(self, cell: int, name: str = "stdout") -> str:
        found = self.outputs.get(str(cell), {}).get("outputs", [])
        return "".join(x["text"] for x in found if x["output_type"] == "stream" and x["name"] == name)

    def displays(self, cell: int) -> list[str]:
        found = self.outputs.get(str(cell), {}).get("outputs", [])
        return [x["data"].get("text/plain", "") for x in found if x["output_type"] in {"display_data", "execute_result"}]


@dataclass
class Stage:
    """A folder with a registry in which one notebook runs, step by step."""

    root: Path
    cells: Sequence[str]
    steps: Sequence[tuple[int, ...]] | None = None
    parameters: Sequence[Parameter] = ()
    options: Mapping[int, Options] = field(default_factory=dict)
    folder: Path | None = None
    python: str = ""
    run_name: str = "run-1"
    tags: Mapping[int, Sequence[str]] = field(default_factory=dict)
    fresh_folders: bool = False
    """Every step gets an empty working folder, as on a cluster."""

    env: Mapping[str, str] = field(default_factory=dict)
    resume: str = ""
    """A run in the same registry whose finished steps are taken over."""

    def __post_init__(self) -> None:
        self.store = Layout(self.root / "registry")
        parts = self.steps if self.steps is not None else [(index,) for index in range(len(self.cells))]
        notebook = Notebook(
            "stage",
            tuple(
                Cell(index, "code", source, metadata={"tags": list(self.tags[index])} if index in self.tags else {})
                for index, source in enumerate(self.cells)
            ),
        )
        self.pipeline = Pipeline(
            "stage",
            "stage.ipynb",
            tuple(
                Step(f"s{number}", tuple(part), options=self.options.get(number, Options())) for number, part in enumerate(parts)
            ),
            parameters=tuple(self.parameters),
            python=self.python,
        )
        self.bundle = push_bundle(self.store, notebook, self.pipeline, self.folder)
        self.registry = self.store.address

    def command(self, step: str, state: str, out: Path, given: Mapping[str, Any] | None = None) -> list[str]:
        arguments = [
            "--registry", self.registry, "--bundle", self.bundle, "--run", self.run_name, "--step", step, "--state", state,
            "--out", str(out), "--resume", self.resume,
        ]  # fmt: skip
        for name, value in (given or {}).items():
            arguments += ["--param", f"{name}={json.dumps(value)}"]
        return [sys.executable, "-c", bootstrap_text(), *arguments]

    def place(self, step: str) -> tuple[Path, Path, dict[str, str]]:
        """Working folder, output folder and environment of a step."""
        work = self.root / (f"work-{step}" if self.fresh_folders else "work")
        work.mkdir(exist_ok=True)
        env = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "COV"))},
            "MLOPS_CACHE": str(self.root / "cache"), "MLOPS_TERMINATION": str(self.root / f"term-{step}"), "PYTHONHASHSEED": "0",
            "PYTHONWARNINGS": "", "PYTHONPATH": str(CORPUS), **self.env,
        }  # fmt: skip
        return work, self.root / f"out-{step}", env

    def step(self, step: str, state: str = "", given: Mapping[str, Any] | None = None) -> Ran:
        """Run one step in a process of its own."""
        work, out, env = self.place(step)
        done = subprocess.run(
            self.command(step, state, out, given),
            cwd=work,
            env=env,
            capture_output=True,
            text=True,
            timeout=120,
            stdin=subprocess.DEVNULL,
        )
        return self.result(step, done.returncode, done.stdout, done.stderr)

    def result(self, step: str, code: int, stdout: str, stderr: str) -> Ran:
        _, out, _ = self.place(step)
        term = self.root / f"term-{step}"
        return Ran(
            code,
            stdout,
            stderr,
            (out / "state").read_text() if (out / "state").exists() else "",
            json.loads((out / "outputs.json").read_text()) if (out / "outputs.json").exists() else {},
            json.loads((out / "report.json").read_text()) if (out / "report.json").exists() else {},
            json.loads(term.read_text()) if term.exists() else None,
        )

    def run(self, given: Mapping[str, Any] | None = None) -> list[Ran]:
        """All steps, until one fails."""
        done: list[Ran] = []
        for step in self.pipeline.steps:
            done.append(self.step(step.name, done[-1].state if done else "", given))
            if done[-1].code:
                break
        return done

    def state(self, digest: str) -> dict[str, Any]:
        """The document of a state."""
        return read_config(self.store, "runs/stage", self.store.get_manifest("runs/stage", digest))


@dataclass(frozen=True)
class Outcome:
    """A whole notebook, in the corpus's words."""

    stdout: list[str]
    displays: list[list[str]]
    final: dict[str, Any]
    defined: list[str]
    failure: dict[str, Any] | None


def in_steps(root: Path, cells: Sequence[str], *, fresh_folders: bool = False) -> Outcome:
    """Run a notebook, each cell in a process of its own, and look at everything that is left."""
    probe = f"exec(compile(open({str(PROBE)!r}).read(), 'probe', 'exec'), {{'space': globals()}})"
    stage = Stage(root, [*cells, probe], fresh_folders=fresh_folders)
    ran = stage.run()
    failed = ran[-1].failure if ran[-1].code else None
    shown = [(one, index) for index, one in enumerate(ran) if index < len(cells)]
    found = json.loads(ran[-1].stream(len(cells))) if failed is None else {}
    if failed is not None:
        failed |= {"log": ran[-1].stdout + ran[-1].stderr}
    work = {str(stage.place(f"s{index}")[0].resolve()) for index in range(len(cells) + 1)}
    return Outcome(
        [_plain(one.stream(index), work) for one, index in shown],
        [[_plain(text, work) for text in one.displays(index)] for one, index in shown],
        found.get("final", {}),
        found.get("defined", []),
        failed,
    )


def in_one_kernel(cells: Sequence[str]) -> dict[str, Any]:
    """The same notebook under Restart & Run All."""
    return in_fresh_process(list(cells))


def differences(expect: Mapping[str, Any], got: Outcome, cells: Sequence[str]) -> list[str]:
    """What is not as it was under one kernel."""
    borrowed = set().union(*(starred([cell]) for cell in cells)) if cells else set()
    final = {name: value for name, value in got.final.items() if name not in borrowed}
    defined = sorted(name for name in got.defined if name not in borrowed)
    pairs = {"stdout": got.stdout, "displays": got.displays, "final": final, "defined": defined}
    return [
        f"{key}: expected {expect[key]}, got {value}"
        for key, value in pairs.items()
        if key in expect and not agrees(expect[key], value)
    ]


def _plain(text: str, folders: set[str]) -> str:
    for folder in folders:
        text = text.replace(folder, "<folder>")
    return steady(text.replace("\r\n", "\n"))
