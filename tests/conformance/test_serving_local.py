"""The local backend passes the suite of its port."""

import pytest

from jupyter_mlops.serving.decode import service_of
from jupyter_mlops.testing.serving import BROKEN, NAME, BackendConformance
from tests.unit.serving.conftest import machine  # noqa: F401 - the fixture
from tests.unit.serving.test_local_services import broken_model, double


class TestLocalBackend(BackendConformance):
    @pytest.fixture
    def backend(self, machine):  # noqa: F811
        return machine.backend

    @pytest.fixture
    def document(self, machine):  # noqa: F811
        machine.publish_python("double", double)
        return machine.document("double", name=NAME)

    @pytest.fixture
    def another(self, machine, document):  # noqa: F811
        machine.publish_python("double", double)
        return machine.document("double:v2", name=NAME)

    @pytest.fixture
    def broken(self, machine):  # noqa: F811
        broken_model(machine, "broken", "raise ValueError('weights are wrong')")
        return machine.document("broken", name=BROKEN)

    @pytest.fixture
    def instances(self):
        return [1, 2, 3]

    def test_the_document_alone_tells_all(self, backend, document):
        service = self.ready(backend, document)
        assert service_of(service.document) == service
