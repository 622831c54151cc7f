# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A start in Podman before the real one, of a container and a network that nobody misses (private to the collection).

The first start since a boot loads AppArmor's profile and the kernel's modules, and reads from the disk what the next one
finds in memory: about half of the time that it takes (docs/performance.md). The first pod makes Podman's pause image.
"""

from __future__ import annotations

import threading
from pathlib import Path

from .._common import deadlines
from .._common.command import CommandError, run
from .._common.files import make_folder
from .._common.json import Json
from .._network.probe import ReachError, free_subnet, routes
from .._state.records import SCRATCH_DIR

_NAME, _LINK = "docker_to_podman-rehearsal", "pm-rehearsal"
_POD = _NAME + "-pod"
_SECONDS = 60
_one_at_a_time = threading.Lock()


def is_over(record: Json) -> bool:
    """Whether there was one since the host booted."""
    return _mark(record).exists()


def _mark(record: Json) -> Path:
    """Gone with the next boot."""
    return Path(SCRATCH_DIR, "rehearsed-pod" if record.get("pod") else "rehearsed")


def perform(record: Json) -> None:
    """Go all the way of a start but for the application itself. Nothing depends on it: what fails is passed over."""
    with _one_at_a_time:
        if is_over(record):
            return
        forget(record)
        flags = ["--image-volume=ignore", "--no-healthcheck", "--pull=never", "--name=" + _NAME]
        for image in record["images"][:1]:
            _try("podman", "create", *flags, "--network=" + _network(record), image)
            _try("podman", "init", _NAME)
        if record.get("pod"):
            # Podman does not sync its pause image, and with half of one, after a power cut, no pod starts any more.
            _try("podman", "pod", "create", "--network=none", "--name=" + _POD)
            _try("sync", "--file-system", record["graph_root"])
        forget(record)
        make_folder(Path(SCRATCH_DIR))
        _mark(record).touch()


def _network(record: Json) -> str:
    """A network of its own, where the workload has a bridge: Netavark makes the host forward packets. Without names, because
    port 53 may be taken, and on a subnet that the host has no route to, which Podman would not look at."""
    if not record["bridges"]:
        return "none"
    try:
        subnet = free_subnet(4, routes(4))
    except (ReachError, CommandError):
        return "none"
    _try("podman", "network", "create", "--disable-dns", "--subnet=" + subnet, "--interface-name=" + _LINK, _NAME)
    return _NAME


def forget(record: Json) -> None:
    """Remove what there is of it."""
    with deadlines.within(_SECONDS):
        if record.get("pod"):
            _try("podman", "pod", "rm", "--force", "--ignore", _POD)
        _try("podman", "rm", "--force", "--ignore", "--time=0", _NAME)
        _try("podman", "network", "rm", _NAME)
        # A container that could not be started leaves the bridge behind.
        _try("ip", "link", "delete", _LINK, "type", "bridge")


def _try(*argv: str) -> None:
    try:
        run(argv, check=False, timeout=_SECONDS)
    except CommandError:
        # It took too long.
        return
