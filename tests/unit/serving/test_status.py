"""The status as KServe writes it, and what people are told about it."""

import pytest

from jupyter_mlops.errors import WrongUsage
from jupyter_mlops.serving.decode import seconds, service_of, stamp
from jupyter_mlops.serving.diagnose import diagnose
from jupyter_mlops.serving.local import status

DOCUMENT = {
    "apiVersion": "serving.kserve.io/v1beta1",
    "kind": "InferenceService",
    "metadata": {"name": "churn", "namespace": "default", "generation": 2, "creationTimestamp": "2026-11-22T12:00:00Z"},
    "spec": {"predictor": {"model": {"storageUri": "s3://bucket/churn"}}},
}
LOG = ["Traceback (most recent call last):", "ModuleNotFoundError: No module named 'lightgbm'"]


def after(*turns):
    document = DOCUMENT
    for moment, turn in enumerate(turns, start=1):
        document = {**document, "status": turn(document, float(moment))}
    return document


def turn(make, *args):
    return lambda document, now: make(document, now, *args)


TURNS = {
    "pending": (turn(status.pending), "Pending", "InProgress", "Unknown"),
    "loading": (turn(status.loading), "Loading", "InProgress", "False"),
    "ready": (turn(status.ready, 8080, []), "Ready", "UpToDate", "True"),
    "failed": (turn(status.failed, LOG, 1, 2.0), "Failed", "BlockedByFailedLoad", "False"),
    "crashed": (turn(status.crashed, LOG, 137), "Loading", "InProgress", "False"),
    "gone": (turn(status.gone), "Failed", "BlockedByFailedLoad", "False"),
    "stopped": (turn(status.stopped), "Stopped", "UpToDate", "False"),
}


@pytest.mark.parametrize("name", TURNS)
def test_every_turn_has_its_phase_and_conditions(name):
    make, phase, transition, ready = TURNS[name]
    service = service_of(after(make))
    assert service.phase == phase
    assert service.ready is (phase == "Ready")
    assert service.document["status"]["modelStatus"]["transitionStatus"] == transition
    assert service.document["status"]["observedGeneration"] == 2
    values = {condition.type: condition.status for condition in service.conditions}
    assert values == {"Ready": ready, "PredictorReady": ready, "IngressReady": ready, "Stopped": str(name == "stopped")}
    assert service.url == ("http://127.0.0.1:8080" if name == "ready" else "")


def test_a_transition_is_dated_when_the_value_changes_and_only_then():
    document = after(TURNS["loading"][0], TURNS["failed"][0], TURNS["ready"][0], turn(status.ready, 8080, ["drift"]))
    conditions = {item["type"]: item for item in document["status"]["conditions"]}
    assert conditions["Ready"]["lastTransitionTime"] == stamp(3)
    assert conditions["Ready"]["message"] == "drift"
    assert conditions["Stopped"]["lastTransitionTime"] == stamp(1)
    assert service_of(document).message == "drift"


def test_a_failure_stays_visible_while_it_is_tried_again_and_goes_when_it_works():
    again = after(TURNS["failed"][0], TURNS["loading"][0])
    assert again["status"]["modelStatus"]["lastFailureInfo"]["exitCode"] == 1
    assert service_of(again).phase == "Loading"
    works = after(TURNS["failed"][0], TURNS["loading"][0], TURNS["ready"][0])
    assert "lastFailureInfo" not in works["status"]["modelStatus"]


def test_a_failure_carries_twenty_lines():
    document = after(turn(status.failed, [f"line {n}" for n in range(100)], 1, 1.0))
    lines = document["status"]["modelStatus"]["lastFailureInfo"]["message"].splitlines()
    assert (lines[0], lines[-1], len(lines)) == ("line 80", "line 99", 20)


@pytest.mark.parametrize(
    "document",
    [{}, {"kind": "Pod", "metadata": {"name": "x"}}, {"kind": "InferenceService"}, {"kind": "InferenceService", "metadata": {}}],
)
def test_what_is_no_service_is_refused(document):
    with pytest.raises(WrongUsage):
        service_of(document)


def test_what_kserve_itself_writes_is_read():
    """As observed on KServe 0.20 in Standard mode."""
    document = {
        **DOCUMENT,
        "status": {
            "conditions": [
                {"lastTransitionTime": "2026-11-22T12:00:05Z", "severity": "Info", "status": "False", "type": "Stopped"},
                {"lastTransitionTime": "2026-11-22T12:00:05Z", "message": "Deployment does not have minimum availability.",
                 "reason": "MinimumReplicasUnavailable", "status": "False", "type": "PredictorReady"},
                {"lastTransitionTime": "2026-11-22T12:00:05Z", "reason": "MinimumReplicasUnavailable", "status": "False", "type": "Ready"},
            ],
            "modelStatus": {
                "copies": {"failedCopies": 1}, "transitionStatus": "BlockedByFailedLoad",
                "states": {"activeModelState": "", "targetModelState": "FailedToLoad"},
                "lastFailureInfo": {"exitCode": 1, "reason": "ModelLoadFailed", "time": "2026-11-22T12:00:09Z",
                                    "message": "…\nModuleNotFoundError: No module named 'sklearn'"},
            },
        },
    }  # fmt: skip
    service = service_of(document)
    assert (service.phase, service.model, service.created) == ("Failed", "s3://bucket/churn", 1795348800.0)
    assert "scikit-learn" in service.message
    assert service.conditions[1].time == 1795348805.0


def test_times():
    assert seconds(stamp(1795348800.0)) == 1795348800.0
    assert stamp(0.9) == "1970-01-01T00:00:00Z"
    assert [seconds(value) for value in (None, "", 3, "yesterday")] == [None] * 4


CAUSES = [
    ("ModuleNotFoundError: No module named 'lightgbm'", 1, "missing-package", "the package 'lightgbm'", "pip install lightgbm"),
    ("ModuleNotFoundError: No module named 'sklearn'", 1, "missing-package", "'scikit-learn'", "pip install scikit-learn"),
    ("ModuleNotFoundError: No module named 'sklearn._loss'", 1, "version-mismatch", "'sklearn._loss'", "version of scikit-learn"),
    ("ModuleNotFoundError: No module named 'numpy._core'", 1, "version-mismatch", "numpy._core", "version of numpy"),
    ("AttributeError: Can't get attribute 'Cleaner' on <module '__main__' from 'x'>", 1, "model-incomplete", "'Cleaner'", "log_model"),
    ("AttributeError: Can't get attribute '_Old' on <module 'sklearn.x'>", 1, "version-mismatch", "_Old", "kernel"),
    ("ValueError: numpy.dtype size changed, may indicate binary incompatibility", 1, "version-mismatch", "numpy.dtype", "kernel"),
    ("2026-11-22 12:00:00,000 ERROR port 8080 is in use\n2026-11-22 12:00:00,000 ERROR fix: Choose another port, or none.", 98,
     "port-in-use", "port 8080 is in use", "another port"),
    ("port 80 may not be used by this user", 98, "port-in-use", "port 80 may not be used by this user", "--port"),
    ("version mismatch: the model was made with Python 3.8, this is Python 3.11", 1, "version-mismatch", "Python 3.8", "kernel"),
    ("numpy._core._exceptions._ArrayMemoryError: Unable to allocate 80. GiB", 1, "out-of-memory", "memory", "smaller"),
    ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate", 1, "out-of-memory", "memory", "smaller"),
    ("", 137, "out-of-memory", "exit code 137", "smaller"),
    ("Fatal Python error: Segmentation fault", 139, "crashed", "exit code 139", "kernel"),
    ("EOFError: Ran out of input", 1, "model-unreadable", "EOFError", "log_model"),
    ("_pickle.UnpicklingError: invalid load key", 1, "model-unreadable", "UnpicklingError", "log_model"),
    ("Traceback\nValueError: weights are wrong", 1, "model-failed", "ValueError: weights are wrong", "log"),
    ("2026-11-22 12:00:00,000 INFO listening on 127.0.0.1:1", 3, "model-failed", "exit code 3", "log"),
    (status.GONE, None, "supervisor-gone", "is gone", "Start the service again"),
    ("2026-11-22 12:00:00 supervisor: no room\n2026-11-22 12:00:00 supervisor: fix: Make room.", None, "model-failed", "no room", "Make room."),
]  # fmt: skip


@pytest.mark.parametrize(("log", "exit_code", "code", "said", "fix"), CAUSES, ids=[f"{row[2]}-{i}" for i, row in enumerate(CAUSES)])
def test_causes_are_one_sentence_with_a_fix(log, exit_code, code, said, fix):
    cause = diagnose(log, exit_code)
    assert cause.code == code
    assert said in cause.message
    assert "\n" not in cause.message
    assert fix in cause.fix
    assert " ERROR " not in cause.message
