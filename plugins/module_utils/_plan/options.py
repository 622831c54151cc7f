# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Podman's options: the Quadlet key of each, the first Podman with it, and the flag before (private to the collection).

Source of the versions: the key tables of Podman's Quadlet generator, release by release.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Tuple

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.model import Version
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.quadlet import (
    Line,
    is_single_line,
    unexpanded,
    word,
)

OLDEST: Version = (5, 0, 0)
"""The oldest Podman that is planned for: the first with .pod units."""
START_WITH_POD: Version = (5, 3, 0)
"""The first Podman that can leave a member out when its pod starts."""

NEVER: Version = (999, 0, 0)


@dataclass(frozen=True)
class Option:
    """How one option is written: ``key`` since ``since``, else ``--flag=value`` through PodmanArgs=."""

    key: str
    since: Version
    flag: str
    encode: Callable[[str], str] = unexpanded


def _row(key: str, since: str, flag: str, encode: Callable[[str], str] = unexpanded) -> Option:
    major, minor = since.split(".")
    return Option(key, (int(major), int(minor), 0), flag, encode)


def _flag_only(flag: str) -> Option:
    return Option("", NEVER, flag)


CONTAINER: dict[str, Option] = {
    "image": _row("Image", "4.4", ""),
    "name": _row("ContainerName", "4.4", "name"),
    "pod": _row("Pod", "5.0", ""),
    "start_with_pod": _row("StartWithPod", "5.3", ""),
    "pull": _row("Pull", "4.6", "pull"),
    "exec": _row("Exec", "4.4", "", str),
    "entrypoint": _row("Entrypoint", "5.0", "entrypoint"),
    "env": _row("Environment", "4.4", "env", word),
    "unset_env": _flag_only("unsetenv"),
    "secret": _row("Secret", "4.5", "secret"),
    "label": _row("Label", "4.4", "label", word),
    "user": _row("User", "4.8", "user"),
    "workdir": _row("WorkingDir", "4.6", "workdir"),
    "publish": _row("PublishPort", "4.4", "publish"),
    "volume": _row("Volume", "4.4", "volume"),
    "mount": _row("Mount", "4.5", "mount", word),
    "network": _row("Network", "4.4", "network"),
    "cap_add": _row("AddCapability", "4.4", "cap-add"),
    "sysctl": _row("Sysctl", "4.6", "sysctl", word),
    "pids_limit": _row("PidsLimit", "4.7", "pids-limit"),
    "health_cmd": _row("HealthCmd", "4.5", "health-cmd"),
    "health_interval": _row("HealthInterval", "4.5", "health-interval"),
    "health_timeout": _row("HealthTimeout", "4.5", "health-timeout"),
    "health_retries": _row("HealthRetries", "4.5", "health-retries"),
    "health_start_period": _row("HealthStartPeriod", "4.5", "health-start-period"),
    "notify": _row("Notify", "5.0", "sdnotify"),
    "stop_signal": _row("StopSignal", "5.2", "stop-signal"),
    "stop_timeout": _row("StopTimeout", "5.0", "stop-timeout"),
}

POD: dict[str, Option] = {
    "name": _row("PodName", "5.0", "name"),
    "network": _row("Network", "5.0", "network"),
    "alias": _row("NetworkAlias", "5.2", "network-alias"),
    "publish": _row("PublishPort", "5.0", "publish"),
    "add_host": _row("AddHost", "5.3", "add-host"),
    "exit_policy": _row("ExitPolicy", "5.6", "exit-policy"),
    "share": _flag_only("share"),
    "sysctl": _flag_only("sysctl"),
}

NETWORK: dict[str, Option] = {
    "name": _row("NetworkName", "4.7", ""),
    "driver": _row("Driver", "4.4", "driver"),
    "subnet": _row("Subnet", "4.4", "subnet"),
    "gateway": _row("Gateway", "4.4", "gateway"),
    "ip_range": _row("IPRange", "4.4", "ip-range"),
    "ipv6": _row("IPv6", "4.4", "ipv6"),
    "internal": _row("Internal", "4.4", "internal"),
    "option": _row("Options", "4.4", "opt", word),
    "label": _row("Label", "4.4", "label", word),
    "interface": _row("InterfaceName", "5.6", "interface-name"),
}

VOLUME: dict[str, Option] = {
    "name": _row("VolumeName", "4.7", ""),
    "label": _row("Label", "4.4", "label", word),
    "device": _row("Device", "4.4", ""),
    "type": _row("Type", "4.4", ""),
    "options": _row("Options", "4.4", "opt", word),
}

SECTIONS = {"Container": CONTAINER, "Pod": POD, "Network": NETWORK, "Volume": VOLUME}

Setting = Tuple[str, str]
"""An option by its name in the table, and its value."""


def lines(section: str, settings: list[Setting], version: Version) -> list[Line]:
    """The lines of a section for one version of Podman."""
    return [_line(SECTIONS[section][name], value, version) for name, value in settings]


def _line(option: Option, value: str, version: Version) -> Line:
    fits = option.encode is not unexpanded or is_single_line(value)
    if version >= option.since and (fits or not option.flag):
        return option.key, option.encode(value)
    return "PodmanArgs", word(f"--{option.flag}={value}")
