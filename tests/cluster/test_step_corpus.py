"""Hard notebooks of the corpus, every cell a pod of its own, print and show what one kernel does: hidden state, aliases, chance."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from judges.record import agrees, in_fresh_process
from judges.values import steady

from jupyter_mlops.cluster.base import Cluster
from jupyter_mlops.settings import Target
from tests.cluster.conftest import fresh_namespace
from tests.cluster.steps import OnCluster

pytestmark = pytest.mark.cluster

CORPUS = Path(__file__).parents[1] / "corpus"
CHOSEN = ("mutation_via_alias", "underscore", "func_passed_not_called", "pandas_chain")
OWN = {
    "chance": [
        "import random\nimport numpy as np\nrandom.seed(7); np.random.seed(7)\nrng = np.random.default_rng(7)\nprint(random.random())",
        "print(random.random(), np.random.rand(), rng.normal())\nother = rng",
        "print(rng is other, rng.normal(), other.normal(), np.random.randint(99), random.choice('abc'))",
    ],
    "hidden": [
        "import os\nos.environ['MODE'] = 'fast'\ncount = 0\ndef bump():\n    global count\n    count += 1\n    return count, os.environ['MODE']\nbump()",
        "from pathlib import Path\nPath('made').mkdir()\nos.chdir('made')\nbump()",
        "print(Path.cwd().name, bump(), In[1][:9], _2)",
    ],
}


def notebooks() -> dict[str, list[str]]:
    known = {case["name"]: case["cells"] for case in json.loads((CORPUS / "hard_cases.json").read_text())}
    return {name: known[name] for name in CHOSEN} | OWN


@pytest.fixture(scope="module")
def started(cluster: Cluster, registry: str, python_image: str) -> Iterator[dict[str, OnCluster]]:
    """All of them, running."""
    with fresh_namespace(cluster, "h-step") as namespace:
        target = Target(name="test", namespace=namespace, registry=f"http://{registry}", image=python_image)
        yield {
            name: OnCluster(cluster, target, cells, name=f"corpus-{name.replace('_', '-')}").start()
            for name, cells in notebooks().items()
        }


@pytest.mark.parametrize("name", notebooks())
def test_it_prints_and_shows_what_one_kernel_does(name: str, started: dict[str, OnCluster]) -> None:
    run, cells = started[name], notebooks()[name]
    expect = in_fresh_process(list(cells))
    assert run.until_done(170)["status"]["phase"] == "Succeeded", run.document()["status"]
    printed = [steady(run.stream(cell)) for cell in range(len(cells))]
    shown = [
        [
            steady(output["data"].get("text/plain", ""))
            for output in run.outputs(f"s{cell}").get(str(cell), {}).get("outputs", [])
            if output["output_type"] in {"display_data", "execute_result"}
        ]
        for cell in range(len(cells))
    ]
    assert agrees(expect["stdout"], printed), (expect["stdout"], printed)
    assert agrees(expect["displays"], shown), (expect["displays"], shown)
