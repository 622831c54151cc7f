# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of images as Docker means them (private to the collection)."""

from __future__ import annotations

import re

from ..._common.json import Json, strings, text

_DOCKER_HUB = "docker.io"
_REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,511}\Z")


def fully_qualified(name: str) -> str:
    """``redis`` -> ``docker.io/library/redis:latest``: what Docker means, whatever the host's short names say."""
    domain, slash, path = name.partition("/")
    is_domain = bool(slash) and ("." in domain or ":" in domain or domain == "localhost")
    if not is_domain:
        domain, path = _DOCKER_HUB, name
    if domain in (_DOCKER_HUB, "index.docker.io"):
        domain, path = _DOCKER_HUB, path if "/" in path else "library/" + path
    is_complete = ":" in path.rsplit("/", 1)[-1] or "@" in path
    return "{}/{}{}".format(domain, path, "" if is_complete else ":latest")


def names(image: Json) -> list[str]:
    """All names of an image, fully qualified, sorted."""
    return sorted(fully_qualified(tag) for tag in strings(image.get("RepoTags")) if tag != "<none>:<none>")


def digests(image: Json) -> list[str]:
    """The names under which registries had an image, fully qualified, with its digest there, sorted."""
    known = (fully_qualified(name) for name in strings(image.get("RepoDigests")) if "@sha256:" in name)
    return sorted(name for name in known if is_valid(name))


def reference(typed: str, image: Json, config_digest: str) -> str:
    """What a unit calls the image: the name the user typed while it still is this image, else a name, else its ID in Podman."""
    known = names(image)
    wanted = fully_qualified(typed)
    if wanted in known:
        return wanted
    return known[0] if known else config_digest.split(":")[-1]


def is_moved(typed: str, image: Json) -> bool:
    """True when a container was created from a name that its image does not have (any more)."""
    number = text(image.get("Id")).split(":")[-1]
    is_id = bool(typed) and number.startswith(typed.split(":")[-1])
    digests = [fully_qualified(name) for name in strings(image.get("RepoDigests"))]
    return not is_id and fully_qualified(typed) not in [*names(image), *digests]


def is_valid(name: str) -> bool:
    """True for what can be a reference or an ID, and nothing else."""
    return bool(_REFERENCE.match(name))
