# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user should know about a container (private to the collection)."""

from __future__ import annotations

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan import containers, workloads
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.containers import name_of
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.context import Context
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.model import (
    BLOCKER,
    INFO,
    WARNING,
    Finding,
    Json,
    dig,
    is_safe_name,
    items,
    mapping,
    strings,
    text,
)

WRITABLE_LAYER_LIMIT = 1 << 20
"""Bytes in the writable layer above which they are taken for data."""

_DOCKER_SOCKETS = ("/var/run/docker.sock", "/run/docker.sock")


def container_findings(container: Json, known: Context) -> list[Finding]:
    """The findings about one container that its documents alone decide."""
    return [
        *_names(container),
        *_references(container, known),
        *_image(container, known),
        *_modes(container),
        *_mounts(container),
        *_writable_layer(container, known),
        *_notes(container, known),
    ]


def _blocker(code: str, container: Json, path: str, message: str, remedy: str) -> Finding:
    return Finding(BLOCKER, code, name_of(container), path, message, remedy)


def _names(container: Json) -> list[Finding]:
    names = {"Name": name_of(container)}
    if workloads.project_of(container):
        names["Config.Labels[com.docker.compose.project]"] = workloads.project_of(container)
    names.update({"NetworkSettings.Networks." + name: name for name in workloads.networks_of(container)})
    names.update({f"Mounts[{name}].Name": name for name in workloads.volumes_of(container)})
    for network in workloads.networks_of(container):
        endpoint = mapping(dig(container, "NetworkSettings.Networks")).get(network)
        aliases = strings(mapping(endpoint).get("Aliases"))
        names.update({f"NetworkSettings.Networks.{network}.Aliases[{name!r}]": name for name in aliases})
    return [
        _blocker("invalid-name", container, path, f"{name!r} is no name that Docker would allow.", _REINSPECT)
        for path, name in names.items()
        if not is_safe_name(name)
    ]


_REINSPECT = "Make the inventory again on the host; if it stays, report it to the project."


def _references(container: Json, known: Context) -> list[Finding]:
    """What the container refers to must be in the inventory, or the plan would be a guess."""
    wanted = [("missing-image", "Image", text(container.get("Image")), known.images)]
    wanted += [
        ("missing-network", "NetworkSettings.Networks." + name, name, known.networks)
        for name in workloads.networks_of(container)
    ]
    wanted += [("missing-volume", f"Mounts[{name}]", name, known.volumes) for name in workloads.volumes_of(container)]
    return [
        _blocker(code, container, path, f"{path} refers to {name!r}, which the inventory does not have.", _REINSPECT)
        for code, path, name, documents in wanted
        if name not in documents
    ]


def _image(container: Json, known: Context) -> list[Finding]:
    """Without a name, an image of the containerd store has no ID that Podman knows as well."""
    document = known.images.get(text(container.get("Image")))
    if document is None or not known.has_containerd_store or strings(document.get("RepoTags")):
        return []
    message = "Its image has no name, and in Docker's containerd store its ID is not the one that Podman will give it."
    return [_blocker("untagged-image", container, "Image", message, "Give it a name with docker tag.")]


def _modes(container: Json) -> list[Finding]:
    mode = text(dig(container, "HostConfig.NetworkMode"))
    is_bridge = mode in ("", "default", "bridge") or mode in mapping(dig(container, "NetworkSettings.Networks"))
    found = []
    if not is_bridge or mode in ("host", "none"):
        message = f"The network mode {mode!r} is not translated yet."
        found.append(_blocker("untranslated-option", container, "HostConfig.NetworkMode", message, _EXCLUDE))
    if dig(container, "State.Paused") is True:
        message, remedy = "The container is paused.", "Unpause or stop it, and assess again."
        found.append(_blocker("paused", container, "State.Paused", message, remedy))
    return found


_EXCLUDE = "Change the container, or leave its workload out with policy.exclude."


def _mounts(container: Json) -> list[Finding]:
    found = []
    for mount in (mapping(item) for item in items(container.get("Mounts"))):
        path = "Mounts[{}].Source".format(text(mount.get("Destination")))
        if text(mount.get("Source")) in _DOCKER_SOCKETS:
            message = "The container uses the Docker socket, which is not translated yet."
            found.append(_blocker("docker-socket", container, path, message, _EXCLUDE))
    return found


def _writable_layer(container: Json, known: Context) -> list[Finding]:
    change = known.changes.get(text(container.get("Id")), {})
    size = container.get("SizeRw") or change.get("size")
    if not isinstance(size, int) or size <= WRITABLE_LAYER_LIMIT:
        return []
    largest = ", ".join(text(mapping(item).get("path")) for item in items(change.get("largest"))[:3])
    message = (
        "{} bytes were written into the container itself{}; they stay in Docker and are gone under Podman.".format(
            size, largest and ", among them " + largest
        )
    )
    remedy = f"Put them on a volume, or accept it with policy.accept: ['writable-layer:{name_of(container)}']."
    return [Finding(WARNING, "writable-layer", name_of(container), "SizeRw", message, remedy)]


_NONE = "None needed."


def _notes(container: Json, known: Context) -> list[Finding]:
    name, found = name_of(container), []
    published, chosen = containers.ports(container)
    if chosen:
        message = "Docker chose a port of the host; the one in use now is kept for good."
        found.append(Finding(INFO, "port-pinned", name, "HostConfig.PortBindings", message, _NONE))
    if known.host.get("ipv6") is True and any(port["host_ip"] in ("", "::") for port in published):
        message = (
            "Docker answered on IPv6 too; Podman publishes on IPv4 where the network of the container has no IPv6."
        )
        remedy = "Give the network IPv6 if clients use it."
        found.append(Finding(INFO, "ipv6-published", name, "HostConfig.PortBindings", message, remedy))
    if mapping(dig(container, "HostConfig.LogConfig.Config")):
        message = "Logs go to the journal; its own limits apply instead of the options of Docker's log driver."
        found.append(Finding(INFO, "logs", name, "HostConfig.LogConfig.Config", message, "See journald.conf(5)."))
    if dig(container, "Config.Healthcheck.StartInterval"):
        message = (
            "Podman has no shorter interval for the time of the start; it checks at the usual one from the beginning."
        )
        found.append(Finding(INFO, "health-start-interval", name, "Config.Healthcheck.StartInterval", message, _NONE))
    if containers.starts_at_boot(container):
        message = "systemd starts it at every boot and does not remember a manual stop."
        remedy = "To keep it stopped, mask its service."
        found.append(Finding(INFO, "manual-stop", name, "HostConfig.RestartPolicy", message, remedy))
    return found
