"""The form of a cell asks whether what is typed fits: the answers are the words with which a conversion refuses."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_mlops.notebook.schema import KEYS, json_schema
from tests.unit.notebook_building import document

WRONG: dict[str, Any] = {
    "skip": "yes",
    "gpu": -1,
    "gpu_resource": "a b",
    "cpu": "-1",
    "memory": "lots",
    "resources": {"nvidia.com/mig-1g.5gb": "one"},
    "shm": "8 Gi",
    "queue": "Team A",
    "tolerations": [{"key": "gpu"}, {"operator": "Sometimes"}],
    "node_selector": {"zone": "a b"},
    "image": "my image",
    "env": {"1A": "x"},
    "secrets": [{"env": "TOKEN", "secret": "hub"}],
    "retries": 1.5,
    "timeout": "abc",
    "volumes": [{"mount": "data"}],
    "cache": "sometimes",
    "each": "rate of rates",
    "when": "score <",
    "finally": "not a name",
    "outputs": "modell",
    "step": " ",
}


def test_every_key_of_a_cell_has_a_wrong_value() -> None:
    assert set(WRONG) == {name for name, key in KEYS.items() if key.cell}


@pytest.mark.parametrize("key", WRONG)
async def test_the_form_is_told_what_a_conversion_says(call: Any, key: str) -> None:
    answer = await call("POST", "/options", {"options": {"theirs": 1, key: WRONG[key]}}, schema="OptionsAnswer")
    assert set(answer.body["unfit"]) == {key}
    content = document(("x = 1", []), metadata={})
    content["cells"][0] |= {"id": "c0", "metadata": {"mlops": {key: WRONG[key]}}}
    refused = await call("POST", "/convert", {"path": "a.ipynb", "content": content}, schema="Error")
    (finding,) = [one for one in refused.body["diagnostics"] if one["code"] == "invalid-metadata"]
    assert finding["message"].endswith(f": {answer.body['unfit'][key]}")
    assert finding["message"].startswith(f"{key} of cell 0 is ")


@pytest.mark.parametrize("name", [name for name, key in KEYS.items() if key.cell])
async def test_what_fits_and_what_is_not_known_is_told_nothing(call: Any, name: str) -> None:
    answer = await call("POST", "/options", {"options": {name: KEYS[name].example, "theirs": 1, "file_limit": "x"}})
    assert answer.body == {"unfit": {}}


async def test_the_value_of_a_secret_is_never_repeated(call: Any) -> None:
    options = {"secrets": [{"env": "TOKEN", "value": "hunter2"}], "env": {"TOKEN": ["hunter2"]}}
    answer = await call("POST", "/options", {"options": options})
    assert set(answer.body["unfit"]) == {"secrets", "env"}
    assert "hunter2" not in str(answer.body)


async def test_a_body_of_another_shape_is_refused(call: Any) -> None:
    answer = await call("POST", "/options", {"options": ["timeout"]}, schema="Error")
    assert answer.status == 400


async def test_the_schema_of_the_keys_is_told(call: Any) -> None:
    assert (await call("GET", "/options")).body == json_schema()
