"""Root file systems from Debian's packages: the machine's disk and the application images."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml

from . import cache
from .cache import LabError

LAB = Path(__file__).resolve().parent.parent
SMALL = ["usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/i18n", "usr/share/info"]
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


def require(*programs: str) -> None:
    """Name every missing program at once."""
    missing = [name for name in programs if shutil.which(name, path=_path()) is None]
    if missing:
        raise LabError(f"Install what the lab needs first; missing: {', '.join(missing)}.")


def _path() -> str:
    return os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


def run(argv: list[str], log: Path, cwd: Path | None = None) -> None:
    """Run a program, its output into a log that the error quotes."""
    with log.open("ab") as output:
        done = subprocess.run(
            argv, cwd=cwd, stdout=output, stderr=output, stdin=subprocess.DEVNULL,
            env={**os.environ, "PATH": _path(), "LC_ALL": "C.UTF-8"}, check=False,
        )  # fmt: skip
    if done.returncode:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise LabError(f"{argv[0]} failed with exit code {done.returncode}:\n{tail}")


def apt_lines(*argv: str) -> list[str]:
    """What this machine's own apt says; nothing where there is no apt."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return []
    return done.stdout.splitlines() if done.returncode == 0 else []


def mmdebstrap(suite: str, target: Path, options: list[str], log: Path) -> None:
    """One root file system as a tar, from the mirror this machine uses itself."""
    sites = apt_lines(
        "apt-get", "indextargets", "--format", "$(REPO_URI)",
        "Created-By: Packages", "Origin: Debian", "Label: Debian",
    )  # fmt: skip
    mirror = [uri for uri in sites if uri.startswith(("http://", "https://"))][:1]
    proxies = [
        f"--aptopt={line}"
        for line in apt_lines("apt-config", "dump", "Acquire::http", "Acquire::https")
        if "::Proxy " in line
    ]
    mode = "root" if os.geteuid() == 0 else "unshare"
    run(
        ["mmdebstrap", f"--mode={mode}", "--aptopt=Acquire::Check-Valid-Until \"false\"",
         *proxies, *options, suite, str(target), *mirror],
        log,
    )  # fmt: skip


def build_machine(machine: dict[str, Any], public_key: str, work: Path) -> None:
    """Disk, kernel and initrd of a machine that has not booted yet."""
    overlay = LAB / "machines" / "overlay"
    in_root = 'chroot "$1"'
    hooks = [
        # Before the packages, so that the first initrd is already the small one.
        f"--essential-hook=sync-in {overlay} /",
        f"--customize-hook=sync-in {overlay} /",
        f"--customize-hook={in_root} sh -c 'rm -f /etc/apt/apt.conf.d/99mmdebstrap'",
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
    # Owners and devices of the tree can be kept by root, or pretended to.
    as_root = [] if os.geteuid() == 0 else ["fakeroot", "--"]
    cache.say("making the disk")
    run([*as_root, "sh", "-c", DISK_SCRIPT, "sh", machine["disk"]], log, cwd=work)
    run([*as_root, "rm", "-rf", "root", "root.tar"], log, cwd=work)


def build_application(application: str, suite: str, work: Path) -> None:
    """A tar for every image that the application names."""
    folder = LAB / "apps" / application
    for name, image in images(application).items():
        files = folder / "images" / image["folder"]
        hooks = [f"--essential-hook=sync-in {files} /"] if files.is_dir() else []
        hooks += [f"--customize-hook={hook}" for hook in image.get("hooks", [])]
        excluded = [*SMALL, *image.get("exclude", [])]
        cache.say(f"making the image {name}")
        mmdebstrap(
            suite,
            work / f"{image['folder']}.tar",
            ["--variant=essential", f"--include={','.join(image['packages'])}", *hooks]
            + [f"--dpkgopt=path-exclude=/{path}/*" for path in excluded],
            work / "build.log",
        )


def images(application: str) -> dict[str, dict[str, Any]]:
    """apps/NAME/images.yml: image name -> {folder, packages, changes, hooks, exclude}."""
    loaded: dict[str, dict[str, Any]] = yaml.safe_load((LAB / "apps" / application / "images.yml").read_text())
    return loaded
