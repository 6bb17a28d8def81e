"""Notebooks reach the product through Jupyter's contents service alone, and never from outside of its folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml as pyyaml  # noqa: TID253  (a test reads what the server wrote)
from jupyter_server.services.contents.manager import ContentsManager

from jupyter_mlops.errors import PlatformError
from jupyter_mlops.server import notebooks
from tests.unit.server.api_document import check


async def test_a_saved_notebook_as_a_pipeline(call: Any, write_notebook: Any) -> None:
    write_notebook("churn.ipynb", "x = 1", "y = x + 1", "print(y)")
    answer = await call("POST", "/convert", {"path": "churn.ipynb"}, schema="Conversion")
    assert answer.status == 200
    assert answer.body["pipeline"] == "churn"
    assert sorted(cell for step in answer.body["steps"] for cell in step["cells"]) == [0, 1, 2]
    assert {"from": 0, "to": 1, "names": ["x"], "kind": "data"} in answer.body["links"]


async def test_content_that_is_not_saved_yet(call: Any, write_notebook: Any) -> None:
    path = write_notebook("saved.ipynb", "a = 1")
    content = json.loads(path.read_text())
    content["cells"][0]["source"] = "b = 2\nprint(b)"
    saved = await call("POST", "/convert", {"path": "saved.ipynb"}, schema="Conversion")
    sent = await call("POST", "/convert", {"path": "saved.ipynb", "content": content}, schema="Conversion")
    assert sent.status == 200
    assert sent.body["source_digest"] != saved.body["source_digest"]
    assert path.read_text() != json.dumps(content)


async def test_the_workflow_as_yaml(call: Any, write_notebook: Any) -> None:
    write_notebook("churn.ipynb", "x = 1", "print(x)")
    answer = await call("POST", "/workflow", {"path": "churn.ipynb"})
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/yaml")
    assert pyyaml.safe_load(answer.body)["kind"] == "Workflow"


@pytest.mark.parametrize(("source", "line"), [("x = (1,\n", 1), ("ok = 1\nname = input('who?')", 2)])
async def test_a_refused_notebook_names_cell_line_and_fix(call: Any, write_notebook: Any, source: str, line: int) -> None:
    write_notebook("bad.ipynb", "fine = 1", source)
    answer = await call("POST", "/convert", {"path": "bad.ipynb"})
    assert answer.status == 422
    found = next(one for one in answer.body["diagnostics"] if one["severity"] == "error")
    check("Diagnostic", found)
    assert found["cell"] == 1
    assert found["fix"]


@pytest.mark.parametrize("text", ["not json", "{}", "[1]", '{"nbformat": 4, "cells": 7}'])
async def test_a_file_that_is_no_notebook_is_a_clear_error(call: Any, jp_root_dir: Path, text: str) -> None:
    (jp_root_dir / "odd.ipynb").write_text(text)
    answer = await call("POST", "/convert", {"path": "odd.ipynb"})
    assert answer.status in {400, 422}
    assert "odd.ipynb" in str(answer.body)
    assert answer.body["fix"]


@pytest.mark.slow
async def test_version_3_is_refused_even_where_the_contents_service_upgrades_it(call: Any, jp_root_dir: Path) -> None:
    import nbformat

    old = nbformat.v3.new_notebook(worksheets=[nbformat.v3.new_worksheet(cells=[nbformat.v3.new_code_cell("x = 1")])])
    (jp_root_dir / "old.ipynb").write_text(json.dumps(old))
    answer = await call("POST", "/convert", {"path": "old.ipynb"})
    assert answer.status == 422
    assert "3" in answer.body["message"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("none.ipynb", 404),
        ("", 400),
        ("notes.txt", 400),
        ("../outside.ipynb", 400),
        ("sub/../../outside.ipynb", 400),
        ("a\0b.ipynb", 400),
        (".hidden/secret.ipynb", 404),
        (".secret.ipynb", 404),
        ("folder.ipynb", 400),
    ],
)
@pytest.mark.parametrize("route", ["/convert", "/runs"])
async def test_paths_that_are_not_a_notebook_below_the_root(
    call: Any, write_notebook: Any, jp_root_dir: Path, route: str, path: str, status: int
) -> None:
    write_notebook(".hidden/secret.ipynb", "1")
    write_notebook(".secret.ipynb", "1")
    (jp_root_dir / "folder.ipynb").mkdir()
    (jp_root_dir.parent / "outside.ipynb").write_text(write_notebook("a.ipynb", "1").read_text())
    answer = await call("POST", route, {"path": path})
    assert (answer.status, bool(answer.body["fix"])) == (status, True)
    assert str(jp_root_dir) not in str(answer.body)


async def test_a_link_that_leads_out_is_not_run(call: Any, write_notebook: Any, jp_root_dir: Path, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere.ipynb"
    target.write_text(write_notebook("a.ipynb", "1").read_text())
    (jp_root_dir / "link.ipynb").symlink_to(target)
    answer = await call("POST", "/runs", {"path": "link.ipynb"})
    assert (answer.status, answer.body["code"]) == (403, "not-allowed")


async def test_documents_of_a_collaboration_are_found_by_their_local_name(call: Any, write_notebook: Any) -> None:
    write_notebook("shared.ipynb", "x = 1")
    assert (await call("POST", "/convert", {"path": "RTC:shared.ipynb"}, schema="Conversion")).status == 200


class Remote(ContentsManager):
    """A manager whose notebooks are on no disk of this machine."""

    def is_hidden(self, path: str) -> bool:
        return False

    def get(self, path: str, content: bool = True, **_: Any) -> dict[str, Any]:
        return {
            "type": "notebook",
            "path": path,
            "content": {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []} if content else None,
        }


async def test_remote_notebooks_are_read_but_not_run() -> None:
    contents = Remote(root_dir="")
    assert (await notebooks.read(contents, "a.ipynb")).name == "a"
    with pytest.raises(PlatformError, match="not on this machine") as refused:
        await notebooks.folder_path(contents, "a.ipynb")
    assert refused.value.code == "remote-contents"


@pytest.mark.parametrize("saved", [True, False])
async def test_a_notebook_that_nbformat_does_not_take_is_named(call: Any, write_notebook: Any, saved: bool) -> None:
    path = write_notebook("odd.ipynb", "x = 1")
    content = json.loads(path.read_text())
    content["cells"][0]["outputs"] = [{"output_type": "no-such-type"}]
    if saved:
        path.write_text(json.dumps(content))
    answer = await call("POST", "/convert", {"path": "odd.ipynb"} if saved else {"path": "odd.ipynb", "content": content})
    assert (answer.status, answer.body["code"]) == (400, "invalid-notebook")
    assert answer.body["fix"]


async def test_the_server_and_the_command_line_write_the_same_workflow(
    call: Any, write_notebook: Any, jp_root_dir: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    from jupyter_mlops.cli import main

    (jp_root_dir / "local_helper.py").write_text("def double(x):\n    return 2 * x\n")
    path = write_notebook("uses.ipynb", "from local_helper import double\nprint(double(2))")
    assert main(["convert", str(path), "-o", "-"]) == 0
    assert (await call("POST", "/workflow", {"path": "uses.ipynb"})).body == capsysbinary.readouterr().out
