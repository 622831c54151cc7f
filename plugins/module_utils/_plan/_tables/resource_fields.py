# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One row for every path of the documents of networks and volumes (private to the collection).

Source of the paths: the Engine API's definition, 1.40 to 1.56.
"""

from __future__ import annotations

from ..fields import NOT_APPLICABLE, RUNTIME, TRANSLATED, Field, rows, translated, truth
from ..model import BLOCKER, WARNING

_RESULT = "What the engine made of the settings."
_SWARM = "It belongs to a swarm."
_LEAVE = "Turn its services into plain containers on networks and volumes of this host first."
_KEEP = "Remove the option, or accept the finding when the applications do without."

NETWORK: tuple[Field, ...] = (
    *rows(RUNTIME, "", "Id Created Containers Services Peers Status", remark=_RESULT),
    *rows(TRANSLATED, "", "Name", "name"),
    *rows(TRANSLATED, "", "Driver", "driver"),
    *rows(TRANSLATED, "", "Labels", "label"),
    *rows(TRANSLATED, "", "Options", "option", "interface"),
    *translated("", {"EnableIPv6": ("ipv6", truth), "Internal": ("internal", truth)}),
    Field("EnableIPv4", NOT_APPLICABLE, remark="Without subnets of IPv4 Podman has none either.", defaults=(True,)),
    *rows(NOT_APPLICABLE, "", "Attachable", remark="For swarms."),
    Field("Scope", BLOCKER, remark=_SWARM, defaults=("local",), code="swarm", remedy=_LEAVE),
    *rows(BLOCKER, "", "Ingress ConfigFrom.Network ConfigOnly", remark=_SWARM, remedy=_LEAVE),
    Field("IPAM.Driver", TRANSLATED, ("ipam_driver",), defaults=("default",)),
    *rows(WARNING, "IPAM.", "Options", remark="They are options of a plugin of Docker.", remedy=_KEEP),
    *rows(TRANSLATED, "IPAM.Config[].", "Subnet", "subnet"),
    *rows(TRANSLATED, "IPAM.Config[].", "Gateway", "gateway"),
    *rows(TRANSLATED, "IPAM.Config[].", "IPRange", "ip_range"),
    *rows(WARNING, "IPAM.Config[].", "AuxiliaryAddresses",
          remark="Podman keeps no addresses free, and may give them to a container.",
          remedy="Keep them out of the network's IP range, and accept the finding."),
)  # fmt: skip

VOLUME: tuple[Field, ...] = (
    *rows(RUNTIME, "", "CreatedAt Mountpoint Status UsageData", remark=_RESULT),
    *rows(TRANSLATED, "", "Name", "name"),
    *rows(TRANSLATED, "", "Labels", "label"),
    *rows(TRANSLATED, "", "Options", "type", "device", "options"),
    Field("Driver", BLOCKER, remark="The volume belongs to a plugin of Docker.", defaults=("local",),
          remedy="Move the data to a local volume first."),
    Field("Scope", BLOCKER, remark=_SWARM, defaults=("local",), code="swarm", remedy=_LEAVE),
    *rows(BLOCKER, "", "ClusterVolume", remark=_SWARM, remedy=_LEAVE),
)  # fmt: skip
