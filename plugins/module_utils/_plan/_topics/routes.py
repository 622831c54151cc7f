# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which network of several a container leaves through (private to the collection).

Docker gives a container one default route, Podman one for each network: the kernel takes that with the smallest metric, which is
an option of the network. What no order of networks can express is a finding.
"""

from __future__ import annotations

from typing import Mapping

from ..._common.json import Json, mapping
from .._documents.containers import is_on_default_bridge, name_of, networks_of
from .._documents.context import Context
from .._tables.options import Setting
from ..model import WARNING, Finding
from .networking import endpoint_of

# netavark's own, which Podman's default network has; and what lies between two networks.
_USUAL, _STEP = 100, 10
_DEFAULT = "bridge"


def decided(known: Context) -> tuple[dict[str, int], dict[str, str]]:
    """The metrics of the networks that need one; and, by container, the network that others keep from being its first."""
    behind: dict[str, set[str]] = {}
    detours = {}
    for container in known.containers:
        names = _in_order(container, known)
        if any(names[0] in _below(behind, other) for other in names[1:]):
            detours[name_of(container)] = names[0]
        elif names[1:]:
            behind.setdefault(names[0], set()).update(names[1:])
    places = _places(behind)
    metrics = {name: max(1, _USUAL + _STEP * (place - places.get(_DEFAULT, 0))) for name, place in places.items()}
    return {name: metric for name, metric in metrics.items() if metric != _USUAL and name != _DEFAULT}, detours


def _in_order(container: Json, known: Context) -> list[str]:
    """The networks that can have the default route, in Docker's order (moby 28.5, libnetwork/sandbox.go, Less)."""
    names = [*networks_of(container), *([_DEFAULT] if is_on_default_bridge(container) else [])]
    return sorted(
        (name for name in names if mapping(known.networks.get(name)).get("Internal") is not True),
        key=lambda name: (-_priority(container, name), -_families(mapping(known.networks.get(name))), name),
    )


def _priority(container: Json, network: str) -> int:
    found = endpoint_of(container, network).get("GwPriority")
    return found if isinstance(found, int) else 0


def _families(network: Json) -> int:
    return (network.get("EnableIPv4") is not False) + (network.get("EnableIPv6") is True)


def _below(behind: Mapping[str, set[str]], name: str) -> set[str]:
    found, left = set(), [name]
    while left:
        for other in behind.get(left.pop(), ()):
            if other not in found:
                found.add(other)
                left.append(other)
    return found


def _places(behind: Mapping[str, set[str]]) -> dict[str, int]:
    """How many networks are before each one, one before the other."""
    before: dict[str, int] = {}
    for others in behind.values():
        for other in others:
            before[other] = before.get(other, 0) + 1
    places = {name: 0 for name in behind if name not in before}
    left = sorted(places)
    while left:
        name = left.pop()
        for other in behind.get(name, ()):
            places[other] = max(places.get(other, 0), places[name] + 1)
            before[other] -= 1
            if not before[other]:
                left.append(other)
    return places


def settings(network: str, known: Context) -> list[Setting]:
    """The metric of a network that needs one."""
    metric = known.metrics.get(network)
    return [("option", f"metric={metric}")] if metric else []


def findings(container: Json, known: Context) -> list[Finding]:
    """A container whose default route Podman cannot give it."""
    network = known.detours.get(name_of(container))
    if network is None:
        return []
    message = (
        f"Docker sends what leaves its networks through {network}, and that of others on the same networks through another one; "
        "Podman has one order of networks for all, and sends it as those."
    )
    remedy = "Take it off the networks that it does not need, or accept this."
    path = f"NetworkSettings.Networks.{network}.GwPriority"
    return [Finding(WARNING, "default-route", name_of(container), path, message, remedy)]
