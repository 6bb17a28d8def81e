"""One model in the server: its state, its calls, and where they run.

A model that answers within a few milliseconds is called on the event loop, since a thread costs more than it gives (0.2 ms
CPU a call, measured); a slower one in a thread, so that health and other calls go on. A notebook's function was never
written for two calls at once: it gets one thread, and is called on the loop only when that thread is idle.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from jupyter_mlops.errors import Bug, MlopsError, PredictionRejected, Unavailable
from jupyter_mlops.formats.gate import Rule
from jupyter_mlops.serving.server import loaders
from jupyter_mlops.serving.server.inputs import from_instances
from jupyter_mlops.serving.server.outputs import predictions
from jupyter_mlops.serving.server.signature import Signature, signature_of
from jupyter_mlops.serving.server.tensors import from_tensors, to_tensors

log = logging.getLogger("jupyter_mlops.serving")

INLINE_SECONDS = 0.005
"""Calls that usually take less run on the event loop."""

INLINE_BYTES = 64 << 10
"""Bodies above this run in a thread whatever the model's usual time, since that was for smaller ones."""

WRONG_INPUT = (ValueError, TypeError, KeyError, IndexError)
"""What models raise when the data is not what they know; anything else is the model's own fault."""

State = Literal["loading", "ready", "unloaded", "failed"]
Observe = Callable[[str, float], None]


@dataclass
class Model:
    """A model under the name by which callers know it."""

    name: str
    folder: Path
    version: str = "1"
    rule: Rule = "listed"
    """What loading it may run."""

    state: State = "loading"
    card: Mapping[str, Any] = field(default_factory=dict)
    signature: Signature = field(default_factory=Signature)
    reason: str = ""
    _predict: loaders.Predict | None = None
    _usual: float = 1.0
    _busy: int = 0
    _pool: ThreadPoolExecutor | None = None

    def load(self) -> None:
        """Read card and model. Raises what the model's own code raises."""
        self.state, self.reason = "loading", ""
        try:
            place, self.card = loaders.read_card(self.folder)
            self.signature = signature_of(self.card)
            self._predict = loaders.load(place, self.card, self.rule)
            if self.signature.kind == "columns":
                import_module("pandas")  # now, so that a lack of it fails the load and the first call does not wait for it
        except BaseException as error:
            self.state, self.reason = "failed", f"{type(error).__name__}: {error}"
            raise
        if self._pool is None:
            threads = 1 if self.card.get("format") == "python" else min(4, os.cpu_count() or 1)
            self._pool = ThreadPoolExecutor(threads, thread_name_prefix="predict")
        self.state = "ready"

    def unload(self) -> None:
        """Let go of the model; it can be loaded again."""
        self.state, self._predict = "unloaded", None

    async def run(self, work: Callable[[Any], Any], body: bytes) -> Any:
        """Answer one request, on the loop or in a thread."""
        if self.state != "ready" or self._pool is None:
            said = {"loading": "is still loading", "unloaded": "is unloaded", "failed": f"could not be loaded ({self.reason})"}
            raise Unavailable(f"model '{self.name}' {said.get(self.state, self.state)}")
        if self._usual < INLINE_SECONDS and len(body) < INLINE_BYTES and not self._busy:
            return work(body)
        self._busy += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work, body)
        finally:
            self._busy -= 1

    def instances(self, body: Any, observe: Observe) -> dict[str, Any]:
        """V1: ``{"instances": …}`` → ``{"predictions": …}``."""
        started = time.perf_counter()
        data = from_instances(self.signature, rows_of(body))
        result = self._call(data, observe, started)
        started = time.perf_counter()
        answer = {"predictions": predictions(result)}
        observe("postprocess", time.perf_counter() - started)
        return answer

    def infer(self, body: Any, observe: Observe) -> dict[str, Any]:
        """V2: ``{"inputs": [tensor, …]}`` → ``{"outputs": [tensor, …]}``."""
        started = time.perf_counter()
        if not isinstance(body, dict) or "inputs" not in body:
            raise PredictionRejected('inputs is missing; send {"inputs": [{"name", "shape", "datatype", "data"}]}')
        data = from_tensors(self.signature, body["inputs"])
        result = self._call(data, observe, started)
        started = time.perf_counter()
        outputs = to_tensors(self.signature, result)
        answer: dict[str, Any] = {"model_name": self.name, "model_version": self.version}
        if body.get("id") is not None:
            answer["id"] = body["id"]
        answer["outputs"] = _wanted(outputs, body.get("outputs"))
        observe("postprocess", time.perf_counter() - started)
        return answer

    def _call(self, data: Any, observe: Observe, started: float) -> Any:
        if self._predict is None:
            raise Unavailable(f"model '{self.name}' is unloaded")
        called = time.perf_counter()
        observe("preprocess", called - started)
        try:
            return self._checked(self._predict(data), data)
        except MlopsError:
            raise
        except WRONG_INPUT as error:
            log.warning("model '%s' did not take a request", self.name, exc_info=True)
            raise PredictionRejected(f"model '{self.name}' does not take this input: {type(error).__name__}: {error}") from error
        except (Exception, SystemExit) as error:  # a model must not be able to end the server
            log.exception("model '%s' failed", self.name)
            raise Bug(f"model '{self.name}' raised {type(error).__name__}: {error}", code="model-raised") from error
        finally:
            seconds = time.perf_counter() - called
            self._usual = seconds if self._usual >= 1 else 0.8 * self._usual + 0.2 * seconds
            observe("predict", seconds)

    def _checked(self, result: Any, data: Any) -> Any:
        """An estimator gives one prediction a row; another number means that it read the data as something else."""
        if self.card.get("format") == "sklearn" and hasattr(result, "shape") and len(data) != len(result):
            raise Bug(
                f"model '{self.name}' gave {len(result)} predictions for {len(data)} rows: it reads its input in another form",
                code="model-rows",
                fix="Register it again with data in the form in which it was trained.",
            )
        return result


def rows_of(body: Any) -> Any:
    """The rows of a V1 body; ``inputs`` is taken for ``instances``, and may hold columns. Raises PredictionRejected."""
    if not isinstance(body, dict) or not {"instances", "inputs"} & body.keys():
        raise PredictionRejected(
            'instances is missing; send {"instances": [row, …]}, a row being a list or an object of named values'
        )
    rows = body["instances"] if "instances" in body else body["inputs"]
    if isinstance(rows, dict) and rows and all(isinstance(values, list) for values in rows.values()):
        if len({len(values) for values in rows.values()}) > 1:
            raise PredictionRejected("inputs differ in length: " + ", ".join(f"{name} has {len(v)}" for name, v in rows.items()))
        return [dict(zip(rows, row, strict=True)) for row in zip(*rows.values(), strict=True)]
    return rows


def _wanted(outputs: list[dict[str, Any]], asked: Any) -> list[dict[str, Any]]:
    """Only the outputs that the request names, in its order."""
    if not asked:
        return outputs
    there = {output["name"]: output for output in outputs}
    names = [item.get("name") for item in asked if isinstance(item, dict)] if isinstance(asked, list) else []
    if unknown := [str(name) for name in names if name not in there]:
        raise PredictionRejected(f"outputs: '{unknown[0]}' is not an output; there is {', '.join(there)}")
    return [there[name] for name in names] or outputs
