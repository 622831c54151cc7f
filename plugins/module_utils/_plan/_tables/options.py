# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Podman's options: the Quadlet key of each, the first Podman with it, and the flag before (private to the collection).

Source of the versions: the key tables of Podman's Quadlet generator, release by release.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Callable, Tuple

from ..model import Version
from ..quadlet import is_plain, is_spaced, spaced, unexpanded, word

OLDEST: Version = (4, 4, 0)
"""The oldest Podman that is planned for: the first with Quadlet."""
PODS: Version = (5, 0, 0)
"""The first Podman with .pod units."""
START_WITH_POD: Version = (5, 3, 0)
"""The first Podman that can leave a member out when its pod starts."""
NAMED_RESOURCES: Version = (4, 7, 0)
"""The first Podman in which a .network or .volume unit says its object's name; before, it is systemd-UNIT."""
NETWORK_ARGUMENTS: Version = (4, 6, 0)
"""The first Podman in which .network and .volume units take PodmanArgs=."""
CONTAINER_NETWORK: Version = (5, 3, 0)
"""The first Podman in which Network= takes the file of another container."""
NOTIFY_HEALTHY: Version = (4, 7, 0)
"""The first Podman that can hold a start back until the container is healthy (podman-run(1), --sdnotify)."""
CONFIGURATION: Version = (4, 5, 0)
"""The first Podman that reads a containers.conf over all others (containers.conf(5), CONTAINERS_CONF_OVERRIDE)."""
NEVER: Version = (999, 0, 0)

_PORT = re.compile(r"\d+(-\d+)?(/(tcp|udp))?\Z")


@dataclass(frozen=True)
class Style:
    """How a key reads its value: which values it can carry, and how they are written."""

    fits: Callable[[str], bool]
    encode: Callable[[str], str]


WHOLE = Style(is_plain, unexpanded)
"""The rest of the line, as it is."""
WORD = Style(lambda _value: True, word)
"""Split like a command line: quotes and escapes."""
SPACED = Style(is_spaced, spaced)
"""Split at blanks."""
PORT = Style(lambda value: bool(_PORT.match(value)), str)
"""A port or a range, of TCP or UDP."""
LIST = Style(lambda _value: True, str)
"""Words that are quoted already."""


@dataclass(frozen=True)
class Option:
    """How one option is written: ``key`` since ``since``, else ``flag`` through PodmanArgs=.

    ``flag`` has ``{}`` where the value stands; without it, it is for the value ``true`` alone.
    """

    key: str
    since: Version
    flag: str
    style: Style = WHOLE

    def argument(self, value: str) -> str:
        """The option as an argument of ``podman run`` and its siblings."""
        return self.flag.replace("{}", value)


def _key(key: str, since: str, flag: str, style: Style = WHOLE) -> Option:
    major, minor = since.split(".")
    return Option(key, (int(major), int(minor), 0), flag, style)


def _flag(flag: str) -> Option:
    return Option("", NEVER, flag)


CONTAINER: dict[str, Option] = {
    "image": _key("Image", "4.4", ""),
    "name": _key("ContainerName", "4.4", "--name={}"),
    "pod": _key("Pod", "5.0", ""),
    "start_with_pod": _key("StartWithPod", "5.3", ""),
    "pull": _key("Pull", "4.6", "--pull={}"),
    "exec": _key("Exec", "4.4", "", LIST),
    "entrypoint": _key("Entrypoint", "5.0", "--entrypoint={}"),
    "env": _key("Environment", "4.4", "--env={}", WORD),
    "unset_env": _flag("--unsetenv={}"),
    "secret": _key("Secret", "4.5", "--secret={}", SPACED),
    "label": _key("Label", "4.4", "--label={}", WORD),
    "annotation": _key("Annotation", "4.4", "--annotation={}", WORD),
    "user": _key("User", "4.8", "--user={}"),  # 4.4 to 4.7 make root of a name
    "group_add": _key("GroupAdd", "5.1", "--group-add={}"),
    "workdir": _key("WorkingDir", "4.6", "--workdir={}"),
    "hostname": _key("HostName", "4.6", "--hostname={}"),
    "tty": _flag("--tty"),
    "interactive": _flag("--interactive"),
    "systemd": _flag("--systemd={}"),
    "init": _key("RunInit", "4.4", "--init"),
    "stop_signal": _key("StopSignal", "5.2", "--stop-signal={}"),
    "stop_timeout": _key("StopTimeout", "5.0", "--stop-timeout={}"),
    "health_cmd": _key("HealthCmd", "4.5", "--health-cmd={}"),
    "health_interval": _key("HealthInterval", "4.5", "--health-interval={}"),
    "health_timeout": _key("HealthTimeout", "4.5", "--health-timeout={}"),
    "health_retries": _key("HealthRetries", "4.5", "--health-retries={}"),
    "health_start_period": _key("HealthStartPeriod", "4.5", "--health-start-period={}"),
    "notify": _key("Notify", "5.0", "--sdnotify={}"),
    "log_driver": _key("LogDriver", "4.5", "--log-driver={}"),
    "log_opt": _key("LogOpt", "5.2", "--log-opt={}", SPACED),
    "network": _key("Network", "4.4", "--network={}"),
    "publish": _key("PublishPort", "4.4", "--publish={}"),
    "expose": _key("ExposeHostPort", "4.4", "--expose={}", PORT),
    "dns": _key("DNS", "4.7", "--dns={}"),
    "dns_option": _key("DNSOption", "4.7", "--dns-option={}"),
    "dns_search": _key("DNSSearch", "4.7", "--dns-search={}"),
    "add_host": _key("AddHost", "5.3", "--add-host={}"),
    "volume": _key("Volume", "4.4", "--volume={}"),
    "mount": _key("Mount", "4.5", "--mount={}", WORD),
    "volume_flag": _flag("--volume={}"),
    "mount_flag": _flag("--mount={}"),
    "tmpfs": _key("Tmpfs", "4.7", "--tmpfs={}"),  # 4.5 and 4.6 refuse a second colon
    "read_only": _key("ReadOnly", "4.4", "--read-only"),
    "read_only_tmpfs": _key("ReadOnlyTmpfs", "4.8", "--read-only-tmpfs={}"),
    "shm_size": _key("ShmSize", "4.7", "--shm-size={}"),
    "ipc": _flag("--ipc={}"),
    "pid": _flag("--pid={}"),
    "uts": _flag("--uts={}"),
    "cgroupns": _flag("--cgroupns={}"),
    "uid_map": _key("UIDMap", "4.8", "--uidmap={}"),
    "gid_map": _key("GIDMap", "4.8", "--gidmap={}"),
    "sysctl": _key("Sysctl", "4.6", "--sysctl={}", SPACED),
    "ulimit": _key("Ulimit", "5.0", "--ulimit={}"),  # 4.7 to 4.9 take one line only
    "pids_limit": _key("PidsLimit", "4.7", "--pids-limit={}"),
    "memory": _key("Memory", "5.5", "--memory={}"),
    "memory_reservation": _flag("--memory-reservation={}"),
    "memory_swap": _flag("--memory-swap={}"),
    "oom_score_adj": _flag("--oom-score-adj={}"),
    "cpus": _flag("--cpus={}"),
    "cpu_shares": _flag("--cpu-shares={}"),
    "cpu_period": _flag("--cpu-period={}"),
    "cpu_quota": _flag("--cpu-quota={}"),
    "cpuset_cpus": _flag("--cpuset-cpus={}"),
    "cpuset_mems": _flag("--cpuset-mems={}"),
    "blkio_weight": _flag("--blkio-weight={}"),
    "blkio_weight_device": _flag("--blkio-weight-device={}"),
    "device_read_bps": _flag("--device-read-bps={}"),
    "device_write_bps": _flag("--device-write-bps={}"),
    "device_read_iops": _flag("--device-read-iops={}"),
    "device_write_iops": _flag("--device-write-iops={}"),
    "device": _key("AddDevice", "4.4", "--device={}", SPACED),
    "device_cgroup_rule": _flag("--device-cgroup-rule={}"),
    "cap_add": _key("AddCapability", "4.4", "--cap-add={}", SPACED),
    "cap_drop": _key("DropCapability", "4.4", "--cap-drop={}", SPACED),
    "privileged": _flag("--privileged"),
    "no_new_privileges": _key("NoNewPrivileges", "4.4", "--security-opt=no-new-privileges"),
    "seccomp": _key("SeccompProfile", "4.4", "--security-opt=seccomp={}"),
    "apparmor": _key("AppArmor", "5.8", "--security-opt=apparmor={}"),
    "label_disable": _key("SecurityLabelDisable", "4.5", "--security-opt=label=disable"),
    "label_type": _key("SecurityLabelType", "4.5", "--security-opt=label=type:{}"),
    "label_level": _key("SecurityLabelLevel", "4.5", "--security-opt=label=level:{}"),
    "label_user": _flag("--security-opt=label=user:{}"),
    "label_role": _flag("--security-opt=label=role:{}"),
    "mask": _key("Mask", "4.6", "--security-opt=mask={}", WORD),
    "unmask": _key("Unmask", "4.6", "--security-opt=unmask={}", WORD),
    "runtime": _key("GlobalArgs", "4.8", "", WORD),
}

POD: dict[str, Option] = {
    "name": _key("PodName", "5.0", "--name={}"),
    "share": _flag("--share={}"),
    "exit_policy": _key("ExitPolicy", "5.6", "--exit-policy={}"),
    "network": _key("Network", "5.0", "--network={}"),
    "alias": _key("NetworkAlias", "5.2", "--network-alias={}"),
    "publish": _key("PublishPort", "5.0", "--publish={}"),
    "add_host": _key("AddHost", "5.3", "--add-host={}"),
    "sysctl": _flag("--sysctl={}"),
    "uid_map": _key("UIDMap", "5.3", "--uidmap={}"),
    "gid_map": _key("GIDMap", "5.3", "--gidmap={}"),
}

NETWORK: dict[str, Option] = {
    "name": _key("NetworkName", "4.7", ""),
    "driver": _key("Driver", "4.4", "--driver={}"),
    "subnet": _key("Subnet", "4.4", "--subnet={}"),
    "gateway": _key("Gateway", "4.4", "--gateway={}"),
    "ip_range": _key("IPRange", "4.4", "--ip-range={}"),
    "ipam_driver": _key("IPAMDriver", "4.4", "--ipam-driver={}"),
    "ipv6": _key("IPv6", "4.4", "--ipv6"),
    "internal": _key("Internal", "4.4", "--internal"),
    "option": _key("Options", "4.4", "--opt={}", WORD),
    "label": _key("Label", "4.4", "--label={}", WORD),
    "interface": _key("InterfaceName", "5.6", "--interface-name={}"),
}

VOLUME: dict[str, Option] = {
    "name": _key("VolumeName", "4.7", ""),
    "label": _key("Label", "4.4", "--label={}", WORD),
    "device": _key("Device", "4.4", "--opt=device={}"),
    "type": _key("Type", "4.4", "--opt=type={}"),
    "options": _key("Options", "4.4", "--opt=o={}"),
}

SECTIONS = {"Container": CONTAINER, "Pod": POD, "Network": NETWORK, "Volume": VOLUME}

Setting = Tuple[str, str]
"""An option by its name in the table, and its value."""
