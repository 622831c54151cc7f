# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of Quadlet units: quoting and rendering (private to the collection).

Quadlet splits some values like systemd does, takes others whole, and hands all of them to an ExecStart= in
which systemd expands ``%`` and ``$`` once more (facts: tried on the generators of 4.4 to 6.0).
"""

from __future__ import annotations

from typing import Iterable, Mapping, Sequence, Tuple

from .model import PlanError, is_carried

Line = Tuple[str, str]

_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}
# Unlike a condition, it tells who starts the unit that it does not start.
_BAR = "\n[Unit]\nAssertPathExists=!/\n"


def unexpanded(value: str) -> str:
    """Keep systemd from expanding specifiers and variables in a value that reaches ExecStart=."""
    return value.replace("%", "%%").replace("$", "$$")


def word(value: str) -> str:
    """One word of a value that Quadlet splits: quoted, with only the escapes that every version knows."""
    quoted = "".join(_ESCAPES.get(char) or _control(char) for char in value)
    return f'"{unexpanded(quoted)}"'


def _control(char: str) -> str:
    return f"\\x{ord(char):02x}" if ord(char) < 32 or ord(char) == 127 else char


def path_word(value: str) -> str:
    """A path in a key that systemd reads itself: specifiers are expanded there, variables are not."""
    quoted = "".join(_ESCAPES.get(char) or _control(char) for char in value)
    return '"{}"'.format(quoted.replace("%", "%%"))


def spaced(value: str) -> str:
    """One word of a value that Quadlet splits at blanks only: backslashes stay, quotes keep blanks together."""
    return unexpanded(f'"{value}"' if " " in value else value)


def words(values: Iterable[str]) -> str:
    """A list of words; the caller keeps out what no quoting can carry (see ``is_splittable``)."""
    return " ".join(word(value) for value in values)


def is_splittable(values: Sequence[str]) -> bool:
    """False when the words cannot travel as a list: an empty one ends it, a lone ``;`` separates commands."""
    return all(value not in ("", ";") and is_carried(value) for value in values)


def is_single_line(value: str) -> bool:
    """True when a value can be written without quoting: no line break that would start a line of its own."""
    has_control = any(ord(char) < 32 or ord(char) == 127 for char in value)
    return not has_control and value == value.strip() and not value.endswith("\\")


def is_plain(value: str) -> bool:
    """True when a key that takes its value whole takes this one: 5.0 to 5.8.1 strip outer quotes (facts, 2.2)."""
    return bool(value) and is_single_line(value) and not value.startswith('"') and not value.endswith('"')


def is_spaced(value: str) -> bool:
    """True for what ``spaced`` can carry."""
    return is_plain(value) and not set(value) & set("\"'\\")


def render(sections: Mapping[str, Sequence[Line]]) -> str:
    """The text of a unit; sections without lines are left out. Raises PlanError rather than write a second line."""
    for section, lines in sections.items():
        for key, value in lines:
            if not is_single_line(value):
                raise PlanError(f"[{section}] {key}= cannot carry its value in one line")
    blocks = [
        f"[{name}]\n" + "".join(f"{key}={value}\n" for key, value in lines) for name, lines in sections.items() if lines
    ]
    return "\n".join(blocks)


def is_text_of(text: str | None, unit: str) -> bool:
    """Whether a text is that of a unit, awake, asleep or barred."""
    return text in states(unit)


def states(unit: str) -> tuple[str, str, str]:
    """The texts of a unit: awake, asleep, barred."""
    return unit, without_install(unit), barred(unit)


def without_install(unit: str) -> str:
    """The same unit, such that nothing starts it at boot."""
    return "\n".join(block for block in unit.split("\n\n") if not block.startswith("[Install]")).rstrip("\n") + "\n"


def barred(unit: str) -> str:
    """The same unit, such that nothing starts it at all; what runs goes on."""
    return without_install(unit) + _BAR
