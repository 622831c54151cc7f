# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ready means: no worse than it was under Docker."""

from __future__ import annotations

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._common.command import CommandError, Completed
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._network.name_server import Server
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._podman.units import Service
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._workload import readiness
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._workload.readiness import Container, Expected

PORT = {"container": "web", "host_ip": "", "host_port": 8080, "proto": "tcp", "container_port": 80}
EXPECTED = Expected(
    owners={"web": "web.service", "db": "db.service"},
    services=["blog-pod.service", "web.service", "db.service", "blog-network.service"],
    healthy=["db"],
    listening={"web": [{"proto": "tcp", "address": "0.0.0.0", "port": 80}]},
    ports=[PORT],
    networks=["blog"],
)


def states(**changes):
    active = {name: Service(name, active="active", sub="running") for name in EXPECTED.services}
    active.update({name + ".service": state for name, state in changes.items()})
    return active


def sentences(lacks):
    return [(lack.sentence, lack.hopeless) for lack in lacks]


def test_all_services_run():
    assert readiness.service_lacks(EXPECTED, states()) == []


def test_a_service_that_still_starts_is_waited_for():
    found = readiness.service_lacks(EXPECTED, states(web=Service("web.service", active="activating", sub="start")))
    assert sentences(found) == [("web.service is activating (start, result )", False)]


def test_a_failed_network_is_noticed_at_once_although_the_containers_only_wait():
    network = Service("blog-network.service", active="failed", sub="failed", result="exit-code")
    waiting = Service("web.service", active="inactive", sub="dead", job=True)
    found = readiness.service_lacks(EXPECTED, {**states(web=waiting), "blog-network.service": network})
    assert sentences(found) == [("blog-network.service is failed (failed, result exit-code)", True)]


def test_a_pod_that_fails_again_and_again_is_noticed_and_not_its_waiting_members():
    pod = Service("blog-pod.service", active="activating", sub="auto-restart", result="exit-code", restarts=2)
    waiting = Service("web.service", active="inactive", sub="dead", job=True)
    found = readiness.service_lacks(EXPECTED, {**states(web=waiting), "blog-pod.service": pod})
    assert [(lack.service, lack.hopeless) for lack in found] == [("blog-pod.service", True)]


def test_only_what_was_healthy_has_to_be_healthy():
    found = {"web": Container(1, "unhealthy", []), "db": Container(2, "starting", [])}
    assert sentences(readiness.health_lacks(EXPECTED, found)) == [
        ("db is starting, and was healthy under Docker", False)
    ]
    assert readiness.health_lacks(EXPECTED, {"db": Container(2, "healthy", [])}) == []
    assert sentences(readiness.health_lacks(EXPECTED, {})) == [("db is not there, and was healthy under Docker", False)]


def running(since, restarts=0):
    return Service("web.service", active="active", sub="running", restarts=restarts, active_since=since)


SILENT = EXPECTED._replace(listening={})
UP = {"web": Container(1, "", []), "db": Container(2, "healthy", [])}


@pytest.mark.parametrize(
    ("expected", "web", "found", "said"),
    [
        (EXPECTED, running(99.9), UP, []),
        # Its service does not know yet.
        (EXPECTED, running(90), {**UP, "web": Container(0, "", [])}, ["web does not run"]),
        (EXPECTED, running(90), {"db": UP["db"]}, ["web does not run"]),
        (SILENT, running(99.9), UP, ["web does not run for 1.5 s yet"]),
        (SILENT, running(98.4), UP, []),
        (EXPECTED, running(99.9, 3), UP, ["web was started 4 times, and does not run for 1.5 s yet"]),
        (EXPECTED, running(98.4, 3), UP, []),
    ],
    ids=["listens", "just ended", "gone", "just started", "runs for a while", "started again and again", "calmed down"],
)
def test_what_ends_at_once_is_not_ready(expected, web, found, said):
    lacks = readiness.process_lacks(expected, states(web=web), found, 100.0)
    assert sentences(lacks) == [(sentence, False) for sentence in said]


def test_a_check_that_hangs_keeps_nobody_from_the_deadline(monkeypatch):
    """Podman before 5.5 waits for the command of a health check, however long it takes."""
    asked = []

    def hang(argv, check, timeout):
        asked.append(argv[-1])
        assert timeout <= 30
        raise CommandError("podman did not finish within 30 s.")

    monkeypatch.setattr(readiness, "run", hang)
    readiness.nudge_health_checks(["db", "web"])
    assert sorted(asked) == ["db", "web"]


@pytest.mark.parametrize(("health", "is_asked"), [("starting", True), ("unhealthy", True), ("healthy", False)])
def test_what_has_used_up_the_retries_of_its_check_is_asked_again(monkeypatch, health, is_asked):
    """Looking again and again uses them up; the check's own interval may be longer than the deadline."""
    asked = []
    monkeypatch.setattr(readiness, "services", lambda names: states())
    monkeypatch.setattr(
        readiness, "inspect", lambda names: {"db": Container(2, health, []), "web": Container(1, "unhealthy", [])}
    )
    monkeypatch.setattr(readiness, "nudge_health_checks", asked.extend)
    monkeypatch.setattr(readiness, "read_processes", dict)
    monkeypatch.setattr(readiness.port_check, "answering", lambda ports, _pids, _outside: ports)
    readiness.lacks(EXPECTED._replace(listening={}, networks=[]), None)
    assert asked == (["db"] if is_asked else [])


@pytest.mark.parametrize(
    ("before", "now", "same"),
    [
        ("0.0.0.0", "0.0.0.0", True),
        ("0.0.0.0", "::", True),
        ("::", "0.0.0.0", True),
        ("0.0.0.0", "127.0.0.1", False),
        ("0.0.0.0", "172.18.0.2", False),
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "0.0.0.0", True),
        ("127.0.0.1", "172.18.0.2", False),
        ("172.18.0.2", "10.88.0.5", True),
        ("172.18.0.2", "127.0.0.1", False),
    ],
)
def test_where_a_socket_has_to_listen_again(before, now, same):
    expected = EXPECTED._replace(listening={"web": [{"proto": "udp", "address": before, "port": 53}]})
    found = readiness.socket_lacks(expected, {"web": [{"proto": "udp", "address": now, "port": 53}]})
    assert (found == []) is same
    for other in ({"proto": "tcp", "address": now, "port": 53}, {"proto": "udp", "address": now, "port": 54}):
        assert len(readiness.socket_lacks(expected, {"web": [other]})) == 1


def test_a_port_that_no_longer_answers_is_named_with_its_container():
    [lack] = readiness.port_lacks(EXPECTED, [])
    assert lack.sentence == "published port 8080 of web does not answer from outside, as it did under Docker"
    assert lack.service == "web.service"
    assert readiness.port_lacks(EXPECTED, [PORT]) == []


@pytest.fixture
def served(monkeypatch):
    """The first processes of containers that a name server answers; every network has one but "bare"."""
    pids = set()
    servers = {"blog": Server(["10.89.0.1"], "db"), "inner": Server(["10.89.1.1"], "db")}
    monkeypatch.setattr(readiness.name_server, "server", servers.get)
    monkeypatch.setattr(readiness.name_server, "is_served", lambda pid, servers: pid in pids and bool(servers))
    return pids


def test_a_container_that_cannot_ask_for_names_is_hopeless(served):
    """On a host whose firewall closes INPUT (ufw), the services of a workload would not find each other."""
    served.add(2)
    expected = EXPECTED._replace(networks=["blog", "inner"])
    found = {"web": Container(1, "", ["blog", "inner", "podman"]), "db": Container(2, "", ["blog"])}
    [lack] = readiness.name_lacks(expected, found)
    assert lack.sentence.startswith("Podman's name server does not answer web at 10.89.0.1 and 10.89.1.1, UDP port 53")
    assert (lack.service, lack.hopeless) == ("web.service", True)
    served.add(1)
    assert readiness.name_lacks(expected, found) == []


def test_a_container_without_a_network_of_its_own_asks_nobody(served):
    assert readiness.name_lacks(EXPECTED, {"web": Container(1, "", ["podman"])}) == []


def test_a_network_without_a_name_server_is_waited_for(served):
    [lack] = readiness.name_lacks(EXPECTED._replace(networks=["bare"]), {"web": Container(1, "", ["bare"])})
    assert (lack.sentence, lack.hopeless) == ("web has no name server on bare", False)


@pytest.mark.parametrize(("port", "published", "lasting"), [(80, [], True), (40123, [], False), (40123, [40123], True)])
def test_a_port_that_the_kernel_chose_is_not_expected_again(port, published, lasting):
    assert readiness.is_lasting({"proto": "tcp", "address": "0.0.0.0", "port": port}, published) is lasting


def test_a_moment_in_which_the_host_does_not_answer_is_no_verdict(monkeypatch):
    def busy(_names):
        raise CommandError("systemctl failed: Connection timed out")

    monkeypatch.setattr(readiness, "services", busy)
    [lack] = readiness.lacks(EXPECTED, None)
    assert not lack.hopeless


def test_what_podman_prints_when_one_container_is_missing(monkeypatch):
    shown = (
        '[{"Name": "db", "State": {"Pid": 4711, "Health": {"Status": "starting"}},'
        ' "NetworkSettings": {"Networks": {"proxy": {}, "blog": {}}}}, {"Name": "web", "State": {}}]'
    )
    monkeypatch.setattr(readiness, "run", lambda *_argv, **_options: Completed(125, shown, "no such container"))
    assert readiness.inspect(["db", "web", "gone"]) == {
        "db": Container(4711, "starting", ["blog", "proxy"]),
        "web": Container(0, "", []),
    }
    monkeypatch.setattr(readiness, "run", lambda *_argv, **_options: Completed(125, "", "no such container"))
    assert readiness.inspect(["gone"]) == {}
