# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Podman's own generator and systemd's own checker say about units.

The generator writes files as it does at boot, since these are what systemd reads, links of [Install] included. It
says the same as with --dryrun: errors and warnings go to stderr, each as one line.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.podshift.docker_to_podman.tests.generator.rootfs import rootfs

GENERATOR = "/usr/lib/systemd/system-generators/podman-system-generator"
# Everything of a case lies in a folder of its own, so names of units need not differ between cases.
SCRIPT = """
set -eu
root=$1 work=$2
shift 2
mount --rbind /proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --rbind /sys "$root/sys"
mount --bind "$work" "$root/mnt"
verify() {
    folder=$1
    set --
    for service in "$work/$folder/services/"*.service; do
        [ ! -e "$service" ] || set -- "$@" "/mnt/$folder/services/${service##*/}"
    done
    [ $# = 0 ] || SYSTEMD_UNIT_PATH="/mnt/$folder/services:" chroot "$root" systemd-analyze verify --man=no "$@"
}
"""
GENERATE = f"""
for folder; do
    code=0
    QUADLET_UNIT_DIRS="/mnt/$folder/units" chroot "$root" {GENERATOR} -no-kmsg-log "/mnt/$folder/services" \\
        >"$work/$folder/generator" 2>&1 || code=$?
    echo $code >"$work/$folder/generator.code"
    code=0
    verify "$folder" >"$work/$folder/verify" 2>&1 || code=$?
    echo $code >"$work/$folder/verify.code"
done
"""
# systemd has no test mode for root, and allows itself another user only in a namespace of its own.
DUMP = """
HOME=/mnt XDG_RUNTIME_DIR=/mnt SYSTEMD_LOG_TARGET=console SYSTEMD_UNIT_PATH=/mnt: \
    unshare --user --map-user=1000 --keep-caps chroot "$root" \
    /usr/lib/systemd/systemd --test --user --no-pager --unit="$1"
"""
_UNIT = re.compile(r"(?:→|->) Unit ")
_PROCESS = re.compile(r"^quadlet-generator\[\d+\]: ")
_PLACE = re.compile(r"/mnt/\d+/(units|services)/")


@dataclass(frozen=True)
class Result:
    """services: name -> text; links: of [Install], WANTS-FOLDER/NAME; messages, verify: empty when all is well."""

    services: Mapping[str, str]
    links: Sequence[str]
    exit_code: int
    messages: Sequence[str]
    verify: Sequence[str]


def version(suite: str) -> str:
    """The version of Podman, like 5.4.2; Debian testing moves on."""
    with tempfile.TemporaryDirectory() as work:
        return _inside(suite, Path(work), f'chroot "$root" {GENERATOR} -version').strip()


def generate(suite: str, units: Mapping[str, str]) -> Result:
    """Generate and verify the services of one host; units: file name -> text."""
    return generate_all(suite, {"": units})[""]


def generate_all(suite: str, cases: Mapping[str, Mapping[str, str]]) -> dict[str, Result]:
    """The same for many hosts, by any names, that know nothing of each other."""
    jobs = os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        for number, units in enumerate(cases.values()):
            _lay_out(work / str(number), units)
        folders = [str(number) for number in range(len(cases))]
        rootfs(suite)  # Now, as one of the threads would wait for another that builds it.
        with ThreadPoolExecutor(jobs) as pool:
            chunks = [folders[job::jobs] for job in range(jobs)]
            list(pool.map(lambda chunk: _inside(suite, work, GENERATE, *chunk), chunks))
        return {case: _result(work / folder) for case, folder in zip(cases, folders, strict=True)}


def verify(suite: str, services: Mapping[str, str]) -> list[str]:
    """What systemd-analyze says about services that were written by hand."""
    with tempfile.TemporaryDirectory() as work:
        _write(Path(work, "0", "services"), services)
        return _messages(_inside(suite, Path(work), "verify 0 2>&1 || true"))


def command_lines(key: str, service: str, text: str) -> list[str]:
    """The command lines of a service's ExecStart= (or another key) as systemd itself reads and prints them.

    It prints them with specifiers expanded, variables not, in the quotes of a shell. Debian 13's does it: newer ones
    refuse to start where the machine has cgroup v1.
    """
    with tempfile.TemporaryDirectory() as work:
        Path(work, service).write_text(text)
        dump = _inside("trixie", Path(work), DUMP, service)
    (own,) = (part for part in _UNIT.split(dump) if part.startswith(service + ":"))
    block = re.search(rf"(?:→|->) {key}:\n((?:\t+Command Line: .*\n)+)", own)
    return re.findall(r"Command Line: (.*)", block.group(1)) if block else []


def _lay_out(folder: Path, units: Mapping[str, str]) -> None:
    _write(folder / "units", units)
    _write(folder / "services", {})


def _write(folder: Path, files: Mapping[str, str]) -> None:
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text)


def _inside(suite: str, work: Path, script: str, *arguments: str) -> str:
    """What a script says that has $root, with $work mounted in it; mounts end with the process."""
    as_root = [] if os.geteuid() == 0 else ["--map-root-user"]
    done = subprocess.run(
        ["unshare", "--mount", *as_root, "sh", "-c", SCRIPT + script, "sh", str(rootfs(suite)), str(work), *arguments],
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"unshare failed with exit code {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def _result(folder: Path) -> Result:
    services = folder / "services"
    verify, code = _messages((folder / "verify").read_text()), int((folder / "verify.code").read_text())
    return Result(
        services={path.name: path.read_text() for path in sorted(services.glob("*.service"))},
        links=sorted(str(path.relative_to(services)) for path in services.glob("*/*")),
        exit_code=int((folder / "generator.code").read_text()),
        messages=_messages((folder / "generator").read_text()),
        verify=verify or ([f"exit code {code}"] if code else []),
    )


def _messages(said: str) -> list[str]:
    return [_PLACE.sub("", _PROCESS.sub("", line)) for line in said.splitlines()]
