# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does a published port answer from outside the host? (private to the collection)

A connection that the host makes to itself proves nothing: it never passes the FORWARD chain. A network namespace
behind a veth pair is, to the host's firewall, another machine.
"""

from __future__ import annotations

import ctypes
import ipaddress
import json
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Dict, Iterable, Sequence

from .._common.command import CommandError, run
from .._common.errors import UserError

NAMESPACE = "d2p-probe"
HOST_END, _FAR_END = "d2p-probe0", "d2p-probe1"
MARK = 0x643270
"""The mark of the packets that the probe sends on the host itself (socket(7), SO_MARK)."""
# RFC 5737 and RFC 3849: for documentation. Laboratories do use them, so one that this host does not is taken.
_SUBNETS = ("198.51.100.252/30", "203.0.113.252/30", "192.0.2.252/30", "2001:db8:6432::/126", "2001:db8:6433::/126")
_CLONE_NEWNET = 0x40000000
_WORKERS = 16

Port = Dict[str, Any]
"""A published port of the plan: host_ip ("" for all addresses), host_port, proto."""


class ReachError(UserError):
    """The probe cannot be set up. The message says what to do."""


Gateways = Dict[int, str]
"""The host's address on the link to the namespace, by IP version."""


def target(port: Port, gateways: Gateways) -> tuple[str, bool]:
    """Which address to connect to, and whether from outside: what listens on loopback is for the host alone."""
    host_ip = port.get("host_ip") or "0.0.0.0"
    address = ipaddress.ip_address(host_ip)
    if address.is_loopback:
        return host_ip, False
    if address.is_unspecified:
        return gateways[address.version], True
    return host_ip, True


def free_subnet(version: int, used: Iterable[str]) -> str:
    """A small subnet that overlaps with none of the ``used`` ones. ReachError when there is none."""
    taken = [ipaddress.ip_network(subnet, strict=False) for subnet in used if subnet != "default"]
    for candidate in map(ipaddress.ip_network, _SUBNETS):
        rivals = [subnet for subnet in taken if subnet.version == version and subnet.prefixlen]
        if candidate.version == version and not any(candidate.overlaps(rival) for rival in rivals):
            return str(candidate)
    raise ReachError("All of {0} are in use on this host; one must be free for the probe.".format(", ".join(_SUBNETS)))


def connects(address: str, port: int, timeout: float) -> bool:
    """True when something accepts a TCP connection, tried from the network namespace of this thread."""
    try:
        with _marked(address, socket.SOCK_STREAM) as probe:
            probe.settimeout(timeout)
            probe.connect((address, port))
            return True
    except OSError:
        return False


def sends(address: str, port: int) -> None:
    """Send an empty datagram from the network namespace of this thread; a network that refuses it is no error."""
    try:
        with _marked(address, socket.SOCK_DGRAM) as probe:
            probe.sendto(b"", (address, port))
    except OSError:
        return


def _marked(address: str, kind: socket.SocketKind) -> socket.socket:
    family = socket.AF_INET6 if ipaddress.ip_address(address).version == 6 else socket.AF_INET
    probe = socket.socket(family, kind)
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, MARK)
    return probe


class Outside:
    """A network namespace beside the host's, there for as long as the ``with`` block runs."""

    def __init__(self) -> None:
        self._inside: ThreadPoolExecutor | None = None
        self._gateways: Gateways = {}

    def __enter__(self) -> Outside:
        _clean()
        try:
            self._gateways = _build()
        except CommandError as error:
            _clean()
            raise ReachError("No network namespace to probe published ports from: {0}".format(error)) from None
        self._inside = ThreadPoolExecutor(_WORKERS, initializer=enter, initargs=("/run/netns/" + NAMESPACE,))
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._inside:
            self._inside.shutdown()
        _clean()

    def send(self, port: Port) -> None:
        """Send an empty datagram to a published UDP port; whether it arrives is seen there."""
        if self._inside is None:
            raise ReachError("The probe is used outside its with block.")
        address, outside = target(port, self._gateways)
        number = int(port["host_port"])
        if outside:
            self._inside.submit(sends, address, number).result()
        else:
            sends(address, number)

    def answering(self, ports: Sequence[Port], timeout: float = 3) -> list[Port]:
        """Those of the published TCP ports that accept a connection; all are tried at once."""
        if self._inside is None:
            raise ReachError("The probe is used outside its with block.")
        tries = []
        with ThreadPoolExecutor(_WORKERS) as here:
            for port in ports:
                address, outside = target(port, self._gateways)
                pool = self._inside if outside else here
                tries.append(pool.submit(connects, address, int(port["host_port"]), timeout))
            return [port for port, attempt in zip(ports, tries) if attempt.result()]


def _build() -> Gateways:
    far = ["ip", "-n", NAMESPACE]
    run(["ip", "netns", "add", NAMESPACE])
    run(["ip", "link", "add", HOST_END, "type", "veth", "peer", "name", _FAR_END, "netns", NAMESPACE])
    run(["ip", "link", "set", HOST_END, "up"])
    run([*far, "link", "set", _FAR_END, "up"])
    gateways = {}
    for version, flags in ((4, []), (6, ["nodad"])):
        subnet = ipaddress.ip_network(free_subnet(version, routes(version)))
        near, distant = str(subnet[1]), str(subnet[2])
        # Without IPv6 in the kernel there is nothing to probe with it, and an IPv6 address is usable at once with nodad.
        needed = version == 4
        run(["ip", "address", "add", "{0}/{1}".format(near, subnet.prefixlen), "dev", HOST_END, *flags], check=needed)
        run(
            [*far, "address", "add", "{0}/{1}".format(distant, subnet.prefixlen), "dev", _FAR_END, *flags], check=needed
        )
        run([*far, "route", "add", "default", "via", near], check=needed)
        gateways[version] = near
    return gateways


def routes(version: int) -> list[str]:
    """The subnets that this host has routes to."""
    shown = run(["ip", "-json", "-{0}".format(version), "route", "show", "table", "main"], check=False).stdout
    return [route["dst"] for route in json.loads(shown or "[]")]


def _clean() -> None:
    # The link first: a namespace gives its links back only some time after it was deleted.
    run(["ip", "link", "delete", HOST_END], check=False)
    run(["ip", "netns", "delete", NAMESPACE], check=False)


def enter(path: str) -> None:
    """Move this thread, and no other, into the network namespace at ``path`` (setns(2))."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if ctypes.CDLL(None, use_errno=True).setns(handle, _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), path)
    finally:
        os.close(handle)
