# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of Docker's volume driver local in Podman's words (private to the collection)."""

from __future__ import annotations

from ..._common.json import Json, mapping, text
from .._tables.options import Setting
from ..model import BLOCKER, INFO, Finding

_KNOWN = ("type", "device", "o")
_NETWORK_TYPES = ("nfs", "nfs4", "cifs", "smb3")


def settings(document: Json) -> list[Setting]:
    """Type, device and mount options; none for a plain folder.

    Docker resolves the server of NFS itself, from ``addr=``, and has only the path in the device; mount(8), which
    Podman calls, wants both in the device.
    """
    given = {key: text(mapping(document.get("Options")).get(key)) for key in _KNOWN}
    if not any(given.values()):
        return []
    mount_options = given["o"].split(",") if given["o"] else []
    device = given["device"]
    if given["type"] in ("nfs", "nfs4") and device.startswith(":"):
        server = [option[len("addr=") :] for option in mount_options if option.startswith("addr=")]
        device = (_bracketed(server[-1]) if server else "") + device
        mount_options = [option for option in mount_options if not option.startswith("addr=")]
    # Podman takes a type only together with a device.
    device = device or given["type"]
    rows = (("type", given["type"]), ("device", device), ("options", ",".join(mount_options)))
    return [(option, value) for option, value in rows if value]


def _bracketed(server: str) -> str:
    """mount.nfs(8): the colons of an IPv6 address stand in square brackets."""
    return f"[{server}]" if ":" in server and not server.startswith("[") else server


def findings(document: Json) -> list[Finding]:
    """Options that Podman does not have, and programs that its mounts need."""
    name, given = text(document.get("Name")), mapping(document.get("Options"))
    message = "Podman's volumes have no option {!r}."
    found = [
        Finding(
            BLOCKER, "volume-option", name, f"Options[{key}]", message.format(key[:80]), "Make the volume without it."
        )
        for key in sorted(given)
        if key not in _KNOWN
    ]
    if text(given.get("type")) in _NETWORK_TYPES:
        message = "Docker mounted it by itself; Podman calls mount(8), which needs the file system's own program."
        remedy = "Install nfs-common or cifs-utils (nfs-utils or cifs-utils on Fedora and its relatives) on the host."
        found.append(Finding(INFO, "volume-mount-program", name, "Options[type]", message, remedy))
    return found
