"""The metadata schema: what is taken, what is refused, and which of four views counts."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.errors import Diagnostic
from jupyter_mlops.notebook.metadata import Request, Requests, read_requests
from jupyter_mlops.notebook.schema import KEYS, Unfit, json_schema
from tests.unit.laws import law
from tests.unit.notebook_building import notebook


def ask(metadata: Any, source: str = "x = 1") -> tuple[Request, tuple[Diagnostic, ...]]:
    found = read_requests(notebook((source, metadata)))
    return found.cells[0], found.diagnostics


@pytest.mark.parametrize(
    ("key", "value", "read"),
    [
        ("gpu", 1, 1),
        ("gpu", 0, 0),
        ("gpu_resource", "amd.com/gpu", "amd.com/gpu"),
        ("gpu_resource", "nvidia.com/mig-1g.10gb", "nvidia.com/mig-1g.10gb"),
        ("cpu", "500m", "500m"),
        ("cpu", 2, "2"),
        ("cpu", 0.5, "0.5"),
        ("memory", "16Gi", "16Gi"),
        ("memory", "1e9", "1e9"),
        ("resources", {"ephemeral-storage": "20Gi"}, {"ephemeral-storage": "20Gi"}),
        ("tolerations", [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}],
         ({"key": "gpu", "operator": "Exists", "effect": "NoSchedule"},)),
        ("node_selector", {"zone": "a"}, {"zone": "a"}),
        ("shm", "8Gi", "8Gi"),
        ("queue", "team-a", "team-a"),
        ("image", "ghcr.io/me/train@sha256:00", "ghcr.io/me/train@sha256:00"),
        ("env", {"A": "1", "B": 2, "C": True}, {"A": "1", "B": "2", "C": "true"}),
        ("secrets", [{"env": "T", "secret": "hub", "key": "token"}], ({"env": "T", "secret": "hub", "key": "token"},)),
        ("retries", 3, 3),
        ("timeout", 60, 60),
        ("timeout", "90s", 90),
        ("timeout", "30m", 1800),
        ("timeout", "2h", 7200),
        ("outputs", "model", ("model",)),
        ("outputs", ["model:clf", "model"], ("model:clf", "model")),
        ("each", "rate in rates", "rate in rates"),
        ("each", " rate  in [r for r in rates\n if r] ", "rate in [r for r in rates if r]"),
        ("each", {"rate": [1, -0.5, None, True, "a in b", {"c": [1]}]}, "rate in [1, -0.5, None, True, 'a in b', {'c': [1]}]"),
        ("each", {"rate": "rates"}, "rate in rates"),
        ("when", "score <\n 0.9", "score < 0.9"),
        ("finally", True, ""),
        ("finally", False, None),
        ("finally", "outcome", "outcome"),
        ("cache", "off", "off"),
        ("volumes", [{"mount": "/data/", "claim": "d", "read_only": True}], ({"mount": "/data", "claim": "d", "read_only": True},)),
        ("volumes", [{"mount": "/tmp/x", "size": "1Gi", "read_only": False}], ({"mount": "/tmp/x", "size": "1Gi"},)),
    ],
)  # fmt: skip
def test_a_value_that_fits(key: str, value: Any, read: Any) -> None:
    request, found = ask({"mlops": {key: value}})
    assert request.options == {key: read}
    assert found == ()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("each", "rates"), ("each", "a b in rates"), ("each", "x in"), ("each", {"a": [], "b": []}), ("each", 3), ("each", "x in (1"),
        ("each", "for in rates"), ("when", "x ="), ("when", ""), ("when", True), ("finally", "a b"), ("finally", 1), ("cache", "on"),
        ("cache", True), ("volumes", {}), ("volumes", [{"claim": "d"}]), ("volumes", [{"mount": "data"}]),
        ("volumes", [{"mount": "/mlops/x"}]), ("volumes", [{"mount": "/a/../b"}]), ("volumes", [{"mount": "/d", "claim": "D_"}]),
        ("volumes", [{"mount": "/d", "claim": "d", "size": "1Gi"}]), ("volumes", [{"mount": "/d", "size": "big"}]),
        ("shm", "much"), ("queue", "Team A"), ("queue", 1), ("gpu", "two"), ("gpu", -1), ("gpu", True), ("gpu", 1.5), ("gpu_resource", "a b"), ("cpu", "2 cores"), ("cpu", -1),
        ("memory", "16GB"), ("memory", True), ("memory", "-1Gi"), ("resources", ["x"]), ("resources", {"x": "many"}), ("image", ""),
        ("image", "a b"), ("env", {"A-B": "1"}), ("env", {"A": [1]}), ("env", "A=1"), ("retries", -1), ("retries", "3"),
        ("timeout", -5), ("timeout", 0), ("timeout", "soon"), ("timeout", 1.5), ("outputs", "modell"), ("outputs", "model:a b"),
        ("outputs", []), ("outputs", "model:for"), ("node_selector", {"a": "b c"}), ("tolerations", [{"key": "a", "seconds": "1"}]),
        ("tolerations", {"key": "a"}), ("tolerations", [{}]), ("tolerations", [{"key": "a", "effect": "Never"}]), ("step", 3), ("step", " "), ("skip", "yes"),
        ("secrets", [{"env": "T", "secret": "hub"}]), ("secrets", {"T": "x"}), ("secrets", [{"env": "T", "secret": "Hub!", "key": "k"}]),
    ],
)  # fmt: skip
def test_a_value_that_does_not_fit_is_an_error_at_its_cell(key: str, value: Any) -> None:
    request, found = ask({"mlops": {key: value}})
    assert key not in request.options
    assert [(d.code, d.severity, d.cell) for d in found] == [("invalid-metadata", "error", 0)]
    assert key in found[0].message
    assert found[0].fix


@pytest.mark.parametrize(
    "item", [{"env": "T", "value": "hunter2"}, {"env": "T", "secret": "s", "key": "k", "value": "hunter2"}, "hunter2"]
)
def test_a_secrets_value_is_refused_and_never_repeated(item: Any) -> None:
    _, found = ask({"mlops": {"secrets": [item]}})
    assert found[0].severity == "error"
    assert "hunter2" not in found[0].message + found[0].fix


@pytest.mark.parametrize(
    ("key", "value", "read"),
    [
        ("file_limit", "10Gi", 10 << 30), ("file_limit", "500M", 500_000_000), ("file_limit", 5, 5), ("file_limit", "1.5Ki", 1536),
        ("file_limit", "1e3", 1000), ("file_limit", "2Ei", 2 << 60), ("file_ignore", ["*.ckpt", "./data/raw/"], ("*.ckpt", "data/raw")),
        ("file_ignore", [], ()),
    ],
)  # fmt: skip
def test_what_all_steps_agree_on_is_of_the_notebook(key: str, value: Any, read: Any) -> None:
    assert read_requests(notebook("x = 1", metadata={"mlops": {key: value}})).defaults == {key: read}
    request, found = ask({"mlops": {key: value}})
    assert request.options == {}
    assert [(d.code, d.severity, d.cell) for d in found] == [("invalid-metadata", "warning", 0)]
    assert "belongs to the notebook" in found[0].message


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("file_limit", 0), ("file_limit", "1m"), ("file_limit", "10GB"), ("file_limit", True), ("file_ignore", "*.ckpt"),
        ("file_ignore", ["/data"]), ("file_ignore", ["../x"]), ("file_ignore", ["*"]), ("file_ignore", [1]), ("file_ignore", ["~/x"]),
    ],
)  # fmt: skip
def test_a_notebooks_value_that_does_not_fit_is_an_error(key: str, value: Any) -> None:
    found = read_requests(notebook("x = 1", metadata={"mlops": {key: value}}))
    assert found.defaults == {}
    assert [(d.code, d.severity, d.cell) for d in found.diagnostics] == [("invalid-metadata", "error", None)]


@pytest.mark.parametrize(("key", "near"), [("gpus", "gpu"), ("memroy", "memory"), ("zzz", "")])
def test_an_unknown_key_is_a_warning_with_the_near_one(key: str, near: str) -> None:
    _, found = ask({"mlops": {key: 1}})
    assert [d.severity for d in found] == ["warning"]
    assert f"Did you mean {near!r}?" in found[0].fix if near else "Did you mean" not in found[0].fix


def test_metadata_that_is_no_object() -> None:
    assert [d.severity for d in ask({"mlops": ["gpu"]})[1]] == ["error"]


@pytest.mark.parametrize(
    ("metadata", "source", "step", "gpu"),
    [
        ({"tags": ["step:a", "limit:nvidia.com/gpu:1"]}, "x = 1", "a", 1),
        ({"tags": ["step:a", "limit:nvidia.com/gpu:1"]}, "%%step b --gpu 2\nx = 1", "b", 2),
        ({"tags": ["step:a", "limit:nvidia.com/gpu:1"], "mlops": {"step": "c", "gpu": 3}}, "%%step b --gpu 2\nx = 1", "c", 3),
        ({"mlops": {"gpu": 3}}, "%%step b --gpu 2\nx = 1", "b", 3),
    ],
)
def test_metadata_counts_before_the_magic_before_tags(metadata: Any, source: str, step: str, gpu: int) -> None:
    request, found = ask(metadata, source)
    assert (request.step, request.options["gpu"], found) == (step, gpu, ())


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        (["skip"], {"skip": True}),
        (["parameters"], {"parameters": True}),
        (["pipeline-parameters"], {"parameters": True}),
        (["imports"], {}),
        (["functions", "hide-input", "step:"], {}),
        (["block:load"], {"step": "load"}),
        (["block:load;other"], {"step": "load"}),
        (["step:a", "prev:b", "prev:c;d"], {"step": "a", "prev": ("b", "c", "d")}),
        (["limit:cpu:2", "limit:memory:4Gi"], {"options": {"cpu": "2", "memory": "4Gi"}}),
        (["limit:nvidia.com/gpu:1"], {"options": {"gpu": 1, "gpu_resource": "nvidia.com/gpu"}}),
        (["limit:nvidia.com/mig-1g.5gb:1"], {"options": {"gpu": 1, "gpu_resource": "nvidia.com/mig-1g.5gb"}}),
        (["limit:ephemeral-storage:1Gi", "limit:example.com/x:2"], {"options": {"resources": {"ephemeral-storage": "1Gi", "example.com/x": "2"}}}),
        (["image:python:3.12"], {"options": {"image": "python:3.12"}}),
        (["secret:hub:token:HF_TOKEN"], {"options": {"secrets": ({"env": "HF_TOKEN", "secret": "hub", "key": "token"},)}}),
    ],
)  # fmt: skip
def test_tags(tags: list[str], expected: dict[str, Any]) -> None:
    request, found = ask({"tags": tags})
    assert request == Request(0, **expected)
    assert found == ()


def test_a_tag_that_cannot_be_right_is_named() -> None:
    _, found = ask({"tags": ["limit:nvidia.com/gpu:many"]})
    assert [(d.severity, d.cell) for d in found] == [("error", 0)]
    assert "limit:nvidia.com/gpu:many" in found[0].message


def test_a_bad_step_line_is_named_with_its_line() -> None:
    _, found = ask({}, "\n%%step train --gpus 1\nx = 1")
    assert [(d.code, d.cell, d.line) for d in found] == [("invalid-metadata", 0, 2)]
    _, found = ask({}, "%%step train --gpu two\nx = 1")
    assert [(d.code, d.line) for d in found] == [("invalid-metadata", 1)]
    assert "--gpu" in found[0].message


def test_the_notebook_gives_defaults_but_no_step() -> None:
    found = read_requests(notebook("x = 1", metadata={"mlops": {"image": "a:1", "step": "x", "skip": True}}))
    assert found.defaults == {"image": "a:1"}
    assert [(d.severity, d.cell) for d in found.diagnostics] == [("warning", None)] * 2


@law
@given(
    st.dictionaries(
        st.sampled_from([*KEYS, "other"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
            lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=3), x, max_size=3),
        ),
    )
)
def test_any_json_gives_values_or_diagnostics(raw: dict[str, Any]) -> None:
    found: Requests = read_requests(notebook(("x = 1", {"mlops": raw})))
    request = found.cells[0]
    said = " ".join(d.message for d in found.diagnostics)
    for key, value in raw.items():
        taken = key in request.options or value is None or (key in {"step", "skip"} and key in KEYS)
        assert taken or key in said


@pytest.mark.parametrize("key", KEYS.values(), ids=lambda key: key.name)
def test_each_example_fits(key: Any) -> None:
    try:
        key.read(key.example)
    except Unfit as error:  # pragma: no cover
        pytest.fail(str(error))


def test_the_json_schema_takes_the_examples_and_is_a_schema() -> None:
    from jsonschema import Draft202012Validator

    schema = json_schema()
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate({key.name: key.example for key in KEYS.values() if key.cell})
    assert not Draft202012Validator(schema).is_valid({"gpus": 1})
    assert not Draft202012Validator(schema).is_valid({"gpu": -1})
    assert not Draft202012Validator(schema).is_valid({"secrets": [{"env": "T", "value": "x"}]})


def test_the_documentation_has_every_key_with_its_meaning() -> None:
    from pathlib import Path

    from jupyter_mlops.notebook.magic import FLAGS

    page = (Path(__file__).parents[3] / "docs" / "metadata.md").read_text()
    rows = {cells[1].strip(" `"): cells for line in page.splitlines() if (cells := line.split("|"))[0] == "" and len(cells) == 7}
    flags = {key: flag for flag, key in FLAGS.items()}
    for key in KEYS.values():
        assert rows[key.name][5].strip() == key.meaning
        assert rows[key.name][3].strip() == {(True, True): "yes", (True, False): "yes, only there"}.get(
            (key.notebook, key.cell), ""
        )
        assert flags.get(key.name, "") in rows[key.name][4]
