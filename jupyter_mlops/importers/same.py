"""Notebooks of SAME: cell tags ``same_step_N``, ``environment=NAME`` and ``cache=…``, and ``same_config.yaml`` beside them.

A cell with a tag begins a step, and the cells below it belong to that step; cells above the first tag are step 0. SAME runs
its steps in the order of their numbers, here the order of the notebook counts; where the two differ, it is told.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from typing import Any

from jupyter_mlops.importers.base import JSON, Account, Imported, Source, mapping, objects, refused
from jupyter_mlops.importers.cells import copied, finished, set_options, set_tags, tags_of
from jupyter_mlops.importers.options import Wishes
from jupyter_mlops.importers.parameters import give
from jupyter_mlops.notebook.read import parse

STEP = re.compile(r"same[_-]step[_-](\d+)$")
VALUED = re.compile(r"(environment|cache)=(.*)$")
CONFIG_NOT_NEEDED: Mapping[str, str] = {
    "apiVersion": "the format's own",
    "kind": "the format's own",
    "metadata": "a pipeline is called after its file",
    "aml": "the target says where a run goes",
    "functions": "the target says where a run goes",
    "kubeflow": "the target says where a run goes",
    "run.name": "a run gets its name when it starts",
    "notebook.name": "a pipeline is called after its file",
}


class Same:
    """SAME's notebooks, by themselves or through their configuration."""

    def recognises(self, source: Source) -> bool:
        """By the tags, or by the configuration's own version."""
        if "projectsame.io" in str(source.document.get("apiVersion", "")):
            return True
        return any(STEP.match(tag) for cell in objects(source.document.get("cells")) for tag in tags_of(cell))

    def convert(self, source: Source) -> Imported:
        """The notebook with our metadata in place of SAME's tags.

        Raises:
            Refused: the configuration's notebook is missing, or is none.
        """
        account = Account()
        if "cells" in source.document:
            document = copied(source.document)
            _steps(document, {}, account)
            return Imported("SAME", finished(document), source.stem, tuple(account.items))
        path = _path(source)
        document = copied(_notebook(source, path))
        account.taken("notebook.path", f"the notebook {path}")
        environments = source.document.get("environments")
        images = {
            str(name): str(about.get("image_tag") or "")
            for name, about in (environments.items() if isinstance(environments, Mapping) else ())
            if isinstance(about, Mapping)
        }
        _configuration(source.document, document, images, account)
        _steps(document, images, account)
        stem = posixpath.basename(path).removesuffix(".ipynb")
        return Imported("SAME", finished(document), stem, tuple(account.items), False, (path,), posixpath.dirname(path))


def _path(source: Source) -> str:
    path = mapping(source.document.get("notebook")).get("path")
    if not isinstance(path, str) or not path:
        raise refused(source, ("missing-file", f"{source.name} names no notebook", "Say notebook.path in it."))
    return posixpath.normpath(path)


def _notebook(source: Source, path: str) -> Mapping[str, Any]:
    try:
        return parse(source.read(path), posixpath.basename(path)).raw
    except (FileNotFoundError, UnicodeDecodeError) as error:
        message = f"the notebook {path} of {source.name} is not there, or is no text"
        raise refused(source, ("missing-file", message, "Put it where notebook.path says.")) from error


def _configuration(config: Mapping[str, Any], document: JSON, images: Mapping[str, str], account: Account) -> None:
    """Everything that ``same_config.yaml`` says besides the notebook's path and the environments of single steps."""
    if images.get("default"):
        wishes = Wishes(account)
        wishes.put("environments.default", "image", images["default"])
        set_options(document, wishes.values)
    elif "default" in images:
        account.not_needed("environments.default", "the target's image is used")
    for section, value in config.items():
        if section == "environments":
            continue
        nested = value if section in {"notebook", "run"} and isinstance(value, Mapping) else {"": value}
        for key, inner in nested.items():
            name = f"{section}.{key}" if key else section
            if name == "notebook.path":
                continue
            if name == "run.parameters":
                values = {str(k): v for k, v in inner.items() if str(k).isidentifier()} if isinstance(inner, Mapping) else {}
                if values:
                    account.taken(name, give(document["cells"], values))
            elif name == "notebook.requirements" and inner:
                account.lost(
                    name, f"the packages of {inner} are not installed", "Install them in the kernel, and in the steps' image."
                )
            elif name in CONFIG_NOT_NEEDED:
                account.not_needed(name, CONFIG_NOT_NEEDED[name])
            elif inner not in (None, "", [], {}):
                account.lost(name, "nothing here takes its place", "Nothing; look whether the notebook relied on it.")


def _steps(document: JSON, images: Mapping[str, str], account: Account) -> None:
    """SAME's tags on cells become steps with the images of their environments."""
    seen: list[int] = []
    for index, cell in enumerate(document["cells"]):
        tags, wishes, kept = tags_of(cell), Wishes(account), []
        for tag in tags:
            step, valued = STEP.match(tag), VALUED.match(tag)
            if step:
                _step(tag, int(step[1]), seen, wishes, index)
            elif valued and valued[1] == "environment":
                _environment(tag, valued[2], images, wishes, index)
            elif valued:
                account.not_needed(tag, "a run takes over the steps of another when asked: jupyter mlops run --resume RUN", index)
            else:
                kept.append(tag)
        if cell.get("cell_type") == "code":
            if not seen and not wishes.values and tags == kept and index == _first_code(document):
                wishes.values["step"] = "step_0"
                account.taken("(no tag)", "step_0, as SAME calls what stands above its first tag", index)
                seen.append(0)
            set_options(cell, wishes.values)
        set_tags(cell, kept)


def _first_code(document: Mapping[str, Any]) -> int:
    return next((i for i, cell in enumerate(document["cells"]) if cell.get("cell_type") == "code"), -1)


def _step(tag: str, number: int, seen: list[int], wishes: Wishes, index: int) -> None:
    """A step's beginning. The same number further down is another step here, since joining them would move cells."""
    if seen and seen[-1] == number:
        wishes.account.taken(tag, "a cell of the step above", index)
        return
    name = f"step_{number}" if number not in seen else f"step_{number}_{seen.count(number) + 1}"
    if seen and number < max(seen):
        what = f"SAME runs step {number} before step {max(seen)}; here the order of the notebook counts"
        wishes.account.lost(tag, what, "Move the cells, if it was meant to run earlier.", index)
    seen.append(number)
    wishes.put(tag, "step", name, index)


def _environment(tag: str, name: str, images: Mapping[str, str], wishes: Wishes, index: int) -> None:
    if images.get(name):
        wishes.put(tag, "image", images[name], index)
    elif name == "default":
        wishes.account.not_needed(tag, "the target's image is used", index)
    else:
        what = f"the image of the environment {name} is not known here"
        wishes.account.lost(tag, what, "Import same_config.yaml, which says it, or set mlops.image on the cell.", index)
