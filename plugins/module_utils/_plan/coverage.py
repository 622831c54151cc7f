# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Walk a document of Docker and say what becomes of each value (private to the collection)."""

from __future__ import annotations

from typing import Any, Collection, Iterable, Iterator, Mapping, NamedTuple

from .._common.json import Json, dig, is_empty, text
from . import fields
from .model import BLOCKER, INFO, SEVERITIES, Finding

_ENTRY_NAMES = ("Destination", "Target", "Name", "Subnet", "PathInContainer")


class Value(NamedTuple):
    """A value at a path: ``path`` names entries (Mounts[/data].Mode), ``row_path`` is how the table writes it."""

    path: str
    row_path: str
    value: Any


def coverage(
    document: Json, rows: Mapping[str, fields.Field], image: Json, own_defaults: Mapping[str, Any]
) -> dict[str, str]:
    """What becomes of every path with a value: the words of the plan's ``coverage``; blockers included.

    ``image`` is compared with for rows of the kind ``image``; ``own_defaults`` are the document's own default values.
    """
    return {
        found.path: "default" if _is_own(found, own_defaults) else _status(found, rows.get(found.row_path), image)
        for found in values(document, rows)
        if not is_empty(found.value)
    }


def _is_own(found: Value, own_defaults: Mapping[str, Any]) -> bool:
    return found.row_path in own_defaults and found.value == own_defaults[found.row_path]


def findings(
    subject: str, document: Json, covered: Mapping[str, str], rows: Mapping[str, fields.Field]
) -> list[Finding]:
    """A finding for each path whose row says that Podman has nothing like it, and for each that has no row."""
    return [
        _finding(subject, found.path, rows.get(found.row_path))
        for found in values(document, rows)
        if covered.get(found.path) in SEVERITIES
    ]


def _finding(subject: str, path: str, row: fields.Field | None) -> Finding:
    if row:
        return Finding(row.kind, row.code, subject, path, row.remark, row.remedy or "None needed.")
    message = f"{path} has a value, and nothing is known about this field."
    remedy = f"Report it to the project with the version of Docker. If it does not matter there, accept it with policy.accept: ['{path}']."
    return Finding(BLOCKER, "unknown-field", subject, path, message, remedy)


def with_findings(covered: dict[str, str], found: Iterable[Finding]) -> dict[str, str]:
    """The coverage in which a path that warns or blocks says so, whatever its row promised."""
    worst = {item.path: item.severity for item in found if item.severity != INFO}
    return {path: worst.get(path, word) for path, word in covered.items()}


def values(document: Any, rows: Mapping[str, fields.Field]) -> Iterator[Value]:
    """The values of a document at the depth of the rows; below a path without a row, every leaf."""
    maps = {row.split(".*")[0] for row in rows if ".*" in row}
    return _values(document, rows, maps, "", "")


def _values(
    document: Any, rows: Mapping[str, fields.Field], maps: Collection[str], path: str, row_path: str
) -> Iterator[Value]:
    if row_path in rows or not isinstance(document, (dict, list)) or not document:
        yield Value(path, row_path, document)
    elif isinstance(document, dict):
        for key, value in document.items():
            dot = "." if path else ""
            yield from _values(value, rows, maps, path + dot + key, row_path + dot + ("*" if row_path in maps else key))
    else:
        for number, entry in enumerate(document):
            name = _entry_name(entry, number)
            yield from _values(entry, rows, maps, f"{path}[{name}]", row_path + "[]")


def _entry_name(entry: Any, number: int) -> str:
    names = [text(entry.get(key)) for key in _ENTRY_NAMES] if isinstance(entry, dict) else []
    return next((name for name in names if name), str(number))


def _status(found: Value, row: fields.Field | None, image: Json) -> str:
    if row is None:
        return BLOCKER
    if row.is_default(found.value):
        return "default"
    if row.kind == fields.IMAGE:
        same = found.value == dig(image, found.row_path)
        return "image-default" if same else fields.TRANSLATED
    return row.kind
