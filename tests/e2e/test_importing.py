"""Round trips: a source of another tool, imported, converted and run here, shows what its own kernels show.

The other tool's result is taken from the source itself: each notebook of it in a fresh kernel, each script in a fresh process.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.machine import Machine
from tests.unit.importers.samples import KALE2, SAMPLES, Sample

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
EXPECTED = {"scheduler": ["yyyyyyy\n"], "same": ["2", "16\n", "4.0\n"], "elyra3": ["5\n", "5 again\n"]}
"""Where the source's values come from outside of its notebook: what it shows with them."""


@pytest.fixture
def machine(tmp_path):
    made = Machine(tmp_path)
    made.env |= {"TOKEN": "a", "T": "b"}  # what the samples' secrets are called: on this machine they come from the environment
    yield made
    made.clean()


def shown(document: dict[str, Any], leave: str = "") -> list[str]:
    """Every text that a notebook shows, in order."""
    found = []
    for cell in document["cells"]:
        if leave and leave in cell["metadata"].get("tags", ()):
            continue
        for output in cell.get("outputs", ()):
            text = output.get("text") or output.get("data", {}).get("text/plain", "")
            found.append(text if isinstance(text, str) else "".join(text))
    return found


def of_source(sample: Sample, folder: Path, env: dict[str, str]) -> list[str]:
    """What the source's own Restart & Run All shows, kernel by kernel."""
    import nbformat
    from nbclient import NotebookClient

    found: list[str] = []
    for file in sample.kernels:
        variables = {**env, **sample.env.get(file, {})}
        if file.endswith(".py"):
            done = subprocess.run([sys.executable, file], cwd=folder, env=variables, capture_output=True, text=True, check=True)
            found.append(done.stdout)
            continue
        notebook = nbformat.from_dict(json.loads((folder / file).read_text()))
        notebook.cells = [cell for cell in notebook.cells if "skip" not in cell.metadata.get("tags", ())]
        client = NotebookClient(notebook, timeout=100, kernel_name="python3", resources={"metadata": {"path": str(folder)}})
        client.execute(env=variables)
        found += shown(notebook)
    return found


def without_gpu(path: Path) -> None:
    """Take the wish for a GPU away: a run here is refused for it, rightly, on a machine that has none."""
    document = json.loads(path.read_text())
    for cell in document["cells"]:
        cell["metadata"].get("mlops", {}).pop("gpu", None)
    path.write_text(json.dumps(document))


@pytest.mark.parametrize("name", SAMPLES)
def test_the_import_shows_what_the_source_shows(name, machine, tmp_path):
    sample, own, here = SAMPLES[name], tmp_path / "own", tmp_path / "here"
    sample.write(own)
    main = sample.write(here)
    expected = of_source(sample, own, machine.env) if sample.kernels else EXPECTED[name]
    shutil.rmtree(own)
    answer = machine.ask("import", main, cwd=here)
    assert [one for one in answer["diagnostics"] if one["severity"] == "error"] == []
    without_gpu(Path(answer["notebook"]))
    ran = machine.ask("run", answer["notebook"], cwd=here)
    assert ran["phase"] == "Succeeded", ran
    executed = json.loads(Path(ran["notebook"]).read_text())
    assert "".join(shown(executed)) == "".join(expected)
    assert expected


def test_every_sample_with_kernels_of_its_own_is_compared_with_them():
    names = {"elyra8", "kale0", "kale1", "kale2", "papermill", "same_tags"}
    assert names == {name for name, sample in SAMPLES.items() if sample.kernels}


def test_kale_metrics_are_those_of_the_run(machine, tmp_path):
    notebook = machine.ask("import", KALE2.write(tmp_path / "kale"))["notebook"]
    run = machine.ask("run", notebook)["run"]
    assert machine.ask("runs", run)["metrics"] == {"score": 42.0}
