# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The minute in which everything can go wrong: in order, and back again from wherever it stops."""

from __future__ import annotations

import time

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._common.errors import UserError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._docker.api import DockerError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._images import commit
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._move import cutover, recovery, result
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._move.cutover import ENABLE
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._move.steps import never
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._move.transaction import RolledBack, Transaction
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._network import addresses
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._state.engine_state import EngineState
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._state.journal import PODMAN, read_journal
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._trees.rsync import TreeStats
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._volumes import rounds
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._volumes.locate import VolumeError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._volumes.rounds import Trees
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._workload import (
    coexistence,
    docker_containers,
    podman_services,
    precheck,
    readiness,
)
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._workload.readiness import Lack
from ansible_collections.podshift.docker_to_podman.tests.unit.plugins.fake_host import (
    BRIDGE,
    PASSWORD,
    Host,
    plan,
)

TREES = [Trees("data", "/from", "/to", None)]


@pytest.fixture
def host(monkeypatch, tmp_path):
    host = Host()
    host.install(monkeypatch, tmp_path / "units")
    return host


@pytest.fixture
def begin(host, tmp_path):
    """A transaction as a new run would see it."""

    def make(settled=False):
        steps = cutover.steps(lambda: precheck.look(workload(), TREES, host, host), host, host, 0.01)
        return Transaction(
            tmp_path / "blog.jsonl",
            "plan-hash",
            PODMAN,
            steps,
            cutover.steps_after(host, tmp_path / "coexist", settled),
        )

    return make


def workload():
    return plan()["workloads"][0]


def whereabouts(host):
    return result.whereabouts(precheck.planned(workload()), host)


def installed(host):
    return {path.name: path.read_text() for path in host.unit_dir.glob("*")}


def asleep():
    return podman_services.asleep(workload()["units"])


def test_everything_happens_in_the_order_of_the_design(host, begin):
    precheck.require_as_planned(workload(), host)
    precheck.require_staged(plan(), workload())
    run = begin()
    run.run(cutover.commit)
    assert host.log == [
        "warm",
        "secret create",
        "daemon-reload",
        "start volumes",
        "firewall",
        "rehearse",
        "policy db no",
        "policy web no",
        "policy job no",
        "stop web",
        "stop db",
        "gate closed",
        "sync",
        "address delete",
        "start",
        "gate open",
        "daemon-reload",
    ]
    assert host.services == ["db.service", "web.service"]
    assert installed(host) == workload()["units"]
    # Podman waits for no disk: once after the secrets, and before the commit.
    assert host.synced == ["/graph", "/graph", "/etc/containers/systemd", coexistence.UNIT_DIR]
    assert [step.name for step in run.ran][-1] == ENABLE


def test_a_secret_gets_its_value_from_docker_and_stands_in_no_journal(host, begin, tmp_path):
    run = begin()
    run.run(cutover.commit)
    assert host.secrets == {"db-PASSWORD": ("--label=podshift.docker_to_podman.container=db-id", PASSWORD)}
    assert PASSWORD not in (tmp_path / "blog.jsonl").read_text()


def test_a_file_that_was_put_into_a_container_becomes_a_secret_byte_for_byte(host, monkeypatch):
    monkeypatch.setattr(host, "read_file", lambda *asked: repr(asked).encode() + b"\xff\r\n\0", raising=False)
    secret = {"name": "web-file-etc_a", "container": "web", "file": "/etc/a", "uid": 0, "gid": 0, "mode": 0o444}
    record = {**precheck.planned(workload()), "graph_root": "/graph", "secrets": [{**secret, "owner": "web-id"}]}
    podman_services.create_secrets(record, host)
    label, value = host.secrets["web-file-etc_a"]
    assert label == "--label=podshift.docker_to_podman.container=web-id"
    assert value == b"('web-id', '/etc/a', 512000)\xff\r\n\0"


def test_a_secret_of_somebody_else_is_neither_replaced_nor_removed(host, begin):
    host.secrets["db-PASSWORD"] = ("--label=other=1", "theirs")
    with pytest.raises(UserError, match="a secret db-PASSWORD that is not Docker's"):
        precheck.require_staged(plan(), workload())
    podman_services.remove_secrets(precheck.planned(workload()))
    assert host.secrets == {"db-PASSWORD": ("--label=other=1", "theirs")}


@pytest.mark.parametrize(
    ("line", "bridges"),
    [
        ("", ["pm-1", "podman0"]),
        ("Network=podman\n", ["pm-1", "podman0"]),
        ("Network=podman:alias=x\n", ["pm-1", "podman0"]),
        ("Network=blog.network\n", ["pm-1"]),
        ("Network=host\n", ["pm-1"]),
        ("Pod=blog.pod\n", ["pm-1"]),
    ],
)
def test_which_bridges_have_to_pass_dockers_firewall(line, bridges):
    item = workload()
    item["units"] = {"web.container": "[Container]\n" + line}
    assert precheck.bridges(item) == bridges


def test_the_second_time_nothing_is_left_to_do(host, begin):
    run = begin()
    run.run(cutover.commit)
    host.log.clear()
    run = begin(settled=True)
    assert run.pending({}) == []
    run.run(cutover.commit)
    assert host.log == []


@pytest.mark.parametrize("fails", [False, True])
def test_images_of_containers_are_made_when_nobody_writes_any_more(host, begin, monkeypatch, fails):
    monkeypatch.setattr(commit, "make", lambda _record: host.event("make images"))
    host.broken = {"make images"} if fails else set()
    if fails:
        with pytest.raises(RolledBack, match="make images failed"):
            begin().run(cutover.commit)
        assert all(item["State"]["Running"] for name, item in host.docker.items() if name != "job-id")
        return
    begin().run(cutover.commit)
    at = host.log.index("make images")
    assert {"stop db", "stop web", "sync"} <= set(host.log[:at])
    assert "start" in host.log[at:]


REMOVED = ["stop volumes", "daemon-reload", "reset-failed", "secret rm"]
POLICIES = ["policy db always", "policy web always", "policy job always", "firewall", *REMOVED]
STARTS = ["start db", "start web", *POLICIES]
FAILURES = [
    ("policy web no", POLICIES),
    ("stop db", ["stop db", "start web", *POLICIES]),
    ("sync", ["gate open", *STARTS]),
    ("address delete", ["address replace", "gate open", *STARTS]),
    ("firewall", REMOVED),
    # It is tried in another way first, which old kernels know.
    ("gate closed", ["gate closed", *STARTS]),
    ("start", ["stop", "link delete", "address replace", "gate open", *STARTS]),
]


@pytest.mark.parametrize(("failing", "back"), FAILURES)
def test_what_fails_on_the_way_ends_on_docker_as_it_was(host, begin, failing, back):
    before = host.state(host.unit_dir)
    host.broken = {failing}
    run = begin()
    with pytest.raises(RolledBack, match=failing + " failed.") as error:
        run.run(cutover.commit)
    assert error.value.failures == []
    assert host.state(host.unit_dir) == before
    assert host.log[host.log.index(failing) + 1 :] == back
    host.broken = set()
    run = begin()
    run.run(cutover.commit)
    assert host.services == ["db.service", "web.service"]


def test_what_does_not_get_ready_ends_on_docker_and_says_why_without_secrets(host, begin):
    before = host.state(host.unit_dir)
    host.lacks = [Lack("db is unhealthy, and was healthy under Docker", "db.service")]
    run = begin()
    with pytest.raises(RolledBack) as error:
        run.run(cutover.commit)
    assert host.state(host.unit_dir) == before
    assert "was not ready within 0.01 s on Podman: db is unhealthy" in str(error.value)
    assert "The last lines of db.service:\ncannot connect with ********" in str(error.value)
    assert PASSWORD not in str(error.value)
    assert whereabouts(host) == "Docker runs db, web, Podman runs none."


def test_what_docker_could_not_keep_running_need_not_run_on_podman(host, begin, monkeypatch):
    host.docker["web-id"]["State"]["Restarting"] = True
    seen = []
    monkeypatch.setattr(readiness, "lacks", lambda expected, _outside: seen.append(expected) or [])
    run = begin()
    run.run(cutover.commit)
    [expected] = seen
    assert expected.owners == {"db": "db.service"}
    assert "web.service" not in expected.services
    assert expected.healthy == ["db"]
    assert "web.service" in host.services


def test_a_volume_that_differs_after_the_copy_stops_it(host, begin):
    host.differences = [">f.st...... base/1/2"]
    run = begin()
    with pytest.raises(RolledBack, match="Volume data differs"):
        run.run(cutover.commit)
    assert "start" not in host.log


def test_senders_of_datagrams_are_heard_when_docker_has_started_again(host, tmp_path):
    item = workload()
    item["ports"] = [{"container": "web", "host_ip": "", "host_port": 5353, "proto": "udp", "container_port": 53}]
    steps = cutover.steps(lambda: precheck.look(item, TREES, host, host), host, host, 0.01)
    host.lacks = [Lack("web.service is failed", "web.service", True)]
    with pytest.raises(RolledBack):
        Transaction(tmp_path / "blog.jsonl", "plan-hash", PODMAN, steps).run(cutover.commit)
    forgotten = [number for number, event in enumerate(host.log) if event == "forget 5353"]
    assert len(forgotten) > 1
    assert host.log.index("start web") < forgotten[0]


def test_what_docker_started_again_meanwhile_does_not_stay_beside_podman(host, begin, monkeypatch):
    """A unit of the host that runs docker start, for example."""
    before = host.state(host.unit_dir)
    monkeypatch.setattr(
        readiness, "lacks", lambda *_expected: host.docker["web-id"]["State"].update(Running=True) or []
    )
    with pytest.raises(RolledBack, match="Docker runs web; never both engines at once"):
        begin().run(cutover.commit)
    assert host.state(host.unit_dir) == before


def test_what_runs_in_docker_again_is_not_stopped_for_one_that_does_not_start(host, begin, tmp_path):
    host.broken = {"start web"}
    host.lacks = [Lack("web.service is failed", "web.service", True)]
    run = begin()
    with pytest.raises(RolledBack):
        run.run(cutover.commit)
    host.log.clear()
    assert run.undo("again")
    assert "stop db" not in host.log
    assert host.docker["db-id"]["State"]["Running"]


def test_docker_is_not_started_while_podman_still_runs(host, begin):
    host.broken = {"stop"}
    host.lacks = [Lack("web.service is failed", "web.service", True)]
    run = begin()
    with pytest.raises(RolledBack) as error:
        run.run(cutover.commit)
    assert [failure.split(":")[0] for failure in error.value.failures] == [
        "start_podman",
        "close_ports",
        "stop_docker",
        "hold_restarts",
        "install_units",
    ]
    assert "Podman still runs the workload: db.service is active" in error.value.failures[3]
    # Nobody writes into what is about to go, and systemd still knows how to stop it.
    assert error.value.failures[1].startswith("close_ports: Podman still runs the workload: db.service is active")
    assert host.gate
    assert (host.unit_dir / "db.container").exists()
    assert whereabouts(host) == "Docker runs none, Podman runs db, web."
    host.broken, host.lacks = set(), []
    run = begin()
    assert run.undo("again") == []
    assert whereabouts(host) == "Docker runs db, web, Podman runs none."


def test_podman_does_not_start_what_somebody_has_started_in_docker_meanwhile(host, begin, monkeypatch):
    before = host.state(host.unit_dir)

    def start_in_docker(_record):
        host.docker["db-id"]["State"]["Running"] = True

    monkeypatch.setattr(addresses, "free", start_in_docker)
    with pytest.raises(RolledBack, match="Docker runs db"):
        begin().run(cutover.commit)
    assert "start" not in host.log
    assert host.state(host.unit_dir) == before


class PowerCut(BaseException):
    """Ends everything at once."""


def cut(_notes):
    raise PowerCut


def engine(tmp_path):
    """The records of which the journal of this module's transactions is a part."""
    state = EngineState(tmp_path)
    (tmp_path / "journal").mkdir(exist_ok=True)
    if (tmp_path / "blog.jsonl").exists():
        (tmp_path / "blog.jsonl").rename(state.journal_path("blog"))
    return state


def require_undone(host, run, tmp_path, step):
    """Cut off at that step, it is undone without the plan."""
    before = host.state(host.unit_dir)
    run._before[step] = run._before[step]._replace(do=cut)
    with pytest.raises(PowerCut):
        run.run(cutover.commit)
    assert recovery.recover(engine(tmp_path), host) == (["blog"], {})
    assert host.state(host.unit_dir) == before


@pytest.mark.parametrize("step", range(15))
def test_an_interrupted_run_is_undone_without_the_plan(host, begin, tmp_path, step):
    require_undone(host, begin(), tmp_path, step)
    assert recovery.recover(engine(tmp_path), host) == ([], {})


@pytest.mark.parametrize("step", range(3))
def test_a_run_that_ended_after_the_commit_is_finished_without_the_plan(host, begin, tmp_path, step):
    run = begin()
    run._after[step] = run._after[step]._replace(do=cut, done=never)
    with pytest.raises(PowerCut):
        run.run(cutover.commit)
    # What is not on the disk is gone after a boot.
    host.services, host.gate = [], ""
    assert recovery.recover(engine(tmp_path), host) == (["blog"], {})
    assert installed(host) == workload()["units"]
    assert host.services == ["db.service", "web.service"]
    assert recovery.recover(engine(tmp_path), host) == ([], {})


def test_what_cannot_be_finished_is_said_and_tried_again(host, begin, tmp_path):
    run = begin()
    run._after[-1] = run._after[-1]._replace(do=cut)
    with pytest.raises(PowerCut):
        run.run(cutover.commit)
    host.broken = {"daemon-reload"}
    found, broken = recovery.recover(engine(tmp_path), host)
    assert found == ["blog"]
    assert "blog moved to Podman, but was not completed: daemon-reload failed" in broken["blog"]["reason"]
    host.broken = set()
    assert recovery.recover(engine(tmp_path), host) == (["blog"], {})


def test_in_a_settled_workload_missing_units_come_back_and_changed_ones_are_the_administrators(host, begin):
    run = begin()
    run.run(cutover.commit)
    (host.unit_dir / "web.container").write_text("[Container]\nImage=mine\n")
    (host.unit_dir / "db.container").unlink()
    (host.unit_dir / "blog.network").write_text(asleep()["blog.network"])
    host.log.clear()
    host.services = []
    run = begin(settled=True)
    assert run.pending({}) == [ENABLE]
    run.run(cutover.commit)
    assert host.log == ["daemon-reload"]
    assert installed(host) == {**workload()["units"], "web.container": "[Container]\nImage=mine\n"}


def test_a_unit_of_somebody_else_is_not_overwritten(host, begin):
    host.unit_dir.mkdir()
    (host.unit_dir / "web.container").write_text("[Container]\nImage=theirs\n")
    with pytest.raises(UserError, match=r"web\.container exists and is not of this plan"):
        precheck.require_staged(plan(), workload())
    assert installed(host) == {"web.container": "[Container]\nImage=theirs\n"}
    assert host.log == []


@pytest.mark.parametrize("kind", ["image", "volume"])
def test_what_was_not_staged_stops_before_anything_is_touched(host, begin, kind):
    host.missing = kind
    with pytest.raises(UserError, match="Podman has no {0} .*; run the role stage first".format(kind)):
        precheck.require_staged(plan(), workload())
    assert host.log == []


def test_an_adopted_volume_is_none_of_podmans_and_has_to_be_staged(host, tmp_path):
    source, place = tmp_path / "docker/volumes/data/_data", tmp_path / "docker_adopted"
    source.mkdir(parents=True)
    volume = {
        "name": "data",
        "docker_name": "data",
        "strategy": "adopt",
        "source": str(source),
        "place": str(place / "data"),
    }
    made, item = {**plan(), "engine": {"data_root": str(tmp_path / "docker")}}, {**workload(), "volumes": [volume]}
    host.missing = "volume"
    with pytest.raises(VolumeError, match="Volume data is not staged; run the role stage first. Nothing was changed"):
        precheck.require_staged(made, item)
    place.mkdir()
    (place / "data").symlink_to(source)
    precheck.require_staged(made, item)
    assert host.log == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda host: host.docker.pop("web-id"), "web is not the container it was"),
        (lambda host: host.docker["web-id"]["State"].update(Running=False), "web does not run now"),
        (lambda host: host.docker["job-id"]["State"].update(Running=True), "job runs now"),
        (lambda host: host.docker["web-id"]["State"].update(Paused=True), "web is paused now"),
        (lambda host: host.docker["web-id"].update(Name="/www"), "web has another name now"),
        (
            lambda host: host.docker["web-id"]["HostConfig"].update(
                RestartPolicy={"Name": "on-failure", "MaximumRetryCount": 3}
            ),
            "web has the restart policy on-failure:3 now",
        ),
        (
            lambda host: host.bridge_ports.update({BRIDGE: ["eth0"]}),
            "has more on it than .*: eth0. It is the host's own",
        ),
        (lambda host: host.addresses[BRIDGE].append("192.0.2.7/24"), "has more on it than .*, 192.0.2.7/24. It is the"),
        (lambda host: host.docker.update(new={**host.docker["web-id"], "Mounts": []}), "new joined network blog"),
    ],
)
def test_an_outdated_plan_stops_before_anything_is_touched(host, change, message):
    change(host)
    with pytest.raises(UserError, match=message):
        precheck.require_as_planned(workload(), host)
    assert host.log == []


def test_the_journal_holds_what_the_undo_needs_and_no_secret(host, begin, tmp_path):
    run = begin()
    run.run(cutover.commit)
    assert PASSWORD not in (tmp_path / "blog.jsonl").read_text()
    record = next(event["data"] for event in read_journal(tmp_path / "blog.jsonl") if event["event"] == "done")
    assert record["containers"][0]["policy"] == {"Name": "always", "MaximumRetryCount": 0}
    assert record["networks"][0]["addresses"] == [{"local": "172.18.0.1/16", "broadcast": ""}]
    assert record["networks"][0]["bridge"] == BRIDGE


@pytest.fixture
def slow_docker(host, monkeypatch):
    """The processes of a container have ended while Docker still takes down what it had."""
    stop = host.stop

    def slowly(item, timeout):
        time.sleep(0.05)
        host.event("taken down " + item[:-3])
        stop(item, timeout)

    monkeypatch.setattr(host, "stop", slowly)
    monkeypatch.setattr(docker_containers, "is_deserted", lambda _events: True)
    monkeypatch.setattr(rounds, "final", lambda _trees: host.event("sync") or TreeStats(1, 10, 0.1, 1))


def test_volumes_are_brought_up_to_date_while_docker_still_takes_down_what_the_containers_had(host, begin, slow_docker):
    begin().run(cutover.commit)
    log = host.log
    assert log.index("gate closed") < log.index("sync") < log.index("stop db") < log.index("address delete")
    assert log.index("stop web") < log.index("start")


def test_what_fails_meanwhile_is_started_again_when_docker_is_through(host, begin, slow_docker):
    before = host.state(host.unit_dir)
    host.broken = {"sync"}
    with pytest.raises(RolledBack, match="sync failed") as error:
        begin().run(cutover.commit)
    assert error.value.failures == []
    assert host.log.index("taken down db") > host.log.index("sync")
    assert host.state(host.unit_dir) == before


@pytest.mark.parametrize("step", range(9, 15))
def test_who_finds_it_cut_off_waits_for_docker_too(host, begin, slow_docker, tmp_path, step):
    require_undone(host, begin(), tmp_path, step)


def test_what_somebody_starts_meanwhile_is_not_copied_while_it_writes(host, begin, monkeypatch):
    """A job of the workload that did not run: started by a timer, and over before the move is."""
    before = host.state(host.unit_dir)
    warm = host.warm

    def start_job(trees):
        host.docker["job-id"]["State"]["Running"] = True
        return warm(trees)

    monkeypatch.setattr(rounds, "warm", start_job)
    with pytest.raises(RolledBack, match="Docker runs job"):
        begin().run(cutover.commit)
    assert "sync" not in host.log
    host.docker["job-id"]["State"]["Running"] = False
    assert host.state(host.unit_dir) == before


@pytest.mark.parametrize("moment", [(addresses, "free"), (readiness, "lacks")])
def test_what_somebody_ran_in_docker_after_the_copy_is_not_left_behind(host, begin, monkeypatch, moment):
    """The same job, which has written into Docker's volume and is over before anybody looks."""
    before = host.state(host.unit_dir)
    goes_on = getattr(*moment)

    def run_job(*data):
        host.docker["job-id"]["State"]["StartedAt"] = "now"
        return goes_on(*data)

    monkeypatch.setattr(*moment, run_job)
    with pytest.raises(RolledBack, match="Somebody started job in Docker after the data was copied"):
        begin().run(cutover.commit)
    assert host.state(host.unit_dir) == before


def test_a_stop_that_is_refused_the_second_time_keeps_no_other_from_being_awaited(
    host, begin, slow_docker, monkeypatch
):
    before = host.state(host.unit_dir)
    host.broken = {"sync"}
    stop, asked = host.stop, []

    def refuses(item, timeout):
        asked.append(item)
        if asked.count(item) > 1:
            raise DockerError("did not receive an exit event")
        stop(item, timeout)

    monkeypatch.setattr(host, "stop", refuses)
    with pytest.raises(RolledBack, match="sync failed") as error:
        begin().run(cutover.commit)
    assert error.value.failures == []
    # Those that nobody waits for come to their end all the same.
    time.sleep(0.2)
    assert host.state(host.unit_dir) == before


def test_a_docker_that_does_not_stop_them_keeps_them(host, begin, slow_docker):
    before = host.state(host.unit_dir)
    host.broken = {"stop db"}
    with pytest.raises(RolledBack, match="stop db failed"):
        begin().run(cutover.commit)
    assert "start" not in host.log
    host.broken = set()
    assert host.state(host.unit_dir) == before
