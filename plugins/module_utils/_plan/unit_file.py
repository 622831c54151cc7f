# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Quadlet unit, and its text for one version of Podman (private to the collection)."""

from __future__ import annotations

from typing import Iterable, Mapping, NamedTuple, Sequence

from . import quadlet
from ._tables.options import LIST, SECTIONS, Option, Setting
from .model import PlanError, Version, is_carried
from .quadlet import Line, word

_ARGUMENT_LIMIT = 130000
"""Bytes; Linux takes no longer argument of a program than 128 KiB (MAX_ARG_STRLEN)."""


class Unit(NamedTuple):
    """A file: the settings of its own section, and the lines that systemd reads itself."""

    file_name: str
    section: str
    settings: Sequence[Setting]
    unit: Sequence[Line] = ()
    service: Sequence[Line] = ()
    is_wanted: bool = False
    companions: Mapping[str, str] = {}
    """Files that lie beside the unit and that it refers to: name -> text."""

    def files(self, version: Version) -> dict[str, str]:
        """The unit and its companions, by file name. PlanError when a value cannot be carried."""
        return {self.file_name: self.text(version), **self.companions}

    def text(self, version: Version) -> str:
        """The file. PlanError when a value cannot be carried."""
        sections = {
            "Unit": self.unit,
            self.section: lines(self.section, self.settings, version),
            "Service": self.service,
            "Install": [("WantedBy", "multi-user.target")] if self.is_wanted else [],
        }
        return quadlet.render(sections)


def lines(section: str, settings: Iterable[Setting], version: Version) -> list[Line]:
    """The lines of a section for one version of Podman. PlanError when a value cannot be carried at all."""
    return [_line(SECTIONS[section][name], value, version) for name, value in settings]


def _line(option: Option, value: str, version: Version) -> Line:
    if option.style is not LIST:
        require_argument(value, _place(option, value))
    if version >= option.since and option.style.fits(value):
        return option.key, option.style.encode(value)
    if not option.flag:
        raise PlanError(f"{option.key}= cannot carry its value")
    return "PodmanArgs", word(option.argument(value))


def _place(option: Option, value: str) -> str:
    """The option, with the name of a variable or label. No value: nothing that goes wrong may quote one."""
    name = value.partition("=")[0]
    is_named = option.key in ("Environment", "Label", "Annotation") and "=" in value and quadlet.is_single_line(name)
    return "{}={}".format(
        option.key or option.flag.partition("=")[0], name[:80] if is_named and is_carried(name) else ""
    )


def require_argument(value: str, place: str) -> None:
    """PlanError for what cannot be an argument of a program in a unit; ``place`` says what it is."""
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise PlanError(f"{place} has a value that is not Unicode") from None
    if size > _ARGUMENT_LIMIT:
        raise PlanError(f"{place} has a value of {size} bytes, longer than an argument of a program can be")
    if "\0" in value or not is_carried(value):
        raise PlanError(f"{place} has a character that no unit can carry (NUL, U+0080 or a noncharacter of Unicode)")
