"""Counters of the server, under KServe's names where it has one, so that its dashboards fit.

``request_{preprocess,predict,postprocess}_seconds`` with ``model_name`` are KServe's; ``mlops_requests_total`` with
``model_name`` and ``code`` counts answers, which KServe does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

if TYPE_CHECKING:
    from jupyter_mlops.serving.server.model import Observe

CONTENT_TYPE: str = CONTENT_TYPE_LATEST
BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
STAGES = {
    "preprocess": "time to check a request and make the model's input of it",
    "predict": "time in the model",
    "postprocess": "time to make the answer",
}


class Metrics:
    """The metrics of one server."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._seconds = {
            stage: Histogram(f"request_{stage}_seconds", help_, ["model_name"], registry=self.registry, buckets=BUCKETS)
            for stage, help_ in STAGES.items()
        }
        self._requests = Counter("mlops_requests", "answered requests", ["model_name", "code"], registry=self.registry)
        ProcessCollector(registry=self.registry)

    def observer(self, model: str) -> Observe:
        """What a model calls with a stage and its seconds."""
        histograms = {stage: histogram.labels(model) for stage, histogram in self._seconds.items()}
        return lambda stage, seconds: histograms[stage].observe(seconds)

    def answered(self, model: str, code: int) -> None:
        """Count one answer."""
        self._requests.labels(model, str(code)).inc()

    def text(self) -> bytes:
        """The exposition that Prometheus scrapes."""
        exposition: bytes = generate_latest(self.registry)
        return exposition
