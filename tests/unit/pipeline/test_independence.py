"""Which steps may run beside each other, and which may be tried early: tables of cells, and the law that links forbid both."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.notebook.document import Cell
from jupyter_mlops.pipeline.pipeline import Pipeline
from jupyter_mlops.pipeline.plan import plan
from jupyter_mlops.pipeline.walks import walks
from tests.unit.laws import law
from tests.unit.notebook_building import Spec, notebook


def planned(*sources: str) -> Pipeline:
    """Steps a, b, c, … of one cell each."""
    cells: list[Spec] = [(source, [f"step:{name}"]) for name, source in zip("abcdef", sources, strict=False)]
    return plan(notebook(*cells))


CERTAIN: dict[str, tuple[tuple[str, ...], set[str]]] = {
    "two sums of one list": (("x = [1, 2]", "y = sum(x)", "z = max(x) + 1"), {"bc"}),
    "each with its own function": (("def f(v):\n    return v * 2\nx = 3", "y = f(x)", "z = f(x) - 1"), {"bc"}),
    "math and text": (("import math\nx = 2.0", "y = math.sqrt(x)", "z = f'{x:.1f}'.strip()"), {"bc"}),
    "the same import in both": (("x = 4", "import math\ny = math.sqrt(x)", "import math\nz = math.exp(x)"), {"bc"}),
    "numpy's pure functions": (("import numpy as np\nx = np.arange(3)", "y = np.mean(x)", "z = np.std(x)"), {"bc"}),
    "no link at all": (("x = 1", "y = 2"), {"ab"}),
    "a chain": (("x = 1", "y = x", "z = y"), set()),
    "one name in both": (("x = 1", "y = x", "y = x + 1"), set()),
    "a value changed in place that the other reads": (("x = [1]", "y = x", "x.append(2)"), set()),
    "different imports under one name": (("x = 4", "import math as m", "import statistics as m"), set()),
    "a random draw": (("import random\nx = 1", "y = random.random()", "z = x"), set()),
    "an option": (("import pandas as pd\nx = 1", "pd.set_option('display.max_rows', 5)", "z = x"), set()),
    "the environment": (("import os\nx = 1", "os.environ['A'] = '1'", "z = x"), set()),
    "an unknown function": (("from things import f\nx = 1", "y = f(x)", "z = x"), set()),
    "an unknown method": (("x = 1\nv = 2", "y = v.frobnicate()", "z = x"), set()),
    "training, which may draw": (("m = 1\nx = 1", "m.fit(x)", "z = x"), set()),
    "a file": (("x = 1", "open('f', 'w')", "z = x"), set()),
    "exec": (("x = 1", "exec('x = 2')", "z = 3"), set()),
    "a function that draws": (("import random\ndef f():\n    return random.random()\nx = 1", "y = f()", "z = x"), set()),
    "a method of a class that draws": (
        ("import random\nclass C:\n    def get(self):\n        return random.random()\nc = C()", "y = c.get()", "z = 1"), set(),
    ),
    "a query whose names no source shows": (
        ("import pandas as pd\nx = pd.DataFrame({'a': [1]})", "least = 2", "z = x.query('a >= ' + '@' + 'least')"), set(),
    ),
    "an expression whose names no source shows": (
        ("import pandas as pd\nx = pd.DataFrame({'a': [1]})", "least = 2", "z = pd.eval('+'.join(['le' + 'ast', 'least']))"), set(),
    ),
    "a shell line": (("x = 1", "!ls", "z = x"), set()),
}  # fmt: skip


@pytest.mark.parametrize(("sources", "expected"), CERTAIN.values(), ids=CERTAIN)
def test_pairs_that_the_source_proves(sources: tuple[str, ...], expected: set[str]) -> None:
    found = {"".join(pair) for pair in planned(*sources).independent}
    assert {pair for pair in found if "a" not in pair or len(sources) == 2} == expected


EARLY: dict[str, tuple[str, bool]] = {
    "training": ("from sklearn.linear_model import Ridge\nm = Ridge().fit(x, x)", True),
    "a draw": ("import numpy as np\ny = np.random.rand(3)", True),
    "reading a file": ("import pandas as pd\ndf = pd.read_csv('a.csv')", True),
    "opening one to read": ("t = open('a.txt').read()", True),
    "paths": ("import os\np = os.path.join('a', 'b')", True),
    "a plot": ("import matplotlib.pyplot as plt\nplt.plot([1])", True),
    "timed": ("%time y = sum([1])", True),
    "timed, a whole cell": ("%%time\ny = sum([1])", True),
    "a figure in a file": ("import matplotlib.pyplot as plt\nplt.savefig('a.png')", False),
    "a table in a file": ("import pandas as pd\npd.DataFrame().to_csv('a.csv')", False),
    "a file opened to write": ("f = open('a.txt', 'w')", False),
    "a mode that is no literal": ("f = open('a.txt', x)", False),
    "a request": ("import requests\nrequests.post('https://example.org')", False),
    "a request in a function": ("import requests\ndef f():\n    requests.post('https://example.org')\nf()", False),
    "a process": ("import subprocess\nsubprocess.run(['ls'])", False),
    "a command": ("import os\nos.system('ls')", False),
    "a command from a star": ("from os import *\nsystem('ls')", False),
    "a shell line": ("!rm x", False),
    "timed shell": ("%%time\n!rm x", False),
    "bash": ("%%bash\nrm x", False),
    "exec": ("exec('1')", False),
    "a database": ("import pandas as pd\npd.DataFrame().to_sql('t', x)", False),
    "a bucket": ("import pandas as pd\ndf = pd.read_csv('s3://bucket/a.csv')", False),
    "a module that nobody knows": ("import things\nthings.go()", False),
    "registering": ("from jupyter_mlops import log_model\nlog_model(x, 'm')", False),
    "a model hub": ("import torch\nm = torch.hub.load('a', 'b')", False),
    "removing a file": ("import pathlib\npathlib.Path('a').unlink()", False),
    "a download": ("from sklearn.datasets import fetch_openml\nd = fetch_openml('mnist')", False),
}


@pytest.mark.parametrize(("source", "expected"), EARLY.values(), ids=EARLY)
def test_steps_that_may_be_tried_early(source: str, expected: bool) -> None:
    assert ("b" in planned("x = [1]", source).early) is expected


def test_what_a_value_can_do_is_known_in_a_later_step() -> None:
    made = planned("import requests\nsession = requests.Session()", "session.get('https://example.org')", "y = 1")
    assert made.early == ("c",)
    made = planned("import requests\ndef f():\n    return requests.get('u')", "y = f()", "z = 1")
    assert made.early == ("c",)
    made = planned("import requests\nheld = []\nheld.append(requests.Session())", "held[0].get('u')", "z = 1")
    assert made.early == ("c",)


def test_a_name_that_is_bound_again_is_no_module_any_more() -> None:
    found = walks([Cell(0, "code", "import json\njson = make()\njson.execute()")])
    assert "execute" in found[0].methods


@pytest.mark.parametrize("options", [{"each": "i in [1, 2]"}, {"when": "x"}, {"finally": True}, {"outputs": "model"}])
def test_control_flow_and_registration_keep_their_time(options: dict[str, object]) -> None:
    made = plan(notebook(("x = 1", ["step:a"]), ("model = x", {"mlops": {"step": "b", **options}})))
    assert "b" not in made.early
    assert not made.independent


def test_two_versions_of_a_name_are_said() -> None:
    made = planned("x = 1", "y = x\nmodel = 1", "z = x\nmodel = 2")
    [found] = [one for one in made.diagnostics if one.code == "two-versions"]
    assert (found.severity, found.cell, found.line) == ("info", 2, 2)
    assert "b and c" in found.message
    assert "model" in found.message
    assert found.fix
    assert not [pair for pair in made.independent if pair == ("b", "c")]


NAMES = st.sampled_from("uvw")
LINES = st.one_of(
    st.builds("{} = {}".format, NAMES, NAMES),
    st.builds("{} = [{}]".format, NAMES, NAMES),
    st.builds("{}.append(1)".format, NAMES),
    st.builds("del {}".format, NAMES),
    st.builds("{} = 1".format, NAMES),
)


@law
@given(st.lists(st.lists(LINES, min_size=1, max_size=3), min_size=2, max_size=4))
def test_linked_steps_are_never_independent(programs: list[list[str]]) -> None:
    try:
        made = planned("u = v = w = 1", *("\n".join(lines) for lines in programs))
    except Exception as error:
        assert type(error).__name__ == "Refused"  # noqa: PT017  (a deleted name that is used)
        return
    needs = {(need, step.name) for step in made.steps for need in step.needs}
    assert not needs & set(made.independent)
