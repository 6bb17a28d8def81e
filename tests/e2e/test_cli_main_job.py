"""The main job by command line, on each example, on a fresh machine: every contract that scripts rely on, and the promise.

The promise: what the pipeline's executed notebook shows is what one kernel shows that runs the cells in order.
"""

from __future__ import annotations

import json
import re
import shutil
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.machine import Machine

EXAMPLES = {"churn": "churn", "diamond": "progression", "workbench": "cold-store-alarm"}
"""Example → the model it registers."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module", params=EXAMPLES)
def job(request, tmp_path_factory):
    """One example on one machine, run once; each test looks at one contract."""
    machine = Machine(tmp_path_factory.mktemp(request.param))
    notebook = f"{request.param}.ipynb"
    made = {
        "machine": machine,
        "name": request.param,
        "notebook": notebook,
        "model": EXAMPLES[request.param],
        "source": json.loads((machine.work / notebook).read_text()),
    }
    try:
        made["plan"] = machine.ask("convert", notebook)
        made["run"] = machine.ask("run", notebook)
        yield made
    finally:
        machine.clean()


def code_cells(document: dict[str, Any]) -> dict[int, dict[str, Any]]:
    return {index: cell for index, cell in enumerate(document["cells"]) if cell["cell_type"] == "code"}


def test_convert_answers_its_contract(job):
    plan, code = job["plan"], code_cells(job["source"])
    assert set(plan) >= {"steps", "links", "parameters", "diagnostics"}
    names = [step["name"] for step in plan["steps"]]
    assert len(set(names)) == len(names) >= 2
    assert all(re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", name) for name in names)
    cells = [cell for step in plan["steps"] for cell in step["cells"]]
    assert sorted(cells) == sorted(code)
    for index, step in enumerate(plan["steps"]):
        assert set(step) >= {"name", "cells", "needs"}
        assert set(step["needs"]) <= set(names[:index])
    for link in plan["links"]:
        assert set(link) >= {"from", "to", "names", "kind"}
        assert link["kind"] in {"data", "code", "file"}
        assert link["from"] < link["to"]
        assert {link["from"], link["to"]} <= set(code)
        assert link["names"]
    for found in plan["diagnostics"]:
        assert set(found) == {"code", "severity", "cell", "line", "message", "fix", "docs"}
        assert found["severity"] in {"warning", "info"}


def test_the_examples_become_the_pipelines_that_their_readme_promises(job):
    plan = job["plan"]
    needs = {step["name"]: set(step["needs"]) for step in plan["steps"]}
    if job["name"] == "diamond":
        assert {name for name, above in needs.items() if "ridge" in above} == {"compare"}
        assert {name for name, above in needs.items() if "forest" in above} == {"compare"}
        assert "forest" not in needs["ridge"]
        assert "ridge" not in needs["forest"]
        parameters = {p["name"]: (p["type"], p["default"]) for p in plan["parameters"]}
        assert parameters == {
            "test_share": ("float", 0.25), "trees": ("int", 60), "strength": ("float", 20.0), "judge": ("enum", "mae"), "seed": ("int", 7),
        }  # fmt: skip
    else:
        assert plan["parameters"] == []
    if job["name"] == "workbench":
        assert any(link["kind"] == "file" and "readings.csv" in link["names"] for link in plan["links"])


def test_the_workflow_is_written_and_stable(job, tmp_path):
    machine = job["machine"]
    written = []
    for name in ("a.yaml", "b.yaml"):
        machine.ask("convert", job["notebook"], "-o", tmp_path / name)
        written.append((tmp_path / name).read_bytes())
    assert written[0] == written[1]
    text = written[0].decode()
    assert "apiVersion: argoproj.io/v1alpha1" in text
    assert "kind: Workflow" in text
    assert str(machine.home) not in text


def test_convert_writes_nothing_but_what_was_asked(tmp_path):
    machine = Machine(tmp_path)
    before = sorted(machine.work.rglob("*"))
    machine.ask("convert", "churn.ipynb")
    assert sorted(machine.work.rglob("*")) == before
    assert not (machine.home / "mlops").exists()


def test_run_answers_its_contract(job):
    run, plan = job["run"], job["plan"]
    assert set(run) >= {"run", "phase", "steps", "notebook", "error"}
    assert run["phase"] == "Succeeded"
    assert run["error"] is None
    assert [(s["name"], s["cells"]) for s in run["steps"]] == [(s["name"], s["cells"]) for s in plan["steps"]]
    for step in run["steps"]:
        assert set(step) >= {"name", "phase", "cells", "seconds", "cached"}
        assert (step["phase"], step["cached"]) == ("Succeeded", False)
        assert step["seconds"] > 0
    assert Path(run["notebook"]).is_file()


ADDRESS = re.compile(r"0x[0-9a-f]{6,}")
TIMES = re.compile(r"\d+(\.\d+)? (ns|μs|µs|us|ms|s)\b")


def shown(cell: dict[str, Any]) -> list[tuple[str, str]]:
    """What a cell printed and displayed as text; times and addresses differ from run to run and are taken out."""
    found: list[tuple[str, str]] = []
    for output in cell["outputs"]:
        kind = output["output_type"]
        text = output.get("text", "") if kind == "stream" else output.get("data", {}).get("text/plain", output.get("evalue", ""))
        text = TIMES.sub("<time>", ADDRESS.sub("<address>", "".join(text)))
        name = f"{kind}:{output.get('name', '')}"
        if found and kind == "stream" and found[-1][0] == name:
            found[-1] = (name, found[-1][1] + text)
        else:
            found.append((name, text))
    return found


def kinds(cell: dict[str, Any]) -> list[list[str]]:
    """The MIME types of every display: plots stay plots, tables stay tables."""
    return [sorted(output["data"]) for output in cell["outputs"] if "data" in output]


def test_the_executed_notebook_equals_one_kernel(job, tmp_path):
    import nbformat
    from nbclient import NotebookClient

    machine = job["machine"]
    folder = tmp_path / "one"
    shutil.copytree(machine.work, folder, ignore=shutil.ignore_patterns("readings.csv", "*.executed.ipynb"))
    document = nbformat.read(folder / job["notebook"], as_version=4)
    environ = {**machine.env, "JUPYTER_MLOPS_HOME": str(tmp_path / "other-home")}
    NotebookClient(document, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(folder)}}).execute(env=environ)

    executed = json.loads(Path(job["run"]["notebook"]).read_text())
    nbformat.validate(nbformat.from_dict(executed))
    sources = [["".join(cell["source"]) for cell in one["cells"]] for one in (executed, job["source"])]
    assert sources[0] == sources[1]
    one, pipeline = code_cells(document), code_cells(executed)
    assert set(one) == set(pipeline)
    assert {index: shown(cell) for index, cell in pipeline.items()} == {index: shown(cell) for index, cell in one.items()}
    assert {index: kinds(cell) for index, cell in pipeline.items()} == {index: kinds(cell) for index, cell in one.items()}
    assert [cell["execution_count"] for cell in pipeline.values()] == [cell["execution_count"] for cell in one.values()]
    assert any(shown(cell) for cell in pipeline.values())


def test_the_notebook_itself_is_untouched(job):
    assert json.loads((job["machine"].work / job["notebook"]).read_text()) == job["source"]


def test_models_answer_their_contract(job):
    found = {model["name"]: model for model in job["machine"].ask("models")["models"]}
    assert set(found) == {job["model"]}
    versions = found[job["model"]]["versions"]
    assert [version["tag"] for version in versions] == ["v1"]
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", versions[0]["digest"])
    assert "latest" in versions[0]["aliases"]
    assert versions[0]["metrics"]
    assert all(isinstance(value, int | float) for value in versions[0]["metrics"].values())


def test_logs_hold_what_the_cells_printed(job):
    machine, run = job["machine"], job["run"]["run"]
    done = machine.run("logs", run)
    assert done.code == 0, done
    printed = {"churn": "customers,", "diamond": "patients to learn from", "workbench": "readings would ring"}[job["name"]]
    assert printed in done.out
    assert "@mlops" not in done.out
    assert any(printed in line["text"] for line in machine.ask("logs", run)["lines"])


def test_deploy_predict_services_stop_start_delete(job):
    machine, model = job["machine"], job["model"]
    service = machine.ask("deploy", model)
    assert set(service) >= {"service", "url", "ready"}
    assert (service["service"], service["ready"]) == (model, True)
    answer = machine.ask("predict", model)
    assert set(answer) >= {"predictions", "milliseconds"}
    assert len(answer["predictions"]) == 3  # of the rows given to log_model, the first three are kept as the sample
    assert answer["milliseconds"] > 0
    assert machine.ask("predict", model)["predictions"] == answer["predictions"]

    listed = machine.ask("services")["services"]
    assert len(listed) == 1
    assert set(listed[0]) >= {"name", "ready", "url", "model"}
    assert (listed[0]["name"], listed[0]["ready"], listed[0]["url"]) == (model, True, service["url"])
    assert listed[0]["model"].startswith(model)

    machine.ask("services", "stop", model)
    assert [one["ready"] for one in machine.ask("services")["services"]] == [False]
    assert machine.ask("predict", model, code=1)["error"]["code"] == "unavailable"
    machine.ask("services", "start", model)
    machine.ask("deploy", model)
    assert machine.ask("predict", model)["predictions"] == answer["predictions"]
    machine.ask("services", "delete", model)
    assert machine.ask("services") == {"services": []}
    assert machine.quiet() == {}


def test_predictions_are_those_of_the_notebook(job):
    """The sample's rows, sent as a file and over standard input, get the answers that the model gave in the notebook."""
    if job["name"] != "workbench":
        pytest.skip("one example is enough: the others show probabilities only")
    machine, model = job["machine"], job["model"]
    machine.ask("deploy", model)
    rows = [{"hour": 22, "temperature": 3.3}, {"hour": 22, "temperature": 8.0}]
    (machine.work / "rows.json").write_text(json.dumps(rows))
    assert machine.ask("predict", model, "--data", "rows.json")["predictions"] == [False, True]
    assert machine.ask("predict", model, "--data", "-", stdin=json.dumps({"instances": rows}))["predictions"] == [False, True]
    machine.ask("services", "delete", model)


def test_the_address_of_a_service_asks_who_calls(job):
    machine, model = job["machine"], job["model"]
    service = machine.ask("deploy", model)
    request = urllib.request.Request(f"{service['url']}/v1/models/{model}:predict", data=b'{"instances": []}', method="POST")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=10)
    assert refused.value.code in {401, 403}
    refused.value.close()
    machine.ask("services", "delete", model)


def test_other_parameters_give_another_result(job):
    if job["name"] != "diamond":
        pytest.skip("the diamond has parameters")
    machine = job["machine"]
    run = machine.ask("run", "diamond.ipynb", "-p", "trees=5", "-p", "judge=rmse")
    text = Path(run["notebook"]).read_text()
    assert "rmse" in text
    versions = machine.ask("models")["models"][0]["versions"]
    assert [version["tag"] for version in versions] == ["v2", "v1"]
    assert "latest" in versions[0]["aliases"]
    assert "latest" not in versions[1]["aliases"]


def test_detached_runs_are_listed_stopped_and_deleted(job):
    machine = job["machine"]
    started = machine.ask("run", job["notebook"], "--detach")
    assert started["phase"] in {"Pending", "Running"}
    assert machine.ask("stop", started["run"])["phase"] in {"Stopped", "Succeeded"}
    names = [run["name"] for run in machine.ask("runs")["runs"]]
    assert names[0] == started["run"]
    assert job["run"]["run"] in names
    machine.ask("delete", started["run"])
    assert started["run"] not in [run["name"] for run in machine.ask("runs")["runs"]]
    assert machine.ask("runs", started["run"], code=2)["error"]["code"] == "run-not-found"
    assert machine.quiet() == {}
