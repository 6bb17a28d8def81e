"""All checks and all tests, one command; CI calls the same.

    python3 scripts/check.py            everything
    python3 scripts/check.py --fast     linters, types and the default tests only
    python3 scripts/check.py --cluster  the tests on a cluster only
    python3 scripts/check.py --argo v3.7.9   the main flow on another Argo Workflows that the kit builds (also v3.6.12)

Installs what the tests need: Python and npm packages into the checkout, Chromium through the system's package manager where
this runs as root; elsewhere it says what is missing.

The tests on a cluster run beside the others, on the one that KUBECONFIG names. Where none is named and ``../shared/cluster`` is
there, that kit builds (half an hour, once) and starts a real one on this machine, and stops it afterwards. Otherwise they are
skipped, and the last line says so.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from environment import BIN, ROOT, Missing, prepare, run

KIT = ROOT.parent / "shared" / "cluster" / "cluster.py"
NO_CLUSTER = "no cluster: KUBECONFIG is not set, so that nothing was tested on Argo Workflows and KServe."
MAIN_FLOW = (
    "tests/cluster/test_cli_main_job.py",
    "tests/cluster/test_runs.py",
    "tests/cluster/test_step.py",
    "tests/cluster/test_step_corpus.py",
    "tests/cluster/test_causes_argo.py",
    "tests/cluster/test_control_flow.py",
    "tests/conformance",
)
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def chromium() -> str:
    """Path of a Chromium; installed through apt where that is possible."""
    for name in (os.environ.get("CHROMIUM", ""), *BROWSERS):
        if name and (found := shutil.which(name)):
            return found
    fix = "install Chromium (Debian, Ubuntu: apt-get install chromium fonts-dejavu-core) or set CHROMIUM to its path"
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        raise Missing("The browser tests need Chromium.", fix)
    print("  Chromium …", end="", flush=True)
    since = time.monotonic()
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "update", "-q"],
        ["apt-get", "install", "-y", "-q", "--no-install-recommends", "chromium", "fonts-dejavu-core"],
    ):
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
        if done.returncode:
            print(done.stdout[-3000:], done.stderr[-3000:])
            raise Missing("apt-get could not install Chromium.", fix)
    print(f" {time.monotonic() - since:.0f} s")
    return chromium()


def skopeo() -> None:
    """A foreign reader of our registry, for the interoperability tests; without it they are skipped, and say so."""
    if shutil.which("skopeo") is None and shutil.which("apt-get") and os.geteuid() == 0:
        subprocess.run(["apt-get", "install", "-y", "-q", "--no-install-recommends", "skopeo"], capture_output=True, check=False)


def go() -> None:
    """What compiles the conformance program of the distribution specification; without it the gate is skipped, and says so."""
    usual = Path("/usr/local/go/bin")
    if shutil.which("go") is None and (usual / "go").exists():
        os.environ["PATH"] += f"{os.pathsep}{usual}"
    if shutil.which("go") is None and shutil.which("apt-get") and os.geteuid() == 0:
        subprocess.run(["apt-get", "install", "-y", "-q", "--no-install-recommends", "golang-go"], capture_output=True, check=False)


def pytest(*options: str, through: tuple[str | Path, ...] = (), env: dict[str, str]) -> None:
    """Run tests; what fails is tried once more, since these machines are shared and a real cluster has its moments.

    A test that fails twice fails. One that passes the second time is named, so that somebody looks into it.
    """
    command = [*through, BIN / "python", "-m", "pytest", "-q", *options]
    try:
        run(*command, quiet=False, env=env)
    except SystemExit:
        print("\n== once more, those that FAILED THE FIRST TIME (named above)", flush=True)
        run(*command, "--last-failed", "--last-failed-no-failures=none", quiet=False, env=env)


def on_argo(version: str) -> None:
    """Run the main flow on another version of Argo Workflows, and put back the kit's own one."""
    other = {"ARGO_VERSION": version}
    run(KIT, "build", quiet=False, env=other)
    running = subprocess.run([KIT, "status"], capture_output=True, check=False).returncode == 0
    try:
        run(KIT, "up", quiet=False, env=other)
        pytest("-m", "cluster", *MAIN_FLOW, through=(KIT, "exec", "--"), env=other)
    finally:
        run(KIT, "up" if running else "down", quiet=False)


def on_cluster(environ: dict[str, str]) -> bool:
    """Run the tests that need a cluster; False if there is none."""
    # what failed last is remembered apart from the other tests, which may run at the same time
    tests = ("-m", "cluster", "-o", "cache_dir=.pytest_cache/cluster", "--durations=15", "tests/cluster", "tests/conformance")
    if os.environ.get("KUBECONFIG"):
        pytest(*tests, env=environ)
        return True
    if not KIT.exists() or os.geteuid() != 0:
        return False
    since = time.monotonic()
    run(KIT, "build", quiet=False)
    running = subprocess.run([KIT, "status"], capture_output=True, check=False).returncode == 0
    try:
        run(KIT, "up", quiet=False)
        print(f"  a cluster is there after {time.monotonic() - since:.0f} s", flush=True)
        pytest(*tests, through=(KIT, "exec", "--"), env=environ)
    finally:
        if not running:
            run(KIT, "down", quiet=False)
    return True


@contextmanager
def beside(environ: dict[str, str]) -> Iterator[Callable[[], int]]:
    """Run the tests on a cluster while others run: they wait most of their time. What is yielded waits, and shows what they said.

    Ended with the others, where these fail first.
    """
    if not os.environ.get("KUBECONFIG") and (not KIT.exists() or os.geteuid() != 0):
        yield lambda: print(f"SKIPPED: {NO_CLUSTER}") or 0
        return
    with tempfile.TemporaryFile("w+b") as said:
        command = [sys.executable, __file__, "--cluster"]
        running = subprocess.Popen(
            command, stdout=said, stderr=subprocess.STDOUT, env={**os.environ, **environ}, start_new_session=True
        )

        def finish() -> int:
            code = running.wait()
            said.seek(0)
            print(said.read().decode(errors="replace"), flush=True)
            return code

        try:
            yield finish
        except BaseException:
            if running.poll() is None:
                os.killpg(running.pid, signal.SIGINT)  # pytest ends, and the kit's cluster is stopped
            finish()  # what failed there is to be mended too
            raise


def main() -> None:
    """Prepare, lint, type-check, test."""
    fast = "--fast" in sys.argv[1:]
    prepare()
    if "--argo" in sys.argv[1:]:
        if not KIT.exists():
            raise Missing("No kit that builds a cluster is beside this checkout.", "set KUBECONFIG and use --cluster")
        on_argo(sys.argv[sys.argv.index("--argo") + 1])
        return
    if "--cluster" in sys.argv[1:]:
        if not on_cluster({"CHROMIUM": chromium()}):
            raise Missing(NO_CLUSTER, "set KUBECONFIG")
        return
    environ = {} if fast else {"CHROMIUM": chromium()}
    if not fast:
        skopeo()
        go()
    checks = [
        ("ruff", [BIN / "ruff", "check", "."]),
        ("format", [BIN / "ruff", "format", "--check", "."]),
        ("mypy", [BIN / "mypy"]),
        ("imports", [BIN / "lint-imports"]),
        ("api types", ["jlpm", "api:check"]),
        ("prettier, eslint", ["jlpm", "lint:check"]),
    ]
    for name, command in checks:
        print(f"\n== {name}", flush=True)
        run(*command, quiet=False)
    if not fast:
        print("\n== jest", flush=True)
        run("jlpm", "test", quiet=False)
    print("\n== pytest", flush=True)
    if fast:
        pytest("-n", "logical", env=environ)
        return
    with beside(environ) as cluster:
        pytest("-n", "logical", "-m", "not cluster", "--durations=15", env=environ)
        print("\n== pytest on a cluster, which ran beside the others", flush=True)
        code = cluster()
    if code:
        raise SystemExit(code)


if __name__ == "__main__":
    main()
