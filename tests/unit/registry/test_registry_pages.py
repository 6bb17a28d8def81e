"""Pages of models: who is found, what is shown of each, and how many there are; never more than was asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.oci.modelpack import publish_model
from jupyter_mlops.registry.models import Models
from jupyter_mlops.registry.pages import MODELS, VERSIONS, page

NAMES = {"churn": 4, "churn-eu": 1, "fraud": 2, "tiny": 1}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    """Four models; ``churn:v1`` is champion."""
    folder = tmp_path_factory.mktemp("pages")
    store = Layout(folder / "registry")
    for name, count in NAMES.items():
        for number in range(1, count + 1):
            files = folder / f"{name}-{number}"
            files.mkdir()
            Path(files / "mlops.json").write_text(f'{{"version": 1, "n": "{name} {number}"}}')
            publish_model(store, name, files, key=str(number), annotations={}, metrics={})
    found = Models(store)
    found.set_alias("churn", "Champion", "v1")
    return found


@pytest.mark.parametrize(
    ("search", "names"),
    [
        ("", ["churn", "churn-eu", "fraud", "tiny"]), ("chu", ["churn", "churn-eu"]), ("  EU ", ["churn-eu"]),
        ("champ", ["churn"]), ("nobody", []), ("v1", []), ("%", []), ("u", ["churn", "churn-eu", "fraud"]),
    ],
)  # fmt: skip
def test_who_is_found(models: Models, search: str, names: list[str]) -> None:
    found = page(models, search)
    assert ([model.name for model, _ in found.models], found.total) == (names, len(names))


def test_the_newest_are_shown_and_what_has_an_alias(models: Models) -> None:
    [(churn, count), *_] = page(models, versions=2).models
    assert ([version.tag for version in churn.versions], count) == (["v4", "v3", "v1"], 4)
    told = page(models, "fraud", versions=1).to_json()
    assert told["total"] == 1
    assert [(one["name"], one["count"], [version["tag"] for version in one["versions"]]) for one in told["models"]] == [
        ("fraud", 2, ["v2"])
    ]


@given(limit=st.integers(1, 9), versions=st.integers(1, 9), search=st.sampled_from(["", "u", "churn", "zz"]))
def test_no_more_than_was_asked_for(models: Models, limit: int, versions: int, search: str) -> None:
    """A page is the beginning of the whole list, and what it leaves out is counted."""
    whole, found = page(models, search, limit=MODELS, versions=VERSIONS), page(models, search, limit=limit, versions=versions)
    assert found.total == whole.total == len(whole.models)
    assert [model.name for model, _ in found.models] == [model.name for model, _ in whole.models][:limit]
    for (some, count), (every, _) in zip(found.models, whole.models, strict=False):
        assert count == len(every.versions) == NAMES[some.name]
        assert len([version for version in some.versions if not version.aliases]) <= versions
        assert all(version in every.versions for version in some.versions)
