# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which workloads are still Docker's."""

from __future__ import annotations

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._state.engine_state import open_engine
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._state.journal import append_journal
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._state.ownership import load, owners
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._state.records import StateError, write_json

PLAN = {
    "format": 1,
    "engine": {"id": "e1", "data_root": "/var/lib/docker"},
    "workloads": [
        {"name": "blog", "containers": [{"name": "blog-web-1", "id": "11"}, {"name": "blog-db-1", "id": "22"}]},
        {"name": "cache", "containers": [{"name": "cache", "id": "33"}]},
        {"name": "mail", "containers": [{"name": "mail", "id": "44"}]},
    ],
}


def names(owned):
    return [item["name"] for item in owned.docker], [item["name"] for item in owned.podman]


@pytest.fixture
def engine(tmp_path):
    return open_engine(str(tmp_path), "e1", "/run/docker.sock")


def commit(engine, name, *containers, goal="podman"):
    data = {"goal": goal, "containers": list(containers)}
    event = {"plan": "h", "time": "t", "step": "commit", "event": "commit", "data": data}
    append_journal(engine.journal_path(name), event)


def test_everything_is_docker_s_before_the_first_commit(engine):
    assert names(owners(PLAN, engine)) == (["blog", "cache", "mail"], [])
    assert names(owners(PLAN, engine, ["mail"])) == (["mail"], [])


def test_committed_workloads_are_podman_s_until_they_are_committed_to_docker(engine):
    commit(engine, "cache", "33")
    assert names(owners(PLAN, engine)) == (["blog", "mail"], ["cache"])
    assert names(owners(PLAN, engine, ["cache"])) == ([], ["cache"])
    append_journal(engine.journal_path("cache"), {"event": "rollback", "data": {}})
    assert names(owners(PLAN, engine)) == (["blog", "mail"], ["cache"])
    commit(engine, "cache", goal="docker")
    assert names(owners(PLAN, engine)) == (["blog", "cache", "mail"], [])


def test_a_moved_container_makes_its_workload_podman_s_under_any_name(engine):
    commit(engine, "former-name", "22")
    assert names(owners(PLAN, engine)) == (["cache", "mail"], ["blog"])


def test_a_workload_that_the_plan_does_not_have_is_an_error(engine):
    with pytest.raises(StateError, match="The plan has no workload shop"):
        owners(PLAN, engine, ["blog", "shop"])


def test_the_records_lie_beside_the_plan_or_where_the_engine_has_them(engine, tmp_path):
    write_json(engine.plan_path, PLAN)
    assert load(str(engine.plan_path), "/nowhere")[1].root == engine.root
    write_json(tmp_path / "scratch" / "plan.json", PLAN)
    commit(engine, "cache", "33")
    plan, found = load(str(tmp_path / "scratch" / "plan.json"), str(tmp_path))
    assert names(owners(plan, found)) == (["blog", "mail"], ["cache"])


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"format": 1}, "does not name its engine"),
        ({"format": 1, "engine": {"id": "../e1"}}, "cannot be the name of a file"),
        ({"format": 2}, "is not a record of format 1"),
    ],
)
def test_a_plan_that_is_none_is_refused(tmp_path, document, said):
    write_json(tmp_path / "plan.json", document)
    with pytest.raises(StateError, match=said):
        load(str(tmp_path / "plan.json"), str(tmp_path))
