# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders of a container's own file system that become volumes (private to the collection).

Each is added to the container's document as the mount of a named volume, so that one translation serves both.
"""

from __future__ import annotations

import dataclasses
import hashlib
import posixpath
import re
from typing import Iterator

from ..._common.json import Json, dig, items, mapping, strings, text
from .. import policy
from .._documents.containers import name_of
from .._documents.context import Context
from ..model import BLOCKER, INFO, Finding, is_below
from . import mounts as mount_topic

_UNSAFE = re.compile(r"[^A-Za-z0-9.]+")
_SLUG = 40
UNKNOWN = "only the storage driver overlay2 says where the data lies, or containerd's while the container runs"
"""Why the files of a container cannot be read."""


def applied(known: Context, rules: Json) -> Context:
    """The inventory as if each of these folders were a named volume already; those that cannot be are left out."""
    containers, volumes, persisted = [], dict(known.volumes), {}
    for container in known.containers:
        mounts = list(items(container.get("Mounts")))
        for path in policy.persist(rules, name_of(container)):
            if _obstacle(container, path, known):
                continue
            name = _volume_name(name_of(container), path, known)
            mounts.append(_mount(container, path, name))
            volumes[name] = {"Name": name}
            source = "{}:{}".format(text(container.get("Id")), path)
            layers = layers_of(container, known)
            persisted[name] = {"source": source, "docker_name": None, "strategy": "persist", "layers": layers}
        containers.append(
            {**container, "Mounts": mounts} if len(mounts) > len(items(container.get("Mounts"))) else container
        )
    by_name = {name_of(container): container for container in containers}
    return dataclasses.replace(known, containers=containers, by_name=by_name, volumes=volumes, persisted=persisted)


def _mount(container: Json, path: str, name: str) -> Json:
    """``nocopy``: what the application removed would come back from the image."""
    is_writable = dig(container, "HostConfig.ReadonlyRootfs") is not True
    return {"Type": "volume", "Name": name, "Source": "", "Destination": path, "Mode": "nocopy", "RW": is_writable}


def _volume_name(container: str, path: str, known: Context) -> str:
    """``web_var-lib-app``. Where that could be said of another path too, a digest tells them apart."""
    slug = _UNSAFE.sub("-", path.strip("/"))[:_SLUG]
    if slug != path.strip("/").replace("/", "-") or "-" in path:
        slug += "-" + hashlib.sha256(path.encode(errors="surrogatepass")).hexdigest()[:8]
    name = f"{container}_{slug}"
    while name in known.volumes:
        name += "-1"
    return name


def layers_of(container: Json, known: Context) -> list[str]:
    """Docker's folders that make up the file system of a container, the upper one first; none when nobody says them."""
    data = mapping(dig(container, "GraphDriver.Data"))
    if dig(container, "GraphDriver.Name") == "overlay2":
        found = [text(data.get("UpperDir")), *text(data.get("LowerDir")).split(":")]
    else:
        found = strings(known.changes.get(text(container.get("Id")), {}).get("layers"))
    is_whole = len(found) > 1 and all(layer.startswith("/") and _is_normal(layer) for layer in found)
    return found if is_whole else []


def findings(container: Json, known: Context, rules: Json) -> Iterator[Finding]:
    """Folders that cannot become volumes, and what those that do are called."""
    name = name_of(container)
    made = {text(mount.get("Destination")): text(mount.get("Name")) for mount in _mounts(container)}
    for path in policy.persist(rules, name):
        if made.get(path) in known.persisted:
            message = (
                f"{path} of the container becomes the volume {made[path]}; what newer images bring there stays hidden."
            )
            yield Finding(INFO, "persisted", name, "SizeRw", message, "None needed.")
            continue
        obstacle = _obstacle(container, path, known)
        message = f"policy.containers.{name}.persist: {path} cannot become a volume: {obstacle}."
        remedy = "Put the data on a volume under Docker, or take the path out of the policy."
        yield Finding(BLOCKER, "persist", name, "SizeRw", message, remedy)


def _obstacle(container: Json, path: str, known: Context) -> str:
    """Why a folder cannot become a volume; "" when it can."""
    for target in mount_topic.targets(container):
        if is_below(path, target) or is_below(target, path):
            return f"something is mounted at {target}"
    return "" if layers_of(container, known) else UNKNOWN


def _mounts(container: Json) -> list[Json]:
    return [mapping(mount) for mount in items(container.get("Mounts"))]


def _is_normal(path: str) -> bool:
    return posixpath.normpath(path) == path and not path.startswith("//")
