"""``load_model``: a registered model back in a notebook, if policy lets it in; what this run registers says that it was used."""

from __future__ import annotations

import json
import os
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

from jupyter_mlops.errors import Corrupt, NotFound, PlatformError
from jupyter_mlops.formats import table
from jupyter_mlops.formats.gate import Origin, Rule, rule_for
from jupyter_mlops.oci.made import was_made
from jupyter_mlops.oci.modelfiles import fetch_model
from jupyter_mlops.oci.modelpack import model_repository, version_number
from jupyter_mlops.oci.store import Store
from jupyter_mlops.runner import record
from jupyter_mlops.runner.card import CARD

LATEST = "latest"


def load_model(reference: str, *, allow_pickle: bool = False) -> Any:
    """A registered model, as it was registered.

    A format that keeps no more than what can be called gives a function of rows (ONNX; LightGBM's classifiers).

    Args:
        reference: ``NAME`` (the newest version), ``NAME:TAG``, ``NAME:ALIAS`` or ``NAME@DIGEST``.
        allow_pickle: let it run code of its own while it is loaded, this once, though neither your own runs made it nor its
            names are known to be harmless.

    Raises:
        NotFound: code ``model-not-found`` or ``version-not-found``.
        NotAllowed: code ``pickle-refused``: it may run code, and nothing says that it may. Nothing of it was run.
        PlatformError: what reads it is not installed, or is of another version.
        Corrupt: it is damaged.
    """
    recorder = record.recorder_of_process()
    name, _, digest = reference.removeprefix("models/").partition("@")
    name, _, tag = name.partition(":")
    repository = model_repository(name)
    own = [one for one in recorder.pending if (one.kind, one.name) == ("model", name)]
    if own and not digest and tag in {"", LATEST}:  # the newest version in a kernel; in a step it becomes one at its end
        recorder.loads(own[-1].version)
        return _read(own[-1].folder, "any", name)
    store = recorder.store or record.home_store()
    manifest, shown = _found(store, repository, name, digest or tag or LATEST)
    with tempfile.TemporaryDirectory(prefix="mlops-model-", dir=recorder.scratch) as scratch:
        folder = Path(scratch) / "model"
        fetch_model(store, repository, manifest, folder)
        model = _read(folder / "models", _rule(store, manifest, allow=allow_pickle), name)
    recorder.loads({"kind": "model", "name": name, "tag": shown, "digest": manifest})
    return model


def _found(store: Store, repository: str, name: str, wanted: str) -> tuple[str, str]:
    """The digest of a version, and its tag. Raises NotFound."""
    versions = sorted(
        ((number, tag) for tag in store.tags(repository) if (number := version_number(tag)) is not None), reverse=True
    )
    if not versions:
        raise NotFound(f"no model named {name!r}", code="model-not-found", fix="`jupyter mlops models` lists them.")
    try:
        digest = store.get_manifest(repository, versions[0][1] if wanted == LATEST else wanted).descriptor.digest
    except NotFound as error:
        known = ", ".join(tag for _, tag in versions[:10])
        raise NotFound(f"model {name} has no version {wanted}", code="version-not-found", fix=f"There is: {known}.") from error
    named = (tag for _, tag in versions if tag == wanted or store.get_manifest(repository, tag).descriptor.digest == digest)
    return digest, next(named, wanted)


def _read(folder: Path, rule: Rule, name: str) -> Any:
    try:
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
        path = folder / str(card["file"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PlatformError(
            f"the model {name} has no card that can be read: {error}", code="model-card", fix="Register it again with log_model."
        ) from error
    if not path.exists() or folder not in path.parents:
        raise Corrupt(f"the model {name} has no file {card['file']!r}", code="model-file", fix="Register it again with log_model.")
    return table.read(path, card, rule)


def _rule(store: Store, digest: str, *, allow: bool) -> Rule:
    """What it may run. A step has no settings and no list of what was allowed: there the environment says what is strictest."""
    setting = os.environ.get("JUPYTER_MLOPS_PICKLES") or "own"
    allowed = allow
    try:
        home = import_module("jupyter_mlops.settings").Storage().home
        allowed = allowed or import_module("jupyter_mlops.registry.allowances").Allowances(home).has(digest)
    except ModuleNotFoundError as error:
        if not str(error.name).startswith("jupyter_mlops"):
            raise
    return rule_for(setting, Origin(was_made(store, digest), allowed))
