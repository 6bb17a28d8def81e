"""Notebooks made for Kale 0.x, 1.x and 2.x: their tags become our metadata, cell by cell.

Kale runs the cells of a step wherever its tags put them; here the order of the notebook counts, since that is what Restart &
Run All does. Where Kale would have moved a cell, the account says so. A cell without a tag joins the step above it, in both.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from jupyter_mlops.importers.base import JSON, Account, Imported, Source, listing, mapping
from jupyter_mlops.importers.cells import PARAMETERS, code_cell, copied, finished, set_options, set_tags, tags_of, text_of
from jupyter_mlops.importers.kalemetadata import LEGACY, METADATA, read_metadata
from jupyter_mlops.importers.options import Wishes
from jupyter_mlops.pipeline.names import step_name

OWN_TAGS = re.compile(r"block:|pipeline-parameters$|pipeline-metrics$")
"""Tags that only Kale has; ``step:`` and ``skip`` are everybody's."""

LANGUAGE = re.compile(r"(block|step|prev|notebook|annotation|label|limit|secret|image|cache|report):(.*)", re.DOTALL)
LITERAL = {
    "skip": "the tag skip: no step runs this cell",
    "imports": "a cell of the step it stands in; Kale runs it in every step, here its state is handed on",
    "functions": "a cell of the step it stands in; Kale runs it in every step, here its functions are handed on as they are",
    "pipeline-parameters": "the tag parameters, typed: int, float, bool, str, None, list, dict",
    "pipeline-metrics": "",
}
"""Tags that say what a cell holds, and win over every other tag of the cell → what they become."""


@dataclass(slots=True)
class _Steps:
    """Names of steps as the cells are read: which is open, and which were begun before."""

    current: str = ""
    seen: dict[str, int] = field(default_factory=dict)
    named: dict[str, str] = field(default_factory=dict)
    """Name in Kale's tags → name here, the first of each."""

    def begin(self, name: str, account: Account, cell: int) -> str | None:
        """The name to write on a cell that Kale puts into the step ``name``; None where the open step just goes on."""
        if name == self.current:
            return None
        self.current = name
        self.seen[name] = self.seen.get(name, 0) + 1
        here = name if self.seen[name] == 1 else f"{name}_{self.seen[name]}"
        self.named.setdefault(name, here)
        if here != name:
            what = (
                f"Kale would run this cell with the first cells of {name}; here it is a step {here} of its own, "
                "in the order of the notebook"
            )
            account.lost(f"step:{name}", what, f"Move the cell to the others of {name}, if it was meant to run there.", cell)
        return here


class Kale:
    """Kale's notebooks of every version."""

    def recognises(self, source: Source) -> bool:
        """By the notebook's metadata, or by tags that only Kale has."""
        if METADATA in mapping(source.document.get("metadata")):
            return True
        return any(OWN_TAGS.match(tag) for cell in _cells(source.document) for tag in tags_of(cell))

    def convert(self, source: Source) -> Imported:
        """The notebook without Kale's metadata and with ours."""
        account = Account()
        document = copied(source.document)
        metadata = document.setdefault("metadata", {})
        kale = mapping(metadata.pop(METADATA, {}))
        version = _version(kale, document)
        wishes = Wishes(account)
        stem = read_metadata(kale, wishes, _options_of_tag) or source.stem
        set_options(document, wishes.values)
        cells, steps = [], _Steps()
        for index, cell in enumerate(document.get("cells", ())):
            cells.append(cell)
            if cell.get("cell_type") == "code":
                cells += _cell(cell, index, steps, account)
        document["cells"] = cells
        _needs(cells, steps, account)
        if not steps.seen:
            account.lost(
                "step", "no cell names a step: Kale makes no pipeline of it; here steps are proposed", "Look at them with convert."
            )
        return Imported(version, finished(document), stem, tuple(account.items))


def _cells(document: Mapping[str, Any]) -> list[JSON]:
    return [cell for cell in listing(document.get("cells")) if isinstance(cell, dict)]


def _version(kale: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    tags = [tag for cell in _cells(document) for tag in tags_of(cell)]
    if any(tag.startswith("block:") for tag in tags):
        return "Kale 0.x"
    return "Kale 1.x" if LEGACY & set(kale) else "Kale 2.x"


def _cell(cell: JSON, index: int, steps: _Steps, account: Account) -> list[JSON]:
    """Read one cell's tags, write ours, and return the cells that have to follow it."""
    tags = tags_of(cell)
    literal = next((tag for tag in LITERAL if tag in tags), "")
    kept = [tag for tag in tags if tag not in LITERAL and not LANGUAGE.fullmatch(tag)]
    after = list[JSON]()
    if literal == "pipeline-metrics":
        after = _metrics(cell, index, account)
    elif literal:
        account.taken(literal, LITERAL[literal], index)
        kept += {"skip": ["skip"], "pipeline-parameters": [PARAMETERS]}.get(literal, [])
    wishes = Wishes(account)
    for tag in tags:
        match = LANGUAGE.fullmatch(tag)
        if match and literal:
            account.not_needed(tag, f"{literal} wins over it, in Kale too", index)
        elif match:
            kept += _language(tag, match[1], match[2], wishes, steps, index)
    if not steps.current and not literal and text_of(cell).strip():
        account.taken("(no tag)", "a cell of the first step; Kale drops code above its first tag without a word", index)
    set_tags(cell, kept)
    set_options(cell, wishes.values)
    return after


def _language(tag: str, kind: str, rest: str, wishes: Wishes, steps: _Steps, index: int) -> list[str]:
    """One tag of Kale's language on a cell that belongs to a step; returns the tags that stay."""
    if kind == "prev":
        return [f"prev:{name.strip()}" for name in rest.split(";") if name.strip()]
    if kind not in {"step", "block"}:
        _options_of_tag(tag, wishes, index)
        return []
    step = _step(tag, rest, index, steps, wishes.account)
    if step is not None:
        wishes.values = {"step": step, **wishes.values}
    return []


def _step(tag: str, rest: str, index: int, steps: _Steps, account: Account) -> str | None:
    """The step that a tag begins, or None where it goes on."""
    names = [name.strip() for name in rest.split(";") if name.strip()]
    if not names:
        account.taken(tag, "a cell of the step above", index)
        return None
    if len(names) > 1:
        what = f"Kale runs this cell in each of {', '.join(names)}; here it runs once, in {names[0]}, and its state is handed on"
        account.lost(tag, what, "Nothing, unless the cell was meant to run again.", index)
    else:
        account.taken(tag, f"mlops.step {names[0]}", index)
    return steps.begin(names[0], account, index)


def _needs(cells: Iterable[JSON], steps: _Steps, account: Account) -> None:
    """``prev:`` tags with the names that the steps have here; those that name no step are dropped, and said."""
    begun: list[str] = []
    known = {step_name(name): name for name in steps.named.values()}
    for cell in cells:
        step = mapping(mapping(cell.get("metadata")).get("mlops")).get("step")
        if isinstance(step, str):
            begun.append(step_name(step))
        kept = []
        for tag in tags_of(cell):
            if not tag.startswith("prev:"):
                kept.append(tag)
                continue
            name = step_name(tag.removeprefix("prev:"))
            if name not in known:
                account.lost(tag, "it names no step", "Correct the name in the source, or leave it.")
            elif begun[-1:] == [name]:
                account.not_needed(tag, "it names its own step")
            elif name not in begun[:-1]:
                what = "it names a step that stands further down; the order of the notebook counts"
                account.lost(tag, what, "Move the cells of that step up.")
            else:
                kept.append(f"prev:{known[name]}")
                account.taken(tag, "the same tag: a need where no value flows")
        set_tags(cell, kept)


def _metrics(cell: JSON, index: int, account: Account) -> list[JSON]:
    """What Kale does behind a cell of ``print(name)`` lines, said in the notebook itself: ``log_metrics``."""
    try:
        tree = ast.parse(text_of(cell))
    except SyntaxError:
        tree = ast.Module([], [])
    names = [
        node.value.args[0].id
        for node in tree.body
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Call)
        and isinstance(node.value.func, ast.Name)
        and node.value.func.id == "print"
        and len(node.value.args) == 1
        and isinstance(node.value.args[0], ast.Name)
    ]
    if not names:
        account.lost("pipeline-metrics", "the cell prints no names that could be metrics", "Call log_metrics(name=value).", index)
        return []
    account.taken("pipeline-metrics", f"log_metrics of {', '.join(names)} in a cell behind it", index)
    pairs = ", ".join(f'"{name}": float({name})' for name in dict.fromkeys(names))
    return [code_cell(f"import jupyter_mlops\n\njupyter_mlops.log_metrics({{{pairs}}})")]


def _options_of_tag(tag: str, wishes: Wishes, cell: int | None) -> None:
    """``limit:``, ``image:``, ``secret:`` and the like, of a cell or of ``steps_defaults``."""
    kind, _, rest = tag.partition(":")
    name, _, value = rest.partition(":")
    if kind == "image":
        wishes.put(tag, "image", rest, cell)
    elif kind == "limit":
        wishes.limit(tag, *_last(rest), cell)
    elif kind == "secret":
        key, _, env = value.partition(":")
        wishes.put(tag, "secrets", [{"env": env, "secret": name, "key": key}], cell)
    elif kind == "label":
        wishes.label(tag, name, value, cell)
    elif kind == "annotation":
        wishes.account.lost(tag, f"pods do not get the annotation {name}", "Let an admission policy of the cluster set it.", cell)
    elif kind == "cache":
        if rest == "disabled":
            wishes.put(tag, "cache", "off", cell)
        else:
            wishes.account.not_needed(tag, "a step is taken over from an earlier run unless it says cache: off", cell)
    elif kind == "report":
        wishes.account.not_needed(tag, "every run keeps its executed notebook", cell)
    elif kind == "notebook":
        what = "the step that runs another notebook is not made"
        wishes.account.lost(tag, what, "Import that notebook by itself, or copy its cells to this place.", cell)
    else:
        wishes.account.lost(tag, "it is no tag that Kale knows", "Remove it.", cell)


def _last(rest: str) -> tuple[str, str]:
    """``nvidia.com/gpu:1`` → name and value."""
    name, _, value = rest.rpartition(":")
    return name, value
