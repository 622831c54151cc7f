# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does a published TCP port answer from outside the host? (private to the collection)

A connection that the host makes to itself proves nothing: it never passes the FORWARD chain. A network namespace
behind a veth pair is, to the host's firewall, another machine.
"""

from __future__ import annotations

import ctypes
import ipaddress
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Dict, Sequence

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._command import CommandError, run

NAMESPACE = "d2p-probe"
_HOST_END, _FAR_END = "d2p-probe0", "d2p-probe1"
# RFC 5737 and RFC 3849: for documentation, so nobody's route.
_IPV4 = ("192.0.2.1", "192.0.2.2", 30)
_IPV6 = ("2001:db8:6432::1", "2001:db8:6432::2", 126)
_CLONE_NEWNET = 0x40000000
_WORKERS = 16

Port = Dict[str, Any]
"""A published port of the plan: host_ip ("" for all addresses), host_port, proto."""


class ReachError(Exception):
    """The probe cannot be set up. The message says what to do."""


def target(port: Port) -> tuple[str, bool]:
    """Which address to connect to, and whether from outside: what listens on loopback is for the host alone."""
    host_ip = port.get("host_ip") or "0.0.0.0"
    address = ipaddress.ip_address(host_ip)
    if address.is_loopback:
        return host_ip, False
    if address.is_unspecified:
        return (_IPV4 if address.version == 4 else _IPV6)[0], True
    return host_ip, True


def connects(address: str, port: int, timeout: float) -> bool:
    """True when something accepts a TCP connection, tried from the network namespace of this thread."""
    try:
        with socket.create_connection((address, port), timeout=timeout):
            return True
    except OSError:
        return False


class Outside:
    """A network namespace beside the host's, there for as long as the ``with`` block runs."""

    def __init__(self) -> None:
        self._inside: ThreadPoolExecutor | None = None

    def __enter__(self) -> Outside:
        _clean()
        try:
            _build()
        except CommandError as error:
            _clean()
            raise ReachError("No network namespace to probe published ports from: {0}".format(error)) from None
        self._inside = ThreadPoolExecutor(_WORKERS, initializer=_enter, initargs=("/run/netns/" + NAMESPACE,))
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._inside:
            self._inside.shutdown()
        _clean()

    def answering(self, ports: Sequence[Port], timeout: float = 3) -> list[Port]:
        """Those of the published TCP ports that accept a connection; all are tried at once."""
        if self._inside is None:
            raise ReachError("The probe is used outside its with block.")
        tries = []
        with ThreadPoolExecutor(_WORKERS) as here:
            for port in ports:
                address, outside = target(port)
                pool = self._inside if outside else here
                tries.append(pool.submit(connects, address, int(port["host_port"]), timeout))
            return [port for port, attempt in zip(ports, tries) if attempt.result()]


def _build() -> None:
    far = ["ip", "-n", NAMESPACE]
    run(["ip", "netns", "add", NAMESPACE])
    run(["ip", "link", "add", _HOST_END, "type", "veth", "peer", "name", _FAR_END, "netns", NAMESPACE])
    run(["ip", "link", "set", _HOST_END, "up"])
    run([*far, "link", "set", _FAR_END, "up"])
    for (near, distant, length), needed in ((_IPV4, True), (_IPV6, False)):
        # nodad: an IPv6 address is usable at once. Without IPv6 in the kernel there is nothing to probe with it.
        flags = [] if needed else ["nodad"]
        near_end, far_end = "{0}/{1}".format(near, length), "{0}/{1}".format(distant, length)
        run(["ip", "address", "add", near_end, "dev", _HOST_END, *flags], check=needed)
        run([*far, "address", "add", far_end, "dev", _FAR_END, *flags], check=needed)
        run([*far, "route", "add", "default", "via", near], check=needed)


def _clean() -> None:
    # The link first: a namespace gives its links back only some time after it was deleted.
    run(["ip", "link", "delete", _HOST_END], check=False)
    run(["ip", "netns", "delete", NAMESPACE], check=False)


def _enter(path: str) -> None:
    """Move this thread, and no other, into a network namespace (setns(2))."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if ctypes.CDLL(None, use_errno=True).setns(handle, _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    finally:
        os.close(handle)
