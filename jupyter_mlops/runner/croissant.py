"""The Croissant card of a dataset: what its files and columns are, in the words that search engines and loaders read.

JSON-LD after the Croissant format 1.0 (http://mlcommons.org/croissant/1.0). Paths of files are relative to the card, which is
pulled beside them. What nobody told (licence, citation, a page on the web) is left out rather than made up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jupyter_mlops.oci.modelpack import TITLE
from jupyter_mlops.oci.store import Descriptor

CARD = "croissant.json"
CARD_TYPE = "application/ld+json"

CONTEXT: Mapping[str, Any] = {
    "@language": "en", "@vocab": "https://schema.org/", "citeAs": "cr:citeAs", "column": "cr:column",
    "conformsTo": "dct:conformsTo", "cr": "http://mlcommons.org/croissant/", "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"}, "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/", "examples": {"@id": "cr:examples", "@type": "@json"}, "extract": "cr:extract",
    "field": "cr:field", "fileProperty": "cr:fileProperty", "fileObject": "cr:fileObject", "fileSet": "cr:fileSet",
    "format": "cr:format", "includes": "cr:includes", "isLiveDataset": "cr:isLiveDataset", "jsonPath": "cr:jsonPath",
    "key": "cr:key", "md5": "cr:md5", "parentField": "cr:parentField", "path": "cr:path", "recordSet": "cr:recordSet",
    "references": "cr:references", "regex": "cr:regex", "repeated": "cr:repeated", "replace": "cr:replace",
    "sc": "https://schema.org/", "separator": "cr:separator", "source": "cr:source", "subField": "cr:subField",
    "transform": "cr:transform",
}  # fmt: skip
"""The context of the format, word for word: loaders compare it."""

_ENCODINGS = {"application/vnd.apache.parquet": "application/x-parquet"}
"""Media types that loaders of this format know by another name."""

_TABLES = ("text/csv", "application/vnd.apache.parquet")


def croissant(name: str, number: int, created: str, layers: Sequence[Descriptor], facts: Mapping[str, Any]) -> dict[str, Any]:
    """The card of version ``number`` of a dataset.

    Args:
        name: of the dataset.
        number: of the version.
        created: RFC 3339.
        layers: its files.
        facts: its config: the columns of a frame become the fields of the one record set.
    """
    files = [(layer.annotations[TITLE], layer) for layer in layers]
    card: dict[str, Any] = {
        "@context": dict(CONTEXT),
        "@type": "sc:Dataset",
        "name": name,
        "description": _description(name, facts, len(files)),
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "version": f"{number}.0.0",
        "datePublished": created,
        "distribution": [_file(title, layer) for title, layer in files],
    }
    tables = [title for title, layer in files if layer.media_type in _TABLES]
    columns = [column for column in facts.get("columns") or () if column.get("name")]
    if len(tables) == 1 and columns:
        card["recordSet"] = [
            {
                "@type": "cr:RecordSet",
                "@id": "rows",
                "name": "rows",
                "field": [_field(tables[0], column) for column in columns],
            }
        ]
    return card


def _description(name: str, facts: Mapping[str, Any], files: int) -> str:
    rows = facts.get("rows")
    held = f"{rows} rows" if rows is not None else f"{files} file{'s' if files != 1 else ''}"
    return f"{name}: {held}, recorded from a notebook."


def _file(title: str, layer: Descriptor) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": title,
        "name": title,
        "contentUrl": title,
        "contentSize": f"{layer.size} B",
        "encodingFormat": _ENCODINGS.get(layer.media_type, layer.media_type),
        "sha256": layer.digest.partition(":")[2],
    }


def _field(table: str, column: Mapping[str, Any]) -> dict[str, Any]:
    name = str(column["name"])
    return {
        "@type": "cr:Field",
        "@id": f"rows/{name}",
        "name": name,
        "dataType": _data_type(str(column.get("datatype", "")), str(column.get("arrow", ""))),
        "source": {"fileObject": {"@id": table}, "extract": {"column": name}},
    }


def _data_type(datatype: str, arrow: str) -> str:
    """The type of schema.org for ours, or for Arrow's where that tells more."""
    if arrow.startswith(("date", "timestamp")):
        return "sc:Date"
    if datatype == "BOOL":
        return "sc:Boolean"
    if datatype.startswith(("INT", "UINT")):
        return "sc:Integer"
    return "sc:Float" if datatype.startswith("FP") else "sc:Text"
