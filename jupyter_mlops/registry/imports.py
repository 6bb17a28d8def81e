"""A model that was made elsewhere becomes a version: a folder of MLflow or Hugging Face, or one file. Nothing of it is loaded.

The files stay as they are, so that what came from MLflow goes back to it byte for byte; a card is put beside them.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jupyter_mlops.errors import NotFound, WrongUsage
from jupyter_mlops.oci.modelpack import PublishedModel, model_repository, publish_model
from jupyter_mlops.oci.progress import Progress
from jupyter_mlops.oci.store import Store
from jupyter_mlops.registry.mlflow import card_of, is_mlflow
from jupyter_mlops.registry.sniff import KINDS, Sniffed, sniff
from jupyter_mlops.registry.tensors import read_header

CARD = "mlops.json"
CONFIG = "config.json"
_WEIGHTS = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib")
"""Files of a Hugging Face folder that may be pickles, which its older models are."""


def import_model(store: Store, source: Path, name: str, progress: Progress | None = None) -> PublishedModel:
    """Publish a file or folder as the next version of a model.

    Args:
        store: where to.
        source: a folder that holds ``MLmodel``, one of Hugging Face with ``config.json``, or a file.
        name: of the model.
        progress: told of its layers while they are stored.

    Raises:
        NotFound: code ``no-such-file``.
        WrongUsage: code ``unknown-model-file``, ``bad-mlmodel``, ``unsafe-link`` or ``invalid-name``.
        Corrupt: code ``bad-tensors``.
        StorageFull, PlatformError: the store cannot be written.
    """
    model_repository(name)
    if not source.exists():
        raise NotFound(f"there is no {source}", code="no-such-file", fix="Name a file or folder that holds a model.")
    files, card = _read(source)
    card["name"] = name
    with tempfile.TemporaryDirectory(prefix="mlops-import-") as scratch:
        folder = Path(scratch)
        for place, path in files.items():
            target = folder / place
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(path)  # the store reads through it: nothing large is copied
        text = json.dumps(card, indent=1, sort_keys=True, allow_nan=False)
        (folder / CARD).write_text(text, encoding="utf-8")
        notes = {"format": str(card["format"])}
        key = f"import-{os.urandom(12).hex()}/{name}/1"
        return publish_model(store, name, folder, key=key, annotations=notes, metrics={}, progress=progress)


def _read(source: Path) -> tuple[Mapping[str, Path], dict[str, Any]]:
    """The files of a model by their places, and its card without the name."""
    if source.is_file():
        found = sniff(source)
        place = _named(source.name, found)
        return {place: source.resolve()}, _card(found.format, place, pickled=found.pickle)
    files = dict(sorted(_files(source)))
    if is_mlflow(source):
        return files, card_of(source)
    if CONFIG in files:
        return files, _huggingface(source, files)
    raise WrongUsage(
        f"{source} is no folder of a model: it has neither MLmodel nor {CONFIG}",
        code="unknown-model-file",
        fix=f"Give such a folder, or the model's file itself: {KINDS}.",
    )


def _card(format_: str, file: str, *, pickled: bool) -> dict[str, Any]:
    signature = {"kind": "any", "inputs": [], "outputs": []}
    return {"version": 1, "format": format_, "file": file, "pickle": pickled, "packages": {}, "signature": signature, "metrics": {}}


def _named(name: str, found: Sniffed) -> str:
    """Its name, with another end where its reader or a scan would take it for something else."""
    return name if not found.ends or name.endswith(found.ends) else Path(name).stem + found.ends[0]


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """The files of a folder; hidden ones and caches of code are nobody's model.

    Raises:
        WrongUsage: code ``unsafe-link``: a link leads out of the folder, and out of the Hub's cache that it is in.
    """
    root = folder.resolve()
    inside = [root, *([root.parents[1] / "blobs"] if root.parent.name == "snapshots" else [])]
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(each for each in folders if not each.startswith(".") and each != "__pycache__")
        linked = [each for each in folders if Path(place, each).is_symlink()]  # they are not walked into
        for name in (*linked, *names):
            path = Path(place, name)
            relative = path.relative_to(folder).as_posix()
            if name.startswith(".") or relative == CARD:
                continue
            target = path.resolve()
            if name in linked or not any(target.is_relative_to(each) for each in inside):
                raise WrongUsage(
                    f"{path} is a link to {target}, which is not part of the model",
                    code="unsafe-link",
                    fix="Put the file itself there, if it belongs to the model.",
                )
            yield relative, target


def _huggingface(folder: Path, files: Mapping[str, Path]) -> dict[str, Any]:
    """The card of a folder that ``save_pretrained`` wrote, or of a snapshot of the Hub."""
    try:
        said = json.loads(files[CONFIG].read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _unknown(folder, f"its {CONFIG} is not JSON") from error
    if not isinstance(said, dict) or not (said.get("model_type") or said.get("architectures")):
        raise _unknown(folder, f"its {CONFIG} names neither model_type nor architectures")
    tensors = [name for name in files if name.endswith(".safetensors")]
    for name in tensors:
        with files[name].open("rb") as file:
            read_header(file, files[name].stat().st_size, name)
    pickles = [name for name in files if name.endswith(_WEIGHTS)]
    if not tensors and not pickles:
        raise _unknown(folder, "it has no weights")
    card = _card("huggingface", CONFIG, pickled=bool(pickles))
    if said.get("transformers_version"):
        card["packages"] = {"transformers": str(said["transformers_version"])}
    card["huggingface"] = {
        "model_type": str(said.get("model_type") or ""),
        "architectures": [str(one) for one in said.get("architectures") or ()],
        "tokenizer": any(name.startswith("tokenizer") for name in files),
        "own_code": "auto_map" in said,
    }
    if card["huggingface"]["architectures"]:
        card["class"] = f"transformers.{card['huggingface']['architectures'][0]}"
    return card


def _unknown(folder: Path, why: str) -> WrongUsage:
    return WrongUsage(
        f"{folder} is no folder of a Hugging Face model: {why}",
        code="unknown-model-file",
        fix="Give what save_pretrained wrote, or a snapshot of the Hub.",
    )
