# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is mounted into a container (private to the collection).

Mounts is what Docker made of Binds, VolumesFrom, the image's volumes and HostConfig.Mounts. Only --tmpfs stands
somewhere else, and some options of HostConfig.Mounts are not repeated there.
"""

from __future__ import annotations

import posixpath
import re
from typing import Iterable, Iterator, Mapping

from ..._common.json import Json, dig, items, mapping, strings, text
from .._documents.containers import name_of
from .._documents.image_names import fully_qualified
from .._tables.options import Setting
from ..model import BLOCKER, WARNING, Finding, PlanError, is_below
from ..quadlet import path_word

DOCKER_SOCKETS = ("/var/run/docker.sock", "/run/docker.sock")
PODMAN_SOCKET = "/run/podman/podman.sock"
MARK = "/.dockerenv"
"""The empty file in every container of Docker's, by which programs see that they are in a container."""
PARITY_OPTIONS = ("suid", "dev")
"""Podman mounts named volumes nosuid and nodev, Docker does not (facts, section 4)."""

_OF_EVERY_CONTAINER = ("/dev", "/proc", "/sys")
_OF_DOCKER = (MARK, "/etc/hostname", "/etc/hosts", "/etc/resolv.conf")
_PLAIN_PATH = re.compile(r"[A-Za-z0-9_./@:+=,~-]*\Z")
BIND_MODES = ("z", "Z")
"""The files get a label of SELinux for one container (Z) or all (z)."""
_VOLUME_MODES = (*PARITY_OPTIONS, "nocopy")
_KNOWN_MODES = {"", "z", "Z", "ro", "rw", "nocopy", "rprivate", "private", "rshared", "shared", "rslave", "slave"}
_TMPFS_OPTIONS = {"rw", "ro", "exec", "noexec", "suid", "nosuid", "dev", "nodev", "noatime", "nodiratime", "relatime"}


def settings(container: Json, volume_files: Mapping[str, str]) -> list[Setting]:
    """All mounts; ``volume_files`` maps Docker's volume name to the file of its unit, or to its folder when adopted."""
    return [
        *(_mount(mount, _details(container, mount), volume_files) for mount in mounts_of(container, "bind", "volume")),
        *_image_mounts(container),
        *_tmpfs(container),
        *_read_only(container),
    ]


def working_directory(container: Json, change: Json) -> list[Setting]:
    """A volume in place of a working directory that Docker made: Podman starts only in one that is there."""
    folder = posixpath.normpath(text(dig(container, "Config.WorkingDir")))
    targets = {posixpath.normpath(text(mapping(mount).get("Destination"))) for mount in items(container.get("Mounts"))}
    targets |= {posixpath.normpath(target) for target in mapping(dig(container, "HostConfig.Tmpfs"))}
    is_mounted = any(folder == target or folder.startswith(target.rstrip("/") + "/") for target in targets)
    if change.get("made_workdir") is not True or is_mounted:
        return []
    # Quadlet 5.4 dies of a Mount= without a source, and with it every unit of the host.
    return [("mount_flag", "type=volume," + _csv(f"destination={folder}"))]


def mounts_of(container: Json, *kinds: str) -> list[Json]:
    """The entries of Mounts of some types."""
    return [mount for mount in map(mapping, items(container.get("Mounts"))) if mount.get("Type") in kinds]


def _details(container: Json, mount: Json) -> Json:
    """The entry of HostConfig.Mounts that asked for a mount."""
    asked = (mapping(item) for item in items(dig(container, "HostConfig.Mounts")))
    wanted = posixpath.normpath(text(mount.get("Destination")))
    return next((item for item in asked if posixpath.normpath(text(item.get("Target"))) == wanted), {})


def _mount(mount: Json, details: Json, volume_files: Mapping[str, str]) -> Setting:
    is_volume = mount.get("Type") == "volume"
    source = volume_files[text(mount.get("Name"))] if is_volume else _bind_source(mount)
    if is_volume and source.startswith("/"):
        return _mount(_adopted(mount, source), {}, {})
    target, given = text(mount.get("Destination")), text(mount.get("Mode")).split(",")
    modes = ["ro"] if mount.get("RW") is False else []
    is_flat = dig(details, "BindOptions.NonRecursive") is True
    if is_volume:
        no_copy = "nocopy" in given or dig(details, "VolumeOptions.NoCopy") is True
        modes += [*PARITY_OPTIONS, *(["nocopy"] if no_copy else [])]
    else:
        modes += [mode for mode in given if mode in BIND_MODES]
        propagation = text(mount.get("Propagation"))
        modes += [propagation] if propagation not in ("", "rprivate") else []
    by_flag = "" if is_volume or is_plain_path(source) else "_flag"
    if ":" in source + target or (is_flat and not is_volume):
        return "mount" + by_flag, _long_form("volume" if is_volume else "bind", source, target, modes, is_flat)
    return "volume" + by_flag, ":".join([source, target] + ([",".join(modes)] if modes else []))


def _adopted(mount: Json, folder: str) -> Json:
    """A volume's folder as a bind mount of its own, which changes nothing about it: no label, owner or content."""
    return {"Type": "bind", "Source": folder, **{key: mount.get(key) for key in ("Destination", "RW")}}


def is_plain_path(path: str) -> bool:
    """True for a path that Quadlet copies unharmed into RequiresMountsFor= (5.8 is the first to quote it)."""
    return bool(_PLAIN_PATH.match(path))


def mount_points(container: Json, volume_files: Mapping[str, str], data_root: str) -> list[tuple[str, str]]:
    """The [Unit] lines for folders of the host that Quadlet would not write rightly, or does not know of: an adopted
    volume is reached through a link into Docker's data root."""
    files = [volume_files[text(mount.get("Name"))] for mount in mounts_of(container, "volume")]
    folders = [source for source in files if source.startswith("/")]
    sources = {*folders, *(_bind_source(mount) for mount in mounts_of(container, "bind"))}
    wanted = [source for source in sorted(sources) if not is_plain_path(source)] + ([data_root] if folders else [])
    return [("RequiresMountsFor", path_word(source)) for source in wanted]


def _bind_source(mount: Json) -> str:
    source = text(mount.get("Source"))
    return PODMAN_SOCKET if source in DOCKER_SOCKETS else source


def _long_form(kind: str, source: str, target: str, modes: list[str], is_flat: bool) -> str:
    words = [f"type={kind}", _csv(f"source={source}"), _csv(f"destination={target}")]
    words += ["bind-nonrecursive"] if is_flat else []
    names = {"ro": "ro=true", "z": "relabel=shared", "Z": "relabel=private", **{mode: mode for mode in _VOLUME_MODES}}
    return ",".join(words + [names.get(mode, f"bind-propagation={mode}") for mode in modes])


def _csv(value: str) -> str:
    if "\r\n" in value:
        raise PlanError("a mount cannot have a path with the line break CR LF: Podman would read another one")
    return '"{}"'.format(value.replace('"', '""')) if set(value) & set(',"\r\n') else value


def _image_mounts(container: Json) -> Iterator[Setting]:
    for mount in map(mapping, items(dig(container, "HostConfig.Mounts"))):
        if mount.get("Type") == "image":
            source, target = fully_qualified(text(mount.get("Source"))), text(mount.get("Target"))
            yield "mount", ",".join(["type=image", _csv(f"source={source}"), _csv(f"destination={target}")])


def _tmpfs(container: Json) -> Iterator[Setting]:
    """Docker mounts --tmpfs noexec and never fills it from the image; a size without unit is in bytes for both."""
    for target, options in sorted(mapping(dig(container, "HostConfig.Tmpfs")).items()):
        yield "tmpfs", _tmpfs_value(target, [option for option in text(options).split(",") if option])
    for mount in map(mapping, items(dig(container, "HostConfig.Mounts"))):
        if mount.get("Type") == "tmpfs":
            yield "tmpfs", _tmpfs_value(text(mount.get("Target")), _tmpfs_options(mount))


def _tmpfs_options(mount: Json) -> list[str]:
    asked = mapping(mount.get("TmpfsOptions"))
    size, mode = asked.get("SizeBytes"), asked.get("Mode")
    named = ["=".join(strings(pair)) for pair in items(asked.get("Options"))]
    return [
        *(["ro"] if mount.get("ReadOnly") is True else []),
        *([f"size={size}"] if isinstance(size, int) and size else []),
        *([f"mode={mode:o}"] if isinstance(mode, int) and mode else []),
        *named,
    ]


def _tmpfs_value(target: str, options: list[str]) -> str:
    known = [option for option in options if _is_tmpfs_option(option)]
    known += [] if {"exec", "noexec"} & set(known) else ["noexec"]
    return ":".join([target, ",".join([*known, "notmpcopyup"])])


def _is_tmpfs_option(option: str) -> bool:
    return option in _TMPFS_OPTIONS or option.partition("=")[0] in ("size", "mode")


def _read_only(container: Json) -> list[Setting]:
    """Docker adds no writable folders to a root file system that is read-only, Podman does."""
    if dig(container, "HostConfig.ReadonlyRootfs") is not True:
        return []
    return [("read_only", "true"), ("read_only_tmpfs", "false")]


_REINSPECT = "Make the inventory again while the engine runs; if it stays, report it to the project."


def targets(container: Json) -> list[str]:
    """Where something is mounted that is not of the container's own file system."""
    found = [text(mapping(mount).get("Destination")) for mount in items(container.get("Mounts"))]
    found += [text(mapping(mount).get("Target")) for mount in items(dig(container, "HostConfig.Mounts"))]
    found += list(mapping(dig(container, "HostConfig.Tmpfs")))
    return [*_OF_EVERY_CONTAINER, *(posixpath.normpath(target) for target in found if target)]


def uncovered(container: Json, files: Iterable[Json]) -> list[Json]:
    """Of files (``path``) of the container's own file system those that it sees, and that are not where Docker mounts a
    file of its own (``docker cp`` leaves an empty one there)."""
    covered = [*_OF_DOCKER, *targets(container)]
    return [item for item in files if not any(is_below(text(item.get("path")), target) for target in covered)]


def has_mark(container: Json) -> bool:
    """Whether somebody has mounted another file there."""
    return any(text(mount.get("Destination")) == MARK for mount in mounts_of(container, "bind", "volume"))


def uses_docker_socket(container: Json) -> bool:
    """True when the Docker socket is mounted into it."""
    return any(text(mount.get("Source")) in DOCKER_SOCKETS for mount in mounts_of(container, "bind"))


def findings(container: Json) -> list[Finding]:
    """Mounts that Podman has no word for, and those that are not among Mounts."""
    return [*_unknown_types(container), *_unknown_options(container), *_missing(container)]


def _unknown_types(container: Json) -> Iterator[Finding]:
    kinds = [("Mounts", mapping(mount), "Destination") for mount in items(container.get("Mounts"))]
    kinds += [("HostConfig.Mounts", mapping(mount), "Target") for mount in items(dig(container, "HostConfig.Mounts"))]
    for place, mount, key in kinds:
        if place == "Mounts" and mount.get("Type") == "volume" and not text(mount.get("Name")):
            path = "Mounts[{}].Name".format(text(mount.get("Destination")))
            yield Finding(BLOCKER, "missing-volume", name_of(container), path, "Its volume has no name.", _REINSPECT)
        if mount.get("Type") not in ("bind", "volume", "tmpfs", "image"):
            path = "{}[{}].Type".format(place, text(mount.get(key)))
            message = "Podman has no mount of type {!r}.".format(text(mount.get("Type"))[:80])
            yield Finding(BLOCKER, "mount-type", name_of(container), path, message, "Use a volume or a bind mount.")
        if mount.get("Type") == "image":
            path = "{}[{}].Type".format(place, text(mount.get(key)))
            message = "It mounts an image, which is not copied yet."
            yield Finding(BLOCKER, "image-mount", name_of(container), path, message, "Copy its files to a volume.")


def _unknown_options(container: Json) -> Iterator[Finding]:
    name = name_of(container)
    for mount in mounts_of(container, "bind", "volume"):
        unknown = [mode for mode in text(mount.get("Mode")).split(",") if mode not in _KNOWN_MODES]
        if unknown:
            path, message = "Mounts[{}].Mode".format(text(mount.get("Destination"))), "Podman has no mount option {!r}."
            yield Finding(
                WARNING, "mount-option", name, path, message.format(unknown[0]), "Accept it if it is not needed."
            )
    wanted = {
        target: text(options).split(",") for target, options in mapping(dig(container, "HostConfig.Tmpfs")).items()
    }
    asked = (mapping(item) for item in items(dig(container, "HostConfig.Mounts")))
    wanted.update({text(item.get("Target")): _tmpfs_options(item) for item in asked if item.get("Type") == "tmpfs"})
    for target, options in sorted(wanted.items()):
        unknown = [option for option in options if option and not _is_tmpfs_option(option)]
        if unknown:
            message = f"Podman mounts no tmpfs with {unknown[0]!r}; at {target} it is left out."
            remedy = "Set owner and mode in the container's entry point, or accept it."
            yield Finding(WARNING, "tmpfs-option", name, f"HostConfig.Tmpfs[{target}]", message, remedy)


def _missing(container: Json) -> Iterator[Finding]:
    """What was asked for and is not among Mounts would be lost without a word."""
    known = {text(mapping(mount).get("Destination")) for mount in items(container.get("Mounts"))}
    known |= set(mapping(dig(container, "HostConfig.Tmpfs")))
    asked = {f"Config.Volumes[{target}]": target for target in mapping(dig(container, "Config.Volumes"))}
    for bind in strings(dig(container, "HostConfig.Binds")):
        parts = bind.split(":")
        asked[f"HostConfig.Binds[{bind}]"] = parts[1] if len(parts) > 1 else parts[0]
    for mount in map(mapping, items(dig(container, "HostConfig.Mounts"))):
        if mount.get("Type") in ("bind", "volume"):
            asked["HostConfig.Mounts[{}]".format(text(mount.get("Target")))] = text(mount.get("Target"))
    places = {posixpath.normpath(item) for item in known}
    for path, target in sorted(asked.items()):
        # A source or target with a colon cannot be told from its neighbours; Mounts has it all the same.
        if posixpath.normpath(target) not in places and path.count(":") < 3:
            message = f"Nothing is mounted at {target}, which was asked for."
            yield Finding(BLOCKER, "mount-missing", name_of(container), path, message, _REINSPECT)
