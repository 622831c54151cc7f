# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The .pod unit of a workload (private to the collection)."""

from __future__ import annotations

from typing import Sequence

from .._common.json import Json
from ._documents.containers import name_of
from ._documents.context import Context
from ._tables.options import Setting
from ._topics import datagrams, networking, ports, user_namespace
from ._topics.restart import runs_from_boot
from .container_unit import START, Layout, is_of_pod, own_settings
from .quadlet import unexpanded
from .unit_file import Unit


def pod_unit(members: Sequence[Json], layout: Layout, known: Context) -> Unit:
    """The ports, networks and names of all members; it shares the network and nothing else."""
    names = {name_of(member) for member in members}
    for member in members:
        for network in layout.network_files:
            names.update(networking.endpoint_aliases(member, network), layout.aliases.get(name_of(member), []))
    own = dict.fromkeys(item for member in members for item in own_settings(member, layout, known) if is_of_pod(item))
    settings: list[Setting] = [("name", layout.pod), ("share", "net"), ("exit_policy", "continue")]
    settings += [("network", layout.network_files[network]) for network in sorted(layout.network_files)]
    settings += user_namespace.settings(known)
    settings += [("alias", name) for name in sorted(names)]
    settings += [("add_host", name + ":127.0.0.1") for name in sorted(names)]
    settings += own
    return Unit(
        layout.pod_file,
        "Pod",
        settings,
        unit=[("Description", unexpanded(f"{layout.name}, moved from Docker"))],
        service=[
            START,
            *(line for member in members for line in datagrams.service_lines(ports.published(member).ports)),
        ],
        is_wanted=any(runs_from_boot(member) for member in members),
    )
