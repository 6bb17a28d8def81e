"""The metadata schema: each key that a cell or notebook may hold under ``mlops``, and how its value is read.

One table; the parser in ``metadata.py``, the JSON schema and the table of ``docs/metadata.md`` come from it. A reader takes
what JSON holds and returns the value as ``pipeline.Options`` has it, or raises ``Unfit`` with what was expected.
"""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

QUANTITY = re.compile(r"(?:\d+(?:\.\d*)?|\.\d+)(?:[numkMGTPE]|[KMGTPE]i|[eE][+-]?\d+)?")
"""Kubernetes' quantities, without a sign: nobody asks for less than nothing."""

SIZE = re.compile(r"([\d.]+(?:[eE][+-]?\d+)?)([numkKMGTPE]i?|)")
POWERS = {"n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}
RESOURCE = re.compile(r"(?:[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9](?:[-\w.]*[A-Za-z0-9])?")
LABEL_VALUE = re.compile(r"(?:[A-Za-z0-9](?:[-\w.]{0,61}[A-Za-z0-9])?)?")
QUEUE = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")
ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
OBJECT_NAME = re.compile(r"[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?")
SECRET_KEY = re.compile(r"[-._A-Za-z0-9]{1,253}")
DURATION = re.compile(r"(\d+)\s*([smhd]?)")
SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
MOUNT = re.compile(r"/[-\w./]{1,200}")
RESERVED = ("/mlops", "/proc", "/sys", "/dev")
"""Beginnings of paths of a container that are not the step's to mount something at."""


class Unfit(ValueError):
    """The value does not fit; the message says what was expected."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key of the schema."""

    name: str
    read: Callable[[Any], Any]
    schema: Mapping[str, Any]
    """Its JSON schema."""

    meaning: str
    example: Any
    notebook: bool = True
    """Whether the notebook's metadata may hold it, as the default of every step."""

    cell: bool = True
    """Whether a cell's metadata may hold it; what all steps have to agree on belongs to the notebook."""


def text(value: Any) -> str:
    """Text that is not blank."""
    if not isinstance(value, str) or not value.strip():
        raise Unfit("expected a text")
    return value.strip()


def flag(value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise Unfit("expected true or false")
    return value


def image(value: Any) -> str:
    """An image reference: no white space."""
    found = text(value)
    if re.search(r"\s", found):
        raise Unfit("expected an image reference such as ghcr.io/me/train:1, without blanks")
    return found


def count(value: Any) -> int:
    """A whole number from 0 on."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise Unfit("expected a whole number, 0 or more")
    return value


def quantity(value: Any) -> str:
    """A Kubernetes quantity; a number stands for itself."""
    found = str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value
    if not isinstance(found, str) or not QUANTITY.fullmatch(found):
        raise Unfit("expected a Kubernetes quantity such as 500m, 2, 512Mi or 16Gi")
    return found


def size(value: Any) -> int:
    """Bytes, as a Kubernetes quantity says them; more than 0."""
    number, unit = SIZE.fullmatch(quantity(value)).groups()  # type: ignore[union-attr]  # every quantity matches
    found = float(number) * (1 << 10 * "KMGTPE".index(unit[0]) + 10 if unit[1:] == "i" else POWERS.get(unit, 1.0))
    if found < 1:
        raise Unfit("expected a size such as 500Mi or 10Gi, more than 0")
    return int(found)


def patterns(value: Any) -> tuple[str, ...]:
    """Patterns of names and of paths below the notebook's folder."""
    if not isinstance(value, list):
        raise Unfit('expected a list of patterns such as ["*.ckpt", "data/raw/*"]')
    found = tuple(dict.fromkeys(text(item) for item in value))
    wrong = [one for one in found if one.startswith(("/", "~", "..")) or one in {"*", "**"}]
    if wrong:
        raise Unfit(f"{wrong[0]!r} is no pattern of a name, or of a path below the notebook's folder")
    return tuple(one.removeprefix("./").rstrip("/") for one in found)


def resource(value: Any) -> str:
    """Name of a resource, e.g. ``nvidia.com/gpu``."""
    if not isinstance(value, str) or not RESOURCE.fullmatch(value):
        raise Unfit("expected a resource name such as nvidia.com/gpu")
    return value


def seconds(value: Any) -> int:
    """Seconds, or a text such as 30m; more than 0."""
    found = value
    if isinstance(value, str) and (match := DURATION.fullmatch(value.strip())):
        found = int(match[1]) * SECONDS[match[2]]
    if isinstance(found, bool) or not isinstance(found, int) or found <= 0:
        raise Unfit("expected seconds, or a text such as 90s, 30m or 2h; more than 0")
    return found


def mapping(key: Callable[[Any], str], value: Callable[[Any], str]) -> Callable[[Any], dict[str, str]]:
    """Reader of an object whose names and values have readers of their own."""

    def read(found: Any) -> dict[str, str]:
        if not isinstance(found, Mapping):
            raise Unfit("expected an object {name: value}")
        return {key(name): value(item) for name, item in found.items()}

    return read


def env_name(value: Any) -> str:
    """Name of an environment variable."""
    if not isinstance(value, str) or not ENV_NAME.fullmatch(value):
        raise Unfit(f"{value!r} is no name of an environment variable")
    return value


def env_value(value: Any) -> str:
    """Environment variables are text; numbers and booleans are written as JSON writes them."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, (str, int, float)):
        raise Unfit("expected texts as values")
    return str(value)


def label_value(value: Any) -> str:
    """Value of a Kubernetes label."""
    if not isinstance(value, str) or not LABEL_VALUE.fullmatch(value):
        raise Unfit(f"{value!r} is no value of a Kubernetes label")
    return value


def queue(value: Any) -> str:
    """Name of a queue, which is the value of a label."""
    if not isinstance(value, str) or not QUEUE.fullmatch(value):
        raise Unfit("expected the name of a LocalQueue of the namespace")
    return value


def tolerations(value: Any) -> tuple[dict[str, str], ...]:
    """List of tolerations: key, operator, value, effect."""
    if not isinstance(value, list):
        raise Unfit("expected a list of objects with key, operator, value, effect")
    found = []
    for item in value:
        if not isinstance(item, Mapping) or not all(isinstance(v, str) for v in item.values()):
            raise Unfit("expected objects with the texts key, operator, value, effect")
        if extra := sorted(set(map(str, item)) - {"key", "operator", "value", "effect"}):
            raise Unfit(f"a toleration has key, operator, value and effect, not {', '.join(extra)}")
        if item.get("operator", "Equal") not in {"Equal", "Exists"} or item.get("effect", EFFECTS[0]) not in EFFECTS:
            raise Unfit(f"operator is Equal or Exists, effect one of {', '.join(EFFECTS)}")
        if "key" not in item and item.get("operator") != "Exists":
            raise Unfit("a toleration without key needs the operator Exists")
        if item.get("operator") == "Exists" and item.get("value"):
            raise Unfit("a toleration with the operator Exists takes no value")
        found.append({part: item[part] for part in ("key", "operator", "value", "effect") if part in item})
    return tuple(found)


def secrets(value: Any) -> tuple[dict[str, str], ...]:
    """List of references to Kubernetes secrets; a value is refused, since a notebook is no place for one."""
    shape = 'expected a list of {"env": NAME, "secret": name of the secret, "key": its key}'
    if not isinstance(value, list):
        raise Unfit(shape)
    found = []
    for item in value:
        if not isinstance(item, Mapping) or set(item) - {"env", "secret", "key"}:
            raise Unfit(f"{shape}; a secret's value never belongs into a notebook")
        if set(item) != {"env", "secret", "key"} or not all(isinstance(v, str) for v in item.values()):
            raise Unfit(shape)
        if not OBJECT_NAME.fullmatch(item["secret"]) or not SECRET_KEY.fullmatch(item["key"]):
            raise Unfit(f"{shape}, with names that Kubernetes takes")
        found.append({"env": env_name(item["env"]), "secret": item["secret"], "key": item["key"]})
    return tuple(found)


def outputs(value: Any) -> tuple[str, ...]:
    """``model`` or ``model:VARIABLE``, one or a list."""
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, (list, tuple)) or not listed:
        raise Unfit('expected "model" or "model:VARIABLE"')
    for item in listed:
        kind, _, name = item.partition(":") if isinstance(item, str) else ("", "", "")
        if kind != "model" or (item != "model" and (not name.isidentifier() or keyword.iskeyword(name))):
            raise Unfit(f'expected "model" or "model:VARIABLE", not {item!r}')
    return tuple(dict.fromkeys(listed))


def variable(value: Any) -> str:
    """A name of the notebook."""
    if not isinstance(value, str) or not value.isidentifier() or keyword.iskeyword(value):
        raise Unfit(f"{str(value)[:40]!r} is no name of a variable")
    return value


def expression(value: Any) -> str:
    """A Python expression, on one line."""
    found = " ".join(text(value).split())
    try:
        ast.parse(found, mode="eval")
    except (SyntaxError, ValueError) as error:
        raise Unfit(f"expected a Python expression; {getattr(error, 'msg', error)}") from error
    except (RecursionError, MemoryError) as error:  # how Python's parser says that it is nested too deeply
        raise Unfit("expected a Python expression that is not nested as deeply") from error
    return found


def each(value: Any) -> str:
    """``NAME in LIST``, or ``{NAME: LIST}``, as ``NAME in EXPRESSION``; LIST is an expression, or a JSON list."""
    shape = 'expected "NAME in LIST" such as "rate in rates", or {"rate": [0.1, 0.01]}'
    if isinstance(value, Mapping):
        if len(value) != 1:
            raise Unfit(shape)
        (name, listed), *_ = value.items()
        return f"{variable(name)} in {repr(listed) if isinstance(listed, list) else expression(listed)}"
    name, between, listed = text(value).partition(" in ")
    if not between:
        raise Unfit(shape)
    return f"{variable(name.strip())} in {expression(listed)}"


def final(value: Any) -> str | None:
    """True, or the name that the outcome is bound to; '' binds none. None: the step runs in its turn."""
    if isinstance(value, bool):
        return "" if value else None
    return variable(value)


def cache(value: Any) -> str:
    """``auto``, or ``off``."""
    if not isinstance(value, str) or value not in {"auto", "off"}:
        raise Unfit("expected auto or off")
    return str(value)


def volumes(value: Any) -> tuple[dict[str, Any], ...]:
    """List of volumes: a claim, or a folder that ends with the step, and where it is mounted."""
    shape = 'expected a list of {"mount": "/path"} with "claim": NAME, or with "size": QUANTITY for one that ends with the step'
    if not isinstance(value, list):
        raise Unfit(shape)
    found = []
    for item in value:
        if not isinstance(item, Mapping) or set(item) - {"mount", "claim", "size", "read_only"} or {"claim", "size"} <= set(item):
            raise Unfit(shape)
        mount = item.get("mount")
        if not isinstance(mount, str) or not MOUNT.fullmatch(mount) or mount.startswith(RESERVED) or ".." in mount:
            raise Unfit(f"{shape}; {str(mount)[:40]!r} is no path of a container, or one that a step needs itself")
        if "claim" in item and not (isinstance(item["claim"], str) and OBJECT_NAME.fullmatch(item["claim"])):
            raise Unfit(f"{shape}; {str(item['claim'])[:40]!r} is no name of a PersistentVolumeClaim")
        one: dict[str, Any] = {"mount": mount.rstrip("/")}
        one |= {"claim": item["claim"]} if "claim" in item else {}
        one |= {"size": quantity(item["size"])} if "size" in item else {}
        one |= {"read_only": True} if flag(item.get("read_only", False)) else {}
        found.append(one)
    return tuple(found)


_TEXT: Mapping[str, Any] = {"type": "string", "minLength": 1}
_COUNT: Mapping[str, Any] = {"type": "integer", "minimum": 0}
_QUANTITY: Mapping[str, Any] = {"type": ["string", "number"], "pattern": f"^{QUANTITY.pattern}$", "minimum": 0}
_TEXTS: Mapping[str, Any] = {"type": "object", "additionalProperties": {"type": "string"}}
_SECONDS: Mapping[str, Any] = {"type": ["integer", "string"], "minimum": 1, "pattern": r"^\d+\s*[smhd]?$"}
_TOLERATION: Mapping[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "key": {"type": "string"},
        "operator": {"enum": ["Equal", "Exists"]},
        "value": {"type": "string"},
        "effect": {"enum": list(EFFECTS)},
    },
}
_SECRET: Mapping[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["env", "secret", "key"],
    "properties": {"env": {"type": "string"}, "secret": {"type": "string"}, "key": {"type": "string"}},
}
_EACH: Mapping[str, Any] = {"type": ["string", "object"], "pattern": r"^\w+\s+in\s", "minProperties": 1, "maxProperties": 1}
_VOLUME: Mapping[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["mount"],
    "properties": {
        "mount": {"type": "string", "pattern": f"^{MOUNT.pattern}$"},
        "claim": {"type": "string"},
        "size": {"type": ["string", "number"]},
        "read_only": {"type": "boolean"},
    },
}
_OUTPUTS: Mapping[str, Any] = {"type": ["string", "array"], "items": {"type": "string", "pattern": "^model(:.+)?$"}}

KEYS: Mapping[str, Key] = {
    key.name: key
    for key in (
        Key("step", text, _TEXT, "The step this cell begins or belongs to.", "train", notebook=False),
        Key("skip", flag, {"type": "boolean"}, "true: no step runs this cell.", example=True, notebook=False),
        Key("gpu", count, _COUNT, "Number of GPUs.", 1),
        Key("gpu_resource", resource, _TEXT, "What the cluster calls its GPUs; `nvidia.com/gpu` if absent.", "amd.com/gpu"),
        Key("cpu", quantity, _QUANTITY, "CPU cores, as a Kubernetes quantity.", "500m"),
        Key("memory", quantity, _QUANTITY, "Memory, as a Kubernetes quantity.", "16Gi"),
        Key("resources", mapping(resource, quantity), _TEXTS, "Any other resource by its name.", {"ephemeral-storage": "20Gi"}),
        Key("shm", quantity, _QUANTITY, "Size of the shared memory `/dev/shm`; it counts as memory of the step.", "8Gi"),
        Key("queue", queue, _TEXT, "Queue of Kueue that the step waits in; the target's if absent.", "team-a"),
        Key("tolerations", tolerations, {"type": "array", "items": _TOLERATION}, "Taints of nodes that the step may run on.",
            [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}]),
        Key("node_selector", mapping(resource, label_value), _TEXTS, "Labels that the step's node must have.", {"zone": "a"}),
        Key("image", image, _TEXT, "Container image of the step; any with Python and your packages.", "ghcr.io/me/train:1"),
        Key("env", mapping(env_name, env_value), _TEXTS, "Environment variables.", {"OMP_NUM_THREADS": "4"}),
        Key("secrets", secrets, {"type": "array", "items": _SECRET}, "Environment variables from Kubernetes secrets: names only.",
            [{"env": "TOKEN", "secret": "hub", "key": "token"}]),
        Key("retries", count, _COUNT, "How often a failed step is tried again.", 2),
        Key("timeout", seconds, _SECONDS, "Seconds (or `30m`, `2h`) until the step is given up, waiting included.", "2h"),
        Key("volumes", volumes, {"type": "array", "items": _VOLUME}, "Volumes: a claim, or an empty folder as long as the step.",
            [{"claim": "datasets", "mount": "/data", "read_only": True}]),
        Key("cache", cache, {"enum": ["auto", "off"]}, "`off`: a resumed run runs the step again whatever has not changed.", "off"),
        Key("each", each, _EACH, "Runs the step once for each item of a list, all from the same state; see below.",
            "rate in rates", notebook=False),
        Key("when", expression, _TEXT, "A Python expression: the step runs only if it is true; see below.", "score < 0.9",
            notebook=False),
        Key("finally", final, {"type": ["boolean", "string"]}, "true, or NAME: the step runs at the end whatever happened.",
            "outcome", notebook=False),
        Key("outputs", outputs, _OUTPUTS, "`model` or `model:VARIABLE`: that variable is registered when the step ends.",
            ["model:clf"], notebook=False),
        Key("file_limit", size, _QUANTITY, "Size of all files that steps may hand on; `4Gi` if absent.", "10Gi", cell=False),
        Key("file_ignore", patterns, {"type": "array", "items": _TEXT}, "Files that steps do not hand on: names, or paths.",
            ["*.ckpt", "data/raw/*"], cell=False),
    )
}  # fmt: skip
"""Every key, in the order of the documentation."""


def json_schema() -> dict[str, Any]:
    """JSON schema of a cell's ``metadata.mlops``, for editors and forms."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "jupyter-mlops cell metadata",
        "type": "object",
        "additionalProperties": False,
        "properties": {key.name: {**key.schema, "description": key.meaning} for key in KEYS.values() if key.cell},
    }
