"""What moves through a step's memory stays small, whatever its size: in a process of its own, as the kernel counts it."""

import os
import subprocess
import sys

import pytest

from jupyter_mlops.testing.embedded import embedded_registry

LIMIT = 40 << 20
MIB = 300

WORK = """
import sys
from pathlib import Path
from jupyter_mlops.oci.open import open_store
store, way, path = open_store(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
if way == "push":
    from jupyter_mlops.oci.modelpack import publish_model
    publish_model(store, "m", path, key="k", annotations={}, metrics={})
elif way == "pull":
    from jupyter_mlops.registry.models import Models
    Models(store).extract(Models(store).find("m"), path)
else:
    from jupyter_mlops.oci.layout import Layout
    from jupyter_mlops.registry.copy import copy
    copy(store, Layout(path), "models/m", "v1")
print(next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="NOT MEASURED here: the kernel's count of memory is read from /proc")
def test_a_large_model_moves_through_little_memory(tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    model = tmp_path / "model"
    model.mkdir()
    with (model / "weights.bin").open("wb") as file:
        for _ in range(MIB):
            file.write(os.urandom(1 << 20))
    for number in range(8):
        (model / f"part-{number}.bin").write_bytes(os.urandom(12 << 20))
    with embedded_registry(tmp_path / "registry") as address:
        for way, path in (("push", model), ("pull", tmp_path / "out"), ("copy", tmp_path / "copy")):
            command = [sys.executable, "-c", WORK, address, way, str(path)]
            resident = int(subprocess.run(command, capture_output=True, check=True, text=True).stdout) << 10
            assert resident < LIMIT, f"{way}: {resident >> 20} MiB"
    assert (tmp_path / "out" / "models" / "weights.bin").read_bytes() == (model / "weights.bin").read_bytes()
