# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Quadlet unit before it is written for one version of Podman (private to the collection)."""

from __future__ import annotations

from typing import Mapping, NamedTuple, Sequence, Tuple

from . import quadlet
from ._tables import options
from .model import Version

Line = Tuple[str, str]


class Unit(NamedTuple):
    """A file: the settings of its own section, and the lines that systemd reads itself."""

    file_name: str
    section: str
    settings: Sequence[options.Setting]
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
            self.section: options.lines(self.section, self.settings, version),
            "Service": self.service,
            "Install": [("WantedBy", "multi-user.target")] if self.is_wanted else [],
        }
        return quadlet.render(sections)
