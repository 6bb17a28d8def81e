"""Conformance suite of the serving port: what every backend does, whoever wrote it.

A backend's tests subclass ``BackendConformance`` and give four fixtures: ``backend``; ``document``, an InferenceService that
becomes ready, served under the name ``conforms`` in ``default``; ``another``, the same with other settings, so that applying
it is a change; ``broken``, one under the name ``broken`` whose model cannot be loaded::

    class TestMyBackend(BackendConformance):
        @pytest.fixture
        def backend(self): ...

The model behind ``document`` takes what ``instances`` holds and answers with as many predictions. A backend of one namespace
overrides ``namespace`` with the one that its documents name, and ``spots``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, TypeVar

import pytest

from jupyter_mlops.errors import MlopsError, NotFound, PlatformError, Unavailable, WrongUsage
from jupyter_mlops.serving.base import Backend, Request, Service
from jupyter_mlops.serving.decode import service_of
from jupyter_mlops.serving.wait import until_ready

NAME, BROKEN = "conforms", "broken"
PHASES = frozenset({"Pending", "Loading", "Ready", "Failed", "Stopped"})
CONDITIONS = frozenset({"Ready", "PredictorReady", "IngressReady"})
OK = 200
Document = Mapping[str, Any]
T = TypeVar("T")


def eventually(check: Callable[[], T], seconds: float) -> T:
    """Poll until ``check`` gives something true; its last value after the deadline."""
    until = time.monotonic() + seconds
    while not (value := check()) and time.monotonic() < until:
        time.sleep(0.1)
    return value


class BackendConformance:
    """One subclass per backend."""

    timeout: ClassVar[float] = 60.0
    """Seconds for a service to become ready or to fail."""

    @pytest.fixture
    def backend(self) -> Iterator[Backend]:
        """The backend under test, without services."""
        raise NotImplementedError

    @pytest.fixture
    def document(self) -> Document:
        """A service that becomes ready."""
        raise NotImplementedError

    @pytest.fixture
    def another(self) -> Document:
        """The same service, asked for differently."""
        raise NotImplementedError

    @pytest.fixture
    def broken(self) -> Document:
        """A service whose model cannot be loaded."""
        raise NotImplementedError

    @pytest.fixture
    def namespace(self) -> str:
        """The namespace of the documents."""
        return "default"

    @pytest.fixture
    def spots(self) -> list[tuple[str, str]]:
        """Namespace and name of services that can be there at once, not in order."""
        return [("default", "b"), ("default", "a"), ("another", "c")]

    @pytest.fixture
    def instances(self) -> list[Any]:
        """Rows that the model takes."""
        raise NotImplementedError

    @pytest.fixture(autouse=True)
    def _clean(self, backend: Backend) -> Iterator[None]:
        """Nothing is left behind."""
        yield
        for service in backend.list():
            backend.control(service.name, "delete", service.namespace)

    def ready(self, backend: Backend, document: Document) -> Service:
        """Apply a document and wait."""
        service = backend.apply(document)
        return until_ready(backend, service.name, service.namespace, self.timeout)

    # -- the document and its status -------------------------------------------------------------------------------------

    def test_apply_returns_at_once_and_the_service_becomes_ready(
        self, backend: Backend, document: Document, namespace: str
    ) -> None:
        """The answer is the service as it stands, not as it will be."""
        applied = backend.apply(document)
        assert applied.name == NAME
        assert applied.namespace == namespace
        assert applied.phase in PHASES
        service = until_ready(backend, NAME, namespace, self.timeout)
        assert service.ready
        assert service.phase == "Ready"
        assert service.url.startswith(("http://", "https://"))
        assert service.created == pytest.approx(time.time(), abs=3600)

    def test_what_was_asked_for_comes_back_with_a_status(self, backend: Backend, document: Document) -> None:
        """The spec is kept as it was; the status is KServe's."""
        service = self.ready(backend, document)
        assert service.document["spec"] == document["spec"]
        assert service.document["metadata"]["annotations"].items() >= document["metadata"]["annotations"].items()
        assert {condition.type for condition in service.conditions} >= CONDITIONS
        assert all(condition.status in {"True", "False", "Unknown"} for condition in service.conditions)
        assert service.document["status"]["modelStatus"]["states"]["activeModelState"] == "Loaded"
        assert service_of(service.document).model == service.model != ""

    def test_the_document_is_json(self, backend: Backend, document: Document) -> None:
        """What is kept can be written to a file and applied elsewhere."""
        service = self.ready(backend, document)
        assert json.loads(json.dumps(service.document)) == service.document

    def test_applying_the_same_again_keeps_it_running(self, backend: Backend, document: Document) -> None:
        """``apply`` states a wish; a wish that is met changes nothing."""
        first = self.ready(backend, document)
        again = backend.apply(document)
        assert again.ready
        assert (again.created, again.url) == (first.created, first.url)

    def test_applying_something_else_changes_it(self, backend: Backend, document: Document, another: Document) -> None:
        """The service keeps its identity and gets what was asked for last."""
        first = self.ready(backend, document)
        changed = self.ready(backend, another)
        assert changed.created == first.created
        assert changed.document["metadata"]["generation"] > first.document["metadata"]["generation"]
        assert len(backend.list()) == 1

    # -- calls -----------------------------------------------------------------------------------------------------------

    def test_both_protocols_answer(self, backend: Backend, document: Document, instances: list[Any]) -> None:
        """V1 predictions and V2 metadata, by the service's own name."""
        self.ready(backend, document)
        body = json.dumps({"instances": instances}).encode()
        answer = backend.call(NAME, Request("POST", f"/v1/models/{NAME}:predict", body))
        assert answer.status == OK
        assert len(json.loads(answer.body)["predictions"]) == len(instances)
        metadata = backend.call(NAME, Request("GET", f"/v2/models/{NAME}"))
        assert json.loads(metadata.body)["name"] == NAME

    def test_what_the_server_refuses_comes_back_unchanged(self, backend: Backend, document: Document) -> None:
        """An answer is an answer, whatever its status; only silence is an error."""
        self.ready(backend, document)
        answer = backend.call(NAME, Request("POST", f"/v1/models/{NAME}:predict", b"{"))
        assert answer.status == 400  # noqa: PLR2004 - HTTP's Bad Request
        assert json.loads(answer.body)["error"]

    # -- verbs -----------------------------------------------------------------------------------------------------------

    def test_stop_and_start(self, backend: Backend, document: Document, instances: list[Any], namespace: str) -> None:
        """A stopped service keeps its document and answers nothing; started, it serves again."""
        self.ready(backend, document)
        assert backend.control(NAME, "stop").phase == "Stopped"
        assert backend.get(NAME).ready is False
        assert backend.control(NAME, "stop").phase == "Stopped"
        with pytest.raises(Unavailable) as caught:
            backend.call(NAME, Request("GET", "/v2"))
        assert caught.value.fix
        backend.control(NAME, "start")
        assert until_ready(backend, NAME, namespace, self.timeout).ready
        body = json.dumps({"instances": instances}).encode()
        assert backend.call(NAME, Request("POST", f"/v1/models/{NAME}:predict", body)).status == OK

    def test_starting_what_runs_changes_nothing(self, backend: Backend, document: Document) -> None:
        """Verbs say what is wanted."""
        first = self.ready(backend, document)
        assert backend.control(NAME, "start").url == first.url

    def test_delete_forgets_it(self, backend: Backend, document: Document) -> None:
        """Deleting a running service stops it first."""
        self.ready(backend, document)
        backend.control(NAME, "delete")
        assert backend.list() == []
        with pytest.raises(NotFound):
            backend.get(NAME)

    @pytest.mark.parametrize("verb", ["stop", "start", "delete"])
    def test_no_verb_works_on_what_is_not_there(self, backend: Backend, verb: Any) -> None:
        """The error says what there is."""
        with pytest.raises(NotFound) as caught:
            backend.control("nothing", verb)
        assert "nothing" in str(caught.value)
        assert caught.value.fix

    def test_list_is_in_order(self, backend: Backend, document: Document, spots: list[tuple[str, str]]) -> None:
        """By namespace, then name."""
        for namespace, name in spots:
            metadata = {**document["metadata"], "name": name, "namespace": namespace}
            backend.apply({**document, "metadata": metadata})
        assert [(service.namespace, service.name) for service in backend.list()] == sorted(spots)

    # -- logs and failure ------------------------------------------------------------------------------------------------

    def test_logs_are_lines_and_following_ends(self, backend: Backend, document: Document) -> None:
        """Following a service ends when it is stopped."""
        self.ready(backend, document)
        lines = list(backend.logs(NAME))
        assert lines
        assert not any("\n" in line for line in lines)
        followed = backend.logs(NAME, follow=True)
        assert next(followed) == lines[0]
        backend.control(NAME, "stop")
        assert len(list(followed)) >= len(lines) - 1

    def test_a_broken_model_is_said_with_cause_and_fix(self, backend: Backend, broken: Document, namespace: str) -> None:
        """Waiting ends as soon as the cause is known."""
        backend.apply(broken)
        with pytest.raises(PlatformError) as caught:
            until_ready(backend, BROKEN, namespace, self.timeout)
        assert not isinstance(caught.value, Unavailable)
        assert caught.value.fix
        service = backend.get(BROKEN)
        assert service.phase == "Failed"
        assert service.message
        failure = service.document["status"]["modelStatus"].get("lastFailureInfo") or {}
        assert failure.get("reason") or service.facts
        with pytest.raises(Unavailable):
            backend.call(BROKEN, Request("GET", "/v2"))

    def test_it_can_be_replaced_when_broken(self, backend: Backend, broken: Document, document: Document) -> None:
        """A failed service takes another document."""
        backend.apply(broken)
        assert eventually(lambda: backend.get(BROKEN).phase == "Failed", self.timeout)
        metadata = {**document["metadata"], "name": BROKEN}
        assert self.ready(backend, {**document, "metadata": metadata}).ready

    @pytest.mark.parametrize("change", [{"kind": "Pod"}, {"apiVersion": "v0"}, {"metadata": {"name": "No Name"}}])
    def test_what_is_no_inference_service_is_refused(self, backend: Backend, document: Document, change: Document) -> None:
        """Refused before anything is written."""
        with pytest.raises(WrongUsage):
            backend.apply({**document, **change})
        assert backend.list() == []

    def test_errors_are_ours(self, backend: Backend) -> None:
        """No library's exception crosses the port."""
        for act in (
            lambda: backend.get("nothing"),
            lambda: list(backend.logs("nothing")),
            lambda: backend.call("nothing", Request("GET", "/v2")),
            lambda: backend.get("Not A Name"),
        ):
            with pytest.raises(MlopsError):
                act()
