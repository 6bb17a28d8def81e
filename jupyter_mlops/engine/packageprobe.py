"""Runs in the kernel's interpreter: which installed distribution has a module, in which version, and from where.

Standard library only, and passed as text (``python -c``), since nothing of ours need be installed there. Reads a list of
``[module, members]`` from standard input; prints one line of JSON behind a mark. Imports none of the modules: looking is not
running them.
"""

from __future__ import annotations

import json
import platform
import sys
from functools import cache
from importlib import metadata
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

MARK = "@packages "


def main() -> None:
    """Answer the question on standard input."""
    sys.stdout.write(f"\n{MARK}{json.dumps(answer(json.load(sys.stdin)))}\n")


def answer(asked: list[tuple[str, list[str]]]) -> dict[str, Any]:
    """Where each module is, what the distributions are, and the folders that the answer depends on, with their times."""
    owners = metadata.packages_distributions()
    modules: list[Any] = []
    distributions: dict[str, Any] = {}
    for module, members in asked:
        where, names = look(module, members, owners)
        modules.append([module, where, sorted(names)])
        distributions |= {name: about(name) for name in names if name not in distributions}
    return {
        "modules": modules,
        "distributions": distributions,
        "python": platform.python_version(),
        "platform": f"{sys.platform}-{platform.machine()}",
        "paths": {path: Path(path).stat().st_mtime_ns for path in sys.path if path and Path(path).is_dir()},
    }


def look(module: str, members: list[str], owners: Any) -> tuple[str, set[str]]:
    """(installed, standard, local, unknown or missing; distributions) of a module and what is imported from it."""
    top = module.partition(".")[0]
    if top in sys.stdlib_module_names or top in sys.builtin_module_names:
        return "standard", set()
    spec = PathFinder.find_spec(top) or next((s for f in sys.meta_path[:-1] if (s := _asked(f, top)) is not None), None)
    if spec is None:
        return "missing", set()
    places = list(spec.submodule_search_locations or ())
    shared = spec.origin is None
    if shared and not _there(places, module):
        return "missing", set()
    origin = spec.origin or next(iter(places), "")
    if _inside(origin, str(Path.cwd())) and "site-packages" not in Path(origin).parts:
        return "local", set()  # also where the folder belongs to a project that is installed in place: it travels
    names = set(owners.get(top, ()))
    if len(names) > 1:
        wanted = [f"{module}.{member}" for member in members] or [module]
        names = {name for one in wanted for name in _narrow(names, one)}
    names = names or {name for name, folder in _editable().items() if _inside(origin, folder)}
    return ("installed" if names else "unknown"), names


def _asked(finder: Any, top: str) -> Any:
    """What another finder (an editable install's) says of a module."""
    try:
        return finder.find_spec(top, None)
    except Exception:  # noqa: BLE001 - whatever another's finder raises
        return None


def _there(places: list[str], module: str) -> bool:
    """Whether a namespace package has the submodule."""
    parts = module.split(".")[1:]
    found = [Path(place, *parts) for place in places]
    return not parts or any(path.is_dir() or path.with_name(f"{path.name}.py").is_file() for path in found)


def _narrow(names: set[str], module: str) -> set[str]:
    """Of distributions that share a top-level name, those whose files hold the most of a dotted name."""
    best, found = 0, set(names)
    for name in sorted(names):
        files = {str(file) for file in metadata.files(name) or ()}
        parts = module.split(".")
        while parts:
            path = "/".join(parts)
            if any(file == f"{path}.py" or file.startswith((f"{path}/", f"{path}.cpython")) for file in files):
                break
            parts.pop()
        if len(parts) > best:
            best, found = len(parts), {name}
        elif len(parts) == best and best:
            found.add(name)
    return found


@cache
def _editable() -> dict[str, str]:
    """Name → folder of each distribution that is installed from a folder in place."""
    found = {}
    for one in metadata.distributions():
        said = direct_url(one)
        if (said.get("dir_info") or {}).get("editable"):
            found[str(one.metadata["Name"])] = url2pathname(urlsplit(str(said.get("url"))).path)
    return found


def _inside(path: str, folder: str) -> bool:
    return bool(path) and Path(path).resolve().is_relative_to(Path(folder).resolve())


def direct_url(one: Any) -> dict[str, Any]:
    """What pip wrote about where a distribution came from; {} for one from an index."""
    try:
        found = json.loads(one.read_text("direct_url.json") or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def about(name: str) -> dict[str, str]:
    """Version and source of a distribution."""
    one = metadata.distribution(name)
    said = direct_url(one)
    vcs, folder = said.get("vcs_info") or {}, said.get("dir_info") or {}
    source = (
        "vcs"
        if vcs
        else "editable"
        if folder.get("editable")
        else "local"
        if "dir_info" in said
        else "archive"
        if said
        else "index"
    )
    url = str(said.get("url", ""))
    if "@" in url.partition("://")[2].partition("/")[0]:  # credentials in an address are nobody's business
        url = url.partition("://")[0] + "://" + url.partition("@")[2]
    return {
        "name": one.metadata["Name"],
        "version": one.version,
        "source": source,
        "url": url,
        "commit": str(vcs.get("commit_id", "")),
    }


if __name__ == "__main__":
    main()
