"""What of a target's images does not fit stands among the diagnostics of a conversion, where the request names the target."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.oci.names import OCI_CONFIG, OCI_MANIFEST
from jupyter_mlops.oci.open import open_store
from tests.unit.server.test_server_targets import at_cluster, cluster, registry  # noqa: F401 - fixtures
from tests.unit.targets.test_targets_images import LAYER, layer


def put(address: str, minor: str) -> str:
    """An image with this Python and nothing installed."""
    store = open_store(address)
    layers = layer(f"usr/bin/python3 -> python{minor}", f"usr/bin/python{minor}")
    config = store.put_blob("step/image", json.dumps({"config": {}}).encode(), OCI_CONFIG)
    blob = store.put_blob("step/image", layers, LAYER)
    config_of, layer_of = ({"mediaType": one.media_type, "digest": one.digest, "size": one.size} for one in (config, blob))
    manifest = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config_of, "layers": [layer_of]}
    store.put_manifest("step/image", manifest, tags=["v1"])
    return f"{address.partition('://')[2]}/step/image:v1"


@pytest.mark.parametrize(
    ("minor", "code", "severity", "words"),
    [("3.11", "image-packages", "warning", "lacks tornado "), ("3.9", "python-mismatch", "error", "has Python 3.9")],
)
async def test_what_does_not_fit_is_a_diagnostic(
    call: Any, bench: Any, at_cluster: Any, registry: str, write_notebook: Callable[..., Path],  # noqa: F811
    minor: str, code: str, severity: str, words: str,
) -> None:  # fmt: skip
    import sys

    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    bench.targets.set("dev", {"image": put(registry, here if minor == "3.11" else minor)})
    write_notebook("a.ipynb", "import tornado", language_info={"name": "python", "version": f"{here}.1"})
    answer = await call("POST", "/convert", {"path": "a.ipynb"}, schema="Conversion", target="dev")
    (found,) = [one for one in answer.body["diagnostics"] if one["code"] in {"image-packages", "image-unread", "python-mismatch"}]
    assert (found["code"], found["severity"]) == (code, severity)
    assert words in found["message"]
    assert found["fix"]
    environment = answer.body["environment"]
    assert [(one["name"], one["modules"]) for one in environment["distributions"]] == [("tornado", ["tornado"])]
    (image,) = environment["images"]
    assert image["image"].endswith("/step/image:v1")
    assert image["steps"] == [answer.body["steps"][0]["name"]]
    assert (image["python"], image["packages"]) == (here if minor == "3.11" else minor, 0)


async def test_what_does_not_fit_comes_with_the_run_too(
    call: Any, bench: Any, at_cluster: Any, registry: str, write_notebook: Callable[..., Path],  # noqa: F811
) -> None:  # fmt: skip
    import sys

    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    bench.targets.set("dev", {"image": put(registry, here)})
    write_notebook("a.ipynb", "import tornado", language_info={"name": "python", "version": f"{here}.1"})
    await call("POST", "/convert", {"path": "a.ipynb"}, target="dev")
    started = await call("POST", "/runs", {"path": "a.ipynb", "target": "dev"}, schema="StartedRun")
    (found,) = [one for one in started.body["diagnostics"] if one["code"] != "image-unread"]
    assert (found["code"], found["fix"].partition("pip install ")[2].partition("=")[0]) == ("image-packages", "tornado")


async def test_an_image_with_another_python_refuses_the_run(
    call: Any, bench: Any, at_cluster: Any, registry: str, write_notebook: Callable[..., Path],  # noqa: F811
) -> None:  # fmt: skip
    bench.targets.set("dev", {"image": put(registry, "3.9")})
    write_notebook("a.ipynb", "x = 1")
    refused = await call("POST", "/runs", {"path": "a.ipynb", "target": "dev"}, schema="Error")
    assert (refused.status, refused.body["code"]) == (422, "python-mismatch")
    assert "has Python 3.9" in refused.body["message"]
    assert "Use an image with Python" in refused.body["fix"]


async def test_this_machine_tells_the_environment_and_what_is_missing(call: Any, write_notebook: Callable[..., Path]) -> None:
    write_notebook("a.ipynb", "import tornado\nimport nowhere_at_all")
    answer = await call("POST", "/convert", {"path": "a.ipynb"}, schema="Conversion", target="local")
    assert ("missing-package", "error") in {(one["code"], one["severity"]) for one in answer.body["diagnostics"]}
    environment = answer.body["environment"]
    assert [one["name"] for one in environment["distributions"]] == ["tornado"]
    assert [one["module"] for one in environment["missing"]] == ["nowhere_at_all"]
    assert "images" not in environment


async def test_without_a_target_no_registry_is_asked(
    call: Any, bench: Any, at_cluster: Any, registry: str, write_notebook: Callable[..., Path],  # noqa: F811
) -> None:  # fmt: skip
    bench.targets.set("dev", {"image": put(registry, "3.9")})
    write_notebook("a.ipynb", "import tornado")
    answer = await call("POST", "/convert", {"path": "a.ipynb"}, schema="Conversion")
    assert answer.body["diagnostics"] == []
    assert "environment" not in answer.body
