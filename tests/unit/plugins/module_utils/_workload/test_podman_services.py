# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Before Docker starts again it is proven that Podman runs nothing, and will not; where it cannot be, nothing starts."""

from __future__ import annotations

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._common.command import (
    CommandTimeout,
    Completed,
)
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._common.errors import UserError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._podman import objects, units
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._workload import podman_services

RECORD = {
    "containers": [
        {"name": "db", "service": "db.service", "stop_timeout": 30},
        {"name": "web", "service": "web.service", "stop_timeout": 10},
        {"name": "job", "service": "job.service", "stop_timeout": 5},
    ],
    "layers": [["db"], ["web", "job"]],
    "units": {"db.container": "", "web.container": "", "job.container": "", "blog.network": "", "blog.pod": ""},
    "networks": [{"name": "blog", "podman_bridge": "pm-1", "existed": False}],
    "pod": "blog",
}


class Systemd:
    """``down_after``: how many times the services have to be killed. ``hung``: the commands that never answer."""

    def __init__(self):
        self.said, self.down_after, self.hung, self.jobs = [], 0, set(), set()
        self.given = None

    def run(self, argv, check=True, timeout=None):
        words = " ".join(argv[:2])
        if words != "systemctl show":
            self.said.append(words)
        self.given = timeout if words == "systemctl stop" and timeout else self.given
        if words in self.hung:
            raise CommandTimeout("{0} did not finish".format(words))
        self.down_after -= words == "systemctl kill"
        shown = "Id={0}\nActiveState={1}\nSubState=x\nResult=success\nJob={2}"
        state = "inactive" if self.down_after <= 0 else "deactivating"
        names = [word for word in argv[2:] if word.endswith(".service")]
        return Completed(
            0, "\n\n".join(shown.format(name, state, 7 if name in self.jobs else "") for name in names), ""
        )


@pytest.fixture
def systemd(monkeypatch):
    systemd = Systemd()
    for module in (objects, podman_services, units):
        monkeypatch.setattr(module, "run", systemd.run)
    monkeypatch.setattr(units, "_KILL_PAUSE", 0)
    monkeypatch.setattr(podman_services.cgroups, "processes_in", lambda _units: [])
    monkeypatch.setattr(podman_services.families, "left", list)
    return systemd


def test_what_stops_is_not_killed_and_has_its_time(systemd):
    podman_services.discard(RECORD)
    assert systemd.said == ["systemctl stop", "podman pod", "podman network", "podman network", "ip link", "ip link"]
    # The longest of each layer, and what Podman needs.
    assert systemd.given == 30 + 10 + 20


def test_who_may_take_for_ever_does(systemd):
    endless = {**RECORD, "containers": [{**item, "stop_timeout": -1} for item in RECORD["containers"]]}
    podman_services.stop(endless)
    assert systemd.given >= 86400
    # What is given up has an end.
    podman_services.discard(endless)
    assert systemd.given == 900


def test_what_does_not_stop_is_killed_until_it_is_down(systemd):
    systemd.hung, systemd.down_after = {"systemctl stop"}, 3
    # What waits to be started must not be.
    with pytest.raises(CommandTimeout):
        podman_services.discard(RECORD)
    systemd.hung = set()
    podman_services.discard(RECORD)
    assert systemd.said.count("systemctl kill") == 3
    assert systemd.said[-1] == "ip link"


def test_what_cannot_be_killed_is_said(systemd, monkeypatch):
    monkeypatch.setattr(units, "_KILLING", 0.05)
    systemd.down_after = 10**9
    with pytest.raises(UserError, match=r"systemctl kill did not end all: db\.service is deactivating"):
        podman_services.discard(RECORD)


def test_a_podman_that_hangs_does_not_keep_the_bridge_from_docker(systemd):
    systemd.hung = {"podman pod"}
    podman_services.discard(RECORD)
    assert systemd.said[-1] == "ip link"
    # But its rests are not forgotten.
    with pytest.raises(CommandTimeout):
        podman_services.forget(RECORD)


def test_on_the_way_back_nothing_is_killed(systemd):
    """What Podman has is carried back then: it ends by itself, or stays."""
    systemd.down_after = 1
    with pytest.raises(UserError, match="did not stop all"):
        podman_services.stop(RECORD)
    assert "systemctl kill" not in systemd.said


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ("service", "db.service is deactivating"),
        ("job", "blog-pod.service waits for its turn"),
        ("process", "process 7 of web.service is left"),
        ("stray", r"podman \(process 8\) cannot be ended, and may go on at any moment"),
    ],
)
def test_docker_is_not_started_while_anything_is_left(systemd, monkeypatch, what, sentence):
    podman_services.require_down(RECORD)
    if what == "service":
        systemd.down_after = 1
    if what == "job":
        systemd.jobs = {"blog-pod.service"}
    if what == "process":
        found = {"web.service": [(7, "web.service")]}
        monkeypatch.setattr(
            podman_services.cgroups, "processes_in", lambda names: found["web.service" * ("web.service" in names)]
        )
    if what == "stray":
        monkeypatch.setattr(podman_services.families, "left", lambda: ["podman (process 8)"])
    with pytest.raises(UserError, match=sentence):
        podman_services.require_down(RECORD)


def test_where_systemd_does_not_answer_nothing_is_proven(systemd):
    systemd.hung = {"systemctl show"}
    with pytest.raises(UserError):
        podman_services.require_down(RECORD)


def service(active, result="success", started=0.0, **more):
    return units.Service("", "loaded", "", active, "x", result, started=started, **more)


LATER = 1e9
STARTED = {"db.service": service("active"), "blog-network.service": service("active", started=LATER)}


@pytest.mark.parametrize(
    ("name", "state", "is_up"),
    [
        ("blog-network.service", service("failed", "exit-code", LATER), False),
        # It never had its turn: what it needs has failed.
        ("web.service", service("inactive"), False),
        ("web.service", service("failed", "exit-code", LATER, status=126), False),
        ("web.service", service("failed", "exit-code", LATER, status=1), True),
        ("web.service", service("inactive", started=LATER), True),
        ("web.service", service("activating"), True),
        ("web.service", service("inactive", job=True), True),
    ],
    ids=["network", "dependency", "podman", "its own failure", "its own end", "on its way", "waits for another"],
)
def test_what_is_started_again_has_been_started(monkeypatch, systemd, name, state, is_up):
    states = {key: value._replace(name=key) for key, value in {**STARTED, name: state}.items()}
    monkeypatch.setattr(units, "services", lambda _names: states)
    monkeypatch.setattr(podman_services, "_STARTING", 0.01)
    if is_up:
        podman_services.start_again(RECORD, list(states))
    else:
        with pytest.raises(UserError, match="Podman does not run {0}".format(name)):
            podman_services.start_again(RECORD, list(states))
    assert systemd.said[:2] == ["systemctl reset-failed", "systemctl start"]


def test_a_start_is_watched_until_it_is_over(monkeypatch, systemd):
    looks = [{"web.service": service("inactive", job=True)}, {"web.service": service("active")}]
    monkeypatch.setattr(units, "services", lambda _names: looks.pop(0))
    monkeypatch.setattr(podman_services, "_POLL", 0)
    podman_services.start_again(RECORD, ["web.service"])
    assert looks == []
