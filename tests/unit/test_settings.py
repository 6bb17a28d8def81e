"""Where things lie when nobody says anything, and that nothing can change a setting behind another's back."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from jupyter_mlops.errors import WrongUsage
from jupyter_mlops.settings import Settings, Storage, default_early, default_home


@pytest.mark.parametrize(
    ("environ", "platform", "expected"),
    [
        ({"JUPYTER_MLOPS_HOME": "/data/mlops"}, "linux", Path("/data/mlops")),
        ({"JUPYTER_MLOPS_HOME": "/data/mlops", "XDG_DATA_HOME": "/x"}, "darwin", Path("/data/mlops")),
        ({"XDG_DATA_HOME": "/x"}, "linux", Path("/x/jupyter-mlops")),
        ({}, "linux", Path.home() / ".local/share/jupyter-mlops"),
        ({}, "darwin", Path.home() / "Library/Application Support/jupyter-mlops"),
        ({"JUPYTER_MLOPS_HOME": "~/m"}, "linux", Path.home() / "m"),
    ],
)
def test_home(environ: dict[str, str], platform: str, expected: Path) -> None:
    assert default_home(environ, platform) == expected


@pytest.mark.parametrize(("text", "expected"), [("", 1.0), ("2.5", 2.5), ("-1", -1.0)])
def test_when_steps_are_tried_early(text: str, expected: float) -> None:
    assert default_early({"JUPYTER_MLOPS_EARLY_AFTER": text}) == expected


def test_a_time_that_is_no_number_is_refused() -> None:
    with pytest.raises(WrongUsage, match="is 'never'"):
        default_early({"JUPYTER_MLOPS_EARLY_AFTER": "never"})


def test_everything_lies_below_home() -> None:
    storage = Storage(home=Path("/h"))
    assert {storage.registry, storage.runs, storage.services, storage.cache} == {
        Path("/h") / n for n in ("registry", "runs", "services", "cache")
    }


def test_settings_are_values() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().storage.keep_runs = 1  # type: ignore[misc]


@pytest.mark.parametrize("group", [f.name for f in dataclasses.fields(Settings)])
def test_each_value_is_documented(group: str) -> None:
    source = Path(__file__).parents[2].joinpath("jupyter_mlops/settings.py").read_text()
    cls = type(getattr(Settings(), group))
    body = source.split(f"class {cls.__name__}:")[1].split("\n@dataclass")[0]
    for field in dataclasses.fields(cls):
        after = body.split(f"    {field.name}:")[1]
        assert '"""' in after.split("\n    @")[0].split("\n\n")[0], f"{cls.__name__}.{field.name} says neither unit nor reason"
