"""The conformance program of the distribution specification: built from the pinned module, run against a registry, and read.

Its exit status says little: it is 0 when the configuration could not be read, and what a registry does not offer is skipped
and counted as passed. So its report is read, by the name of each line.

    python -m tests.conformance.official.program            our server, beside docker-registry and olareg where they are
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from jupyter_mlops.testing.embedded import embedded_registry
from jupyter_mlops.testing.registries import PROGRAM, DockerRegistry, free_port

HERE = Path(__file__).parent
MODULE = "github.com/opencontainers/distribution-spec/conformance"
VERSIONS = ("1.1", "dev")
OLDEST_GO = (1, 21)
"""From here on Go fetches the newer one that go.mod asks for by itself."""

APIS = frozenset(
    """Blob anonymous mount/Blob chunked/Blob delete/Blob delete atomic/Blob get/Blob get range/Blob head/Blob mount/Blob post only
/Blob post put/Blob push/Blob streaming/Blob upload cancel/Manifest delete/Manifest delete atomic/Manifest get by digest
/Manifest get by tag/Manifest head by digest/Manifest head by tag/Manifest put by digest/Manifest put by tag
/Manifest put with subject/Manifest put with tag params/Ping/Referrers/Tag delete/Tag delete atomic/Tag listing""".replace(
        "\n", ""
    ).split("/")
)
"""Every line of the report about requests; all must pass, so that neither a skip nor a line that vanished goes unseen."""

DATA = frozenset(
    """Artifact/Artifact Index/Artifact without Layers/Artifacts with Subject/Bad Digest Image/Blobs sha256/Blobs sha512
/Custom Fields/Data Field/Digest Algorithm sha512/Empty Index/Image/Image Uncompressed/Image with Large Manifest/Index
/Index with Subject/Invalid Manifest Digest/Missing Subject/Nested Index/No Layers/Non-distributable Layers/Tag Param
/Tag Param sha512""".replace("\n", "").split("/")
)
"""Every line about content, but "Sparse Manifests": the program leaves those out by default, and we refuse what has no bytes."""

ALL: Mapping[str, str] = {"OCI_API_BLOBS_UPLOAD_CANCEL": "true", "OCI_API_MANIFESTS_TAG_PARAM": "true"}
"""What the program tries by default only in ``dev``, asked for in 1.1 too."""


_COUNT = re.compile(r"^  (Pass|FAIL|Skip|Error)\.+: +(\d+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Report:
    """What one run found: how many tests went how, and the outcome (``Pass``, ``FAIL``, ``Skip``, ``Disabled``) of each line."""

    passed: int
    failed: int
    skipped: int
    apis: Mapping[str, str]
    data: Mapping[str, str]
    output: str


def missing() -> str:
    """Why the program cannot be built here; '' if it can."""
    go = shutil.which("go")
    if go is None:
        return "go is not on PATH"
    said = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=False).stdout
    found = re.match(r"go(\d+)\.(\d+)", said)
    if found is None or tuple(map(int, found.groups())) < OLDEST_GO:
        return f"{said.strip() or 'this Go'} is too old: {OLDEST_GO[0]}.{OLDEST_GO[1]} is needed"
    return ""


def build(folder: Path) -> Path:
    """Compile it, from the module cache or Go's proxy, checked against ``go.sum``. Raises CalledProcessError."""
    program = folder / "conformance"
    subprocess.run(["go", "build", "-mod=readonly", "-o", program, MODULE], cwd=HERE, check=True, timeout=500)
    return program


def examine(
    program: Path, host: str, version: str, results: Path, extra: Mapping[str, str] = ALL, user: str = "", password: str = ""
) -> Report:
    """Run it against a registry that speaks plain HTTP. Raises FileNotFoundError if it wrote no report."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("OCI_")}
    environ |= {
        "OCI_REGISTRY": host,
        "OCI_TLS": "disabled",
        "OCI_REPO1": "conformance/one",
        "OCI_REPO2": "conformance/two",
        "OCI_USERNAME": user,
        "OCI_PASSWORD": password,
        "OCI_VERSION": version,
        "OCI_RESULTS_DIR": str(results),
    }
    done = subprocess.run(
        [program], cwd=HERE, env=environ | dict(extra), capture_output=True, text=True, check=False, timeout=300, errors="replace"
    )
    import yaml

    lines = yaml.safe_load((results / "results.yaml").read_text(encoding="utf-8"))
    counts = {name: int(count) for name, count in _COUNT.findall(done.stdout)}
    failed = counts["FAIL"] + counts["Error"]
    return Report(counts["Pass"], failed, counts["Skip"], lines["apis"], lines["data"], done.stdout + done.stderr)


@contextmanager
def others(folder: Path) -> Iterator[Mapping[str, str]]:
    """Registries of other people, where they are installed: name → host, in fresh folders."""
    with ExitStack() as stack:
        found = {}
        if shutil.which(PROGRAM):
            found["docker-registry"] = stack.enter_context(DockerRegistry(folder / "docker")).host
        if olareg := shutil.which("olareg"):
            port = free_port()
            command = [olareg, "serve", "--dir", folder / "olareg", "--port", str(port), "--api-delete", "--api-blob-delete"]
            process = stack.enter_context(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
            stack.callback(process.terminate)
            found["olareg"] = f"127.0.0.1:{port}"
        yield found


def row(name: str, version: str, report: Report) -> str:
    """One line of the table; what did not pass is named."""
    wrong = [f"{line} ({said})" for line, said in (*report.apis.items(), *report.data.items()) if said not in {"Pass", "Disabled"}]
    counts = f"{report.passed} | {report.failed} | {report.skipped}"
    return f"| {name} | {version} | {counts} | {', '.join(wrong) or 'nothing'} |"


def main() -> None:
    """Print the table."""
    if reason := missing():
        sys.exit(f"NOT RUN: {reason}")
    with tempfile.TemporaryDirectory() as scratch, embedded_registry(Path(scratch) / "ours") as ours, others(Path(scratch)) as more:
        program = build(Path(scratch))
        print("| registry | version | passed | failed | skipped | what did not pass |\n|---|---|---|---|---|---|")
        for name, host in {"ours": ours.partition("//")[2], **more}.items():
            for version in VERSIONS:
                print(row(name, version, examine(program, host, version, Path(scratch) / f"{name}-{version}")))


if __name__ == "__main__":
    main()
