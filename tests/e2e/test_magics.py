"""The main job by magics, in a real kernel on a fresh machine: from ``%load_ext`` to a prediction in a variable."""

from __future__ import annotations

import json
import time
from pathlib import Path
from queue import Empty
from typing import Any

import pytest

from jupyter_mlops.oci.names import MIME_RUN
from tests.e2e.machine import Machine

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

WIDGET = "application/vnd.jupyter.widget-view+json"


class Kernel:
    """A kernel as a front end talks to it; keeps every display, replaced ones in their last state."""

    def __init__(self, machine: Machine, notebook: str) -> None:
        from jupyter_client.manager import start_new_kernel

        environ = {**machine.env, "JPY_SESSION_NAME": str(machine.work / notebook)}
        self.manager, self.client = start_new_kernel(kernel_name="python3", cwd=str(machine.work), env=environ)

    def run(self, code: str, patience: float = 120.0) -> tuple[str, list[dict[str, Any]], list[dict[str, Any]]]:
        """Status of a cell, its displays in their last state, and everything it sent."""
        message = self.client.execute(code)
        sent = self._until_idle(message, patience)
        shown: list[dict[str, Any]] = []
        places: dict[str, int] = {}
        for item in sent:
            content = item["content"]
            if item["msg_type"] not in {"display_data", "update_display_data", "execute_result"}:
                continue
            key = content.get("transient", {}).get("display_id")
            if item["msg_type"] == "update_display_data" and key in places:
                shown[places[key]] = content["data"]
                continue
            if key:
                places[key] = len(shown)
            shown.append(content["data"])
        return self.status(message), shown, sent

    def status(self, message: str) -> str:
        """How a cell ended; replies to earlier ones, which a failed test left unread, are passed over."""
        while True:
            reply = self.client.get_shell_msg(timeout=10)
            if reply["parent_header"].get("msg_id") == message:
                return reply["content"]["status"]

    def _until_idle(self, message: str, patience: float) -> list[dict[str, Any]]:
        sent, end = [], time.monotonic() + patience
        while time.monotonic() < end:
            try:
                item = self.client.get_iopub_msg(timeout=1)
            except Empty:
                continue
            if item["parent_header"].get("msg_id") != message:
                continue
            sent.append(item)
            if item["msg_type"] == "status" and item["content"]["execution_state"] == "idle":
                return sent
        raise AssertionError(f"the cell is not done after {patience} s: {sent[-3:]}")

    def value(self, expression: str) -> Any:
        """A JSON value of the kernel's namespace."""
        reply = self.client.execute("", user_expressions={"it": f"__import__('json').dumps({expression})"}, reply=True, timeout=30)
        found = reply["content"]["user_expressions"]["it"]
        assert found["status"] == "ok", found
        return json.loads(eval(found["data"]["text/plain"]))

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    made = Machine(tmp_path_factory.mktemp("magics"))
    yield made
    made.clean()


@pytest.fixture(scope="module")
def kernel(machine):
    made = Kernel(machine, "churn.ipynb")
    try:
        status, shown, _ = made.run("%load_ext jupyter_mlops")
        assert (status, shown) == ("ok", [])
        yield made
    finally:
        made.close()


def test_the_main_job(kernel, machine):
    status, shown, _ = kernel.run("%mlops convert")
    assert status == "ok"
    assert "churn.ipynb is a pipeline of" in shown[0]["text/plain"]

    status, shown, sent = kernel.run("%mlops run")
    assert status == "ok", shown
    last = shown[-1]
    assert last["text/plain"].startswith("✓ Succeeded: churn-")
    assert "model churn:v1 registered" in last["text/plain"]
    assert last["text/html"].startswith("<div")
    assert set(last[MIME_RUN]) == {"run", "phase", "home", "target"}
    assert last[MIME_RUN]["phase"] == "Succeeded"
    assert last[MIME_RUN]["home"] == machine.env["JUPYTER_MLOPS_HOME"]
    phases = [item["content"]["data"][MIME_RUN]["phase"] for item in sent if MIME_RUN in item["content"].get("data", {})]
    assert phases[0] in {"Pending", "Running"}
    assert len(phases) >= 3, "progress is shown while it runs"

    status, shown, _ = kernel.run("%mlops models churn")
    assert status == "ok"
    assert "v1" in shown[0]["text/plain"]

    status, shown, _ = kernel.run("%mlops deploy churn")
    assert status == "ok", shown
    assert "✓ Ready: churn" in shown[-1]["text/plain"]

    status, shown, _ = kernel.run("%mlops predict churn --into answer")
    assert status == "ok", shown
    assert "answered 3 rows" in shown[0]["text/plain"]
    assert kernel.value("answer") == machine.ask("predict", "churn")["predictions"]

    kernel.run(
        "import pandas as pd\nrows = pd.DataFrame({'age': [30], 'tenure': [1], 'charges': [120.0], 'calls': [6], 'contract': ['monthly'], 'internet': ['fibre']})"
    )
    status, shown, _ = kernel.run("%mlops predict churn --into leaves --data rows")
    assert status == "ok", shown
    assert kernel.value("leaves") == [1]

    status, shown, _ = kernel.run("%mlops predict churn --data rows.drop(columns='age')")
    assert status == "error"
    assert "age" in shown[-1]["text/plain"]
    assert "code: " in shown[-1]["text/plain"]

    assert "✓ Ready" in kernel.run("%mlops services")[1][0]["text/plain"]
    assert "■ Stopped: churn" in kernel.run("%mlops stop churn")[1][0]["text/plain"]
    assert "churn is deleted" in kernel.run("%mlops stop churn --delete")[1][0]["text/plain"]
    assert machine.ask("services") == {"services": []}

    listed = kernel.run("%mlops runs")[1][0]["text/plain"]
    run = machine.ask("runs")["runs"][0]["name"]
    assert run in listed
    assert "customers," in kernel.run("%mlops logs")[1][0]["text/plain"]
    assert f"{run} is deleted" in kernel.run(f"%mlops runs {run} --delete")[1][0]["text/plain"]
    assert machine.ask("runs") == {"runs": []}


def test_parameters_and_another_notebook(kernel, machine):
    status, shown, _ = kernel.run("%mlops run diamond.ipynb -p trees=4 -p judge=rmse")
    assert status == "ok", shown
    run = machine.ask("runs")["runs"][0]
    assert run["parameters"]["trees"] == 4
    assert run["parameters"]["judge"] == "rmse"
    status, shown, _ = kernel.run("%mlops run diamond.ipynb -p tree=4")
    assert status == "error"
    assert "Did you mean trees?" in shown[-1]["text/plain"]


def test_a_step_that_raises_is_shown_with_its_place(kernel, machine):
    write(machine.work / "broken.ipynb", "x = 1", "def f(d):\n    return 1 / d\n\nf(0)")
    status, shown, sent = kernel.run("%mlops run broken.ipynb")
    assert status == "error"
    text = shown[-1]["text/plain"]
    assert "ZeroDivisionError" in text
    assert "cell 1, line 4" in text or "cell 1, line 2" in text
    error = next(item["content"] for item in sent if item["msg_type"] == "error")
    assert len(error["traceback"]) == 1
    assert "see above" in error["traceback"][0]


def test_an_interrupt_ends_the_watching_and_not_the_run(kernel, machine):
    write(machine.work / "slow.ipynb", "import time\ntime.sleep(4)\nprint('reached the end')")
    message = kernel.client.execute("%mlops run slow.ipynb")
    started = []
    while not started:
        item = kernel.client.get_iopub_msg(timeout=60)
        if (
            item["parent_header"].get("msg_id") == message
            and item["content"].get("data", {}).get(MIME_RUN, {}).get("phase") == "Running"
        ):
            started.append(item)
    kernel.manager.interrupt_kernel()
    sent = kernel._until_idle(message, 60)
    assert kernel.status(message) == "error"
    assert any("the run goes on" in item["content"].get("data", {}).get("text/plain", "") for item in sent)
    name = started[0]["content"]["data"][MIME_RUN]["run"]
    machine.run("logs", name, "--follow")
    assert machine.ask("runs", name)["phase"] == "Succeeded"


def test_the_live_view_follows_a_run_and_stops_it(kernel, machine):
    write(machine.work / "long.ipynb", "import time\nfor n in range(600):\n    print('turn', n, flush=True)\n    time.sleep(0.1)")
    status, shown, _ = kernel.run("%mlops run long.ipynb --widget")
    assert status == "ok", shown
    assert WIDGET in shown[-1]
    assert "text/plain" in shown[-1]
    name = machine.ask("runs")["runs"][0]["name"]
    kernel.run(f"from jupyter_mlops import RunView\nview = RunView({name!r})\nview")
    poll(lambda: "turn" in kernel.value("view._surface._log.value"))
    kernel.run("view._surface._button.click()\nfinal = view.wait(timeout=60)")
    assert kernel.value("final.phase") == "Stopped"
    assert machine.ask("runs", name)["phase"] == "Stopped"


def test_the_view_without_ipywidgets_is_text(kernel, machine):
    write(machine.work / "short.ipynb", "print('hello from a step')")
    status, _, _ = kernel.run("import sys\nsaved = sys.modules.get('ipywidgets')\nsys.modules['ipywidgets'] = None")
    assert status == "ok"
    try:
        status, shown, _ = kernel.run("%mlops run short.ipynb --widget")
        assert status == "ok", shown
        assert WIDGET not in shown[-1]
        assert "short-" in shown[-1]["text/plain"]
        status, shown, _ = kernel.run(
            "from jupyter_mlops import Workbench\nRunView(Workbench().engine.list(limit=1)[0]).wait(60).phase"
        )
        assert shown[-1]["text/plain"] == "'Succeeded'"
    finally:
        kernel.run("sys.modules['ipywidgets'] = saved")


def test_steps_in_a_notebook_run_as_ordinary_cells(kernel):
    status, shown, _ = kernel.run("%%step load --gpu 1\nvalue = 20\nvalue + 1")
    assert (status, shown[0]["text/plain"]) == ("ok", "21")
    status, _, sent = kernel.run("%%step train\nfine = 1\nraise KeyError('gone')")
    assert status == "error"
    trace = "\n".join(next(item["content"]["traceback"] for item in sent if item["msg_type"] == "error"))
    assert "3" in trace
    assert "line 3" in strip_colours(trace) or "----> 3" in strip_colours(trace)
    assert kernel.value("fine") == 1


def test_in_a_pipeline_the_product_s_own_lines_do_nothing_and_step_lines_name_steps(kernel, machine):
    write(
        machine.work / "lines.ipynb",
        "%load_ext jupyter_mlops\n%mlops run lines.ipynb\nx = 1",
        "%%step load --timeout 1h\nx += 1\nif x:\n    %mlops runs\nprint('load', x)",
        "%%step train\n%%time\ny = x * 10",
        "print('train', y, get_ipython().execution_count)",
    )
    before = len(machine.ask("runs")["runs"])
    steps = machine.ask("convert", "lines.ipynb")["steps"]
    assert [(step["name"], step["cells"]) for step in steps] == [("load", [0, 1]), ("train", [2, 3])]
    run = machine.ask("run", "lines.ipynb")
    assert run["phase"] == "Succeeded"
    assert len(machine.ask("runs")["runs"]) == before + 1
    executed = json.loads(Path(run["notebook"]).read_text())
    texts = ["".join(output.get("text", "")) for cell in executed["cells"] for output in cell["outputs"]]
    assert texts[0] == "load 2\n"
    assert texts[-1] == "train 20 5\n"  # as in a kernel, which counts a cell when it starts


def test_completion_comes_from_this_machine(kernel, machine):
    def matches(code: str) -> list[str]:
        return kernel.client.complete(code, reply=True, timeout=60)["content"]["matches"]

    status, shown, _ = kernel.run("from jupyter_mlops import log_model\nlog_model(lambda rows: [0 for _ in rows], 'zero')")
    assert (status, shown[0]["text/plain"]) == ("ok", "model zero")
    assert {"run", "runs"} <= set(matches("%mlops ru"))
    assert "zero" in matches("%mlops deploy ")
    assert matches("%mlops deploy z") == ["zero"]
    assert "diamond.ipynb" in matches("%mlops run d")


def test_nothing_is_left_running(kernel, machine):
    kernel.run("%mlops stop nobody")
    poll(lambda: not [command for command in machine.processes().values() if "ipykernel" not in command])


def write(path: Path, *sources: str) -> None:
    import nbformat

    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, path)


def poll(condition, patience: float = 60.0) -> None:
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)


def strip_colours(text: str) -> str:
    import re

    return re.sub(r"\x1b\[[0-9;]*m", "", text)
