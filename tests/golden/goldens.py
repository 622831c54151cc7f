"""What real engines said about real containers, as inventories; see README.md. Python 3.8, standard library only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, Iterator

HERE = Path(__file__).resolve().parent

Json = Dict[str, Any]


def inventories() -> Iterator[tuple[str, Json]]:
    """``("docker-26.1/NAME", inventory)`` for every recorded case, in a fixed order."""
    for folder in sorted(HERE.glob("docker-*")):
        engine = _load(folder / "engine.json")
        for path in sorted(folder.glob("*.json")):
            if path.name != "engine.json":
                yield "{0}/{1}".format(folder.name, path.stem), inventory(engine, _load(path))


def inventory(engine: Json, case: Json) -> Json:
    """The inventory of a host on which nothing but this case runs."""
    named = {item["Config"]["Image"] for item in case["containers"]}
    needed = {item["Image"] for item in case["containers"]} | named | {name + ":latest" for name in named}
    images = [item for item in engine["images"] + case["images"] if needed & {item["Id"], *(item["RepoTags"] or [])}]
    return {
        "format": 1,
        "engine": engine["engine"],
        "containers": case["containers"],
        "images": images,
        "networks": case["networks"],
        "volumes": case["volumes"],
    }


def _load(path: Path) -> Json:
    document: Json = json.loads(path.read_text(encoding="utf-8"))
    return document
