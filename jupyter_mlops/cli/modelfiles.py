"""``jupyter mlops models import`` and ``export``: models that were made elsewhere, and ours for elsewhere."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_mlops.cli.console import Console, size
from jupyter_mlops.errors import WrongUsage

if TYPE_CHECKING:
    from jupyter_mlops.flow import Workbench

FORMATS = ("mlflow",)


def import_files(arguments: argparse.Namespace, console: Console, bench: Workbench) -> None:
    """A folder of MLflow or Hugging Face, or a file, becomes the next version of a model."""
    from jupyter_mlops.cli.scan import meaning, scan_version
    from jupyter_mlops.cli.transfer import Transfer
    from jupyter_mlops.registry.imports import import_model
    from jupyter_mlops.registry.models import to_json

    source, name = arguments.words[1:]
    with Transfer(console) as shown:
        made = import_model(bench.store, Path(source), name, shown)
    version = bench.models.find(f"{made.name}:{made.tag}")
    found = scan_version(version.reference, console, bench)
    if console.as_json:
        console.emit({**to_json(version), "name": version.name, "card": dict(version.card)})
        return
    console.line(f"{made.name}:{made.tag} is registered, {version.format}, {size(version.bytes)}")
    for file, verdict in found.items():
        console.note(meaning(file, verdict))
    if (version.card.get("huggingface") or {}).get("own_code"):
        console.note("It asks for code of its own (auto_map), which is not run here.")


def export_files(arguments: argparse.Namespace, console: Console, bench: Workbench) -> None:
    """Write a version as another program takes it."""
    from jupyter_mlops.cli.transfer import Transfer
    from jupyter_mlops.registry.mlflowout import export_mlflow

    if arguments.format not in FORMATS:
        raise WrongUsage(
            f"export takes --format {' or '.join(FORMATS)}, not {arguments.format or 'nothing'}",
            fix="Files as they are: jupyter mlops models pull. For MLflow: models export NAME[:TAG] FOLDER --format mlflow",
        )
    version, folder = bench.models.find(arguments.words[1]), Path(arguments.words[2])
    with Transfer(console) as shown:
        export_mlflow(bench.models, version, folder, shown)
    if console.as_json:
        console.emit({"name": version.name, "tag": version.tag, "digest": version.digest, "folder": str(folder)})
    else:
        console.line(f"{version.name}:{version.tag} is in {folder}, for MLflow")
