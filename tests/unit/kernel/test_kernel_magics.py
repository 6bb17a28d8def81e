"""The magics in a real IPython shell; tests/e2e/test_magics.py runs the main job in a real kernel."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from jupyter_mlops.engine.base import LogLine
from jupyter_mlops.errors import NotFound, Refused
from jupyter_mlops.kernel.completion import complete
from jupyter_mlops.kernel.magics import register
from jupyter_mlops.oci.names import MIME_RUN
from jupyter_mlops.serving.base import Service
from jupyter_mlops.settings import Settings, Target
from tests.unit.kernel.kernel_story import FAILURE, ScriptedEngine, a_run


@dataclass
class ScriptedServices:
    """Services whose states are written down by the test; the last one stays."""

    story: list[Service]
    controlled: list[tuple[str, str]] = field(default_factory=list)

    def get(self, name, namespace="default"):
        return self.story.pop(0) if len(self.story) > 1 else self.story[0]

    def list(self):
        return [self.story[-1]]

    def logs(self, name, namespace="default", *, follow=False):
        yield from (f"log line {n}" for n in range(30))

    def control(self, name, verb, namespace="default"):
        self.controlled.append((name, verb))
        return a_service("Stopped")


def a_service(phase: str) -> Service:
    return Service(
        "churn",
        "default",
        phase,
        phase == "Ready",
        "http://127.0.0.1:1",
        "churn@sha256:1",
        1.0,
        message="no pandas" if phase == "Failed" else "",
    )


class ScriptedModels:
    """One model without versions."""

    def list(self):
        return [SimpleNamespace(name="churn", versions=())]

    def get(self, name):
        if name != "churn":
            raise NotFound(f"no model {name}")
        return self.list()[0]


@dataclass
class ScriptedBench:
    """A workbench around a scripted engine; what it is asked is kept."""

    engine: ScriptedEngine
    services: ScriptedServices = field(default_factory=lambda: ScriptedServices([a_service("Ready")]))
    settings: Settings = field(default_factory=Settings)
    asked: list[Any] = field(default_factory=list)
    error: Exception | None = None
    models: Any = field(default_factory=ScriptedModels)

    target: Target = field(default_factory=Target)
    targets: Any = None
    namespace: str = "default"

    def at(self, name=None):
        if name is not None:
            self.asked.append(("at", name))
        return self

    def run(self, path, parameters=None, kernel=None, resume=None, tell=None):
        self.asked.append((Path(path).name, parameters, kernel, *([resume] if resume else [])))
        if self.error is not None:
            raise self.error
        return self.engine.story[0]

    def deploy(self, model, name=None, namespace=None, port=None, gpu=0):
        self.asked.append((model, name, namespace, port, *([gpu] if gpu else [])))
        return a_service("Pending")

    def predict(self, service, data=None, namespace=None):
        self.asked.append((service, data))
        return SimpleNamespace(predictions=[1, 0], milliseconds=2.5)


@pytest.fixture
def notebook(tmp_path, monkeypatch):
    path = tmp_path / "churn.ipynb"
    path.write_text("{}")
    monkeypatch.setenv("JPY_SESSION_NAME", str(path))
    monkeypatch.chdir(tmp_path)
    return path


@pytest.fixture
def bench(shell, notebook):
    made = ScriptedBench(
        ScriptedEngine([a_run(), a_run("Succeeded")], [LogLine("load", "read 3 rows\n"), LogLine("train", "fit\n")])
    )
    register(shell, made)
    return made


def ran(shell, cell):
    """Result, displayed bundles and printed text of a cell."""
    from IPython.utils.capture import capture_output

    with capture_output() as seen:
        result = shell.run_cell(cell)
    return result, [output.data for output in seen.outputs], seen.stdout + seen.stderr


def test_run_follows_this_notebook_to_its_end(shell, bench):
    result, shown, _ = ran(shell, "%mlops run -p trees=5 --kernel other")
    assert result.success
    assert bench.asked == [("churn.ipynb", {"trees": "5"}, "other")]
    assert "Succeeded: churn-x7k2q" in shown[-1]["text/plain"]
    assert "the copy of churn.ipynb saved" in shown[-1]["text/plain"]
    assert "<table" in shown[-1]["text/html"]
    assert shown[-1][MIME_RUN]["run"] == "churn-x7k2q"
    assert shown[-1][MIME_RUN]["phase"] == "Succeeded"


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("-p lr=-0.5", "-0.5"), ("""-p 'lr={"a":1}'""", '{"a":1}'), ("-p lr={{x}}", "{{x}}"), ("-p lr=$x", "$x"), ("""-p lr='it"s'""", 'it"s'),
        ("-p 'lr=a=b c'", "a=b c"), ("-p lr=", ""), ("-p lr=größe€", "größe€"), (r"""-p lr="a\\b" """, r"a\b"), ("-p 'lr=[1, -2, null]'", "[1, -2, null]"),
    ],
)  # fmt: skip
def test_a_parameter_arrives_as_it_is_written(shell, bench, written, value):
    """IPython replaces neither braces nor dollars, whatever names there are."""
    result, _, printed = ran(shell, f"x = 7\n%mlops run {written}")
    assert result.success, printed
    assert bench.asked == [("churn.ipynb", {"lr": value}, None)]


def test_a_failed_run_fails_the_cell_in_one_line(shell, bench):
    bench.engine.story = [a_run("Failed", failure=FAILURE)]
    result, shown, printed = ran(shell, "%mlops run")
    assert not result.success
    assert "ZeroDivisionError: division by zero (step train, cell 4, line 2)" in shown[-1]["text/plain"]
    assert printed.strip() == "run churn-x7k2q: Failed (see above)"


def test_detach_and_widget_do_not_wait(shell, bench):
    bench.engine.hold = threading.Event()
    try:
        _, shown, _ = ran(shell, "%mlops run --detach")
        assert "%mlops runs churn-x7k2q" in shown[0]["text/plain"]
        _, shown, _ = ran(shell, "%mlops run --widget")
        assert "application/vnd.jupyter.widget-view+json" in shown[0]
    finally:
        bench.engine.hold.set()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("runs", ["churn-x7k2q  ✓ Succeeded"]),
        ("runs churn-x7k2q", ["Succeeded: churn-x7k2q"]),
        ("runs churn-x7k2q --delete", ["churn-x7k2q is deleted"]),
        ("logs", ["load │ read 3 rows", "train │ fit"]),
        ("logs churn-x7k2q --step train", ["  fit"]),
        ("logs --tail 1", ["1 earlier ones left out", "fit"]),
        ("services", ["churn    ✓ Ready"]),
        ("services churn", ["log line 29"]),
        ("stop churn-x7k2q", ["■ Stopped: churn-x7k2q"]),
        ("stop churn-x7k2q --delete", ["is stopped and deleted"]),
        ("stop churn", ["■ Stopped: churn serves"]),
        ("stop churn --delete", ["churn is deleted"]),
        ("deploy churn:v1 --name c --port 8080", ["✓ Ready: churn"]),
        ("deploy churn --detach", ["○ Pending: churn"]),
        ("predict churn", ["answered 2 rows in 2.5 ms", "0    1"]),
        ("models churn", ["churn"]),
    ],
)
def test_commands_show_text_and_html(shell, bench, line, words):
    result, shown, printed = ran(shell, f"%mlops {line}")
    assert result.success, printed
    assert printed == ""
    for word in words:
        assert word in shown[-1]["text/plain"]
    assert shown[-1]["text/html"].startswith("<div")


def test_predict_sends_rows_of_the_notebook(shell, bench):
    result, _, _ = ran(shell, "rows = [{'a': 1}, {'a': 2}]\n%mlops predict churn --into answer --data rows[:1]")
    assert result.success
    assert bench.asked == [("churn", [{"a": 1}])]
    assert shell.user_ns["answer"] == [1, 0]


def test_a_service_that_fails_shows_its_log(shell, bench):
    bench.services.story = [a_service("Loading"), a_service("Failed")]
    result, shown, printed = ran(shell, "%mlops deploy churn")
    assert not result.success
    assert "no pandas" in shown[-2]["text/plain"]
    assert "log line 29" in shown[-2]["text/plain"]
    assert "log line 9\n" not in shown[-2]["text/plain"]
    assert "code: " in shown[-1]["text/plain"]
    assert printed.strip().startswith("%mlops deploy churn failed: ")


def test_a_service_that_is_slow_is_said_with_the_way_to_look(shell, bench):
    from dataclasses import replace

    bench.services.story = [a_service("Loading")]
    bench.settings = replace(bench.settings, serving=replace(bench.settings.serving, ready_timeout=0.2))
    result, shown, _ = ran(shell, "%mlops deploy churn")
    assert not result.success
    assert "not ready after" in shown[-1]["text/plain"]
    assert "log line 29" in shown[-1]["text/plain"]


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        ("rnu", "wrong-usage", "Did you mean %mlops run?"),
        ("run gone.ipynb", "not-found", "no notebook at gone.ipynb"),
        ("run -p trees", "wrong-usage", "not NAME=VALUE"),
        ("runs --delete", "wrong-usage", "which one?"),
        ("runs nobody", "not-found", "no run nobody"),
        ("models nobody", "not-found", "no model nobody"),
        ("predict churn --data 1/0", "wrong-usage", "ZeroDivisionError"),
        ("predict churn --into 3x", "wrong-usage", "not a variable's name"),
        ("convert", "bug", "AttributeError"),
    ],
)
def test_errors_are_shown_and_end_the_cell_without_a_traceback(shell, bench, line, code, words):
    result, shown, printed = ran(shell, f"%mlops {line}\nafter = True")
    assert not result.success
    assert words in shown[-1]["text/plain"]
    assert words in shown[-1]["text/html"].replace("&#x27;", "'")
    assert f"code: {code}" in shown[-1]["text/plain"]
    assert printed.strip() == f"%mlops {line} failed: {code} (see above)"
    assert "after" not in shell.user_ns


def test_a_refusal_shows_every_finding(shell, bench):
    from jupyter_mlops.errors import Diagnostic

    found = tuple(Diagnostic("syntax-error", "error", f"cell {n} is not Python", n, 1, "Correct it.") for n in (2, 5))
    bench.error = Refused("two cells are not Python", diagnostics=found)
    _, shown, _ = ran(shell, "%mlops run")
    assert "cell 2 is not Python" in shown[-1]["text/plain"]
    assert "cell 5 is not Python" in shown[-1]["text/plain"]


def test_step_cells_run_as_they_are(shell, bench):
    result, _, printed = ran(shell, "%%step train --gpu 1\nx = 41\nprint(x)\nx + 1")
    assert (result.result, shell.user_ns["x"]) == (42, 41)
    assert printed.startswith("41\n")
    result, _, printed = ran(shell, "%%step train\n\nimport asyncio\nawait asyncio.sleep(0)\n1/0")
    assert isinstance(result.error_in_exec, ZeroDivisionError)
    assert "line 5" in printed
    result, _, printed = ran(shell, "%%step a\n%%capture kept\nprint('hidden')")
    assert (printed, shell.user_ns["kept"].stdout) == ("", "hidden\n")


def test_a_step_line_that_cannot_be_read_runs_nothing(shell, bench):
    result, shown, printed = ran(shell, "%%step train --gpu two\ny = 1")
    assert not result.success
    assert "y" not in shell.user_ns
    assert "--gpu" in shown[0]["text/plain"]
    assert printed.strip() == "%%step failed: wrong-usage (see above)"
    assert "usage: %%step NAME" in ran(shell, "%%step --help")[1][0]["text/plain"]


def test_step_called_by_name_runs_the_body(shell, bench):
    shell.run_cell_magic("step", "train", "z = 3\n")
    assert shell.user_ns["z"] == 3
    result, _, printed = ran(shell, "get_ipython().run_cell_magic('step', 'train', '1/0')")
    assert not result.success
    assert "ZeroDivisionError" in printed


def test_registering_twice_changes_nothing(shell, bench):
    before = len(shell.input_transformers_cleanup)
    register(shell, bench)
    assert len(shell.input_transformers_cleanup) == before


@pytest.mark.parametrize(
    ("text", "line", "expected"),
    [
        (
            "",
            "%mlops ",
            [
                "convert",
                "preflight",
                "check",
                "run",
                "runs",
                "logs",
                "models",
                "deploy",
                "predict",
                "services",
                "stop",
                "targets",
                "use",
            ],
        ),
        ("ru", "%mlops ru", ["run", "runs"]),
        ("--d", "%mlops run --d", ["--detach"]),
        ("", "%mlops run ", ["churn.ipynb"]),
        ("ch", "%mlops deploy ch", ["churn"]),
        ("", "%mlops predict ", ["churn"]),
        ("churn-", "%mlops logs churn-", ["churn-x7k2q"]),
        ("x", "%mlops nothing x", []),
        ("--", "%mlops nothing --", []),
    ],
)
def test_completion(bench, text, line, expected):
    assert complete(text, line, lambda: bench) == expected


def test_completion_never_fails():
    def broken():
        raise OSError("no disk")

    assert complete("", "%mlops deploy ", broken) == []


def test_the_shell_offers_them(shell, bench):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)  # IPython's own, about how its front ends will ask
        assert shell.complete("mod", "%mlops mod", 10)[1] == ["models"]


BARE = """
import json, sys
for name in ("jupyter_server", "jupyterlab", "ipywidgets", "tornado", "kubernetes", "oras", "nbformat"):
    sys.modules[name] = None
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
results = [shell.run_cell(cell, silent=False).success for cell in ("%load_ext jupyter_mlops", "%mlops --help", "%mlops runs", "%%step a\\nb = 1")]
print(json.dumps(results))
"""


@pytest.mark.slow
def test_a_kernel_without_the_server_has_the_magics(tmp_path):
    env = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
        "JUPYTER_MLOPS_HOME": str(tmp_path / "home"),
        "IPYTHONDIR": str(tmp_path),
    }
    done = subprocess.run([sys.executable, "-c", BARE], capture_output=True, text=True, env=env, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == [True, True, True, True], done.stdout
