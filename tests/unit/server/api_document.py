"""``api.yaml`` for tests: its routes, and answers held against its schemas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema  # noqa: TID253  (a test may take its time)
import yaml  # noqa: TID253  (a test may take its time)

import jupyter_mlops

PATH = Path(jupyter_mlops.__file__).parent / "server" / "api.yaml"
API: dict[str, Any] = yaml.safe_load(PATH.read_text(encoding="utf-8"))
VERBS = ("get", "post", "put", "delete", "patch", "head")
ACTIONS = {"get": "read", "post": "write", "put": "write", "delete": "write"}
"""What a verb asks the authoriser for where the document says nothing else."""


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    """Path, verb and description of every operation."""
    return [(path, verb, item[verb]) for path, item in API["paths"].items() for verb in VERBS if verb in item]


def expected(verb: str, operation: dict[str, Any]) -> tuple[str, str]:
    """Action and resource that an operation asks for."""
    return operation.get("x-action", ACTIONS[verb]), operation["x-resource"]


def example(path: str) -> str:
    """A concrete path for a template."""
    names = {
        "check": "check-0123456789abcdef",
        "run": "churn-x7k2p",
        "model": "churn",
        "dataset": "rows",
        "alias": "champion",
        "tag": "v1",
        "namespace": "default",
        "service": "churn",
        "target": "local",
    }
    for name, value in names.items():
        path = path.replace(f"{{{name}}}", value)
    return path


def check(name: str, value: Any) -> None:
    """The value fits the schema of that name."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": API["components"]}
    jsonschema.validate(value, schema, cls=jsonschema.Draft202012Validator)
