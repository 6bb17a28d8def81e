"""Writes the form for a cell's metadata into the extension's settings schema, from the one table of keys (``notebook/schema.py``).

    python scripts/form.py [--check]

JupyterLab shows that form in its property inspector (``jupyter.lab.metadataforms``), and ``src/parts/option.tsx`` draws the
fields. No field has a ``type``: JupyterLab would write empty lists and first choices into each cell that is touched, and
would tell of values that Python reads that they are wrong (decision 0023). ``--check`` writes nothing and exits with 1 where
the form is not what the table says.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from jupyter_mlops.notebook.schema import KEYS, json_schema

PLUGIN = Path(__file__).parents[1] / "labextension" / "schema" / "plugin.json"
FORMS = "jupyter.lab.metadataforms"
RENDERER = "jupyter-mlops:plugin.option"
"""What ``src/plugins/form.tsx`` draws a field with."""

TITLES = {
    "step": "Step", "skip": "Skip", "gpu": "GPUs", "cpu": "CPU", "memory": "Memory", "image": "Image",
    "env": "Environment variables", "secrets": "Secrets", "each": "For each", "when": "When", "finally": "At the end",
    "outputs": "Outputs", "retries": "Retries", "timeout": "Timeout", "cache": "Cache", "volumes": "Volumes",
    "gpu_resource": "GPU resource", "resources": "Other resources", "shm": "Shared memory", "queue": "Queue",
    "node_selector": "Node selector", "tolerations": "Tolerations",
}  # fmt: skip
"""Key → title, in the order of the form: what most people set comes first."""

PARTS = {
    "secrets": {"env": "Variable", "secret": "Secret", "key": "Key in the secret"},
    "volumes": {"mount": "Mounted at", "claim": "Claim", "size": "Size, where there is no claim", "read_only": "Read-only"},
    "tolerations": {"key": "Taint", "operator": "Operator", "value": "Value", "effect": "Effect"},
}
"""Titles of the parts of each list of objects, in the order of the form."""

SAID = {
    "step": "Cells with the same step run in one process. Small letters, digits and hyphens.",
    "skip": "true: no step runs this cell; false: it runs, whatever its tags say.",
    "finally": "A name: the step runs at the end whatever happened, and finds the outcome under it. true: without one.",
    "outputs": "model, or model:NAME: the variable of that name is registered when the step ends. Several between commas.",
    "volumes": "A claim (PersistentVolumeClaim), or an empty folder of a size that ends with the step.",
    "tolerations": "Taints of nodes that the step may run on. Exists takes no value. Such as gpu, Exists, NoSchedule.",
    "secrets": "Environment variables from Kubernetes secrets: names only, never a value.",
}
"""What a form has to say otherwise than the table of the documentation."""

TYPED = {"outputs": "words", "each": "json", "finally": "json"}
"""Keys whose text may be several things."""


def form() -> dict[str, Any]:
    """The one form of the extension, as JupyterLab has it."""
    keys = json_schema()["properties"]
    properties = {f"/mlops/{name}": field(name, keys.pop(name)) for name in TITLES}
    if keys:
        raise SystemExit(f"keys without a title in the form: {', '.join(keys)}")
    options = {name: {"cellTypes": ["code"], "writeDefault": False, "customRenderer": RENDERER} for name in properties}
    schema = {"type": "object", "properties": properties}
    return {"id": "mlops", "label": "Pipeline step", "metadataSchema": schema, "metadataOptions": options}


def field(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """One field: its title, the meaning of the key, and how it is drawn (``IKind`` of ``src/notebook/options.ts``)."""
    drawn = kind(name, schema)
    if name in SAID:
        return {"title": TITLES[name], "description": SAID[name], "mlops": drawn}
    meaning, example, such = schema["description"].replace("`", "").replace("; see below", ""), KEYS[name].example, ""
    if drawn["kind"] in {"text", "json"}:
        such = f" Such as {example}."
    elif drawn["kind"] == "map":
        such = " Such as " + ", ".join(f"{one} with the value {value}" for one, value in example.items()) + "."
    return {"title": TITLES[name], "description": meaning + such, "mlops": drawn}


def kind(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """How a key is drawn, from its JSON schema."""
    if "enum" in schema:
        return {"kind": "choice", "choices": schema["enum"]}
    match schema["type"]:
        case "boolean":
            return {"kind": "choice", "choices": [True, False]}
        case "integer":
            return {"kind": "number"}
        case "object":
            return {"kind": "map"}
        case "array":
            parts = schema["items"]["properties"]
            if parts.keys() != PARTS[name].keys():
                raise SystemExit(f"parts of {name} without a title in the form: {', '.join(parts)}")
            return {"kind": "list", "parts": [part(one, title, parts[one]) for one, title in PARTS[name].items()]}
        case _:
            return {"kind": TYPED.get(name, "text")}


def part(name: str, title: str, schema: dict[str, Any]) -> dict[str, Any]:
    """One part of the objects of a list."""
    choices = {"choices": schema["enum"]} if "enum" in schema else {}
    flag = {"flag": True} if schema.get("type") == "boolean" else {}
    return {"name": name, "title": title, **choices, **flag}


def main() -> int:
    """Write, or check."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 where something would be written")
    arguments = parser.parse_args()
    document = json.loads(PLUGIN.read_text(encoding="utf-8"))
    if document[FORMS] == [form()]:
        return 0
    if arguments.check:
        sys.stderr.write("the form in labextension/schema/plugin.json is not what the keys say: run scripts/form.py\n")
        return 1
    document[FORMS] = [form()]
    PLUGIN.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
