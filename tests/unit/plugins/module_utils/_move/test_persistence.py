# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The service that recovers tries until every move is on one side: Docker may be back in a second or in a week."""

from __future__ import annotations

import itertools
import socket

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._common import signals
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._docker.daemons import Dockerd
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._move import (
    cutover,
    persistence,
    recovery,
    transaction,
)
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._move.persistence import (
    AGAIN,
    DONE,
    GIVEN_UP,
    WAITS,
    Tries,
)
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._move.transaction import Transaction
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._state import journal
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._state.journal import append_journal
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._state.records import write_json
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._workload import precheck
from ansible_collections.podshift.docker_to_podman.tests.unit.plugins.fake_host import (
    Host,
    full_disk,
    plan,
)


class PowerCut(BaseException):
    pass


@pytest.fixture
def host(host, monkeypatch):
    monkeypatch.setattr(persistence, "_LOOK", 0.01)
    monkeypatch.setattr(persistence.daemons, "running", list)
    return host


def interrupt(engine, host, step="stop_docker", when="before"):
    """A move of the workload that a power cut ends at a step."""
    item = plan()["workloads"][0]
    steps = cutover.steps(lambda: precheck.look(item, [], host, host), host, host, 0.01)
    run = Transaction(
        engine.journal_path("blog"), "hash", "podman", steps, cutover.steps_after(host, engine.coexist_path, False)
    )

    def cut(_notes):
        raise PowerCut

    for table in ("_before", "_after"):
        steps = getattr(run, table)
        setattr(
            run, table, [each._replace(do=cut, done=transaction_never) if each.name == step else each for each in steps]
        )
    with pytest.raises(PowerCut):
        run.run(cutover.commit)


def transaction_never(_notes):
    return False


def events_of(engine, name="blog"):
    return [event["event"] for event in engine.journal(name)]


def test_while_docker_does_not_answer_nothing_is_tried_written_or_counted(engine, host, capsys):
    before = host.state(host.unit_dir)
    interrupt(engine, host)
    host.broken = {"version"}
    tries, written = Tries(engine), engine.journal_path("blog").read_bytes()
    assert [tries.once() for _try in range(20)] == [WAITS] * 20
    assert engine.journal_path("blog").read_bytes() == written
    assert capsys.readouterr().out.count("blog: waits for Docker. version failed.") == 1
    host.broken = set()
    assert Tries(engine).once() == DONE
    assert host.state(host.unit_dir) == before


def test_what_belongs_to_podman_does_not_wait_for_docker(engine, host):
    interrupt(engine, host, step="enable_units")
    host.broken = {"version"}
    assert Tries(engine).once() == DONE
    assert recovery.state(engine.journal("blog")) == "podman"


def test_tries_that_end_with_an_error_go_on_without_end(engine, host, capsys):
    interrupt(engine, host)
    host.broken = {"start db"}
    tries = Tries(engine)
    assert [tries.once() for _try in range(20)] == [AGAIN] * 20
    assert capsys.readouterr().out.count("could not be brought back") == 1
    host.broken = set()
    assert Tries(engine).once() == DONE
    assert host.docker_runs()


def test_tries_that_take_the_host_down_do_not(engine, host, monkeypatch, capsys):
    interrupt(engine, host)
    with monkeypatch.context() as deadly:

        def take_down(_item):
            raise PowerCut

        deadly.setattr(host, "start", take_down)
        for _boot in range(persistence._TRIES):
            with pytest.raises(PowerCut):
                Tries(engine).once()
        assert Tries(engine).once() == GIVEN_UP
    assert "blog: given up: 5 tries took the program or the host down with them" in capsys.readouterr().out
    assert recovery.recover(engine, host) == (["blog"], {})


@pytest.mark.parametrize(
    ("kinds", "count"),
    [
        ([], 0),
        (["recover_begun"] * 3, 3),
        (["recover_begun", "undo", "undo_failed", "recover_failed"] * 9, 0),
        (["recover_begun", "recover_begun", "recover_failed", "recover_begun"], 1),
        # What an earlier program wrote before each of its tries.
        (["recover", "undo", "undo_failed"] * 5, 0),
    ],
    ids=["none", "killed", "failed", "both", "earlier program"],
)
def test_tries_without_an_end_are_counted(kinds, count):
    begin = {"event": "begin", "step": "begin", "data": {"goal": "podman"}}
    events = [begin, {**begin, "event": "recover_begun"}, begin, *({**begin, "event": kind} for kind in kinds)]
    assert persistence.unended(events) == count


def test_what_an_earlier_program_gave_up_comes_back(engine, host):
    before = host.state(host.unit_dir)
    interrupt(engine, host)
    for _try in range(6):
        append_journal(engine.journal_path("blog"), {"step": "recover", "event": "recover", "data": {}})
    assert Tries(engine).once() == DONE
    assert host.state(host.unit_dir) == before


def test_a_full_disk_that_can_count_nothing_keeps_nothing_down_and_stops_nothing_again(
    engine, host, monkeypatch, capsys
):
    interrupt(engine, host, step="sync_volumes")
    with monkeypatch.context() as full:
        full.setattr(persistence, "append_journal", full_disk)
        full.setattr(transaction, "append_journal", full_disk)
        tries = Tries(engine)
        assert tries.once() == AGAIN
        assert host.docker_runs()
        host.log.clear()
        assert [tries.once(), tries.once()] == [AGAIN, AGAIN]
        assert host.log.count("version") == len(host.log)
        assert "blog: its journal cannot be written" in capsys.readouterr().out
    assert tries.once() == DONE
    assert host.docker_runs()


def test_one_workloads_trouble_does_not_keep_the_others_down(engine, host, capsys):
    append_journal(engine.journal_path("a"), {"step": "begin", "event": "begin", "data": {"goal": "podman"}})
    for _try in range(persistence._TRIES):
        append_journal(engine.journal_path("a"), {"step": "recover", "event": "recover_begun", "data": {}})
    engine.journal_path("b").write_text("damaged\n")
    before = host.state(host.unit_dir)
    interrupt(engine, host)
    assert Tries(engine).once() == GIVEN_UP
    assert host.state(host.unit_dir) == before
    said = capsys.readouterr().out
    assert "a: given up" in said
    assert "b.jsonl, line 1, is damaged" in said
    assert "blog: brought to one side" in said


def test_the_service_ends_when_docker_is_back_and_shows_when_it_works(engine, host, monkeypatch, tmp_path):
    interrupt(engine, host)
    host.broken, waited, told = {"version"}, [], []

    def rest(_engine, seconds):
        waited.append(seconds)
        told.extend([systemd.recv(100), systemd.recv(100)])
        if len(waited) == 5:
            host.broken = set()
        return False

    monkeypatch.setattr(persistence, "rest", rest)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        assert persistence.main([engine]) == DONE
        told.extend([systemd.recv(100), systemd.recv(100)])
    assert told == [b"RELOADING=1", b"READY=1"] * 6
    assert waited == [2, 4, 8, 10, 10]
    assert host.docker_runs()


def test_one_engines_silence_does_not_hold_anothers_recovery(engine, host, monkeypatch, tmp_path):
    other = type(engine)(engine.root.parent / "other")
    write_json(other.record_path, {"format": 1, "id": "other", "socket": "/silent"})
    begin = {"step": "begin", "event": "begin", "data": {"goal": "podman"}}
    append_journal(other.journal_path("shop"), begin)
    interrupt(engine, host)

    class Silent(Host):
        @property
        def version(self):
            for _look in iter(lambda: journal.interrupted(engine.journal("blog")), ""):
                signals.require_undisturbed()
            monkeypatch.setattr(persistence, "Docker", lambda _socket: host)
            raise persistence.DockerError("nothing")

    monkeypatch.setattr(persistence, "Docker", lambda path: Silent() if path == "/silent" else host)
    monkeypatch.setattr(persistence, "rest", lambda _engine, _seconds: True)
    assert persistence.main([other, engine]) == DONE


def test_a_rest_ends_early_when_docker_comes_or_a_run_writes(engine, host, monkeypatch):
    interrupt(engine, host)
    assert not persistence.rest(engine, 0.05)
    pids = itertools.count(1)
    monkeypatch.setattr(persistence.daemons, "running", lambda: [Dockerd(next(pids), "/docker.service", True)])
    assert persistence.rest(engine, 60)
    monkeypatch.setattr(persistence.daemons, "running", list)
    looks = itertools.count(1)

    def run_meanwhile(_seconds):
        if next(looks) == 3:
            append_journal(engine.journal_path("shop"), {"step": "begin", "event": "begin", "data": {"goal": "podman"}})

    monkeypatch.setattr(persistence.time, "sleep", run_meanwhile)
    assert persistence.rest(engine, 60)


@pytest.mark.parametrize(("state", "outcome"), [("active", DONE), ("deactivating", AGAIN), ("failed", AGAIN)])
def test_nothing_is_undone_while_what_a_dead_move_has_started_lives(engine, host, monkeypatch, capsys, state, outcome):
    before = host.state(host.unit_dir)
    interrupt(engine, host)
    host.ended[persistence.MOVES] = state
    monkeypatch.setattr(persistence, "_DYING", 0.1)
    with monkeypatch.context() as stuck:
        astray = [(4711, persistence.MOVES)]
        stuck.setattr(persistence.cgroups, "processes_in", lambda names: astray * (list(names) == [persistence.MOVES]))
        killed = []
        stuck.setattr(persistence.os, "kill", lambda pid, _signal: killed.append(pid))
        assert Tries(engine).once() == outcome
        assert set(killed) == ({4711} if outcome == AGAIN else set())
    if outcome == AGAIN:
        assert "cannot be ended: process 4711 of" in capsys.readouterr().out
        assert Tries(engine).once() == DONE
    assert host.state(host.unit_dir) == before


def test_a_service_that_is_told_to_end_does_so(engine, host, monkeypatch):
    interrupt(engine, host)
    host.broken = {"version"}
    monkeypatch.setattr(signals, "_told", ["SIGTERM"])
    assert persistence.main([engine]) == DONE


@pytest.mark.parametrize(
    ("number", "outcome", "seconds"), [(0, AGAIN, 2), (3, AGAIN, 16), (9999, AGAIN, 300), (9999, WAITS, 10)]
)
def test_pauses_grow(number, outcome, seconds):
    assert persistence.pause(number, outcome) == seconds
