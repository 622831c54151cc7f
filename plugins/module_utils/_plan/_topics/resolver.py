# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The address of Docker's name server, where programs have it in their settings (private to the collection)."""

from __future__ import annotations

import re
from typing import Iterator

from ..._common.json import Json, dig, items, mapping, strings, text
from .._documents.containers import name_of, network_mode, networks_of
from .._documents.context import Context
from ..model import WARNING, Finding
from .mounts import mounts_of

_ADDRESS = re.compile(r"(?<![0-9.])127\.0\.0\.11(?![0-9])")
_ARGUMENTS = ("Config.Entrypoint", "Config.Cmd", "Config.Healthcheck.Test")


def findings(container: Json, known: Context) -> list[Finding]:
    """Where a container names it, without the line. On Docker's default bridge nobody answers there."""
    places = sorted({*_settings(container), *_files(container, known)})
    asks = bool(networks_of(container)) or network_mode(container)[0] == "container"
    if not (places and asks):
        return []
    message = f"It names Docker's name server, 127.0.0.11, where nobody answers under Podman: in {', '.join(places)}."
    return [Finding(WARNING, "resolver", name_of(container), places[0], message, _remedy(container, known))]


def _settings(container: Json) -> Iterator[str]:
    for path in _ARGUMENTS:
        if any(_ADDRESS.search(word) for word in strings(dig(container, path))):
            yield path
    for entry in strings(dig(container, "Config.Env")):
        name, _equals, value = entry.partition("=")
        if _ADDRESS.search(value):
            yield f"Config.Env[{name[:80]}]"


def _files(container: Json, known: Context) -> Iterator[str]:
    recorded = mapping(known.host.get("binds"))
    for mount in mounts_of(container, "bind"):
        yield from strings(mapping(recorded.get(text(mount.get("Source")))).get("resolver"))


def _remedy(container: Json, known: Context) -> str:
    """Podman's name server has the address of the gateway, which a network keeps."""
    configs = [
        mapping(config)
        for network in networks_of(container)
        for config in items(dig(mapping(known.networks.get(network)), "IPAM.Config"))
    ]
    gateways = [text(config.get("Gateway")) for config in configs if config.get("Gateway")]
    there = f"the gateway of its network, {gateways[0]}" if gateways else "the server of its /etc/resolv.conf"
    return f"When it moves, change that to {there}, where Podman's name server answers; and accept this."
