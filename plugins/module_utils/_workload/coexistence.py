# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a workload that has moved needs whenever Docker starts beside it: Docker's bridges without the addresses that Podman
has now, and the way through Docker's firewall (private to the collection).

Each workload has a service of its own, which runs programs of the system on files, and no Python: an upgrade of the
distribution takes that away, while Docker still runs the other workloads.

    FOLDER/NAME/iptables.rules and others, of ip6tables too: input of iptables-restore (_network/forward.py, at_start)
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Mapping, Sequence

from .._common.command import run
from .._common.errors import UserError
from .._common.files import remove_file, sync_folder, text_of, write_file
from .._common.json import Json
from .._network import addresses, forward, iptables
from .._state.records import safe_name

UNIT_DIR = "/etc/systemd/system"
_UNIT = "docker_to_podman-coexist-{0}.service"
# Docker's own start may be awaited first.
_SECONDS = 300
_LOCK_SECONDS = 60
_TEXT = """\
[Unit]
Description=Keep Docker from the addresses of {name}, which moved to Podman, and let its traffic pass
ConditionPathExists={marker}
After=docker.service
PartOf=docker.service
Before=docker_to_podman-recover.service
StartLimitIntervalSec=60
StartLimitBurst=10

[Service]
Type=oneshot
# Those with a "-" may be refused: of two jumps they make one, or Docker has no rules of this family.
{commands}
# Docker itself may have changed its rules at the same moment.
Restart=on-failure
RestartSec=5

[Install]
WantedBy=docker.service
"""


def install(folder: Path, records: Sequence[Json]) -> None:
    """Have it hold from now on, at each start of Docker and at each boot, and prove it. UserError when it does not."""
    tables = {family: iptables.read(family) for family in iptables.FAMILIES}
    wanted = {_unit(record["workload"]): _files(folder, record, tables) for record in records if _is_bound(record)}
    if not wanted:
        return
    files = [item for texts in wanted.values() for item in texts.items()]
    changed = [(path, text) for path, text in files if not path.exists() or text_of(path) != text]
    for path, text in changed:
        write_file(path, text, mode=0o644 if path.parent == Path(UNIT_DIR) else 0o600)
    if changed or not all(Path(UNIT_DIR, "docker.service.wants", unit).is_symlink() for unit in wanted):
        # It has systemd read the units as well.
        run(["systemctl", "enable", "--quiet", *wanted])
        # The links that make them start with Docker.
        run(["sync", "--file-system", UNIT_DIR])
    # What systemd knows of starts before counts no more.
    run(["systemctl", "reset-failed", *wanted], check=False)
    # One that Docker's start has begun goes by what was written before.
    run(["systemctl", "restart", *wanted], timeout=_SECONDS)
    failed = [record["workload"] for record in records if not _is_so(record)]
    if failed:
        raise UserError(
            "Docker's bridges have addresses of {0}, or its firewall is closed to it, although systemctl restart {1} ended well; "
            "see systemctl cat {1} and iptables-save, and run this again.".format(failed[0], _unit(failed[0]))
        )


def holds(folder: Path, record: Json) -> bool:
    """Whether all of it is there, and holds now. Reads only."""
    paths = (_marker(folder, record["workload"]), Path(UNIT_DIR, _unit(record["workload"])))
    return not _is_bound(record) or (all(path.exists() for path in paths) and _is_so(record))


def end(folder: Path, record: Json) -> None:
    """Have it hold no longer: the service, which stays, does nothing without this file."""
    marker = _marker(folder, record["workload"])
    if marker.exists():
        marker.unlink()
        sync_folder(marker.parent)


def found() -> list[Path]:
    """The services that are there."""
    return sorted(Path(UNIT_DIR).glob(_UNIT.format("*")))


def remove(folder: Path, names: Sequence[str]) -> None:
    """Take service and files of workloads away."""
    units = [_unit(name) for name in names if Path(UNIT_DIR, _unit(name)).exists()]
    if units:
        # One that Docker's start has begun, or that waits for its next try, would fail without its files.
        run(["systemctl", "stop", *units], check=False, timeout=_SECONDS)
    forget(units)
    for name in names:
        shutil.rmtree(str(folder / safe_name(name)), ignore_errors=True)


def forget(units: Sequence[str]) -> None:
    """Take units of systemd away, and have it forget that they failed."""
    # Without a name it would be all of the host.
    if not units:
        return
    run(["systemctl", "disable", "--quiet", *units], check=False)
    for unit in units:
        remove_file(Path(UNIT_DIR, unit))
    run(["systemctl", "daemon-reload"])
    run(["systemctl", "reset-failed", *units], check=False)


def _is_so(record: Json) -> bool:
    return addresses.are_free(record) and addresses.is_open(record)


def _is_bound(record: Json) -> bool:
    """Whether anything of a workload lies on bridges; the host's own network has none."""
    return bool(record["bridges"] or any(network["bridge"] for network in record["networks"]))


def _unit(name: str) -> str:
    return _UNIT.format(safe_name(name))


def _marker(folder: Path, name: str) -> Path:
    return folder / safe_name(name) / "{0}.rules".format(iptables.FAMILIES[0])


def _files(folder: Path, record: Json, tables: Mapping[str, iptables.Tables]) -> dict[Path, str]:
    """The service and its files, with their texts."""
    name, bridges = record["workload"], [network["bridge"] for network in record["networks"] if network["bridge"]]
    marker, files = _marker(folder, name), {}
    commands = [
        _command("ip address flush label {0} scope global".format(addresses.require_plain(one))) for one in bridges
    ]
    for family, passage in addresses.passages(record, tables).items():
        # A family that Docker has no rules for now may get them when Docker is upgraded.
        for script in forward.at_start(tables[family], passage):
            path = marker.parent / "{0}.{1}".format(family, script.name)
            files[path] = script.text
            # Behind --wait the path would be a number of seconds, and nothing read.
            line = "flock --timeout {0} {1} {2}-restore --wait --noflush {3}"
            commands.append(_command(line.format(_LOCK_SECONDS, iptables.LOCK, family, path), script.is_spare))
    files.setdefault(marker, "")
    text = _TEXT.format(name=name, marker=marker, commands="\n".join(commands))
    return {**files, Path(UNIT_DIR, _unit(name)): text}


def _command(line: str, is_spare: bool = False) -> str:
    # Begun by env, a program has the rights of a service of the administrator's; SELinux gives less to an iptables that
    # systemd begins, for example not these files. It is found where dockerd finds it.
    return "ExecStart={0}/usr/bin/env {1}".format("-" if is_spare else "", line)
