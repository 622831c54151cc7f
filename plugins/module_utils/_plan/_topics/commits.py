# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers that get an image of their own, with what was written into them (private to the collection)."""

from __future__ import annotations

import dataclasses
from typing import Iterator

from ..._common.json import Json, dig, strings, text
from .. import policy
from .._documents.containers import name_of
from .._documents.context import Context
from ..model import BLOCKER, INFO, Finding
from .persist import UNKNOWN, layers_of

_REPOSITORY = "localhost/docker_to_podman/committed"


def applied(known: Context, rules: Json) -> Context:
    """The inventory with the images that containers will have; a working directory that Docker made is in them."""
    named = [item for item in known.containers if policy.commits(rules, name_of(item)) and not _obstacle(item, known)]
    changes = dict(known.changes)
    for container in named:
        number = text(container.get("Id"))
        changes[number] = {key: value for key, value in changes.get(number, {}).items() if key != "made_workdir"}
    committed = {name_of(container): f"{_REPOSITORY}:{name_of(container)}" for container in named}
    return dataclasses.replace(known, changes=changes, committed=committed)


def _obstacle(container: Json, known: Context) -> str:
    """Why no image can be made of a container; "" when one can."""
    if "name=userns" in strings(dig(known.engine, "info.SecurityOptions")):
        return "the engine maps user IDs, and its files have those of the host"
    return "" if layers_of(container, known) else UNKNOWN


def entry(container: Json, image: str, known: Context) -> Json:
    """What the cutover needs: the name of the image to be, the one below it, and Docker's folders."""
    name = name_of(container)
    return {"container": name, "name": known.committed[name], "image": image, "layers": layers_of(container, known)}


def findings(container: Json, known: Context, rules: Json) -> Iterator[Finding]:
    """What an image of a container means, or why there can be none."""
    name = name_of(container)
    if name in known.committed:
        message = (
            "What was written into it becomes a layer of its image while it is down; later writes go at each stop."
        )
        remedy = "For data that goes on changing use policy.containers.{}.persist.".format(name)
        yield Finding(INFO, "committed", name, "SizeRw", message, remedy)
    elif policy.commits(rules, name):
        message = f"policy.containers.{name}.commit: no image can be made of it: {_obstacle(container, known)}."
        remedy = "Put the data on a volume under Docker, or take it out of the policy."
        yield Finding(BLOCKER, "commit", name, "SizeRw", message, remedy)
