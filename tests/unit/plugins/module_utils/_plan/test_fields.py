# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing vanishes: every path of Docker's documents has a row, and every row does what it says."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
import yaml

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan import fields
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan._tables import (
    container_fields,
    options,
    resource_fields,
)
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.translate import make_plan
from ansible_collections.podshift.docker_to_podman.tests.unit.plugins.documents import (
    container,
    inventory,
    volume_mount,
)

TYPES = yaml.safe_load((Path(__file__).parents[2] / "docker_fields.yml").read_text(encoding="utf-8"))
CONTAINER = fields.index(container_fields.CONTAINER)
NETWORK = fields.index(resource_fields.NETWORK)
VOLUME = fields.index(resource_fields.VOLUME)

# Where the objects of the API stand in the documents: object -> (prefix, rows).
PLACES = {
    "ContainerInspectResponse": ("", CONTAINER),
    "ContainerConfig": ("Config.", CONTAINER),
    "HealthConfig": ("Config.Healthcheck.", CONTAINER),
    "HostConfig": ("HostConfig.", CONTAINER),
    "Resources": ("HostConfig.", CONTAINER),
    "Mount": ("HostConfig.Mounts[].", CONTAINER),
    "MountPoint": ("Mounts[].", CONTAINER),
    "NetworkSettings": ("NetworkSettings.", CONTAINER),
    "EndpointSettings": ("NetworkSettings.Networks.*.", CONTAINER),
    "EndpointIPAMConfig": ("NetworkSettings.Networks.*.IPAMConfig.", CONTAINER),
    "Network": ("", NETWORK),
    "NetworkInspect": ("", NETWORK),
    "IPAM": ("IPAM.", NETWORK),
    "IPAMConfig": ("IPAM.Config[].", NETWORK),
    "Volume": ("", VOLUME),
}
PATHS = [(prefix + name, rows) for kind, (prefix, rows) in PLACES.items() for name in TYPES[kind]]


def has_row(path, rows):
    """A row for the path, for one above it, or for parts of it."""
    return any(path == row or path.startswith((row + ".", row + "[")) or row.startswith((path + ".", path + "["))
               for row in rows)  # fmt: skip


@pytest.mark.parametrize(("path", "rows"), PATHS, ids=[path for path, _rows in PATHS])
def test_every_path_of_the_api_has_a_row(path, rows):
    assert has_row(path, rows)


def test_every_path_has_one_row():
    for table in (container_fields.CONTAINER, resource_fields.NETWORK, resource_fields.VOLUME):
        assert len(table) == len(fields.index(table))


def test_every_row_says_what_becomes_of_its_path():
    for row in (*container_fields.CONTAINER, *resource_fields.NETWORK, *resource_fields.VOLUME):
        assert row.kind in fields.KINDS
        if row.kind in (fields.TRANSLATED, fields.IMAGE):
            assert row.becomes, row.path
        else:
            assert row.remark, row.path
        if row.kind in ("warning", "blocker"):
            assert row.remedy, row.path
        if row.read:
            assert row.becomes[0] in options.CONTAINER or row.becomes[0] in options.NETWORK, row.path


def test_every_option_of_the_table_can_come_from_a_row():
    named = {name for row in container_fields.CONTAINER for name in row.becomes}
    # What the plan adds by itself: the pod, the order of the start, paths that keys would break.
    own = {"pod", "start_with_pod", "pull", "systemd", "notify", "volume_flag", "mount_flag"}
    assert set(options.CONTAINER) - named == own


# A value other than the default for each path of a container; a value may bring what it needs to make sense.
KITCHEN_SINK = container(
    Config__Healthcheck={"Test": ["CMD-SHELL", "true"]},
    Config__Env=["PATH=/bin"],
    HostConfig__NetworkMode="own",
    HostConfig__RestartPolicy={"Name": "unless-stopped", "MaximumRetryCount": 0},
    NetworkSettings__Networks={"own": {"Aliases": None, "IPAMConfig": None}},
    Mounts=[volume_mount("v")],
)
KITCHEN_SINK["Config"]["Image"] = "app:1"
VALUES = {
    "Name": "/other",
    "Image": "sha256:" + "2" * 64,
    "State": {"Status": "exited", "Running": False},
    "SizeRw": 5 << 20,
    "Config.Hostname": "own",
    "Config.Domainname": "example.com",
    "Config.User": "1000",
    "Config.ExposedPorts": {"80/tcp": {}},
    "Config.Env": ["PATH=/bin", "A=b"],
    "Config.Cmd": ["other"],
    "Config.Entrypoint": ["other"],
    "Config.Healthcheck.Test": ["CMD", "false", "x"],
    "Config.Image": "app:2",
    "Config.Volumes": {"/lost": {}},
    "Config.WorkingDir": "/srv",
    "Config.Labels": {"a": "b"},
    "Config.StopSignal": "SIGINT",
    "Config.Shell": ["/bin/bash", "-c"],
    "Config.MacAddress": "02:00:00:00:00:01",
    "HostConfig.Binds": ["/a:/b"],
    "HostConfig.LogConfig.Type": "syslog",
    "HostConfig.LogConfig.Config": {"max-size": "1m"},
    "HostConfig.NetworkMode": "none",
    "HostConfig.PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "80"}]},
    "HostConfig.RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 0},
    "HostConfig.VolumesFrom": ["gone"],
    "HostConfig.Mounts[].Type": [{"Type": "bind", "Source": "/a", "Target": "/b"}],
    "HostConfig.Mounts[].Source": [{"Type": "image", "Source": "app:1", "Target": "/b"}],
    "HostConfig.Mounts[].Target": [{"Type": "tmpfs", "Target": "/b"}],
    "HostConfig.Mounts[].ReadOnly": [{"Type": "tmpfs", "Target": "/b", "ReadOnly": True}],
    "HostConfig.Mounts[].BindOptions.Propagation": [{"Type": "bind", "Source": "/a", "Target": "/b"}],
    "HostConfig.Mounts[].BindOptions.NonRecursive": [{"Type": "bind", "Source": "/a", "Target": "/b"}],
    "HostConfig.Mounts[].BindOptions.ReadOnlyNonRecursive": [{"BindOptions": {"ReadOnlyNonRecursive": True}}],
    "HostConfig.Mounts[].BindOptions.ReadOnlyForceRecursive": [{"BindOptions": {"ReadOnlyForceRecursive": True}}],
    "HostConfig.Mounts[].VolumeOptions.NoCopy": [
        {"Type": "volume", "Source": "v", "Target": "/data", "VolumeOptions": {"NoCopy": True}}
    ],
    "HostConfig.Mounts[].VolumeOptions.Subpath": [{"Type": "volume", "VolumeOptions": {"Subpath": "x"}}],
    "HostConfig.Mounts[].ImageOptions.Subpath": [{"Type": "image", "ImageOptions": {"Subpath": "x"}}],
    "HostConfig.Mounts[].TmpfsOptions.SizeBytes": [{"Type": "tmpfs", "Target": "/b", "TmpfsOptions": {"SizeBytes": 1}}],
    "HostConfig.Mounts[].TmpfsOptions.Mode": [{"Type": "tmpfs", "Target": "/b", "TmpfsOptions": {"Mode": 511}}],
    "HostConfig.Mounts[].TmpfsOptions.Options": [
        {"Type": "tmpfs", "Target": "/b", "TmpfsOptions": {"Options": [["exec"]]}}
    ],
    "HostConfig.Mounts[].ClusterOptions": [{"Type": "cluster", "ClusterOptions": {"x": 1}}],
    "HostConfig.Annotations": {"a": "b"},
    "HostConfig.CapAdd": ["SYS_ADMIN"],
    "HostConfig.CapDrop": ["ALL"],
    "HostConfig.CgroupnsMode": "host",
    "HostConfig.Dns": ["192.0.2.1"],
    "HostConfig.DnsOptions": ["ndots:1"],
    "HostConfig.DnsSearch": ["example.com"],
    "HostConfig.ExtraHosts": ["a:192.0.2.1"],
    "HostConfig.GroupAdd": ["27"],
    "HostConfig.IpcMode": "host",
    "HostConfig.Links": ["/gone:/web/db"],
    "HostConfig.PidMode": "host",
    "HostConfig.SecurityOpt": ["no-new-privileges"],
    "HostConfig.StorageOpt": {"size": "1G"},
    "HostConfig.Tmpfs": {"/tmp": ""},
    "HostConfig.UTSMode": "host",
    "HostConfig.UsernsMode": "host",
    "HostConfig.Sysctls": {"net.core.somaxconn": "1024"},
    "HostConfig.Runtime": "kata",
    "HostConfig.MaskedPaths": ["/proc/kcore"],
    "HostConfig.ReadonlyPaths": ["/proc/bus"],
    "HostConfig.CgroupParent": "own.slice",
    "HostConfig.BlkioWeightDevice": [{"Path": "/dev/sda", "Weight": 10}],
    "HostConfig.BlkioDeviceReadBps": [{"Path": "/dev/sda", "Rate": 10}],
    "HostConfig.BlkioDeviceWriteBps": [{"Path": "/dev/sda", "Rate": 10}],
    "HostConfig.BlkioDeviceReadIOps": [{"Path": "/dev/sda", "Rate": 10}],
    "HostConfig.BlkioDeviceWriteIOps": [{"Path": "/dev/sda", "Rate": 10}],
    "HostConfig.CpusetCpus": "0",
    "HostConfig.CpusetMems": "0",
    "HostConfig.Devices": [{"PathOnHost": "/dev/kvm", "PathInContainer": "/dev/kvm", "CgroupPermissions": "rwm"}],
    "HostConfig.DeviceRequests": [{"Driver": "", "Count": -1, "Capabilities": [["gpu"]]}],
    "HostConfig.DeviceCgroupRules": ["c 81:* rmw"],
    "HostConfig.Ulimits": [{"Name": "nofile", "Soft": 1, "Hard": 2}],
    "HostConfig.VolumeDriver": "nfs",
    "HostConfig.Capabilities": ["x"],
    "NetworkSettings.Networks.*.MacAddress": {"own": {"MacAddress": "02:00:00:00:00:01"}},
    "NetworkSettings.Networks.*.Aliases": {"own": {"Aliases": ["other"]}},
    "NetworkSettings.Networks.*.IPAMConfig.IPv4Address": {"own": {"IPAMConfig": {"IPv4Address": "172.18.0.9"}}},
    "NetworkSettings.Networks.*.IPAMConfig.IPv6Address": {"own": {"IPAMConfig": {"IPv6Address": "fd00::9"}}},
    "NetworkSettings.Networks.*.IPAMConfig.LinkLocalIPs": {"own": {"IPAMConfig": {"LinkLocalIPs": ["169.254.1.1"]}}},
    "NetworkSettings.Networks.*.Links": {"own": {"Links": ["web:alias"]}},
    "NetworkSettings.Networks.*.DriverOpts": {"own": {"DriverOpts": {"a": "b"}}},
    "NetworkSettings.Networks.*.GwPriority": {"other": {}, "own": {"GwPriority": 5}},
    "Mounts[].Type": [volume_mount("v", Type="bind")],
    "Mounts[].Name": [volume_mount("w")],
    "Mounts[].Source": [volume_mount("v", Type="bind", Source="/other")],
    "Mounts[].Destination": [volume_mount("v", "/elsewhere")],
    "Mounts[].RW": [volume_mount("v", RW=False)],
    "Mounts[].Driver": [volume_mount("v", Driver="nfs")],
    "Mounts[].Mode": [volume_mount("v", Mode="nocopy")],
    "Mounts[].Propagation": [volume_mount("v", Type="bind", Propagation="rslave")],
}
# Ports that Docker chose show only where one was left to choose.
NEEDS = {
    "NetworkSettings.Networks.*.GwPriority": {"NetworkSettings.Networks": {"other": {}, "own": {}}},
    "NetworkSettings.Ports": {"HostConfig.PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": ""}]}},
    "HostConfig.PublishAllPorts": {"Config.ExposedPorts": {"80/tcp": {}}},
}
VALUES["NetworkSettings.Ports"] = {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "32768"}]}
# What an engine has to be like.
ENGINES = {
    "HostConfig.UsernsMode": {
        "SecurityOptions": ["name=userns"],
        "DockerRootDir": "/var/lib/docker/231072.231072",
    },
}
SAY_SOMETHING = [row for row in container_fields.CONTAINER if row.kind not in (fields.RUNTIME, fields.NOT_APPLICABLE)]


def put(document, path, value):
    """Set a value at the place of a row; entries of lists and keys of maps are in the value already."""
    for mark in ("[]", ".*"):
        path = path.split(mark)[0]
    *parents, last = path.split(".")
    for key in parents:
        document = document.setdefault(key, {})
    document[last] = value


TYPES_OF = {
    prefix + name: kind["type"] for place, (prefix, _rows) in PLACES.items() for name, kind in TYPES[place].items()
}


def said(document, engine):
    """What a plan says in units and findings."""
    known = inventory([document])
    known["engine"]["info"] = {**known["engine"].get("info", {}), **engine}
    if not any(image["Id"] == document["Image"] for image in known["images"]):
        known["images"] = []
    made = make_plan(known, None, "5.4.2")
    units = [workload["units"] for workload in made["workloads"]]
    return json.dumps([units, made["findings"]], sort_keys=True)


@pytest.mark.parametrize("row", SAY_SOMETHING, ids=[row.path for row in SAY_SOMETHING])
def test_no_path_is_lost_on_its_way_into_the_plan(row):
    before, after = copy.deepcopy(KITCHEN_SINK), copy.deepcopy(KITCHEN_SINK)
    for path, value in NEEDS.get(row.path, {}).items():
        put(before, path, value)
        put(after, path, value)
    value = VALUES.get(row.path)
    if value is None:
        value = True if TYPES_OF.get(row.path) == "boolean" else 123456789
    put(after, row.path, value)
    engine = ENGINES.get(row.path, {})
    assert said(after, engine) != said(before, engine)
