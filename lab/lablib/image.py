"""Root file systems from Debian's packages: the machine's disk and the application images."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import Any

import yaml

from . import cache, debian
from .cache import LabError
from .debian import mmdebstrap, require, run

LAB = Path(__file__).resolve().parent.parent
OVERLAY = LAB / "machines" / "overlay"
SMALL = ["usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/i18n", "usr/share/info"]
# What runs in a container does not depend on the host's Debian; PostgreSQL's paths in apps/ have its version in them.
SUITE = "trixie"
# Woken by the jump of the clock after a snapshot is loaded, they would work beside a test.
TIMERS = [f"{name}.timer" for name in ("apt-daily", "apt-daily-upgrade", "dpkg-db-backup", "e2scrub_all", "fstrim")]
DISK_SCRIPT = """
set -e
mkdir root
tar -C root --xattrs --xattrs-include='*' --numeric-owner -xf root.tar
cp root/boot/vmlinuz-* vmlinuz
cp root/boot/initrd.img-* initrd.img
mke2fs -q -F -t ext4 -d root disk.img "$1"
"""


def definition(machine: str) -> dict[str, Any]:
    """machines/NAME.yml."""
    path = LAB / "machines" / f"{machine}.yml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in path.parent.glob("*.yml")))
        raise LabError(f"There is no machine {machine!r}; known machines: {known}.")
    loaded: dict[str, Any] = yaml.safe_load(path.read_text())
    return loaded


def build_machine(machine: dict[str, Any], public_key: str, work: Path) -> None:
    """Disk, kernel and initrd of a machine that has not booted yet."""
    in_root = 'chroot "$1"'
    hooks = [
        # Before the packages, so that the first initrd is already the small one.
        f"--essential-hook=sync-in {OVERLAY} /",
        f"--customize-hook=sync-in {OVERLAY} /",
        '--customize-hook=rm -f "$1/etc/apt/apt.conf.d/99mmdebstrap"',
        *(
            f"--customize-hook={in_root} apt-get -qy -o APT::Install-Recommends=1 --download-only install {name}"
            for name in machine["repository"]
        ),
        '--customize-hook=mkdir "$1/srv/packages"',
        '--customize-hook=mv "$1"/var/cache/apt/archives/*.deb "$1/srv/packages/"',
        '--customize-hook=cd "$1/srv/packages" && apt-ftparchive packages . > Packages',
        '--customize-hook=rm -rf "$1"/etc/apt/sources.list* "$1"/var/lib/apt/lists/*',
        '--customize-hook=echo "deb [trusted=yes] file:/srv/packages ./" > "$1/etc/apt/sources.list"',
        f"--customize-hook={in_root} apt-get -q update",
        f"--customize-hook={in_root} systemctl enable systemd-networkd",
        f"--customize-hook={in_root} systemctl mask {' '.join(TIMERS)}",
        '--customize-hook=mkdir -m 0700 -p "$1/root/.ssh"',
        f'--customize-hook=echo "{public_key}" > "$1/root/.ssh/authorized_keys"',
    ]
    options = [
        "--variant=minbase", f"--include={','.join(machine['packages'])}",
        "--skip=cleanup/apt/lists", *hooks,
    ]  # fmt: skip
    log = work / "build.log"
    mmdebstrap(machine["suite"], work / "root.tar", options, log)
    # Root can give files to other owners; everybody else can pretend to.
    as_root = [] if os.geteuid() == 0 else ["fakeroot", "--"]
    require(*as_root[:1])
    cache.say("making the disk")
    run([*as_root, "sh", "-c", DISK_SCRIPT, "sh", machine["disk"]], log, cwd=work)
    run([*as_root, "rm", "-rf", "root", "root.tar"], log, cwd=work)


def application(name: str) -> Path:
    """The layer with the images of an application, built when absent."""
    folder = LAB / "apps" / name
    return cache.layer(
        "app",
        name,
        cache.key({}, [Path(__file__), Path(debian.__file__), folder / "images.yml", folder / "images"]),
        functools.partial(_build_application, name),
    )


def _build_application(application: str, work: Path) -> None:
    """A tar for every image that the application names."""
    folder = LAB / "apps" / application
    for name, image in images(application).items():
        files = folder / "images" / image["folder"]
        hooks = [f"--essential-hook=sync-in {files} /"] if files.is_dir() else []
        hooks += [f"--customize-hook={hook}" for hook in image.get("hooks", [])]
        excluded = [*SMALL, *image.get("exclude", [])]
        cache.say(f"making the image {name}")
        mmdebstrap(
            SUITE,
            work / f"{image['folder']}.tar",
            ["--variant=essential", f"--include={','.join(image['packages'])}", *hooks]
            + [f"--dpkgopt=path-exclude=/{path}/*" for path in excluded],
            work / "build.log",
        )


def images(application: str) -> dict[str, dict[str, Any]]:
    """apps/NAME/images.yml: image name -> {folder, packages, changes, hooks, exclude}."""
    loaded: dict[str, dict[str, Any]] = yaml.safe_load((LAB / "apps" / application / "images.yml").read_text())
    return loaded
