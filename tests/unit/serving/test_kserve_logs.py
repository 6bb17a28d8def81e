"""Logs of every container, in the order of time, now and as they come."""

import threading

import pytest

from jupyter_mlops.cluster.base import PODS
from jupyter_mlops.errors import NotFound
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.serving.kserve.listen import Listeners, ending
from jupyter_mlops.serving.kserve.logs import Source, sources
from tests.unit.serving.kserve_lab import Lab, ended, running, waiting


@pytest.fixture
def lab(tmp_path):
    made = Lab(Layout(tmp_path / "registry"), tmp_path / "scratch")
    made.deployed()
    made.deployment()
    return made


def done(name):
    return {"name": name, "restartCount": 0, "state": ended(0), "lastState": {}}


def test_all_containers_by_time_with_their_names(lab):
    lab.pod("p", init=[done("mlops-fetch")], containers=[running(), running("queue")])
    lab.cluster.write_log("p", "mlops-fetch", "fetched")
    lab.cluster.write_log("p", "kserve-container", "loading")
    lab.cluster.write_log("p", "queue", "hello")
    lab.cluster.write_log("p", "kserve-container", "ready")
    assert list(lab.backend.logs("double")) == ["[mlops-fetch] fetched", "loading", "[queue] hello", "ready"]


def test_the_run_before_a_restart_too(lab):
    lab.pod("p", containers=[running(restarts=2, last=ended(1))])
    lab.cluster.write_log("p", "kserve-container", "Traceback", previous=True)
    lab.cluster.write_log("p", "kserve-container", "again")
    assert sorted(lab.backend.logs("double")) == ["Traceback", "again"]


def test_several_pods_are_told_apart(lab):
    lab.pod("one", containers=[running()])
    lab.pod("two", revision="before", init=[done("mlops-fetch")], containers=[])
    lab.cluster.write_log("one", "kserve-container", "a")
    lab.cluster.write_log("two", "mlops-fetch", "b")
    assert sorted(lab.backend.logs("double")) == ["[one] a", "[two/mlops-fetch] b"]


def test_pods_that_end_are_left_out(lab):
    lab.pod("p", containers=[running()], deletionTimestamp="2026-01-01T00:00:00Z", finalizers=["x"])
    lab.cluster.write_log("p", "kserve-container", "old")
    assert list(lab.backend.logs("double")) == []


@pytest.mark.parametrize(
    ("container", "found"),
    [
        (running(), [0]),
        (waiting("PodInitializing", ""), []),
        (waiting("CrashLoopBackOff", "", restarts=3, last=ended(1)), [2]),
        (running(restarts=1, last=ended(1)), [0, 1]),
        ({"name": "kserve-container", "state": ended(0)}, [0]),
        ({"name": "kserve-container"}, []),
    ],
)
def test_which_runs_have_a_log(container, found):
    pod = {"metadata": {"name": "p"}, "status": {"containerStatuses": [container]}}
    assert [source.start for source in sources(pod)] == found
    assert all(isinstance(source, Source) for source in sources(pod))


def test_following_goes_on_and_ends_with_the_service(lab):
    lab.pod("p", containers=[running()])
    lab.cluster.write_log("p", "kserve-container", "one", "two")

    def stops():
        lab.backend.control("double", "stop")
        lab.cluster.put(PODS, {"metadata": {"name": "p"}, "status": {"containerStatuses": [done("kserve-container")]}})
        lab.cluster.end_log("p", "kserve-container")
        lab.cluster.remove(PODS, "p", "ml")

    lab.cluster.then(lambda: lab.cluster.write_log("p", "kserve-container", "three"), stops)
    before = set(threading.enumerate())
    assert list(lab.backend.logs("double", follow=True)) == ["one", "two", "three"]
    assert set(threading.enumerate()) == before


def test_a_pod_that_comes_later_is_followed_too(lab):
    def comes():
        lab.pod("p", containers=[running()])
        lab.cluster.write_log("p", "kserve-container", "hello")

    lab.cluster.then(comes)
    lines = lab.backend.logs("double", follow=True)
    assert next(lines) == "hello"
    lines.close()


def test_no_service_no_log(lab):
    with pytest.raises(NotFound):
        lab.backend.logs("nothing")


def test_listeners_end_also_where_a_stream_cannot_be_closed():
    heard, over = [], threading.Event()

    def plain():
        yield 1
        yield 2

    with ending(Listeners()) as listeners:
        listeners.listen("plain", plain, heard.append, over.set)
        assert over.wait(10)
    assert heard == [1, 2]


def test_an_error_of_the_cluster_ends_a_listener():
    over = threading.Event()

    def broken():
        raise NotFound("gone")

    with ending(Listeners()) as listeners:
        listeners.listen("broken", broken, print, over.set)
        assert over.wait(10)
