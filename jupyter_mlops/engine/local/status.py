"""The status of a run in Argo's schema, changed in one place and written when it has changed.

The very same fields as a workflow controller writes, so that one decoder serves this machine and a cluster: a DAG node, one
node per task (with attempts below a Retry node), RFC 3339 times, ``n/m`` progress, messages in Argo's words.
``metadata.resourceVersion`` counts the changes, which is what it means in Kubernetes.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from jupyter_mlops.engine.decode import FAILURE, METRICS, MODELS
from jupyter_mlops.engine.local.folder import RunFolder
from jupyter_mlops.engine.local.manifest import Program, Task
from jupyter_mlops.engine.times import rfc3339
from jupyter_mlops.engine.told import Told

_OFFSET, _PRIME, _MASK = 2166136261, 16777619, 0xFFFFFFFF


def fnv32a(text: str) -> int:
    """Argo's hash of node names, from which it makes node ids."""
    value = _OFFSET
    for byte in text.encode():
        value = ((value ^ byte) * _PRIME) & _MASK
    return value


class Status:
    """The Workflow document of one run in the hands of its only writer."""

    def __init__(self, folder: RunFolder, document: dict[str, Any]) -> None:
        self.folder = folder
        self.document = document
        self._dirty = False

    @property
    def name(self) -> str:
        """The run's name."""
        return str(self.document["metadata"]["name"])

    @property
    def _status(self) -> dict[str, Any]:
        status: dict[str, Any] = self.document.setdefault("status", {})
        return status

    # -- the run ---------------------------------------------------------------------------------------------------------

    def begin(self, program: Program) -> None:
        """The run is running; its DAG node stands."""
        now = rfc3339(time.time())
        self._status.update(phase="Running", startedAt=now, progress=f"0/{len(program.tasks)}", nodes={})
        if program.dag:
            self._node(self.name, {"templateName": program.entrypoint, "type": "DAG", "phase": "Running", "children": []})
        self._dirty = True

    def end(self, phase: str, message: str = "", failure: Mapping[str, Any] | None = None) -> None:
        """The run is over; nodes that never started say so, and those that ran end with it."""
        now = rfc3339(time.time())
        for node in self._status.setdefault("nodes", {}).values():
            if node["phase"] in {"Running", "Pending"}:
                node.update(phase=phase, finishedAt=now, message=node.get("message") or message)
        self._status.update(phase=phase, finishedAt=now)
        if message:
            self._status["message"] = message
        if failure is not None:
            self.annotate(FAILURE, failure)
        labels = self.document["metadata"].setdefault("labels", {})
        labels |= {"workflows.argoproj.io/completed": "true", "workflows.argoproj.io/phase": phase}
        self._dirty = True

    def note(self, message: str) -> None:
        """Say something about the run as a whole."""
        self._status["message"] = message
        self._dirty = True

    def suspend(self, *, paused: bool) -> None:
        """No further step starts, or steps start again."""
        self.document["spec"].pop("suspend", None)
        if paused:
            self.document["spec"]["suspend"] = True
        self._dirty = True

    def shut_down(self) -> None:
        """The run is being stopped, as ``spec.shutdown`` says it to a controller."""
        if self.document["spec"].get("shutdown") != "Stop":
            self.document["spec"]["shutdown"] = "Stop"
            self._dirty = True

    def annotate(self, name: str, value: Any) -> None:
        """Keep a small fact (as JSON) with the document."""
        annotations = self.document["metadata"].setdefault("annotations", {})
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        if annotations.get(name) != text:
            annotations[name] = text
            self._dirty = True

    def annotation(self, name: str) -> Any:
        """A fact kept earlier, or None."""
        text = (self.document["metadata"].get("annotations") or {}).get(name)
        return None if text is None else json.loads(text)

    # -- the nodes -------------------------------------------------------------------------------------------------------

    def start_step(self, task: Task, attempt: int, inputs: Mapping[str, str], message: str) -> str:
        """A step's attempt has started; gives the id of its node."""
        full = self._full(task)
        parameters = {"parameters": [{"name": name, "value": value} for name, value in inputs.items()]}
        if task.template.retries:
            top = self._node(full, self._about(task, "Retry", inputs=parameters, children=[]))
            full = f"{full}({attempt})"
            child = self._node(full, self._about(task, "Pod", inputs=parameters, nodeFlag={"retried": True}))
            if child["id"] not in top["children"]:
                top["children"].append(child["id"])
        else:
            child = self._node(full, self._about(task, "Pod", inputs=parameters))
        child["message"] = message
        self._adopt(task)
        self._dirty = True
        return str(child["id"])

    def began(self, node_id: str, seconds: float) -> None:
        """An attempt has begun earlier than anybody was told: seconds since the epoch."""
        self._status["nodes"][node_id]["startedAt"] = rfc3339(seconds)
        self._dirty = True

    def forget(self, task: Task) -> None:
        """What was said of a step does not hold: it runs again."""
        nodes: dict[str, Any] = self._status["nodes"]
        for node_id in [known for known in nodes if nodes[known].get("displayName") == (task.node or task.name)]:
            for child in nodes.pop(node_id).get("children", ()):
                if (nodes.get(child) or {}).get("nodeFlag"):
                    del nodes[child]
        self._dirty = True

    def tell(self, node_id: str, told: Told) -> None:
        """Write down what a step has told."""
        if told.progress:
            self.progress(node_id, *told.progress)
        if told.metrics:
            self.annotate(METRICS, {**(self.annotation(METRICS) or {}), **told.metrics})
        if told.models:
            known: list[Any] = self.annotation(MODELS) or []
            self.annotate(MODELS, known + [model for model in told.models if model not in known])

    def progress(self, node_id: str, done: int, total: int) -> None:
        """Cells done of cells."""
        node = self._status["nodes"][node_id]
        if node.get("progress") != f"{done}/{total}":
            node["progress"] = f"{done}/{total}"
            self._dirty = True

    def end_attempt(self, node_id: str, phase: str, message: str, code: int | None, outputs: Mapping[str, str]) -> None:
        """An attempt is over."""
        node = self._status["nodes"][node_id]
        node.update(phase=phase, finishedAt=rfc3339(time.time()), message=message)
        node["outputs"] = {"parameters": [{"name": name, "value": value} for name, value in outputs.items()]}
        if code is not None:
            node["outputs"]["exitCode"] = str(code)
        self._dirty = True

    def end_step(self, task: Task, node_id: str, *, done: int, total: int) -> None:
        """A step is over as its last attempt is; a Retry node takes over what that one says."""
        last = self._status["nodes"][node_id]
        if task.template.retries:
            top = self._status["nodes"][self._id(task)]
            top.update({key: last[key] for key in ("phase", "finishedAt", "message", "outputs", "progress") if key in last})
        self._status["progress"] = f"{done}/{total}"
        self._dirty = True

    def omit(self, task: Task, message: str) -> None:
        """A step that will not run, since one that it needs did not succeed."""
        self._without_run(task, "Omitted", message)

    def skip(self, task: Task, message: str) -> None:
        """A step whose condition is false, or that has no items."""
        self._without_run(task, "Skipped", message)

    def _without_run(self, task: Task, phase: str, message: str) -> None:
        node = self._node(self._full(task), self._about(task, "Skipped", phase=phase, message=message))
        node["finishedAt"] = node["startedAt"]
        self._adopt(task)
        self._dirty = True

    def begin_group(self, task: Task) -> None:
        """A step fans out: its node stands above those of its branches."""
        self._node(self._full(task), self._about(task, "TaskGroup", children=[]))
        self._adopt(task)
        self._dirty = True

    def end_group(self, task: Task, branches: Sequence[Task], phase: str) -> None:
        """All branches are over; their outputs become lists, in the order of the items."""
        node = self._status["nodes"][self._id(task)]
        node.update(phase=phase, finishedAt=rfc3339(time.time()))
        told = [self.outputs(branch) for branch in branches]
        if phase == "Succeeded":
            names = dict.fromkeys(name for one in told for name in one)
            lists = {name: json.dumps([one.get(name) for one in told], separators=(",", ":")) for name in names}
            node["outputs"] = {"parameters": [{"name": name, "value": value} for name, value in lists.items()]}
        self._dirty = True

    def begin_exit(self, template: str) -> None:
        """The exit handler runs; the node of its steps stands."""
        full = f"{self.name}.onExit"
        self._node(
            full, {"templateName": template, "type": "Steps", "phase": "Running", "children": [], "nodeFlag": {"hooked": True}}
        )
        self._dirty = True

    def end_exit(self, phase: str) -> None:
        """The exit handler is over."""
        self._status["nodes"][f"{self.name}-{fnv32a(f'{self.name}.onExit')}"].update(phase=phase, finishedAt=rfc3339(time.time()))
        self._dirty = True

    def outputs(self, task: Task) -> dict[str, str]:
        """Output parameters of a finished step."""
        node = self._status["nodes"].get(self._id(task), {})
        return {p["name"]: p["value"] for p in (node.get("outputs") or {}).get("parameters", ())}

    # -- writing ---------------------------------------------------------------------------------------------------------

    def save(self) -> None:
        """Write the document if it has changed. A full disk leaves it changed, so that the next call tries again."""
        if not self._dirty:
            return
        metadata = self.document["metadata"]
        metadata["resourceVersion"] = str(int(metadata.get("resourceVersion") or 0) + 1)
        self.folder.write_workflow(self.document)
        self._dirty = False

    def save_at_last(self, seconds: float = 10.0) -> None:
        """Write the last state, waiting for room on a full disk; if none comes, the next engine to look settles the run."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with suppress(OSError):
                return self.save()
            time.sleep(0.2)
        return self.save()

    def _full(self, task: Task) -> str:
        """Name of a task's node: below the DAG's or the exit handler's, or the run's own where the entrypoint is one container."""
        own = task.node or task.name
        if task.last:
            return f"{self.name}.onExit.{own}"
        dag = self._status["nodes"].get(self.name, {}).get("type") == "DAG"
        return f"{self.name}.{own}" if dag else self.name

    def _id(self, task: Task) -> str:
        return self._id_of(self._full(task))

    def _id_of(self, full: str) -> str:
        return full if full == self.name else f"{self.name}-{fnv32a(full)}"

    def _about(self, task: Task, kind: str, **more: Any) -> dict[str, Any]:
        boundary = self._id_of(f"{self.name}.onExit") if task.last else self.name
        return {
            "displayName": task.node or task.name, "templateName": task.template.name, "type": kind, "phase": "Running",
            "boundaryID": boundary, **more,
        }  # fmt: skip

    def _node(self, full: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        """The node of a name, made if it is new; its id is the workflow's name for the root and hashed for all others."""
        node_id = full if full == self.name else f"{self.name}-{fnv32a(full)}"
        nodes: dict[str, Any] = self._status.setdefault("nodes", {})
        if node_id not in nodes:
            nodes[node_id] = {"id": node_id, "name": full, "displayName": full, "startedAt": rfc3339(time.time()), **fields}
        node: dict[str, Any] = nodes[node_id]
        return node

    def _adopt(self, task: Task) -> None:
        """Hang a task below what it needs, or below its group or DAG, as Argo draws it."""
        nodes: dict[str, Any] = self._status["nodes"]
        own, full = self._id(task), self._full(task)
        above = full.removesuffix(task.node or task.name)
        needs = [f"{above}{task.group}"] if task.group else [f"{above}{name}" for name in task.needs]
        for parent in [self._id_of(need) for need in needs] or [self._id_of(above.removesuffix(".")) if above else self.name]:
            if parent != own and parent in nodes and own not in nodes[parent].setdefault("children", []):
                nodes[parent]["children"].append(own)
