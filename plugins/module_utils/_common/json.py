# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Foreign JSON, read without surprises (private to the collection)."""

from __future__ import annotations

from typing import Any, Dict

Json = Dict[str, Any]
LARGEST = 1 << 63
"""Beyond all numbers of Docker's documents, which have 64 bits."""


def mapping(value: Any) -> Json:
    """``value`` when it is an object, else an empty one: Docker writes null for empty."""
    return value if isinstance(value, dict) else {}


def items(value: Any) -> list[Any]:
    """``value`` when it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def text(value: Any) -> str:
    """``value`` when it is a string, else an empty one."""
    return value if isinstance(value, str) else ""


def strings(value: Any) -> list[str]:
    """The strings of a list."""
    return [item for item in items(value) if isinstance(item, str)]


def dig(document: Any, path: str) -> Any:
    """The value at a dotted path, None when any part of it is missing."""
    for key in path.split("."):
        if not isinstance(document, dict):
            return None
        document = document.get(key)
    return document


def is_empty(value: Any) -> bool:
    """True for the ways in which Docker writes "not set"."""
    return value is None or value is False or value == "" or value == 0 or value == [] or value == {}
