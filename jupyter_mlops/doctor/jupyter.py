"""Checks of Jupyter: the two halves of the extension, the server's doors, the kernels."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jupyter_mlops
from jupyter_mlops.doctor.check import Finding, Machine, check, fail, ok, skip, warn
from jupyter_mlops.errors import MlopsError, Refused

EXTENSION = "jupyter_mlops"
FRONT_END = "jupyter-mlops"


@check("DJ01", "server extension")
def server_extension(on: Machine) -> Finding:
    """Jupyter Server is told to load the extension."""
    if on.server is not None:
        return ok("this server runs it")
    from jupyter_core.paths import jupyter_config_path

    return enabled_in([Path(folder) for folder in jupyter_config_path()])


def enabled_in(folders: Sequence[Path]) -> Finding:
    """Merge the configuration as Jupyter does: nearer to the user wins, and a ``.d`` folder loses to the main file."""
    state: bool | None = None
    for folder in reversed(folders):
        parts = sorted((folder / "jupyter_server_config.d").glob("*.json")) if folder.is_dir() else []
        for path in [*parts, folder / "jupyter_server_config.json"]:
            told = _document(path).get("ServerApp", {}).get("jpserver_extensions", {}).get(EXTENSION)
            state = told if isinstance(told, bool) else state
    advice = f"jupyter server extension enable {EXTENSION}"
    if state is None:
        return fail("Jupyter Server does not know the extension", advice)
    return ok("enabled") if state else fail("installed but disabled", advice)


@check("DJ02", "front end")
def front_end(on: Machine) -> Finding:
    """JupyterLab has the front end, in the version of the server part."""
    del on
    from jupyter_core.paths import jupyter_path

    return front_end_in([Path(folder) / FRONT_END for folder in jupyter_path("labextensions")], jupyter_mlops.__version__)


def front_end_in(folders: Sequence[Path], version: str) -> Finding:
    """The check, for any folders and version."""
    found = next((folder for folder in folders if (folder / "package.json").is_file()), None)
    if found is None:
        return fail(
            "JupyterLab does not have the front end",
            "pip install --force-reinstall --no-deps jupyter-mlops, then reload the browser",
        )
    built = str(_document(found / "package.json").get("version", ""))
    if _plain_version(built) != _plain_version(version):
        return warn(
            f"front end {built}, server {version}", "pip install --upgrade jupyter-mlops, restart Jupyter and reload the browser"
        )
    return ok(f"version {built}")


@check("DJ03", "server authentication")
def authentication(on: Machine) -> Finding:
    """Who reaches the server must log in: whoever is in can run code."""
    if on.server is None:
        return skip("no server was asked; the panel in JupyterLab asks its own")
    return locked(on.server)


def locked(server: Mapping[str, Any]) -> Finding:
    """The check, for what a server says of itself."""
    if server["token"] or server["password"]:
        return ok("a token or password is asked for")
    if server["behind_proxy"]:
        return ok("a proxy asks for the password (MlopsApp.behind_proxy)")
    if server["ip"] in {"127.0.0.1", "localhost", "::1"}:
        return warn(
            "token and password are empty; every user of this machine can run code", "Remove the empty IdentityProvider.token."
        )
    return fail(
        f"token and password are empty and the server listens on {server['ip'] or 'all addresses'}",
        "Set IdentityProvider.token or bind 127.0.0.1; behind a proxy that logs people in: MlopsApp.behind_proxy = True.",
    )


@check("DJ04", "unauthenticated access")
def unauthenticated(on: Machine) -> Finding:
    """Handlers of other extensions that forgot to ask who calls."""
    if on.server is None:
        return skip("no server was asked; the panel in JupyterLab asks its own")
    return closed(on.server)


def closed(server: Mapping[str, Any]) -> Finding:
    """The check, for what a server says of itself."""
    if server["unauthenticated"]:
        return warn(
            "handlers without authentication are allowed; ours all ask",
            "Set ServerApp.allow_unauthenticated_access = False, unless an extension of yours needs it.",
        )
    return ok("off")


@check("DJ05", "Jupyter Server version")
def server_version(on: Machine) -> Finding:
    """Old versions have a known hole."""
    del on
    from importlib.metadata import version

    return version_at(version("jupyter-server"))


def version_at(version: str) -> Finding:
    """The check, for any version: before 2.18 a login cookie outlives a change of the password (CVE-2026-40934)."""
    from packaging.version import Version

    if Version(version) < Version("2.18"):
        return warn(
            f"jupyter-server {version}: logins outlive a new password (CVE-2026-40934)",
            'pip install -U "jupyter-server>=2.18"',
        )
    return ok(f"jupyter-server {version}")


@check("DJ06", "kernels")
def kernels(on: Machine) -> Finding:
    """Python kernels whose interpreter starts and has IPython."""
    del on
    from jupyter_mlops.engine.kernels import find_kernel, kernel_names

    return usable(kernel_names(), find_kernel)


def usable(names: Sequence[str], find: Callable[[str], object]) -> Finding:
    """The check, for any kernels."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(8) as pool:
        found = dict(zip(names, pool.map(lambda name: _state(name, find), names), strict=True))
    good = [name for name, state in found.items() if state is None]
    bad = {name: state for name, state in found.items() if isinstance(state, MlopsError)}
    if bad:
        first = next(iter(bad.values()))
        said = "; ".join(error.message for error in bad.values())
        return (warn if good else fail)(said, first.fix)
    if not good:
        return fail("there is no Python kernel", "pip install ipykernel && python -m ipykernel install --user")
    return ok(", ".join(good))


def _state(name: str, find: Callable[[str], object]) -> MlopsError | str | None:
    """None for a kernel that steps can use, why not, or a word for one that is not ours to judge."""
    try:
        find(name)
    except Refused:
        return "another language"
    except MlopsError as error:
        return error
    return None


def _document(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _plain_version(text: str) -> str:
    """As Python writes it: npm has 0.1.0-alpha.1 for 0.1.0a1."""
    short = {"-alpha.": "a", "-beta.": "b", "-rc.": "rc"}
    for long, brief in short.items():
        text = text.replace(long, brief)
    return text
