"""What a folder of MLflow says of its model, read without MLflow and without loading anything: flavors, signature, packages.

The folder is described in https://mlflow.org/docs/latest/ml/model/ ("Storage Format"). A flavor whose file one of our formats
reads is taken by that; what is left (own code beside the model, a flavor of another framework) is read by MLflow itself,
where it is installed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from jupyter_mlops.errors import WrongUsage
from jupyter_mlops.registry.mlflowtypes import from_mlflow

MLMODEL = "MLmodel"
LIMIT = 4 << 20
"""Bytes of a text of the folder at most."""

SAMPLE = 3
"""Rows of an input example that the card keeps, as of the sample of ``log_model``."""

_PINNED = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==([A-Za-z0-9.!+_-]+)")


def is_mlflow(folder: Path) -> bool:
    """Whether it is such a folder."""
    return (folder / MLMODEL).is_file()


def card_of(folder: Path) -> dict[str, Any]:
    """The card of a folder's model, without its name.

    Raises:
        WrongUsage: code ``bad-mlmodel``: no YAML, no flavor, or a flavor's file is not there.
    """
    said = _read(folder)
    flavors = {str(name): dict(one) for name, one in _map(said.get("flavors")).items() if isinstance(one, Mapping)}
    if not flavors:
        raise _bad(folder, "it names no flavor")
    python, requirements = _map(flavors.get("python_function")), _requirements(folder)
    format_, file, pickled = _file(folder, flavors)
    card: dict[str, Any] = {
        "version": 1,
        "format": format_,
        "file": file,
        "pickle": pickled,
        "packages": {found[1]: found[2] for line in requirements if (found := _PINNED.fullmatch(line.partition(";")[0].strip()))},
        "signature": from_mlflow(_map(said.get("signature"))),
        "metrics": {},
        "requirements": requirements,
        "mlflow": {
            "flavors": sorted(flavors),
            **{
                key: str(said[key])
                for key in ("mlflow_version", "model_id", "model_uuid", "run_id", "artifact_path", "utc_time_created")
                if said.get(key)
            },
        },
    }
    if python.get("python_version"):
        card["python"] = str(python["python_version"])
    if kind := _class(flavors):
        card["class"] = kind
    if sample := _example(folder, _map(said.get("saved_input_example_info"))):
        card["sample"] = {"instances": sample}
    return card


def _file(folder: Path, flavors: Mapping[str, Mapping[str, Any]]) -> tuple[str, str, bool]:
    """Format, file, and whether it is a pickle: of the first flavor whose file one of our formats reads alone."""
    for flavor, conf in flavors.items():
        found = _own(flavor, conf)
        if found is None:
            continue
        format_, file, pickled = found
        path = PurePosixPath(file)
        if path.is_absolute() or ".." in path.parts or not (folder / path).is_file():
            raise _bad(folder, f"its flavor {flavor} names {file!r}, which is not there")
        if len(path.parts) == 1 and not conf.get("code"):
            return format_, file, pickled
    if "python_function" not in flavors:
        raise _bad(folder, f"its flavors ({', '.join(sorted(flavors))}) are read neither by us nor as python_function")
    return "mlflow", MLMODEL, True


def _own(flavor: str, conf: Mapping[str, Any]) -> tuple[str, str, bool] | None:
    """What a flavor's file is for us. A pickle is read as one only under a name that scans know for one."""
    if flavor == "sklearn":
        file = str(conf.get("pickled_model") or "model.pkl")
        if conf.get("serialization_format") == "skops":
            return "skops", file, False
        return ("python", file, True) if file.endswith((".pkl", ".pickle")) else None
    data = str(conf.get("data") or "")
    if flavor == "xgboost" and data.endswith((".json", ".ubj", ".xgb", ".bin")):
        return "xgboost", data, False
    if flavor == "lightgbm" and str(conf.get("model_class", "lightgbm.basic.Booster")).endswith(".Booster"):
        return "lightgbm", data, False
    return ("onnx", data, False) if flavor == "onnx" and data else None


def _class(flavors: Mapping[str, Mapping[str, Any]]) -> str:
    return next((str(conf["model_class"]) for conf in flavors.values() if conf.get("model_class")), "")


def _read(folder: Path) -> Mapping[str, Any]:
    import yaml

    try:
        said = yaml.safe_load(_text(folder, MLMODEL))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise _bad(folder, f"it is not YAML: {str(error)[:300]}") from error
    if not isinstance(said, Mapping):
        raise _bad(folder, "it says nothing")
    return said


def _requirements(folder: Path) -> list[str]:
    """The lines of ``requirements.txt`` that name something."""
    if not (folder / "requirements.txt").is_file():
        return []
    lines = (line.partition(" #")[0].strip() for line in _text(folder, "requirements.txt").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _example(folder: Path, said: Mapping[str, Any]) -> list[Any]:
    """The first rows of the input example, where it is a table or an array; rows of a table are objects."""
    file = PurePosixPath(str(said.get("artifact_path") or ""))
    if len(file.parts) != 1 or file.suffix != ".json" or not (folder / file).is_file():
        return []
    try:
        found = json.loads(_text(folder, file.name))
    except ValueError:
        return []
    if isinstance(found, dict) and isinstance(found.get("columns"), list) and isinstance(found.get("data"), list):
        names = [str(name) for name in found["columns"]]
        rows = [row for row in found["data"][:SAMPLE] if isinstance(row, list) and len(row) == len(names)]
        return [dict(zip(names, row, strict=True)) for row in rows]
    if isinstance(found, dict):
        found = found.get("inputs", found.get("instances"))
    return found[:SAMPLE] if isinstance(found, list) else []


def _text(folder: Path, name: str) -> str:
    """A text of the folder. Raises WrongUsage, code ``bad-mlmodel``."""
    path = folder / name
    try:
        if path.stat().st_size > LIMIT:
            raise _bad(folder, f"{name} has more than {LIMIT} bytes")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _bad(folder, f"{name} cannot be read: {error}") from error


def _map(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _bad(folder: Path, why: str) -> WrongUsage:
    return WrongUsage(
        f"{folder / MLMODEL} cannot be used: {why}", code="bad-mlmodel", fix="Give a folder that mlflow.…save_model wrote, whole."
    )
