# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A start in Podman before the real one, of a container and a network that nobody misses (private to the collection).

The first start since a boot loads AppArmor's profile and the kernel's modules, and reads from the disk what the next one
finds in memory: about half of the time that it takes (docs/performance.md).
"""

from __future__ import annotations

from pathlib import Path

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._command import run
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._host_state import SCRATCH_DIR, make_folder
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._transaction import Data

# Gone with the next boot.
_MARK = "rehearsed"


def is_over(_record: Data) -> bool:
    """Whether there was one since the host booted."""
    return Path(SCRATCH_DIR, _MARK).exists()


def perform(record: Data) -> None:
    """Go all the way of a start but for the application itself. Nothing depends on it, so it may fail."""
    forget(record)
    name, images = _name(record), record["images"][:1]
    flags = ["--image-volume=ignore", "--no-healthcheck", "--pull=never"]
    for image in images:
        run(["podman", "network", "create", name], check=False)
        run(["podman", "create", *flags, "--name=" + name, "--network=" + name, image], check=False)
        run(["podman", "init", name], check=False)
    forget(record)
    make_folder(Path(SCRATCH_DIR))
    Path(SCRATCH_DIR, _MARK).touch()


def forget(record: Data) -> None:
    """Remove container and network, should they be there."""
    name = _name(record)
    run(["podman", "rm", "--force", "--ignore", "--time=0", name])
    if run(["podman", "network", "exists", name], check=False).rc == 0:
        run(["podman", "network", "rm", name])


def _name(record: Data) -> str:
    return "docker_to_podman-rehearsal-" + str(record["containers"][0]["id"])[:12]
