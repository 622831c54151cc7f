# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The units of plans, as Podman's own generators and systemd read them."""

from __future__ import annotations

import csv
import functools
import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan import quadlet
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.translate import make_plan
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._podman.units import is_unit
from ansible_collections.podshift.docker_to_podman.tests.generator import commands, oracle, rootfs
from ansible_collections.podshift.docker_to_podman.tests.unit.plugins.documents import (
    container,
    identifier,
    inventory,
    service,
    volume_mount,
)

GOLDENS = "ansible_collections.podshift.docker_to_podman.tests.golden.goldens"
IMAGE = "docker.io/library/app:1"
OF_EVERY_CONTAINER = {"volume": "/etc/containers/systemd/web.dockerenv:/.dockerenv:ro", "unsetenv": "container"}
# Every character that Quadlet, systemd or a shell gives a meaning to, and what looks like an escape or a comment.
HOSTILE = (
    " a  b\t\"q\" 'p' \\n \\. \\ $HOME ${X} $$ 50% %n %% `c` ;# é\u00a0漢 \x01\x7f ;\n[Container]\nImage=evil\n--x=y \\"
)


class Expected(NamedTuple):
    """changes of the one container ``web``; options: flag -> all of its values; command: what follows the image."""

    changes: Mapping[str, Any]
    options: Mapping[str, list[str]] = {}
    command: tuple[str, ...] = ()


def env(*entries: str) -> Expected:
    return Expected({"Config__Env": ["PATH=/bin", *entries]}, {"env": list(entries)})


def cmd(*words: str) -> Expected:
    return Expected({"Config__Cmd": list(words)}, {}, words)


def mounted(source: str, destination: str) -> dict[str, Any]:
    return {"Type": "bind", "Source": source, "Destination": destination, "RW": True, "Mode": "", "Propagation": ""}


EXPECTED = {
    "nothing set": Expected({}, {"name": ["web"], "pull": ["never"], "pids-limit": ["-1"], "network": ["podman"]}),
    "a command": cmd("echo", "a b", "$HOME", "50%", "%n", "--flag=x", "-d"),
    "a hostile command": cmd("echo", HOSTILE, HOSTILE),
    "words that are quotes": cmd('"', "'", "\\", "\\\\", '""', "$", "$$", "%", "%%", "#", "\\;", "{}", "[x]"),
    "blanks": cmd(" ", "\t", "\n", "a ", " a"),
    "a lone semicolon": Expected({"Config__Cmd": ["echo", ";", "x"]}, {"entrypoint": ['["echo",";","x"]']}),
    "an empty word": Expected({"Config__Cmd": ["echo", "", "$x%y"]}, {"entrypoint": ['["echo","","$x%y"]']}),
    "variables": env("A=1", "B=", "C=x=y", "D=  two  ", "E='x'", 'F="y"', "G=#", "H=;"),
    "a hostile variable": env("A=" + HOSTILE),
    "a hostile name of a variable": env("A b'c\"%n$x=1"),
    "a variable of 100 kB": env("A=" + "x" * 100000),
    "a variable unset": Expected({"Config__Env": ["PATH"]}, {"unsetenv": ["PATH"]}),
    "labels": Expected({"Config__Labels": {"a": "b c", "x": HOSTILE}}, {"label": ["a=b c", "x=" + HOSTILE]}),
    "a user": Expected({"Config__User": "1000:1000"}, {"user": ["1000:1000"]}),
    "a working directory": Expected({"Config__WorkingDir": "/a b/%n/$x"}, {"workdir": ["/a b/%n/$x"]}),
    "a hostile working directory": Expected({"Config__WorkingDir": "/" + HOSTILE}, {"workdir": ["/" + HOSTILE]}),
    "a stop timeout": Expected({"Config__StopTimeout": 120}, {"stop-timeout": ["120"]}),
    "a health check": Expected(
        {"Config__Healthcheck": {"Test": ["CMD-SHELL", "curl \"x\" | grep 'a b' $$ %n \\."], "Interval": 5 * 10**9}},
        {
            "health-cmd": ['["/bin/sh","-c","curl \\"x\\" | grep \'a b\' $$ %n \\\\."]'],
            "health-interval": ["5s"],
        },
    ),
    "a quoted health check": Expected({"Config__Healthcheck": {"Test": ["CMD", '"x"']}}, {"health-cmd": ['CMD "x"']}),
    "ports": Expected(
        {
            "HostConfig__PortBindings": {
                "53/udp": [{"HostIp": "::1", "HostPort": "5353"}],
                "80/tcp": [{"HostPort": "8"}],
            }
        },
        {"publish": ["[::1]:5353:53/udp", "8:80"]},
    ),
    "a terminal": Expected(
        {"Config__Tty": True, "Config__OpenStdin": True}, {"tty": ["true"], "interactive": ["true"]}
    ),
    "limits": Expected(
        {
            "HostConfig__Memory": 64 << 20,
            "HostConfig__NanoCpus": 500000000,
            "HostConfig__PidsLimit": 10,
            "HostConfig__Ulimits": [{"Name": "nofile", "Soft": 1024, "Hard": 2048}],
        },
        {"memory": ["67108864"], "cpus": ["0.5"], "pids-limit": ["10"], "ulimit": ["nofile=1024:2048"]},
    ),
    "names of hosts": Expected(
        {
            "HostConfig__ExtraHosts": ["a:1.2.3.4", "six:fe80::1"],
            "HostConfig__Dns": ["1.1.1.1"],
            "HostConfig__DnsSearch": ["example.com"],
            "HostConfig__DnsOptions": ["ndots:2"],
            "Config__Hostname": "own.example.com",
        },
        {
            "add-host": ["a:1.2.3.4", "six:fe80::1"],
            "dns": ["1.1.1.1"],
            "dns-search": ["example.com"],
            "dns-option": ["ndots:2"],
            "hostname": ["own.example.com"],
        },
    ),
    "security": Expected(
        {
            "HostConfig__CapAdd": ["SYS_ADMIN"],
            "HostConfig__CapDrop": ["CHOWN"],
            "HostConfig__SecurityOpt": ["no-new-privileges", "label=disable"],
            "HostConfig__ReadonlyRootfs": True,
            "HostConfig__GroupAdd": ["wheel", "1000"],
        },
        {
            "cap-add": ["cap_sys_admin", "cap_audit_write", "cap_mknod", "cap_net_raw"],
            "cap-drop": ["cap_chown"],
            "security-opt": ["no-new-privileges", "label=disable"],
            "read-only": ["true"],
            "group-add": ["wheel", "1000"],
        },
    ),
    "a setting of the kernel": Expected(
        {"HostConfig__Sysctls": {"net.ipv4.ip_local_port_range": "1024 65000"}},
        {
            "sysctl": [
                "net.ipv4.ip_unprivileged_port_start=0",
                "net.ipv4.ping_group_range=0 2147483647",
                "net.ipv4.ip_local_port_range=1024 65000",
            ]
        },
    ),
    "a device with a blank": Expected(
        {
            "HostConfig__Devices": [
                {"PathOnHost": "/dev/a b", "PathInContainer": "/dev/x", "CgroupPermissions": "r"},
            ]
        },
        {"device": ["/dev/a b:/dev/x:r"]},
    ),
    "a hostile tag of the log": Expected(
        {"HostConfig__LogConfig": {"Type": "journald", "Config": {"tag": HOSTILE}}},
        {"log-driver": ["journald"], "log-opt": ["tag=" + HOSTILE]},
    ),
    "a hostile annotation": Expected({"HostConfig__Annotations": {"a": HOSTILE}}, {"annotation": ["a=" + HOSTILE]}),
    "memory for files": Expected(
        {"HostConfig__Tmpfs": {"/a b": "", "/%n$x": "mode=1777"}},
        {"tmpfs": ["/%n$x:mode=1777,noexec,notmpcopyup", "/a b:noexec,notmpcopyup"]},
    ),
    "a volume": Expected({"Mounts": [volume_mount("v", RW=False)]}, {"volume": ["v:/data:ro,suid,dev"]}),
    "a volume at a path with a colon": Expected({"Mounts": [volume_mount("v", "/x:y,z")]}),
    "an anonymous volume": Expected(
        {"Mounts": [volume_mount("f" * 64, "/x y%n$z")]}, {"volume": ["web-x-y-n-z:/x y%n$z:suid,dev"]}
    ),
    "a folder": Expected({"Mounts": [mounted("/srv", "/data")]}, {"volume": ["/srv:/data"]}),
    "a folder with backslashes": Expected({"Mounts": [mounted("/a\\x41b", "/c\\n")]}, {"volume": ["/a\\x41b:/c\\n"]}),
    "a folder with blanks": Expected({"Mounts": [mounted("/a b", "/c d")]}, {"volume": ["/a b:/c d"]}),
    "a folder with signs": Expected({"Mounts": [mounted("/%n$x'", "/c$d")]}, {"volume": ["/%n$x':/c$d"]}),
    "a folder with a colon": Expected(
        {"Mounts": [mounted("/a:b c,d", "/e")]}, {"mount": ['type=bind,"source=/a:b c,d",destination=/e']}
    ),
}


def composed() -> list[Any]:
    """A project that waits for health, has stopped members, of which Docker starts one at a boot, and publishes a port."""
    port = {"80/tcp": [{"HostIp": "", "HostPort": "8080"}]}
    web = service("blog", "web", HostConfig__PortBindings=port, Mounts=[volume_mount("blog_data")])
    web["Config"]["Labels"]["com.docker.compose.depends_on"] = "db:service_healthy:false,job:service_started:true"
    job = service("blog", "job", State={"Status": "exited", "Running": False})
    late = service("blog", "late", State=job["State"], HostConfig__RestartPolicy={"Name": "always"})
    return [web, service("blog", "db", Config__Healthcheck={"Test": ["CMD", "true"]}), job, late]


def cases() -> Iterator[tuple[str, Any, Any]]:
    """Name, inventory and policy."""
    for name, expected in EXPECTED.items():
        yield name, inventory([container(**expected.changes)]), None
    web = container(Config__WorkingDir="/made by Docker, 100% $HOME")
    changes = {web["Id"]: {"size": 0, "largest": [], "made_workdir": True}}
    yield "a working directory that Docker made", inventory([web], changes=changes), None
    yield "a project as a pod", inventory(composed()), None
    yield "a project on a network", inventory(composed()), {"grouping": "network"}
    if (Path(__file__).parents[1] / "golden" / "goldens.py").is_file():
        for name, document in importlib.import_module(GOLDENS).inventories():
            yield name, document, None


CASES = {name: (document, policy) for name, document, policy in cases()}


@functools.cache
def planned(suite: str) -> dict[str, dict[str, str]]:
    """Case -> units of all workloads of its plan."""
    version = oracle.version(suite)
    plans = {name: make_plan(document, policy, version) for name, (document, policy) in CASES.items()}
    files = {
        name: [item for workload in plan["workloads"] for item in workload["units"].items()]
        for name, plan in plans.items()
    }
    # What lies beside a unit is no unit.
    return {name: {file: text for file, text in found if is_unit(file)} for name, found in files.items()}


@functools.cache
def generated(suite: str) -> dict[str, oracle.Result]:
    return oracle.generate_all(suite, planned(suite))


def service_of(unit: str) -> str:
    """The name of the service that Quadlet makes of a unit."""
    base, _dot, kind = unit.rpartition(".")
    return f"{base}.service" if kind == "container" else f"{base}-{kind}.service"


@pytest.mark.parametrize("suite", rootfs.SUITES)
@pytest.mark.parametrize("case", CASES)
def test_generator_and_systemd_take_every_unit_and_say_nothing(suite, case):
    result = generated(suite)[case]
    assert (result.exit_code, result.messages, result.verify) == (0, [], [])
    assert set(result.services) == {service_of(unit) for unit in planned(suite)[case]}


@pytest.mark.parametrize("suite", rootfs.SUITES)
@pytest.mark.parametrize("case", CASES)
def test_every_service_creates_what_its_unit_names(suite, case):
    for unit, text in planned(suite)[case].items():
        settings = dict(commands.lines(text))
        made = commands.creation(generated(suite)[case].services, service_of(unit))
        if unit.endswith(".container"):
            assert made.verb == "run"
            assert made.options["name"] == [settings["ContainerName"]]
            assert made.arguments[0] == settings["Image"]
            assert all(volume.count(":") <= 2 for volume in made.options.get("volume", [])), (
                "source:destination:options"
            )
        else:
            kind = unit.rpartition(".")[2]
            name = commands.expanded(settings[kind.capitalize() + "Name"], service_of(unit))
            assert made.verb == kind + " create"
            assert [*made.options.get("name", []), *made.arguments] == [name]


@pytest.mark.parametrize("suite", rootfs.SUITES)
@pytest.mark.parametrize("case", CASES)
def test_services_refer_to_services_that_are_there(suite, case):
    """systemd ignores an After= or Wants= of a unit that does not exist."""
    services = generated(suite)[case].services
    for text in services.values():
        named = [
            value for key, value in commands.lines(text) if key in ("After", "Before", "BindsTo", "Requires", "Wants")
        ]
        assert {name for name in " ".join(named).split() if name.endswith(".service")} <= set(services)


def folders(run: commands.Command) -> set[str]:
    """The folders of the host that a container mounts."""
    found = {volume.partition(":")[0] for volume in run.options.get("volume", [])}
    for mount in csv.reader(run.options.get("mount", [])):
        fields = dict(field.partition("=")[::2] for field in mount)
        found.add(fields.get("source") or fields.get("src") or "")
    return {path for path in found if path.startswith("/")}


@pytest.mark.parametrize("suite", rootfs.SUITES)
@pytest.mark.parametrize("case", CASES)
def test_a_container_waits_for_the_file_systems_of_its_folders(suite, case):
    for name, text in generated(suite)[case].services.items():
        made = commands.creation({name: text}, name)
        values = [value for key, value in commands.lines(text) if key == "RequiresMountsFor"]
        awaited = {commands.expanded(word, name) for value in values for word in commands.words(value)}
        assert folders(made) <= awaited


@pytest.mark.parametrize("suite", rootfs.SUITES)
@pytest.mark.parametrize("case", EXPECTED)
def test_podman_is_called_with_what_was_set(suite, case):
    expected = EXPECTED[case]
    run = commands.creation(generated(suite)[case].services, "web.service")
    for flag, value in OF_EVERY_CONTAINER.items():
        run.options[flag].remove(value)
    assert {flag: run.options.get(flag, []) for flag in expected.options} == expected.options
    assert run.arguments == [IMAGE, *expected.command]


@pytest.mark.parametrize("suite", rootfs.SUITES)
def test_a_project_becomes_a_pod_that_starts_at_boot(suite):
    result = generated(suite)["a project as a pod"]
    pod = commands.creation(result.services, "blog-pod.service")
    assert pod.options["network"] == ["blog_default"]
    assert pod.options["publish"] == ["8080:80"]
    assert "db:127.0.0.1" in pod.options["add-host"]
    web = commands.creation(result.services, "blog-web-1.service")
    assert "blog_data:/data:suid,dev" in web.options["volume"]
    assert "network" not in web.options
    assert commands.creation(result.services, "blog-db-1.service").options["sdnotify"] == ["healthy"]
    assert result.links == [f"multi-user.target.wants/blog-{name}.service" for name in ("late-1", "pod")]
    wanted = [
        name
        for key, value in commands.lines(result.services["blog-pod.service"])
        if key == "Wants"
        for name in value.split()
    ]
    assert "blog-web-1.service" in wanted
    assert not {"blog-job-1.service", "blog-late-1.service"} & set(wanted)


@pytest.mark.parametrize("suite", rootfs.SUITES)
def test_a_project_on_a_network_has_its_aliases(suite):
    result = generated(suite)["a project on a network"]
    web = commands.creation(result.services, "blog-web-1.service")
    short = identifier("blog-web-1")[:12]
    names = sorted([short, "web", *(f"{name}.blog_default" for name in (short, "web", "blog-web-1"))])
    assert web.options["network"] == ["blog_default:" + ",".join("alias=" + name for name in names)]
    assert web.options["hostname"] == [identifier("blog-web-1")[:12]]
    assert web.options["systemd"] == ["false"]
    assert web.options["publish"] == ["8080:80"]
    starting = [f"multi-user.target.wants/blog-{name}-1.service" for name in ("db", "late", "web")]
    assert result.links == starting


@pytest.mark.parametrize("suite", rootfs.SUITES)
def test_what_is_barred_is_started_by_nothing(suite):
    units = planned(suite)["a project as a pod"]
    result = oracle.generate(suite, {name: quadlet.barred(text) for name, text in units.items()})
    assert (result.exit_code, result.messages, result.verify, result.links) == (0, [], [], [])
    assert set(result.services) == {service_of(unit) for unit in units}
    for text in result.services.values():
        assert ("AssertPathExists", "!/") in commands.lines(text.partition("[Service]")[0])
