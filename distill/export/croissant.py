"""A corpus as Croissant 1.1 describes it (JSON-LD): its files with their sha256, and the records in them."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

VERSION = "http://mlcommons.org/croissant/1.1"
CONTEXT = {  # of the specification
    "@language": "en", "@vocab": "https://schema.org/", "arrayShape": "cr:arrayShape", "citeAs": "cr:citeAs", "column": "cr:column",
    "conformsTo": "dct:conformsTo", "containedIn": "cr:containedIn", "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/", "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"}, "dct": "http://purl.org/dc/terms/", "description": {"@container": "@language"},
    "equivalentProperty": "cr:equivalentProperty", "examples": {"@id": "cr:examples", "@type": "@json"}, "extract": "cr:extract",
    "field": "cr:field", "fileProperty": "cr:fileProperty", "fileObject": "cr:fileObject", "fileSet": "cr:fileSet", "format": "cr:format",
    "includes": "cr:includes", "isArray": "cr:isArray", "isLiveDataset": "cr:isLiveDataset", "jsonPath": "cr:jsonPath", "key": "cr:key",
    "md5": "cr:md5", "name": {"@container": "@language"}, "parentField": "cr:parentField", "path": "cr:path", "recordSet": "cr:recordSet",
    "references": "cr:references", "regex": "cr:regex", "repeated": "cr:repeated", "replace": "cr:replace",
    "samplingRate": "cr:samplingRate", "sc": "https://schema.org/", "separator": "cr:separator", "source": "cr:source",
    "subField": "cr:subField", "transform": "cr:transform",
}  # fmt: skip
FIELDS = {  # of an Example: how its column is read, and what it means
    "id": ({}, "the problem's"),
    "role": ({"isArray": True, "arrayShape": "-1"}, "who speaks, turn by turn: system, user or assistant"),
    "content": (
        {"isArray": True, "arrayShape": "-1"},
        "what is said, turn by turn; the assistant's turn is what the student learns to write",
    ),
}


def describe(name: str, description: str, parts: Sequence[Path], licence: str, citation: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metadata of the JSON Lines files `parts` of `Example` records; `citation` is that of CITATION.cff."""
    creators = [{"@type": "Organization", "name": each["name"]} for each in citation["authors"] if "name" in each]
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": VERSION,
        "name": name,
        "description": description,
        **({"license": f"https://spdx.org/licenses/{licence}"} if licence else {}),
        "version": str(citation["version"]),
        "datePublished": str(citation["date-released"]),
        "creator": creators,
        "citeAs": f"{citation['title']}, version {citation['version']}, {citation['date-released']}",
        "distribution": [_file(path) for path in parts],
        "recordSet": [_records(path) for path in parts],
    }


def _file(path: Path) -> dict[str, Any]:
    with path.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    about = {"@type": "cr:FileObject", "@id": path.name, "name": path.name, "contentUrl": path.name}
    return about | {"contentSize": f"{path.stat().st_size} B", "encodingFormat": "application/jsonlines", "sha256": sha256}


def _records(path: Path) -> dict[str, Any]:
    fields = []
    for name, (shape, meaning) in FIELDS.items():
        column = {"column": "id"} if name == "id" else {"column": "messages"}
        source = {"fileObject": {"@id": path.name}, "extract": column} | ({"transform": {"jsonPath": f"$[*].{name}"}} if shape else {})
        about = {"@type": "cr:Field", "@id": f"{path.stem}/{name}", "name": name, "description": meaning, "dataType": "sc:Text"}
        fields.append(about | shape | {"source": source})
    return {"@type": "cr:RecordSet", "@id": path.stem, "name": path.stem, "key": {"@id": f"{path.stem}/id"}, "field": fields}
