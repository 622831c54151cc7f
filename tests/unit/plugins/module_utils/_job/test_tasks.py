# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What long work answers, without secrets of the containers."""

from __future__ import annotations

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._common.errors import UserError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._common.progress import Progress
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._job import client, tasks
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.translate import make_plan
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._state.records import write_json
from ansible_collections.podshift.docker_to_podman.tests.unit.plugins.documents import container, inventory

SAYING = "systemd did not take web.service: bad word 'hunter22' or 'licence-4711' in HealthCmd="
SAID = "systemd did not take web.service: bad word '********' or '********' in HealthCmd="


@pytest.fixture
def given(tmp_path):
    """The arguments of work on a host whose container has two secrets, one by a rule of the policy."""
    policy = {"secrets": ["LICENCE"]}
    known = inventory([container(Config__Env=["DB_PASSWORD=hunter22", "LICENCE=licence-4711"])])
    write_json(tmp_path / "e1" / "plan.json", make_plan(known, policy, "5.4.2"))
    write_json(tmp_path / "e1" / "inventory.json", known)
    return {"plan_path": str(tmp_path / "e1" / "plan.json"), "state_dir": str(tmp_path)}


def test_an_error_does_not_quote_secrets(given, monkeypatch):
    def fail(*_given):
        raise UserError(SAYING)

    monkeypatch.setitem(tasks.WORK, "volumes", fail)
    assert tasks.answer("volumes", given, False, Progress()) == {"error": SAID}
    with pytest.raises(client.JobError) as error:
        client.call("volumes", given, check=True)
    assert str(error.value) == SAID


def test_nor_does_the_reason_of_a_workload(given, monkeypatch):
    found = {"changed": False, "workloads": [{"name": "web", "reason": SAYING}, {"name": "db", "reason": ""}]}
    monkeypatch.setitem(tasks.WORK, "workloads", lambda *_given: found)
    answer = tasks.answer("workloads", given, False, Progress())["result"]
    assert [item["reason"] for item in answer["workloads"]] == [SAID, ""]


def test_without_a_plan_an_error_says_what_it_says(tmp_path):
    missing = {"plan_path": str(tmp_path / "plan.json"), "state_dir": str(tmp_path), "workloads": []}
    assert "does not exist; run the role assess first." in tasks.answer("images", missing, True, Progress())["error"]
