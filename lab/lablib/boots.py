"""What machines boot from, and when they have booted."""

from __future__ import annotations

import functools
from pathlib import Path

from . import cache, debian, image, ssh

PROGRAMS = ("mmdebstrap", "mke2fs", "apt-ftparchive", "ssh", "ssh-keygen")
VERSIONS = (
    "uname -r; docker version --format '{{.Server.Version}}'; docker compose version --short 2> /dev/null || echo none"
)
# All that starts at a boot has started.
BOOTED = "systemctl is-system-running --wait && docker info > /dev/null"


def layer(name: str) -> Path:
    """Disk, kernel and initrd of a machine, built when absent."""
    debian.require(*PROGRAMS)
    machine = image.definition(name)
    key = ssh.identity().with_suffix(".pub").read_text().strip()
    content = {part: machine[part] for part in ("suite", "disk", "packages", "repository")}
    return cache.layer(
        "boot",
        name,
        cache.key({**content, "ssh_key": key}, [Path(image.__file__), Path(debian.__file__), image.OVERLAY]),
        functools.partial(image.build_machine, machine, key),
    )


def say_versions(port: int) -> None:
    """What the machine has; Debian testing drifts."""
    kernel, docker, compose = ssh.run(port, VERSIONS).split()
    cache.say(f"kernel {kernel}, Docker {docker}, Compose {compose}")
