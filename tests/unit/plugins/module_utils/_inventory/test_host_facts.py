# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What programs and files of the host say, and what is understood of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._host.processes import Process
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._inventory import host_facts

APT = "podman:\n  Installed: {0}\n  Candidate: {1}\n  Version table:\n     9.9.9 500\n"


@pytest.mark.parametrize(
    ("package", "version"),
    [
        ("5.4.2+ds1-2+b1", "5.4.2"),
        ("5.4.2", "5.4.2"),
        ("5:5.4.2+ds1-2", "5.4.2"),
        ("4:4.9.4-rhel", "4.9.4"),
        ("4.3.1+ds1-8+deb12u1+b3", "4.3.1"),
        ("6.0", "6.0"),
        ("(none)", None),
        ("", None),
    ],
)
def test_the_version_of_a_package_is_that_of_its_program(package, version):
    assert host_facts.upstream_version(package) == version


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """Programs of our own making are all that there is."""
    monkeypatch.setenv("PATH", str(tmp_path))

    def install(name: str, script: str) -> None:
        path = tmp_path / name
        path.write_text("#!/bin/sh\n" + script)
        path.chmod(0o755)

    return install


@pytest.mark.parametrize(
    ("program", "says", "candidate"),
    [
        ("apt-cache", APT.format("(none)", "5.4.2+ds1-2+b1"), "5.4.2"),
        ("apt-cache", APT.format("5.4.2+ds1-2", "5.8.6+ds1-3"), "5.8.6"),
        ("apt-cache", APT.format("(none)", "(none)"), None),
        ("apt-cache", "", None),
        ("dnf", "\n5.6.0\n\n5.6.0\n", "5.6.0"),
        ("dnf", "", None),
    ],
)
def test_the_podman_that_would_be_installed(programs, program, says, candidate):
    programs(program, "echo '{0}'".format(says))
    assert host_facts.podman_candidate() == candidate


def test_a_package_manager_that_fails_does_not_stop_the_assessment(programs):
    programs("dnf", "echo no network >&2; exit 1")
    assert host_facts.podman_candidate() is None


def test_without_podman_there_are_no_objects(programs):
    programs("apt-cache", "echo '{0}'".format(APT.format("(none)", "5.4.2")))
    assert host_facts.podman_facts() == {
        "installed": None, "candidate": "5.4.2", "containers": [], "pods": [], "networks": [], "volumes": [],
        "secrets": [],
    }  # fmt: skip


def test_the_objects_of_an_installed_podman(programs):
    programs(
        "podman",
        'case "$*" in --version) echo podman version 5.4.2;; ps*) echo web; echo db;; network*) echo podman;; esac',
    )
    assert host_facts.podman_facts() == {
        "installed": "5.4.2", "candidate": None, "containers": ["db", "web"], "pods": [], "networks": ["podman"],
        "volumes": [], "secrets": [],
    }  # fmt: skip


def test_units_that_come_and_go_bind_no_name(tmp_path, monkeypatch):
    for name in [
        "etc/docker.service", "etc/docker.service.d/http.conf", "etc/multi-user.target.wants/x.service", "etc/README",
        "lib/docker.service", "lib/getty@.service", "generator/-.mount", "transient/docker-867e5a.scope",
    ]:  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "etc/masked.service").symlink_to("/dev/null")
    monkeypatch.setattr(host_facts, "_TRANSIENT", str(tmp_path / "transient"))
    folders = [str(tmp_path / name) for name in ("etc", "transient", "generator", "lib", "absent")]
    assert host_facts.unit_names(folders) == ["-.mount", "docker.service", "getty@.service", "masked.service"]


@pytest.mark.parametrize(("text", "number"), [("systemd 257 (257.5-2)\n+PAM", 257), ("systemd 260~rc1", 260), ("", 0)])
def test_the_version_of_systemd(text, number):
    assert host_facts.first_number(text) == number


@pytest.mark.parametrize(
    ("flags", "value"),
    [
        (["-H", "fd://", "--config-file=/etc/d.json"], "/etc/d.json"),
        (["--config-file", "/etc/d.json", "-D"], "/etc/d.json"),
        (["--config-file-x=/etc/d.json"], None),
        ([], None),
    ],
)
def test_the_value_of_a_flag(flags, value):
    assert host_facts.flag_value(flags, "--config-file") == value


def test_of_dockerds_environment_only_proxies_are_kept():
    environment = ["PATH=/bin", "HTTP_PROXY=http://p:1/?a=b", "no_proxy=localhost", "TOKEN=x", "PROXY=1", "https_proxy"]
    assert host_facts.proxies(environment) == {
        "HTTP_PROXY": "http://p:1/?a=b",
        "no_proxy": "localhost",
        "https_proxy": "",
    }


@pytest.mark.parametrize(
    ("text", "document"), [(None, {}), ("", {}), ("{}", {}), ('{"log-driver": "journald"}', {"log-driver": "journald"})]
)
def test_the_configuration_of_dockerd(tmp_path, text, document):
    path = tmp_path / "daemon.json"
    if text is not None:
        path.write_text(text)
    assert host_facts.read_daemon_json(str(path)) == document


@pytest.mark.parametrize("text", ["{", "[]", "\0"])
def test_a_damaged_configuration_of_dockerd_is_named(tmp_path, text):
    path = tmp_path / "daemon.json"
    path.write_text(text)
    with pytest.raises(host_facts.HostError, match="{0}.*repair it".format(path)):
        host_facts.read_daemon_json(str(path))


UNIX = """\
Num       RefCount Protocol Flags    Type St Inode Path
0000: 00000002 00000000 00010000 0001 01 500 /run/docker.sock
0000: 00000002 00000000 00010000 0001 01 501 /run/other docker.sock
0000: 00000003 00000000 00000000 0001 03 502
"""


@pytest.mark.parametrize(
    ("holders", "socket", "pid"),
    [
        ({1: ("systemd", 500), 90: ("dockerd", 500)}, "/run/docker.sock", 90),
        ({1: ("systemd", 500), 80: ("dockerd", 501), 90: ("dockerd", 500)}, "/run/docker.sock", 90),
        ({1: ("systemd", 500), 80: ("dockerd", 501), 90: ("dockerd", 500)}, "/run/other docker.sock", 80),
        ({1: ("systemd", 500), 90: ("dockerd", 502)}, "/run/docker.sock", None),
        ({90: ("podman", 500)}, "/run/docker.sock", None),
    ],
)
def test_of_several_dockerds_the_one_behind_the_socket_is_read(holders, socket, pid):
    processes = {number: Process(name, None, frozenset([inode])) for number, (name, inode) in holders.items()}
    assert host_facts.daemon_pid(processes, UNIX, socket) == pid


def test_how_dockerd_was_told_to_run(tmp_path):
    config = tmp_path / "d.json"
    config.write_text('{"icc": false}')
    for name, text in {
        "1/net/unix": UNIX,
        "90/cmdline": "/usr/sbin/dockerd\0-H\0fd://\0--config-file={0}\0".format(config),
        "90/environ": "LANG=C\0HTTPS_PROXY=http://proxy:3128\0",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    processes = {90: Process("dockerd", ("", "/system.slice/docker.service"), frozenset([500]))}
    assert host_facts.engine_config(processes, "/run/docker.sock", str(tmp_path)) == {
        "socket": "/run/docker.sock",
        "flags": ["-H", "fd://", "--config-file={0}".format(config)],
        "daemon_json": {"icc": False},
        "environment": {"HTTPS_PROXY": "http://proxy:3128"},
        "unit": "docker.service",
    }
    outside = {90: Process("dockerd", None, frozenset([500]))}
    assert host_facts.engine_config(outside, "/run/docker.sock", str(tmp_path))["unit"] == ""
    assert host_facts.engine_config({}, "/run/docker.sock", str(tmp_path))["unit"] == ""


def test_who_is_connected_to_the_socket():
    listing = """\
u_str 0      0      /run/docker.sock 901            * 902   users:(("dockerd",pid=90,fd=11))
u_str 0      0                     * 902            * 901   users:(("traefik",pid=70,fd=3),("traefik",pid=71,fd=3))
u_str 0      0                     * 904            * 903   users:(("sshd",pid=60,fd=3))
u_str 0      0      /run/dbus        903            * 904
"""
    assert host_facts.connected(listing, "/run/docker.sock") == ["traefik"]
    assert host_facts.connected(listing.replace("traefik", "docker"), "/run/docker.sock") == []


def test_the_room_of_a_folder_that_does_not_exist_yet_is_that_of_its_parent(tmp_path):
    assert host_facts.existing(str(tmp_path / "a" / "b")) == str(tmp_path)
    room = host_facts.space(str(tmp_path))
    assert 0 < room["free"] <= room["size"]
    assert room["size"] == os.statvfs(str(tmp_path)).f_blocks * os.statvfs(str(tmp_path)).f_frsize


def test_a_socket_is_the_same_through_a_link(tmp_path):
    """As /var/run is a link to /run."""
    (tmp_path / "run").mkdir()
    (tmp_path / "var").symlink_to("run")
    assert host_facts.same_socket(str(tmp_path / "var" / "docker.sock"), str(tmp_path / "run" / "docker.sock"))
    assert not host_facts.same_socket(str(tmp_path / "var" / "docker.sock"), str(tmp_path / "run" / "other.sock"))


def test_this_very_host_is_understood():
    """The real programs and files of a machine with systemd; Docker and Podman need not be there."""
    if not Path("/usr/bin/systemctl").exists():
        pytest.skip("no systemd here")
    facts = host_facts.host_facts({}, "/run/docker.sock", "/var/lib/docker")
    assert facts["systemd"] > 200
    assert facts["cgroup"] in (1, 2)
    assert "systemd-journald.service" in facts["units"]


@pytest.mark.parametrize(
    ("table", "found"),
    [
        ("", []),
        ("00000000000000000000000000000001 01 80 10 80       lo\n", []),
        ("fe800000000000000000000000000001 02 40 20 80     eth0\n", []),
        ("fec00000000000000000000000000001 02 40 40 00     eth0\n", []),
        ("20010db8000000000000000000000001 02 40 00 00     eth0\n", ["eth0"]),
        ("fd000000000000000000000000000001 05 40 00 80  docker0\n", []),
    ],
)
def test_an_address_that_others_reach_by_ipv6(table, found):
    assert host_facts.global_addresses(table) == found
