# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the plan makes of what ran under Docker."""

from __future__ import annotations

import json

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan import report
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.masking import masked_plan
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.model import PlanError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.translate import make_plan
from ansible_collections.podshift.docker_to_podman.tests.unit.plugins.documents import (
    changed,
    container,
    identifier,
    inventory,
    service,
    volume_mount,
)


def plan(containers, policy=None, version="5.4.2", **parts):
    return make_plan(inventory(containers, **parts), policy, version)


def unit_of(containers, version="5.4.2", name="web.container", **parts):
    made = plan(containers, version=version, **parts)
    assert report.obstacles(made) == []
    return {key: text for workload in made["workloads"] for key, text in workload["units"].items()}[name]


def codes(made, severity="blocker"):
    return {(item["code"], item["path"]) for item in made["findings"] if item["severity"] == severity}


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({}, "Image=docker.io/library/app:1"),
        ({}, "Pull=never"),
        ({}, "PidsLimit=-1"),
        ({}, "AddCapability=CAP_NET_RAW"),
        ({}, "Network=podman"),
        ({"Config__Cmd": ["echo", "a b", "$HOME", "50%"]}, 'Exec="echo" "a b" "$$HOME" "50%%"'),
        ({"Config__Cmd": ["echo", "", "x"]}, 'Entrypoint=["echo","","x"]'),
        ({"Config__Cmd": ["echo", ";"]}, 'Entrypoint=["echo",";"]'),
        ({"Config__Entrypoint": ["/run"], "Config__Cmd": ["x"]}, 'Entrypoint=["/run"]'),
        ({"Config__Env": ["PATH=/bin", 'A=x "y"\nz']}, 'Environment="A=x \\"y\\"\\nz"'),
        ({"Config__Env": ["PATH=/bin", "PATH"]}, 'PodmanArgs="--unsetenv=PATH"'),
        ({"Config__User": "1000:1000"}, "User=1000:1000"),
        ({"Config__WorkingDir": "/srv"}, "WorkingDir=/srv"),
        ({"Config__WorkingDir": "/a\nb"}, 'PodmanArgs="--workdir=/a\\nb"'),
        ({"Config__WorkingDir": "/a\\"}, 'PodmanArgs="--workdir=/a\\\\"'),
        ({"Config__Labels": {"a": "b c"}}, 'Label="a=b c"'),
        (
            {"Config__Labels": {"com.docker.compose.oneoff": "False"}},
            'Label="podshift.com.docker.compose.oneoff=False"',
        ),
        ({}, "TimeoutStartSec=900"),
        ({"Config__StopTimeout": 120}, "TimeoutStopSec=150"),
        ({"HostConfig__RestartPolicy": {"Name": "always", "MaximumRetryCount": 0}}, "WantedBy=multi-user.target"),
        ({"HostConfig__RestartPolicy": {"Name": "always", "MaximumRetryCount": 0}}, "StartLimitIntervalSec=0"),
        ({"HostConfig__RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3}}, "StartLimitBurst=4"),
        ({"HostConfig__PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "8080"}]}}, "PublishPort=8080:80"),
        (
            {"HostConfig__PortBindings": {"53/udp": [{"HostIp": "::1", "HostPort": "5353"}]}},
            "PublishPort=[::1]:5353:53/udp",
        ),
        ({"Mounts": [volume_mount("v")]}, "Volume=v.volume:/data:suid,dev"),
        ({"Mounts": [volume_mount("v", RW=False)]}, "Volume=v.volume:/data:ro,suid,dev"),
        ({"Config__Healthcheck": {"Test": ["CMD-SHELL", "true"]}}, 'HealthCmd=["/bin/sh","-c","true"]'),
        ({"Config__Healthcheck": {"Test": ["CMD", "/check"]}}, "HealthCmd=CMD /check"),
        ({"Config__Healthcheck": {"Test": ["CMD", "a", "b"], "Interval": 5 * 10**9}}, "HealthInterval=5s"),
    ],
)
def test_what_was_set_stands_in_the_unit(change, line):
    assert line in unit_of([container(**change)]).split("\n")


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"Config__Hostname": "own", "Config__Domainname": "example.com"}, "HostName=own"),
        ({"Config__Tty": True}, 'PodmanArgs="--tty"'),
        ({"Config__OpenStdin": True}, 'PodmanArgs="--interactive"'),
        ({"Config__ExposedPorts": {"80/tcp": {}}}, "ExposeHostPort=80/tcp"),
        ({"Config__StopTimeout": -1}, "TimeoutStopSec=infinity"),
        ({"HostConfig__NetworkMode": "host", "Config__Hostname": "machine"}, "Network=host"),
        ({"HostConfig__NetworkMode": "none"}, "Network=none"),
        ({"HostConfig__LogConfig": {"Type": "json-file", "Config": {}}}, "LogDriver=journald"),
        ({"HostConfig__LogConfig": {"Type": "none", "Config": {}}}, "LogDriver=none"),
        ({"HostConfig__LogConfig": {"Type": "journald", "Config": {"tag": "web"}}}, "LogOpt=tag=web"),
        ({"HostConfig__CapAdd": ["sys_admin"]}, "AddCapability=CAP_SYS_ADMIN"),
        ({"HostConfig__CapDrop": ["NET_RAW"]}, "DropCapability=CAP_NET_RAW"),
        ({"HostConfig__Privileged": True}, 'PodmanArgs="--privileged"'),
        ({"HostConfig__ReadonlyRootfs": True}, "ReadOnlyTmpfs=false"),
        ({"HostConfig__SecurityOpt": ["no-new-privileges:true"]}, "NoNewPrivileges=true"),
        ({"HostConfig__SecurityOpt": ["seccomp=unconfined"]}, "SeccompProfile=unconfined"),
        ({"HostConfig__SecurityOpt": ["apparmor=own"]}, 'PodmanArgs="--security-opt=apparmor=own"'),
        ({"HostConfig__SecurityOpt": ["label:disable"]}, "SecurityLabelDisable=true"),
        ({"HostConfig__SecurityOpt": ["label=type:spc_t"]}, "SecurityLabelType=spc_t"),
        ({"HostConfig__MaskedPaths": [], "HostConfig__ReadonlyPaths": []}, 'Unmask="ALL"'),
        ({"HostConfig__MaskedPaths": ["/own"]}, 'Mask="/own"'),
        ({"HostConfig__Tmpfs": {"/run": "rw,size=64m"}}, "Tmpfs=/run:rw,size=64m,noexec,notmpcopyup"),
        ({"HostConfig__Tmpfs": {"/run": "exec"}}, "Tmpfs=/run:exec,notmpcopyup"),
        ({"HostConfig__ShmSize": 1 << 30}, "ShmSize=1073741824"),
        ({"HostConfig__Sysctls": {"net.core.somaxconn": "1024"}}, "Sysctl=net.core.somaxconn=1024"),
        ({"HostConfig__Sysctls": {"kernel.msgmax": "1 2"}}, 'Sysctl="kernel.msgmax=1 2"'),
        ({"HostConfig__Sysctls": {"net.ipv4.ping_group_range": "0 0"}}, 'Sysctl="net.ipv4.ping_group_range=0 0"'),
        ({"HostConfig__Memory": 1 << 20, "HostConfig__MemorySwap": 2 << 20}, 'PodmanArgs="--memory=1048576"'),
        ({"HostConfig__Memory": 1 << 20, "HostConfig__MemorySwap": -1}, 'PodmanArgs="--memory-swap=-1"'),
        ({"HostConfig__NanoCpus": 1500000000}, 'PodmanArgs="--cpus=1.5"'),
        ({"HostConfig__PidsLimit": 100}, "PidsLimit=100"),
        ({"HostConfig__Ulimits": [{"Name": "nofile", "Soft": 1, "Hard": 2}]}, "Ulimit=nofile=1:2"),
        ({"HostConfig__CgroupParent": "own.slice"}, "Slice=own.slice"),
        ({"HostConfig__Devices": [{"PathOnHost": "/dev/kvm", "PathInContainer": "/dev/kvm"}]}, "AddDevice=/dev/kvm"),
        (
            {"HostConfig__Devices": [{"PathOnHost": "/a", "PathInContainer": "/b", "CgroupPermissions": "r"}]},
            "AddDevice=/a:/b:r",
        ),
        ({"HostConfig__DeviceCgroupRules": ["c 81:* rmw"]}, 'PodmanArgs="--device-cgroup-rule=c 81:* rmw"'),
        ({"HostConfig__ExtraHosts": ["a:host-gateway", "b:fd00::1"]}, "AddHost=b:fd00::1"),
        ({"HostConfig__PidMode": "host"}, 'PodmanArgs="--pid=host"'),
        ({"HostConfig__Annotations": {"a": "b c"}}, 'Annotation="a=b c"'),
        ({"Mounts": [volume_mount("v", Mode="nocopy")]}, "Volume=v.volume:/data:suid,dev,nocopy"),
        (
            {"Mounts": [{"Type": "bind", "Source": "/a b", "Destination": "/c", "Mode": "Z", "Propagation": "rslave"}]},
            'PodmanArgs="--volume=/a b:/c:Z,rslave"',
        ),
        (
            {"Mounts": [{"Type": "bind", "Source": "/a:b", "Destination": "/c,d", "Mode": "", "RW": False}]},
            'Mount="type=bind,source=/a:b,\\"destination=/c,d\\",ro=true"',
        ),
    ],
)
def test_options_of_docker_run(change, line):
    made = plan([container(**change)])
    assert codes(made) == set()
    assert line in made["workloads"][0]["units"]["web.container"].split("\n")


@pytest.mark.parametrize(
    ("change", "absent"),
    [
        ({"HostConfig__Memory": 1 << 20, "HostConfig__MemorySwap": 2 << 20}, "memory-swap"),
        ({"HostConfig__NetworkMode": "host", "Config__Hostname": "machine"}, "HostName"),
        ({"HostConfig__NetworkMode": "host"}, "Sysctl"),
        ({"HostConfig__CapDrop": ["ALL"]}, "AddCapability"),
        ({"HostConfig__CapAdd": ["ALL"]}, "CAP_MKNOD"),
        ({"HostConfig__SecurityOpt": ["apparmor=docker-default"]}, "apparmor"),
        ({"HostConfig__SecurityOpt": ["label=disable"], "HostConfig__Privileged": True}, "SecurityLabelDisable"),
    ],
)
def test_what_a_default_says_is_left_out(change, absent):
    assert absent not in unit_of([container(**change)])


def test_a_seccomp_profile_in_the_container_becomes_a_file():
    profile = {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": []}
    made = plan([container(HostConfig__SecurityOpt=["seccomp=" + json.dumps(profile)])])
    units = made["workloads"][0]["units"]
    assert "SeccompProfile=/etc/containers/systemd/web.seccomp.json" in units["web.container"].split("\n")
    assert json.loads(units["web.seccomp.json"]) == profile


DEFAULT_CAPABILITIES = [
    *("CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_MKNOD"),
    *("CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID"),
    "CAP_SYS_CHROOT",
]


@pytest.mark.parametrize(
    ("change", "given"),
    [
        ({}, DEFAULT_CAPABILITIES),
        ({"HostConfig__CapAdd": ["NET_ADMIN"]}, sorted([*DEFAULT_CAPABILITIES, "CAP_NET_ADMIN"])),
        ({"HostConfig__CapAdd": ["SYS_TIME"], "HostConfig__CapDrop": ["ALL"]}, ["CAP_SYS_TIME"]),
        ({"HostConfig__CapDrop": ["KILL"]}, [name for name in DEFAULT_CAPABILITIES if name != "CAP_KILL"]),
    ],
)
def test_a_user_other_than_root_has_no_capabilities_but_by_a_programs_own(change, given):
    """Podman would give what is added to every process of the user (seen: CapEff of user 1000)."""
    web = container(Config__User="1000:1000", **change)
    (workload,) = plan([web])["workloads"]
    unit = workload["units"]["web.container"]
    assert "Capability" not in unit
    assert "Environment=CONTAINERS_CONF_OVERRIDE=/etc/containers/systemd/web.containers.conf" in unit.split("\n")
    settings = json.loads(workload["units"]["web.containers.conf"].partition("default_capabilities = ")[2])
    assert settings == given


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"Config__User": "root"}, "AddCapability=CAP_NET_RAW"),
        ({"Config__User": "0:1000"}, "AddCapability=CAP_NET_RAW"),
        ({"Config__User": "app", "HostConfig__CapDrop": ["ALL"]}, "DropCapability=ALL"),
        ({"Config__User": "app", "HostConfig__Privileged": True, "HostConfig__CapAdd": ["NET_ADMIN"]}, "User=app"),
    ],
)
def test_what_needs_no_configuration_has_none(change, line):
    (workload,) = plan([container(**change)])["workloads"]
    assert line in workload["units"]["web.container"].split("\n")
    assert "web.containers.conf" not in workload["units"]
    assert "AddCapability=CAP_NET_ADMIN" not in workload["units"]["web.container"]


def test_a_podman_that_gives_capabilities_to_the_user_is_told():
    web = container(Config__User="1000", HostConfig__CapAdd=["NET_ADMIN"])
    assert ("user-capabilities", "HostConfig.CapAdd") in codes(plan([web], version="4.4.0"), "info")
    assert ("user-capabilities", "HostConfig.CapAdd") not in codes(plan([web]), "info")


def test_a_container_looks_like_one_of_dockers_to_its_programs():
    (workload,) = plan([container()])["workloads"]
    unit = workload["units"]["web.container"].split("\n")
    assert "Volume=/etc/containers/systemd/web.dockerenv:/.dockerenv:ro" in unit
    assert workload["units"]["web.dockerenv"] == ""
    assert 'PodmanArgs="--unsetenv=container"' in unit


def test_what_somebody_has_put_there_is_left_alone():
    mount = {"Type": "bind", "Source": "/srv/x", "Destination": "/.dockerenv", "Mode": "", "RW": True}
    web = container(Mounts=[{**mount, "Propagation": "rprivate"}], Config__Env=["container=docker"])
    (workload,) = plan([web])["workloads"]
    assert "web.dockerenv" not in workload["units"]
    assert "--unsetenv=container" not in workload["units"]["web.container"]


def test_podmans_own_defaults_are_a_choice():
    made = plan([container()], {"hardening": "podman"})
    unit = made["workloads"][0]["units"]["web.container"]
    for word in ("AddCapability", "Sysctl", "PidsLimit"):
        assert word not in unit
    assert (
        "AddCapability"
        in plan([container()], {"containers": {"other": {"hardening": "podman"}}})["workloads"][0]["units"][
            "web.container"
        ]
    )


@pytest.mark.parametrize(
    ("daemon", "line"),
    [
        ({"init": True}, "RunInit=true"),
        ({"default-ulimits": {"nofile": {"Name": "nofile", "Soft": 1, "Hard": 2}}}, "Ulimit=nofile=1:2"),
        ({"no-new-privileges": True}, "NoNewPrivileges=true"),
        ({"seccomp-profile": "/etc/docker/own.json"}, "SeccompProfile=/etc/docker/own.json"),
        ({"dns": ["192.0.2.1"]}, "DNS=192.0.2.1"),
        ({"ip": "192.0.2.9"}, "PublishPort=192.0.2.9:8080:80"),
        ({"cgroup-parent": "own.slice"}, "Slice=own.slice"),
        ({"default-stop-timeout": 60}, "StopTimeout=60"),
    ],
)
def test_what_the_daemon_gives_to_every_container(daemon, line):
    web = container(HostConfig__PortBindings={"80/tcp": [{"HostIp": "", "HostPort": "8080"}]})
    made = plan([web], engine={"id": "e", "config": {"daemon_json": daemon}})
    assert line in made["workloads"][0]["units"]["web.container"].split("\n")


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (["--init"], "RunInit=true"),
        (["--default-ulimit", "nofile=1:2", "--init=false"], "Ulimit=nofile=1:2"),
        (["--dns=192.0.2.1", "--dns", "192.0.2.2"], "DNS=192.0.2.2"),
        (["-H", "--init", "--no-new-privileges"], "NoNewPrivileges=true"),
    ],
)
def test_what_the_daemon_was_told_on_its_command_line(flags, line):
    made = plan([container()], engine={"id": "e", "config": {"flags": flags}})
    unit = made["workloads"][0]["units"]["web.container"].split("\n")
    assert line in unit
    assert ("RunInit=true" in unit) is (flags == ["--init"])


def test_limits_are_those_that_the_kernel_shows():
    seen = {identifier("web"): {"limits": {"nofile": [1024, 524288], "nproc": [-1, -1]}}}
    stopped = container("late", State={"Status": "exited", "Running": False})
    made = plan([container(), stopped], processes=seen)
    for workload in made["workloads"]:
        (unit,) = [text for name, text in workload["units"].items() if name.endswith(".container")]
        assert "Ulimit=nofile=1024:524288" in unit
        assert "Ulimit=nproc=-1:-1" in unit


def test_a_container_in_the_network_of_another_follows_it():
    vpn = container("vpn", HostConfig__PortBindings={"80/tcp": [{"HostIp": "", "HostPort": "8080"}]})
    web = container(HostConfig__NetworkMode="container:" + identifier("vpn"), Config__Hostname="vpn")
    (workload,) = plan([vpn, web])["workloads"]
    assert (workload["name"], workload["grouping"]) == ("vpn", "network")
    assert workload["layers"] == [["vpn"], ["web"]]
    unit = workload["units"]["web.container"].split("\n")
    for line in ("Network=vpn.container", "BindsTo=vpn.service", "PartOf=vpn.service", "After=vpn.service"):
        assert line in unit
    for word in ("PublishPort", "Sysctl", "HostName", "AddHost"):
        assert word not in workload["units"]["web.container"]
    (older,) = plan([vpn, web], version="5.2.0")["workloads"]
    assert "Network=container:vpn" in older["units"]["web.container"].split("\n")


def test_links_become_names_on_a_network_of_their_own():
    web = container(HostConfig__Links=["/db:/web/database"])
    made = plan([container("db"), web])
    (workload,) = made["workloads"]
    assert ("link-environment", "HostConfig.Links") in codes(made, "warning")
    names = ",".join("alias=" + name for name in sorted([identifier("db")[:12], "database"]))
    assert "Network=db-links.network:" + names in workload["units"]["db.container"].split("\n")
    assert "Network=db-links.network:alias=" + identifier("web")[:12] in workload["units"]["web.container"].split("\n")
    assert "isolate=true" in workload["units"]["db-links.network"]


@pytest.mark.parametrize(
    ("ipv6", "address", "codes_found"),
    [
        (True, "", {"ipv6-published"}),
        (True, "::", {"ipv6-published"}),
        (True, "192.0.2.1", set()),
        (False, "", set()),
    ],
)
def test_a_port_that_answered_on_ipv6_is_a_warning(ipv6, address, codes_found):
    web = container(HostConfig__PortBindings={"80/tcp": [{"HostIp": address, "HostPort": "80"}]})
    made = plan([web], host={"ipv6": ipv6})
    assert {code for code, _path in codes(made, "warning")} == codes_found


def test_static_addresses_and_networks_in_the_order_of_docker():
    members = [service("blog", "web")]
    members[0]["NetworkSettings"]["Networks"] = {
        "back": {"IPAMConfig": None, "Aliases": ["web"]},
        "blog_default": {"IPAMConfig": {"IPv4Address": "172.18.0.9"}, "Aliases": None},
    }
    unit = plan(members)["workloads"][0]["units"]["blog-web-1.container"].split("\n")
    found = [line for line in unit if line.startswith("Network=")]
    short = identifier("blog-web-1")[:12]
    default, back = (
        ",".join(f"alias={name}" for name in sorted(names))
        for names in (
            [short, f"{short}.blog_default", "blog-web-1.blog_default"],
            [short, f"{short}.back", "blog-web-1.back", "web", "web.back"],
        )
    )
    assert found == [f"Network=blog_default.network:{default},ip=172.18.0.9", f"Network=back.network:{back}"]


def on(name, *networks, **priorities):
    """A container on these networks, with a priority for some of them."""
    endpoints = {network: {"GwPriority": priorities.get(network, 0)} for network in networks}
    return container(name, HostConfig__NetworkMode=networks[0], NetworkSettings__Networks=endpoints)


def routes(containers, **networks):
    """The metrics of the networks by name, and the containers that have another default route."""
    known = [
        {"Name": name, "Id": f"{number:064x}", "Driver": "bridge", "IPAM": {"Config": []}, **networks.get(name, {})}
        for number, name in enumerate(
            sorted({name for one in containers for name in one["NetworkSettings"]["Networks"]})
        )
    ]
    made, prefix = plan(containers, networks=known), 'Options="metric='
    texts = {name: text for one in made["workloads"] for name, text in one["units"].items()}
    found = {
        name[: -len(".network")]: int(line[len(prefix) : -1])
        for name, text in texts.items()
        for line in text.split("\n")
        if line.startswith(prefix)
    }
    return found, [item["subject"] for item in made["findings"] if item["code"] == "default-route"]


@pytest.mark.parametrize(
    ("containers", "networks", "expected"),
    [
        ([on("a", "one")], {}, ({}, [])),
        # Compose names the networks in its own order; Docker goes by their names.
        ([on("a", "zfront", "alpha", "inner")], {"inner": {"Internal": True}}, ({"zfront": 110}, [])),
        ([on("a", "one", "two", two=5)], {}, ({"one": 110}, [])),
        ([on("a", "one", "two")], {"two": {"EnableIPv6": True}}, ({"one": 110}, [])),
        ([on("a", "one", "two"), on("b", "two", "three")], {}, ({"two": 110}, [])),
        ([on("a", "c", "d"), on("b", "b", "c"), on("c", "a", "b")], {}, ({"b": 110, "c": 120, "d": 130}, [])),
        ([on("a", "one", "two"), on("b", "one", "two", two=1)], {}, ({"two": 110}, ["b"])),
        ([on("a", "bridge", "alpha")], {}, ({"alpha": 90}, [])),
        ([on("a", "bridge", "web")], {}, ({"web": 110}, [])),
    ],
    ids=[
        "one",
        "by name",
        "priority",
        "two families",
        "chain",
        "long chain",
        "opposite",
        "before bridge",
        "after bridge",
    ],
)
def test_a_container_leaves_through_the_network_that_docker_chose(containers, networks, expected):
    assert routes(containers, **networks) == expected


@pytest.mark.parametrize(
    ("subnet", "is_told"),
    [("10.88.5.0/24", True), ("10.0.0.0/8", True), ("10.89.0.0/16", False), ("fd00::/64", False), ("10.88", False)],
)
def test_a_subnet_of_podmans_own_network_is_told_before_anything_stands_still(subnet, is_told):
    networks = [{"Name": "lan", "Id": "1" * 64, "Driver": "bridge", "IPAM": {"Config": [{"Subnet": subnet}]}}]
    made = plan([on("a", "lan")], networks=networks)
    assert (("default-subnet", "IPAM.Config") in codes(made, "warning")) is is_told


@pytest.mark.parametrize(
    ("change", "places"),
    [
        ({"Config__Cmd": ["nginx", "-g", "resolver 127.0.0.11;"]}, "Config.Cmd"),
        ({"Config__Env": ["R=127.0.0.11:53", "OTHER=127.0.0.110"]}, "Config.Env[R]"),
        ({"Config__Healthcheck": {"Test": ["CMD-SHELL", "nslookup db 127.0.0.11"]}}, "Config.Healthcheck.Test"),
        ({"Mounts": [{"Type": "bind", "Source": "/srv/conf", "Destination": "/etc/nginx", "Mode": "", "RW": False}]},
         "/srv/conf/a.conf, /srv/conf/b.conf"),
        ({"Config__Cmd": ["ping", "1127.0.0.11", "127.0.0.111", "0.127.0.0.11"]}, ""),
    ],
)  # fmt: skip
def test_who_names_the_address_of_dockers_name_server_is_told_where(change, places):
    binds = {"/srv/conf": {"type": "folder", "real": "/srv/conf", "resolver": ["/srv/conf/a.conf", "/srv/conf/b.conf"]}}
    for web, asks in ((service("blog", "web", **change), True), (container(**change), False)):
        found = [item for item in plan([web], host={"binds": binds})["findings"] if item["code"] == "resolver"]
        assert [item["message"].partition(": in ")[2] for item in found] == [places + "."] * (asks and bool(places))
    assert all("172.18.0.1" in item["remedy"] and "nslookup" not in item["message"] for item in found)


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (["podman"], "podman-docker"),
        (["pasta"], "pasta-docker"),
        (["podman", "podman-docker"], "podman-docker-1"),
        (["podmans"], "podmans"),
    ],
)
def test_a_network_with_a_name_of_podmans_gets_another_and_keeps_its_names_inside(names, chosen):
    web = container(HostConfig__NetworkMode=names[0], NetworkSettings__Networks={names[0]: {"Aliases": ["www"]}})
    networks = [
        {
            "Name": name,
            "Id": f"{number:064x}",
            "Driver": "bridge",
            "IPAM": {"Config": [{"Subnet": f"172.2{number}.0.0/16"}]},
        }
        for number, name in enumerate(names)
    ]
    workload = plan([web], networks=networks)["workloads"][0]
    assert [network["name"] for network in workload["networks"]] == [chosen]
    assert f"NetworkName={chosen}" in workload["units"][f"{names[0]}.network"].split("\n")
    assert f"alias=www.{names[0]}" in workload["units"]["web.container"]


def test_names_with_their_network_behind_them_lead_to_the_members_of_a_pod():
    made = plan([service("blog", "web"), service("blog", "db")])
    unit = made["workloads"][0]["units"]["blog.pod"].split("\n")
    for name in ("db.blog_default", "blog-db-1.blog_default"):
        assert f"AddHost={name}:127.0.0.1" in unit
        assert f"NetworkAlias={name}" in unit
    # Docker's default bridge has no names.
    assert "bridge" not in unit_of([container()])


@pytest.mark.parametrize(
    ("version", "lines"),
    [
        (
            "4.4.1",
            ['PodmanArgs="--pull=never"', 'PodmanArgs="--health-cmd=[\\"a\\",\\"b\\"]"', 'PodmanArgs="--user=me"'],
        ),
        ("4.9.3", ['HealthCmd=["a","b"]', 'PodmanArgs="--entrypoint=[\\"x\\"]"', "User=me"]),
        ("5.4.2", ['Entrypoint=["x"]', 'PodmanArgs="--memory=5"', 'PodmanArgs="--security-opt=apparmor=own"']),
        ("6.1.0", ["Memory=5", "AppArmor=own", "StopSignal=SIGINT"]),
    ],
)
def test_a_setting_is_a_key_where_podman_has_it_and_a_flag_before(version, lines):
    change = {
        "Config__Entrypoint": ["x"],
        "Config__Cmd": None,
        "Config__User": "me",
        "Config__StopSignal": "SIGINT",
        "Config__Healthcheck": {"Test": ["CMD", "a", "b"]},
        "HostConfig__Memory": 5,
        "HostConfig__SecurityOpt": ["apparmor=own"],
    }
    unit = unit_of([container(**change)], version=version).split("\n")
    for line in lines:
        assert line in unit


@pytest.mark.parametrize(
    ("changes", "is_found"),
    [
        ({"HostConfig__CapDrop": ["ALL"]}, True),
        ({"HostConfig__CapDrop": ["dac_override"], "Config__User": "root:root"}, True),
        ({"HostConfig__CapDrop": ["ALL"], "Config__User": "1000"}, False),
        ({"HostConfig__CapDrop": ["ALL"], "HostConfig__ReadonlyRootfs": True}, False),
        ({"HostConfig__CapDrop": ["ALL"], "HostConfig__CapAdd": ["DAC_OVERRIDE"]}, False),
        ({"HostConfig__CapDrop": ["NET_RAW"]}, False),
    ],
)
def test_root_that_may_not_override_modes_cannot_write_into_podmans_root_folder(changes, is_found):
    found = codes(plan([container(**changes)]), "info")
    assert (("root-folder", "HostConfig.CapDrop") in found) == is_found


def test_objects_of_an_old_podman_have_the_names_that_it_gives():
    member = service("blog", "web", Mounts=[volume_mount("v")])
    (workload,) = plan([member], version="4.5.1")["workloads"]
    assert workload["volumes"][0]["name"] == "systemd-v"
    assert workload["networks"][0]["name"] == "systemd-blog_default"
    assert "PodmanArgs" not in workload["units"]["blog_default.network"]


NFS = {"type": "nfs", "device": ":/export", "o": "addr=192.0.2.5,rw,nfsvers=4"}


@pytest.mark.parametrize(
    ("server", "shown"),
    [
        ("192.0.2.5", "192.0.2.5"),
        ("store.example", "store.example"),
        ("fd00::10", "[fd00::10]"),
        ("[fd00::10]", "[fd00::10]"),
    ],
)
def test_a_volume_on_nfs_moves_by_its_definition(server, shown):
    known = inventory([container(Mounts=[volume_mount("v")])])
    known["volumes"][0]["Options"] = {**NFS, "o": NFS["o"].replace("192.0.2.5", server)}
    made = make_plan(known, None, "5.4.2")
    unit = made["workloads"][0]["units"]["v.volume"].split("\n")
    for line in ("Type=nfs", f"Device={shown}:/export", "Options=rw,nfsvers=4"):
        assert line in unit
    assert made["workloads"][0]["volumes"][0]["driver_opts"]["o"] == "rw,nfsvers=4"
    assert ("volume-mount-program", "Options[type]") in codes(made, "info")


ADOPTING = {"strategy": "adopt"}


def test_an_adopted_volume_is_a_folder_under_a_name_of_its_own():
    members = [service("blog", name, Mounts=[volume_mount("v", RW=name == "web")]) for name in ("web", "db")]
    made = plan(members, {"projects": {"blog": ADOPTING}})
    (workload,) = made["workloads"]
    assert "v.volume" not in workload["units"]
    unit = workload["units"]["blog-web-1.container"].split("\n")
    # The link leads to another place, which may be a file system of its own.
    for line in ("Volume=/var/lib/docker_adopted/v:/data", 'RequiresMountsFor="/var/lib/docker"'):
        assert line in unit
    assert "Volume=/var/lib/docker_adopted/v:/data:ro" in workload["units"]["blog-db-1.container"].split("\n")
    (volume,) = workload["volumes"]
    assert (volume["strategy"], volume["place"]) == ("adopt", "/var/lib/docker_adopted/v")
    assert ("volume-adopted", "policy.strategy") in codes(made, "info")


@pytest.mark.parametrize(
    ("data_root", "place"),
    [("/srv/docker", "/srv/docker_adopted"), ("/var/lib/docker/1000.1000", "/var/lib/docker_adopted"),
     ("/srv/a b/", "/srv/a b_adopted"), ("odd", "/odd_adopted")],
)  # fmt: skip
def test_adopted_volumes_lie_beside_the_data_root(data_root, place):
    known = inventory([container(Mounts=[volume_mount("a" * 64)])])
    known["engine"]["info"]["DockerRootDir"] = data_root
    (workload,) = make_plan(known, ADOPTING, "5.4.2")["workloads"]
    assert workload["volumes"][0]["place"] == place + "/web-data"
    assert place.replace(" ", "\\x20") + "/web-data" in workload["units"]["web.container"].replace(" ", "\\x20")


def test_a_volume_that_lies_elsewhere_is_not_adopted():
    known = inventory([container(Mounts=[volume_mount("v")])])
    known["volumes"][0]["Options"] = NFS
    made = make_plan(known, ADOPTING, "5.4.2")
    assert "v.volume" in made["workloads"][0]["units"]
    assert made["workloads"][0]["volumes"][0]["strategy"] == "copy"
    assert ("volume-adopted", "policy.strategy") not in codes(made, "info")


def test_containers_that_want_different_things_of_a_volume_are_a_blocker():
    members = [service("blog", name, Mounts=[volume_mount("v")]) for name in ("web", "db")]
    made = plan(members, {"containers": {"blog-db-1": ADOPTING}})
    assert made["workloads"] == []
    (found,) = (item for item in made["findings"] if item["code"] == "volume-strategy")
    assert (found["severity"], found["subject"]) == ("blocker", "v")
    assert "adopt for blog-db-1, copy for blog-web-1" in found["message"]


@pytest.mark.parametrize(
    ("change", "line", "code"),
    [
        ({"Driver": "macvlan", "Options": {"parent": "eth1"}}, "Driver=macvlan", ""),
        ({"Driver": "macvlan", "Options": {"parent": "eth1"}}, 'Options="parent=eth1"', ""),
        ({"Options": {"com.docker.network.driver.mtu": "1400"}}, 'Options="mtu=1400"', ""),
        ({"Internal": True}, "Internal=true", ""),
        ({"EnableIPv6": True}, "IPv6=true", ""),
        ({"Options": {"com.docker.network.bridge.enable_icc": "false"}}, "Driver=bridge", "network-option"),
        ({"Options": {"com.docker.network.bridge.enable_icc": "true"}}, "Driver=bridge", ""),
    ],
)
def test_options_of_docker_network_create(change, line, code):
    known = inventory([service("blog", "web")])
    known["networks"][0].update(change)
    made = make_plan(known, None, "5.4.2")
    assert line in made["workloads"][0]["units"]["blog_default.network"].split("\n")
    assert {found for found, _path in codes(made, "warning")} == ({code} if code else set())


@pytest.mark.parametrize(
    "change",
    [
        {"HostConfig__PortBindings": {"80/tcp": [{"HostIp": "1.2.3.4:99:1/udp --privileged", "HostPort": "8080"}]}},
        {"NetworkSettings__Networks": {"own": {"IPAMConfig": {"IPv4Address": "1.2.3.4,alias=other"}}}},
        {"NetworkSettings__Networks": {"own": {"IPAMConfig": {"IPv6Address": "fe80::1%alias=other"}}}},
    ],
)
def test_an_address_brings_nothing_else_with_it(change):
    made = plan([container(**change)])
    assert {code for code, _path in codes(made)} == {"invalid-address"}
    assert made["workloads"] == []


@pytest.mark.parametrize("driver", ["overlay", "weave"])
def test_a_network_that_podman_cannot_make_blocks_who_uses_it(driver):
    known = inventory([service("blog", "web"), container("cache")])
    known["networks"][0]["Driver"] = driver
    made = make_plan(known, None, "5.4.2")
    assert codes(made) == {("network-driver", "Driver")}
    assert [workload["name"] for workload in made["workloads"]] == ["cache"]


def test_a_remapped_engine_keeps_its_map():
    info = {"SecurityOptions": ["name=userns"], "DockerRootDir": "/var/lib/docker/231072.231072"}
    unit = unit_of([container()], engine={"id": "e", "info": info}).split("\n")
    assert "UIDMap=0:231072:65536" in unit
    assert "GIDMap=0:231072:65536" in unit
    of_host = unit_of([container(HostConfig__UsernsMode="host")], engine={"id": "e", "info": info})
    assert "Map=" not in of_host


@pytest.mark.parametrize("mode", ["host", "keep-id:uid=1000", "auto"])
def test_an_engine_without_a_map_ignores_what_a_container_wants(mode):
    """Podman would obey."""
    assert unit_of([container(HostConfig__UsernsMode=mode)]) == unit_of([container()])
    members = [service("blog", "a"), service("blog", "b", HostConfig__UsernsMode="keep-id")]
    assert plan(members)["workloads"][0]["grouping"] == "pod"


def test_a_reader_of_the_docker_socket_gets_podmans():
    socket = {"Type": "bind", "Source": "/var/run/docker.sock", "Destination": "/var/run/docker.sock", "RW": True}
    made = plan([container(Mounts=[socket])])
    assert ("docker-socket", "Mounts[/var/run/docker.sock].Source") in codes(made, "warning")
    unit = made["workloads"][0]["units"]["web.container"].split("\n")
    assert "Volume=/run/podman/podman.sock:/var/run/docker.sock" in unit
    assert "Wants=podman.socket" in unit


def test_a_value_that_no_unit_can_carry_is_a_blocker_and_no_half_plan():
    made = plan([container(Config__Labels={"big": "x" * 200000}), container("cache")])
    assert codes(made) == {("unwritable", "")}
    assert [workload["name"] for workload in made["workloads"]] == ["cache"]


def test_what_the_image_says_stands_in_no_unit():
    unit = unit_of([container()])
    for key in ("Environment=", "Exec=", "Entrypoint=", "Label=", "WorkingDir=", "User=", "PublishPort="):
        assert key not in unit


@pytest.mark.parametrize(
    ("change", "code", "path"),
    [
        ({"HostConfig__AutoRemove": True}, "auto-remove", "HostConfig.AutoRemove"),
        ({"HostConfig__VolumeDriver": "nfs"}, "no-equivalent", "HostConfig.VolumeDriver"),
        ({"HostConfig__SecurityOpt": ["seccomp={"]}, "seccomp-profile", "HostConfig.SecurityOpt"),
        ({"HostConfig__SecurityOpt": ["spell=strong"]}, "untranslated-option", "HostConfig.SecurityOpt"),
        ({"HostConfig__NetworkMode": "container:gone"}, "missing-container", "HostConfig.NetworkMode"),
        ({"HostConfig__Binds": ["/a:/b"]}, "mount-missing", "HostConfig.Binds[/a:/b]"),
        ({"Mounts": [volume_mount("v", Driver="nfs")]}, "no-equivalent", "Mounts[/data].Driver"),
        ({"Mounts": [volume_mount("v", Type="npipe")]}, "mount-type", "Mounts[/data].Type"),
    ],
)
def test_what_podman_has_nothing_like_is_a_blocker_with_its_path(change, code, path):
    made = plan([container(**change)])
    assert codes(made) == {(code, path)}
    assert made["workloads"] == []
    assert made["coverage"]["web"].get(path, "blocker") == "blocker"
    assert any("web" in line and path in line for line in report.obstacles(made))


def test_a_field_that_nobody_knows_is_a_blocker_that_the_policy_lifts_by_its_path():
    invented = container(HostConfig__Teleport={"To": "mars"})
    assert codes(plan([invented])) == {("unknown-field", "HostConfig.Teleport.To")}
    assert report.obstacles(plan([invented], {"accept": ["HostConfig.Teleport.To"]})) == []


def test_an_excluded_workload_stays_on_docker_and_blocks_nothing():
    made = plan([container(HostConfig__AutoRemove=True), container("cache")], {"exclude": ["web"]})
    assert report.obstacles(made) == []
    assert made["left_on_docker"] == ["web"]
    assert [workload["name"] for workload in made["workloads"]] == ["cache"]


def test_what_an_excluded_workload_alone_uses_blocks_nothing_either():
    volume = {"Name": "v", "Driver": "sshfs", "Options": {}, "Scope": "local"}
    containers = [container(Mounts=[volume_mount("v")]), container("cache")]
    assert report.obstacles(plan(containers, volumes=[volume])) != []
    made = plan(containers, {"exclude": ["web"]}, volumes=[volume])
    assert report.obstacles(made) == []
    assert [workload["name"] for workload in made["workloads"]] == ["cache"]


@pytest.mark.parametrize(
    ("policy", "code"),
    [
        ({"exclude": ["wbe"]}, "no-workload:wbe"),
        # It is the name of a container, whose workload has another one.
        ({"exclude": ["blog-a-1"]}, "no-workload:blog-a-1"),
        ({"projects": {"blgo": {"grouping": "network"}}}, "no-project:blgo"),
        ({"containers": {"wbe": {"logs": "k8s-file"}}}, "no-container:wbe"),
    ],
)
def test_a_name_in_the_policy_that_the_host_does_not_have_stops_it(policy, code):
    containers = [container(), service("blog", "a"), service("blog", "b")]
    [obstacle] = report.obstacles(plan(containers, policy))
    assert f"accept it with policy.accept: ['{code}']" in obstacle
    assert report.obstacles(plan(containers, {**policy, "accept": [code]})) == []
    there = {"exclude": ["web"], "projects": {"blog": {"logs": "journald"}}, "containers": {"blog-a-1": {}}}
    assert report.obstacles(plan(containers, there)) == []


def test_a_pod_that_is_asked_for_and_cannot_be_is_said():
    members = [service("blog", "a"), service("blog", "b", HostConfig__UsernsMode="host")]
    assert ("no-pod", "policy.grouping") in codes(plan(members, {"grouping": "pod"}), "warning")
    for own in ({}, {"grouping": "auto"}, {"grouping": "pod", "projects": {"blog": {"grouping": "network"}}}):
        assert codes(plan(members, own), "warning") == set()
    # One container has nothing to share.
    assert codes(plan([container()], {"grouping": "pod"}), "warning") == set()


def test_volumes_that_no_container_uses_are_named():
    volumes = [{"Name": name, "Driver": "local"} for name in ("v", "old")]
    made = plan([container(Mounts=[volume_mount("v")])], volumes=volumes)
    [said] = [item["message"] for item in made["findings"] if item["code"] == "unused-volumes"]
    assert said == "No container uses the volumes old; they are not copied."
    many = [{"Name": f"v{number:02}", "Driver": "local"} for number in range(12)]
    [said] = [item["message"] for item in plan([], volumes=many)["findings"] if item["code"] == "unused-volumes"]
    assert said.endswith(" v09 and 2 more; they are not copied.")


@pytest.mark.parametrize(
    ("files", "rules", "said"),
    [
        ([("/tmp/a", 9)], {}, ""),
        ([("/run/app/x.sock", 5), ("/var/lib/app/app.pid", 4)], {}, ""),
        ([("/tmpfiles/a", 9)], {}, "9 MiB were written into the container itself, among them /tmpfiles/a;"),
        (
            [("/var/cache/a", 4), ("/srv/data", 5)],
            {},
            "5 MiB were written into the container itself, among them /srv/data;",
        ),
        ([("/srv/cache/a", 9)], {"noise": ["/srv/cache"]}, ""),
        ([("/srv/a.log", 9)], {"noise": ["*.log"]}, ""),
        ([], {}, "9 MiB were written"),
        # Names of one file are listed each, and Docker counts it once.
        ([("/tmp/a", 9), ("/tmp/b", 9), ("/srv/data", 3)], {}, "3 MiB were written"),
    ],
)
def test_noise_in_the_writable_layer_is_no_data(files, rules, said):
    web = container()
    largest = [{"path": path, "bytes": size << 20} for path, size in files]
    made = plan([web], rules, changes={web["Id"]: {"size": 9 << 20, "largest": largest}})
    messages = [finding["message"] for finding in made["findings"] if finding["code"] == "writable-layer"]
    assert len(messages) == bool(said)
    assert said in "".join(messages)


def test_noise_is_a_path():
    with pytest.raises(PlanError, match=r"policy\.noise: 'srv' is not an absolute path"):
        plan([container()], {"noise": ["srv"]})


def test_data_in_the_writable_layer_is_a_warning_until_it_is_accepted():
    made = plan([container(SizeRw=5 << 20)])
    assert codes(made, "warning") == {("writable-layer", "SizeRw")}
    assert report.obstacles(made)
    assert report.obstacles(plan([container(SizeRw=5 << 20)], {"accept": ["writable-layer:web"]})) == []


@pytest.mark.parametrize(
    ("entry", "policy", "is_secret"),
    [
        ("DB_PASSWORD=hunter22", {}, True),
        ("API_KEY=hunter22", {}, True),
        ("DATABASE_URL=postgres://u:hunter22@db/x", {}, True),
        ("LICENCE=hunter22", {"secrets": ["LICENCE"]}, True),
        ("LICENCE=plain", {}, False),
        ("KEYBOARD=de", {}, False),
        ("PASSENGERS=3", {}, False),
        ("PASSWORD1=hunter22", {}, True),
        ("RAILS_MASTER_KEY=hunter22", {}, True),
        ("MY_PIN=hunter22", {"secrets": ["my_pin"]}, True),
        ("spring.datasource.password=hunter22", {}, True),
        ("DB_PASSWORD=", {}, False),
    ],
)
def test_a_secret_variable_stands_in_no_unit(entry, policy, is_secret):
    name = entry.partition("=")[0]
    made = plan([container(Config__Env=["PATH=/bin", entry])], policy)
    (workload,) = made["workloads"]
    secret = {"name": "web-" + name, "container": "web", "env": name}
    assert workload["secrets"] == ([secret] if is_secret else [])
    lines = workload["units"]["web.container"].split("\n")
    assert ("Secret=web-{0},type=env,target={0}".format(name) in lines) is is_secret
    assert "hunter22" not in json.dumps(made)


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"Config__Cmd": ["redis-server", "--requirepass", "hunter22"]}, "Config.Cmd"),
        ({"Config__Cmd": ["sh", "-c", "app --api-key=hunter22"]}, "Config.Cmd"),
        ({"Config__Entrypoint": ["app", "postgres://u:hunter22@db/x"]}, "Config.Entrypoint"),
        ({"Config__Labels": {"smtp.password": "hunter22"}}, "Config.Labels[smtp.password]"),
        ({"Config__Healthcheck": {"Test": ["CMD", "ping", "--password=hunter22"]}}, "Config.Healthcheck.Test"),
    ],
)
def test_a_secret_that_users_of_the_host_could_read_is_a_warning_and_leaves_no_host(change, path):
    made = plan([container(**change)])
    assert ("readable-secret", path) in codes(made, "warning")
    assert "hunter22" in json.dumps(made["workloads"])
    assert "hunter22" not in json.dumps(masked_plan(made))
    assert "hunter22" not in json.dumps(made["findings"])


def test_what_users_of_the_host_can_read_now_is_named_without_its_values():
    made = plan([container(Config__Env=["PATH=/bin", "LANGUAGE=klingon"], Config__Labels={"team": "blue"})])
    (note,) = [item["message"] for item in made["findings"] if item["code"] == "readable"]
    assert "LANGUAGE" in note
    assert "team" in note
    assert "klingon" not in note
    assert "klingon" not in json.dumps(masked_plan(made))


@pytest.mark.parametrize("grouping", ["pod", "network"])
def test_only_who_asked_for_health_waits_for_it(grouping):
    """The health of b needs a, which waits for the start of b alone: waiting for its health would never end."""
    needs = {"a": "b:service_started:false", "b": "", "c": "b:service_healthy:false"}
    members = [service("blog", name) for name in needs]
    for member, (name, condition) in zip(members, needs.items()):
        member["Config"]["Labels"]["com.docker.compose.depends_on"] = condition
        if name == "b":
            member["Config"]["Healthcheck"] = {"Test": ["CMD-SHELL", "curl -f http://a/"]}
    (workload,) = plan(members, {"grouping": grouping})["workloads"]
    units = {name[5]: text.split("\n") for name, text in workload["units"].items() if name.endswith(".container")}
    assert "Notify=healthy" not in units["b"]
    assert not [line for line in units["a"] if line.startswith("ExecStartPre")]
    assert "After=blog-b-1.service" in units["a"]
    assert "ExecStartPre=-/usr/bin/podman wait --condition=healthy blog-b-1" in units["c"]
    assert "TimeoutStartSec=infinity" in units["c"]


def test_a_compose_project_becomes_a_pod_that_owns_its_ports():
    depends = {"com.docker.compose.depends_on": "db:service_healthy:false"}
    database = service("blog", "db", Config__Healthcheck={"Test": ["CMD", "true"]})
    web = service("blog", "web", HostConfig__PortBindings={"80/tcp": [{"HostIp": "", "HostPort": "8080"}]})
    web["Config"]["Labels"].update(depends)
    made = plan([web, database])
    (workload,) = made["workloads"]
    assert (workload["name"], workload["grouping"]) == ("blog", "pod")
    assert workload["layers"] == [["blog-db-1"], ["blog-web-1"]]
    assert workload["services"] == ["blog-pod.service", "blog-db-1.service", "blog-web-1.service"]
    pod = workload["units"]["blog.pod"].split("\n")
    for line in ("PublishPort=8080:80", "AddHost=db:127.0.0.1", "NetworkAlias=web", "WantedBy=multi-user.target"):
        assert line in pod
    assert "TimeoutStartSec=900" in pod
    assert "Notify=healthy" in workload["units"]["blog-db-1.container"].split("\n")
    assert "TimeoutStartSec=infinity" in workload["units"]["blog-db-1.container"].split("\n")
    assert "After=blog-db-1.service" in workload["units"]["blog-web-1.container"].split("\n")
    assert "PublishPort" not in workload["units"]["blog-web-1.container"]


def udp(*numbers, address=""):
    bindings = [{"HostIp": address, "HostPort": str(number)} for number in numbers]
    return {"HostConfig__PortBindings": {"53/udp": bindings}}


def forgotten(unit):
    return [line.split()[3:] for line in unit.split("\n") if line.startswith("ExecStartPost=-/usr/sbin/conntrack ")]


@pytest.mark.parametrize(
    ("change", "families"),
    [
        (udp(5353), ["ipv4", "ipv6"]),
        (udp(5353, address="192.0.2.1"), ["ipv4"]),
        (udp(5353, address="::1"), ["ipv6"]),
        ({"HostConfig__PortBindings": {"53/tcp": [{"HostIp": "", "HostPort": "5353"}]}}, []),
        ({**udp(5353), "HostConfig__NetworkMode": "host"}, []),
    ],
)
def test_who_sends_datagrams_through_a_start_is_heard_afterwards(change, families):
    """As Docker does, and Netavark does not: see datagrams.py."""
    commands = forgotten(unit_of([container(**change)]))
    assert commands == [[family, "--proto", "udp", "--orig-port-dst", "5353"] for family in families]


@pytest.mark.parametrize("mode", ["host", "none", "container:" + identifier("vpn")])
def test_ports_that_docker_discarded_are_no_ports_of_the_workload(mode):
    """docker run --network host -p: "Published ports are discarded when using host network mode"."""
    web = container(**udp(*range(10000, 10040)), HostConfig__NetworkMode=mode)
    made = plan([container("vpn"), web])
    assert [port for workload in made["workloads"] for port in workload["ports"]] == []
    assert ("port-discarded", "HostConfig.PortBindings") in codes(made, "info")
    assert "udp-senders" not in {code for code, _path in codes(made, "info")}


@pytest.mark.parametrize(("bridge", "is_blocker"), [("br-lan", True), ("virbr0", False)])
def test_a_network_on_a_bridge_of_the_hosts_own_is_a_blocker(bridge, is_blocker):
    """moby issue 28125: its gateway is the address by which the host is reached."""
    known = {**inventory([service("blog", "web")]), "host": {"bridge_ports": {bridge: ["eth0"]}}}
    known["networks"][0]["Options"] = {"com.docker.network.bridge.name": "br-lan"}
    assert ("host-bridge" in dict(codes(make_plan(known, None, "5.4.2"), "blocker"))) == is_blocker


def test_rules_of_the_users_own_are_a_warning():
    """The same words whatever the rules: other programs add and remove some all the time."""
    host = {"docker_user": ["iptables -s 192.0.2.1/32 -j DROP"]}
    made = plan([container()], host=host)
    assert ("docker-user", "host.docker_user") in codes(made, "warning")
    assert made == plan([container()], host={"docker_user": host["docker_user"] * 2})
    assert not codes(plan([container()], host={"docker_user": []}), "warning")


@pytest.mark.parametrize(("version", "is_blocker"), [(239, True), (244, False), (0, False)])
def test_a_systemd_that_could_not_help_itself_is_a_blocker(version, is_blocker):
    known = {**inventory([container()]), "host": {"systemd": version}}
    assert (("systemd-too-old", "host.systemd") in codes(make_plan(known, None, "5.4.2"), "blocker")) == is_blocker


UNIT = {"name": "compose-blog.service", "calls": True, "is_tied": True}
LISTENER = {"proto": "tcp", "address": "172.17.0.1", "port": 5432, "process": "postgres"}


@pytest.mark.parametrize(
    ("host", "code", "words"),
    [
        ({"docker_units": [UNIT]}, "docker-unit", "It calls Docker"),
        ({"docker_units": [{**UNIT, "calls": False}]}, "docker-unit", "ends with it"),
        ({"docker_crontabs": ["/etc/cron.d/backup"]}, "docker-crontab", "It calls Docker"),
        ({"saved_rules": ["/etc/iptables/rules.v4"]}, "saved-rules", "closes FORWARD"),
        ({"bridge_rules": ["-A INPUT -i docker0 -j ACCEPT"]}, "bridge-rules", "name Docker's bridges"),
        ({"listeners": [LISTENER]}, "bridge-address", "172.17.0.1, tcp port 5432, the address of docker0"),
    ],
)
def test_what_goes_by_docker_on_the_host_is_a_warning(host, code, words):
    known = {**inventory([container()]), "host": host}
    default = {"IPAM": {"Config": [{"Subnet": "172.17.0.0/16", "Gateway": "172.17.0.1"}]}}
    known["networks"] = [{"Name": "bridge", "Id": "0" * 64, "Driver": "bridge", "Options": {}, **default}]
    [finding] = [item for item in make_plan(known, None, "5.4.2")["findings"] if item["severity"] == "warning"]
    assert (finding["code"], words in finding["message"]) == (code, True)
    quiet = [
        [{**LISTENER, "address": address} for address in ("127.0.0.1", "0.0.0.0")],
        # Who binds each address by itself binds those that come.
        [LISTENER, {**LISTENER, "address": "192.0.2.7"}],
        [{**LISTENER, "process": "docker-proxy"}],
    ]
    for listeners in quiet:
        known["host"] = {"listeners": listeners}
        assert not codes(make_plan(known, None, "5.4.2"), "warning")


def test_a_port_published_on_the_address_of_docker0_is_a_warning():
    binding = {"PortBindings": {"53/udp": [{"HostIp": "172.17.0.1", "HostPort": "53"}]}}
    known = inventory([container(HostConfig=binding)])
    default = {"IPAM": {"Config": [{"Subnet": "172.17.0.0/16", "Gateway": "172.17.0.1"}]}}
    known["networks"] = [{"Name": "bridge", "Id": "0" * 64, "Driver": "bridge", "Options": {}, **default}]
    assert ("bridge-address", "HostConfig.PortBindings") in codes(make_plan(known, None, "5.4.2"), "warning")


def test_the_other_subnet_of_the_default_bridge_is_told():
    attached = container(NetworkSettings={"Networks": {"bridge": {}}})
    assert ("default-bridge", "HostConfig.NetworkMode") in codes(plan([attached]), "info")


def test_the_pod_forgets_for_its_members():
    members = [service("blog", "web", **udp(5353, address="192.0.2.1")), service("blog", "db")]
    (workload,) = plan(members)["workloads"]
    assert len(forgotten(workload["units"]["blog.pod"])) == 1
    assert forgotten(workload["units"]["blog-web-1.container"]) == []


def test_a_host_is_told_of_ports_that_are_too_many_to_forget():
    made = plan([container(**udp(*range(10000, 10033)))])
    assert ("udp-senders", "HostConfig.PortBindings") in codes(made, "info")
    assert forgotten(made["workloads"][0]["units"]["web.container"]) == []
    assert "udp-senders" not in {code for code, _path in codes(plan([container(**udp(*range(10000, 10032)))]), "info")}


EXTRA_HOST = service("blog", "b", HostConfig__ExtraHosts=["x:2.2.2.2"])
LISTENING = {"listening": [{"proto": "tcp", "address": "127.0.0.1", "port": 9000}]}


@pytest.mark.parametrize(
    ("members", "parts", "reason"),
    [
        ([service("blog", "a"), service("blog", "b")], {"policy": {"grouping": "network"}}, "policy"),
        ([service("blog", "a"), changed(service("blog", "a"), Name="/blog-a-2", Id="f" * 64)], {}, "scaled"),
        (
            [service("blog", "a"), service("blog", "b")],
            {"processes": {identifier("blog-a-1"): LISTENING, identifier("blog-b-1"): LISTENING}},
            "9000",
        ),
        (
            [service("blog", "a"), service("blog", "b")],
            {
                "processes": {
                    identifier("blog-a-1"): {"listening": [{"proto": "tcp", "address": "172.18.0.2", "port": 1}]}
                }
            },
            "its own address",
        ),
        ([service("blog", "a"), service("blog", "b")], {"host": {"socket_readers": ["traefik"]}}, "traefik"),
        ([service("blog", "a"), service("blog", "b", HostConfig__ShmSize=1 << 30)], {}, "shared memory"),
        ([service("blog", "a"), service("blog", "b", HostConfig__Dns=["192.0.2.1"])], {}, "name servers"),
        ([service("blog", "a", HostConfig__ExtraHosts=["x:1.1.1.1"]), EXTRA_HOST], {}, "address for the name x"),
    ],
)
def test_what_cannot_share_localhost_stays_on_a_network(members, parts, reason):
    for member in members:
        member["Config"]["Hostname"] = member["Id"][:12]
    made = plan(members, parts.pop("policy", None), **parts)
    assert report.obstacles(made) == []
    (workload,) = made["workloads"]
    assert workload["grouping"] == "network"
    assert reason in workload["reason"]
    assert any("Network=blog_default.network:alias=" in text for text in workload["units"].values())


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({}, identifier("web")[:12]),
        ({"Config__Hostname": "broker"}, "broker"),
        ({"HostConfig__NetworkMode": "none"}, identifier("web")[:12]),
    ],
    ids=["short ID", "chosen", "without a network"],
)
def test_the_host_name_is_the_one_that_docker_shows(change, name):
    """RabbitMQ and others keep their data under it."""
    assert "HostName=" + name in unit_of([container(**change)]).split("\n")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"Config__Hostname": "web", "Config__Domainname": "example.com"}, "domainname"),
        ({"Config__Hostname": "web.example.com"}, "short-hostname"),
    ],
)
def test_a_host_name_with_a_domain_stays_the_short_one_and_is_found_in_full(change, code):
    web = service("blog", "web", **change)
    made = plan([web])
    (workload,) = made["workloads"]
    unit = workload["units"]["blog-web-1.container"]
    assert "HostName=" + change["Config__Hostname"] in unit.split("\n")
    assert "alias=web.example.com" in unit
    assert code in {item["code"] for item in made["findings"] if item["severity"] == "info"}


@pytest.mark.parametrize("domain", ["a,ip=10.0.0.9", "a b", "x:y", "-v"])
def test_a_domain_brings_nothing_else_with_it(domain):
    made = plan([service("blog", "web", Config__Domainname=domain)])
    assert ("invalid-name", "Config.Domainname") in codes(made)


def test_members_of_a_pod_keep_their_host_names_and_can_resolve_them():
    members = [service("blog", "web"), service("blog", "broker", Config__Hostname="rabbit")]
    (workload,) = plan(members)["workloads"]
    assert workload["grouping"] == "pod"
    short_id = identifier("blog-web-1")[:12]
    for member, name in (("blog-web-1", short_id), ("blog-broker-1", "rabbit")):
        assert "HostName=" + name in workload["units"][member + ".container"].split("\n")
        assert f"AddHost={name}:127.0.0.1" in workload["units"]["blog.pod"].split("\n")
        assert f"NetworkAlias={name}" in workload["units"]["blog.pod"].split("\n")


@pytest.mark.parametrize(("hostname", "said"), [(identifier("web")[:12], True), ("web", False)])
@pytest.mark.parametrize("source", ["/var/run/docker.sock", "/srv"])
def test_a_reader_of_the_socket_that_may_look_itself_up_is_told(hostname, said, source):
    mount = {"Type": "bind", "Source": source, "Destination": "/x", "Mode": "", "RW": True, "Propagation": "rprivate"}
    web = container(Mounts=[mount], Config__Hostname=hostname)
    found = {item["code"]: item for item in plan([web])["findings"]}
    assert ("self-lookup" in found) is (said and source.endswith(".sock"))
    if "self-lookup" in found:
        assert "hostname: web" in found["self-lookup"]["remedy"]


@pytest.mark.parametrize("version", ["4.4.0", "5.4.2", "5.8.6"])
@pytest.mark.parametrize("arguments", [["/sbin/init"], ["/bin/sleep", "100"]])
def test_nothing_is_taken_for_systemd(version, arguments):
    """Docker has no such mode; Podman changes mounts and the stop signal in it."""
    members = [service("blog", "web"), service("blog", "db"), container("one", Config__Cmd=arguments)]
    for name in ("blog-web-1.container", "one.container"):
        assert 'PodmanArgs="--systemd=false"' in unit_of(members, version, name).split("\n")


STOPPED = {"Status": "exited", "Running": False}
ALWAYS = {"Name": "always", "MaximumRetryCount": 0}


@pytest.mark.parametrize(
    ("policy", "wanted"),
    [("always", True), ("unless-stopped", False), ("on-failure", False), ("no", False), ("", False)],
)
def test_a_stopped_container_is_not_started_and_starts_at_a_boot_as_under_docker(policy, wanted):
    stopped = container(State=STOPPED)
    stopped["HostConfig"]["RestartPolicy"]["Name"] = policy
    (workload,) = plan([stopped])["workloads"]
    assert workload["services"] == []
    assert ("[Install]" in workload["units"]["web.container"]) is wanted


def test_a_stopped_member_of_a_pod_starts_at_a_boot_and_not_with_the_pod():
    late = service("blog", "late", State=STOPPED, HostConfig__RestartPolicy=ALWAYS)
    web = service("blog", "web", HostConfig__RestartPolicy=ALWAYS)
    web["Config"]["Labels"]["com.docker.compose.depends_on"] = "late:service_started:false"
    (workload,) = plan([web, late])["workloads"]
    units = {name: text.split("\n") for name, text in workload["units"].items()}
    assert workload["grouping"] == "pod"
    assert workload["services"] == ["blog-pod.service", "blog-web-1.service"]
    assert "StartWithPod=false" in units["blog-late-1.container"]
    assert "WantedBy=multi-user.target" in units["blog-late-1.container"]
    assert "WantedBy=multi-user.target" in units["blog.pod"]
    assert "[Install]" not in units["blog-web-1.container"]
    assert "After=blog-late-1.service" in units["blog-web-1.container"]
    assert "Wants=blog-late-1.service" not in units["blog-web-1.container"]


def test_a_podman_that_starts_every_member_gets_no_pod_with_a_stopped_one():
    late = service("blog", "late", State=STOPPED, HostConfig__RestartPolicy=ALWAYS)
    (workload,) = plan([service("blog", "web"), late], version="5.2.0")["workloads"]
    assert workload["grouping"] == "network"
    assert "blog-late-1 does not run" in workload["reason"]


@pytest.mark.parametrize(
    ("state", "limit", "wanted"),
    [
        ({}, 0, True),
        ({**STOPPED, "ExitCode": 0}, 0, False),
        ({**STOPPED, "ExitCode": 143}, 0, True),
        ({**STOPPED, "ExitCode": 3}, 2, False),
        ({**STOPPED, "ExitCode": 3}, 5, True),
    ],
    ids=["runs", "ended well", "failed", "failed too often", "failed and may be tried again"],
)
def test_on_failure_starts_at_a_boot_what_has_not_ended_well(state, limit, wanted):
    policy = {"Name": "on-failure", "MaximumRetryCount": limit}
    web = container(HostConfig__RestartPolicy=policy, RestartCount=2, **({"State": state} if state else {}))
    (workload,) = plan([web])["workloads"]
    assert ("WantedBy=multi-user.target" in workload["units"]["web.container"].split("\n")) is wanted
    assert workload["services"] == ([] if state else ["web.service"])


@pytest.mark.parametrize("limit", [0, 3])
def test_on_failure_an_end_by_sigterm_is_a_failure_unless_systemd_stops_it(limit):
    unit = unit_of([container(HostConfig__RestartPolicy={"Name": "on-failure", "MaximumRetryCount": limit})])
    assert {"SuccessExitStatus=143", "RestartForceExitStatus=143"} <= set(unit.split("\n"))


@pytest.mark.parametrize(("policy", "told"), [("always", False), ("unless-stopped", True), ("no", False)])
def test_a_manual_stop_is_only_worth_a_word_where_docker_remembers_it(policy, told):
    made = plan([container(HostConfig__RestartPolicy={"Name": policy, "MaximumRetryCount": 0})])
    assert (("manual-stop", "HostConfig.RestartPolicy") in codes(made, "info")) is told


def test_an_anonymous_volume_gets_a_name_that_outlives_a_stop():
    made = plan([container(Mounts=[volume_mount("a" * 64, "/var/lib/data")])])
    (volume,) = made["workloads"][0]["volumes"]
    assert (volume["docker_name"], volume["name"]) == ("a" * 64, "web-var-lib-data")
    assert "VolumeName=web-var-lib-data" in made["workloads"][0]["units"]["web-var-lib-data.volume"]


def test_two_anonymous_volumes_never_share_a_name():
    mounts = [volume_mount("a" * 64, "/x/y"), volume_mount("b" * 64, "/x-y"), volume_mount("c" * 64, "/z")]
    other = container("web-x", Mounts=[volume_mount("d" * 64, "/y"), volume_mount("web-z")])
    made = plan([container(Mounts=mounts), other])
    volumes = [volume for workload in made["workloads"] for volume in workload["volumes"]]
    assert len({volume["name"] for volume in volumes}) == len({volume["docker_name"] for volume in volumes}) == 5
    units = [name for workload in made["workloads"] for name in workload["units"] if name.endswith(".volume")]
    assert len(set(units)) == 5


def test_a_unit_never_shadows_a_unit_of_the_host():
    made = plan([container("ssh")], host={"units": ["ssh.service"]})
    assert "docker-ssh.container" in made["workloads"][0]["units"]
    assert ("unit-renamed", "") in codes(made, "info")


def test_nothing_of_podman_is_replaced():
    podman = {"containers": ["web"], "networks": ["podman", "blog_default"], "pods": []}
    made = plan([container(), service("blog", "app")], host={"podman": podman})
    place = "NetworkSettings.Networks.blog_default"
    assert codes(made) == {("name-taken", "Name"), ("name-taken", place)}


def test_a_pod_is_called_like_no_container():
    made = plan([service("blog", "a"), service("blog", "b"), container("blog")])
    (workload,) = [item for item in made["workloads"] if item["grouping"] == "pod"]
    assert workload["pod"] == "blog-pod"
    assert "PodName=blog-pod" in workload["units"]["blog.pod"]
    services = [name for item in made["workloads"] for name in item["units"]]
    assert len(services) == len(set(services))


@pytest.mark.parametrize("name", ["../../etc/cron.d/x", "a b", "x\ny", "-v", ""])
def test_a_name_that_docker_would_not_allow_is_a_blocker(name):
    made = plan([changed(container(), Name="/" + name)])
    assert codes(made) == {("invalid-name", "Name")}
    assert made["workloads"] == []


@pytest.mark.parametrize(
    ("damaged", "place"),
    [
        ("x", "inventory"),
        ({"format": 2, "containers": []}, "format"),
        ({"format": 1}, "containers"),
        ({"format": 1, "containers": [None]}, "containers[0]"),
        ([None], "containers[0]"),
        ({"format": 1, "containers": [], "images": [{}]}, "images[0]"),
    ],
)
def test_a_damaged_inventory_is_refused_with_its_place(damaged, place):
    with pytest.raises(PlanError, match=place.replace("[", r"\[")):
        make_plan(damaged, None, "5.4.2")


@pytest.mark.parametrize(
    ("policy", "place"),
    [
        ({"grouping": "swarm"}, "grouping"),
        ({"acept": []}, "policy.acept"),
        (
            {"containers": {"db": {"strategy": "move"}}},
            "policy.containers.db.strategy is 'move', not one of copy, adopt",
        ),
        ({"accept": "x"}, "policy.accept"),
        # What YAML makes of a name without quotes, and of a list within one.
        ({"exclude": ["blog", 2048]}, r"policy\.exclude\[1\] is 2048, not a string; quote it"),
        ({"secrets": [["^COLOUR$"]]}, r"policy\.secrets\[0\] is \['\^COLOUR\$'\], not a string"),
        ({"projects": {"blog": {"groping": "pod"}}}, "policy.projects.blog.groping"),
    ],
)
def test_a_policy_with_a_typing_error_is_refused(policy, place):
    with pytest.raises(PlanError, match=place):
        make_plan(inventory([]), policy, "5.4.2")


@pytest.mark.parametrize(
    ("engine", "code"),
    [
        ({"info": {"Swarm": {"LocalNodeState": "active"}}}, "swarm"),
        ({"info": {"SecurityOptions": ["name=rootless"]}}, "engine-mode"),
        ({"info": {"CgroupVersion": "1"}}, "cgroup-v1"),
        ({"config": {"unit": "snap.docker.dockerd.service"}}, "engine-unit"),
        ({"config": {"unit": "user@1000.service"}}, "engine-unit"),
        ({"config": {"unit": "docker.service"}}, ""),
        ({"config": {"unit": ""}}, ""),
        ({"config": {"daemon_json": {"teleport": "mars"}}}, "daemon-option"),
        ({"config": {"flags": ["--teleport", "mars"]}}, "daemon-option"),
        ({"config": {"daemon_json": {"live-restore": True, "icc": True}}}, ""),
        ({"config": {"flags": ["--init"]}}, ""),
        ({"config": {"flags": ["-H", "fd://", "--containerd=/run/c.sock", "--registry-mirror=http://m"]}}, ""),
    ],
)
def test_what_binds_the_whole_host(engine, code):
    made = plan([container()], engine={"id": "e", **engine})
    assert {found for found, _path in codes(made)} == ({code} if code else set())


CONTAINERD_STORE = {"id": "e", "info": {"DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]]}}


def test_an_id_of_the_containerd_store_is_not_taken_for_that_of_podman():
    made = plan([container()], engine=CONTAINERD_STORE)
    assert made["workloads"][0]["images"][0]["config_digest"] is None
    assert plan([container()])["workloads"][0]["images"][0]["config_digest"] == "sha256:" + "1" * 64
    nameless = inventory([container()])["images"]
    nameless[0]["RepoTags"] = []
    assert ("untagged-image", "Image") in codes(plan([container()], engine=CONTAINERD_STORE, images=nameless))
    assert codes(plan([container()], images=nameless)) == set()


def test_the_inventory_says_which_id_podman_will_give_to_an_image_of_the_containerd_store():
    nameless, config = inventory([container()])["images"], "sha256:" + "9" * 64
    nameless[0]["RepoTags"] = []
    made = plan([container()], engine=CONTAINERD_STORE, images=nameless, image_configs={nameless[0]["Id"]: config})
    assert codes(made) == set()
    assert made["workloads"][0]["images"][0]["config_digest"] == config
    assert "Image=" + "9" * 64 in made["workloads"][0]["units"]["web.container"]
    hostile = plan([container()], engine=CONTAINERD_STORE, images=nameless, image_configs={nameless[0]["Id"]: "a\nb"})
    assert ("untagged-image", "Image") in codes(hostile)


def test_the_policy_says_how_copies_of_volumes_are_compared():
    rules = {"verify": "quick", "containers": {"web": {"verify": "contents"}}}
    made = [
        volume
        for workload in plan(
            [container(Mounts=[volume_mount("a")]), container("other", Mounts=[volume_mount("b")])], rules
        )["workloads"]
        for volume in workload["volumes"]
    ]
    assert {volume["name"]: volume["verify"] for volume in made} == {"a": "contents", "b": "quick"}
    with pytest.raises(PlanError, match=r"policy\.verify is 'never', not one of contents, quick"):
        plan([container()], {"verify": "never"})


def test_a_podman_without_quadlet_is_a_blocker():
    assert ("podman-too-old", "podman_version") in codes(plan([container()], version="4.3.1"))


def test_a_podman_without_pods_keeps_a_project_on_its_network():
    made = plan([service("blog", "a"), service("blog", "b")], version="4.9.3")
    assert report.obstacles(made) == []
    assert made["workloads"][0]["grouping"] == "network"
    assert ("no-pods", "podman_version") in codes(made, "info")


def test_registries_carry_over_without_credentials():
    config = {"registry-mirrors": ["http://u:secret@mirror:5000/"], "insecure-registries": ["reg:5000", "10.0.0.0/8"]}
    made = plan([container()], engine={"id": "e", "config": {"daemon_json": config}})
    assert made["registries"]["mirrors"] == [{"location": "mirror:5000", "insecure": True}]
    assert made["registries"]["insecure"] == ["localhost:5000", "reg:5000"]
    assert ("insecure-registry", "config.daemon_json") in codes(made, "warning")
    assert "u:secret" not in json.dumps(made)


def test_what_docker_inspect_prints_is_an_inventory():
    web = service("blog", "web", Mounts=[volume_mount("v")])
    made = make_plan([web, container("cache")], None, "5.4.2")
    assert report.obstacles(made) == []
    assert ("partial-inventory", "") in codes(made, "info")
    units = {name for workload in made["workloads"] for name in workload["units"]}
    assert {name for name in units if not name.endswith(".dockerenv")} == {
        "blog-web-1.container",
        "blog_default.network",
        "v.volume",
        "cache.container",
    }
    assert "Image=docker.io/library/app:1" in made["workloads"][1]["units"]["cache.container"]


def test_the_podman_of_the_inventory_is_planned_for():
    podman = {"installed": None, "candidate": "5.8.6"}
    assert make_plan(inventory([], host={"podman": podman}), None)["target"]["podman"] == "5.8.6"
    assert make_plan(inventory([], host={"podman": podman}), None, "5.4.2")["target"]["podman"] == "5.4.2"
    with pytest.raises(PlanError, match="podman_version"):
        make_plan(inventory([]), None)


def test_the_same_inventory_gives_the_same_hash_in_any_order():
    first, second = container("a"), container("b")
    assert plan([first, second])["hash"] == plan([second, first])["hash"]


def test_two_workloads_never_have_one_name():
    members = [service("blog", "a"), service("blog", "b"), container("blog")]
    made = plan(members)
    assert sorted(workload["name"] for workload in made["workloads"]) == ["blog", "blog-2"]
    (project,) = [workload for workload in made["workloads"] if workload["name"] == "blog"]
    assert project["project"] == "blog"
    assert ("workload-renamed", "") in codes(made, "info")
    left = plan(members, {"exclude": ["blog-2"]})
    assert left["left_on_docker"] == ["blog"]
    assert [workload["name"] for workload in left["workloads"]] == ["blog"]


def test_a_volume_keeps_a_name_that_looks_like_podmans_own():
    made = plan([container(Mounts=[volume_mount("systemd-data")])])
    assert "VolumeName=systemd-data" in made["workloads"][0]["units"]["systemd-data.volume"]


def linked(name, *links):
    member = service("p", name)
    member["NetworkSettings"]["Networks"]["p_default"]["Links"] = list(links)
    return member


def test_a_link_becomes_a_name_of_its_target():
    made = plan([linked("web", identifier("p-pg-1") + ":db"), service("p", "pg")], {"grouping": "network"})
    [line] = [
        line for line in made["workloads"][0]["units"]["p-pg-1.container"].split("\n") if line.startswith("Network=")
    ]
    assert {"alias=db", "alias=pg"} <= set(line.partition(":")[2].split(","))


@pytest.mark.parametrize(
    "members",
    [
        [linked("w1", "p-pg1-1:db"), linked("w2", "p-pg2-1:db"), service("p", "pg1"), service("p", "pg2")],
        [linked("w1", "p-pg-1:db"), service("p", "pg"), service("p", "db")],
    ],
)
def test_a_name_that_means_something_else_to_each_container_is_a_blocker(members):
    assert "link-conflict" in {code for code, _path in codes(plan(members))}


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        ({"HostConfig__PublishAllPorts": True, "Config__ExposedPorts": {"80/tcp": {}}}, ["127.0.0.1:32768:80"]),
        ({"HostConfig__PortBindings": {"80/tcp": None}}, ["127.0.0.1:32768:80"]),
        ({"HostConfig__PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "8000-8010"}]}}, ["127.0.0.1:32768:80"]),
    ],
)
def test_the_daemons_address_is_that_of_every_published_port(change, lines):
    in_use = {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "32768"}]}
    made = plan(
        [container(NetworkSettings__Ports=in_use, **change)],
        engine={"id": "e", "config": {"daemon_json": {"ip": "127.0.0.1"}}},
    )
    unit = made["workloads"][0]["units"]["web.container"].split("\n")
    assert [line.partition("=")[2] for line in unit if line.startswith("PublishPort=")] == lines


def test_ports_that_docker_chose_are_told_apart_by_their_address():
    asked = {"80/tcp": [{"HostIp": "", "HostPort": ""}, {"HostIp": "127.0.0.1", "HostPort": ""}]}
    in_use = {
        "80/tcp": [
            {"HostIp": "0.0.0.0", "HostPort": "32768"},
            {"HostIp": "::", "HostPort": "32768"},
            {"HostIp": "127.0.0.1", "HostPort": "32769"},
        ]
    }
    unit = unit_of([container(HostConfig__PortBindings=asked, NetworkSettings__Ports=in_use)])
    assert "PublishPort=32768:80\nPublishPort=127.0.0.1:32769:80" in unit


def test_a_range_of_which_docker_would_choose_a_port_is_kept_as_it_is():
    stopped = container(
        HostConfig__PortBindings={"80/tcp": [{"HostIp": "", "HostPort": "8000-8010"}]},
        State={"Status": "exited", "Running": False},
    )
    made = plan([stopped])
    assert ("port-open", "HostConfig.PortBindings") in codes(made, "info")
    assert "PublishPort=80" in made["workloads"][0]["units"]["web.container"]


def test_credentials_of_a_mounted_volume_leave_no_host():
    known = inventory([container(Mounts=[volume_mount("v")])])
    options = {"type": "cifs", "device": "//server/x", "o": "username=u,password=hunter22"}
    known["volumes"][0].update({"Options": options, "Labels": {"password": "hunter23"}})
    made = make_plan(known, None, "5.4.2")
    assert {("readable-secret", "Options[o]"), ("readable-secret", "Labels[password]")} <= codes(made, "warning")
    shown = json.dumps(masked_plan(made))
    assert "hunter22" not in shown
    assert "hunter23" not in shown


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (["--default-stop-timeout", "60"], "StopTimeout=60"),
        (["--host-gateway-ip=192.0.2.1"], "AddHost=gw:192.0.2.1"),
    ],
)
def test_flags_have_the_types_of_the_file(flags, line):
    web = container(HostConfig__ExtraHosts=["gw:host-gateway"])
    made = plan([web], engine={"id": "e", "config": {"flags": flags}}, version="5.4.2")
    assert line in made["workloads"][0]["units"]["web.container"].split("\n")


def test_registries_are_read_from_every_form_of_a_flag():
    flags = ["--registry-mirror", "https://m", "--insecure-registry", "r:5000", "--insecure-registry=s:5000"]
    made = plan([container()], engine={"id": "e", "config": {"flags": flags}})
    assert made["registries"]["mirrors"] == [{"location": "m", "insecure": False}]
    assert made["registries"]["insecure"] == ["localhost:5000", "r:5000", "s:5000"]


LOW_PORTS = {"net.ipv4.ip_unprivileged_port_start": "1024"}


@pytest.mark.parametrize(
    ("member", "reason"),
    [
        (service("blog", "a", HostConfig__ExtraHosts=["b:10.0.0.5"]), "name b"),
        (service("blog", "a", HostConfig__Sysctls=LOW_PORTS), "ip_unprivileged_port_start"),
        (service("blog", "a", HostConfig__Sysctls={"net.ipv4.tcp_syncookies": "0"}), "tcp_syncookies"),
        (service("blog", "a", HostConfig__UsernsMode="host"), "user namespace"),
    ],
)
def test_members_that_contradict_each_other_are_no_pod(member, reason):
    (workload,) = plan([member, service("blog", "b")])["workloads"]
    assert workload["grouping"] == "network"
    assert reason in workload["reason"]


def test_gateways_stay_with_their_subnets():
    known = inventory([service("blog", "web")])
    known["networks"][0]["IPAM"]["Config"] = [
        {"Subnet": "172.18.0.0/16"},
        {"Subnet": "fd00::/64", "Gateway": "fd00::1", "IPRange": "fd00::/80"},
    ]
    lines = make_plan(known, None, "5.4.2")["workloads"][0]["units"]["blog_default.network"].split("\n")
    subnets = [line for line in lines if line.startswith(("Subnet", "Gateway", "IPRange"))]
    # Quadlet pairs them by their order.
    assert subnets == ["Subnet=fd00::/64", "Gateway=fd00::1", "IPRange=fd00::/80", "Subnet=172.18.0.0/16"]


def test_the_hash_does_not_depend_on_the_moment():
    calm = container(SizeRw=2000000)
    busy = container(SizeRw=2000001, ExecIDs=["abc"], RestartCount=3)
    assert plan([calm])["hash"] == plan([busy])["hash"]


def test_details_of_a_mount_are_found_whatever_its_slashes():
    web = container(
        HostConfig__Mounts=[
            {"Type": "bind", "Source": "/srv", "Target": "/data/", "BindOptions": {"NonRecursive": True}}
        ],
        Mounts=[{"Type": "bind", "Source": "/srv", "Destination": "/data", "Mode": "", "RW": True}],
    )
    assert "bind-nonrecursive" in unit_of([web])


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"Config__ExposedPorts": {"80/sctp": {}}}, 'PodmanArgs="--expose=80/sctp"'),
        ({"Config__StopTimeout": -1}, "StopTimeout=2147483647"),
        ({"HostConfig__Runtime": "nvidia", "Config__Env": ["PATH=/bin", "NVIDIA_VISIBLE_DEVICES=0,1"]},
         "AddDevice=nvidia.com/gpu=1"),
    ],
)  # fmt: skip
def test_what_podman_would_refuse_is_written_in_another_way(change, line):
    made = plan([container(**change)])
    assert line in made["workloads"][0]["units"]["web.container"].split("\n")


@pytest.mark.parametrize(
    ("config", "others"),
    [
        ({"flags": ["-H", "fd://", "--containerd=/run/containerd/containerd.sock"]}, ""),
        ({"flags": ["-H", "unix:///var/run/docker.sock"]}, ""),
        ({"daemon_json": {"hosts": ["fd://", "tcp://0.0.0.0:2375"]}}, "tcp://0.0.0.0:2375"),
        ({"flags": ["-H", "fd://", "--host=tcp://10.0.0.5:2376", "-H", "unix:///srv/ci.sock"]},
         "tcp://10.0.0.5:2376, unix:///srv/ci.sock"),
    ],
)  # fmt: skip
def test_clients_of_the_remote_api_are_told(config, others):
    made = plan([container()], engine={"id": "e", "config": config})
    said = [item["message"] for item in made["findings"] if item["code"] == "remote-api"]
    assert said == [f"Docker's API also listens on {others}, where nothing answers once Docker has gone."] * bool(
        others
    )


def test_readers_of_the_metrics_are_told():
    made = plan([container()], engine={"id": "e", "config": {"flags": ["--metrics-addr=0.0.0.0:9323"]}})
    assert ("daemon-option", "config.metrics-addr") in codes(made, "warning")


def request(*capabilities, driver="", **given):
    return {
        "HostConfig__DeviceRequests": [{"Driver": driver, "Count": -1, "Capabilities": list(capabilities), **given}]
    }


@pytest.mark.parametrize(
    ("change", "devices", "severity"),
    [
        (request(["gpu"]), ["all"], "warning"),
        # Plex, and others that name what they need of the driver.
        (request(["nvidia", "compute", "utility", "video"], driver="nvidia"), ["all"], "warning"),
        (request(["tpu"], ["compute", "utility"]), ["all"], "warning"),
        (request(["gpu"], Count=2), ["0", "1"], "warning"),
        (request(["gpu"], Count=0, DeviceIDs=["GPU-1"]), ["GPU-1"], "warning"),
        (request(["gpu"], Count=0), [], None),
        (request(["gpu", "tpu"]), [], "blocker"),
        (request(driver="nvidia"), [], "blocker"),
        (request(["gpu"], driver="amd"), [], "blocker"),
        ({"HostConfig__Runtime": "nvidia", "Config__Env": ["NVIDIA_VISIBLE_DEVICES=0,1"]}, ["0", "1"], "warning"),
        # The runtime of a whole engine, where most containers have no GPU.
        ({"HostConfig__Runtime": "nvidia"}, [], None),
        ({"HostConfig__Runtime": "nvidia", "Config__Env": ["NVIDIA_VISIBLE_DEVICES=void"]}, [], None),
        ({"HostConfig__Runtime": "nvidia", "Config__Env": ["CUDA_VERSION=8"]}, ["all"], "warning"),
        (
            {"HostConfig__Runtime": "nvidia", "Config__Env": ["CUDA_VERSION=12", "NVIDIA_REQUIRE_CUDA=cuda>=12"]},
            [],
            None,
        ),
        ({"HostConfig__Runtime": "nvidia", **request(["gpu"])}, ["all"], "warning"),
    ],
)
def test_a_container_has_the_gpus_that_docker_gives_it(change, devices, severity):
    made = plan([container(**change)])
    paths = ("HostConfig.DeviceRequests", "HostConfig.Runtime")
    assert [item["severity"] for item in made["findings"] if item["path"] in paths] == [severity] * bool(severity)
    if severity != "blocker":
        unit = made["workloads"][0]["units"]["web.container"].split("\n")
        prefix = "AddDevice=nvidia.com/gpu="
        assert [line[len(prefix) :] for line in unit if line.startswith(prefix)] == devices
        assert "nvidia" not in "".join(line for line in unit if "runtime" in line)


def test_a_host_name_in_the_hosts_namespace_is_the_hosts():
    web = container(Config__Hostname="machine", Config__Domainname="example.com", HostConfig__UTSMode="host")
    assert "HostName" not in unit_of([web])


def test_a_pod_has_a_name_of_its_own_whatever_its_members_are_called():
    members = [service("blog", "a"), service("blog", "b"), container("blog"), container("blog-pod")]
    pods = [workload["pod"] for workload in plan(members)["workloads"] if workload["pod"]]
    assert pods == ["blog-pod-pod"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"HostConfig__Devices": [{"PathOnHost": "/dev/a:b", "PathInContainer": "/dev/c"}]}, "device-path"),
        ({"HostConfig__Mounts": [{"Type": "image", "Source": "tools:1", "Target": "/t"}]}, "image-mount"),
        ({"Config__Hostname": "x,ip=10.0.0.9"}, "invalid-name"),
    ],
)
def test_what_would_not_start_or_be_something_else_is_a_blocker(change, code):
    assert {found for found, _path in codes(plan([container(**change)]))} == {code}


@pytest.mark.parametrize(
    ("options", "severity", "code"),
    [
        ({}, "blocker", "network-parent"),
        ({"parent": "eth0.50"}, "warning", "network-parent"),
        ({"parent": "eth0"}, "warning", ""),
    ],
)
def test_a_network_on_a_link_of_the_host_needs_that_link(options, severity, code):
    known = inventory([service("blog", "web")])
    known["networks"][0].update({"Driver": "macvlan", "Options": options})
    made = make_plan(known, None, "5.4.2")
    assert {found for found, _path in codes(made, severity)} == ({code} if code else set())


def test_two_networks_of_one_name_are_not_mixed_up():
    known = inventory([service("blog", "web")])
    known["networks"].append({**known["networks"][0], "Id": "f" * 64})
    assert {code for code, _path in codes(make_plan(known, None, "5.4.2"))} == {"ambiguous-network"}


def test_a_folder_of_docker_itself_is_a_warning():
    source = "/var/lib/docker/volumes/x/_data"
    web = container(Mounts=[{"Type": "bind", "Source": source, "Destination": "/data", "Mode": "", "RW": True}])
    assert codes(plan([web]), "warning") == {("docker-folder", "Mounts[/data].Source")}


@pytest.mark.parametrize(
    "change",
    [
        {"HostConfig__PortBindings": {"80/tcp": [{"HostPort": "9" * 5000}]}},
        {"Config__ExposedPorts": {"\u00b2/tcp": {}}},
        {"HostConfig__NanoCpus": 10**400},
        {"Config__Healthcheck": {"Test": ["CMD", "x"], "Interval": 10**5000}},
        {"HostConfig__Memory": 10**5000},
    ],
)
def test_absurd_numbers_are_no_traceback(change):
    project = [service("blog", "a", **change), service("blog", "b")]
    assert report.report(plan([container(**change), *project]))


def test_an_absurd_view_of_the_kernel_is_no_traceback():
    seen = {identifier("blog-a-1"): {"listening": [{"proto": None, "address": None, "port": None}], "limits": None}}
    assert plan([service("blog", "a"), service("blog", "b")], processes=seen)["workloads"]


@pytest.mark.parametrize("entry", ["PEM=a\r\nb", " A=b", "A=\ufdd0", "A=\x80", "A=\U0010ffff"])
def test_a_variable_that_a_unit_would_change_travels_as_a_secret(entry):
    made = plan([container(Config__Env=["PATH=/bin", entry])])
    (secret,) = made["workloads"][0]["secrets"]
    assert secret["env"] == entry.partition("=")[0]
    assert "Environment=" not in made["workloads"][0]["units"]["web.container"]
    assert "target=" + secret["env"] in made["workloads"][0]["units"]["web.container"]


@pytest.mark.parametrize("value", ["\ufdd0", "a\x80", "\U0010ffff"])
def test_a_character_that_no_unit_carries_goes_as_json_or_is_a_blocker(value):
    made = plan([container(Config__Cmd=["echo", value])])
    assert "Entrypoint=[" in made["workloads"][0]["units"]["web.container"]
    assert value not in made["workloads"][0]["units"]["web.container"]
    for change in ({"Config__Labels": {"a": value}}, {"Config__WorkingDir": "/" + value}):
        assert codes(plan([container(**change)])) == {("unwritable", "")}


def test_a_health_check_of_one_word_with_a_blank_is_one_program():
    check = {"Test": ["CMD", "/probe/is well"]}
    line = 'HealthCmd=["/bin/sh","-c","exec \'/probe/is well\'"]'
    assert line in unit_of([container(Config__Healthcheck=check)]).split("\n")


def test_long_arguments_are_measured_one_by_one():
    assert plan([container(Config__Cmd=["echo", "x" * 100000, "y" * 100000])])["workloads"]
    assert codes(plan([container(Config__Cmd=["echo", "x" * 200000])])) == {("unwritable", "")}


@pytest.mark.parametrize(
    ("change", "is_made"),
    [
        ({}, True),
        ({"Mounts": [volume_mount("v", "/made")]}, False),
        ({"Mounts": [volume_mount("v", "/")]}, False),
        ({"HostConfig__Tmpfs": {"/made": ""}}, False),
    ],
)
def test_a_working_directory_that_docker_made_is_made_again(change, is_made):
    web = container(Config__WorkingDir="/made", **change)
    made = plan([web], changes={web["Id"]: {"size": 0, "largest": [], "made_workdir": True}})
    assert (
        'PodmanArgs="--mount=type=volume,destination=/made"' in made["workloads"][0]["units"]["web.container"]
    ) is is_made
