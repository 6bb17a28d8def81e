"""Real notebooks through the real bundle, bootstrap and runner, on the local engine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jupyter_mlops.engine.local.identity import alive
from jupyter_mlops.errors import NotFound
from jupyter_mlops.flow import Workbench
from jupyter_mlops.registry.runs import RunRecords
from jupyter_mlops.testing.engine import phases, wait

if TYPE_CHECKING:
    from jupyter_mlops.engine.base import Run
    from tests.unit.engine.conftest import Lab

nbformat = pytest.importorskip("nbformat")


class Notebook:
    """A notebook in the lab's project folder, one step a cell unless tagged otherwise."""

    def __init__(self, lab: Lab, *cells: str | tuple[str, list[str]], name: str = "nb") -> None:
        self.lab = lab
        self.bench = Workbench(lab.settings)
        self.path = lab.project / f"{name}.ipynb"
        made = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": "P", "language": "python"}})
        made.cells.append(nbformat.v4.new_markdown_cell("# Title"))
        for index, cell in enumerate(cells):
            source, tags = cell if isinstance(cell, tuple) else (cell, [f"step:s{index}"])
            made.cells.append(nbformat.v4.new_code_cell(source, metadata={"tags": tags}))
        nbformat.write(made, self.path)

    def start(self, **parameters: Any) -> Run:
        return self.bench.run(self.path, parameters)

    def run(self, **parameters: Any) -> Run:
        return wait(self.lab.engine, self.start(**parameters).name)


def outputs(run: Run) -> list[list[dict[str, Any]]]:
    """Outputs of each code cell of the executed notebook, which is valid."""
    assert run.executed is not None
    document = nbformat.read(run.executed, as_version=4)
    nbformat.validate(document)
    return [cell["outputs"] for cell in document.cells if cell.cell_type == "code"]


@pytest.mark.slow
def test_a_notebook_comes_back_with_all_its_outputs(lab: Lab) -> None:
    notebook = Notebook(
        lab,
        "x = 20\nprint('made', x)",
        "x += 1\nx",
        "from IPython.display import HTML\nHTML(f'<b>{x}</b>')",
        "import sys\nprint('err', file=sys.stderr)",
    )
    run = notebook.run()
    assert (run.phase, set(phases(run).values()), run.failure) == ("Succeeded", {"Succeeded"}, None)
    assert [step.cells for step in run.steps] == [(1,), (2,), (3,), (4,)]
    assert [step.progress for step in run.steps] == [(1, 1)] * 4
    first, second, third, fourth = outputs(run)
    assert (first[0]["text"], second[0]["data"]["text/plain"], third[0]["data"]["text/html"]) == ("made 20\n", "21", "<b>21</b>")
    assert (fourth[0]["name"], fourth[0]["text"]) == ("stderr", "err\n")
    document = nbformat.read(run.executed, as_version=4)
    assert [cell.get("execution_count") for cell in document.cells] == [None, 1, 2, 3, 4]
    assert document.cells[0].source == "# Title"
    with RunRecords(notebook.bench.store).open(run.pipeline, run.name, "executed.ipynb") as recorded:
        assert json.loads(recorded.read()) == json.loads(Path(str(run.executed)).read_bytes())
    assert all(cell.outputs == [] for cell in nbformat.read(notebook.path, as_version=4).cells if cell.cell_type == "code")


@pytest.mark.slow
def test_a_display_is_updated_by_a_later_step_where_it_stands(lab: Lab) -> None:
    run = Notebook(
        lab,
        "from IPython.display import HTML, display, update_display\nhandle = display(HTML('start'), display_id='p')\nprint('after')",
        "handle.update(HTML('half'))\nprint('second')",
        "display(HTML('other'), display_id='q')\nupdate_display(HTML('done'), display_id='p')",
        "update_display(HTML('nobody'), display_id='never')",
    ).run()
    assert run.phase == "Succeeded"
    first, second, third, fourth = outputs(run)
    assert [o.get("data", {}).get("text/html") or o["text"] for o in first] == ["done", "after\n"]
    assert [o["text"] for o in second] == ["second\n"]
    assert [o["data"]["text/html"] for o in third] == ["other"]
    assert fourth == []


@pytest.mark.slow
def test_a_figure_of_an_earlier_step_is_shown_as_a_picture(lab: Lab) -> None:
    run = Notebook(
        lab,
        "import matplotlib.pyplot as plt\nfig, ax = plt.subplots(figsize=(1, 1))\nplt.close(fig)",
        "ax.plot([1, 2]);\nfig",
        "import warnings\nwarnings.showwarning = lambda message, *rest, **more: print('W:', message)",
        "warnings.warn('hey')",
    ).run()
    assert run.phase == "Succeeded"
    first, second, _, fourth = outputs(run)
    assert first == []
    assert set(second[0]["data"]) == {"image/png", "text/plain"}
    assert fourth[0]["text"] == "W: hey\n"


@pytest.mark.slow
def test_a_failure_is_at_its_cell_and_line_and_keeps_what_was_shown(lab: Lab) -> None:
    run = Notebook(lab, "print('before')", "y = 1\nprint('here')\nraise ValueError('no good')", "print('never')").run()
    assert (run.phase, phases(run)) == ("Failed", {"s0": "Succeeded", "s1": "Failed", "s2": "Skipped"})
    failure = run.failure
    assert failure is not None
    assert (failure.code, failure.cell, failure.line, failure.step, failure.blame) == ("step-failed", 2, 3, "s1", "user")
    assert "no good" in failure.message
    first, second, third = outputs(run)
    assert (first[0]["text"], second[0]["text"], second[1]["ename"], third) == ("before\n", "here\n", "ValueError", [])
    assert [path.name for path in lab.project.iterdir()] == ["nb.ipynb"]


@pytest.mark.slow
def test_a_value_that_cannot_be_handed_on_is_named(lab: Lab) -> None:
    run = Notebook(lab, "gen = (n for n in [1, 2, 3])", "print(list(gen))").run()
    assert run.phase == "Failed"
    assert run.failure is not None
    assert run.failure.code == "not-storable"
    assert "gen" in run.failure.message
    assert run.failure.fix


@pytest.mark.slow
def test_parameters_change_a_run_and_the_next_one_has_its_own(lab: Lab) -> None:
    notebook = Notebook(lab, ("rate = 0.5\nname = 'a'", ["parameters"]), "print(rate * 2, name)")
    default, other = notebook.run(), notebook.run(rate=4.0, name="{{workflow.name}} 'q'")
    assert [outputs(run)[1][0]["text"] for run in (default, other)] == ["1.0 a\n", "8.0 {{workflow.name}} 'q'\n"]
    assert dict(default.parameters) == {"rate": 0.5, "name": "a"}
    assert dict(other.parameters) == {"rate": 4.0, "name": "{{workflow.name}} 'q'"}
    assert other.source_digest == default.source_digest


@pytest.mark.slow
def test_files_travel_between_steps_and_to_the_folder_at_the_end(lab: Lab) -> None:
    (lab.project / "in.csv").write_text("a\n1\n")
    (lab.project / "helper.py").write_text("def double(n):\n    return 2 * n\n")
    run = Notebook(
        lab, "import helper\nopen('mid.txt', 'w').write(str(helper.double(int(open('in.csv').read()[2:]))))", "!cat mid.txt"
    ).run()
    assert run.phase == "Succeeded", run.failure
    assert outputs(run)[1][0]["text"].strip() == "2"
    assert sorted(path.name for path in lab.project.iterdir()) == ["helper.py", "in.csv", "mid.txt", "nb.ipynb"]


@pytest.mark.slow
def test_the_notebook_may_change_while_its_run_goes_on(lab: Lab) -> None:
    notebook = Notebook(lab, "import time\nprint('ready', flush=True)\ntime.sleep(1)", "print('old')")
    run = notebook.start()
    assert any(line.text == "ready" for line in lab.engine.logs(run.name, follow=True))
    Notebook(lab, "print('new')")
    run = wait(lab.engine, run.name)
    assert [cell[0]["text"] for cell in outputs(run)] == ["ready\n", "old\n"]


def started(lab: Lab, notebook: Notebook) -> Run:
    run = notebook.start()
    next(line for line in lab.engine.logs(run.name, follow=True) if line.text == "ready")
    return run


@pytest.mark.slow
def test_a_cell_that_is_killed_is_shown_where_it_was(lab: Lab) -> None:
    run = started(
        lab, Notebook(lab, ("print('done')", ["step:s"]), ("import time\nprint('ready', flush=True)\ntime.sleep(600)", ["step:s"]))
    )
    os.kill(json.loads((lab.folder(run).pod("s") / "process.json").read_bytes())["pid"], signal.SIGKILL)
    run = wait(lab.engine, run.name)
    assert run.failure is not None
    assert (run.failure.code, run.failure.step) == ("killed", "s")
    first, second = outputs(run)
    assert first[0]["text"] == "done\n"
    assert second[-1]["output_type"] == "error"
    assert "killed" in second[-1]["evalue"]


def test_a_step_that_is_killed_leaves_nothing_outside_of_its_run(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    run = Notebook(lab, "import os, signal", "os.kill(os.getpid(), signal.SIGKILL)").run()
    assert run.phase == "Failed"
    assert not list(temporary.glob("mlops-*"))


@pytest.mark.slow
def test_a_run_can_be_stopped_in_the_middle_of_a_cell(lab: Lab) -> None:
    run = started(lab, Notebook(lab, "import time\nprint('ready', flush=True)\ntime.sleep(600)", "pass"))
    began = time.monotonic()
    run = lab.engine.control(run.name, "stop")
    assert (run.phase, phases(run)) == ("Stopped", {"s0": "Stopped", "s1": "Skipped"})
    assert time.monotonic() - began < 10
    assert outputs(run)[0][0]["text"].startswith("ready")


@pytest.mark.slow
def test_outputs_grow_while_a_step_runs(lab: Lab) -> None:
    run = started(
        lab, Notebook(lab, ("print('first')", ["step:s"]), ("import time\nprint('ready', flush=True)\ntime.sleep(600)", ["step:s"]))
    )
    now = wait(lab.engine, run.name, lambda found: found.executed is not None, seconds=20)
    assert outputs(now)[0][0]["text"] == "first\n"
    assert now.steps[0].progress == (1, 2)
    lab.engine.control(run.name, "stop")


@pytest.mark.slow
def test_a_killed_supervisor_costs_no_output(lab: Lab) -> None:
    run = started(
        lab,
        Notebook(
            lab,
            "print('first')",
            ("print('second')", ["step:s"]),
            ("import time\nprint('ready', flush=True)\ntime.sleep(600)", ["step:s"]),
        ),
    )
    os.kill(lab.supervisor(run)["pid"], signal.SIGKILL)
    lab.until(lambda: not alive(lab.supervisor(run)))
    run = lab.engine.get(run.name)
    assert run.phase == "Error"
    assert [cell[0]["text"] for cell in outputs(run)[:2]] == ["first\n", "second\n"]
    assert RunRecords(Workbench(lab.settings).store).get(run.pipeline, run.name)["phase"] == "Error"


@pytest.mark.slow
def test_deleting_a_run_leaves_its_models_and_nothing_else(lab: Lab) -> None:
    source = "from jupyter_mlops import log_model, log_metrics\nlog_metrics(acc=0.5)\nclass M:\n    def predict(self, rows):\n        return [1 for _ in rows]\nlog_model(M(), 'mine')"
    run = Notebook(lab, "x = 1", source).run()
    assert run.phase == "Succeeded", run.failure
    assert [model["name"] for model in run.models] == ["mine"]
    assert dict(run.metrics) == {"acc": 0.5}
    bench = Workbench(lab.settings)
    tags = bench.store.tags(f"runs/{run.pipeline}")
    assert f"run-{run.name}" in tags
    assert any(tag.startswith(f"state.{run.name}.") for tag in tags)
    lab.engine.control(run.name, "delete")
    assert [tag for tag in bench.store.tags(f"runs/{run.pipeline}") if run.name in tag] == []
    assert bench.models.find("mine").tag == run.models[0]["tag"]
    with pytest.raises(NotFound):
        lab.engine.get(run.name)


FULL = """
import json, pathlib, sys
from jupyter_mlops.flow import Workbench
from jupyter_mlops.settings import Settings, Storage
from jupyter_mlops.testing.engine import wait
home, notebook = map(pathlib.Path, sys.argv[1:])
bench = Workbench(Settings(storage=Storage(home=home)))
run = wait(bench.engine, bench.run(notebook).name)
print(json.dumps([run.phase, run.failure and [run.failure.code, run.failure.blame, run.failure.fix, run.failure.step]]))
"""


@pytest.mark.slow
@pytest.mark.skipif(
    sys.platform != "linux" or subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode != 0,
    reason="needs a mount namespace for a disk that can be filled",
)
def test_a_full_disk_in_the_registry_is_told_as_the_platforms(lab: Lab, tmp_path: Path) -> None:
    notebook = Notebook(lab, "import os\nbig = os.urandom(8 << 20)", "print(len(big))")
    home, script = tmp_path / "small", tmp_path / "full.py"
    home.mkdir()
    script.write_text(FULL)
    mount = f"mkdir {home}/registry && mount -t tmpfs -o size=6m small {home}/registry"
    command = f"{mount} && exec {sys.executable} {script} {home} {notebook.path}"
    done = subprocess.run(["unshare", "-rm", "sh", "-c", command], capture_output=True, text=True, timeout=120)
    phase, failure = json.loads(done.stdout)
    assert phase == "Failed"
    assert failure[:2] == ["storage-full", "platform"], failure
    assert failure[2]


@pytest.mark.slow
def test_what_a_run_leaves_on_this_machine_is_little(lab: Lab) -> None:
    run = Notebook(lab, "data = bytes(3 << 20)", "len(data)").run()
    lab.until(lambda: not alive(lab.supervisor(run)))
    left = sum(path.stat().st_size for path in lab.folder(run).path.rglob("*") if path.is_file())
    assert left < 100_000
