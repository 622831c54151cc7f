# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a row of the field tables says (private to the collection).

A row covers its path and everything below it. ``[]`` stands for an entry of a list, ``*`` for a key of a map. A path
without a row whose value is set is a blocker: nothing vanishes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Iterable

from .._common.json import LARGEST, Json, dig, is_empty, mapping, text
from ._tables.options import Setting
from .model import BLOCKER, INFO, WARNING

TRANSLATED = "translated"
"""It is written into a unit, or decides what is."""
IMAGE = "image"
"""Translated where it differs from the image, whose Config has the same key."""
RUNTIME = "runtime"
"""What the engine made of it or measured; not a setting."""
NOT_APPLICABLE = "not-applicable"
"""It has no effect on what runs; the remark says why."""
KINDS = (TRANSLATED, IMAGE, RUNTIME, NOT_APPLICABLE, INFO, WARNING, BLOCKER)
"""The last three: no Podman has it, and every value but a default one is a finding with the remark and the remedy."""

Reader = Callable[[Any], Iterable[str]]
"""From the value at a path to values of the option that it becomes; raises nothing."""


@dataclass(frozen=True)
class Field:
    """What becomes of one path.

    ``becomes``: the options it is written with, by their names in the option table, or other places in words.
    ``defaults``: the values that mean "not set" beside the empty ones. ``read``: for a path that becomes one option
    whatever else is set; others are read by the module of their topic. ``code``: of the finding.
    """

    path: str
    kind: str
    becomes: tuple[str, ...] = ()
    remark: str = ""
    defaults: tuple[Any, ...] = ()
    read: Reader | None = None
    code: str = "no-equivalent"
    remedy: str = ""

    def is_default(self, value: Any) -> bool:
        """True for a value that means "not set"."""
        return is_empty(value) or any(type(value) is type(default) and value == default for default in self.defaults)


def index(rows: Iterable[Field]) -> dict[str, Field]:
    """The rows by path."""
    return {row.path: row for row in rows}


def translated(prefix: str, rows: dict[str, tuple[Any, ...]]) -> list[Field]:
    """Rows for paths that become one option each: name -> (option, reader[, defaults])."""
    return [
        Field(prefix + name, TRANSLATED, (row[0],), read=row[1], defaults=tuple(row[2:])) for name, row in rows.items()
    ]


def rows(kind: str, prefix: str, names: str, *becomes: str, remark: str = "", remedy: str = "") -> list[Field]:
    """Rows of one kind for several names."""
    return [Field(prefix + name, kind, becomes, remark, remedy=remedy) for name in names.split()]


def settings(document: Json, table: Iterable[Field]) -> list[Setting]:
    """The settings of all rows that read their own value."""
    found = []
    for row in table:
        value = dig(document, row.path)
        if row.read and not row.is_default(value):
            found += [(row.becomes[0], one) for one in row.read(value)]
    return found


def number(value: Any) -> list[str]:
    """A whole number."""
    return [str(value)] if isinstance(value, int) and abs(value) < LARGEST else []


def word(value: Any) -> list[str]:
    """A string."""
    return [value] if isinstance(value, str) else []


def truth(value: Any) -> list[str]:
    """A switch that is on."""
    return ["true"] if value is True else []


def each(value: Any) -> list[str]:
    """Every string of a list."""
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def pairs(value: Any) -> list[str]:
    """``key=value`` for each entry of a map."""
    return ["{}={}".format(key, text(item)) for key, item in sorted(mapping(value).items())]


def throttles(value: Any) -> list[str]:
    """``path:rate`` or ``path:weight`` for each device of a list."""
    devices = [mapping(item) for item in value] if isinstance(value, list) else []
    return ["{}:{}".format(text(item.get("Path")), item.get("Rate", item.get("Weight", 0))) for item in devices]


def cores(value: Any) -> list[str]:
    """Billionths of a processor as a decimal number: 1500000000 -> 1.5."""
    return (
        ["{:.9f}".format(value / 1e9).rstrip("0").rstrip(".")]
        if isinstance(value, int) and abs(value) < LARGEST
        else []
    )
