"""Sources of other tools, written to their formats: each a folder of files and the name of the one to import."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.unit.notebook_building import Spec, document

KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}


@dataclass(frozen=True)
class Sample:
    """Files by their names; ``main`` is the one to import. ``kernels`` are the files that ran in a kernel each, in order."""

    main: str
    files: dict[str, Any]
    kernels: tuple[str, ...]
    env: dict[str, dict[str, str]] = field(default_factory=dict)
    format: str = ""

    def write(self, folder: Path) -> Path:
        """Write all files; returns the path of the main one."""
        for name, content in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content if isinstance(content, str) else json.dumps(content, indent=1), encoding="utf-8")
        return folder / self.main


def nb(*cells: Spec, **metadata: Any) -> dict[str, Any]:
    return document(*cells, metadata={**KERNEL, **metadata})


KATIB = {
    "parameters": [{"name": "LR", "parameterType": "double", "feasibleSpace": {"min": "0.1", "max": "0.3", "step": "0.1"}},
                   {"name": "KIND", "parameterType": "categorical", "feasibleSpace": {"list": ["a", "b"]}}],
    "objective": {"type": "maximize", "goal": 0.9, "objectiveMetricName": "score", "additionalMetricNames": []},
    "algorithm": {"algorithmName": "grid", "algorithmSettings": []}, "maxTrialCount": 12,
}  # fmt: skip
VOLUMES = [
    {"name": "data", "mount_point": "/data", "type": "pvc", "size": 5, "size_type": "Gi", "snapshot": False, "annotations": []},
    {"name": "ws", "mount_point": "/marshal", "type": "new_pvc", "size": 1, "size_type": "Gi", "annotations": []},
]
KALE_CELLS: tuple[Spec, ...] = (
    "md:# Title",
    ("import math", ["imports"]),
    ("def area(r):\n    return math.floor(SCALE * r * r)", ["functions"]),
    ("SCALE = 3\nNAME = 'disc'", ["pipeline-parameters"]),
    ("xs = [1, 2]\nalias = xs\nprint(NAME, len(xs))", ["step:load_data", "limit:cpu:2", "limit:memory:1Gi"]),
    "alias.append(3)",
    ("print('looked at by hand')", ["skip"]),
    ("areas = [area(x) for x in xs]\nareas", ["step:compute", "prev:load_data", "image:python:3.11", "hide-input"]),
    (
        "score = sum(areas)",
        ["step:score_it", "prev:compute", "label:team:ml", "annotation:note:x", "cache:enabled", "report:disabled"],
    ),
    ("print(score)", ["pipeline-metrics"]),
)
KALE2 = Sample(
    "notebook.ipynb",
    {"notebook.ipynb": nb(*KALE_CELLS, kubeflow_notebook={
        "pipeline_name": "discs", "experiment_name": "e", "experiment": {"id": "", "name": "e"}, "pipeline_description": "areas",
        "base_image": "python:3.12", "enable_caching": False, "steps_defaults": ["limit:memory:2Gi", "label:kueue.x-k8s.io/queue-name:team-a"],
        "volumes": VOLUMES, "katib_run": True, "katib_metadata": KATIB, "kfp_host": "", "output_path": ".kale", "unheard_of": 1,
        "security_context": {"enabled": True, "run_as_user": 65534}, "storage_class_name": "", "abs_working_dir": "/home/jovyan",
    })},
    ("notebook.ipynb",), format="Kale 2.x",
)  # fmt: skip
KALE1 = Sample(
    "taxi.ipynb",
    {"taxi.ipynb": nb(
        ("import random", ["imports"]),
        ("rows = list(range(6))", ["step:load"]),
        ("", []),
        ("total = sum(rows)\nprint(total)", ["step:sum_up", "prev:load", "limit:nvidia.com/gpu:1"]),
        ("rows.append(100)\nprint(len(rows))", ["step:load"]),
        ("print(total, rows[-1])", ["step:show", "prev:sum_up", "prev:ghost"]),
        kubeflow_notebook={"docker_image": "", "autosnapshot": True, "snapshot_volumes": False, "pipeline_name": "taxi-cab",
                           "experiment_name": "x", "volumes": [], "katib_metadata": {}},
    )},
    ("taxi.ipynb",), format="Kale 1.x",
)  # fmt: skip
KALE0 = Sample(
    "old.ipynb",
    {"old.ipynb": nb(
        ("import json", ["imports"]),
        ("a = 1", ["block:first"]),
        ("a += 1", ["block:"]),
        ("b = a * 10\nprint(b)", ["block:second;third", "prev:first"]),
        ("print('no')", ["skip", "prev:second"]),
        ("print(json.dumps([a, b]))", ["block:last", "prev:second;first"]),
        kubeflow_notebook={"docker_image": "me/img:1", "pipeline_name": "old-one", "experiment_name": "x"},
    )},
    ("old.ipynb",), format="Kale 0.x",
)  # fmt: skip


def node(name: str, file: str, after: tuple[str, ...] = (), op: str = "execute-notebook-node", **settings: Any) -> dict[str, Any]:
    """A node as Elyra 4 writes it."""
    return {
        "id": name, "type": "execution_node", "op": op,
        "app_data": {"label": name, "ui_data": {"label": name}, "component_parameters": {"filename": file, "dependencies": [], **settings}},
        "inputs": [{"id": "inPort", "links": [{"id": f"{name}-{one}", "node_id_ref": one, "port_id_ref": "outPort"} for one in after]}],
    }  # fmt: skip


def pipeline(
    *nodes: dict[str, Any], version: Any = 8, others: tuple[dict[str, Any], ...] = (), **properties: Any
) -> dict[str, Any]:
    """A pipeline file."""
    about = {"version": version, "runtime_type": "KUBEFLOW_PIPELINES", "ui_data": {"comments": []},
             "properties": {"name": "p", "runtime": "Kubeflow Pipelines", **properties}}  # fmt: skip
    return {
        "doc_type": "pipeline", "version": "3.0", "id": "e", "primary_pipeline": "main", "schemas": [],
        "pipelines": [{"id": "main", "nodes": list(nodes), "app_data": about, "runtime_ref": ""}, *others],
    }  # fmt: skip


LOAD = nb("md:# Load", "import os\nimport csv\nrows = [[i, i * i] for i in range(int(os.environ['COUNT']))]",
          "with open('rows.csv', 'w', newline='') as out:\n    csv.writer(out).writerows(rows)\nprint(len(rows))")  # fmt: skip
TRAIN = nb("import csv\nimport os", ("depth = 2", ["parameters"]),
           "with open('rows.csv') as file:\n    rows = [[int(x) for x in row] for row in csv.reader(file)]\nos.environ.get('COUNT')",
           "total = sum(row[1] for row in rows) * depth * int(os.environ['factor'])\ntotal")  # fmt: skip
SCRIPT = "import os\n\nif __name__ == '__main__':\n    print('rows', len(open('rows.csv').read().split()), os.environ['WHO'])\n    'unseen'\n'last'\n"
ELYRA8 = Sample(
    "analysis.pipeline",
    {"load.ipynb": LOAD, "train.ipynb": TRAIN, "check.py": SCRIPT,
     "analysis.pipeline": pipeline(
         node("train", "train.ipynb", ("load",), cpu=2, cpu_limit=4, memory=2, memory_limit=3.5, gpu=1, gpu_vendor="amd.com/gpu",
              runtime_image="me/train:1", pipeline_parameters=["factor"], mounted_volumes=[{"path": "/data", "pvc_name": "claim", "sub_path": "a", "read_only": True}], disable_node_caching=True,
              kubernetes_secrets=[{"env_var": "TOKEN", "name": "hub", "key": "token"}],
              kubernetes_tolerations=[{"key": "gpu", "operator": "Exists", "value": "", "effect": "NoSchedule"}],
              kubernetes_shared_mem_size={"size": 1, "units": "G"}),
         node("check", "check.py", ("load", "train"), "execute-python-node", env_vars=[{"env_var": "WHO", "value": "me"}]),
         node("load", "load.ipynb", outputs=["rows.csv"], dependencies=["*.csv"], env_vars=[{"env_var": "COUNT", "value": "4"}],
              kubernetes_pod_labels=[{"key": "kueue.x-k8s.io/queue-name", "value": "team-a"}, {"key": "a", "value": "b"}],
              kubernetes_pod_annotations=[{"key": "note", "value": "x"}]),
         description="all of it", cos_object_prefix="x",
         pipeline_defaults={"runtime_image": "me/base:1", "env_vars": [{"env_var": "MODE", "value": "it's \"$HOME\" {x}"}]},
         pipeline_parameters=[{"name": "factor", "description": "by how much", "default_value": {"type": "Integer", "value": 3}, "required": False}],
     )},
    ("load.ipynb", "train.ipynb", "check.py"),
    {"load.ipynb": {"COUNT": "4"}, "train.ipynb": {"factor": "3"}, "check.py": {"WHO": "me"}}, "Elyra v8",
)  # fmt: skip
ELYRA3 = Sample(
    "old.pipeline",
    {"sub/one.ipynb": nb("x = 5\nopen('note.txt', 'w').write(str(x))\nprint(x)"),
     "two.ipynb": nb("print(open('sub/note.txt').read(), 'again')"),
     "old.pipeline": pipeline(
         {"id": "1", "type": "execution_node", "op": "execute-notebook-node",
          "app_data": {"filename": "sub/one.ipynb", "runtime_image": "me/img:1", "env_vars": ["A=1=2"], "include_subdirectories": False,
                       "outputs": ["note.txt"], "dependencies": [], "ui_data": {"label": "one.ipynb"}}},
         {"id": "2", "type": "execution_node", "op": "execute-notebook-node", "inputs": [{"links": [{"node_id_ref": "1"}]}],
          "app_data": {"filename": "two.ipynb", "kubernetes_secrets": ["T=hub:key"], "mounted_volumes": ["/data=claim"],
                       "kubernetes_tolerations": ["gpu:Exists::NoSchedule"], "invalidNodeError": None}},
         version=3)},
    (), {}, "Elyra v3",
)  # fmt: skip
PAPERMILL = Sample(
    "executed.ipynb",
    {"executed.ipynb": nb(
        ("# defaults\nlr = 0.1\nname = 'a'\nsizes: list = [1,\n  2]", ["parameters"]),
        ('# Parameters\nlr = 0.5\nname = "it\'s"\nextra = None\n', ["injected-parameters"]),
        ("print(lr, name, sizes, extra)", {"papermill": {"status": "completed"}, "tags": []}),
        papermill={"version": "2.7.0", "parameters": {"lr": 0.5}, "input_path": "a.ipynb", "exception": None, "duration": 1.0},
    )},
    ("executed.ipynb",), format="papermill",
)  # fmt: skip
SCHEDULER = Sample(
    "job.json",
    {"report.ipynb": nb(("days = 3\nlabel = 'x'", ["parameters"]), "print(label * days)"),
     "job.json": {"job_definition_id": "b1", "name": "report", "input_filename": "report.ipynb", "runtime_environment_name": "python3",
                  "output_formats": ["ipynb", "html"], "parameters": {"days": "7", "label": "'y'", "bad": "today()"},
                  "schedule": "0 7 * * 1", "timezone": "Europe/Berlin", "active": True, "tags": [], "compute_type": None,
                  "create_time": 1, "update_time": 2, "email_notifications": {"on_failure": ["a@b.c"]}, "mystery": 5}},
    (), format="jupyter-scheduler",
)  # fmt: skip
SAME_CELLS: tuple[Spec, ...] = (
    "import math\nbase = 2",
    "base",
    ("power = base ** exponent\nprint(power)", ["same_step_1", "environment=gpu"]),
    "power += 1",
    ("print(math.sqrt(power - 1))", ["same_step_2", "cache=P0D", "keep-me"]),
)
SAME = Sample(
    "same_config.yaml",
    {"work.ipynb": nb(("exponent = 2", ["parameters"]), *SAME_CELLS),
     "same_config.yaml": "apiVersion: projectsame.io/v1alpha1\nmetadata: {name: work, version: 0.0.1}\n"
     "environments:\n  default: {image_tag: 'library/python:3.11'}\n  gpu: {image_tag: 'me/gpu:1'}\n"
     "notebook: {name: work, path: work.ipynb, requirements: requirements.txt}\n"
     "run: {name: r, parameters: {exponent: 4}}\ndatasets: {a: {b: c}}\n"},
    (), format="SAME",
)  # fmt: skip
SAME_TAGS = Sample("work.ipynb", {"work.ipynb": nb("exponent = 3", *SAME_CELLS)}, ("work.ipynb",), format="SAME")

SAMPLES = {"kale2": KALE2, "kale1": KALE1, "kale0": KALE0, "elyra8": ELYRA8, "elyra3": ELYRA3, "papermill": PAPERMILL,
           "scheduler": SCHEDULER, "same": SAME, "same_tags": SAME_TAGS}  # fmt: skip
