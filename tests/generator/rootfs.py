# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Root file systems with the podman and systemd of a Debian release, unpacked in the lab's cache and never booted."""

from __future__ import annotations

import functools
from pathlib import Path

from ansible_collections.podshift.docker_to_podman.lab.lablib import cache, debian

SUITES = ("trixie", "forky")
# Debian's base-files brings /bin and /lib; nothing else of a system is needed, not even a shell.
PACKAGES = ("base-files", "podman", "systemd")
# Devices cannot be made by an ordinary user, the rest is a third of the size and read by nobody.
LEFT_OUT = (
    "./dev/*",
    *(f"./usr/share/{name}/*" for name in ("doc", "i18n", "info", "locale", "man", "perl", "perl5", "zoneinfo")),
)


def rootfs(suite: str) -> Path:
    """The root file system of a suite, built when absent."""
    key = cache.key({"suite": suite}, [Path(__file__), Path(debian.__file__)])
    return cache.layer("generator", suite, key, functools.partial(_build, suite)) / "root"


def _build(suite: str, work: Path) -> None:
    """Packages are extracted and not installed: programs run all the same, and it takes seconds."""
    log, archive, root = work / "build.log", work / "root.tar", work / "root"
    debian.require("mmdebstrap", "tar", "unshare", "chroot")
    debian.mmdebstrap(suite, archive, ["--variant=extract", f"--include={','.join(PACKAGES)}"], log)
    root.mkdir()
    excluded = [f"--exclude={pattern}" for pattern in LEFT_OUT]
    debian.run(
        ["tar", "--no-same-owner", "--no-same-permissions", *excluded, "-xf", str(archive), "-C", str(root)], log
    )
    (root / "mnt").mkdir()
    archive.unlink()
