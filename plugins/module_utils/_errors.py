# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The errors that a user can do something about (private to the collection)."""

from __future__ import annotations

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._command import CommandError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._docker import DockerError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._host_state import StateError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._images import ImageError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._move_error import MoveError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._reach import ReachError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._signals import Interrupted
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._tree import TreeError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._trouble import sentence
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._units import UnitError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._volumes import VolumeError

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
