# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Capabilities, security options, devices, hidden paths (private to the collection)."""

from __future__ import annotations

import json
import re
from typing import Iterator

from ..._common.json import Json, dig, is_empty, items, mapping, strings, text
from .._documents.containers import name_of
from .._tables import options
from .._tables.container_fields import MASKED_PATHS, READONLY_PATHS
from .._tables.options import Setting
from ..model import BLOCKER, INFO, WARNING, Finding, Version

PARITY_CAPABILITIES = ("CAP_AUDIT_WRITE", "CAP_MKNOD", "CAP_NET_RAW")
"""In Docker's default set and not in Podman's (facts, section 4)."""

_DEFAULT_CAPABILITIES = (
    *PARITY_CAPABILITIES,
    *("CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_NET_BIND_SERVICE"),
    *("CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT"),
)
"""Docker's default set (moby oci/caps/defaults.go)."""

_FURTHER_CAPABILITIES = (
    *("CAP_AUDIT_CONTROL", "CAP_AUDIT_READ", "CAP_BLOCK_SUSPEND", "CAP_BPF", "CAP_CHECKPOINT_RESTORE"),
    *("CAP_DAC_READ_SEARCH", "CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_LEASE", "CAP_LINUX_IMMUTABLE"),
    *("CAP_MAC_ADMIN", "CAP_MAC_OVERRIDE", "CAP_NET_ADMIN", "CAP_NET_BROADCAST", "CAP_PERFMON"),
    *("CAP_SYSLOG", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_MODULE", "CAP_SYS_NICE", "CAP_SYS_PACCT"),
    *("CAP_SYS_PTRACE", "CAP_SYS_RAWIO", "CAP_SYS_RESOURCE", "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_WAKE_ALARM"),
)
"""All others (capabilities(7)). Podman leaves out what the kernel does not have."""

_LABELS = {"type": "label_type", "level": "label_level", "user": "label_user", "role": "label_role"}
_PROCESSOR_PATH = re.compile(r"/sys/devices/system/cpu/cpu\d+/thermal_throttle\Z")
_OPTION = "HostConfig.SecurityOpt"
_USUAL_RUNTIMES = ("", "runc", "io.containerd.runc.v2")
_NVIDIA = "nvidia"
# moby, daemon/nvidia_linux.go.
_NVIDIA_CAPABILITIES = frozenset(
    ("gpu", "nvidia", "compute", "compat32", "graphics", "utility", "video", "display"),
)


def settings(container: Json, hardened: bool, version: Version) -> list[Setting]:
    """All that limits or widens what the container may do, but for what its configuration says."""
    return [
        *([] if configuration(container, hardened, version) else capabilities(container, hardened)),
        *_security(container),
        *_paths(container),
        *devices(container),
        *_runtime(container),
    ]


def capabilities(container: Json, hardened: bool) -> list[Setting]:
    """Capabilities, with those that Docker gives and Podman does not; ``hardened``: without these."""
    if dig(container, "HostConfig.Privileged") is True:
        # It has them all, and what is added would be its user's own.
        return []
    added = [_capability(name) for name in strings(dig(container, "HostConfig.CapAdd"))]
    dropped = [_capability(name) for name in strings(dig(container, "HostConfig.CapDrop"))]
    parity = [] if hardened or "ALL" in dropped else PARITY_CAPABILITIES
    granted = [name for name in parity if name not in dropped and name not in added and "ALL" not in added]
    return [("cap_drop", name) for name in dropped] + [("cap_add", name) for name in [*added, *granted]]


def configuration(container: Json, hardened: bool, version: Version) -> str:
    """A containers.conf of its own that limits a user other than root as Docker does; "" where none is needed.

    What is added to Docker's default set may be used by programs with file capabilities only. Podman gives what
    ``--cap-add`` names to the user's every process, and what the default set of its configuration names to none.
    """
    added = _added_for_user(container, hardened)
    if not added or version < options.CONFIGURATION:
        return ""
    dropped = {name for option, name in capabilities(container, hardened) if option == "cap_drop"}
    base = [name for name in _DEFAULT_CAPABILITIES if not (hardened and name in PARITY_CAPABILITIES)]
    every = [*_DEFAULT_CAPABILITIES, *_FURTHER_CAPABILITIES]
    given = {*([] if "ALL" in dropped else base), *(every if "ALL" in added else added)} - dropped
    return "[containers]\ndefault_capabilities = {}\n".format(json.dumps(sorted(given)))


def _added_for_user(container: Json, hardened: bool) -> list[str]:
    """The capabilities that are added for a user other than root; none for root."""
    added = [name for option, name in capabilities(container, hardened) if option == "cap_add"]
    return [] if _is_root(container) else added


def _is_root(container: Json) -> bool:
    return text(dig(container, "Config.User")).partition(":")[0] in ("", "0", "root")


def _capability(name: str) -> str:
    upper = name.upper()
    return upper if upper == "ALL" or upper.startswith("CAP_") else "CAP_" + upper


def _security(container: Json) -> Iterator[Setting]:
    for option in strings(dig(container, _OPTION)):
        setting = None if _is_ignored(option) or _is_profile(option) else _security_option(option)
        # Docker adds label=disable to what is privileged; Podman does so itself.
        if setting and not (setting[0] == "label_disable" and dig(container, "HostConfig.Privileged") is True):
            yield setting


def _security_option(option: str) -> Setting | None:
    """The setting of ``key=value`` or, as old versions wrote it, ``key:value``; None for what is not known."""
    key, value = _split(option)
    if key == "no-new-privileges":
        return ("no_new_privileges", "true") if value in ("", "true") else None
    if key in ("seccomp", "apparmor"):
        return key, value
    if key == "label":
        kind, rest = _split(value)
        return ("label_disable", "true") if kind == "disable" else (_LABELS[kind], rest) if kind in _LABELS else None
    if key == "writable-cgroups":
        return "unmask", "/sys/fs/cgroup"
    return ("unmask", "ALL") if (key, value) == ("systempaths", "unconfined") else None


def _split(option: str) -> tuple[str, str]:
    separator = "=" if "=" in option else ":"
    key, _separator, value = option.partition(separator)
    return key, value


def _is_profile(option: str) -> bool:
    """True for a seccomp profile that the Docker CLI has put into the option."""
    key, value = _split(option)
    return key == "seccomp" and value.lstrip().startswith("{")


def own_profile(container: Json) -> str:
    """The seccomp profile that the container has in its options, as JSON; Podman reads the same form from a file."""
    profiles = [_split(option)[1] for option in strings(dig(container, _OPTION)) if _is_profile(option)]
    try:
        return json.dumps(json.loads(profiles[-1]), sort_keys=True) if profiles else ""
    except (ValueError, RecursionError):
        return ""


def _is_ignored(option: str) -> bool:
    """What says nothing: the default, or an option that is off."""
    return _split(option) in (
        ("apparmor", "docker-default"),
        ("seccomp", "builtin"),
        ("no-new-privileges", "false"),
        ("writable-cgroups", "false"),
    )


def findings(container: Json, hardened: bool, version: Version) -> list[Finding]:
    """Security options and hidden paths that Podman has no word for."""
    name, found = name_of(container), []
    added = _added_for_user(container, hardened)
    if added and version < options.CONFIGURATION:
        message = "This Podman gives its user {}, which Docker gives only to programs that have them by their file."
        remedy = "Use Podman 4.5 or newer, or drop them under Docker (cap_drop) when nothing needs them."
        found.append(
            Finding(INFO, "user-capabilities", name, "HostConfig.CapAdd", message.format(", ".join(added)), remedy)
        )
    for option in strings(dig(container, _OPTION)):
        if _is_profile(option) and not own_profile(container):
            message = "Its seccomp profile is not the JSON of one."
            found.append(Finding(BLOCKER, "seccomp-profile", name, _OPTION, message, "Create the container again."))
        elif _security_option(option) is None and not _is_ignored(option):
            message = f"Nothing is known about the security option {option[:80]!r}."
            found.append(Finding(BLOCKER, "untranslated-option", name, _OPTION, message, "Remove the option."))
    read_only = strings(dig(container, "HostConfig.ReadonlyPaths"))
    if set(read_only) - set(READONLY_PATHS[0]):
        path, message = "HostConfig.ReadonlyPaths", "Podman cannot make further paths read-only."
        found.append(Finding(WARNING, "readonly-paths", name, path, message, "Accept it, or mount them read-only."))
    if _is_root_without_override(container):
        path, message = "HostConfig.CapDrop", "Its root folder has mode 755 under Docker and 555 under Podman."
        remedy = "None needed, unless it makes files in / itself: then add CAP_DAC_OVERRIDE."
        found.append(Finding(INFO, "root-folder", name, path, message, remedy))
    return found


def _is_root_without_override(container: Json) -> bool:
    """Whether it could write where only the mode allows it to."""
    flags = (dig(container, "HostConfig.Privileged"), dig(container, "HostConfig.ReadonlyRootfs"))
    override = ("ALL", "CAP_DAC_OVERRIDE")
    settings = set(capabilities(container, hardened=True))
    is_dropped = any(("cap_drop", name) in settings for name in override)
    is_added = any(("cap_add", name) in settings for name in override)
    return _is_root(container) and True not in flags and is_dropped and not is_added


def _paths(container: Json) -> list[Setting]:
    """Paths that are hidden more or less than by default; both lists empty is ``systempaths=unconfined``."""
    masked, read_only = dig(container, "HostConfig.MaskedPaths"), dig(container, "HostConfig.ReadonlyPaths")
    if dig(container, "HostConfig.Privileged") is True:
        return []
    if masked == [] and read_only == []:
        return [("unmask", "ALL")]
    usual, own = set(MASKED_PATHS[0]), {path for path in strings(masked) if not _PROCESSOR_PATH.match(path)}
    known = {path for default in MASKED_PATHS for path in default}
    shown = sorted(usual - own) if masked is not None else []
    shown += sorted(set(READONLY_PATHS[0]) - set(strings(read_only))) if read_only is not None else []
    return [("unmask", path) for path in shown] + [("mask", path) for path in sorted(own - known)]


def _runtime(container: Json) -> list[Setting]:
    name = text(dig(container, "HostConfig.Runtime"))
    if name == _NVIDIA and not items(dig(container, "HostConfig.DeviceRequests")):
        return [("device", "nvidia.com/gpu=" + gpu) for gpu in _visible_gpus(container)]
    return [("runtime", f"--runtime={name}")] if name not in (*_USUAL_RUNTIMES, _NVIDIA) else []


def _visible_gpus(container: Json) -> list[str]:
    """Those that NVIDIA's runtime for Docker shows, by the variables that it reads (nvidia-container-toolkit, image/cuda_image.go):
    the images of old versions of CUDA do not name them, and get all."""
    entries = [entry.partition("=") for entry in strings(dig(container, "Config.Env"))]
    given = {name: value for name, _equals, value in entries}
    is_old = given.get("CUDA_VERSION") and not given.get("NVIDIA_REQUIRE_CUDA")
    wanted = given.get("NVIDIA_VISIBLE_DEVICES", "all" if is_old else "")
    return [] if wanted in ("", "void", "none") else wanted.split(",")


def devices(container: Json) -> list[Setting]:
    """Devices of the host, and those of the Container Device Interface (CDI)."""
    found = []
    for device in (mapping(item) for item in items(dig(container, "HostConfig.Devices"))):
        host, inner = text(device.get("PathOnHost")), text(device.get("PathInContainer"))
        access = text(device.get("CgroupPermissions"))
        parts = [host, *([inner] if inner and (inner != host or access not in ("", "rwm")) else [])]
        found.append(("device", ":".join([*parts, *([access] if access not in ("", "rwm") else [])])))
    for request in (mapping(item) for item in items(dig(container, "HostConfig.DeviceRequests"))):
        found += [("device", name) for name in _requested(request)]
    return found


def _requested(request: Json) -> list[str]:
    """The CDI names of a request; those of NVIDIA's own driver become its CDI names."""
    chosen = strings(request.get("DeviceIDs"))
    if request.get("Driver") == "cdi":
        return chosen
    if not _is_gpu(request):
        return []
    count = request.get("Count")
    if not chosen and isinstance(count, int) and count >= 0:
        chosen = [str(number) for number in range(count)]
    elif not chosen:
        chosen = ["all"]
    return ["nvidia.com/gpu=" + name for name in chosen]


def _is_gpu(request: Json) -> bool:
    """Whether Docker gives it to its driver for NVIDIA (moby, daemon/devices.go): one group of capabilities, all of which the driver
    has, is enough."""
    groups = [strings(group) for group in items(request.get("Capabilities"))]
    return request.get("Driver") in ("", None, _NVIDIA) and any(_NVIDIA_CAPABILITIES.issuperset(one) for one in groups)


_GPU = (
    "Podman reaches GPUs by the Container Device Interface (CDI).",
    "Install nvidia-ctk, run 'nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml', and accept this.",
)


def runtime_findings(container: Json) -> list[Finding]:
    """A runtime that Podman has to be told about."""
    name, path = text(dig(container, "HostConfig.Runtime")), "HostConfig.Runtime"
    if name == _NVIDIA and _runtime(container):
        return [Finding(WARNING, "gpu", name_of(container), path, *_GPU)]
    if name in (*_USUAL_RUNTIMES, _NVIDIA):
        return []
    message = f"Podman has to know the runtime {name[:80]!r}."
    remedy = "Name its program in containers.conf, section [engine.runtimes], and accept this."
    return [Finding(WARNING, "runtime", name_of(container), path, message, remedy)]


def device_findings(container: Json) -> list[Finding]:
    """Requests for devices: what has to be there first, and what is not understood."""
    name, path, found = name_of(container), "HostConfig.DeviceRequests", []
    for device in (mapping(item) for item in items(dig(container, "HostConfig.Devices"))):
        if ":" in text(device.get("PathOnHost")) + text(device.get("PathInContainer")):
            place, message = "HostConfig.Devices", "Podman cannot take a device whose path has a colon."
            remedy = "Name it by another path, such as the one that the link leads to."
            found.append(Finding(BLOCKER, "device-path", name, place, message, remedy))
    for request in (mapping(item) for item in items(dig(container, path))):
        if not _requested(request) and not _is_gpu(request):
            message = "Nothing is known about the devices that it asks for."
            found.append(Finding(BLOCKER, "untranslated-option", name, path, message, "Name devices of the host."))
        elif _requested(request) and _is_gpu(request):
            found.append(Finding(WARNING, "gpu", name, path, *_GPU))
        if not is_empty(request.get("Options")):
            message = "Podman does not know options of a request for devices."
            found.append(Finding(WARNING, "device-options", name, path, message, "Accept it if they do not matter."))
    return found
