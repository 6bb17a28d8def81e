"""The KServe backend passes the suite of its port, on the cluster that KUBECONFIG names."""

from dataclasses import replace

import pytest

from jupyter_mlops.testing.serving import BROKEN, NAME, BackendConformance
from tests.cluster.conftest import cluster, fresh_namespace, python_image, registry  # noqa: F401 - fixtures
from tests.cluster.kserve import double, lab_in
from tests.unit.serving.test_local_services import broken_folder

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]


@pytest.fixture(scope="class")
def lab(cluster, registry, python_image):  # noqa: F811
    with fresh_namespace(cluster, "h-kserve") as namespace:
        yield lab_in(cluster, namespace, registry, python_image)


@pytest.fixture(scope="class")
def version(lab):
    return lab.python("double", double)


class TestKServeBackend(BackendConformance):
    timeout = 100.0

    @pytest.fixture
    def backend(self, lab):
        return lab.backend

    @pytest.fixture
    def namespace(self, lab):
        return lab.target.namespace

    @pytest.fixture
    def spots(self, namespace):
        return [(namespace, "b"), (namespace, "a"), (namespace, "c")]

    @pytest.fixture
    def document(self, backend, version):
        return backend.prepare(version, name=NAME)

    @pytest.fixture
    def another(self, backend, version):
        return backend.prepare(replace(version, tag="v2"), name=NAME, env={"ANOTHER": "1"})

    @pytest.fixture
    def broken(self, lab, backend):
        version = lab.publish("broken", broken_folder(lab.scratch / "broken", "raise ValueError('weights are wrong')"))
        return backend.prepare(version, name=BROKEN)

    @pytest.fixture
    def instances(self):
        return [1, 2, 3]
