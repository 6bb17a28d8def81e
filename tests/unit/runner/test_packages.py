"""The comparison of a step's interpreter with the notebook's kernel, before the first cell."""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.errors import Refused
from jupyter_mlops.runner.packages import FILE, Compared, check, compare

CLOUDPICKLE = metadata.version("cloudpickle")


def bundle(folder: Path, *distributions: tuple[str, str, list[str]], installs: bool = False, **steps: list[str]) -> Path:
    listed = [{"name": name, "version": version, "modules": modules} for name, version, modules in distributions]
    document: dict[str, Any] = {"distributions": listed, "steps": steps, "installs": installs}
    (folder / FILE).write_text(json.dumps(document))
    return folder


def test_what_is_there_in_the_same_version_is_fine(tmp_path: Path) -> None:
    made = bundle(tmp_path, ("cloudpickle", CLOUDPICKLE, ["cloudpickle"]), one=["cloudpickle"])
    assert compare(made, "one") == Compared(here=(("cloudpickle", CLOUDPICKLE),))
    check(compare(made, "one"), "img")


def test_another_version_is_told(tmp_path: Path) -> None:
    made = bundle(tmp_path, ("cloudpickle", "0.1", ["cloudpickle"]), one=["cloudpickle"])
    assert compare(made, "one").other == (f"cloudpickle {CLOUDPICKLE} for 0.1",)
    check(compare(made, "one"), "img")


def test_what_is_missing_stops_the_step_and_is_named(tmp_path: Path) -> None:
    made = bundle(
        tmp_path, ("nowhere", "1.2", ["nowhere_at_all"]), ("gone", "3", ["gone_for_good"]), one=["nowhere", "gone"], two=[]
    )
    with pytest.raises(Refused) as caught:
        check(compare(made, "one"), "me/img:1")
    assert caught.value.code == "missing-packages"
    assert str(caught.value) == "me/img:1 lacks packages that the step imports: nowhere 1.2, gone 3"
    assert "pip install nowhere==1.2 gone==3" in caught.value.fix
    check(compare(made, "two"), "me/img:1")
    check(compare(made, "unheard of"), "me/img:1")


def test_a_module_of_another_distribution_will_do(tmp_path: Path) -> None:
    made = bundle(tmp_path, ("another-pickle", "9", ["cloudpickle"]), one=["another-pickle"])
    assert compare(made, "one") == Compared(here=(("another-pickle", ""),))


def test_a_notebook_that_installs_packages_is_not_stopped(tmp_path: Path) -> None:
    made = bundle(tmp_path, ("nowhere", "1", ["nowhere_at_all"]), installs=True, one=["nowhere"])
    assert compare(made, "one").missing == ("nowhere 1",)
    check(compare(made, "one"), "img")


@pytest.mark.parametrize("text", [None, "{", "[]", "{}", '{"steps": {"one": ["a"]}, "distributions": [{}], "installs": false}'])
def test_a_bundle_without_an_environment_asks_for_nothing(text: str | None, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / FILE).write_text(text)
    assert compare(tmp_path, "one") == Compared()


def test_many_are_cut_short(tmp_path: Path) -> None:
    names = [f"gone{place}" for place in range(20)]
    made = bundle(tmp_path, *((name, "1", [f"{name}_x"]) for name in names), one=names)
    with pytest.raises(Refused, match="and more"):
        check(compare(made, "one"), "")
