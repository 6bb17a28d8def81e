"""``jupyter mlops models show``: all that is known of one version, without fetching its weights."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jupyter_mlops.cli.console import Console, ago, size

if TYPE_CHECKING:
    from jupyter_mlops.flow import Workbench
    from jupyter_mlops.registry.models import ModelVersion
    from jupyter_mlops.registry.tensors import Header
    from jupyter_mlops.registry.trained import Trained

SHOWN = 20
"""Tensors of a file that are listed; ``--json`` has all."""

_UNITS = ("", "K", "M", "B", "T")


def show_version(arguments: argparse.Namespace, console: Console, bench: Workbench) -> None:
    """Facts, signature, datasets and tensors of a version."""
    from jupyter_mlops.registry.models import to_json
    from jupyter_mlops.registry.ranges import headers_of
    from jupyter_mlops.registry.trained import datasets_of
    from jupyter_mlops.registry.verdicts import newest

    version = bench.models.find(arguments.words[1])
    verdict = newest(bench.store, f"models/{version.name}", version.digest)
    trained, headers = datasets_of(bench.lineage, version), headers_of(bench.store, version)
    if console.as_json:
        console.emit(
            {
                **to_json(version),
                "name": version.name,
                "card": dict(version.card),
                "scan": verdict,
                "datasets": [one.to_json() for one in trained],
                "tensors": {file: header.to_json() for file, header in headers.items()},
            }
        )
        return
    for line in (*_facts(version), *_verdict(verdict), *_columns(version), *_datasets(trained)):
        console.line(line)
    for file, header in headers.items():
        _tensors(file, header, console)


def _facts(version: ModelVersion) -> Iterator[str]:
    card = version.card
    yield f"{version.name}:{version.tag}  {version.digest}"
    if version.aliases:
        yield f"aliases    {', '.join(version.aliases)}"
    run = f", by run {version.run}" if version.run else ""
    yield f"registered {ago(version.created)}, {size(version.bytes)}{run}"
    kind = [version.format or "unknown", "a pickle" if card.get("pickle") else "", str(card.get("class") or "")]
    yield f"format     {', '.join(word for word in kind if word)}"
    packages = card.get("packages") or {}
    environment = [f"Python {card['python']}"] if card.get("python") else []
    environment += [f"{name} {number}" for name, number in dict(packages).items()]
    if environment:
        yield f"made with  {', '.join(environment)}"
    for name, value in version.metrics.items():
        yield f"metric     {name} = {value:.6g}"


def _verdict(verdict: Mapping[str, Any]) -> Iterator[str]:
    """What the last scan found, as whoever made it wrote it down."""
    if verdict:
        files = [file for file, one in dict(verdict.get("files") or {}).items() if not dict(one).get("harmless")]
        found = f"{', '.join(files)} may run code" if files else "nothing that runs code"
        yield f"scanned    {found} ({verdict.get('time')}, {verdict.get('actor')})"


def _columns(version: ModelVersion) -> Iterator[str]:
    for side, tensors in (("input", version.inputs), ("output", version.outputs)):
        for tensor in tensors:
            yield f"{side:<10} {tensor.get('name') or '-'}: {tensor.get('datatype', '?')} {_shape(tensor)}".rstrip()


def _shape(tensor: Mapping[str, Any]) -> str:
    shape = tensor.get("shape")
    return str(list(shape)) if isinstance(shape, (list, tuple)) else ""


def _datasets(trained: Sequence[Trained]) -> Iterator[str]:
    for one in trained:
        yield f"dataset    {one.name}:{one.tag}  {'loaded' if one.how == 'loaded' else 'registered by the same run'}"


def _tensors(file: str, header: Header, console: Console) -> None:
    kinds = ", ".join(f"{kind} {short(count)}" for kind, count in header.dtypes.items())
    console.line(f"{file}: {short(header.parameters)} parameters in {len(header.tensors)} tensors ({kinds or 'none'})")
    for name, text in header.metadata.items():
        console.line(f"  {name} = {text[:100]}")
    console.table(
        ("TENSOR", "TYPE", "SHAPE", "SIZE"),
        [(one.name, one.dtype, " x ".join(map(str, one.shape)) or "-", size(one.bytes)) for one in header.tensors[:SHOWN]],
    )
    if len(header.tensors) > SHOWN:
        console.line(f"… and {len(header.tensors) - SHOWN} more; --json has all")


def short(count: int) -> str:
    """A number of parameters as people say it: ``7.24B``."""
    power = 0
    number = float(count)
    while number >= 1000 and power < len(_UNITS) - 1:  # noqa: PLR2004 - a unit is a thousand of the one before
        number, power = number / 1000, power + 1
    return f"{number:.3g}{_UNITS[power]}" if power else str(count)
