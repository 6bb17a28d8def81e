"""Access reviews, and the bounded pool in which callers of a synchronous client wait."""

from __future__ import annotations

import functools
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, ParamSpec, TypeVar

from jupyter_mlops.cluster.base import Answer, Question
from jupyter_mlops.cluster.wire import Wire
from jupyter_mlops.errors import NotAllowed, Refused, WrongUsage

THREADS = 8
"""Calls that wait for clusters at the same time, in this process."""

_P = ParamSpec("_P")
_R = TypeVar("_R")

_REVIEWS = "/apis/authorization.k8s.io/v1/{}"


class Pool:
    """A bounded number of threads that make calls, started when needed.

    Not the standard library's, whose threads hold up the end of the process: a command that has said what it found would
    wait for the clusters that do not answer.
    """

    def __init__(self, threads: int) -> None:
        """``threads``: how many calls are made at the same time."""
        self._free = threads
        self._lock = threading.Lock()
        self._calls: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = queue.SimpleQueue()

    def submit(self, call: Callable[_P, _R], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_R]:
        """Make a call as soon as a thread is free."""
        future: Future[_R] = Future()
        self._calls.put((future, functools.partial(call, *args, **kwargs)))
        with self._lock:
            if self._free:
                self._free -= 1
                threading.Thread(target=self._work, daemon=True, name="mlops-cluster").start()
        return future

    def _work(self) -> None:
        """Make calls until there are none."""
        while True:
            try:
                future, call = self._calls.get_nowait()
            except queue.Empty:
                with self._lock:
                    if self._calls.empty():
                        self._free += 1
                        return
                continue
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(call())
                except BaseException as error:  # noqa: BLE001 - it is the caller's
                    future.set_exception(error)
            del future, call


_calls, _reviews = Pool(THREADS), Pool(THREADS)


def in_pool(call: Callable[_P, _R], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_R]:
    """Make a call to a cluster in the bounded pool; not for watches and followed logs, which would keep a thread for ever."""
    return _calls.submit(call, *args, **kwargs)


def answer_all(wire: Wire, questions: Sequence[Question]) -> list[Answer]:
    """Answers in the order of the questions, asked at the same time.

    In a pool of their own: a call that itself waits in the pool of calls must not wait for a free thread of it.
    """
    waiting = [_reviews.submit(_answer, wire, question) for question in questions]
    return [answer.result() for answer in waiting]


def _answer(wire: Wire, question: Question) -> Answer:
    """One review; who may not even ask gets an answer that says so."""
    plural = "subjectaccessreviews" if question.account else "selfsubjectaccessreviews"
    try:
        status = wire.json("POST", _REVIEWS.format(plural), _review(question), twice=True).get("status") or {}
    except (NotAllowed, Refused, WrongUsage) as error:
        if isinstance(error, NotAllowed) and error.code == "cluster-login":
            raise
        return Answer(allowed=False, reason=error.message, known=False)
    reason = str(status.get("reason") or status.get("evaluationError") or "")
    return Answer(allowed=bool(status.get("allowed")), reason=reason)


def _review(question: Question) -> dict[str, Any]:
    """The document that asks."""
    attributes = {
        "verb": question.verb,
        "group": question.kind.group,
        "resource": question.kind.plural,
        "subresource": question.subresource,
        "name": question.name,
        "namespace": question.namespace if question.kind.namespaced else "",
    }
    spec: dict[str, Any] = {"resourceAttributes": {key: value for key, value in attributes.items() if value}}
    kind = "SelfSubjectAccessReview"
    if question.account:
        kind = "SubjectAccessReview"
        spec["user"] = question.account
        spec["groups"] = _groups(question.account)
    return {"apiVersion": "authorization.k8s.io/v1", "kind": kind, "spec": spec}


def _groups(account: str) -> list[str]:
    """Groups that a service account is in; roles are often bound to them."""
    parts = account.split(":")
    own = ["system:serviceaccounts", f"system:serviceaccounts:{parts[2]}"] if account.startswith("system:serviceaccount:") else []
    return [*own, "system:authenticated"]
