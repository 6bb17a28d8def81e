"""Sources that cannot be imported: refused with every reason, by name, with a fix, and nothing written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.errors import MlopsError, NotFound, Refused
from jupyter_mlops.importing import import_file
from tests.unit.importers.samples import KERNEL, SCHEDULER, nb, node, pipeline

A, B = nb("x = 1"), nb("y = 2")
R = {**nb("x <- 1"), "metadata": {"kernelspec": {"name": "ir", "display_name": "R", "language": "R"}}}


def both(*cells: str) -> dict[str, Any]:
    """Two nodes: the first binds a few names, the second has these cells."""
    first = nb("sum = 3\nrows = [1]\ndef helper():\n    return 1")
    return {"a.ipynb": first, "b.ipynb": nb(*cells), "p.pipeline": pipeline(node("a", "a.ipynb"), node("b", "b.ipynb", ("a",)))}


BAD: dict[str, tuple[dict[str, Any], str, str, str]] = {
    # name: (files, the last one is imported; code; said; fix)
    "empty": ({"p.pipeline": ""}, "not-importable", "p.pipeline is empty", ".pipeline"),
    "not json": ({"p.pipeline": "{,"}, "not-importable", "is not JSON (line 1 of the file)", "notebook"),
    "a list": ({"p.json": []}, "not-importable", "neither a notebook nor a pipeline", "notebook"),
    "deep": ({"p.json": "[" * 100_000}, "not-importable", "is not JSON", "notebook"),
    "other json": ({"p.json": {"a": 1}}, "not-importable", "no format that is known here", "can be imported"),
    "other yaml": ({"c.yaml": "a: 1\n"}, "not-importable", "no format that is known here", "can be imported"),
    "bad yaml": ({"c.yaml": "a: [1\n"}, "not-importable", "c.yaml is not YAML", "Correct it"),
    "a yaml list": ({"c.yaml": "- 1\n"}, "not-importable", "is YAML, but no configuration", "same_config"),
    "ordinary": ({"a.ipynb": A}, "nothing-to-import", "is an ordinary notebook", "jupyter mlops convert a.ipynb"),
    "old notebook": ({"a.ipynb": {"worksheets": [], "nbformat": 3}}, "old-notebook-format", "format 3", "nbconvert"),
    "kale in R": (
        {"a.ipynb": {**R, "metadata": {**R["metadata"], "kubeflow_notebook": {}}}}, "other-language", "written in r", "Python",
    ),
    "bad cell": ({"a.ipynb": {**A, "cells": [{"cell_type": "odd"}]}}, "malformed-cell", "cell 0", "delete this cell"),
    "no pipeline": ({"p.pipeline": {"doc_type": "pipeline", "pipelines": []}}, "not-importable", "holds no pipeline", "Elyra"),
    "no nodes": ({"p.pipeline": pipeline()}, "not-importable", "has no nodes", "Add a notebook"),
    "version 9": ({"a.ipynb": A, "p.pipeline": pipeline(node("a", "a.ipynb"), version=9)}, "unknown-version", "says version 9", "upgrade"),
    "version x": ({"a.ipynb": A, "p.pipeline": pipeline(node("a", "a.ipynb"), version="x")}, "unknown-version", "says version 'x'", ""),
    "missing": ({"p.pipeline": pipeline(node("a", "gone.ipynb"))}, "missing-file", "gone.ipynb of the node 'a' is not there", "beside"),
    "two missing": (
        {"p.pipeline": pipeline(node("a", "one.ipynb"), node("b", "two.py", op="execute-python-node"))},
        "missing-file", "(and 1 more)", "beside",
    ),
    "R node": (
        {"p.pipeline": pipeline(node("fit", "a.r", op="execute-r-node"))}, "unsupported-node", "'fit' (execute-r-node)", "Python script",
    ),
    "component": (
        {"p.pipeline": pipeline(node("mail", "", op="airflow:EmailOperator"))}, "unsupported-node", "another system", "Replace it",
    ),
    "wrong ending": ({"p.pipeline": pipeline(node("a", "a.txt"))}, "unsupported-node", "'a.txt'", "Replace it"),
    "R notebook": ({"a.ipynb": R, "p.pipeline": pipeline(node("a", "a.ipynb"))}, "other-language", "node 'a'", "Python"),
    "broken notebook": ({"a.ipynb": "{", "p.pipeline": pipeline(node("a", "a.ipynb"))}, "not-a-notebook", "node 'a'", "ipynb"),
    "cycle": (
        {"a.ipynb": A, "b.ipynb": B, "p.pipeline": pipeline(node("a", "a.ipynb", ("b",)), node("b", "b.ipynb", ("a",)))},
        "cycle", "wait for each other: ", "Remove one",
    ),
    "self": ({"a.ipynb": A, "p.pipeline": pipeline(node("a", "a.ipynb", ("a",)))}, "cycle", "a → a", "Remove one"),
    "unknown node": ({"a.ipynb": A, "p.pipeline": pipeline(node("a", "a.ipynb", ("z",)))}, "unknown-node", "does not hold", "Draw"),
    "builtin shadowed": (both("sum([1, 2])"), "shared-name", "'b' reads sum before it sets it, and 'a' binds it", "Rename sum in a.ipynb"),
    "name of another": (both("try:\n    rows\nexcept NameError:\n    rows = []"), "shared-name", "reads rows", "Rename rows"),
    "function of another": (both("def f():\n    return helper()\nf()"), "shared-name", "helper", "Rename helper"),
    "changed": (both("rows.append(1)"), "shared-name", "rows", "Rename rows"),
    "opaque": (both("'rows' in globals()"), "opaque-node", "could see the names", "plain code"),
    "exec": (both("exec('print(rows)')"), "opaque-node", "exec", "plain code"),
    "job without notebook": ({"job.json": SCHEDULER.files["job.json"]}, "missing-file", "report.ipynb is not there", "beside job.json"),
    "same without notebook": ({"c.yaml": "apiVersion: projectsame.io/v1\n"}, "missing-file", "names no notebook", "notebook.path"),
    "same, notebook gone": (
        {"c.yaml": "apiVersion: projectsame.io/v1\nnotebook: {path: a.ipynb}\n"}, "missing-file", "a.ipynb of c.yaml is not there", "path",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_source_is_refused_by_name(name: str, tmp_path: Path) -> None:
    files, code, said, fix = BAD[name]
    for file, content in files.items():
        (tmp_path / file).write_text(content if isinstance(content, str) else json.dumps(content))
    there = sorted(tmp_path.iterdir())
    with pytest.raises(Refused) as caught:
        import_file(tmp_path / list(files)[-1])
    assert caught.value.code == code
    assert said in str(caught.value)
    assert fix in caught.value.fix
    assert caught.value.fix
    assert sorted(tmp_path.iterdir()) == there


def test_every_reason_is_told_at_once(tmp_path: Path) -> None:
    for file, content in both("sum([1])\nrows").items():
        (tmp_path / file).write_text(json.dumps(content))
    with pytest.raises(Refused) as caught:
        import_file(tmp_path / "p.pipeline")
    assert [one.message.split()[2] for one in caught.value.diagnostics] == ["rows", "sum"]


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", None])
def test_what_is_no_text_or_not_there(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "x.pipeline"
    if content:
        path.write_bytes(content)
    with pytest.raises(Refused if content else NotFound) as caught:
        import_file(path)
    error: MlopsError = caught.value
    assert error.fix


def test_nodes_that_set_their_own_names_are_fine(tmp_path: Path) -> None:
    for file, content in both("sum = 4\nrows = []\nrows.append(sum)\ndef helper():\n    return 2\nhelper()").items():
        (tmp_path / file).write_text(json.dumps(content))
    assert import_file(tmp_path / "p.pipeline").path.is_file()


def test_settings_of_the_process_are_told(tmp_path: Path) -> None:
    first = {"a.ipynb": nb("import sys\nimport numpy as np\nsys.path.append('lib')\nnp.random.seed(1)"), "b.ipynb": nb("z = 1")}
    for file, content in {**first, "p.pipeline": pipeline(node("a", "a.ipynb"), node("b", "b.ipynb", ("a",)))}.items():
        (tmp_path / file).write_text(json.dumps(content))
    told = [item for item in import_file(tmp_path / "p.pipeline").imported.items if item.outcome == "lost"]
    assert [item.field for item in told] == ["a: sys.path.append('lib')"]


def test_a_sub_pipeline_is_opened_up(tmp_path: Path) -> None:
    inner = {"id": "sub", "app_data": {}, "nodes": [
        {"id": "in", "type": "binding"},
        node("b", "b.ipynb", ("in",)),
    ]}  # fmt: skip
    outer = {
        "id": "s",
        "type": "super_node",
        "subflow_ref": {"pipeline_id_ref": "sub"},
        "inputs": [{"links": [{"node_id_ref": "a"}]}],
    }
    last = node("c", "c.ipynb")
    last["inputs"] = [{"links": [{"node_id_ref": "s", "port_id_ref": "b_outPort"}]}]
    files = {
        "a.ipynb": A,
        "b.ipynb": B,
        "c.ipynb": nb("z = 3"),
        "p.pipeline": pipeline(last, outer, node("a", "a.ipynb"), others=(inner,)),
    }
    for file, content in files.items():
        (tmp_path / file).write_text(json.dumps(content))
    cells = import_file(tmp_path / "p.pipeline").imported.document["cells"]
    steps = [(cell["metadata"]["mlops"]["step"], cell["metadata"].get("tags", [])) for cell in cells if "mlops" in cell["metadata"]]
    assert steps == [("a", []), ("b", ["prev:a"]), ("c", ["prev:b"])]


def test_the_kernel_of_the_notebooks_goes_on(tmp_path: Path) -> None:
    (tmp_path / "a.ipynb").write_text(json.dumps(A))
    (tmp_path / "p.pipeline").write_text(json.dumps(pipeline(node("a", "a.ipynb"))))
    assert import_file(tmp_path / "p.pipeline").imported.document["metadata"] == KERNEL
