# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of the host is mounted into a container, and what becomes of it (private to the collection).

Both engines mount what a path leads to at the start of the container. They differ where nothing is there: Docker makes
a folder, Podman refuses.
"""

from __future__ import annotations

import posixpath
import re
from typing import Iterator, NamedTuple

from ..._common.json import Json, dig, mapping, strings, text
from .._documents import daemon
from .._documents.containers import is_running, name_of
from .._documents.context import Context
from ..model import BLOCKER, INFO, WARNING, Finding
from .mounts import BIND_MODES, DOCKER_SOCKETS, PODMAN_SOCKET, mounts_of

_NONE = "None needed."
_VAR_RUN = re.compile(r"\A/var/run(?=/|\Z)")
"""A link on every host with systemd."""


class _Bind(NamedTuple):
    """A bind mount: where it comes from, where that leads without links (as far as known), and what is there."""

    source: str
    real: str
    type: str
    path: str
    modes: frozenset[str]

    def is_in(self, folder: str) -> bool:
        return any((path.rstrip("/") + "/").startswith(folder + "/") for path in (self.source, self.real))

    def holds(self, path: str) -> bool:
        return any(
            _VAR_RUN.sub("/run", path).startswith(folder.rstrip("/") + "/")
            for folder in (_VAR_RUN.sub("/run", self.source), self.real)
        )


def findings(container: Json, known: Context) -> Iterator[Finding]:
    """What the user should know about the bind mounts of a container."""
    for bind in _binds(container, known):
        if bind.source in DOCKER_SOCKETS:
            yield _socket(container, bind)
            continue
        if bind.type == "missing":
            yield _missing(container, bind)
        if bind.is_in(known.data_root):
            message = "It mounts a folder of Docker itself, which goes when Docker is removed."
            remedy = "Mount the volume by its name, or accept this."
            yield Finding(WARNING, "docker-folder", name_of(container), bind.path, message, remedy)
        yield from _sockets(container, bind, known)
        if bind.real not in (bind.source, _VAR_RUN.sub("/run", bind.source)):
            message = (
                f"{bind.source} leads to {bind.real}; the container has what it leads to at its start, as under Docker."
            )
            yield Finding(INFO, "bind-link", name_of(container), bind.path, message, _NONE)
        yield from _labels(container, bind, known)
    yield from _idle_labels(container, known)


def _binds(container: Json, known: Context) -> Iterator[_Bind]:
    recorded = mapping(known.host.get("binds"))
    for mount in mounts_of(container, "bind"):
        source = text(mount.get("Source"))
        source = source if source in DOCKER_SOCKETS else posixpath.normpath(source)
        seen = mapping(recorded.get(text(mount.get("Source"))))
        path = "Mounts[{}].Source".format(text(mount.get("Destination")))
        modes = frozenset(text(mount.get("Mode")).split(","))
        yield _Bind(source, text(seen.get("real")) or source, text(seen.get("type")), path, modes)


def _missing(container: Json, bind: _Bind) -> Finding:
    message = (
        f"{bind.source} is not on the host; Docker would make a folder there, Podman does not start the container."
    )
    severity = BLOCKER if is_running(container) else WARNING
    remedy = "Make it, or make the container without it, and assess again."
    return Finding(severity, "bind-missing", name_of(container), bind.path, message, remedy)


def _socket(container: Json, bind: _Bind) -> Finding:
    message = "It reads the Docker socket; under Podman it gets Podman's, which speaks Docker's API in part."
    remedy = "Try it, watch out for what it does with containers of systemd, and accept this."
    return Finding(WARNING, "docker-socket", name_of(container), bind.path, message, remedy)


def _sockets(container: Json, bind: _Bind, known: Context) -> Iterator[Finding]:
    name = name_of(container)
    dockers = {*DOCKER_SOCKETS, text(dig(known.engine, "config.socket")) or DOCKER_SOCKETS[0]}
    if bind.source in dockers or bind.real in dockers:
        message = f"{bind.source} is Docker's socket, which nobody answers once Docker is retired."
        remedy = f"Mount /run/docker.sock, which becomes {PODMAN_SOCKET}; or accept this."
        yield Finding(WARNING, "docker-socket", name, bind.path, message, remedy)
    elif any(bind.holds(socket) for socket in dockers):
        message = f"Docker's socket lies in {bind.source}; once Docker is retired nobody answers there."
        remedy = f"If it is used, mount /run/docker.sock, which becomes {PODMAN_SOCKET}; otherwise accept this."
        # Who mounts the whole host seldom does it for the socket.
        severity = INFO if bind.source == "/" else WARNING
        yield Finding(severity, "docker-socket-folder", name, bind.path, message, remedy)
    elif bind.type == "socket":
        message = (
            f"{bind.source} is the socket of another service: until that listens, Podman does not start the container."
        )
        remedy = "None needed where it starts at boot: systemd tries again."
        yield Finding(INFO, "bind-socket", name, bind.path, message, remedy)


def _labels(container: Json, bind: _Bind, known: Context) -> Iterator[Finding]:
    name = name_of(container)
    if bind.modes & set(BIND_MODES):
        message = "On hosts with SELinux the folder gets a label for containers, as it did under Docker."
        yield Finding(INFO, "selinux-label", name, bind.path, message, _NONE)
    elif known.host.get("selinux") == "enforcing" and _is_confined(container):
        message = f"SELinux confines the container, as under Docker; the label of {bind.source} has to allow it."
        yield Finding(INFO, "selinux-bind", name, bind.path, message, _NONE)


def _is_confined(container: Json) -> bool:
    """The daemon's part is among the options already."""
    options = strings(dig(container, "HostConfig.SecurityOpt"))
    is_free = any(option.replace(":", "=", 1) == "label=disable" for option in options)
    return not is_free and dig(container, "HostConfig.Privileged") is not True


def _idle_labels(container: Json, known: Context) -> Iterator[Finding]:
    if not daemon.ignores_labels(daemon.settings(known.engine), text(known.host.get("selinux"))):
        return
    asked = [bind.rpartition(":")[2].split(",") for bind in strings(dig(container, "HostConfig.Binds"))]
    if any(set(modes) & set(BIND_MODES) for modes in asked):
        message = "Docker runs without SELinux here, so z and Z did nothing; Podman would label the files, and is not told to."
        yield Finding(INFO, "selinux-label", name_of(container), "HostConfig.Binds", message, _NONE)
