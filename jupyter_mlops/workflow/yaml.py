"""Workflows as YAML that people read and that Argo's parser reads the same way; and back, from strangers.

Writing: keys in the order of the document (that of Argo's own examples), the bootstrap as a block, and quotes around every
text that any YAML version could take for something else: PyYAML and Go disagree about ``1e3``, ``y`` and ``0o7``. Reading:
safe types only, no duplicate keys, and limits, since ten lines with aliases can expand to gigabytes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from jupyter_mlops.errors import WrongUsage

if TYPE_CHECKING:
    import yaml

MAX_CHARACTERS = 3 << 20
"""Kubernetes takes no request of more than 3 MiB."""

MAX_ALIASES = 64
MAX_NODES = 200_000
"""Values after all aliases are expanded."""

PLAIN = re.compile(r"[A-Za-z/][^\n]*")
AMBIGUOUS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})


def dump(document: Mapping[str, Any]) -> str:
    """The document as YAML; the same text for equal documents."""
    import yaml

    text: str = yaml.dump(
        document, Dumper=_dumper(), sort_keys=False, allow_unicode=True, width=1_000_000, default_flow_style=False
    )
    return text


@cache
def _dumper() -> type[yaml.SafeDumper]:
    """A dumper of plain values: block style, no aliases, quotes where versions of YAML disagree."""
    import yaml

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the base class asks for each value
            return True

        def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
            super().increase_indent(flow, indentless)

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        lines = value.split("\n")
        if (
            len(lines) > 1
            and all(line.isprintable() and line == line.rstrip() for line in lines)
            and lines[0] == lines[0].lstrip() != ""
        ):
            style = "|"
        elif value.isprintable() and PLAIN.fullmatch(value) and value.lower() not in AMBIGUOUS:
            style = None
        else:
            style = "'" if value.isprintable() else '"'
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    Dumper.add_representer(str, text)
    return Dumper


def load(text: str) -> dict[str, Any]:
    """The one document in ``text``.

    Raises:
        WrongUsage: ``not-yaml``: not YAML, not one object, a duplicate key, or larger than a Workflow can be.
    """
    import yaml

    if len(text) > MAX_CHARACTERS:
        raise _refused(f"it has {len(text)} characters; {MAX_CHARACTERS} are the limit")
    try:
        document = yaml.load(text, Loader=_loader())  # noqa: S506 - a subclass of SafeLoader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark is not None else ""
        said = [part for part in (getattr(error, "context", None), getattr(error, "problem", None)) if part]
        raise _refused(f"{', '.join(said) or 'it does not parse'}{place}") from error
    except (RecursionError, ValueError) as error:
        raise _refused("it is nested too deeply or holds an impossible value") from error
    if not isinstance(document, dict):
        raise _refused("it is not an object")
    _check_expansion(document)
    return cast("dict[str, Any]", document)


def _refused(why: str) -> WrongUsage:
    return WrongUsage(f"the YAML cannot be read: {why}", "not-yaml", "Give one Workflow as YAML or JSON.")


@cache
def _loader() -> type[yaml.SafeLoader]:
    """A safe loader that counts aliases and refuses a key that stands twice."""
    import yaml

    class Loader(yaml.SafeLoader):
        aliases = 0

        def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
            if self.check_event(yaml.AliasEvent):
                self.aliases += 1
                if self.aliases > MAX_ALIASES:
                    raise yaml.MarkedYAMLError(problem=f"more than {MAX_ALIASES} aliases", problem_mark=None)
            return super().compose_node(parent, index)

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            seen: set[str] = set()
            for key, _ in node.value:
                if isinstance(key, yaml.ScalarNode):
                    if key.value in seen and key.value != "<<":
                        raise yaml.MarkedYAMLError(problem=f"the key {key.value!r} stands twice", problem_mark=key.start_mark)
                    seen.add(key.value)
            return super().construct_mapping(node, deep)

    return Loader


def _check_expansion(document: Any) -> None:
    """Count what the document holds with every alias expanded; an alias of what encloses it never ends."""
    sizes: dict[int, int] = {}
    open_now: set[int] = set()

    def size(value: Any) -> int:
        if not isinstance(value, (dict, list)):
            return 1
        key = id(value)
        if key in open_now:
            raise _refused("a value holds itself")
        if key not in sizes:
            open_now.add(key)
            sizes[key] = 1 + sum(map(size, value.values() if isinstance(value, dict) else value))
            open_now.discard(key)
        return sizes[key]

    try:
        if size(document) > MAX_NODES:
            raise _refused(f"it holds more than {MAX_NODES} values")
    except RecursionError as error:
        raise _refused("it is nested too deeply") from error
