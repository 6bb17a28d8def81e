"""Checks of the machine: folders, room, processes, memory, ports, devices."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jupyter_mlops.doctor.check import Finding, Machine, check, fail, ok, skip, warn
from jupyter_mlops.errors import MlopsError

ROOM_FAIL = 200 << 20
"""Bytes below which a run is likely to end with a full disk: one copy of a small notebook's folder and its state."""

ROOM_WARN = 2 << 30
"""Bytes below which a few models fill the disk."""

SHARED_MEMORY = 512 << 20
"""Bytes of /dev/shm that data loaders with worker processes need; containers have 64 MiB unless told otherwise."""

EARLIEST = 1735689600
"""2025-01-01 in seconds since the epoch: a clock before this product was made is wrong."""

MB = 1 << 20


@check("DL01", "folder for runs and models")
def home_writable(on: Machine) -> Finding:
    """Make a file where runs and models go, or where the folder would be made."""
    home = on.settings.storage.home
    folder = _nearest(home)
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".mlops-doctor-"):
            pass
    except OSError as error:
        return fail(
            f"{folder} cannot be written: {error.strerror}", f"Make it writable: chmod u+rwx {folder}; or set JUPYTER_MLOPS_HOME."
        )
    if home.exists() and home.stat().st_mode & 0o077:
        return warn(f"{home} can be read by other users", f"chmod 700 {home}")
    return ok(f"{home} can be written")


@check("DL02", "start a step")
def can_start(on: Machine) -> Finding:
    """Run the interpreter that steps run with."""
    del on
    return starts(_default_interpreter())


def starts(command: Sequence[str]) -> Finding:
    """The check, for any interpreter."""
    advice = "Reinstall the kernel: python -m ipykernel install --user"
    try:
        done = subprocess.run([*command, "-c", "print(6 * 7)"], capture_output=True, text=True, timeout=2.5, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return fail(f"{command[0]} does not start: {error}", advice)
    if done.returncode != 0 or done.stdout.strip() != "42":
        return fail(f"{command[0]} ended with code {done.returncode}", advice)
    return ok(f"{command[0]} runs")


@check("DL03", "shared memory")
def shared_memory(on: Machine) -> Finding:
    """Room in /dev/shm, which worker processes of data loaders share."""
    del on
    return shared_memory_at(Path("/dev/shm"))  # noqa: S108  (no temporary file: the mount itself)


def shared_memory_at(mount: Path) -> Finding:
    """The check, for any mount."""
    if not mount.is_dir():
        return skip(f"this system has no {mount}")
    return shared(shutil.disk_usage(mount).total, mount)


def shared(total: int, mount: Path) -> Finding:
    """The check, for any size."""
    if total < SHARED_MEMORY:
        return warn(f"{mount} has {total // MB} MB", "Data loaders with workers may crash. In a container: --shm-size=1g.")
    return ok(f"{mount} has {total // MB} MB")


@check("DL04", "free space")
def free_space(on: Machine) -> Finding:
    """Room on the disk of runs and models."""
    folder = _nearest(on.settings.storage.home)
    return room(shutil.disk_usage(folder).free, folder)


def room(free: int, folder: Path) -> Finding:
    """The check, for any number of free bytes."""
    advice = "Delete old runs (jupyter mlops delete RUN), or set JUPYTER_MLOPS_HOME to a larger disk."
    if free < ROOM_FAIL:
        return fail(f"only {free // MB} MB are free at {folder}", advice)
    if free < ROOM_WARN:
        return warn(f"{free // MB} MB are free at {folder}", advice)
    return ok(f"{free // MB} MB are free at {folder}")


@check("DL05", "GPU")
def gpu(on: Machine) -> Finding:
    """Whether a GPU is seen; without one everything works, on the processor."""
    del on
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return skip("no NVIDIA GPU is seen; steps run on the processor")
    return gpu_by(tool)


def gpu_by(tool: str) -> Finding:
    """Ask the driver's tool."""
    query = [tool, "--query-gpu=name,memory.total", "--format=csv,noheader"]
    done = subprocess.run(query, capture_output=True, text=True, timeout=2.5, check=False)
    if done.returncode != 0:
        said = (done.stdout + done.stderr).strip().splitlines()
        return warn(
            f"nvidia-smi fails: {said[-1] if said else done.returncode}",
            "Reinstall the driver, or restart the machine after an update.",
        )
    return ok("; ".join(done.stdout.strip().splitlines()))


@check("DL06", "leftovers of runs")
def leftovers(on: Machine) -> Finding:
    """Runs that go on by their document, while the process that drives them is gone: after a power cut, say."""
    from jupyter_mlops.engine.local.recover import orphaned

    dead = []
    for folder in sorted(on.settings.storage.runs.glob("[!.]*")):
        workflow, request = _json(folder / "workflow.json"), _json(folder / "request.json")
        if workflow and request and orphaned(workflow, request):
            dead.append(folder.name)
    if dead:
        return warn(
            f"{len(dead)} without a supervisor: {', '.join(dead[:3])}", "jupyter mlops runs   (looking at them ends what is left)"
        )
    return ok("none")


@check("DL07", "registry folder")
def registry(on: Machine) -> Finding:
    """Open an index of the registry, as a run would."""
    from jupyter_mlops.oci.layout import Layout

    folder = on.settings.storage.registry
    if not folder.is_dir():
        return ok("no registry yet; the first run makes it")
    store = Layout(folder)
    names = store.repositories()
    name = ""
    try:
        for name in names:
            for tag in list(store.tags(name))[:1]:
                store.get_manifest(name, tag)
    except (MlopsError, OSError) as error:
        return fail(f"{name} is damaged: {error}", f"Move {folder / name} away, and run the notebook again.")
    return ok(f"{len(names)} repositories")


@check("DL08", "loopback ports")
def loopback(on: Machine) -> Finding:
    """Bind a free port of this machine, as a model server does."""
    del on
    return bindable("127.0.0.1")


def bindable(address: str) -> Finding:
    """Bind a free port of an address and let it go."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
            listener.bind((address, 0))
            port = listener.getsockname()[1]
    except OSError as error:
        return fail(f"no port of {address} can be bound: {error.strerror}", "Bring the loopback interface up: ip link set lo up")
    return ok(f"port {port} of {address} could be bound")


@check("DL09", "open files")
def open_files(on: Machine) -> Finding:
    """Limit of open files of a process."""
    del on
    try:
        import resource
    except ImportError:
        return skip("this system has no such limit")
    return files_limit(resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def files_limit(limit: int) -> Finding:
    """The check, for any limit: a server with many kernels and followed logs needs some hundreds."""
    if 0 <= limit < 512:  # noqa: PLR2004  (macOS starts with 256)
        return warn(f"a process may open {limit} files", "Raise it before starting Jupyter: ulimit -n 4096")
    return ok(f"a process may open {limit if limit >= 0 else 'any number of'} files")


@check("DL10", "clock")
def clock(on: Machine) -> Finding:
    """A clock that is far off breaks certificates, tokens and the order of runs."""
    del on
    return clock_at(time.time())


def clock_at(now: float) -> Finding:
    """The check, for any time."""
    shown = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(now))
    if now < EARLIEST:
        return fail(f"the clock says {shown}", "Set it: timedatectl set-ntp true")
    return ok(f"the clock says {shown}")


def _default_interpreter() -> list[str]:
    """What steps of a notebook without a kernel name run with."""
    try:
        from jupyter_mlops.engine.kernels import find_kernel

        return list(find_kernel("python3").command)
    except MlopsError:
        return [sys.executable]


def _json(path: Path) -> dict[str, Any]:
    """A document, or an empty one: what cannot be read is another check's business."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _nearest(path: Path) -> Path:
    """The folder itself, or the nearest one above it that exists."""
    return next((folder for folder in (path, *path.parents) if folder.exists()), Path("/"))
