# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The errors that a user can do something about (private to the collection)."""

from __future__ import annotations

import signal

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._command import CommandError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._docker import DockerError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._host_state import StateError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._images import ImageError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._move_error import MoveError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._reach import ReachError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._tree import TreeError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._units import UnitError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._volumes import VolumeError


class Interrupted(Exception):
    """The run was told to end; the message names the signal."""


# Anything else is a defect, and its traceback is in the service's log.
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
_SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


def heed_signals() -> None:
    """Make the signals that end a process an error instead."""
    for number in _SIGNALS:
        signal.signal(number, interrupt)


def interrupt(number: int, _frame: object) -> None:
    """Turn a signal into an error, so that what is under way is undone; a second one must not disturb that."""
    for each in _SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    raise Interrupted(
        "The run was ended by {0}; what was not committed is where it was before.".format(signal.Signals(number).name)
    )
