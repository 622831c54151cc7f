# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets in Podman, and the containers they were made from (private to the collection)."""

from __future__ import annotations

from pathlib import Path

from .._common.command import run

OWNER_LABEL = "podshift.docker_to_podman.container"


def mend_secrets(graph_root: str) -> None:
    """Remove the empty lists that a power cut leaves of the very first secret, which no Podman reads any more."""
    for name in ("secrets.json", "filedriver/secretsdata.json"):
        path = Path(graph_root, "secrets", name)
        if path.exists() and not path.stat().st_size:
            path.unlink()


def owner_of_secret(name: str) -> str | None:
    """The container that a secret was made from, "" when this collection did not make it; None without such a secret."""
    # "podman secret exists" begins with 4.5.
    template = '{{index .Spec.Labels "' + OWNER_LABEL + '"}}'
    found = run(["podman", "secret", "inspect", "--format", template, name], check=False)
    return found.stdout.strip() if found.rc == 0 else None
