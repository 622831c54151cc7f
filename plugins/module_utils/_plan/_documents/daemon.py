# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of dockerd that containers get without showing them (private to the collection).

Source: the keys of daemon.json and the flags of dockerd, 20.10 to 29 (facts on daemon.json).
"""

from __future__ import annotations

import copy
from typing import Any, Callable, NamedTuple

from ..._common.json import Json, dig, items, mapping, strings, text
from ..model import INFO, WARNING, Finding
from .containers import network_mode

MERGED = "merged"
HANDLED = "handled"


class Row(NamedTuple):
    """What becomes of a setting: ``merged`` into each container, ``handled`` elsewhere, or a finding of that severity."""

    kind: str
    reason: str
    remedy: str = ""


def _same(kind: str, reason: str, names: str) -> dict[str, Row]:
    return {name: Row(kind, reason) for name in names.split()}


_EACH = "Set it for each container instead, or accept it."

TABLE: dict[str, Row] = {
    **_same(MERGED, "Every container gets it.", """
        init default-ulimits no-new-privileges seccomp-profile dns dns-opts dns-search ip host-gateway-ip
        host-gateway-ips cgroup-parent default-stop-timeout selinux-enabled"""),
    **_same(HANDLED, "The role registries writes it into registries.conf.", "registry-mirrors insecure-registries"),
    **_same(HANDLED, "It stands in each container.", """
        log-driver log-opts default-shm-size default-runtime default-ipc-mode default-cgroupns-mode runtimes"""),
    **_same(HANDLED, "It stands in each network.", "default-address-pools default-network-opts"),
    **_same(HANDLED, "How Docker keeps images and data; the inventory says where.", """
        data-root graph storage-driver storage-opts exec-opts exec-root init-path pidfile max-concurrent-downloads
        max-concurrent-uploads max-download-attempts builder cdi-spec-dirs"""),
    **_same(HANDLED, "It is of the daemon itself.", """
        features debug log-level log-format raw-logs live-restore shutdown-timeout experimental
        containerd containerd-namespace containerd-plugins-namespace cri-containerd nri-opts group tls tlsverify
        tlscacert tlscert tlskey api-cors-header min-api-version authorization-plugins oom-score-adjust
        cpu-rt-period cpu-rt-runtime allow-nondistributable-artifacts labels config-file userland-proxy
        userland-proxy-path ip-forward ip-forward-no-drop allow-direct-routing bridge-accept-fwmark
        firewall-backend resolv-conf validate rootless"""),
    **_same(HANDLED, "It is of swarms, which are a finding of their own.", """
        network-control-plane-mtu network-diagnostic-port swarm-default-advertise-addr node-generic-resources
        cluster-advertise cluster-store cluster-store-opts"""),
    **_same(INFO, "Containers on the default bridge get addresses of Podman's default network instead.", """
        bip bip6 fixed-cidr fixed-cidr-v6 default-gateway default-gateway-v6 ipv6"""),
    "bridge": Row(WARNING, "The default bridge is another one, or there is none.", _EACH),
    "mtu": Row(WARNING, "Podman's default network keeps its own MTU.", _EACH),
    "icc": Row(WARNING, "Podman cannot keep containers of one network apart.", "Put them on networks of their own."),
    "iptables": Row(WARNING, "Podman manages the firewall for its networks.", "Accept it if that is wanted."),
    "ip6tables": Row(WARNING, "Podman manages the firewall for its networks.", "Accept it if that is wanted."),
    "ip-masq": Row(WARNING, "Podman masks the addresses of containers.", "Accept it if that is wanted."),
    "metrics-addr": Row(WARNING, "Nothing answers there once Docker has gone.",
                        "Have what reads the metrics ask an exporter for Podman, or accept it."),
    "proxies": Row(INFO, "Podman pulls images with the proxy of its own environment."),
}  # fmt: skip

# Findings of the engine, which knows more of them.
TABLE["userns-remap"] = Row(HANDLED, "The inventory says the map.")
TABLE["hosts"] = Row(HANDLED, "Other listeners than Docker's own socket are a finding.")

ON_BY_DEFAULT = ("iptables", "ip6tables", "icc", "ip-masq")
"""Settings that say something only when they are off."""

_FLAGS = {
    "-H": "hosts",
    "--host": "hosts",
    "-D": "debug",
    "-l": "log-level",
    "-p": "pidfile",
    "-G": "group",
    "-g": "data-root",
    "-s": "storage-driver",
    "-b": "bridge",
    "--registry-mirror": "registry-mirrors",
    "--insecure-registry": "insecure-registries",
    "--exec-opt": "exec-opts",
    "--log-opt": "log-opts",
    "--storage-opt": "storage-opts",
    "--dns-opt": "dns-opts",
    "--default-ulimit": "default-ulimits",
    "--label": "labels",
    "--add-runtime": "runtimes",
    "--default-address-pool": "default-address-pools",
    "--authorization-plugin": "authorization-plugins",
    "--cdi-spec-dir": "cdi-spec-dirs",
    "--http-proxy": "proxies",
    "--https-proxy": "proxies",
    "--no-proxy": "proxies",
}
"""Flags whose name differs from the key in daemon.json."""

_SWITCHES = {
    "debug",
    "experimental",
    "icc",
    "init",
    "ip-forward",
    "ip-masq",
    "ip6tables",
    "iptables",
    "ipv6",
    "live-restore",
    "no-new-privileges",
    "raw-logs",
    "rootless",
    "selinux-enabled",
    "tls",
    "tlsverify",
    "userland-proxy",
    "validate",
    "ip-forward-no-drop",
    "allow-direct-routing",
}
_NUMBERS = {"default-stop-timeout"}
_LISTS = {
    "host-gateway-ips",
    "hosts",
    "registry-mirrors",
    "insecure-registries",
    "dns",
    "dns-opts",
    "dns-search",
    "exec-opts",
    "log-opts",
    "storage-opts",
}


def settings(engine: Json) -> Json:
    """Key of daemon.json -> value, from the file and the flags; dockerd itself refuses what stands in both."""
    found: Json = dict(mapping(dig(engine, "config.daemon_json")))
    flags = strings(dig(engine, "config.flags"))
    skip = False
    for flag, following in zip(flags, [*flags[1:], ""]):
        name, equals, value = flag.partition("=")
        if skip or not name.startswith("-"):
            skip = False
            continue
        key = _FLAGS.get(name, name.lstrip("-"))
        if not equals and key not in _SWITCHES:
            value, skip = following, True
        _add(found, key, value)
    return found


def _add(found: Json, key: str, value: str) -> None:
    if key in _SWITCHES:
        found[key] = value.lower() not in ("false", "0")
    elif key == "default-ulimits":
        name, _equals, bounds = value.partition("=")
        soft, _colon, hard = bounds.partition(":")
        limit = {"Name": name, "Soft": _integer(soft), "Hard": _integer(hard or soft)}
        found[key] = {**mapping(found.get(key)), name: limit}
    elif key in _NUMBERS:
        found[key] = _integer(value)
    elif key in _LISTS:
        found[key] = [*items(found.get(key)), value]
    else:
        found[key] = value


def _integer(value: str) -> int:
    try:
        return int(value)
    except ValueError:
        return -1


def findings(engine: Json) -> list[Finding]:
    """Settings that are unknown, or that Podman has no word for."""
    found = []
    for key, value in sorted(settings(engine).items()):
        path = "config." + key
        row = TABLE.get(key)
        if row is None and value not in (None, "", [], {}):
            message = f"Nothing is known about the daemon's setting {key[:80]!r}."
            remedy = f"Remove it, or accept it with policy.accept: ['{path}'] if containers do not depend on it."
            found.append(Finding("blocker", "daemon-option", "engine", path, message, remedy))
        elif row is not None and row.kind in (INFO, WARNING) and _says_something(key, value):
            message = f"The daemon's setting {key}: {row.reason}"
            found.append(Finding(row.kind, "daemon-option", "engine", path, message, row.remedy or "None needed."))
    return found


def _says_something(key: str, value: Any) -> bool:
    return value is False if key in ON_BY_DEFAULT else value not in (None, "", [], {}, False, 0)


def effective(container: Json, daemon: Json, selinux: str) -> Json:
    """A copy of a container's document with what the daemon gives it; ``selinux``: its mode on the host."""
    document = copy.deepcopy(container)
    host = document.get("HostConfig")
    if not isinstance(host, dict) or not isinstance(document.get("Config"), dict):
        return document
    for merge in _MERGES:
        merge(document, daemon)
    options = strings(host.get("SecurityOpt"))
    if ignores_labels(daemon, selinux):
        _forget_labels(document)
        if selinux == "enforcing" and not _names(options, "label"):
            # Docker ran it unconfined, Podman would confine it.
            host["SecurityOpt"] = [*options, "label=disable"]
    return document


def ignores_labels(daemon: Json, selinux: str) -> bool:
    """True for a dockerd that does not care for SELinux, as by default, on a host that does."""
    return selinux in ("enforcing", "permissive") and daemon.get("selinux-enabled") is not True


def _forget_labels(document: Json) -> None:
    """Podman labels the files of a mount with z or Z whatever the label of the container is."""
    for mount in map(mapping, items(document.get("Mounts"))):
        modes = text(mount.get("Mode")).split(",")
        if "z" in modes or "Z" in modes:
            mount["Mode"] = ",".join(mode for mode in modes if mode not in ("z", "Z"))


def _names(options: list[str], key: str) -> bool:
    return any(option.startswith(key) for option in options)


def _merge_switches(document: Json, daemon: Json) -> None:
    host, config = document["HostConfig"], document["Config"]
    if host.get("Init") is None and daemon.get("init") is True:
        host["Init"] = True
    if not host.get("CgroupParent") and text(daemon.get("cgroup-parent")):
        host["CgroupParent"] = daemon["cgroup-parent"]
    if config.get("StopTimeout") is None and isinstance(daemon.get("default-stop-timeout"), int):
        config["StopTimeout"] = daemon["default-stop-timeout"]


def _merge_limits(document: Json, daemon: Json) -> None:
    host = document["HostConfig"]
    own = {text(mapping(item).get("Name")) for item in items(host.get("Ulimits"))}
    limits = [{"Name": name, **mapping(item)} for name, item in sorted(mapping(daemon.get("default-ulimits")).items())]
    if limits:
        host["Ulimits"] = items(host.get("Ulimits")) + [item for item in limits if item["Name"] not in own]


def _merge_security(document: Json, daemon: Json) -> None:
    host = document["HostConfig"]
    options = strings(host.get("SecurityOpt"))
    if daemon.get("no-new-privileges") is True and not _names(options, "no-new-privileges"):
        options = [*options, "no-new-privileges"]
    profile = text(daemon.get("seccomp-profile"))
    if profile and not _names(options, "seccomp") and host.get("Privileged") is not True:
        options = [*options, f"seccomp={profile}"]
    if options:
        host["SecurityOpt"] = options


def _merge_names(document: Json, daemon: Json) -> None:
    host = document["HostConfig"]
    if network_mode(document)[0] in ("container", "none"):
        return
    for key, option in (("Dns", "dns"), ("DnsOptions", "dns-opts"), ("DnsSearch", "dns-search")):
        if not host.get(key) and strings(daemon.get(option)):
            host[key] = strings(daemon[option])
    gateways = strings(daemon.get("host-gateway-ips")) or [text(daemon.get("host-gateway-ip"))]
    if any(gateways) and host.get("ExtraHosts"):
        entries = [entry.partition(":") for entry in strings(host["ExtraHosts"])]
        host["ExtraHosts"] = [
            f"{name}:{found}"
            for name, _colon, address in entries
            for found in (gateways if address == "host-gateway" else [address])
        ]


def _merge_ports(document: Json, daemon: Json) -> None:
    address = text(daemon.get("ip"))
    if address in ("", "0.0.0.0"):
        return
    host = document["HostConfig"]
    asked = {spec: items(bindings) or [{}] for spec, bindings in mapping(host.get("PortBindings")).items()}
    if host.get("PublishAllPorts") is True:
        asked = {**{spec: [{}] for spec in mapping(dig(document, "Config.ExposedPorts"))}, **asked}
    if asked:
        host["PortBindings"] = {
            spec: [{**mapping(one), "HostIp": mapping(one).get("HostIp") or address} for one in bindings]
            for spec, bindings in asked.items()
        }


_MERGES: tuple[Callable[[dict[str, Any], Json], None], ...] = (
    _merge_switches,
    _merge_limits,
    _merge_security,
    _merge_names,
    _merge_ports,
)
