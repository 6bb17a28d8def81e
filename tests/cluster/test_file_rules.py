"""``file_limit`` and ``file_ignore`` on a real cluster: what they leave out is in no later step, and too much is refused by name."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from jupyter_mlops.cluster.base import Cluster
from tests.cluster.conftest import fresh_namespace
from tests.cluster.test_cli_main_job import There
from tests.e2e.machine import Machine
from tests.unit.notebook_building import document

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(500)]

WRITE = "import os\nos.makedirs('raw/deep')\nfor name in ('big.ckpt', 'raw/deep/x.bin'): open(name, 'wb').write(b'x' * 300_000)\n"
READ = "import os\nprint(sorted(os.path.join(at, name) for at, _, names in os.walk('.') for name in names if name[:3] in ('row', 'big', 'x.b')))"


@pytest.fixture(scope="module")
def there(cluster: Cluster, registry: str, python_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[There]:
    machine = Machine(tmp_path_factory.mktemp("rules"))
    try:
        with fresh_namespace(cluster, "h-file-rules") as namespace, pytest.MonkeyPatch.context() as patch:
            patch.setattr("tests.e2e.machine.PATIENCE", 300.0)
            yield There(machine, cluster, namespace, registry, python_image)
    finally:
        machine.env.pop("KUBECONFIG", None)
        machine.clean()


def run(there: There, name: str, rules: dict[str, object], code: int) -> dict[str, object]:
    """A run of a step that writes and one that looks; what ``run`` says of it."""
    metadata = {"kernelspec": {"name": "python3", "language": "python"}, "mlops": rules}
    cells = ((WRITE + "open('rows.csv', 'w').write('1,2')", ["step:write"]), (READ, ["step:read"]))
    (there.machine.work / name).write_text(json.dumps(document(*cells, metadata=metadata)))
    found: dict[str, object] = there.ask("run", name, code=code)
    return found


@pytest.mark.parametrize(
    ("rules", "seen"),
    [
        ({"file_limit": "100Ki", "file_ignore": ["*.ckpt", "raw"]}, "['./rows.csv']\n"),
        ({"file_limit": "1Mi", "file_ignore": ["raw/deep"]}, "['./big.ckpt', './rows.csv']\n"),
    ],
    ids=["ignored", "within the limit"],
)
def test_what_is_ignored_is_in_no_later_step(there: There, rules: dict[str, object], seen: str) -> None:
    ran = run(there, f"rules-{len(seen)}.ipynb", rules, 0)
    assert ran["phase"] == "Succeeded", ran
    assert seen in there.machine.run("logs", ran["run"], "--step", "read", "--target", there.name).out


def test_what_is_too_much_is_refused_with_its_biggest_file(there: There) -> None:
    ran = run(there, "too-much.ipynb", {"file_limit": "100Ki", "file_ignore": ["raw"]}, 1)
    error = ran["error"]
    assert isinstance(error, dict)
    assert (ran["phase"], error["code"]) == ("Failed", "files-too-large")
    assert "more than 100 KiB; the biggest: big.ckpt (293 KiB)" in error["message"]
    assert "file_ignore" in error["fix"]
