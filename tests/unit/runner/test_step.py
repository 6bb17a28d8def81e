"""What a step says and leaves: outputs, events, exit codes, termination message, report; each through a real process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.oci.artifact import read_config
from jupyter_mlops.oci.digest import hex_of
from jupyter_mlops.pipeline.pipeline import Options, Parameter
from tests.unit.runner.staging import Ran, Stage


def one(tmp_path: Path, *cells: str, **options: Any) -> Ran:
    """All cells in one step."""
    return Stage(tmp_path, cells, [tuple(range(len(cells)))], **options).run()[0]


def outputs(ran: Ran, cell: int) -> list[dict[str, Any]]:
    return ran.outputs[str(cell)]["outputs"]


# -- outputs -----------------------------------------------------------------------------------------------------------


def test_outputs_are_those_of_a_notebook(tmp_path: Path) -> None:
    ran = one(
        tmp_path,
        "import sys\nprint('a')\nprint('b')\nprint('e', file=sys.stderr)\nprint('c')\n42",
        "from IPython.display import HTML, display, clear_output\nh = display('first', display_id='d')\ndisplay(HTML('<b>x</b>'))",
        "h.update('second')\nprint('gone')\nclear_output(wait=True)\nprint('kept')",
        "print('dropped')\nclear_output()\nNone",
        "'hidden';",
        "display({'application/vnd.x+json': {'a': 1}, 'text/plain': 'p'}, raw=True)",
    )
    assert ran.code == 0, ran.stdout
    assert [x.get("text") for x in outputs(ran, 0)[:3]] == ["a\nb\n", "e\n", "c\n"]
    assert outputs(ran, 0)[3] == {
        "output_type": "execute_result",
        "execution_count": 1,
        "data": {"text/plain": "42"},
        "metadata": {},
    }
    assert outputs(ran, 1)[0]["data"] == {"text/plain": "'second'"}
    assert outputs(ran, 1)[1]["data"]["text/html"] == "<b>x</b>"
    assert [x["text"] for x in outputs(ran, 2)] == ["kept\n"]
    assert outputs(ran, 3) == []
    assert outputs(ran, 4) == []
    assert outputs(ran, 5)[0]["data"] == {"application/vnd.x+json": {"a": 1}, "text/plain": "p"}
    assert [ran.outputs[str(cell)]["execution_count"] for cell in range(6)] == [1, 2, 3, 4, 5, 6]


def test_outputs_are_valid_notebook_outputs(tmp_path: Path) -> None:
    import nbformat

    ran = one(tmp_path, "import sys\nprint(1)\nprint(2, file=sys.stderr)\ndisplay(3)\n4", "1/0")
    cells = [nbformat.v4.new_code_cell("", outputs=[nbformat.from_dict(x) for x in outputs(ran, cell)]) for cell in (0, 1)]
    nbformat.validate(nbformat.v4.new_notebook(cells=cells))
    assert outputs(ran, 1)[0]["ename"] == "ZeroDivisionError"
    assert "\x1b" not in json.dumps(outputs(ran, 1))


@pytest.mark.slow
def test_figures_are_images_inline(tmp_path: Path) -> None:
    ran = one(
        tmp_path, "import matplotlib.pyplot as plt", "plt.plot([1, 2]);", "fig, ax = plt.subplots()\nax.set_title('t')\nplt.show()"
    )
    assert ran.code == 0, ran.stdout
    for cell in (1, 2):
        images = [x["data"]["image/png"] for x in outputs(ran, cell) if "image/png" in x.get("data", {})]
        assert len(images) == 1
        assert images[0].startswith("iVBOR")


def test_shell_lines_capture_and_await(tmp_path: Path) -> None:
    ran = one(
        tmp_path,
        "!echo from-shell",
        "%%capture cap\nprint('inside')",
        "print(repr(cap.stdout))",
        "import asyncio\nprint(await asyncio.sleep(0, 'awaited'))",
        "%%bash\necho in-bash",
        "x = !echo one\nprint(x)",
    )
    assert ran.code == 0, ran.stdout
    assert [ran.stream(cell).replace("\r", "") for cell in range(6)] == [
        "from-shell\n", "", "'inside\\n'\n", "awaited\n", "in-bash\n", "['one']\n",
    ]  # fmt: skip


def test_what_child_processes_write_is_output_too(tmp_path: Path) -> None:
    ran = one(
        tmp_path,
        "import os, subprocess, sys\nprint('before')\nsubprocess.run(['echo', 'child'])\nos.write(2, b'raw\\n')\nprint('after')",
    )
    assert ran.stream(0) == "before\nchild\nafter\n"
    assert ran.stream(0, "stderr") == "raw\n"
    assert ran.text == "before\nchild\nraw\nafter\n"


def test_widgets_and_progress_bars_do_no_harm(tmp_path: Path) -> None:
    ran = one(
        tmp_path,
        "import ipywidgets as w\ns = w.IntSlider(value=3)\ndisplay(s)\ns.value = 5\nprint(s.value)",
        "out = w.Output()\nwith out:\n    print('in')",
    )
    assert ran.code == 0, ran.stdout
    assert ran.stream(0) == "5\n"


def test_product_lines_do_not_run_and_lines_keep_their_numbers(tmp_path: Path) -> None:
    ran = one(
        tmp_path, "%load_ext jupyter_mlops\n%mlops run --help", "%%step train --gpu 1\nx = 1\nprint(x)\nraise ValueError('here')"
    )
    assert ran.stream(0) == ""
    assert ran.stream(1) == "1\n"
    assert (ran.failure or {})["line"] == 4


def test_text_without_an_end_of_line_does_not_swallow_events(tmp_path: Path) -> None:
    ran = one(tmp_path, "print('no end', end='')")
    assert [event["event"] for event in ran.events][:2] == ["step", "cell"]
    assert ran.events[2]["phase"] == "succeeded"
    assert ran.stream(0) == "no end"


def test_execution_counts_go_on(tmp_path: Path) -> None:
    ran = Stage(tmp_path, ["1", "", "2", "3"], [(0, 1), (2, 3)]).run()
    assert [
        ran[0].outputs["0"]["execution_count"],
        ran[1].outputs["2"]["execution_count"],
        ran[1].outputs["3"]["execution_count"],
    ] == [1, 2, 3]


# -- events and report -------------------------------------------------------------------------------------------------


def test_events_tell_the_progress(tmp_path: Path) -> None:
    ran = one(tmp_path, "1", "2")
    cells = [event for event in ran.events if event["event"] == "cell"]
    assert [(event["phase"], event["cell"], event["k"], event["n"]) for event in cells] == [
        ("started", 0, 1, 2), ("succeeded", 0, 1, 2), ("started", 1, 2, 2), ("succeeded", 1, 2, 2),
    ]  # fmt: skip
    assert all(event["seconds"] >= 0 for event in cells if event["phase"] == "succeeded")
    assert [event["phase"] for event in ran.events if event["event"] == "step"] == ["started", "succeeded"]


@pytest.mark.parametrize("last", ["2", "1/0"])
def test_the_report_is_in_the_registry_however_the_step_ended(last: str, tmp_path: Path) -> None:
    stage = Stage(tmp_path, ["print('x')", last], [(0, 1)])
    ran = stage.run()[0]
    manifest = stage.store.get_manifest("runs/stage", "report.run-1.s0")
    assert read_config(stage.store, "runs/stage", manifest) == ran.report
    assert ran.report["phase"] == ("succeeded" if last == "2" else "failed")
    assert [cell["phase"] for cell in ran.report["cells"]] == ["succeeded", ran.report["phase"]]
    assert ran.report["failure"] == ran.failure
    with stage.store.open_blob("runs/stage", manifest.document["layers"][0]["digest"]) as stream:
        assert json.loads(stream.read()) == ran.outputs


@pytest.mark.slow
def test_the_state_manifest_holds_every_blob(tmp_path: Path) -> None:
    cells = [
        "import numpy as np, random\nnp.random.seed(1); random.seed(1)\nbig = np.zeros(50_000)\nopen('f', 'w').write('x')",
        "y = 1",
        "print(big.sum(), open('f').read())",
    ]
    stage = Stage(tmp_path, cells)
    ran = stage.run()
    assert [one.code for one in ran] == [0, 0, 0], ran[-1].stdout
    for done, tag in zip(ran, ("s0", "s1", "s2"), strict=True):
        manifest = stage.store.get_manifest("runs/stage", f"state.run-1.{tag}")
        assert manifest.descriptor.digest == done.state
        document = stage.state(done.state)
        wanted = {part for x in document["components"].values() for part, _ in x["parts"]}
        wanted |= set(document["carriers"].values()) | {digest for digest, *_ in document["files"].values()}
        layers = manifest.document["layers"]
        assert {layer["digest"] for layer in layers} == wanted
        for layer in layers:
            path = stage.store.root / "runs/stage/blobs/sha256" / hex_of(layer["digest"])
            assert path.stat().st_size == layer["size"]
    first, second = (stage.state(done.state) for done in ran[:2])
    assert first["names"]["big"] == second["names"]["big"]
    assert first["carriers"]["numpy.random"] == second["carriers"]["numpy.random"]


# -- failures ----------------------------------------------------------------------------------------------------------

FAILURES: dict[str, tuple[list[str], str, int, int]] = {
    "plain": (["x = 1\n\nraise ValueError('boom')"], "ValueError", 0, 3),
    "in a function of another cell": (["def f(x):\n    y = 1\n    return 1 / x", "a = 1\nb = 2\nf(0)"], "ZeroDivisionError", 1, 3),
    "in a library": (["import json\n\njson.loads('{')"], "JSONDecodeError", 0, 3),
    "syntax": (["x = 1", "y = 2\nz = (\n"], "SyntaxError", 1, 2),
    "name": (["print(1)\nnope"], "NameError", 0, 2),
    "timed cell": (["%%time\nx = 1\n1/0"], "ZeroDivisionError", 0, 3),
    "nested call": (["def f(): g()\ndef g(): h()\ndef h(): raise KeyError('k')\n\nf()"], "KeyError", 0, 5),
    "exit": (["x = 1\nraise SystemExit(3)"], "SystemExit", 0, 2),
    "interrupt": (["raise KeyboardInterrupt"], "KeyboardInterrupt", 0, 1),
    "input": (["x = 1\ninput('name?')"], "StdinNotImplementedError", 0, 2),
    "awaited": (["import asyncio\nasync def f():\n    raise OSError('x')\nawait f()"], "OSError", 0, 4),
    "group of lines": (["total = (1 +\n         2 +\n         None)"], "TypeError", 0, 1),
}


@pytest.mark.parametrize("case", FAILURES)
def test_a_failure_names_cell_and_line(case: str, tmp_path: Path) -> None:
    cells, error, cell, line = FAILURES[case]
    ran = one(tmp_path, *cells)
    assert ran.code == 1, ran.stdout
    said = ran.failure or {}
    assert (said["code"], said["blame"], said["error"], said["cell"], said["line"]) == ("step-failed", "user", error, cell, line)
    assert said["step"] == "s0"
    assert said["fix"]
    assert not ran.state
    assert not [part for part in said["traceback"] if "jupyter_mlops" in part or "IPython" in part]


def test_what_stands_after_a_failure_does_not_run(tmp_path: Path) -> None:
    ran = one(tmp_path, "x = 1", "1/0", "open('ran', 'w').write('x')")
    assert not (tmp_path / "work" / "ran").exists()
    assert list(ran.outputs) == ["0", "1"]
    assert (ran.failure or {})["names"] == {"x": "int"}


def test_the_message_fits(tmp_path: Path) -> None:
    source = "\n".join(f"name_{number} = {number}" for number in range(2000)) + "\nraise ValueError('é' * 10_000)"
    ran = one(tmp_path, source)
    assert len((tmp_path / "term-s0").read_bytes()) <= 4096
    assert (ran.failure or {})["line"] == 2001


def test_a_state_that_is_not_there_is_the_platforms_fault(tmp_path: Path) -> None:
    ran = Stage(tmp_path, ["1"]).step("s0", "sha256:" + "0" * 64)
    assert (ran.code, (ran.failure or {})["code"]) == (3, "manifest-unknown") or ran.code == 2
    assert not ran.state


def test_a_damaged_state_is_the_platforms_fault(tmp_path: Path) -> None:
    stage = Stage(tmp_path, ["xs = list(range(50))", "print(xs)"])
    first = stage.step("s0")
    part = next(iter(stage.state(first.state)["components"].values()))["parts"][0][0]
    for path in (stage.store.blob_path("runs/stage", part), stage.store.root / "_blobs" / "sha256" / hex_of(part)):
        path.chmod(0o644)
        path.write_bytes(path.read_bytes()[:-1] + b"?")
    second = stage.step("s1", first.state)
    assert second.code == 3
    said = second.failure or {}
    assert (said["code"], said["blame"], said["cell"]) == ("corrupt", "platform", None)


@pytest.mark.parametrize("registry", ["file:///nowhere/at/all", "http://127.0.0.1:9/x", "nonsense"])
def test_a_missing_registry_is_said(registry: str, tmp_path: Path) -> None:
    stage = Stage(tmp_path, ["1"])
    stage.step("s0")  # the bundle is unpacked now
    stage.registry = registry
    ran = stage.step("s0", "sha256:" + "1" * 64)
    assert ran.code in {2, 3}
    assert (ran.failure or {})["message"]


def test_another_python_is_refused_before_anything_runs(tmp_path: Path) -> None:
    ran = one(tmp_path, "open('ran', 'w')", python="3.9")
    assert ran.code == 2
    assert (ran.failure or {})["code"] == "python-mismatch"
    assert not (tmp_path / "work" / "ran").exists()


@pytest.mark.parametrize("argv", [["--step"], ["--nope", "1"], ["--param", "x"], ["--param", "x=not json"]])
def test_wrong_arguments_are_refused(argv: list[str], tmp_path: Path) -> None:
    stage = Stage(tmp_path, ["1"])
    work, out, env = stage.place("s0")
    done = subprocess.run(stage.command("s0", "", out) + argv, cwd=work, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2, done.stdout + done.stderr
    assert json.loads((tmp_path / "term-s0").read_text())["code"] == "wrong-usage"


def test_stopping_ends_it_cleanly(tmp_path: Path) -> None:
    stage = Stage(tmp_path, ["print('on', flush=True)\nimport time\ntime.sleep(60)"])
    work, out, env = stage.place("s0")
    process = subprocess.Popen(
        stage.command("s0", "", out), cwd=work, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        seen = []
        deadline = time.monotonic() + 60
        while "on\n" not in seen and time.monotonic() < deadline:
            seen.append(process.stdout.readline())
        process.send_signal(signal.SIGTERM)
        stdout, stderr = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    ran = stage.result("s0", process.returncode, "".join(seen) + stdout, stderr)
    assert ran.code == 1
    assert (ran.failure or {})["code"] == "stopped"
    assert (ran.failure or {})["cell"] == 0
    assert ran.report["phase"] == "failed"
    assert not ran.state


def test_a_registry_that_cannot_be_written_leaves_no_state(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        stage = Stage(tmp_path, ["import os\nos.makedirs('x')", "1"])
        blobs = tmp_path / "registry" / "_uploads"
        for path in blobs.glob("*"):
            path.unlink()
        blobs.rmdir() if blobs.exists() else None
        blobs.write_text("a file where a folder belongs")
        ran = stage.step("s0")
        assert ran.code == 3, ran.stdout
        assert not ran.state
        assert (ran.failure or {})["blame"] == "platform"


# -- parameters and options --------------------------------------------------------------------------------------------

LR = Parameter("lr", "float", 0.1, 0, 1)


@pytest.mark.parametrize(
    ("given", "shown"),
    [({}, "0.1 0.2"), ({"lr": 0.1}, "0.1 0.2"), ({"lr": 0.5}, "0.5 0.2"), ({"lr": 2}, "2.0 0.2"), ({"lr": None}, "None 0.2")],
)
def test_a_parameter_is_set_right_after_its_cell(given: dict[str, Any], shown: str, tmp_path: Path) -> None:
    stage = Stage(tmp_path, ["lr = 0.1\ndouble = lr * 2", "print(lr, double)"], [(0, 1)], parameters=[LR])
    ran = stage.run(given)[0]
    assert ran.stream(1) == shown + "\n"


@pytest.mark.slow
def test_declared_variables_and_secrets_never_reach_the_registry(tmp_path: Path) -> None:
    options = Options(env={"DECLARED": "x"}, secrets=({"env": "TOKEN", "secret": "s", "key": "k"},))
    cells = [
        "import os\nos.environ['TOKEN'] = 'changed-secret'\nos.environ['DECLARED'] = 'changed-too'\nos.environ['MINE'] = 'travels'",
        "import os\nprint(os.environ.get('MINE'), os.environ.get('TOKEN'))",
    ]
    stage = Stage(tmp_path, cells, options={0: options}, env={"TOKEN": "platform-secret", "KUBERNETES_X": "1"})
    ran = stage.run()
    assert ran[1].stream(1) == "travels platform-secret\n"
    stored = b"".join(path.read_bytes() for path in (stage.store.root / "runs/stage/blobs/sha256").iterdir())
    assert b"travels" in stored
    carriers = [stage.state(one.state)["carriers"].get("environ") for one in ran]
    for digest in filter(None, carriers):
        held = stage.store.blob_path("runs/stage", digest).read_bytes()
        assert b"TOKEN" not in held
        assert b"DECLARED" not in held
        assert b"KUBERNETES_X" not in held


def test_a_third_party_carrier_travels(tmp_path: Path) -> None:
    from jupyter_mlops.session import carriers
    from jupyter_mlops.session.carriers.base import Context

    class Mine:
        name, module = "mine", ""

        def __init__(self, _: Context) -> None: ...

        def capture(self) -> Any:
            return 5

        def restore(self, value: Any) -> None: ...

    before = len(carriers.carriers(Context(tmp_path)))
    carriers.register(Mine)
    try:
        assert [x.name for x in carriers.carriers(Context(tmp_path))][before:] == ["mine"]
    finally:
        carriers._FACTORIES.remove(Mine)


def test_warning_filters_travel(tmp_path: Path) -> None:
    cells = [
        "import warnings\nwarnings.filterwarnings('error', message='mine')",
        "import warnings\ntry:\n    warnings.warn('mine')\nexcept UserWarning:\n    print('raised')",
    ]
    assert Stage(tmp_path, cells).run()[1].stream(1) == "raised\n"
