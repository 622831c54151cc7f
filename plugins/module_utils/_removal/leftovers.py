# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a stopped dockerd is left, and the services of ours that are not needed any more (private to the collection).

Each part of a removal is a function that says what there is and, unless it is asked only, removes it.
"""

from __future__ import annotations

from typing import NamedTuple

from .._docker import daemons
from .._move import guard


class ResidueError(Exception):
    """Something must not be removed. The message says what and why."""


class Found(NamedTuple):
    """What of Docker is there, and what is left on purpose, each in a few words."""

    found: list[str]
    left: list[str]


def require_no_docker() -> None:
    """ResidueError while a dockerd runs whose rules are among this host's: nothing says which of them are whose."""
    found = [str(one) for one in daemons.running() if one.shares_network]
    if found:
        raise ResidueError(
            "dockerd runs ({0}), and its firewall rules cannot be told from those of a stopped one; stop it, and run this "
            "again.".format(", ".join(found))
        )


def remove_services(state_dir: str, check: bool) -> Found:
    """The services of this collection that help while workloads move, and their program."""
    # In check mode the task that retires the last engine has not been done.
    if guard.is_needed(state_dir) and not check:
        return Found([], guard.found(state_dir))
    result = Found(guard.found(state_dir), [])
    if not check:
        guard.remove(state_dir)
    return result
