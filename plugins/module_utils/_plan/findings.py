# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user should know about a container (private to the collection)."""

from __future__ import annotations

from .._common.json import Json, dig, mapping, strings, text
from . import grouping, policy, resources
from ._documents import image_names
from ._documents.containers import (
    COMPOSE,
    full_hostname,
    has_short_id_as_hostname,
    hostname,
    label,
    name_of,
    networks_of,
    project_of,
)
from ._documents.context import Context
from ._topics import (
    binds,
    commits,
    datagrams,
    limits,
    logs,
    mounts,
    networking,
    persist,
    ports,
    put_files,
    resolver,
    routes,
    secrets,
    security,
    writable_layer,
)
from ._topics.restart import policy_name, runs_from_boot
from .model import BLOCKER, INFO, WARNING, Finding, is_safe_name

_NONE = "None needed."


def container_findings(container: Json, known: Context, rules: Json) -> list[Finding]:
    """The findings about one container that its documents alone decide."""
    place = project_of(container), name_of(container)
    return [
        *_names(container),
        *_references(container, known),
        *_taken(container, known),
        *_ambiguous(container, known),
        *_image(container, known),
        *_state(container),
        *networking.findings(container, known),
        *mounts.findings(container),
        *binds.findings(container, known),
        *resolver.findings(container, known),
        *routes.findings(container, known),
        *security.findings(container, policy.is_hardened(rules, *place), known.version),
        *security.device_findings(container),
        *security.runtime_findings(container),
        *limits.findings(container),
        *logs.findings(container, policy.choice(rules, "logs", *place)),
        *secrets.findings(container, known.image_config(container), policy.secret_rules(rules), known.secrets),
        *writable_layer.findings(container, known, rules),
        *put_files.findings(container, known, rules),
        *persist.findings(container, known, rules),
        *commits.findings(container, known, rules),
        *_notes(container, known),
    ]


def _blocker(code: str, container: Json, path: str, message: str, remedy: str) -> Finding:
    return Finding(BLOCKER, code, name_of(container), path, message, remedy)


def _names(container: Json) -> list[Finding]:
    names = {"Name": name_of(container)}
    if project_of(container):
        names["Config.Labels[com.docker.compose.project]"] = project_of(container)
    names.update({"NetworkSettings.Networks." + name: name for name in networks_of(container)})
    names.update({f"Mounts[{name}].Name": name for name in grouping.volumes_of(container)})
    for network in networks_of(container):
        endpoint = mapping(dig(container, "NetworkSettings.Networks")).get(network)
        aliases = strings(mapping(endpoint).get("Aliases"))
        names.update({f"NetworkSettings.Networks.{network}.Aliases[{name!r}]": name for name in aliases})
    names.update(
        {"Config.Hostname": hostname(container), "Config.Domainname": text(dig(container, "Config.Domainname"))}
    )
    return [
        _blocker("invalid-name", container, path, f"{name!r} is no name that Docker would allow.", _REINSPECT)
        for path, name in names.items()
        if not is_safe_name(name) and (name or path not in _MAY_BE_EMPTY)
    ]


_MAY_BE_EMPTY = ("Config.Hostname", "Config.Domainname")


_REINSPECT = "Make the inventory again on the host; if it stays, report it to the project."


def _references(container: Json, known: Context) -> list[Finding]:
    """What the container refers to must be in the inventory, or the plan would be a guess."""
    wanted = [("missing-image", "Image", text(container.get("Image")), known.images)]
    wanted += [
        ("missing-network", "NetworkSettings.Networks." + name, name, known.networks) for name in networks_of(container)
    ]
    wanted += [("missing-volume", f"Mounts[{name}]", name, known.volumes) for name in grouping.volumes_of(container)]
    return [
        _blocker(code, container, path, f"{path} refers to {name!r}, which the inventory does not have.", _REINSPECT)
        for code, path, name, documents in wanted
        if name not in documents
    ]


def _ambiguous(container: Json, known: Context) -> list[Finding]:
    """Docker allows several networks of one name; a plan that goes by names would mix them up."""
    return [
        _blocker(
            "ambiguous-network",
            container,
            "NetworkSettings.Networks." + name,
            f"Docker has several networks that are called {name}.",
            "Remove those that nobody uses, and assess again.",
        )
        for name in networks_of(container)
        if name in known.ambiguous
    ]


def _taken(container: Json, known: Context) -> list[Finding]:
    """Quadlet would replace Podman's container of that name, and use its network of that name as it is."""
    name, found = name_of(container), []
    if name in known.podman_names("containers", "pods"):
        message, remedy = f"Podman has a container or pod {name} already.", "Rename or remove it, and assess again."
        found.append(_blocker("name-taken", container, "Name", message, remedy))
    for network in networks_of(container):
        there = resources.network_name(network, known)
        if there in known.podman_names("networks"):
            path, message = "NetworkSettings.Networks." + network, f"Podman has a network {there} already."
            found.append(_blocker("name-taken", container, path, message, "Remove it, and assess again."))
    return found


def _image(container: Json, known: Context) -> list[Finding]:
    """Without a name, an image of the containerd store has no ID that Podman knows as well."""
    document = known.images.get(text(container.get("Image")))
    names = [] if document is None else [*image_names.names(document), text(document.get("Id"))]
    if not all(image_names.is_valid(name) for name in names):
        message = "Its image has a name or ID that Docker would not allow."
        return [_blocker("invalid-name", container, "Image", message, _REINSPECT)]
    if document is None:
        return []
    if not strings(document.get("RepoTags")) and not known.config_digest(text(document.get("Id"))):
        message = "Its image has no name, and the inventory does not say which ID Podman will give it."
        return [_blocker("untagged-image", container, "Image", message, "Give it a name with docker tag.")]
    typed = text(dig(container, "Config.Image"))
    if image_names.is_moved(typed, document):
        message = f"{typed[:200]!r} is not the name of its image any more; it keeps the image that it has."
        return [Finding(INFO, "moved-tag", name_of(container), "Config.Image", message, _NONE)]
    return []


def _state(container: Json) -> list[Finding]:
    """What the container is doing that Podman would not take up."""
    name, state = name_of(container), mapping(container.get("State"))
    found = []
    if state.get("Paused") is True:
        message, remedy = "The container is paused.", "Unpause or stop it, and assess again."
        found.append(_blocker("paused", container, "State.Paused", message, remedy))
    if state.get("Dead") is True or state.get("Status") == "removing":
        message, remedy = "Docker could not remove the container.", "Remove it with docker rm, and assess again."
        found.append(_blocker("dead", container, "State.Status", message, remedy))
    if state.get("Restarting") is True:
        message = "Docker starts it again and again; under Podman it need not run better."
        found.append(Finding(INFO, "restarting", name, "State.Restarting", message, "See docker logs."))
    if label(container, COMPOSE + "oneoff") == "True":
        message = "It was started once, by docker compose run; it becomes a unit that nothing starts."
        found.append(Finding(INFO, "one-off", name, "Config.Labels", message, "Remove it if nobody needs it."))
    return found


def _has_ipv6(container: Json, known: Context) -> bool:
    return any(dig(known.networks.get(name), "EnableIPv6") is True for name in networks_of(container))


def _notes(container: Json, known: Context) -> list[Finding]:
    name, found = name_of(container), []
    published = ports.published(container)
    if ports.is_discarded(container):
        message = "Docker publishes no port of a container that has no network of its own; nor does Podman."
        found.append(Finding(INFO, "port-discarded", name, "HostConfig.PortBindings", message, _NONE))
    if published.chosen:
        message = "Docker chose a port of the host; the one in use now is kept for good."
        found.append(Finding(INFO, "port-pinned", name, "HostConfig.PortBindings", message, _NONE))
    if published.open:
        message = "Docker would choose a port of the host when it starts; so does Podman, from all that are free."
        found.append(Finding(INFO, "port-open", name, "HostConfig.PortBindings", message, "Publish it on a port."))
    if datagrams.is_many(published.ports):
        message = "Who goes on sending datagrams from one port while it starts is not heard before a pause of 30 s."
        remedy = "After a start run conntrack --delete --proto udp, or publish {} UDP ports at most.".format(
            datagrams.MOST
        )
        found.append(Finding(INFO, "udp-senders", name, "HostConfig.PortBindings", message, remedy))
    if known.host.get("ipv6") is True and not _has_ipv6(container, known):
        addresses = {port["host_ip"] for port in published.ports if port["proto"] == "tcp"}
        if addresses & {"", "::"}:
            message = (
                "Docker answered on the IPv6 addresses of the host too; Podman does not, as the container has none."
            )
            remedy = "Give its network IPv6, or accept it when no client uses IPv6."
            found.append(Finding(WARNING, "ipv6-published", name, "HostConfig.PortBindings", message, remedy))
    return [*found, *_hostname_notes(container), *_restart_notes(container)]


def _hostname_notes(container: Json) -> list[Finding]:
    name, found = name_of(container), []
    if has_short_id_as_hostname(container) and mounts.uses_docker_socket(container):
        message = (
            "Its host name is the short ID that it had in Docker. If it looks itself up by that at the socket, Podman does not "
            "know it, as its ID there is another."
        )
        remedy = f"Give it its name as host name (docker run --hostname {name}, in Compose hostname: {name}), and assess again."
        found.append(Finding(INFO, "self-lookup", name, "Config.Hostname", message, remedy))
    if full_hostname(container):
        message = (
            f"Podman sets no domain: hostname(1) prints {hostname(container)} as under Docker, and hostname -f too."
        )
        found.append(Finding(INFO, "domainname", name, "Config.Domainname", message, _NONE))
    elif "." in hostname(container):
        short = hostname(container).partition(".")[0]
        message = f"Docker lets it find itself as {short} too; Podman knows its host name in full only."
        remedy = f"If it needs that, give it the network alias {short} under Docker, and assess again."
        found.append(Finding(INFO, "short-hostname", name, "Config.Hostname", message, remedy))
    return found


def _restart_notes(container: Json) -> list[Finding]:
    name, found = name_of(container), []
    restart_policy = policy_name(dig(container, "HostConfig.RestartPolicy"))
    # With "always" Docker does not remember it either.
    if runs_from_boot(container) and restart_policy == "unless-stopped":
        message = "systemd starts it at every boot and does not remember a manual stop."
        remedy = "To keep it stopped, mask its service."
        found.append(Finding(INFO, "manual-stop", name, "HostConfig.RestartPolicy", message, remedy))
    if runs_from_boot(container) and restart_policy == "on-failure":
        message = "systemd starts it at every boot, also when it had ended well; Docker starts what had failed."
        remedy = "If it must not run again, mask its service once it has done its work."
        found.append(Finding(INFO, "ended-well", name, "HostConfig.RestartPolicy", message, remedy))
    return found
