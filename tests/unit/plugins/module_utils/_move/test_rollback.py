# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Weeks later: the way back to Docker, with what Podman wrote since, and forward again when it fails."""

from __future__ import annotations

import copy

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._common import disk_space
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._docker.api import DockerError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._move import (
    cutover,
    directions,
    recovery,
    rollback,
)
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._move import result as outcome
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._move import run as moves
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._move.steps import never
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._move.transaction import RolledBack, Transaction
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._state import journal
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._state.engine_state import EngineState
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._state.records import StateError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._volumes import rounds
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._volumes.locate import trees as volumes_of
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._volumes.rounds import Trees
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._workload import precheck, wait_docker
from ansible_collections.podshift.docker_to_podman.tests.unit.plugins.fake_host import BRIDGE, Host, plan
from ansible_collections.podshift.docker_to_podman.tests.unit.plugins.fake_podman import FakePodman

COPIED = Trees("data", "/docker/data", "/podman/data", None)


class PowerCut(BaseException):
    """Ends everything at once."""


@pytest.fixture
def engine(tmp_path):
    return EngineState(tmp_path / "engine-id")


@pytest.fixture
def host(monkeypatch, tmp_path, engine):
    """A host on which Podman owns the blog; ``docker_before`` is what it was before that."""
    host = Host()
    host.install(monkeypatch, tmp_path / "units")
    host.docker_before = host.state(host.unit_dir)
    move(engine, host)
    host.log.clear()
    return host


def move(engine, host, trees=(COPIED,)):
    item = plan()["workloads"][0]
    steps = cutover.steps(lambda: precheck.look(item, trees, host, host), host, host, 0.01)
    path = engine.journal_path("blog")
    Transaction(path, "plan-hash", "podman", steps, cutover.steps_after(host, engine.coexist_path, False)).run(
        cutover.commit
    )


@pytest.fixture
def begin(host, engine):
    def make(data="current"):
        item = directions.Host(engine, host, host, 0.01, "plan-hash")
        found = directions.return_of(item, "blog", data)
        return Transaction(engine.journal_path("blog"), "plan-hash", found.goal, found.before, found.after)

    return make


@pytest.fixture
def copies(host, monkeypatch):
    """What is copied where, in order, with the folder for what is kept as ``kept``."""
    done = []

    def note(kind):
        real = getattr(host, "warm" if kind == "warm" else "sync")

        def copy_(trees):
            ends = [end.split("/kept/")[-1] if "/kept/" in end else end for end in (trees.source, trees.destination)]
            done.append(
                (kind, ends[0], "kept/" + ends[1].split("/", 1)[1] if "/kept/" in trees.destination else ends[1])
            )
            return real(trees)

        return copy_

    monkeypatch.setattr(rounds, "warm", note("warm"))
    monkeypatch.setattr(rounds, "final", note("final"))
    return done


def test_everything_is_as_it_was_and_podmans_data_is_dockers(host, begin, copies, engine):
    begin().run(rollback.commit)
    assert host.state(host.unit_dir) == host.docker_before
    assert copies == [
        ("final", "/docker/data", "kept/docker/data"),
        ("warm", "/podman/data", "/docker/data"),
        ("final", "/podman/data", "/docker/data"),
    ]
    assert journal.owner(engine.journal("blog")) == "docker"
    assert engine.committed() == {}
    host.log.clear()
    begin().run(rollback.commit)
    assert host.log == []


def test_dockers_own_data_is_taken_again_and_podmans_is_kept(host, begin, copies):
    begin("original").run(rollback.commit)
    assert host.state(host.unit_dir) == host.docker_before
    assert copies == [
        ("warm", "/podman/data", "kept/podman/data"),
        ("final", "/podman/data", "kept/podman/data"),
    ]


def test_there_and_back_and_there_again(host, begin, engine):
    on_podman = host.state(host.unit_dir)
    for _time in range(2):
        begin().run(rollback.commit)
        assert host.state(host.unit_dir) == host.docker_before
        move(engine, host)
        assert host.state(host.unit_dir) == on_podman


def test_what_was_made_of_a_containers_own_files_is_kept_and_goes_nowhere_in_docker(host, begin, copies, monkeypatch):
    made = Trees("web_srv", "web-id:/srv", "/podman/web_srv", None, layers=("/docker/upper",))
    monkeypatch.setattr(rollback, "trees", lambda _record: [COPIED, made])
    begin().run(rollback.commit)
    assert copies == [
        ("final", "/docker/data", "kept/docker/data"),
        ("warm", "/podman/web_srv", "kept/podman/web_srv"),
        ("warm", "/podman/data", "/docker/data"),
        ("final", "/podman/data", "/docker/data"),
        ("final", "/podman/web_srv", "kept/podman/web_srv"),
    ]


@pytest.mark.parametrize("data", ["current", "original"])
def test_of_an_adopted_volume_nothing_is_carried_or_kept(begin, copies, engine, host, monkeypatch, tmp_path, data):
    begin().run(rollback.commit)
    FakePodman(tmp_path / "podman").install(monkeypatch)
    volume = {"name": "data", "source": "/docker/data", "strategy": "adopt", "driver_opts": {}}
    move(engine, host, volumes_of({}, engine, {"volumes": [volume]}))
    copies.clear()
    begin(data).run(rollback.commit)
    assert host.state(host.unit_dir) == host.docker_before
    assert copies == []


FAILING = ["daemon-reload", "stop", "sync", "firewall", "address replace", "gate closed", "start db"]


@pytest.mark.parametrize("failing", FAILING)
def test_what_fails_on_the_way_back_ends_on_podman_as_it_was(host, begin, failing):
    before = host.state(host.unit_dir)
    host.broken = {failing}
    with pytest.raises(RolledBack) as error:
        begin().run(rollback.commit)
    host.broken = set()
    if error.value.failures:
        # It failed in the undo, too, and was repaired.
        assert begin().undo("again") == []
    assert host.state(host.unit_dir) == before


@pytest.mark.parametrize("step", range(11))
def test_after_a_power_cut_on_the_way_back_it_is_podmans_again(host, begin, engine, step):
    before = host.state(host.unit_dir)

    def cut(_notes):
        raise PowerCut

    run = begin()
    run._before[step] = run._before[step]._replace(do=cut, done=never)
    with pytest.raises(PowerCut):
        run.run(rollback.commit)
    assert recovery.recover(engine, host) == (["blog"], {})
    assert host.state(host.unit_dir) == before
    assert engine.committed() == {"blog": ["db-id", "web-id", "job-id"]}


def test_a_docker_that_came_while_the_way_back_was_undone_loses_the_addresses_again(host, begin, engine, monkeypatch):
    before = host.state(host.unit_dir)

    def cut(_notes):
        raise PowerCut

    run = begin()
    run._before[6] = run._before[6]._replace(do=cut)
    with pytest.raises(PowerCut):
        run.run(rollback.commit)
    with monkeypatch.context() as gone:
        gone.setattr(host, "inspect", lambda _item: host.event("inspect", DockerError))
        host.broken = {"inspect"}
        assert "inspect failed" in recovery.recover(engine, host)[1]["blog"]["reason"]
    host.broken, host.addresses[BRIDGE] = set(), ["172.18.0.1/16"]
    assert recovery.recover(engine, host) == (["blog"], {})
    assert host.state(host.unit_dir) == before


@pytest.mark.parametrize("step", range(5))
def test_after_a_power_cut_behind_the_commit_it_is_dockers(host, begin, engine, step):
    def cut(_notes):
        raise PowerCut

    run = begin()
    run._after[step] = run._after[step]._replace(do=cut, done=never)
    with pytest.raises(PowerCut):
        run.run(rollback.commit)
    host.gate = ""
    for document in host.docker.values():
        document["State"]["Running"] = False
    assert recovery.recover(engine, host) == (["blog"], {})
    assert host.state(host.unit_dir) == host.docker_before
    assert recovery.recover(engine, host) == ([], {})


def test_the_administrators_units_survive_a_way_back_that_fails(host, begin):
    (host.unit_dir / "web.container").write_text("[Container]\nImage=mine\n")
    before = host.state(host.unit_dir)
    host.broken = {"start db"}
    with pytest.raises(RolledBack):
        begin().run(rollback.commit)
    assert host.state(host.unit_dir) == before


def test_without_its_containers_there_is_no_way_back_and_nothing_is_touched(host, engine):
    del host.docker["web-id"]
    item = directions.return_of(directions.Host(engine, host, host, 0.01, "plan-hash"), "blog", "current")
    result = moves.one(directions.Host(engine, host, host, 0.01, "plan-hash"), item, False)
    assert (result["state"], host.log) == ("refused", [])
    assert "Docker has the container web no more" in result["reason"]


def test_what_somebody_has_started_in_docker_meanwhile_is_not_written_into(host, engine, begin, copies):
    host.docker["db-id"]["State"]["Running"] = True
    run = directions.Host(engine, host, host, 0.01, "plan-hash")
    result = moves.one(run, directions.return_of(run, "blog", "current"), False)
    assert (result["state"], copies, host.log) == ("refused", [], [])
    assert "Docker runs db, although Podman has the data" in result["reason"]
    # It may also begin between that look and the copying.
    before = host.services
    with pytest.raises(RolledBack, match="Docker runs db"):
        begin().run(rollback.commit)
    assert host.services == before
    assert all("/docker/data" not in copy_[2:] for copy_ in copies)


def extent(taken):
    return rollback.Extent(taken, taken, 10)


@pytest.mark.parametrize(
    ("data", "free", "said"),
    [
        ("current", 2_000_000, ""),
        ("current", 800_000, "needs 1 MB"),
        ("original", 2_000_000, "needs 3 MB"),
        ("original", 4_000_000, ""),
    ],
)
def test_without_room_for_what_is_kept_nothing_is_touched(host, engine, monkeypatch, tmp_path, data, free, said):
    taken = {True: 3_000_000, False: 1_000_000}
    monkeypatch.setattr(rollback, "measure", lambda source: extent(taken["podman" in source.folder]))
    # Docker's volumes have a disk of their own, with room for what has grown.
    monkeypatch.setattr(
        rollback.disk_space,
        "place",
        lambda folder, need: disk_space.Place(folder, need, free if "kept" in folder else 10**9, int("kept" in folder)),
    )
    run = directions.Host(engine, host, host, 0.01, "plan-hash")
    result = moves.one(run, directions.return_of(run, "blog", data), False)
    assert (result["state"], host.log == []) == (("committed", False) if not said else ("refused", True))
    assert said in result["reason"]


def test_a_workload_that_never_moved_is_named(host, engine):
    with pytest.raises(StateError, match="No workload shop was ever moved"):
        directions.returns(
            {}, directions.Host(engine, host, host, 0.01, ""), {"workloads": ["shop"], "data": "current"}
        )


def test_what_was_healthy_when_it_left_has_to_be_healthy_again(host):
    record = precheck.look(plan()["workloads"][0], [], host, host)
    assert "db does not run" in wait_docker.lacks(record, host, host)
    for name in ("db-id", "web-id"):
        host.docker[name]["State"]["Running"] = True
    record = precheck.look(plan()["workloads"][0], [], host, host)
    assert wait_docker.lacks(record, host, host) == []
    host.docker["db-id"]["State"]["Health"] = {"Status": "starting"}
    assert wait_docker.lacks(record, host, host) == ["db is starting, and was healthy"]
    assert outcome.whereabouts(record, host) == "Docker runs db, web, Podman runs db, web."
    ports = copy.copy(record["answered"])
    host.docker["db-id"]["State"]["Health"] = {"Status": "healthy"}

    class Deaf:
        def answering(self, _ports):
            return []

    assert ports
    assert "published port 8080 of web does not answer" in wait_docker.lacks(record, Deaf(), host)[0]


def test_dockers_own_data_is_refused_once_an_earlier_way_back_has_written_into_it(host, engine, begin):
    host.broken = {"start db"}
    with pytest.raises(RolledBack):
        begin().run(rollback.commit)
    host.broken = set()
    run = directions.Host(engine, host, host, 0.01, "plan-hash")
    refused = moves.one(run, directions.return_of(run, "blog", "original"), False)
    assert refused["state"] == "refused"
    assert "What they held before is in {0}".format(engine.root / "kept" / "blog-") in refused["reason"]
    assert moves.one(run, directions.return_of(run, "blog", "current"), False)["state"] == "committed"


def test_dockers_own_data_can_be_wanted_again_after_a_way_back_that_never_wrote_into_it(host, engine):
    host.broken = {"start db"}
    run = directions.Host(engine, host, host, 0.01, "plan-hash")
    assert moves.one(run, directions.return_of(run, "blog", "original"), False)["state"] == "rolled_back"
    host.broken = set()
    assert moves.one(run, directions.return_of(run, "blog", "original"), False)["state"] == "committed"


def test_what_podman_started_again_meanwhile_does_not_stay_beside_docker(host, begin, monkeypatch):
    monkeypatch.setattr(wait_docker, "lacks", lambda *_record: host.services.append("web.service") or [])
    with pytest.raises(RolledBack, match="Podman still runs the workload: web.service is active"):
        begin().run(rollback.commit)


def test_what_a_timer_starts_in_podman_after_the_copy_does_not_run(host, begin, monkeypatch):
    """It would write into what nobody carries back any more, also when it is over again before anybody looks."""
    start, refused = ["systemctl", "start", "job.service"], []

    def lacks(*_record):
        refused.append(host.run(start, check=False).rc != 0)
        return []

    monkeypatch.setattr(wait_docker, "lacks", lacks)
    begin().run(rollback.commit)
    assert refused == [True]
    assert host.state(host.unit_dir) == host.docker_before


def test_podman_is_not_started_again_while_docker_runs_any_of_it(host, begin, engine, monkeypatch):
    monkeypatch.setattr(wait_docker, "lacks", lambda *_record: ["db is unhealthy, and was healthy"])
    host.broken = {"stop web"}
    with pytest.raises(RolledBack) as error:
        begin().run(rollback.commit)
    assert "bar_units: Docker runs db, web; never both engines at once." in error.value.failures
    assert host.services == []
    host.broken = set()
    assert recovery.recover(engine, host) == (["blog"], {})
    assert (host.services, host.docker_runs()) == (["db.service", "web.service"], False)


def test_what_the_administrator_stopped_on_podman_stays_so_after_a_way_back_that_fails(host, begin):
    host.services = ["db.service"]
    host.broken = {"start db"}
    with pytest.raises(RolledBack):
        begin().run(rollback.commit)
    assert host.services == ["db.service"]


def test_services_that_an_undo_has_only_just_started_belong_to_the_way_back(host, begin, monkeypatch):
    """Killed on its way back, a workload is started again by systemd; the next way back must not take that for stopped."""
    show = host._show
    monkeypatch.setattr(host, "_show", lambda name: show(name).replace("ActiveState=active", "ActiveState=activating"))
    services = list(host.services)
    host.broken = {"start db"}
    with pytest.raises(RolledBack):
        begin().run(rollback.commit)
    assert host.services == services
