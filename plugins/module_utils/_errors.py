# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The errors that a user can do something about (private to the collection)."""

from __future__ import annotations

from ._common.command import CommandError
from ._common.errors import sentence
from ._common.signals import Interrupted
from ._docker.api import DockerError
from ._images.selection import ImageError
from ._move_error import MoveError
from ._network.probe import ReachError
from ._podman.units import UnitError
from ._state.engine_state import StateError
from ._trees.rsync import TreeError
from ._volumes.locate import VolumeError

# Anything else, but for OSError, is a defect, and its traceback is in the service's log.
ERRORS = (
    CommandError,
    DockerError,
    ImageError,
    Interrupted,
    MoveError,
    ReachError,
    StateError,
    TreeError,
    UnitError,
    VolumeError,
)


def said(error: Exception) -> str:
    """The sentence of one of these errors, or of an OSError."""
    return sentence(error) if isinstance(error, OSError) else str(error)
