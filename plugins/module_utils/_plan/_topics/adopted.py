# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes that Podman uses where Docker keeps them (private to the collection).

Podman gets such a folder as a bind mount and not as a volume with the option ``device``: it gives a volume of its own
another owner and fills it from the image, and ``podman volume rm --force`` deletes the volume's folder also when what
is mounted there did not come off (libpod, fixVolumePermissions, mountNamedVolume and removeVolume).
"""

from __future__ import annotations

import posixpath
import re
from typing import Iterator, Sequence

from ..._common.json import Json, mapping, text
from .. import policy
from .._documents.containers import name_of, project_of
from .._documents.context import Context
from ..model import BLOCKER, INFO, Finding
from .mounts import mounts_of

ADOPT = "adopt"
# The data root of a Docker that maps users is a folder of the real one.
_USERS = re.compile(r"/\d+\.\d+\Z")


def folder(data_root: str) -> str:
    """Where adopted volumes have the names that Podman knows: beside Docker's data root, so that the data can take
    them when the data root goes."""
    return _USERS.sub("", posixpath.normpath(posixpath.join("/", data_root))) + "_adopted"


def names(containers: Sequence[Json], known: Context, rules: Json) -> set[str]:
    """Docker's names of the volumes that all who use them want to be adopted."""
    return {name for name, wanted in _strategies(containers, known, rules).items() if set(wanted.values()) == {ADOPT}}


def findings(containers: Sequence[Json], known: Context, rules: Json) -> Iterator[Finding]:
    """What the user should know of the volumes of a workload that are adopted, or that not all want to be."""
    for name, wanted in sorted(_strategies(containers, known, rules).items()):
        if len(set(wanted.values())) > 1:
            said = ", ".join(f"{strategy} for {container}" for container, strategy in sorted(wanted.items()))
            message = f"Its containers have different strategies: {said}."
            remedy = "Give them the same one in the policy."
            yield Finding(BLOCKER, "volume-strategy", name, "policy.strategy", message, remedy)
        elif ADOPT in wanted.values():
            message = (
                "Podman uses Docker's folder in place: what is written there under Podman, also by a start that fails, "
                "is there for Docker too, and removing the volume in Docker removes the data."
            )
            remedy = "Do not prune Docker's volumes any more; the strategy copy keeps Docker's data as it was."
            yield Finding(INFO, "volume-adopted", name, "policy.strategy", message, remedy)


def _strategies(containers: Sequence[Json], known: Context, rules: Json) -> dict[str, dict[str, str]]:
    """The strategy that each container wants for each of its volumes; none where the data lies elsewhere, or in the
    container itself so far."""
    found: dict[str, dict[str, str]] = {}
    for container in containers:
        strategy = policy.choice(rules, "strategy", project_of(container), name_of(container))
        for name in (text(mount.get("Name")) for mount in mounts_of(container, "volume")):
            options = mapping(known.volumes.get(name, {}).get("Options"))
            if not (name in known.persisted or text(options.get("type")) or text(options.get("device"))):
                found.setdefault(name, {})[name_of(container)] = strategy
    return found
