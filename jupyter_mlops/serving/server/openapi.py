"""What can be called, as an OpenAPI document and as one plain page, each with a request that works.

The page loads nothing from anywhere and runs no script: it must do behind a strict content policy and without a network.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from typing import Any

from jupyter_mlops.serving.server import examples
from jupyter_mlops.serving.server.datatypes import NUMPY
from jupyter_mlops.serving.server.model import Model
from jupyter_mlops.serving.server.signature import Signature, Tensor

ERROR = {
    "description": "What is wrong, exactly",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
}


def document(models: Sequence[Model], version: str) -> dict[str, Any]:
    """The OpenAPI 3.1 document of this server."""
    paths: dict[str, Any] = {
        "/v2": _get("Server metadata"),
        "/v2/health/live": _get("The server answers"),
        "/v2/health/ready": _get("All models are loaded", unavailable=True),
        "/v1/models": _get("Names of the models"),
        "/metrics": {"get": {"summary": "Prometheus metrics", "responses": {"200": {"description": "Text exposition"}}}},
    }
    for model in models:
        paths |= _paths(model)
    return {
        "openapi": "3.1.0",
        "info": {"title": "jupyter-mlops model server", "version": version},
        "paths": paths,
        "components": {"schemas": _schemas(models)},
    }


def _paths(model: Model) -> dict[str, Any]:
    name, signature = model.name, model.signature
    return {
        f"/v1/models/{name}": _get(f"Whether {name} is ready", unavailable=True),
        f"/v1/models/{name}:predict": _post(f"Predict with {name} (V1)", _reference(name, "Instances"), examples.v1(signature)),
        f"/v2/models/{name}": _get(f"Signature of {name}"),
        f"/v2/models/{name}/ready": _get(f"Whether {name} is ready", unavailable=True),
        f"/v2/models/{name}/infer": _post(
            f"Predict with {name} (V2)", {"$ref": "#/components/schemas/Infer"}, examples.v2(signature)
        ),
    }


def _get(summary: str, *, unavailable: bool = False) -> dict[str, Any]:
    responses = {"200": {"description": "JSON"}} | ({"503": ERROR} if unavailable else {})
    return {"get": {"summary": summary, "responses": responses}}


def _post(summary: str, schema: dict[str, Any], example: dict[str, Any] | None) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": schema} | ({"example": example} if example else {})
    responses = {"200": {"description": "Predictions"}, "400": ERROR, "404": ERROR, "413": ERROR, "503": ERROR}
    body = {"required": True, "content": {"application/json": content}}
    return {"post": {"summary": summary, "requestBody": body, "responses": responses}}


def _reference(model: str, kind: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{model}.{kind}"}


def _schemas(models: Sequence[Model]) -> dict[str, Any]:
    tensor = {
        "type": "object",
        "required": ["name", "shape", "datatype", "data"],
        "properties": {
            "name": {"type": "string"},
            "shape": {"type": "array", "items": {"type": "integer"}},
            "datatype": {"enum": list(NUMPY)},
            "data": {"type": "array"},
        },
    }
    inputs = {"type": "array", "minItems": 1, "items": tensor}
    schemas: dict[str, Any] = {
        "Error": {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}},
        "Infer": {"type": "object", "required": ["inputs"], "properties": {"id": {"type": "string"}, "inputs": inputs}},
    }
    for model in models:
        rows = {"type": "array", "minItems": 1, "items": _row(model.signature)}
        schemas[f"{model.name}.Instances"] = {"type": "object", "required": ["instances"], "properties": {"instances": rows}}
    return schemas


def _row(signature: Signature) -> dict[str, Any]:
    if signature.kind == "columns":
        record = {
            "type": "object",
            "required": list(signature.columns),
            "properties": {tensor.name: _value(tensor) for tensor in signature.inputs},
            "additionalProperties": False,
        }
        width = len(signature.columns)
        return {"anyOf": [record, {"type": "array", "minItems": width, "maxItems": width}]}
    if signature.kind == "tensor" and len(signature.shape) > 1:
        return {"type": "array"}
    return {}


def _value(tensor: Tensor) -> dict[str, Any]:
    if not tensor.datatype:
        return {}
    if tensor.datatype == "BYTES":
        return {"type": ["string", "null"]}
    return {"type": ["boolean", "null"] if tensor.datatype == "BOOL" else ["number", "null"]}


STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em; color-scheme: light dark }
pre { padding: 1em; overflow: auto; border: 1px solid #8886 }
td, th { padding: .2em 1em; text-align: left }
"""


def page(models: Sequence[Model], version: str) -> str:
    """The same as HTML for people."""
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>Model server</title><style>{STYLE}</style>"
        f"<h1>Model server <small>{escape(version)}</small></h1>{''.join(map(_section, models))}"
        '<p><a href="openapi.json">OpenAPI document</a> · <a href="metrics">metrics</a> · '
        '<a href="v2/health/ready">health</a></p></html>'
    )


def _section(model: Model) -> str:
    signature = model.signature
    rows = "".join(f"<tr><td>{escape(tensor.name)}<td>{tensor.datatype or 'any'}" for tensor in signature.inputs)
    table = f"<table><tr><th>input<th>datatype{rows}</table>" if rows else "<p>Takes a list of JSON values.</p>"
    calls = {
        f"v1/models/{model.name}:predict": examples.v1(signature),
        f"v2/models/{model.name}/infer": examples.v2(signature),
    }
    shown = "".join(
        f"<h3>POST /{escape(path)}</h3><pre>{escape(json.dumps(body, indent=1, ensure_ascii=False, default=str))}</pre>"
        for path, body in calls.items()
        if body is not None
    )
    return f"<h2>{escape(model.name)} <small>{escape(model.version)}, {model.state}</small></h2>{table}{shown}"
