"""Access reviews, and the bounded pool in which callers of a synchronous client wait."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from jupyter_mlops.cluster.base import Answer, Question
from jupyter_mlops.cluster.wire import Wire
from jupyter_mlops.errors import NotAllowed, Refused, WrongUsage

THREADS = 8
"""Calls that wait for clusters at the same time, in this process."""

_P = ParamSpec("_P")
_R = TypeVar("_R")

_REVIEWS = "/apis/authorization.k8s.io/v1/{}"


def in_pool(call: Callable[_P, _R], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_R]:
    """Make a call to a cluster in the bounded pool; not for watches and followed logs, which would keep a thread for ever."""
    return _pool("cluster").submit(call, *args, **kwargs)


def answer_all(wire: Wire, questions: Sequence[Question]) -> list[Answer]:
    """Answers in the order of the questions, asked at the same time.

    In a pool of their own: a call that itself waits in the pool of calls must not wait for a free thread of it.
    """
    return list(_pool("reviews").map(functools.partial(_answer, wire), questions))


@functools.cache
def _pool(name: str) -> ThreadPoolExecutor:
    """Threads are made when first needed."""
    return ThreadPoolExecutor(THREADS, thread_name_prefix=f"mlops-{name}")


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
