# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small documents of Docker, as the API of 26.1 writes them, for tests that change one thing at a time."""

from __future__ import annotations

import copy
import hashlib
from typing import Any, Dict

Json = Dict[str, Any]

_DATA = "/var/lib/docker/volumes/{0}/_data"
IMAGE_ID = "sha256:" + "1" * 64


def identifier(name: str) -> str:
    """A stable 64-digit ID for a name."""
    return hashlib.sha256(name.encode()).hexdigest()


def container(name: str = "web", **changes: Any) -> Json:
    """A running container with nothing set; ``changes`` are dotted paths with ``__`` for the dot."""
    document: Json = {
        "Id": identifier(name),
        "Name": "/" + name,
        "Image": IMAGE_ID,
        "Path": "/bin/sleep",
        "Args": ["100"],
        "State": {"Status": "running", "Running": True, "Paused": False, "Restarting": False, "Pid": 42},
        "HostConfig": {
            "Binds": None,
            "NetworkMode": "default",
            "PortBindings": {},
            "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
            "LogConfig": {"Type": "json-file", "Config": {}},
            "AutoRemove": False,
            "CgroupnsMode": "private",
            "IpcMode": "private",
            "ShmSize": 67108864,
            "Runtime": "runc",
            "Memory": 0,
            "PidsLimit": None,
            "Devices": [],
        },
        "Mounts": [],
        "Config": {
            "Hostname": identifier(name)[:12],
            "User": "",
            "Env": ["PATH=/bin"],
            "Cmd": ["/bin/sleep", "100"],
            "Entrypoint": None,
            "Image": "app:1",
            "WorkingDir": "",
            "Labels": {},
        },
        "NetworkSettings": {"Ports": {}, "Networks": {"bridge": {"Aliases": None, "IPAMConfig": None}}},
    }
    return changed(document, **changes)


def changed(document: Json, **changes: Any) -> Json:
    """A copy of a document with values set at dotted paths."""
    result = copy.deepcopy(document)
    for path, value in changes.items():
        place = result
        *parents, last = path.split("__")
        for key in parents:
            place = place[key]
        place[last] = value
    return result


def service(project: str, name: str, **changes: Any) -> Json:
    """A container of a Compose project on the project's network."""
    labels = {"com.docker.compose.project": project, "com.docker.compose.service": name}
    network = project + "_default"
    settings: Json = {
        "Config__Labels": labels,
        "HostConfig__NetworkMode": network,
        "HostConfig__RestartPolicy": {"Name": "unless-stopped", "MaximumRetryCount": 0},
        "NetworkSettings__Networks": {network: {"Aliases": [project + "-" + name + "-1", name], "IPAMConfig": None}},
    }
    document = container("{0}-{1}-1".format(project, name), **settings)
    return changed(document, **changes)


def inventory(containers: list[Json], **parts: Any) -> Json:
    """An inventory with the image, and a document for every network and volume that the containers name."""
    networks = {name for item in containers for name in item["NetworkSettings"]["Networks"]} - {"bridge"}
    volumes = {mount["Name"] for item in containers for mount in item["Mounts"] if mount["Type"] == "volume"}
    config = {"Env": ["PATH=/bin"], "Cmd": ["/bin/sleep", "100"], "Entrypoint": None, "Labels": None}
    document: Json = {
        "format": 1,
        "engine": {"id": "e1", "info": {"DockerRootDir": "/var/lib/docker"}, "config": {}},
        "containers": containers,
        "images": [{"Id": IMAGE_ID, "RepoTags": ["app:1"], "Config": config, "Size": 5, "RootFS": {"Layers": ["x"]}}],
        "networks": [
            {
                "Name": name,
                "Id": identifier(name),
                "Driver": "bridge",
                "Scope": "local",
                "IPAM": {"Driver": "default", "Config": [{"Subnet": "172.18.0.0/16", "Gateway": "172.18.0.1"}]},
            }
            for name in sorted(networks)
        ],
        "volumes": [
            {"Name": name, "Driver": "local", "Scope": "local", "Mountpoint": _DATA.format(name)}
            for name in sorted(volumes)
        ],
    }
    return {**document, **parts}


def volume_mount(name: str, destination: str = "/data", **changes: Any) -> Json:
    """An entry of Mounts for a named volume."""
    source = _DATA.format(name)
    mount = {"Type": "volume", "Name": name, "Source": source, "Destination": destination, "Driver": "local"}
    return {**mount, "Mode": "z", "RW": True, "Propagation": "", **changes}
