# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What others ask of a container's document: names, labels, state (private to the collection)."""

from __future__ import annotations

from ..._common.json import Json, dig, mapping, strings, text

COMPOSE = "com.docker.compose."

BUILT_IN_NETWORKS = ("bridge", "host", "none")


def name_of(container: Json) -> str:
    """The name without the slash that the API puts before it."""
    return text(container.get("Name")).lstrip("/")


def label(container: Json, key: str) -> str:
    """A label of the container, empty when it has none of that name."""
    return text(mapping(dig(container, "Config.Labels")).get(key))


def is_running(container: Json) -> bool:
    """True for what Docker runs or keeps trying to run."""
    state = mapping(container.get("State"))
    return state.get("Running") is True or state.get("Restarting") is True


def project_of(container: Json) -> str:
    """The Compose project, empty when it belongs to none."""
    return label(container, COMPOSE + "project")


def network_mode(container: Json) -> tuple[str, str]:
    """(``host``, ``none``, ``container``, ``default`` or ``network``; the container or network that is named)."""
    mode = text(dig(container, "HostConfig.NetworkMode"))
    if dig(container, "Config.NetworkDisabled") is True or mode == "none":
        return "none", ""
    kind, colon, other = mode.partition(":")
    if kind == "container" and colon:
        return "container", other
    if mode == "host":
        return "host", ""
    return ("default", "") if mode in ("", "default", "bridge") else ("network", mode)


def has_own_network(container: Json) -> bool:
    """False in a network namespace that is the host's, another container's or without any network."""
    return network_mode(container)[0] in ("default", "network")


def networks_of(container: Json) -> list[str]:
    """The user-defined networks of a container, the primary one first."""
    mode, endpoints = network_mode(container)[1], mapping(dig(container, "NetworkSettings.Networks"))
    names = [name for name in endpoints if name not in BUILT_IN_NETWORKS]
    # A primary network can be named by its ID.
    return sorted(names, key=lambda name: mode not in (name, text(mapping(endpoints[name]).get("NetworkID")) or None))


def is_on_default_bridge(container: Json) -> bool:
    """True on Docker's network "bridge", alone or beside others."""
    return "bridge" in mapping(dig(container, "NetworkSettings.Networks")) or (
        network_mode(container)[0] == "default" and not networks_of(container)
    )


def hostname(container: Json) -> str:
    """The host name that Docker shows, chosen by somebody or the short ID; empty where the namespace is another's.

    Docker keeps the short ID as long as the container, and applications keep data under it (RabbitMQ's node name).
    """
    return text(dig(container, "Config.Hostname")) if has_own_hostname(container) else ""


def full_hostname(container: Json) -> str:
    """The host name with its domain, by which the container finds itself; empty without a domain."""
    parts = hostname(container), text(dig(container, "Config.Domainname"))
    return ".".join(parts) if all(parts) else ""


def has_short_id_as_hostname(container: Json) -> bool:
    """Whether the host name is the one that Docker makes of the ID."""
    return bool(hostname(container)) and hostname(container) == text(container.get("Id"))[:12]


def has_own_hostname(container: Json) -> bool:
    """False where the name is that of the host or of another container."""
    return network_mode(container)[0] not in ("host", "container") and not dig(container, "HostConfig.UTSMode")


def links_of(container: Json) -> list[tuple[str, str]]:
    """(container, alias) for each link, from ``/target:/self/alias``."""
    links = [link.partition(":") for link in strings(dig(container, "HostConfig.Links"))]
    return [(target.lstrip("/"), alias.rpartition("/")[2]) for target, _colon, alias in links]
