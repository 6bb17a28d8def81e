"""Steps on a real cluster: in an image that has Python and nothing of ours, not even IPython.

All Workflows are created at once, since most of their time is spent waiting; each test then looks at its own.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from jupyter_mlops.cluster.base import CONFIG_MAPS, SECRETS, Cluster
from jupyter_mlops.pipeline.pipeline import Options, Parameter
from jupyter_mlops.settings import Target
from tests.cluster.conftest import fresh_namespace
from tests.cluster.steps import OnCluster

pytestmark = pytest.mark.cluster

HARD_TEXT = "{{workflow.name}} {{x}} ${HOME} $(id) `id` \r\n \\ ' \" \t é 漢 😀 {{=1+1}}"
RAW = "{{x}} ${HOME} $(id) `id`é"
BIG = "import os\nline = 'x' * 99\nfor _ in range(200_000):\n    print(line)"
MODEL = """from jupyter_mlops import log_model, log_metrics
from sklearn.linear_model import LinearRegression
m = LinearRegression().fit([[0], [1]], [0, 1])
log_metrics(mse=0.5)
log_model(m, 'step-model', data=[[0.5]])"""
TRUST = """import os
print(os.environ['SSL_CERT_FILE'] == os.environ['REQUESTS_CA_BUNDLE'])
print(open(os.environ['SSL_CERT_FILE']).read().rstrip().endswith('END CERTIFICATE-----'))"""


@dataclass(frozen=True)
class Case:
    """A notebook and how it is run."""

    cells: tuple[str, ...]
    steps: tuple[tuple[int, ...], ...] = ()
    parameters: tuple[Parameter, ...] = ()
    given: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[int, Options] = field(default_factory=dict)
    restricted: bool = False
    python: str = "3.11"
    target: Mapping[str, Any] = field(default_factory=dict)


CASES: dict[str, Case] = {
    "plain": Case(
        (
            "import sys\nx = {'a': [1, 2]}\ny = x['a']\nprint(sys.version_info[:2], 'IPython' in sys.modules)\nx",
            "import os\ny.append(3)\n!echo shell $((1+2)) {y}\nprint(os.environ['MLOPS_IMAGE'], os.getuid(), os.getcwd())",
            "%%bash\necho $HOME; id -u; cat $ARGO_PROGRESS_FILE",
            "print(x)\nfrom IPython.display import display, HTML\ndisplay(HTML('<b>b</b>'))\nget_ipython()",
        ),
        steps=((0,), (1, 2, 3)),
    ),
    "restricted": Case(("open('out.txt', 'w').write('made in s0')", "print(open('out.txt').read())"), restricted=True),
    "text": Case(
        (f"text = {HARD_TEXT!r}\nraw = '''{{{{x}}}} ${{HOME}} $(id) `id`\u00e9'''\nprint(ascii(text), ascii(raw))", "print(ascii(text))"),
        parameters=(Parameter("p", "str", "", 0, 1), Parameter("d", "dict", {}, 0, 1)),
    ),
    "parameters": Case(
        ("p = ''\nd = {}\n", "print(ascii(p), d)"),
        steps=((0, 1),),
        parameters=(Parameter("p", "str", "", 0, 1), Parameter("d", "dict", {}, 0, 2)),
        given={"p": HARD_TEXT, "d": {"{{a}}": ["'", '"', {"b": {}}]}},
    ),
    "20 MB": Case((BIG, "print('after')"), steps=((0, 1),), options={0: Options(memory="512Mi")}),
    "300 MB": Case(
        ("import numpy as np\na = np.arange(300 * 2**17, dtype='int64')", "print(a.nbytes, int(a[-1]), a.flags.writeable)"),
        options={0: Options(memory="800Mi"), 1: Options(memory="800Mi")},
    ),
    "exception": Case(("def f(n):\n    return 1 / n", "ok = 1\n\nf(0)\n" + "# " + "x" * 5000), steps=((0, 1),)),
    "long traceback": Case(("raise ValueError('\\u00e9 \"' * 3000)",)),
    "other Python": Case(("1",), python="3.9"),
    "options": Case(
        ("import os\ns = os.statvfs('/dev/shm')\nprint(s.f_blocks * s.f_frsize, os.environ['A'], os.environ['TOKEN'])",),
        options={
            0: Options(
                shm="96Mi", env={"A": "{x} $(B)"}, secrets=({"env": "TOKEN", "secret": "hub", "key": "token"},),
                tolerations=({"key": "gpu", "operator": "Exists", "effect": "NoSchedule"},),
                node_selector={"kubernetes.io/os": "linux"}, queue="none", resources={"ephemeral-storage": "1Gi"},
            )
        },
    ),
    "model": Case((MODEL,)),
    "certificates": Case((TRUST,), target={"ca": "company"}),
}  # fmt: skip
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


@pytest.fixture(scope="module")
def started(cluster: Cluster, registry: str, python_image: str) -> Iterator[dict[str, OnCluster]]:
    """All cases, running."""
    enforced = {"pod-security.kubernetes.io/enforce": "restricted"}
    with fresh_namespace(cluster, "h-step") as plain, fresh_namespace(cluster, "h-step-r", enforced) as restricted:
        token = base64.b64encode(b"hidden").decode()
        cluster.create(SECRETS, {"metadata": {"name": "hub"}, "data": {"token": token}}, plain)
        cluster.create(CONFIG_MAPS, {"metadata": {"name": "company"}, "data": {"ca.crt": CERTIFICATE}}, plain)
        found = {}
        for name, case in CASES.items():
            target = Target(
                name="test", namespace=restricted if case.restricted else plain, registry=f"http://{registry}", image=python_image,
                **case.target,
            )  # fmt: skip
            found[name] = OnCluster(
                cluster, target, case.cells, case.steps, case.parameters, case.options, case.given, python=case.python,
                name="step-" + name.lower().replace(" ", "-"),
            ).start()  # fmt: skip
        yield found


def succeeded(run: OnCluster) -> OnCluster:
    found = run.until_done()
    assert found["status"]["phase"] == "Succeeded", json.dumps(found["status"], indent=1)[:3000]
    return run


def test_an_image_with_python_alone_runs_a_notebook(started: dict[str, OnCluster], python_image: str) -> None:
    run = succeeded(started["plain"])
    assert run.stream(0) == "(3, 11) True\n"
    assert run.outputs("s0")["0"]["outputs"][-1]["data"] == {"text/plain": "{'a': [1, 2]}"}
    assert run.stream(1) == f"shell 3 [1, 2, 3]\r\n{python_image} 1000 /mlops/work\n", "a terminal's line end, as in a kernel"
    assert run.stream(2, step="s1") == "/mlops\n1000\n1/3\n", "Argo publishes it once a minute"
    assert run.stream(3, step="s1") == "{'a': [1, 2, 3]}\n"
    assert [output["output_type"] for output in run.outputs("s1")["3"]["outputs"]] == ["stream", "display_data", "execute_result"]
    assert '"event": "cell", "phase": "succeeded"' in run.log("s1")


def test_a_namespace_that_enforces_restricted(started: dict[str, OnCluster]) -> None:
    assert succeeded(started["restricted"]).stream(1) == "made in s0\n"


def test_source_arrives_byte_for_byte(started: dict[str, OnCluster]) -> None:
    run = succeeded(started["text"])
    assert run.stream(0) == f"{HARD_TEXT!a} {RAW!a}\n"
    assert run.stream(1) == f"{HARD_TEXT!a}\n"


def test_parameters_arrive_as_they_are(started: dict[str, OnCluster]) -> None:
    run = succeeded(started["parameters"])
    assert run.stream(1, step="s0") == f"{HARD_TEXT!a} {CASES['parameters'].given['d']}\n"


def test_twenty_megabytes_of_text(started: dict[str, OnCluster]) -> None:
    run = succeeded(started["20 MB"])
    assert len(run.stream(0, step="s0")) == 20_000_000
    assert run.stream(1, step="s0") == "after\n"
    log = run.log("s0")
    assert "bytes are left out here" in log
    assert len(log.encode()) <= (16 << 20) + 200
    assert log.count("@mlops") >= 5


def test_a_state_of_300_megabytes(started: dict[str, OnCluster]) -> None:
    assert succeeded(started["300 MB"]).stream(1) == f"{300 << 20} {300 * 2**17 - 1} True\n"


def message(run: OnCluster, code: int) -> dict[str, Any]:
    """The termination message in the node's message and, the same, in the pod's status."""
    assert run.until_done()["status"]["phase"] == "Failed"
    node = run.node("s")
    head, _, text = node["message"].partition(": {")
    assert head.endswith(f"Error (exit code {code})")
    assert node["outputs"]["exitCode"] == str(code)
    [pod] = run.pods()
    [main] = [status for status in pod["status"]["containerStatuses"] if status["name"] == "main"]
    assert main["state"]["terminated"]["message"] == "{" + text
    assert len(text.encode()) < 4096
    found: dict[str, Any] = json.loads("{" + text)
    return found


def test_an_exception_is_told_with_cell_and_line(started: dict[str, OnCluster]) -> None:
    said = message(started["exception"], 1)
    assert (said["code"], said["blame"], said["cell"], said["line"]) == ("step-failed", "user", 1, 3)
    assert said["traceback"][-1] == "ZeroDivisionError: division by zero"
    assert said["traceback"][-2].startswith("cell 0, line 2, in f")
    report = started["exception"].report("s0")
    assert (report["phase"], report["failure"]["names"]["ok"]) == ("failed", "int")
    assert "ZeroDivisionError" in started["exception"].log("s0")


def test_a_message_that_is_too_long_stays_json(started: dict[str, OnCluster]) -> None:
    said = message(started["long traceback"], 1)
    assert (said["cell"], said["error"]) == (0, "ValueError")
    assert said["message"].startswith("ValueError in cell 0, line 1: é")


def test_another_python_is_refused(started: dict[str, OnCluster]) -> None:
    said = message(started["other Python"], 2)
    assert (said["code"], said["blame"]) == ("python-mismatch", "user")


def test_what_a_step_asks_for_is_there(started: dict[str, OnCluster]) -> None:
    run = succeeded(started["options"])
    assert run.stream(0) == f"{96 << 20} {{x}} $(B) hidden\n"
    [pod] = run.pods()
    assert pod["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "none"
    assert pod["metadata"]["labels"]["sidecar.istio.io/inject"] == "false"
    assert {"key": "gpu", "operator": "Exists", "effect": "NoSchedule"} in pod["spec"]["tolerations"]
    assert "hidden" not in json.dumps(run.document())


def test_a_model_knows_the_image_it_was_trained_in(started: dict[str, OnCluster], python_image: str) -> None:
    run = succeeded(started["model"])
    [model] = run.report("s0")["models"]
    index = run.store.get_manifest(f"models/{model['name']}", model["digest"])
    assert index.document["annotations"]["io.github.jupyter-mlops.image"] == python_image


def test_certificates_are_added(started: dict[str, OnCluster]) -> None:
    assert succeeded(started["certificates"]).stream(0) == "True\nTrue\n"
