"""What people read of each noun."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from jupyter_mlops.engine.base import DONE, Phase
from jupyter_mlops.errors import Bug, Diagnostic, NotFound, Refused, StorageFull, Where
from jupyter_mlops.kernel import present
from jupyter_mlops.kernel.page import as_html, as_text, bundle
from jupyter_mlops.oci.names import MIME_RUN
from jupyter_mlops.pipeline.pipeline import Parameter, Pipeline, Step
from jupyter_mlops.serving.base import Service
from tests.unit.kernel.kernel_story import FAILURE, a_run

LOST = Diagnostic("history", "warning", "`_3` is the output of an earlier cell", 7, 2, "Give it a name.")


def test_a_pipeline():
    pipeline = Pipeline(
        "churn", "churn.ipynb", (Step("load", (1, 2, 3), title="The customers"), Step("train", (5, 7), ("load",))),
        parameters=(Parameter("trees", "int", 60, 1, 3), Parameter("name", "str", "ä", 1, 4), Parameter("judge", "enum", "a", 1, 5, ("a", "b"))), diagnostics=(LOST,),
    )  # fmt: skip
    text = as_text(present.pipeline_page(pipeline, "w.yaml"))
    assert "churn.ipynb is a pipeline of 2 steps" in text
    assert "load   1-3" in text
    assert "train  5, 7   load" in text
    assert 'name       str              "ä"' in text
    assert 'judge      one of "a", "b"  "a"' in text
    assert "warning  7     2     `_3` is the output of an earlier cell  Give it a name." in text
    assert "written to w.yaml" in text


def test_a_running_run_shows_where_it_is():
    text = as_text(present.run_page(a_run(), ["epoch 3"], now=104.2))
    assert text.startswith("● Running: churn-x7k2q, 4.2 s")
    assert "load   ✓ Succeeded  2 of 2  1.5 s" in text
    assert "train  ● Running    1 of 3  2.7 s" in text
    assert "epoch 3" in text


def test_a_failed_run_says_where_and_why_instead_of_the_log():
    text = as_text(present.run_page(a_run("Failed", failure=FAILURE), ["noise"]))
    assert "ZeroDivisionError: division by zero (step train, cell 4, line 2)" in text
    assert "Change the cell" in text
    assert "1/0" in text
    assert "noise" not in text


def test_a_place_that_the_message_names_is_not_said_twice():
    failure = replace(FAILURE, message="ZeroDivisionError in cell 4, line 2: division by zero")
    assert "in cell 4, line 2: division by zero (step train)" in as_text(present.run_page(a_run("Failed", failure=failure)))


def test_a_finished_run_says_what_it_made():
    run = a_run(
        "Succeeded",
        metrics={"auc": 0.91237},
        models=({"name": "churn", "tag": "v3", "digest": "sha256:0"},),
        executed="/x/executed.ipynb",
    )
    text = as_text(present.run_page(run))
    assert "metrics: auc 0.9124" in text
    assert "model churn:v3 registered" in text
    assert "executed notebook: /x/executed.ipynb" in text


def test_the_mime_type_holds_a_name_and_a_phase():
    about = {"run": "churn-x7k2q", "phase": "Running", "target": "local"}
    assert bundle(present.run_page(a_run(), home="/h"))[MIME_RUN] == {**about, "home": "/h"}
    assert bundle(present.run_page(a_run()))[MIME_RUN] == about
    assert bundle(present.run_page(a_run(target="dev")))[MIME_RUN] == {**about, "target": "dev"}


def test_every_phase_has_a_sign():
    services = {"Pending", "Loading", "Ready", "Failed", "Stopped"}
    assert set(present.MARK) == set(Phase.__args__) | services
    assert set(present.MARK) >= DONE


@dataclass
class Version:
    tag: str
    digest: str = "sha256:" + "0" * 64
    aliases: tuple[str, ...] = ()
    metrics: dict[str, float] = field(default_factory=dict)
    created: float = 40.0


@dataclass
class Model:
    name: str
    versions: tuple[Version, ...]


def test_models():
    churn = Model("churn", (Version("v2", aliases=("latest",), metrics={"auc": 0.9}), Version("v1")))
    assert "churn  v2      latest   auc 0.9  1 min 0 s ago  2" in as_text(present.models_page([churn], now=100.0))
    undated = replace(churn, versions=(replace(churn.versions[0], created=0.0),))
    assert "ago" not in as_text(present.models_page([undated], now=1795000000.0))
    text = as_text(present.model_page(churn, now=100.0))
    assert text.splitlines()[2].startswith("v2")
    assert "sha256:000" in text


def test_services():
    ready = Service("churn", "default", "Ready", True, "http://127.0.0.1:8080", "churn@sha256:1", 1.0)
    failed = Service(
        "old", "default", "Failed", False, "", "old@sha256:2", 1.0, message="The model needs pandas.", fix="Install pandas."
    )
    assert "churn    ✓ Ready   churn@sha256:1  http://127.0.0.1:8080" in as_text(present.services_page([ready, failed]))
    assert "%mlops predict churn" in as_text(present.service_page(ready))
    text = as_text(present.service_page(failed, ["Traceback"]))
    assert "✗ Failed: old" in text
    assert "Install pandas." in text
    assert "%mlops predict" not in text
    assert "Traceback" in text


@pytest.mark.parametrize(
    ("page", "next_step"),
    [
        (present.runs_page([]), "%mlops run"),
        (present.models_page([]), "log_model"),
        (present.services_page([]), "%mlops deploy"),
        (present.logs_page("r", [], 0), "nothing"),
    ],
)
def test_an_empty_list_says_what_to_do(page, next_step):
    assert next_step in as_text(page)


def test_logs_say_what_is_left_out():
    assert "last 2 lines; 7 earlier" in as_text(present.logs_page("churn-1", ["a", "b"], 7))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (NotFound("no run x", fix="There are: y."), ["✗ no run x", "There are: y.", "code: not-found"]),
        (
            Refused("it is cyclic", "cycle", "Break it.", Where("a.ipynb", 3, 1), (LOST,)),
            ["it is cyclic (a.ipynb, cell 3, line 1)", "`_3`", "Give it a name.", "history"],
        ),
        (StorageFull("no room"), ["code: storage-full (this machine"]),
        (Bug("oh"), ["a bug of jupyter-mlops"]),
    ],
)
def test_errors_are_shown_whole(error, words):
    page = present.error_page(error)
    for word in words:
        assert word in as_text(page)
    assert "Traceback" not in as_html(page)


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0.0 s"), (59.94, "59.9 s"), (60, "1 min 0 s"), (3599, "59 min 59 s"), (3661, "1 h 1 min")]
)
def test_durations(seconds, words):
    assert present.duration(seconds) == words
