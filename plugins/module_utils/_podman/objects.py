# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Podman has: networks, volumes, images, secrets. A Podman that fails has not said that there is none (private to the
collection)."""

from __future__ import annotations

from pathlib import Path

from .._common.command import run
from .._common.errors import UserError

OWNER_LABEL = "podshift.docker_to_podman.container"


def mend_secrets(graph_root: str) -> None:
    """Remove the empty lists that a power cut leaves of the very first secret, which no Podman reads any more."""
    for name in ("secrets.json", "filedriver/secretsdata.json"):
        path = Path(graph_root, "secrets", name)
        if path.exists() and not path.stat().st_size:
            path.unlink()


def owner_of_secret(name: str) -> str | None:
    """The container that a secret was made from, "" when this collection did not make it; None without such a secret."""
    template = '{{index .Spec.Labels "' + OWNER_LABEL + '"}}'
    inspect = ["podman", "secret", "inspect", "--format", template, name]
    found = run(inspect, check=False)
    if found.rc == 0:
        return found.stdout.strip()
    # "podman secret exists" begins with 4.5.
    if name in run(["podman", "secret", "ls", "--format", "{{.Name}}"]).stdout.split():
        return run(inspect).stdout.strip()
    return None


def exists(kind: str, name: str) -> bool:
    """Whether Podman has an object of this kind. UserError when it cannot tell: podman-network-exists(1) has 0 and 1 for
    answers, and others for failures."""
    found = run(["podman", kind, "exists", name], check=False)
    if found.rc not in (0, 1):
        raise UserError("podman cannot tell whether there is a {0} {1}: {2}".format(kind, name, found.stderr.strip()))
    return found.rc == 0
