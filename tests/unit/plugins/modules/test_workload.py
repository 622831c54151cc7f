# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module workload keeps for its action plugin which ports the controller still has to reach."""

from __future__ import annotations

import json

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._state.engine_state import open_engine
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._state.journal import append_journal
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._state.records import write_json
from ansible_collections.podshift.docker_to_podman.plugins.modules import workload
from ansible_collections.podshift.docker_to_podman.tests.unit.plugins import fake_module

BLOG = {"workload": "blog", "container": "web", "host_ip": "", "host_port": 8080, "proto": "tcp"}
SHOP = {**BLOG, "workload": "shop", "container": "till", "host_port": 9090}
RESULT = {"changed": False, "workloads": [], "recovered": [], "left_on_docker": [], "finished": True}


@pytest.fixture
def engine(tmp_path):
    state = open_engine(str(tmp_path / "state"), "e1", "/run/docker.sock")
    write_json(state.plan_path, {"format": 1, "engine": {"id": "e1"}, "workloads": []})
    commit(state, "blog", "podman")
    return state


def commit(engine, name, goal):
    append_journal(engine.journal_path(name), {"event": "commit", "data": {"goal": goal, "containers": ["11"]}})


@pytest.fixture
def call(engine, monkeypatch):
    def run(check=False, work=lambda: dict(RESULT), **arguments):
        given = {"plan_path": str(engine.plan_path), "_ansible_check_mode": check, **arguments}
        monkeypatch.setattr(workload, "call", lambda *_: work())
        return fake_module.answer(monkeypatch, workload, given)

    return run


def no_work():
    raise AssertionError("It has to record, and nothing else.")


def test_ports_are_recorded_for_root_alone_and_returned(call, engine):
    path = engine.root / "unreached.json"
    assert call()["unreached"] == []
    assert not path.exists()
    assert call(unreached=[BLOG], work=no_work)["changed"] is False
    assert path.stat().st_mode & 0o777 == 0o600
    for check in (True, False):
        answer = call(check)
        assert (answer["unreached"], answer["unreached_path"]) == ([BLOG], str(path))


def test_none_left_removes_the_record(call, engine):
    call(unreached=[BLOG])
    call(unreached=[], work=no_work)
    assert not (engine.root / "unreached.json").exists()
    call(unreached=[], work=no_work)


def test_check_mode_records_nothing(call, engine):
    call(check=True, unreached=[BLOG], work=no_work)
    assert not (engine.root / "unreached.json").exists()


def test_what_is_dockers_owes_nothing_and_leaves_the_record(call, engine):
    call(unreached=[BLOG, SHOP])
    assert call(check=True)["unreached"] == [BLOG]
    assert json.loads((engine.root / "unreached.json").read_text())["ports"] == [BLOG, SHOP]
    assert call()["unreached"] == [BLOG]
    assert json.loads((engine.root / "unreached.json").read_text())["ports"] == [BLOG]
    commit(engine, "blog", "docker")
    assert call()["unreached"] == []
    assert not (engine.root / "unreached.json").exists()


def test_while_work_goes_on_the_record_stays(call, engine):
    call(unreached=[BLOG, SHOP])
    answer = call(work=lambda: {"changed": False, "finished": False, "job": "0" * 32, "progress": {}})
    assert "unreached" not in answer
    assert json.loads((engine.root / "unreached.json").read_text())["ports"] == [BLOG, SHOP]


def test_what_did_not_move_is_no_reason_to_forget_the_others(call):
    call(unreached=[BLOG])
    failed = {"name": "shop", "reason": "It was undone.", "downtime": 0.0, "state": "rolled_back"}
    answer = call(work=lambda: {**RESULT, "workloads": [failed]})
    assert (answer["unreached"], "It was undone." in answer["msg"]) == ([BLOG], True)


@pytest.mark.parametrize("arguments", [{}, {"unreached": [BLOG]}])
def test_a_plan_that_is_missing_is_said_in_a_sentence(call, arguments):
    answer = call(plan_path="/nowhere/plan.json", **arguments)
    assert "/nowhere/plan.json does not exist; run the role assess" in answer["msg"]
    assert (answer["workloads"], answer["recovered"]) == ([], [])


def test_a_damaged_record_stops_before_anything_is_done(call, engine):
    (engine.root / "unreached.json").write_text("{")
    answer = call(work=no_work)
    assert "unreached.json is damaged" in answer["msg"]
