# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Workloads move one after the other; what fails stays on Docker, what has moved is left alone."""

from __future__ import annotations

import signal
import time

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._common import signals
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._common.errors import UserError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._docker.api import DockerError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._move import (
    cutover,
    directions,
    recovery,
    transaction,
)
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._move import run as moves
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._state.journal import (
    append_journal,
    attempts,
    notes,
    read_journal,
)
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._state.records import StateError, write_json
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._volumes import rounds
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._workload import (
    docker_containers,
    podman_services,
    precheck,
    readiness,
    wait_docker,
)
from ansible_collections.podshift.docker_to_podman.tests.unit.plugins.fake_host import (
    BRIDGE,
    GREETING,
    PASSWORD,
    Host,
    engine_state,
    full_disk,
    plan,
)


@pytest.fixture
def engine(tmp_path):
    state = engine_state(tmp_path)
    write_json(state.plan_path, plan())
    return state


@pytest.fixture
def host(monkeypatch, tmp_path):
    class Outside:
        def __enter__(self):
            host.event("probe")

        def __exit__(self, *_exception):
            pass

        def answering(self, ports):
            return ports

    host = Host()
    host.install(monkeypatch, tmp_path / "units")
    monkeypatch.setattr(moves, "Docker", lambda _socket: host)
    monkeypatch.setattr(moves, "Outside", Outside)
    monkeypatch.setattr(moves.guard, "install", lambda _state_dir: host.event("helper"))
    monkeypatch.setattr(moves.guard, "remove", lambda _state_dir: None)
    monkeypatch.setattr(moves.guard, "calm", lambda _state_dir: None)
    monkeypatch.setattr(moves.guard, "coexist", lambda _engine: host.event("coexist"))
    return host


@pytest.fixture
def move(engine):
    def run(check=False, workloads=(), to="podman", data="current", parallel=1, timeouts=(), timeout=0.01):
        params = {
            "plan_path": str(engine.plan_path),
            "state_dir": str(engine.root.parent),
            "socket": "/run/docker.sock",
            "workloads": list(workloads),
            "ready_timeout": timeout,
            "ready_timeouts": dict(timeouts),
            "engine": to,
            "data": data,
            "parallel": parallel,
        }
        return moves.move(params, check)

    return run


def test_it_moves_once(host, engine, move):
    result = move()
    [blog] = result["workloads"]
    assert (result["changed"], blog["state"], blog["reason"]) == (True, "committed", "")
    assert blog["downtime"] >= 0
    assert blog["steps"][:2] == ["record", "warm_volumes"]
    assert engine.committed() == {"blog": ["db-id", "web-id", "job-id"]}
    host.log.clear()
    again = move()
    assert not again["changed"]
    assert again["workloads"][0]["state"] == "committed"
    # An upgrade of the distribution may have taken from the services what they run.
    assert (again["workloads"][0]["steps"], again["diff"], host.log) == ([], [], ["helper"])


def test_it_says_what_is_left_on_docker(host, engine, move):
    documents = [{"Id": "web-id", "Name": "/web"}, {"Id": "other-id", "Name": "/excluded"}]
    write_json(engine.inventory_path, {"format": 1, "containers": documents})
    assert move(check=True)["left_on_docker"] == ["excluded"]
    host.lacks = [readiness.Lack("web.service is failed", "web.service", True)]
    assert move()["left_on_docker"] == ["db", "excluded", "job", "web"]
    host.lacks = []
    assert move()["left_on_docker"] == ["excluded"]
    assert move()["left_on_docker"] == ["excluded"]


def test_a_retired_engine_is_neither_asked_nor_missed(host, engine, move):
    move()
    write_json(engine.retired_path, {"format": 1})
    host.docker.clear()
    assert not move()["changed"]


def test_check_mode_says_what_would_run_and_touches_nothing(host, engine, move):
    before = host.state(host.unit_dir)
    result = move(check=True)
    assert result["changed"]
    [blog] = result["workloads"]
    assert blog["state"] == "docker"
    assert blog["steps"] == [
        "record",
        "warm_volumes",
        "create_secrets",
        "install_units",
        "create_volumes",
        "open_forward",
        "rehearse",
        "hold_restarts",
        "stop_docker",
        "close_ports",
        "sync_volumes",
        "await_docker",
        "free_addresses",
        "start_podman",
        "wait_ready",
        "open_ports",
        "coexist",
        "start_services",
        "enable_units",
    ]
    assert (host.log, host.state(host.unit_dir)) == ([], before)
    assert sorted(path.name for path in engine.root.iterdir()) == ["engine.json", "plan.json"]


def test_the_difference_shows_units_without_values(host, move):
    for check in (True, False):
        result = move(check=check)
        assert len(result["diff"]) == 5
        assert 'Environment="GREETING=********' in result["diff"][2]["after"]
        assert GREETING not in str(result)


def test_the_difference_of_the_way_back_shows_the_units_that_go(host, move):
    move()
    for check in (True, False):
        shown = move(to="docker", check=check)["diff"]
        assert [(item["before_header"].rpartition("/")[2], item["after"]) for item in shown] == [
            (name, "") for name in sorted(plan()["workloads"][0]["units"])
        ]
        assert 'Environment="GREETING=********' in shown[2]["before"]
    assert move(to="docker")["diff"] == []


def test_of_a_unit_that_somebody_changed_no_line_is_shown(host, move):
    move()
    path = host.unit_dir / "db.container"
    path.write_text(path.read_text() + "PodmanArgs=--env API_TOKEN=hunter2-and-more\n")
    for check in (True, False):
        result = move(to="docker", check=check)
        assert "hunter2" not in str(result)
        assert len(result["diff"]) == 5


def test_a_failure_is_reported_with_where_everything_runs(host, move):
    host.lacks = [readiness.Lack("web.service is failed", "web.service", True)]
    result = move()
    [blog] = result["workloads"]
    assert blog["state"] == "rolled_back"
    assert "It will not come up on Podman: web.service is failed." in blog["reason"]
    assert blog["reason"].endswith("It was undone. Docker runs db, web, Podman runs none.")
    assert PASSWORD not in str(result)


def test_a_way_back_that_fails_too_is_reported_in_full(host, move):
    host.lacks = [readiness.Lack("web.service is failed", "web.service", True)]
    host.broken = {"network rm", "policy job always"}
    [blog] = move()["workloads"]
    assert blog["state"] == "stuck"
    assert "install_units: network rm failed." in blog["reason"]
    assert "hold_restarts: policy job always failed." in blog["reason"]
    host.broken, host.lacks = set(), []
    result = move()
    assert result["recovered"] == ["blog"]
    assert result["workloads"][0]["state"] == "committed"


def test_an_outdated_plan_refuses_the_workload(host, move):
    host.docker["web-id"]["State"]["Running"] = False
    [blog] = move()["workloads"]
    assert (blog["state"], blog["changed"]) == ("refused", False)
    assert "run the role assess again" in blog["reason"]
    assert host.log == ["helper", "probe"]


def test_what_was_not_staged_refuses_the_workload(host, move):
    host.missing = "image"
    [blog] = move()["workloads"]
    assert (blog["state"], blog["changed"], blog["steps"]) == ("refused", False, [])
    assert "run the role stage first" in blog["reason"]
    assert host.log == ["helper", "probe"]
    assert move(check=True)["workloads"][0]["reason"] == ""


def test_an_interrupted_run_is_undone_first(host, engine, move):
    append_journal(engine.journal_path("old"), {"step": "begin", "event": "begin", "data": {"goal": "podman"}})
    append_journal(engine.journal_path("old"), {"step": "record", "event": "do", "data": {}})
    assert move(check=True)["recovered"] == ["old"]
    assert move()["recovered"] == ["old"]
    assert move()["recovered"] == []


def interrupt(move, monkeypatch):
    """A move that is killed when Podman has been started, and which the host has not undone by itself."""

    def die(*_expected):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(readiness, "lacks", die)
        with pytest.raises(KeyboardInterrupt):
            move()


def test_what_was_interrupted_has_to_be_well_in_docker_before_it_moves_again(host, engine, move, monkeypatch):
    """Looked at too early, its ports and health would not be asked for on Podman."""
    interrupt(move, monkeypatch)
    missing = [["db is starting, and was healthy"], []]
    monkeypatch.setattr(wait_docker, "lacks", lambda *_record: missing.pop(0))
    result = move()
    assert (result["recovered"], result["workloads"][0]["state"], missing) == (["blog"], "committed", [])


def test_check_mode_says_that_what_was_interrupted_is_undone_and_moves(host, engine, move, monkeypatch):
    interrupt(move, monkeypatch)
    host.services = []
    result = move(check=True)
    [blog] = result["workloads"]
    assert (result["recovered"], blog["state"], blog["reason"]) == (["blog"], "docker", "")
    assert set(move()["workloads"][0]["steps"]) <= set(blog["steps"])


def test_what_does_not_come_up_in_docker_again_is_not_moved(host, engine, move, monkeypatch):
    interrupt(move, monkeypatch)
    monkeypatch.setattr(wait_docker, "lacks", lambda *_record: ["db is unhealthy, and was healthy"])
    [blog] = move()["workloads"]
    assert blog["state"] == "refused"
    assert "on Docker: db is unhealthy, and was healthy." in blog["reason"]


def test_what_was_undone_a_moment_ago_has_to_be_well_in_docker_too(host, move, monkeypatch):
    """What made the first try fail would not be asked for at the second."""
    host.lacks = [readiness.Lack("web.service is failed", "web.service", True)]
    assert move()["workloads"][0]["state"] == "rolled_back"
    host.lacks = []
    monkeypatch.setattr(wait_docker, "lacks", lambda *_record: ["web does not run"])
    [blog] = move()["workloads"]
    assert (blog["state"], "on Docker: web does not run." in blog["reason"]) == ("refused", True)
    # Nobody has to repair what is meant.
    now = transaction.time.time()
    monkeypatch.setattr(transaction.time, "time", lambda: now + 3600)
    assert move()["workloads"][0]["state"] == "committed"


def test_a_workload_that_is_stuck_is_reported_also_when_another_was_asked_for(host, engine, move, monkeypatch):
    interrupt(move, monkeypatch)
    engine.journal_path("blog").rename(engine.journal_path("old"))
    host.broken = {"network rm"}
    stuck = {item["name"]: item["state"] for item in move()["workloads"]}
    assert stuck["old"] == "stuck"


def test_a_container_that_has_just_been_started_is_given_time_to_be_healthy(host, engine, move, monkeypatch):
    """Its health would not be asked for on Podman otherwise."""
    state = host.docker["db-id"]["State"]

    def get_healthy(_seconds):
        state["Health"]["Status"] = "healthy"

    state["Health"]["Status"] = "starting"
    monkeypatch.setattr(wait_docker.time, "sleep", get_healthy)
    assert move()["workloads"][0]["state"] == "committed"
    record = notes(attempts(read_journal(engine.journal_path("blog")))[-1])["record"]
    assert {item["name"]: item["healthy"] for item in record["containers"]}["db"]


def test_empty_lists_of_secrets_that_a_power_cut_left_are_no_obstacle(host, engine, move, tmp_path):
    empty, filled = tmp_path / "secrets/filedriver/secretsdata.json", tmp_path / "secrets/secrets.json"
    empty.parent.mkdir(parents=True)
    empty.touch()
    filled.write_text("{}")
    record = {**precheck.planned(plan()["workloads"][0]), "graph_root": str(tmp_path)}
    for event, data in (("begin", {"goal": "podman"}), ("do", {}), ("done", record)):
        step = "begin" if event == "begin" else "record"
        append_journal(engine.journal_path("old"), {"step": step, "event": event, "data": data})
    assert move()["recovered"] == ["old"]
    assert (empty.exists(), filled.exists()) == (False, True)


@pytest.mark.parametrize("subject", ["engine", "blog", "web", "data"])
def test_a_blocker_stops_before_anything_is_touched(host, engine, move, subject):
    finding = {"severity": "blocker", "subject": subject, "message": "--device is not translated yet."}
    write_json(engine.plan_path, {**plan(), "findings": [finding]})
    with pytest.raises(StateError, match="blog cannot move: --device"):
        move()
    assert host.log == []


def have_moved(engine, name, containers):
    for event, data in (
        ("begin", {"goal": "podman"}),
        ("commit", {"goal": "podman", "containers": containers}),
        ("done", {}),
    ):
        append_journal(engine.journal_path(name), {"step": "enable_units", "event": event, "data": data})


def test_a_workload_that_moved_under_another_name_is_left_alone(host, engine, move):
    have_moved(engine, "old", ["web-id", "db-id", "job-id"])
    result = move()
    assert (result["changed"], result["workloads"][0]["state"], host.log) == (False, "committed", ["helper"])


@pytest.mark.parametrize("name", ["blog", "old"])
@pytest.mark.parametrize("check", [True, False])
def test_what_joined_a_workload_since_it_moved_is_named(host, engine, move, name, check):
    """docker compose up made it again, or a service was added."""
    have_moved(engine, name, ["web-id"])
    result = move(check=check)
    assert (result["changed"], result["workloads"][0]["state"]) == (False, "refused")
    assert host.log == ([] if check else ["helper"])
    assert "It has moved to Podman without db, job" in result["workloads"][0]["reason"]


def test_two_runs_do_not_meet(host, engine, move):
    with moves.ownership.locked(engine):
        with pytest.raises(StateError, match="Another run"):
            move()
        assert move(check=True)["changed"]
    assert move()["changed"]


def test_a_run_that_is_told_to_end_brings_docker_back_first(host, engine, move, monkeypatch):
    before = host.state(host.unit_dir)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)}

    def told(*_expected):
        signals.interrupt(signal.SIGTERM, None)

    monkeypatch.setattr(readiness, "lacks", told)
    monkeypatch.setattr(signals, "_told", [])
    try:
        with pytest.raises(signals.Interrupted, match="SIGTERM"):
            move()
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    assert host.state(host.unit_dir) == before
    assert engine.committed() == {}


def test_the_way_back_from_a_retired_docker_starts_it_first(host, engine, move, monkeypatch):
    move()
    write_json(engine.retired_path, {"format": 1})
    monkeypatch.setattr(moves, "revive", lambda _engine: host.event("revive") or engine.retired_path.unlink())
    host.log.clear()
    asked = host.inspect
    monkeypatch.setattr(host, "inspect", None)
    foreseen = move(check=True, to="docker")
    assert (foreseen["changed"], foreseen["workloads"][0]["state"], host.log) == (True, "podman", [])
    assert "stop_podman" in foreseen["workloads"][0]["steps"]
    monkeypatch.setattr(host, "inspect", asked)
    result = move(to="docker")
    assert result["workloads"][0]["state"] == "committed"
    assert host.log[:3] == ["helper", "revive", "probe"]
    assert engine.committed() == {}
    assert not move(to="docker")["changed"]


def test_docker_is_not_woken_for_what_cannot_go_back(host, engine, move, monkeypatch):
    def no_room(*_way_back):
        raise UserError("Make room.")

    move()
    write_json(engine.retired_path, {"format": 1})
    monkeypatch.setattr(directions.rollback, "require_room", no_room)
    host.log.clear()
    for check in (True, False):
        result = move(check=check, to="docker")
        [blog] = result["workloads"]
        assert (result["changed"], blog["state"], blog["reason"]) == (False, "refused", "Make room.")
    assert host.log == []
    assert engine.retired


def test_a_full_disk_stops_one_workload_and_is_said(host, move, monkeypatch):
    monkeypatch.setattr(moves.transaction, "append_journal", full_disk)
    [blog] = move()["workloads"]
    assert blog["state"] == "refused"
    assert "blog.jsonl cannot be used: No space left on device; make room there and run this again." in blog["reason"]
    assert host.docker_runs()


def test_a_workload_has_a_deadline_of_its_own(host, move):
    host.lacks = [readiness.Lack("db.service is activating", "db.service")]
    said = move(timeouts={"blog": "0.02"})["workloads"][0]["reason"]
    assert "was not ready within 0.02 s" in said


@pytest.mark.parametrize(
    ("timeouts", "said"),
    [
        ({"blgo": 5}, "names blgo, which is no workload"),
        ({"blog": "soon"}, "gives blog no number"),
        ({"blog": "nan"}, "gives blog no number"),
    ],
)
def test_a_deadline_that_is_none_is_said(host, move, timeouts, said):
    with pytest.raises(StateError, match=said):
        move(timeouts=timeouts)
    assert host.log == []


@pytest.mark.parametrize("seconds", [0, -1, 7 * 24 * 3600])
@pytest.mark.parametrize("check", [True, False])
def test_a_deadline_for_all_that_is_none_is_said(host, move, seconds, check):
    with pytest.raises(StateError, match="ready_timeout is no number of seconds up to a week; nothing was changed"):
        move(check, timeout=seconds)
    assert host.log == []


def test_one_workload_goes_back_by_its_name(host, engine, move):
    move()
    with pytest.raises(StateError, match="No workload shop was ever moved"):
        move(to="docker", workloads=["shop"])
    assert move(to="docker", workloads=["blog"])["changed"]
    assert not move(to="docker", workloads=["blog"])["changed"]


def test_a_docker_that_was_retired_empty_comes_back_too(host, engine, move, monkeypatch):
    revived = []
    monkeypatch.setattr(moves, "revive", lambda engine: revived.append(engine.retired_path.unlink()))
    write_json(engine.retired_path, {"format": 1})
    assert move(check=True, to="docker")["changed"]
    assert move(to="docker")["changed"]
    assert not move(to="docker")["changed"]
    assert len(revived) == 1


@pytest.mark.parametrize("check", [True, False])
def test_without_docker_there_is_no_way_back_and_it_is_said_before_anything(host, engine, move, monkeypatch, check):
    move()
    write_json(engine.retired_path, {"format": 1})
    monkeypatch.setattr(host, "_show", "Id={0}\nLoadState=not-found\nActiveState=inactive".format)
    host.log.clear()
    with pytest.raises(StateError, match=r"neither docker\.service nor docker\.socket any more"):
        move(check=check, to="docker")
    assert host.log == []


def test_several_move_at_a_time_and_one_that_is_told_to_end_brings_docker_back(host, engine, move, monkeypatch):
    before = host.state(host.unit_dir)
    monkeypatch.setattr(signals, "_told", [])
    # The signal reaches the main thread; the one that moves a workload has to notice.
    monkeypatch.setattr(readiness, "lacks", lambda *_expected: signals._told.append("SIGTERM") or [])
    with pytest.raises(signals.Interrupted, match="SIGTERM"):
        move(parallel=2)
    assert host.state(host.unit_dir) == before
    signals._told.clear()
    monkeypatch.setattr(readiness, "lacks", lambda *_expected: [])
    assert move(parallel=2)["workloads"][0]["state"] == "committed"


def test_a_workload_that_was_never_committed_cannot_go_back(host, move):
    host.lacks = [readiness.Lack("web.service is failed", "web.service", True)]
    move()
    with pytest.raises(StateError, match="No workload blog was ever moved"):
        move(to="docker", workloads=["blog"])


def test_what_was_started_since_the_inventory_keeps_docker_from_being_retired(host, move):
    host.docker["new-id"] = {**host.docker["job-id"], "Name": "/new", "Mounts": []}
    assert move()["left_on_docker"] == ["new"]


def test_what_ends_while_its_restart_policy_is_held_runs_again_after_an_undo(host, move):
    host.fragile = {"web-id": 2}
    host.lacks = [readiness.Lack("web.service is failed", "web.service", True)]
    [blog] = move()["workloads"]
    assert blog["state"] == "rolled_back"
    assert blog["reason"].endswith("Docker runs db, web, Podman runs none.")


def test_what_ends_while_its_restart_policy_is_held_is_started_again_on_the_way_back(host, move):
    move()
    host.fragile = {"web-id": 1}
    [blog] = move(to="docker", timeouts={"blog": 5})["workloads"]
    assert (blog["state"], blog["reason"]) == ("committed", "")
    assert host.docker["web-id"]["State"]["Running"]
    assert {item["HostConfig"]["RestartPolicy"]["Name"] for item in host.docker.values()} == {"always"}


def test_a_container_that_is_created_anew_in_the_window_stays_dockers(host, move, monkeypatch):
    sync = host.sync

    def deployed(trees):
        if "web-id" in host.docker:
            host.create_anew("web")
        host.docker["new-web"]["State"]["Running"] = False
        answer = sync(trees)
        host.docker["new-web"]["State"]["Running"] = True
        return answer

    monkeypatch.setattr(rounds, "final", deployed)
    [blog] = move()["workloads"]
    assert (blog["state"], "never both engines" in blog["reason"]) == ("rolled_back", True)
    assert {item["HostConfig"]["RestartPolicy"]["Name"] for item in host.docker.values()} == {"always"}
    [blog] = move()["workloads"]
    assert (blog["state"], "run the role assess again" in blog["reason"]) == ("refused", True)


def test_a_container_that_is_removed_in_the_window_is_missed_before_the_commit(host, move, monkeypatch):
    sync = host.sync

    def removed(trees):
        del host.docker["web-id"]
        return sync(trees)

    monkeypatch.setattr(rounds, "final", removed)
    [blog] = move()["workloads"]
    assert (blog["state"], "Somebody removed web from Docker" in blog["reason"]) == ("rolled_back", True)
    assert blog["reason"].endswith("Docker runs db, Podman runs none.")


def test_what_is_stuck_comes_to_its_end_when_its_containers_are_created_anew(host, move):
    host.lacks = [readiness.Lack("web.service is failed", "web.service", True)]
    host.broken = {"start web"}
    assert move()["workloads"][0]["state"] == "stuck"
    host.broken = set()
    for name in ("db", "web", "job"):
        host.create_anew(name)
    result = move()
    assert (result["recovered"], result["workloads"][0]["state"]) == (["blog"], "refused")
    assert move()["recovered"] == []
    assert host.services == []


def test_what_did_not_stop_as_a_whole_was_down_too(host, move, monkeypatch):
    stop = host.stop

    def stop_slowly(*given):
        time.sleep(0.02)
        return stop(*given)

    monkeypatch.setattr(host, "stop", stop_slowly)
    monkeypatch.setattr(host, "broken", {"stop db"})
    [blog] = move()["workloads"]
    assert (blog["state"], "stop_docker" in blog["steps"]) == ("rolled_back", False)
    assert blog["downtime"] > 0


@pytest.mark.parametrize("is_stuck", [False, True])
def test_what_was_undone_was_down_until_it_ran_again(host, move, monkeypatch, is_stuck):
    host.lacks = [readiness.Lack("web.service is failed", "web.service", True)]

    def remove_slowly(_record):
        time.sleep(0.6)
        if is_stuck:
            raise UserError("Podman hangs.")

    monkeypatch.setattr(podman_services, "remove_secrets", remove_slowly)
    [blog] = move()["workloads"]
    assert blog["state"] == ("stuck" if is_stuck else "rolled_back")
    assert 0 < blog["downtime"] < 0.6


def test_a_docker_that_does_not_answer_at_the_end_hides_nothing_and_is_not_retired(host, move, monkeypatch):
    get = host.get

    def silent(path, **query):
        if path == "/containers/json" and "filters" not in query:
            raise DockerError("Docker did not answer.")
        return get(path, **query)

    monkeypatch.setattr(host, "get", silent)
    result = move()
    assert result["workloads"][0]["state"] == "committed"
    assert result["left_on_docker"] == ["what was created since (unknown: Docker did not answer.)"]


def test_a_docker_that_is_started_anew_before_the_commit_does_not_keep_the_addresses(host, move, monkeypatch):
    def restarted(notes):
        host.addresses[BRIDGE] = ["172.18.0.1/16"]
        return commit(notes)

    commit = cutover.commit
    monkeypatch.setattr(cutover, "commit", restarted)
    assert move()["workloads"][0]["state"] == "committed"
    assert host.addresses[BRIDGE] == []


@pytest.fixture
def job(host, engine):
    """The container web, which Docker does not start again when it has ended, and which ends well when somebody starts it."""

    def start_and_end(item):
        start(item)
        if item == "web-id":
            end()

    def end():
        document["State"].update(Running=False, ExitCode=0)

    start, document, written = host.start, host.docker["web-id"], plan()
    host.start = start_and_end
    next(item for item in written["workloads"][0]["containers"] if item["name"] == "web")["restart"] = "no"
    write_json(engine.plan_path, written)
    document["HostConfig"]["RestartPolicy"] = {"Name": "no", "MaximumRetryCount": 0}
    return end


def test_a_job_that_has_ended_on_podman_does_not_close_the_way_back(host, move, job):
    move()
    host.services.remove("web.service")
    assert move(to="docker")["workloads"][0]["state"] == "committed"
    assert "start web" not in host.log


def test_a_job_that_still_runs_on_podman_is_started_in_docker_and_may_end_there(host, move, job):
    move()
    assert move(to="docker")["workloads"][0]["state"] == "committed"
    assert host.log.count("start web") == 1


@pytest.mark.parametrize("policy", ["no", "on-failure"])
def test_what_docker_starts_only_once_goes_back_too(host, engine, move, policy):
    """Its program ended well when the cutover stopped it, which says nothing of its work."""
    written = plan()
    for item in written["workloads"][0]["containers"]:
        item["restart"] = policy
        host.docker[item["id"]]["HostConfig"]["RestartPolicy"] = {"Name": policy, "MaximumRetryCount": 0}
    write_json(engine.plan_path, written)
    for _turn in range(2):
        move()
        assert move(to="docker")["workloads"][0]["state"] == "committed"
        assert [host.docker[item]["State"]["Running"] for item in ("db-id", "web-id", "job-id")] == [True, True, False]
        assert host.services == []


def test_what_has_failed_on_podman_is_not_forgotten_by_a_way_back_that_fails_itself(host, move, job):
    move()
    host.services.remove("web.service")
    host.ended["web.service"] = "failed"
    host.broken = {"start db"}
    assert move(to="docker")["workloads"][0]["state"] == "rolled_back"
    host.broken = set()
    host.log.clear()
    move(to="docker")
    assert "start web" in host.log


def test_a_job_that_ends_while_dockers_data_is_kept_is_not_done_in_docker_once_more(host, move, job, monkeypatch):
    def end(trees):
        if "/kept/" in trees.destination and "web.service" in host.services:
            host.services.remove("web.service")
        return sync(trees)

    move()
    sync = host.sync
    monkeypatch.setattr(rounds, "final", end)
    [blog] = move(to="docker")["workloads"]
    assert (blog["state"], "web has ended meanwhile; run this again" in blog["reason"]) == ("rolled_back", True)
    assert host.services == ["db.service"]
    assert move(to="docker")["workloads"][0]["state"] == "committed"
    assert "start web" not in host.log


def test_a_job_that_ends_after_it_was_ready_is_not_done_on_podman_once_more(host, move, job, monkeypatch):
    commit = cutover.commit

    def end(notes):
        host.services.remove("web.service")
        return commit(notes)

    monkeypatch.setattr(cutover, "commit", end)
    assert move()["workloads"][0]["state"] == "committed"
    assert host.log.count("start") == 1
    assert host.services == ["db.service"]


def test_a_job_that_ends_while_others_stop_is_done_nowhere_once_more(host, move, job, engine, monkeypatch):
    """The job is asked last, because the others need it."""
    written = plan()
    [blog] = written["workloads"]
    blog["layers"] = [["web"], ["db", "job"]]
    blog["containers"][1]["restart"] = "no"
    write_json(engine.plan_path, written)
    stop = host.stop

    def end(item, timeout):
        stop(item, timeout)
        if item == "db-id":
            job()

    monkeypatch.setattr(host, "stop", end)
    [blog] = move()["workloads"]
    assert (blog["state"], "web has ended meanwhile" in blog["reason"]) == ("rolled_back", True)
    assert "start web" not in host.log
    assert host.docker["db-id"]["State"]["Running"]


def test_after_a_job_has_ended_the_next_run_moves_what_is_left(host, move, job, engine, monkeypatch):
    warm = rounds.warm
    with monkeypatch.context() as patch:
        patch.setattr(rounds, "warm", lambda trees: job() or warm(trees))
        stop = host.stop
        patch.setattr(host, "stop", lambda item, timeout: stop(item, timeout) or job())
        assert move()["workloads"][0]["state"] == "rolled_back"
    host.lacks = [readiness.Lack("db.service is failed", "db.service", True)]
    written = plan()
    written["workloads"][0]["containers"][1].update(restart="no", running=False)
    write_json(engine.plan_path, written)
    assert "failed" in move()["workloads"][0]["reason"]
    host.lacks = []
    assert move()["workloads"][0]["state"] == "committed"


def test_what_crashes_in_docker_again_and_again_does_not_keep_the_others(host, move, job, engine):
    host.docker["web-id"]["State"].update(Restarting=True)
    host.docker["web-id"]["HostConfig"]["RestartPolicy"] = {"Name": "on-failure", "MaximumRetryCount": 0}
    written = plan()
    written["workloads"][0]["containers"][1]["restart"] = "on-failure"
    write_json(engine.plan_path, written)
    set_policy = host.set_restart_policy

    def crash(item, policy):
        set_policy(item, policy)
        host.docker["web-id"]["State"].update(Running=False, ExitCode=1)

    host.set_restart_policy = crash
    assert move()["workloads"][0]["state"] == "committed"


def test_what_had_failed_on_podman_may_fail_in_docker_too(host, move, job, monkeypatch):
    move()
    host.services.remove("web.service")
    host.ended["web.service"] = "failed"
    start = host.start

    def fail(item):
        start(item)
        if item == "web-id":
            host.docker[item]["State"].update(Running=False, ExitCode=1)

    monkeypatch.setattr(host, "start", fail)
    assert move(to="docker")["workloads"][0]["state"] == "committed"
    assert host.docker["db-id"]["State"]["Running"]


def test_a_job_that_has_failed_before_docker_stops_is_not_tried_again_by_the_undo(host, move, job, monkeypatch):
    def fail(trees):
        host.docker["web-id"]["State"].update(Running=False, ExitCode=1)
        return warm(trees)

    warm = rounds.warm
    monkeypatch.setattr(rounds, "warm", fail)
    assert move()["workloads"][0]["state"] == "rolled_back"
    assert "start web" not in host.log


def test_what_was_started_on_podman_since_runs_in_docker_too(host, move):
    move()
    host.services.append("job.service")
    move(to="docker")
    assert host.docker["job-id"]["State"]["Running"]


def test_what_has_failed_on_podman_runs_in_docker_again(host, move):
    """It may be why somebody goes back."""
    move()
    host.services.remove("web.service")
    host.ended["web.service"] = "failed"
    move(to="docker")
    assert host.docker["web-id"]["State"]["Running"]


def test_a_job_that_ends_before_docker_stops_is_not_done_once_more(host, move, job, monkeypatch):
    warm = rounds.warm
    monkeypatch.setattr(rounds, "warm", lambda trees: job() or warm(trees))
    [blog] = move()["workloads"]
    assert blog["state"] == "rolled_back"
    assert "web has ended meanwhile" in blog["reason"]
    assert {"stop db", "start web", "start"}.isdisjoint(host.log)
    assert host.docker["db-id"]["State"]["Running"]


def test_an_undo_starts_a_job_once(host, move, job):
    host.lacks = [readiness.Lack("db.service is failed", "db.service", True)]
    assert move()["workloads"][0]["state"] == "rolled_back"
    assert host.log.count("start web") == 1


def test_what_runs_in_docker_again_is_stopped_by_no_later_try_of_the_undo(host, engine, move, monkeypatch):
    """Killed while Docker stops the workload; then one container does not start, because its port is taken."""
    stop = host.stop

    def killed(item, timeout):
        if item == "web-id":
            raise KeyboardInterrupt
        stop(item, timeout)

    with monkeypatch.context() as patch:
        patch.setattr(host, "stop", killed)
        with pytest.raises(KeyboardInterrupt):
            move()
    host.broken = {"start web"}
    assert "start web" in recovery.recover(engine, host)[1]["blog"]["reason"]
    host.log.clear()
    assert "start web" in recovery.recover(engine, host)[1]["blog"]["reason"]
    assert "stop db" not in host.log
    assert host.docker["db-id"]["State"]["Running"]


@pytest.fixture
def backup(host):
    """Starts a container on a volume of the workload, beside its network."""

    def start(name="backup"):
        host.docker[name + "-id"] = {**host.docker["job-id"], "Name": "/" + name, "State": {"Running": True}}

    get = host.get
    host.get = lambda path, **query: {"Containers": {}} if path.startswith("/networks/") else get(path, **query)
    host.docker_runs = lambda: any(host.docker[item]["State"]["Running"] for item in ("db-id", "web-id", "job-id"))
    return start


def test_a_container_that_took_a_volume_since_the_plan_outdates_it(host, move, backup):
    backup()
    [blog] = move()["workloads"]
    assert blog["state"] == "refused"
    assert "The plan is outdated: backup has one of its volumes" in blog["reason"]


def test_a_container_that_takes_a_volume_in_the_window_is_seen_before_the_commit(host, move, backup, monkeypatch):
    sync = host.sync
    monkeypatch.setattr(rounds, "final", lambda trees: backup() or sync(trees))
    [blog] = move()["workloads"]
    assert (blog["state"], "Docker runs backup on a volume" in blog["reason"]) == ("rolled_back", True)


def test_nothing_goes_back_under_a_container_that_uses_its_volume_in_docker(host, move, backup):
    move()
    backup()
    [blog] = move(to="docker")["workloads"]
    assert (blog["state"], "Docker runs backup, although" in blog["reason"]) == ("refused", True)


def test_who_uses_dockers_copy_meanwhile_does_not_keep_the_ports_closed(host, move, backup, monkeypatch):
    def wait(*_arguments):
        backup()
        raise UserError("not ready")

    move()
    monkeypatch.setattr(wait_docker, "wait", wait)
    [blog] = move(to="docker")["workloads"]
    assert blog["state"] == "rolled_back"
    assert (host.gate, host.services) == ("", ["db.service", "web.service"])


def test_what_somebody_stopped_after_an_undo_is_not_started_by_the_next_run(host, move, monkeypatch):
    host.lacks = [readiness.Lack("db.service is failed", "db.service", True)]
    move()
    host.lacks = []
    host.docker["web-id"]["State"]["Running"] = False
    host.log.clear()
    assert "web does not run" in move()["workloads"][0]["reason"]
    assert "start web" not in host.log


def test_a_journal_from_before_volumes_were_recorded_is_brought_back(host, move, engine):
    move()
    path = engine.journal_path("blog")
    path.write_text(path.read_text().replace('"docker_volumes"', '"other"').replace('"started_at"', '"something"'))
    assert move(to="docker")["workloads"][0]["state"] == "committed"


def test_a_container_that_joined_another_network_since_the_plan_outdates_it(host, move):
    host.docker["web-id"]["NetworkSettings"]["Networks"]["shop"] = {}
    [blog] = move()["workloads"]
    assert "The plan is outdated: web joined network shop" in blog["reason"]


def test_who_needs_a_healthy_database_and_has_no_restart_policy_waits_for_it(host, engine, move, monkeypatch):
    written = plan()
    for item in written["workloads"][0]["containers"]:
        item["restart"] = "no"
        host.docker[item["id"]]["HostConfig"]["RestartPolicy"] = {"Name": "no", "MaximumRetryCount": 0}
    write_json(engine.plan_path, written)
    start, inspect, looks = host.start, host.inspect, []

    def begin(item):
        if item == "web-id":
            assert host.docker["db-id"]["State"]["Health"]["Status"] == "healthy"
        start(item)
        if item == "db-id":
            host.docker["db-id"]["State"]["Health"]["Status"] = "starting"

    def look(item):
        if host.docker["db-id"]["State"]["Health"]["Status"] == "starting":
            looks.append(item)
            if len(looks) > 3:
                host.docker["db-id"]["State"]["Health"]["Status"] = "healthy"
        return inspect(item)

    move()
    monkeypatch.setattr(docker_containers, "_POLL_SECONDS", 0)
    monkeypatch.setattr(host, "start", begin)
    monkeypatch.setattr(host, "inspect", look)
    assert move(to="docker")["workloads"][0]["state"] == "committed"
    assert "start web" in host.log
