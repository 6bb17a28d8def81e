"""Runs with real processes: what a step sees, what is kept, and what is left behind."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from jupyter_mlops.engine.base import DONE, Submission
from jupyter_mlops.engine.local.identity import alive
from jupyter_mlops.errors import Conflict, NotFound, PlatformError, Refused
from jupyter_mlops.registry.runs import RunRecords
from jupyter_mlops.testing.engine import phases, wait, workflow

if TYPE_CHECKING:
    from tests.unit.engine.conftest import Lab


def test_a_step_sees_what_a_kernel_sees_and_nothing_of_it_is_written_down(lab: Lab, clean_environment: pytest.MonkeyPatch) -> None:
    servers = {"JPY_API_TOKEN": "canary-1", "JUPYTERHUB_API_TOKEN": "canary-2", "JUPYTER_TOKEN": "canary-3"}
    users = {"GITHUB_TOKEN": "canary-4", "DATA_FOLDER": "canary-5", "HTTPS_PROXY": "http://user:canary-6@proxy:1"}
    for name, value in {**servers, **users, "LC_NUMERIC": "C", "PYTHONHASHSEED": "7"}.items():
        clean_environment.setenv(name, value)
    run = lab.run(("a", "print(json.dumps({name: len(value) for name, value in os.environ.items()}))"))
    seen = json.loads(lab.text(run))
    assert not set(servers) & set(seen)
    assert {name: seen[name] for name in users} == {name: len(value) for name, value in users.items()}
    assert (seen["LC_NUMERIC"], seen["PYTHONHASHSEED"]) == (1, 1)
    assert seen["HOME"] == len(os.environ["HOME"])
    assert seen["PATH"] == len(os.environ["PATH"])
    found = subprocess.run(["grep", "-rl", "canary", str(lab.settings.storage.home)], capture_output=True, text=True, check=False)
    assert found.stdout == ""


def test_the_template_says_what_else_is_in_the_environment(lab: Lab, clean_environment: pytest.MonkeyPatch) -> None:
    clean_environment.setenv("HF_TOKEN", "s3cret")
    env = [
        {"name": "MODE", "value": "fast"},
        {"name": "HOME", "value": "/mlops"},
        {"name": "OUT", "value": "/mlops/out"},
        {"name": "ELSEWHERE", "value": "/mlopsx"},
        {"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": "hf", "key": "token"}}},
        {"name": "NOT_THERE", "valueFrom": {"secretKeyRef": {"name": "x", "key": "y", "optional": True}}},
    ]
    run = lab.run(("a", "print(json.dumps(dict(os.environ)))"), container={"env": env})
    seen = json.loads(lab.text(run))
    assert (seen["MODE"], seen["HF_TOKEN"], seen["ELSEWHERE"]) == ("fast", "s3cret", "/mlopsx")
    assert seen["HOME"] == os.environ["HOME"]
    assert seen["OUT"] == str(lab.folder(run).pod("a") / "mlops" / "out")
    assert "NOT_THERE" not in seen
    assert b"s3cret" not in lab.folder(run).workflow.read_bytes() + lab.folder(run).request.read_bytes()


def test_a_secret_that_is_not_set_is_said_before_anything_starts(lab: Lab, clean_environment: pytest.MonkeyPatch) -> None:
    clean_environment.delenv("HF_TOKEN", raising=False)
    env = [{"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": "hf", "key": "token"}}}]
    with pytest.raises(Refused, match="hf/token as HF_TOKEN") as caught:
        lab.submit(("a", "pass"), container={"env": env})
    assert "HF_TOKEN" in caught.value.fix
    assert lab.engine.list() == []


def test_python3_is_the_kernels_interpreter(lab: Lab) -> None:
    document = workflow(("a", "print(sys.flags.no_user_site, os.environ['MARKED'])"))
    run = lab.engine.submit(Submission(document, None, ("/usr/bin/env", "MARKED=yes", sys.executable, "-s")))
    assert wait(lab.engine, run.name).phase == "Succeeded"
    assert lab.text(run) == "1 yes"


def test_another_program_runs_as_it_is(lab: Lab) -> None:
    document = workflow(("a", ""))
    document["spec"]["templates"][1]["container"] |= {"command": ["echo"], "args": ["{{workflow.name}}", "{{workflow.namespace}}"]}
    run = wait(lab.engine, lab.engine.submit(Submission(document)).name)
    assert lab.text(run) == f"{run.name} local"


def test_a_program_that_is_not_there_is_an_error_of_that_step(lab: Lab) -> None:
    document = workflow(("a", ""), ("b", ""))
    document["spec"]["templates"][1]["container"]["command"] = ["/no/such/program"]
    run = wait(lab.engine, lab.engine.submit(Submission(document)).name)
    assert (run.phase, phases(run)) == ("Error", {"a": "Error", "b": "Skipped"})
    assert run.failure is not None
    assert "/no/such/program" in run.failure.message


def test_an_output_without_file_and_default_is_an_error(lab: Lab) -> None:
    document = workflow(("a", ""))
    del document["spec"]["templates"][1]["outputs"]["parameters"][0]["valueFrom"]["default"]
    run = wait(lab.engine, lab.engine.submit(Submission(document)).name)
    assert run.phase == "Error"
    assert run.failure is not None
    assert "'state'" in run.failure.message


def test_one_container_and_no_steps_at_all_run_too(lab: Lab) -> None:
    single = workflow(("a", "print('one')"))
    single["spec"]["entrypoint"] = "a"
    single["spec"]["templates"][1]["inputs"]["parameters"][0]["value"] = ""
    del single["metadata"]["annotations"]
    nothing = workflow()
    nothing["spec"]["templates"][0] = {"name": "pipeline", "suspend": {"duration": "0"}}
    one = wait(lab.engine, lab.engine.submit(Submission(single)).name)
    assert (one.phase, phases(one), lab.text(one)) == ("Succeeded", {"a": "Succeeded"}, "one")
    assert wait(lab.engine, lab.engine.submit(Submission(nothing)).name).phase == "Succeeded"


def test_attempts_are_nodes_of_their_own_and_share_a_log(lab: Lab) -> None:
    run = lab.run(("a", "print('try', '{{retries}}'); sys.exit(1)"), template={"retryStrategy": {"limit": 2}})
    assert lab.text(run).splitlines() == ["try 0", "try 1", "try 2"]
    nodes = run.workflow["status"]["nodes"].values()
    assert sorted((n["type"], n["name"].removeprefix(run.name)) for n in nodes) == [
        ("DAG", ""), ("Pod", ".a(0)"), ("Pod", ".a(1)"), ("Pod", ".a(2)"), ("Retry", ".a"),
    ]  # fmt: skip
    assert run.failure is not None
    assert run.failure.step == "a"


@pytest.mark.slow
def test_independent_steps_fail_without_each_other_but_nothing_new_starts(lab: Lab) -> None:
    document = workflow(("bad", "sys.exit(1)"), ("good", "time.sleep(1)"), ("later", "pass"), chain=False)
    document["spec"]["templates"][0]["dag"]["tasks"][2]["depends"] = "good.Succeeded"
    run = wait(lab.engine, lab.engine.submit(Submission(document)).name)
    assert phases(run) == {"bad": "Failed", "good": "Succeeded", "later": "Skipped"}


@pytest.mark.slow
def test_the_runs_own_deadline_ends_it(lab: Lab) -> None:
    document = workflow(("a", "time.sleep(600)"), ("b", "pass"))
    document["spec"]["activeDeadlineSeconds"] = 1
    run = wait(lab.engine, lab.engine.submit(Submission(document)).name)
    assert run.phase == "Failed"
    assert run.failure is not None
    assert run.failure.code == "timeout"


@pytest.mark.parametrize(
    ("signal_name", "words"), [("SIGKILL", "memory"), ("SIGSEGV", "crashed"), ("SIGABRT", "aborted"), ("SIGUSR1", "SIGUSR1")]
)
def test_a_step_that_a_signal_ends_says_so_in_words(lab: Lab, signal_name: str, words: str) -> None:
    run = lab.run(
        ("a", f"import signal; say(event='cell', phase='started', cell=4, k=1, n=1); os.kill(os.getpid(), signal.{signal_name})")
    )
    assert run.failure is not None
    assert signal_name in run.failure.message
    assert words in run.failure.message
    assert run.failure.step == "a"


def test_a_gpu_that_is_not_here_stops_the_run_before_it_starts(lab: Lab) -> None:
    with pytest.raises(PlatformError, match=r"'a' asks for 2 of example\.com/gpu, and this machine has none") as caught:
        lab.submit(("a", "pass"), container={"resources": {"limits": {"example.com/gpu": "2"}}})
    assert "cluster" in caught.value.fix
    assert lab.engine.list() == []


@pytest.mark.slow
def test_more_memory_than_there_is_is_said_and_tried(lab: Lab) -> None:
    resources = {"requests": {"memory": "900Ti", "cpu": "4096"}}
    run = lab.submit(("a", "time.sleep(0.5)"), container={"resources": resources})
    running = wait(lab.engine, run.name, lambda now: now.steps[0].phase == "Running")
    assert "900" in running.steps[0].message or "921600.0 GiB" in running.steps[0].message
    assert "4096 processors" in running.steps[0].message
    assert wait(lab.engine, run.name).phase == "Succeeded"


def test_a_name_is_taken_once(lab: Lab) -> None:
    document = workflow(("a", "pass"))
    document["metadata"]["name"] = "mine"
    assert lab.engine.submit(Submission(document)).name == "mine"
    with pytest.raises(Conflict):
        lab.engine.submit(Submission(document))
    assert wait(lab.engine, "mine").phase == "Succeeded"


def test_what_is_kept_is_for_its_owner_alone(lab: Lab) -> None:
    run = lab.run(("a", "print('x')"), notebook=True)
    lab.until(lambda: not alive(lab.supervisor(run)))
    for path in [lab.settings.storage.home, *lab.folder(run).path.rglob("*"), lab.folder(run).path]:
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), f"{path} {mode:o}"
    assert sorted(path.name for path in lab.folder(run).path.iterdir()) == [
        "logs",
        "request.json",
        "supervisor.log",
        "workflow.json",
    ]
    assert (lab.folder(run).path / "supervisor.log").read_text() == ""


def test_two_engines_share_one_folder(lab: Lab) -> None:
    other = lab.another()
    run = lab.submit(("a", "print('hi'); time.sleep(600)"))
    assert [found.name for found in other.list()] == [run.name]
    wait(other, run.name, lambda now: now.steps[0].phase == "Running")
    assert other.control(run.name, "stop").phase == "Stopped"
    assert lab.engine.get(run.name).phase == "Stopped"
    other.control(run.name, "delete")
    with pytest.raises(NotFound):
        lab.engine.get(run.name)


@pytest.mark.slow
def test_twenty_submissions_at_once_all_run(lab: Lab) -> None:
    with ThreadPoolExecutor(8) as pool:
        runs = list(pool.map(lambda n: lab.engine.submit(Submission(workflow(("a", f"print({n})"), name=f"p{n}"))), range(20)))
    assert len({run.name for run in runs}) == 20
    for number, run in enumerate(runs):
        assert wait(lab.engine, run.name).phase == "Succeeded"
        assert lab.text(run) == str(number)
    listed = lab.engine.list(limit=50)
    assert [run.created for run in listed] == sorted((run.created for run in listed), reverse=True)
    assert {run.name for run in listed} == {run.name for run in runs}


@pytest.mark.slow
def test_a_run_goes_on_when_its_submitter_ends(lab: Lab) -> None:
    source = (
        "import sys, json, pathlib\n"
        "from jupyter_mlops.engine.base import Submission\n"
        "from jupyter_mlops.engine.local.engine import LocalEngine\n"
        "from jupyter_mlops.oci.layout import Layout\n"
        "from jupyter_mlops.settings import Settings, Storage\n"
        "s = Settings(storage=Storage(home=pathlib.Path(sys.argv[1])))\n"
        "print(LocalEngine(s, Layout(s.storage.registry)).submit(Submission(json.loads(sys.argv[2]))).name)\n"
    )
    document = workflow(("a", "time.sleep(1); print('done')"))
    # the whole process group of the submitter ends, as a closed terminal ends it
    submitter = subprocess.Popen(
        [sys.executable, "-c", source, str(lab.settings.storage.home), json.dumps(document)],
        stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert submitter.stdout is not None
    name = submitter.stdout.read().strip()  # would wait for ever if the run held the submitter's output open
    submitter.stdout.close()
    submitter.wait()
    with pytest.raises(ProcessLookupError):
        os.killpg(submitter.pid, 9)
    assert lab.engine.get(name).phase not in DONE
    run = wait(lab.engine, name)
    assert (run.phase, lab.text(run)) == ("Succeeded", "done")


def test_a_finished_run_is_in_the_registry(lab: Lab) -> None:
    good = lab.run(("a", "print('hello'); say(event='metric', name='acc', value=0.5)"), parameters={"lr": 0.1})
    bad = lab.run(("a", "sys.exit(1)"))
    records = RunRecords(lab.engine._store)
    assert records.runs("conformance") == sorted([good.name, bad.name])
    record = records.get("conformance", good.name)
    assert (record["phase"], record["parameters"], record["metrics"]) == ("Succeeded", {"lr": 0.1}, {"acc": 0.5})
    assert records.get("conformance", bad.name)["failure"]["step"] == "a"
    with records.open("conformance", good.name, "a.log") as log:
        assert log.read().splitlines()[0] == b"hello"
    with records.open("conformance", good.name, "workflow.json") as document:
        assert json.loads(document.read())["status"]["phase"] == "Succeeded"


@pytest.mark.slow
def test_only_so_many_finished_runs_are_kept(lab: Lab) -> None:
    other = lab.run(("a", "pass"), name="other")
    names = [lab.run(("a", "pass")).name for _ in range(5)]
    last = lab.submit(("a", "time.sleep(1)"))
    wait(lab.engine, last.name)
    kept = [run.name for run in lab.engine.list(pipeline="conformance")]
    assert kept == [last.name, *reversed(names[-3:])]
    assert lab.engine.get(other.name).phase == "Succeeded"
    records = RunRecords(lab.engine._store)
    assert set(records.runs("conformance")) == set(kept)


def test_deleting_takes_the_record_too(lab: Lab) -> None:
    run = lab.run(("a", "pass"))
    lab.engine.control(run.name, "delete")
    assert RunRecords(lab.engine._store).runs("conformance") == []
    assert list(lab.settings.storage.runs.iterdir()) == []
    with pytest.raises(NotFound):
        lab.engine.control(run.name, "delete")


def test_a_chain_of_forty_steps_runs_to_its_end(lab: Lab) -> None:
    document = workflow(*((f"s{n}", "") for n in range(40)))
    for template in document["spec"]["templates"][1:]:
        template["container"] |= {"command": ["true"], "args": []}
    run = wait(lab.engine, lab.engine.submit(Submission(document)).name)
    assert set(phases(run).values()) == {"Succeeded"}
    assert run.workflow["status"]["progress"] == "40/40"
