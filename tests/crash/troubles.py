# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Troubles of a host in the middle of a move: how each is made on the machine, and how it ends later."""

from __future__ import annotations

from typing import NamedTuple

# A program in the place of another, whatever name that is called by; `condition` says for which calls `action` is done first.
_INSTEAD = """
set -e
real=$(readlink -f "$(command -v {program})"); kept=/usr/local/lib/crash-{program}
cp --preserve "$real" $kept
cat > /run/crash-{program} <<'F'
#!/bin/bash
if {condition} && {times}; then {action}; fi
exec -a "${{0##*/}}" {kept} "$@"
F
chmod 755 /run/crash-{program}
touch /run/crash-trouble
mount --bind /run/crash-{program} "$real"
"""
_TIMES = {"all": "[ -e /run/crash-trouble ]", "one": "rm /run/crash-trouble 2>/dev/null"}
_BACK = r"""
rm -f /run/crash-trouble
while pgrep -f '^sleep 45.0625' > /dev/null; do sleep 0.5; done
grep -o ' /usr/s\?bin/[^ ]* ' /proc/self/mountinfo | xargs -r umount
sleep 3
"""
# Docker cannot start any more, also at a boot, and does not run.
_LOSE_DOCKER = """
mkdir -p /etc/systemd/system/docker.service.d
printf '[Service]\\nExecStartPre=/bin/false\\n' > /etc/systemd/system/docker.service.d/crash.conf
sync
systemctl daemon-reload
systemctl stop docker.socket docker.service
"""
# What needs Docker has to wait meanwhile, and nobody tells it that Docker is back.
_REPAIR = """
set -e
sleep 5
rm /etc/systemd/system/docker.service.d/crash.conf
systemctl daemon-reload
systemctl reset-failed docker.socket docker.service
systemctl start docker.socket docker.service
"""
# Root has blocks of its own, so it takes what there is until nothing is left.
_FILL = """
size=$((1 << 40)); number=0
while [ $size -ge 4096 ]; do
    number=$((number + 1))
    fallocate --length $size /var/tmp/crash-full-$number 2>/dev/null || size=$((size / 2))
done
"""
_EMPTY = "rm -f /var/tmp/crash-full-*; systemctl daemon-reload; sleep 3\n"
# It lies in the memory, of which it takes no more than it has.
_NARROW = "mount -o remount,size=$(($(df --output=used /run | tail -n 1) + 4))k /run\n"
_WIDEN = "mount -o remount,size=20% /run; systemctl daemon-reload; sleep 3\n"
_READ_ONLY = "mount --rbind {folder} {folder} && mount -o remount,bind,ro {folder}\n"
_WRITABLE = "umount --lazy {folder}; systemctl daemon-reload; sleep 3\n"
# What others could not remove there is in the way until somebody does: of this service's unit, of containers in Docker.
_CLEARED = """
rm -f /run/systemd/transient/docker_to_podman-workloads.service
systemctl daemon-reload
systemctl restart containerd
"""
_STATE, _GRAPH = "/var/lib/docker_to_podman", "/var/lib/containers/storage"


class Trouble(NamedTuple):
    """Shell scripts: ``make`` it in the middle of a move, and ``end`` it when the program that moves has ended. ``lasts``:
    until then, so that an undo may fail, too."""

    make: str
    end: str = ""
    lasts: bool = False


def _instead(program: str, times: str, action: str, condition: str = "true") -> Trouble:
    kept = f"/usr/local/lib/crash-{program}"
    action = action.format(kept=kept)
    made = _INSTEAD.format(program=program, condition=condition, times=_TIMES[times], action=action, kept=kept)
    return Trouble(made, _BACK, times == "all")


def _named(program: str) -> str:
    """A condition: it was called by this name, of several that the program has."""
    return f'[ "${{0##*/}}" = {program} ]'


_HANG = "sleep 45.0625"
_FAIL, _KILLED = "echo 'It fails.' >&2; exit 1", 'timeout --signal=KILL 0.15 {kept} "$@"; exit'
_RELOAD = '[[ " $* " = *" daemon-reload "* ]]'
_GONE = Trouble(_LOSE_DOCKER, _REPAIR, True)

TROUBLES = {
    "kill": Trouble(""),
    "power": Trouble(""),
    "reboot": Trouble("systemctl reboot --no-block"),
    "again": Trouble(""),
    "absent": _GONE,
    "dark": _GONE,
    "hang all podman": _instead("podman", "all", _HANG),
    **{f"hang one {program}": _instead(program, "one", _HANG) for program in ("podman", "systemctl", "nft", "ip")},
    "fail one nft": _instead("nft", "one", _FAIL),
    "fail all nft": _instead("nft", "all", _FAIL),
    "fail one iptables": _instead("iptables-restore", "one", _FAIL, _named("iptables-restore")),
    "fail all iptables": _instead("iptables-restore", "all", _FAIL, _named("iptables-restore")),
    "fail one daemon-reload": _instead("systemctl", "one", _FAIL, _RELOAD),
    "fail all daemon-reload": _instead("systemctl", "all", _FAIL, _RELOAD),
    "killed podman": _instead("podman", "one", _KILLED),
    "killed conmon": Trouble("pkill --signal KILL --exact conmon || true"),
    "killed dockerd": Trouble("pkill --signal KILL --exact dockerd || true"),
    "restarted dockerd": Trouble("systemctl restart --no-block docker.service"),
    "slow dockerd": Trouble(
        "pkill --signal STOP --exact dockerd || true\n"
        "systemd-run --quiet sh -c 'sleep 20; pkill --signal CONT --exact dockerd'"
    ),
    "full disk": Trouble(_FILL, _EMPTY, True),
    "read-only state": Trouble(_READ_ONLY.format(folder=_STATE), _WRITABLE.format(folder=_STATE), True),
    "read-only graph root": Trouble(_READ_ONLY.format(folder=_GRAPH), _WRITABLE.format(folder=_GRAPH), True),
    "read-only run": Trouble(_READ_ONLY.format(folder="/run"), _WRITABLE.format(folder="/run") + _CLEARED, True),
    "full run": Trouble(_NARROW, _WIDEN, True),
}
"""By the end of a case. With ``kill``, ``again``, ``absent`` the program is killed then, with ``power`` and ``dark`` the machine
loses its power; in all others the move goes on."""
