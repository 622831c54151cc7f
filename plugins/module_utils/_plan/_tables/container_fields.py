# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One row for every path of a container's document (private to the collection).

Source of the paths: the Engine API's definition, 1.40 to 1.56; of what they become: podman-run(1) and
podman-systemd.unit(5), and what was tried on real engines.
"""

from __future__ import annotations

from ..fields import (
    IMAGE,
    NOT_APPLICABLE,
    RUNTIME,
    TRANSLATED,
    Field,
    cores,
    each,
    number,
    pairs,
    rows,
    throttles,
    translated,
    truth,
    word,
)
from ..model import BLOCKER, INFO, WARNING

_MASKED_20 = ["/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats"]
_MASKED_20 += ["/proc/sched_debug", "/proc/scsi", "/sys/firmware"]
MASKED_PATHS = (
    ["/proc/asound", *_MASKED_20],
    ["/proc/asound", *_MASKED_20, "/sys/devices/virtual/powercap"],
    [
        "/proc/acpi",
        "/proc/asound",
        "/proc/interrupts",
        "/proc/kcore",
        "/proc/keys",
        "/proc/latency_stats",
        "/proc/sched_debug",
        "/proc/scsi",
        "/proc/timer_list",
        "/proc/timer_stats",
        "/sys/devices/virtual/powercap",
        "/sys/firmware",
    ],
)
"""Docker's defaults, in the order in which its versions write them; newer ones add one path for each processor."""
READONLY_PATHS = (["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],)

_WINDOWS = "It is for Windows containers only."
_RESULT = "What the engine made of the settings."
_CGROUP_V1 = "The kernel has it with cgroup v1 only, so that it had no effect under Docker either."
_KEEP = "Remove the option, or accept the finding when the application does without."

CONTAINER: tuple[Field, ...] = (
    *rows(RUNTIME, "", """
        Id Created Path Args ResolvConfPath HostnamePath HostsPath LogPath RestartCount Driver Platform
        ImageManifestDescriptor MountLabel ProcessLabel AppArmorProfile ExecIDs GraphDriver Storage SizeRootFs""",
          remark=_RESULT),
    *rows(TRANSLATED, "", "Name", "name"),
    *rows(TRANSLATED, "", "Image", "image", remark="The image arrives with the same ID."),
    *rows(TRANSLATED, "", "State", "[Install]", remark="What does not run is not started; it gets [Install] only with restart: always."),
    *rows(TRANSLATED, "", "SizeRw", "finding writable-layer"),
    # Config
    *rows(TRANSLATED, "Config.", "Hostname", "hostname", remark="Also the short ID that Docker chose: applications keep data under it."),
    *rows(TRANSLATED, "Config.", "Domainname", "network", remark="An alias: host.domain. Podman sets no domain."),
    *rows(IMAGE, "Config.", "User", "user"),
    *rows(NOT_APPLICABLE, "Config.", "AttachStdin AttachStdout AttachStderr",
          remark="Who was attached when it was created."),
    *rows(TRANSLATED, "Config.", "ExposedPorts", "expose"),
    *translated("Config.", {"Tty": ("tty", truth), "OpenStdin": ("interactive", truth)}),
    *rows(INFO, "Config.", "StdinOnce", remark="Podman keeps stdin open when the first client has detached."),
    *rows(IMAGE, "Config.", "Env", "env", "unset_env", "secret"),
    *rows(IMAGE, "Config.", "Cmd", "exec", "entrypoint"),
    *rows(IMAGE, "Config.", "Entrypoint", "entrypoint"),
    *rows(IMAGE, "Config.Healthcheck.", "Test", "health_cmd"),
    *rows(IMAGE, "Config.Healthcheck.", "Interval", "health_interval"),
    *rows(IMAGE, "Config.Healthcheck.", "Timeout", "health_timeout"),
    *rows(IMAGE, "Config.Healthcheck.", "Retries", "health_retries"),
    *rows(IMAGE, "Config.Healthcheck.", "StartPeriod", "health_start_period"),
    *rows(INFO, "Config.Healthcheck.", "StartInterval",
          remark="Podman checks at the usual interval from the beginning."),
    *rows(NOT_APPLICABLE, "Config.", "ArgsEscaped", remark=_WINDOWS),
    *rows(TRANSLATED, "Config.", "Image", "image", remark="Written in full, with registry and tag."),
    *rows(TRANSLATED, "Config.", "Volumes", "volume", remark="By Mounts, which says where each one is."),
    *rows(IMAGE, "Config.", "WorkingDir", "workdir"),
    *rows(TRANSLATED, "Config.", "NetworkDisabled", "network"),
    *rows(NOT_APPLICABLE, "Config.", "OnBuild", remark="For the build of images."),
    *rows(IMAGE, "Config.", "Labels", "label", remark="Compose's get a prefix, or Compose would adopt the containers."),
    *rows(IMAGE, "Config.", "StopSignal", "stop_signal"),
    *rows(TRANSLATED, "Config.", "StopTimeout", "stop_timeout", "TimeoutStopSec="),
    *rows(IMAGE, "Config.", "Shell", "health_cmd", remark="Docker runs health checks with it."),
    *rows(TRANSLATED, "Config.", "MacAddress", "network"),
    # HostConfig
    *rows(TRANSLATED, "HostConfig.", "Binds", "volume", "mount", remark="By Mounts, which says what became of it."),
    *rows(NOT_APPLICABLE, "HostConfig.", "ContainerIDFile", remark="For whoever created the container."),
    Field("HostConfig.LogConfig.Type", TRANSLATED, ("log_driver",), defaults=("json-file", "journald", "local")),
    *rows(TRANSLATED, "HostConfig.LogConfig.", "Config", "log_opt", "finding logs"),
    *rows(TRANSLATED, "HostConfig.", "NetworkMode", "network"),
    *rows(TRANSLATED, "HostConfig.", "PortBindings", "publish"),
    *rows(TRANSLATED, "HostConfig.", "RestartPolicy", "Restart=", "StartLimitBurst=", "[Install]"),
    Field("HostConfig.AutoRemove", BLOCKER, remark="Docker removes the container, with its anonymous volumes, when it "
          "is stopped; there would be no way back.", code="auto-remove", remedy="Create it again without --rm, or leave "
          "its workload out with policy.exclude."),
    *rows(BLOCKER, "HostConfig.", "VolumeDriver", remark="Its volumes belong to a plugin of Docker.",
          remedy="Move the data to a local volume first."),
    *rows(TRANSLATED, "HostConfig.", "VolumesFrom", "volume", remark="By Mounts, which names the volumes."),
    *rows(TRANSLATED, "HostConfig.Mounts[].", "Type Source Target ReadOnly", "volume", "mount",
          remark="By Mounts, which says what became of it; tmpfs and image from here."),
    *rows(NOT_APPLICABLE, "HostConfig.Mounts[].", "Consistency", remark="It is for macOS only."),
    *rows(TRANSLATED, "HostConfig.Mounts[].BindOptions.", "Propagation NonRecursive", "mount"),
    *rows(NOT_APPLICABLE, "HostConfig.Mounts[].BindOptions.", "CreateMountpoint",
          remark="Docker has created what was missing."),
    *rows(WARNING, "HostConfig.Mounts[].BindOptions.", "ReadOnlyNonRecursive ReadOnlyForceRecursive",
          remark="Podman has no choice of whether what is mounted below is read-only too.", remedy=_KEEP),
    *rows(TRANSLATED, "HostConfig.Mounts[].VolumeOptions.", "NoCopy", "volume"),
    *rows(NOT_APPLICABLE, "HostConfig.Mounts[].VolumeOptions.", "Labels DriverConfig",
          remark="They made the volume, which says them itself."),
    *rows(BLOCKER, "HostConfig.Mounts[].VolumeOptions.", "Subpath", remark="It mounts a folder of a volume.",
          remedy="Mount the whole volume, or a bind mount of the folder."),
    *rows(BLOCKER, "HostConfig.Mounts[].ImageOptions.", "Subpath", remark="It mounts a folder of an image.",
          remedy="Mount the whole image."),
    *rows(TRANSLATED, "HostConfig.Mounts[].TmpfsOptions.", "SizeBytes Mode Options", "mount"),
    *rows(BLOCKER, "HostConfig.Mounts[].", "ClusterOptions", remark="It is a volume of a swarm.",
          remedy="Move the data to a local volume first."),
    *rows(NOT_APPLICABLE, "HostConfig.", "ConsoleSize Isolation", remark=_WINDOWS),
    *rows(NOT_APPLICABLE, "HostConfig.", "Cgroup", remark="Docker itself ignores it."),
    *translated("HostConfig.", {"Annotations": ("annotation", pairs)}),
    *rows(TRANSLATED, "HostConfig.", "CapAdd", "cap_add"),
    *rows(TRANSLATED, "HostConfig.", "CapDrop", "cap_drop"),
    Field("HostConfig.Capabilities", BLOCKER, remark="It was for experiments of Docker 19.03.",
          remedy="Use CapAdd and CapDrop."),
    *translated("HostConfig.", {
        "CgroupnsMode": ("cgroupns", word, "private"),
        "Dns": ("dns", each),
        "DnsOptions": ("dns_option", each),
        "DnsSearch": ("dns_search", each),
        "ExtraHosts": ("add_host", each),
        "GroupAdd": ("group_add", each),
    }),
    Field("HostConfig.IpcMode", TRANSLATED, ("ipc",), defaults=("private", "shareable")),
    *rows(TRANSLATED, "HostConfig.", "Links", "network", "finding link-environment"),
    *translated("HostConfig.", {"OomScoreAdj": ("oom_score_adj", number)}),
    *rows(TRANSLATED, "HostConfig.", "PidMode", "pid"),
    *translated("HostConfig.", {"Privileged": ("privileged", truth)}),
    *rows(TRANSLATED, "HostConfig.", "PublishAllPorts", "publish", remark="The ports that Docker chose are kept."),
    *rows(TRANSLATED, "HostConfig.", "ReadonlyRootfs", "read_only", "read_only_tmpfs"),
    *rows(TRANSLATED, "HostConfig.", "SecurityOpt", "no_new_privileges", "seccomp", "apparmor", "label_disable",
          "label_type", "label_level", "label_user", "label_role", "unmask"),
    *rows(WARNING, "HostConfig.", "StorageOpt", remark="Podman limits the size of all containers or of none.",
          remedy=_KEEP),
    *rows(TRANSLATED, "HostConfig.", "Tmpfs", "tmpfs"),
    *translated("HostConfig.", {
        "UTSMode": ("uts", word),
        "ShmSize": ("shm_size", number, 67108864),
    }),
    *rows(TRANSLATED, "HostConfig.", "UsernsMode", "uid_map", "gid_map",
          remark="Docker looks for `host` alone, and for that with userns-remap only."),
    *rows(TRANSLATED, "HostConfig.", "Sysctls", "sysctl"),
    Field("HostConfig.Runtime", TRANSLATED, ("runtime",), defaults=("runc", "io.containerd.runc.v2")),
    Field("HostConfig.MaskedPaths", TRANSLATED, ("mask", "unmask"), defaults=MASKED_PATHS),
    Field("HostConfig.ReadonlyPaths", TRANSLATED, ("unmask",), defaults=READONLY_PATHS),
    *translated("HostConfig.", {"Init": ("init", truth), "CpuShares": ("cpu_shares", number),
                                "Memory": ("memory", number)}),
    *rows(TRANSLATED, "HostConfig.", "CgroupParent", "Slice="),
    *translated("HostConfig.", {
        "BlkioWeight": ("blkio_weight", number),
        "BlkioWeightDevice": ("blkio_weight_device", throttles),
        "BlkioDeviceReadBps": ("device_read_bps", throttles),
        "BlkioDeviceWriteBps": ("device_write_bps", throttles),
        "BlkioDeviceReadIOps": ("device_read_iops", throttles),
        "BlkioDeviceWriteIOps": ("device_write_iops", throttles),
        "CpuPeriod": ("cpu_period", number),
        "CpuQuota": ("cpu_quota", number),
        "CpusetCpus": ("cpuset_cpus", word),
        "CpusetMems": ("cpuset_mems", word),
        "DeviceCgroupRules": ("device_cgroup_rule", each),
        "MemoryReservation": ("memory_reservation", number),
        "NanoCpus": ("cpus", cores),
    }),
    *rows(INFO, "HostConfig.", "CpuRealtimePeriod CpuRealtimeRuntime KernelMemory KernelMemoryTCP OomKillDisable",
          remark=_CGROUP_V1),
    Field("HostConfig.MemorySwappiness", INFO, remark=_CGROUP_V1, defaults=(-1,)),
    *rows(TRANSLATED, "HostConfig.", "Devices", "device"),
    *rows(TRANSLATED, "HostConfig.", "DeviceRequests", "device"),
    *rows(TRANSLATED, "HostConfig.", "MemorySwap", "memory_swap", remark="Twice the memory is the default of both."),
    *rows(TRANSLATED, "HostConfig.", "PidsLimit", "pids_limit"),
    *rows(TRANSLATED, "HostConfig.", "Ulimits", "ulimit"),
    *rows(NOT_APPLICABLE, "HostConfig.", "CpuCount CpuPercent IOMaximumIOps IOMaximumBandwidth", remark=_WINDOWS),
    # NetworkSettings
    *rows(RUNTIME, "NetworkSettings.", """
        SandboxID SandboxKey Bridge HairpinMode LinkLocalIPv6Address LinkLocalIPv6PrefixLen SecondaryIPAddresses
        SecondaryIPv6Addresses EndpointID Gateway GlobalIPv6Address GlobalIPv6PrefixLen IPAddress IPPrefixLen
        IPv6Gateway MacAddress""", remark=_RESULT),
    *rows(TRANSLATED, "NetworkSettings.", "Ports", "publish", remark="The ports that Docker chose are kept."),
    *rows(RUNTIME, "NetworkSettings.Networks.*.", """
        NetworkID EndpointID Gateway IPAddress IPPrefixLen IPv6Gateway GlobalIPv6Address GlobalIPv6PrefixLen
        DNSNames""", remark=_RESULT),
    *rows(TRANSLATED, "NetworkSettings.Networks.*.", "MacAddress", "network",
          remark="Where somebody chose it: those that Docker makes are left to Podman."),
    *rows(TRANSLATED, "NetworkSettings.Networks.*.", "Aliases", "network"),
    *rows(TRANSLATED, "NetworkSettings.Networks.*.IPAMConfig.", "IPv4Address IPv6Address", "network"),
    *rows(WARNING, "NetworkSettings.Networks.*.IPAMConfig.", "LinkLocalIPs",
          remark="Podman gives no further addresses.", remedy=_KEEP),
    *rows(TRANSLATED, "NetworkSettings.Networks.*.", "Links", "network"),
    *rows(WARNING, "NetworkSettings.Networks.*.", "DriverOpts",
          remark="They are options of Docker's network drivers.", remedy=_KEEP),
    *rows(TRANSLATED, "NetworkSettings.Networks.*.", "GwPriority", "option", "finding default-route",
          remark="As the metric of the network, which all containers share."),
    # Mounts
    *rows(TRANSLATED, "Mounts[].", "Type Name Source Destination RW", "volume", "mount"),
    Field("Mounts[].Driver", BLOCKER, remark="The volume belongs to a plugin of Docker.", defaults=("local",),
          remedy="Move the data to a local volume first."),
    *rows(TRANSLATED, "Mounts[].", "Mode", "volume", "mount"),
    Field("Mounts[].Propagation", TRANSLATED, ("volume", "mount"), defaults=("rprivate",)),
)  # fmt: skip
