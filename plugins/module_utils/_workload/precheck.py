# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A workload before it moves: is it as planned, is everything there, and the record that every step and its undo go by
(private to the collection).

The record is the note of the first step, so that an interrupted move can be undone, or finished, without the plan.
"""

from __future__ import annotations

from typing import Sequence

from .._common.errors import UserError
from .._common.json import Json
from .._docker.api import Docker, DockerNotFound, health_of, part, process_of
from .._images import commit
from .._network import addresses, port_check
from .._network.probe import Outside
from .._plan._documents.containers import BUILT_IN_NETWORKS
from .._plan._topics import restart
from .._podman.objects import exists
from .._podman.storage import storage
from .._volumes import locate
from .._volumes.rounds import Trees
from . import podman_services
from .docker_containers import NO_RESTART, users
from .move_record import running


def planned(workload: Json) -> Json:
    """What the plan says of a workload, in the form of a record."""
    ids = {container["name"]: container["id"] for container in workload["containers"]}
    services = [container["service"] for container in running(workload["containers"])]
    return {
        "workload": workload["name"],
        "pod": workload["pod"],
        "containers": workload["containers"],
        "layers": workload["layers"],
        "units": workload["units"],
        "services": list(dict.fromkeys([*workload["services"], *services])),
        "secrets": [{**secret, "owner": ids[secret["container"]]} for secret in workload["secrets"]],
        "networks": workload["networks"],
        "ports": workload["ports"],
        "commits": workload.get("commits", []),
        "bridges": bridges(workload),
        "images": [image["unit_ref"] for image in workload["images"]],
        "docker_volumes": _docker_volumes(workload),
        "volumes": [],
    }


def look(workload: Json, trees: Sequence[Trees], docker: Docker, outside: Outside, rules: Sequence[str] = ()) -> Json:
    """The record: the plan, and what is so under Docker now. ``rules``: those of the policy for names of secrets."""
    record = planned(workload)
    documents = {item["name"]: docker.inspect(item["id"]) for item in record["containers"]}
    processes = {item["name"]: process_of(documents[item["name"]]) for item in running(record["containers"])}
    return {
        **record,
        "containers": [
            {**container, **_docker_view(documents[container["name"]])} for container in record["containers"]
        ],
        "networks": [{**network, **_network_view(network)} for network in record["networks"]],
        "volumes": [{**item._asdict(), "memory": str(item.memory or "")} for item in trees],
        "graph_root": storage().graph_root,
        "rules": list(rules),
        "answered": port_check.answering(workload["ports"], processes, outside),
    }


def bridges(workload: Json) -> list[str]:
    """The bridges of Podman that a workload's traffic crosses; podman0 is that of its default network."""
    own = [network["podman_bridge"] for network in workload["networks"] if network["podman_bridge"]]
    texts = [text for name, text in workload["units"].items() if name.endswith(".container")]
    return own + (["podman0"] if any(_is_on_default_network(text) for text in texts) else [])


def require_as_planned(workload: Json, docker: Docker) -> None:
    """UserError unless Docker still runs exactly what the plan was made from. Reads only."""
    known = {*BUILT_IN_NETWORKS, *(network["docker_name"] for network in workload["networks"])}
    for container in workload["containers"]:
        try:
            document = docker.inspect(container["id"])
        except DockerNotFound:
            raise _outdated("{0} is not the container it was".format(container["name"])) from None
        is_running = bool(document["State"].get("Running") or document["State"].get("Restarting"))
        if document["Name"].lstrip("/") != container["name"]:
            raise _outdated("{0} has another name now".format(container["name"]))
        if is_running != container["running"]:
            now = "runs" if is_running else "does not run"
            raise _outdated("{0} {1} now".format(container["name"], now))
        if document["State"].get("Paused"):
            raise _outdated("{0} is paused now".format(container["name"]))
        policy = restart.written(document)
        if policy != container["restart"]:
            raise _outdated("{0} has the restart policy {1} now".format(container["name"], policy))
        added = set(document["NetworkSettings"]["Networks"]) - known
        if added:
            raise _outdated("{0} joined network {1}".format(container["name"], sorted(added)[0]))
    _require_no_newcomers(workload, docker)
    addresses.require_dockers(workload["networks"])


def _require_no_newcomers(workload: Json, docker: Docker) -> None:
    ids = {container["id"] for container in workload["containers"]}
    found = users(docker, _docker_volumes(workload), all=1)
    late = sorted(name for identity, name in found.items() if identity not in ids)
    if late:
        raise _outdated("{0} has one of its volumes".format(late[0]))
    for network in (item for item in workload["networks"] if item["docker_id"]):
        attached = docker.get("/networks/" + part(network["docker_id"])).get("Containers") or {}
        strangers = sorted(str(item.get("Name")) for key, item in attached.items() if key not in ids)
        if strangers:
            raise _outdated("{0} joined network {1}".format(strangers[0], network["docker_name"]))


def _outdated(what: str) -> UserError:
    return UserError("The plan is outdated: {0}; run the role assess again. Nothing was changed.".format(what))


def require_staged(plan: Json, workload: Json) -> None:
    """UserError unless Podman has all that the units need, and the place of the units is free. Reads only.

    Raises VolumeError, TreeError, too.
    """
    podman_services.require_own_units(workload["units"])
    wanted = [("image", image["unit_ref"]) for image in workload["images"]]
    wanted += [("volume", volume["name"]) for volume in workload["volumes"] if not locate.is_adopted(volume)]
    for kind, name in wanted:
        if not exists(kind, name):
            raise UserError("Podman has no {0} {1}; run the role stage first. Nothing was changed.".format(kind, name))
    locate.require_adopted(plan, workload)
    podman_services.require_own_secrets(planned(workload))
    commit.require(plan, workload)


def _docker_view(document: Json) -> Json:
    return {
        "policy": document["HostConfig"].get("RestartPolicy") or NO_RESTART,
        "healthy": health_of(document) == "healthy",
        "restarting": bool(document["State"].get("Restarting")),
        "started_at": document["State"].get("StartedAt"),
    }


def _docker_volumes(workload: Json) -> list[str]:
    return [volume["docker_name"] for volume in workload["volumes"] if volume["docker_name"]]


def _network_view(network: Json) -> Json:
    return {"addresses": addresses.on(network["bridge"]), "existed": exists("network", network["name"])}


def _is_on_default_network(unit: str) -> bool:
    """Whether Podman would put a container with this unit on its default network."""
    lines = unit.splitlines()
    named = [line.partition("=")[2].split(":")[0] for line in lines if line.startswith(("Network=", "Pod="))]
    return not named or bool({"podman", "bridge"}.intersection(named))
