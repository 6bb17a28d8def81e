"""Parameters from the command line and typed, on this machine: each value arrives as it was given, of its own type."""

from __future__ import annotations

import json
from pathlib import Path

from jupyter_mlops.flow import Workbench
from jupyter_mlops.settings import Settings, Storage
from jupyter_mlops.testing.engine import wait
from tests.e2e.machine import Machine
from tests.parameter_values import TYPED, VALUES, WRITTEN, expected, notebook


def outputs(path: str | None) -> list[str]:
    assert path is not None
    cells = json.loads(Path(path).read_text(encoding="utf-8"))["cells"]
    return ["".join(output.get("text", "") for output in cell["outputs"]) for cell in cells]


def test_typed_values_arrive_exactly(tmp_path: Path) -> None:
    (tmp_path / "nb.ipynb").write_text(notebook(), encoding="utf-8")
    bench = Workbench(Settings(Storage(tmp_path / "home")))
    run = wait(bench.engine, bench.run(tmp_path / "nb.ipynb", TYPED).name)
    assert run.phase == "Succeeded", run.failure
    assert outputs(run.executed)[1] == expected()
    assert dict(run.parameters) == TYPED


def test_only_what_a_step_uses_reaches_it(tmp_path: Path) -> None:
    """A later step finds the values in the state; its container is given none, so that its cache does not depend on them."""
    (tmp_path / "nb.ipynb").write_text(notebook(), encoding="utf-8")
    bench = Workbench(Settings(Storage(tmp_path / "home")))
    read = bench.read(tmp_path / "nb.ipynb")
    workflow = bench.compile(read, bench.convert(read))
    given = {
        template["name"]: [word.partition("=")[0] for word in template["container"]["args"] if "={{workflow.parameters." in word]
        for template in workflow["spec"]["templates"]
        if "container" in template
    }
    assert given == {"run-setup": list(VALUES), "run-show": []}


def test_text_of_the_command_line_arrives_typed(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    try:
        (machine.work / "nb.ipynb").write_text(notebook(), encoding="utf-8")
        words = [word for name, text in WRITTEN.items() for word in ("-p", f"{name}={text}")]
        answer = machine.ask("run", "nb.ipynb", *words)
        assert answer["phase"] == "Succeeded", answer
        assert outputs(answer["notebook"])[1] == expected()
    finally:
        machine.clean()
