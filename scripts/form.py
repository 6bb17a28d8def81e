"""Writes the form for a cell's metadata into the extension's settings schema, from the one table of keys (``notebook/schema.py``).

    python scripts/form.py [--check]

JupyterLab draws that form in its property inspector (``jupyter.lab.metadataforms``). It draws one type for a field, so where a
key takes several, the form has the one that a person types: text. What it writes is read like anything else in metadata.
``--check`` writes nothing and exits with 1 where the form is not what the table says.
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
TITLES = {
    "step": "Step", "skip": "Skip", "gpu": "GPUs", "cpu": "CPU", "memory": "Memory", "image": "Image",
    "env": "Environment variables", "each": "For each", "when": "When", "finally": "At the end", "outputs": "Outputs",
    "retries": "Retries", "timeout": "Timeout", "cache": "Cache", "gpu_resource": "GPU resource", "resources": "Other resources",
    "shm": "Shared memory", "queue": "Queue", "node_selector": "Node selector",
}  # fmt: skip
"""Key → title, in the order of the form: what most people set comes first."""

LISTS = frozenset({"secrets", "tolerations", "volumes"})
"""Lists of objects are not in the form: JupyterLab would write an empty list into each cell that is touched."""

STEP = "Cells with the same step run in one process. Small letters, digits and hyphens."
NAME = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
FINALLY = "A name: the step runs at the end whatever happened, and finds how the run ended under that name."
OUTPUTS = "model, or model:NAME: the variable of that name is registered when the step ends."
KEPT = ("additionalProperties", "minimum", "pattern")


def form() -> dict[str, Any]:
    """The one form of the extension, as JupyterLab has it."""
    keys = json_schema()["properties"]
    properties = {f"/mlops/{name}": field(name, keys.pop(name)) for name in TITLES}
    if keys.keys() != LISTS:
        raise SystemExit(f"keys without a title in the form: {', '.join(keys)}")
    options = {name: {"cellTypes": ["code"], "writeDefault": False} for name in properties}
    schema = {"type": "object", "properties": properties}
    return {"id": "mlops", "label": "Pipeline step", "metadataSchema": schema, "metadataOptions": options}


def field(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """One field: its title, the meaning of the key, and what can be typed."""
    kind = one_type(schema)
    example = KEYS[name].example
    such = f" Such as {example}." if isinstance(example, str) and kind == "string" and "enum" not in schema else ""
    found = {
        "title": TITLES[name],
        "description": schema["description"].replace("`", "").replace("; see below", "") + such,
        "type": kind,
    }
    found |= {key: schema[key] for key in KEPT if key in schema}
    if "enum" in schema:
        found["oneOf"] = [{"const": choice, "title": choice} for choice in schema["enum"]]
    if kind == "string":
        found.pop("minimum", None)
    if name == "step":
        found |= {"description": STEP, "pattern": NAME}
    if name == "finally":
        found |= {"description": FINALLY}
    if name == "outputs":
        found |= {"description": OUTPUTS}
    if name in {"each", "outputs"}:
        found = {key: value for key, value in found.items() if key != "pattern"}
    return found


def one_type(schema: dict[str, Any]) -> str:
    """The type that a field can have: text, where a key takes several."""
    kinds = schema.get("type", "string")
    return kinds if isinstance(kinds, str) else "string"


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
