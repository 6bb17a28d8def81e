"""Call a service with whatever a person has at hand, or with the sample that was recorded with the model."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jupyter_mlops.errors import NotFound, PlatformError, PredictionRejected, Unavailable
from jupyter_mlops.serving.base import Backend, Request, Response
from jupyter_mlops.serving.decode import model_reference
from jupyter_mlops.serving.rows import instances_of, is_infer_body, parse_data
from jupyter_mlops.serving.server.nesting import nest

if TYPE_CHECKING:
    from jupyter_mlops.registry.models import Models

OK, NOT_FOUND, UNAVAILABLE = 200, 404, 503
REJECTED = frozenset({400, 413, 415, 422})


@dataclass(frozen=True, slots=True)
class Prediction:
    """``predictions``: one per row; ``milliseconds``: from sending the request to having read the answer."""

    predictions: list[Any]
    milliseconds: float


def predict(backend: Backend, models: Models, service: str, namespace: str, data: Any = None) -> Prediction:
    """Predictions of a service.

    Args:
        backend: where the service runs.
        models: the registry that knows the model's sample and signature.
        service: its name.
        namespace: its namespace.
        data: rows, records, one record, a DataFrame or array, a V1 or V2 body, or text (JSON or CSV with a header);
            the recorded sample where it is None.

    Raises:
        PredictionRejected: the model does not take it; the message is the server's own, which names what is wrong.
        WrongUsage: it is no data at all.
        NotFound: no such service, or no sample was recorded.
        Unavailable: the service is not ready; the fix says what to do.
    """
    found = backend.get(service, namespace)
    card = _card(models, found.document)
    if data is None:
        data = sample(backend, models, service, namespace)
    elif isinstance(data, bytes | str):
        text = data.decode("utf-8", errors="replace") if isinstance(data, bytes) else data
        data = parse_data(text, _texts(card))
    if is_infer_body(data):
        answer, milliseconds = _send(backend, service, namespace, f"/v2/models/{service}/infer", data)
        return Prediction(_rows_of(answer.get("outputs", [])), milliseconds)
    rows = instances_of(data, single_row=_takes_lists(card))
    answer, milliseconds = _send(backend, service, namespace, f"/v1/models/{service}:predict", {"instances": rows})
    return Prediction(list(answer.get("predictions", [])), milliseconds)


def sample(backend: Backend, models: Models, service: str, namespace: str) -> list[Any]:
    """Rows recorded at training, which the service takes. Raises NotFound where none were recorded."""
    card = _card(models, backend.get(service, namespace).document)
    instances = (card.get("sample") or {}).get("instances")
    if not instances:
        raise NotFound(
            f"no sample was recorded with the model of service '{service}'",
            code="no-sample",
            fix="Give data, or log the model with data: log_model(model, name, data=X).",
        )
    return list(instances)


def _card(models: Models, document: Mapping[str, Any]) -> Mapping[str, Any]:
    """The model's card; an empty one for a model that is not, or no more, in the registry: the server knows its own."""
    reference = model_reference(document)
    if not reference:
        return {}
    try:
        card: Mapping[str, Any] = models.card(models.find(reference))
    except NotFound:
        return {}
    return card


def _takes_lists(card: Mapping[str, Any]) -> bool:
    """Whether a row of this model is a list of values, so that a flat list is one row and not many."""
    signature = card.get("signature") or {}
    return signature.get("kind") == "columns" or len(signature.get("shape") or ()) > 1 or "n_features" in signature


def _texts(card: Mapping[str, Any]) -> frozenset[str]:
    inputs = (card.get("signature") or {}).get("inputs") or []
    return frozenset(str(item["name"]) for item in inputs if item.get("datatype") == "BYTES")


def _send(backend: Backend, service: str, namespace: str, path: str, body: Mapping[str, Any]) -> tuple[dict[str, Any], float]:
    encoded = json.dumps(body, ensure_ascii=False).encode()
    started = time.perf_counter()
    response = backend.call(service, Request("POST", path, encoded), namespace)
    milliseconds = (time.perf_counter() - started) * 1000
    if response.status != OK:
        raise _error(service, response)
    return dict(json.loads(response.body)), round(milliseconds, 3)


def _error(service: str, response: Response) -> Exception:
    """What the answer means for who asked."""
    try:
        said = str(json.loads(response.body)["error"])
    except (ValueError, KeyError, TypeError):
        said = f"the model server answered {response.status}"
    if response.status in REJECTED:
        return PredictionRejected(said, fix="Send rows as the model was trained with; the recorded sample shows how.")
    if response.status == NOT_FOUND:
        return NotFound(said, fix="Use the name under which the service knows its model.")
    if response.status == UNAVAILABLE:
        return Unavailable(said, fix="It is starting: try again in a moment.")
    return PlatformError(f"service '{service}': {said}", code="model-raised", fix="See the log of the service.")


def _rows_of(outputs: list[Mapping[str, Any]]) -> list[Any]:
    """V2 outputs as one prediction a row: values of the only output, else records by output name."""
    tensors = {str(output["name"]): nest(output["data"], output["shape"]) for output in outputs}
    if len(tensors) == 1:
        return next(iter(tensors.values()))
    return [dict(zip(tensors, row, strict=True)) for row in zip(*tensors.values(), strict=False)]
