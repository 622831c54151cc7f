# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One row for every path of Docker's documents: what becomes of it (private to the collection).

A row covers its path and everything below it. ``[]`` stands for an entry of a list, ``*`` for a key of a map. A path
without a row whose value is set is a blocker: nothing vanishes.

Source of the paths: the Engine API's definition, 1.40 to 1.56.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Iterable

TRANSLATED = "translated"
"""It is written into a unit or a finding by the translation."""
IMAGE = "image"
"""Translated where it differs from the image, whose Config has the same key."""
RUNTIME = "runtime"
"""What the engine made of it or measured; not a setting."""
NOT_APPLICABLE = "not-applicable"
"""It has no effect on what runs."""
UNTRANSLATED = "untranslated"
"""A setting that is not translated yet: any value but a default one is a blocker."""


@dataclass(frozen=True)
class Field:
    """What becomes of one path; ``defaults`` are the values that mean "not set" beside the empty ones."""

    path: str
    kind: str
    defaults: tuple[Any, ...] = field(default=())


_MASKED_20 = ["/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats"]
_MASKED_20 += ["/proc/sched_debug", "/proc/scsi", "/sys/firmware"]
_MASKED_PATHS = (
    ["/proc/asound", *_MASKED_20],
    ["/proc/asound", *_MASKED_20, "/sys/devices/virtual/powercap"],
)
_READONLY_PATHS = (["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],)


def _rows(kind: str, prefix: str, names: str) -> list[Field]:
    return [Field(prefix + name, kind) for name in names.split()]


def _defaults(prefix: str, rows: dict[str, tuple[Any, ...]]) -> list[Field]:
    return [Field(prefix + name, UNTRANSLATED, defaults) for name, defaults in rows.items()]


CONTAINER: tuple[Field, ...] = (
    *_rows(RUNTIME, "", """
        Id Created Path Args ResolvConfPath HostnamePath HostsPath LogPath RestartCount Driver Platform
        ImageManifestDescriptor MountLabel ProcessLabel AppArmorProfile ExecIDs GraphDriver Storage SizeRootFs"""),
    *_rows(TRANSLATED, "", "Name State Image SizeRw"),
    *_rows(IMAGE, "Config.", "Env Cmd WorkingDir Entrypoint Labels User StopSignal"),
    *_rows(IMAGE, "Config.Healthcheck.", "Test Interval Timeout Retries StartPeriod StartInterval"),
    *_rows(TRANSLATED, "Config.", "Image Volumes StopTimeout ExposedPorts"),
    *_rows(NOT_APPLICABLE, "Config.", "AttachStdin AttachStdout AttachStderr ArgsEscaped OnBuild"),
    *_rows(UNTRANSLATED, "Config.", "Hostname Domainname Tty OpenStdin StdinOnce NetworkDisabled MacAddress"),
    *_defaults("Config.", {"Shell": (["/bin/sh", "-c"],)}),
    *_rows(TRANSLATED, "HostConfig.", "Binds NetworkMode PortBindings RestartPolicy LogConfig.Config PidsLimit"),
    *_rows(TRANSLATED, "HostConfig.Mounts[].", "Source Target ReadOnly"),
    *_rows(NOT_APPLICABLE, "HostConfig.Mounts[].", "Consistency BindOptions.CreateMountpoint"),
    *_rows(UNTRANSLATED, "HostConfig.Mounts[].", "BindOptions VolumeOptions ImageOptions TmpfsOptions ClusterOptions"),
    Field("HostConfig.Mounts[].Type", UNTRANSLATED, ("bind", "volume")),
    *_rows(NOT_APPLICABLE, "HostConfig.", "ContainerIDFile ConsoleSize Isolation Cgroup"),
    *_rows(UNTRANSLATED, "HostConfig.", """
        VolumeDriver VolumesFrom AutoRemove Annotations CapAdd CapDrop Dns DnsOptions DnsSearch ExtraHosts GroupAdd
        Links OomScoreAdj PidMode Privileged PublishAllPorts ReadonlyRootfs SecurityOpt StorageOpt Tmpfs UTSMode
        UsernsMode Sysctls Init Capabilities CpuShares Memory CgroupParent BlkioWeight BlkioWeightDevice
        BlkioDeviceReadBps BlkioDeviceWriteBps BlkioDeviceReadIOps BlkioDeviceWriteIOps CpuPeriod CpuQuota
        CpuRealtimePeriod CpuRealtimeRuntime CpusetCpus CpusetMems Devices DeviceCgroupRules DeviceRequests
        MemoryReservation MemorySwap NanoCpus OomKillDisable Ulimits CpuCount CpuPercent IOMaximumIOps
        IOMaximumBandwidth KernelMemoryTCP KernelMemory"""),
    *_defaults("HostConfig.", {
        "CgroupnsMode": ("private",),
        "IpcMode": ("private",),
        "ShmSize": (67108864,),
        "Runtime": ("runc", "io.containerd.runc.v2"),
        "MemorySwappiness": (-1,),
        "LogConfig.Type": ("json-file", "journald"),
        "MaskedPaths": _MASKED_PATHS,
        "ReadonlyPaths": _READONLY_PATHS,
    }),
    *_rows(RUNTIME, "NetworkSettings.", """
        SandboxID SandboxKey Bridge HairpinMode LinkLocalIPv6Address LinkLocalIPv6PrefixLen SecondaryIPAddresses
        SecondaryIPv6Addresses EndpointID Gateway GlobalIPv6Address GlobalIPv6PrefixLen IPAddress IPPrefixLen
        IPv6Gateway MacAddress"""),
    *_rows(TRANSLATED, "NetworkSettings.", "Ports"),
    *_rows(RUNTIME, "NetworkSettings.Networks.*.", """
        NetworkID EndpointID Gateway IPAddress IPPrefixLen IPv6Gateway GlobalIPv6Address GlobalIPv6PrefixLen DNSNames
        MacAddress"""),
    *_rows(TRANSLATED, "NetworkSettings.Networks.*.", "Aliases"),
    *_rows(UNTRANSLATED, "NetworkSettings.Networks.*.", "IPAMConfig Links DriverOpts GwPriority"),
    *_rows(TRANSLATED, "Mounts[].", "Name Source Destination RW"),
    *_defaults("Mounts[].", {
        "Type": ("bind", "volume"),
        "Driver": ("local",),
        "Mode": ("z", "ro", "rw", "rw,z", "ro,z"),
        "Propagation": ("rprivate",),
    }),
)  # fmt: skip

NETWORK: tuple[Field, ...] = (
    *_rows(RUNTIME, "", "Id Created Containers Services Peers Status"),
    *_rows(TRANSLATED, "", "Name EnableIPv6 Internal Labels"),
    *_rows(TRANSLATED, "IPAM.Config[].", "Subnet Gateway IPRange"),
    *_rows(UNTRANSLATED, "IPAM.Config[].", "AuxiliaryAddresses"),
    *_rows(NOT_APPLICABLE, "", "Attachable"),
    *_rows(UNTRANSLATED, "", "Ingress ConfigFrom.Network ConfigOnly IPAM.Options"),
    *_defaults("", {
        "Driver": ("bridge",),
        "Scope": ("local",),
        "EnableIPv4": (True,),
        "IPAM.Driver": ("default",),
        "Options": ({"com.docker.network.enable_ipv6": "false"}, {"com.docker.network.enable_ipv4": "true"},
                    {"com.docker.network.enable_ipv4": "true", "com.docker.network.enable_ipv6": "false"}),
    }),
)  # fmt: skip

VOLUME: tuple[Field, ...] = (
    *_rows(RUNTIME, "", "CreatedAt Mountpoint Status UsageData"),
    *_rows(TRANSLATED, "", "Name Labels"),
    *_rows(UNTRANSLATED, "", "Options ClusterVolume"),
    *_defaults("", {"Driver": ("local",), "Scope": ("local",)}),
)


def index(rows: Iterable[Field]) -> dict[str, Field]:
    """The rows by path."""
    return {row.path: row for row in rows}
