# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a container really listens on, and what it does not: sockets of others in its network namespace."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._host import processes as view

ID = "867e5a9966f643bff263871d11130d47b4464b0ae5559fe922250b2cbd9bb4b2"
SCOPE = "/system.slice/docker-{0}.scope".format(ID)

ANY = "0.0.0.0"
HEADER = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
ROW = "{at:4d}: {local} {remote} {state} 00000000:00000000 00:00000000 00000000     0        0 {inode} 1 0000 100\n"


def table(*rows: tuple[str, str, str, int]) -> str:
    return HEADER + "".join(
        ROW.format(at=at, local=local, remote=remote, state=state, inode=inode)
        for at, (local, remote, state, inode) in enumerate(rows)
    )


LIMITS = """\
Limit                     Soft Limit           Hard Limit           Units     
Max stack size            8388608              unlimited            bytes     
Max core file size        unlimited            unlimited            bytes     
Max processes             unlimited            unlimited            processes 
Max open files            1024                 524288               files     
"""  # noqa: W291

NOBODY = "00000000:0000"
NOBODY6 = "0" * 32 + ":0000"
little_endian = pytest.mark.skipif(sys.byteorder != "little", reason="the sample tables are of a little-endian machine")


@pytest.mark.parametrize(
    ("text", "group"),
    [
        ("0::{0}\n".format(SCOPE), ("", SCOPE)),
        ("0::/docker/{0}\n".format(ID), ("", "/docker/" + ID)),
        ("9:name=systemd:/docker/x\n8:pids:/docker/x\n0::/system.slice/docker.service\n", ("pids", "/docker/x")),
        ("4:memory:/docker/x\n8:pids:/\n1:cpu,cpuacct:/\n0::/\n", ("memory", "/docker/x")),
        ("2:cpu,cpuacct:/docker/x\n", ("cpu", "/docker/x")),
        ("0::/custom:colon\n", ("", "/custom:colon")),
        ("0::/\n", None),
        ("", None),
        ("nonsense", None),
    ],
)
def test_the_control_group_under_version_2_version_1_and_both(text, group):
    assert view.parse_cgroup(text) == group


@little_endian
@pytest.mark.parametrize(
    ("proto", "row", "found"),
    [
        ("tcp", ("00000000:0050", NOBODY, "0A", 7), (ANY, 80, 4)),
        ("tcp", ("0100007F:1538", NOBODY, "0A", 7), ("127.0.0.1", 5432, 4)),
        ("tcp", ("0100007F:1538", "0100007F:C350", "01", 7), None),
        ("tcp", ("0" * 32 + ":18EB", NOBODY6, "0A", 7), ("::", 6379, 6)),
        ("tcp", ("00000000000000000000000001000000:0050", NOBODY6, "0A", 7), ("::1", 80, 6)),
        ("tcp", ("B80D0120000000000000000001000000:0050", NOBODY6, "0A", 7), ("2001:db8::1", 80, 6)),
        ("tcp", ("0000000000000000FFFF00000100007F:0050", NOBODY6, "0A", 7), ("127.0.0.1", 80, 4)),
        ("udp", ("00000000:0035", NOBODY, "07", 7), (ANY, 53, 4)),
        ("udp", ("0100007F:0035", "0100007F:0035", "01", 7), None),
    ],
)
def test_what_waits_for_others_is_told_from_what_is_connected(proto, row, found):
    expected = [] if found is None else [view.Socket(proto, *found, inode=7)]
    assert view.parse_sockets(table(row), proto) == expected


@pytest.mark.parametrize("text", ["", HEADER, HEADER + "0: zz 00 0A\n", HEADER + "\n\n", HEADER + ROW])
def test_a_line_of_another_form_is_left_out(text):
    assert view.parse_sockets(text, "tcp") == []


@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_the_kernels_own_table_is_understood(family, address):
    try:
        server = socket.socket(family)
        server.bind((address, 0))
    except OSError:
        pytest.skip("no address {0} here".format(address))
    with server:
        server.listen()
        name = "tcp" if family == socket.AF_INET else "tcp6"
        sockets = view.parse_sockets(Path("/proc/self/net", name).read_text(), "tcp")
        mine = [item for item in sockets if item.inode == os.fstat(server.fileno()).st_ino]
        version = 4 if family == socket.AF_INET else 6
        assert [(item.address, item.port, item.family) for item in mine] == [
            (address, server.getsockname()[1], version)
        ]


def processes(**groups: str | None) -> view.Processes:
    """``p7="/path"``: process 7 in that control group."""
    return {
        int(name[1:]): view.Process(name, None if path is None else ("", path), frozenset())
        for name, path in groups.items()
    }


@pytest.mark.parametrize(
    ("running", "inside"),
    [
        (processes(p7=SCOPE, p8=SCOPE, p9="/system.slice/docker.service"), [7, 8]),
        (processes(p7=SCOPE, p8=SCOPE + "/init.scope"), [7, 8]),
        (processes(p7="/docker/ab", p8="/docker/abc"), [7]),
        (processes(p7=None, p8=None, p9=SCOPE), [7]),
        (processes(p8=SCOPE), []),
        ({7: view.Process("a", ("pids", "/x"), frozenset()), 8: view.Process("b", ("memory", "/x"), frozenset())}, [7]),
    ],
)
def test_the_processes_of_a_container(running, inside):
    assert view.members(running, 7) == inside


class Proc:
    """A /proc of our own making."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("sys/net/ipv4/ip_local_port_range", "32768\t60999\n")

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def process(self, pid: int, name: str, group: str, inodes: list[int]) -> None:
        self.write("{0}/comm".format(pid), name + "\n")
        self.write("{0}/cgroup".format(pid), "0::{0}\n".format(group))
        self.write("{0}/limits".format(pid), LIMITS)
        folder = self.root / str(pid) / "fd"
        folder.mkdir()
        for number, target in enumerate(["/dev/null", "pipe:[3]"] + ["socket:[{0}]".format(node) for node in inodes]):
            (folder / str(number)).symlink_to(target)


@pytest.fixture
def proc(tmp_path):
    return Proc(tmp_path)


@little_endian
def test_dockers_resolver_is_not_the_containers(proc):
    """dockerd holds a socket on 127.0.0.11 in the namespace of every container on a network of its own."""
    proc.process(1, "systemd", "/init.scope", [])
    proc.process(300, "dockerd", "/system.slice/docker.service", [11, 12])
    proc.process(367, "nginx", SCOPE, [21])
    proc.process(368, "nginx", SCOPE, [21, 22, 23])
    tcp = table(("0B00007F:A2C1", NOBODY, "0A", 11), ("00000000:0050", NOBODY, "0A", 21))
    udp = table(
        ("0B00007F:B4D2", NOBODY, "07", 12), ("00000000:0202", NOBODY, "07", 22), ("00000000:9C40", NOBODY, "07", 23)
    )
    proc.write("367/net/tcp", tcp)
    proc.write("367/net/udp", udp)
    found = view.container_view(view.read_processes(str(proc.root)), 367, str(proc.root))
    assert found == {
        "listening": [
            {"proto": "tcp", "address": ANY, "port": 80, "family": 4},
            {"proto": "udp", "address": ANY, "port": 514, "family": 4},
        ],
        "limits": {"core": [-1, -1], "nproc": [-1, -1], "nofile": [1024, 524288]},
    }


def test_a_container_that_has_ended_has_no_view(proc):
    proc.process(1, "systemd", "/init.scope", [])
    assert view.container_view(view.read_processes(str(proc.root)), 367, str(proc.root)) is None


@little_endian
def test_the_hosts_listeners_name_who_holds_them(proc):
    proc.process(1, "systemd", "/init.scope", [31])
    proc.process(90, "sshd", "/system.slice/ssh.service", [31])
    proc.process(400, "docker-proxy", "/system.slice/docker.service", [32])
    proc.write("1/net/tcp", table(("00000000:0016", NOBODY, "0A", 31), ("00000000:0801", NOBODY, "0A", 99)))
    proc.write("1/net/tcp6", table(("0" * 32 + ":1F90", NOBODY6, "0A", 32)))
    assert view.host_listeners(view.read_processes(str(proc.root)), str(proc.root)) == [
        {"proto": "tcp", "address": ANY, "port": 22, "process": "sshd"},
        {"proto": "tcp", "address": ANY, "port": 2049, "process": ""},
        {"proto": "tcp", "address": "::", "port": 8080, "process": "docker-proxy"},
    ]


def test_a_process_that_ends_meanwhile_is_left_out(proc):
    proc.process(1, "systemd", "/init.scope", [])
    proc.write("50/comm", "gone\n")
    assert list(view.read_processes(str(proc.root))) == [1]


def test_without_the_right_to_look_the_user_is_told(proc, monkeypatch):
    def refuse(_folder):
        raise PermissionError(13, "Permission denied")

    proc.process(1, "systemd", "/init.scope", [])
    monkeypatch.setattr(view, "_held", refuse)
    with pytest.raises(view.ProcessError, match="run as root"):
        view.read_processes(str(proc.root))
