# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""migration_plan as Ansible calls it: what it prints is what leaves the target."""

from __future__ import annotations

import json

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.masking import NOT_SHOWN
from ansible_collections.podshift.docker_to_podman.plugins.modules import migration_plan
from ansible_collections.podshift.docker_to_podman.tests.unit.plugins import fake_module
from ansible_collections.podshift.docker_to_podman.tests.unit.plugins.documents import inventory, service

FIRST, SECOND = "hunter22first", "hunter33second"


def host(secret):
    check = {"Test": ["CMD", "ping", secret]}
    return inventory([service("blog", "web", Config__Env=["DB_PASSWORD=" + secret], Config__Healthcheck=check)])


@pytest.fixture
def call(monkeypatch, capsys):
    """Run the module; returns all that it prints, as JSON."""

    def run(**arguments):
        fake_module.give(monkeypatch, {"podman_version": "5.4.2", **arguments})
        with pytest.raises(SystemExit):
            migration_plan.main()
        return json.loads(capsys.readouterr().out)

    return run


def test_nothing_that_it_prints_has_a_secret_not_even_its_arguments(call, tmp_path):
    answer = call(inventory=host(FIRST), plan_path=str(tmp_path / "plan.json"), _ansible_diff=True)
    assert FIRST not in json.dumps(answer)
    assert answer["invocation"]["module_args"]["inventory"] == "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
    assert "workload blog (single)" in " ".join(answer["report"])
    assert FIRST in (tmp_path / "plan.json").read_text()
    assert (tmp_path / "plan.json").stat().st_mode & 0o777 == 0o600


def test_an_inventory_that_is_none_is_not_quoted_with_its_secrets(call):
    answer = call(inventory={**host(FIRST), "format": "x" + FIRST})
    assert answer["failed"]
    assert answer["msg"] == "format: the inventory has format 'x********', this version reads 1."


def test_what_a_former_plan_held_is_not_shown_either(call, tmp_path):
    path = str(tmp_path / "plan.json")
    call(inventory=host(FIRST), plan_path=path)
    answer = call(inventory=host(SECOND), plan_path=path)
    assert answer["changed"]
    assert FIRST not in json.dumps(answer)
    assert SECOND not in json.dumps(answer)


def test_a_plan_of_an_earlier_version_is_written_anew(call, tmp_path):
    path = tmp_path / "plan.json"
    call(inventory=host(FIRST), plan_path=str(path))
    earlier = json.loads(path.read_text())
    del earlier["workloads"][0]["shown"]
    path.write_text(json.dumps(earlier))
    answer = call(inventory=host(FIRST), plan_path=str(path))
    assert (answer["changed"], NOT_SHOWN in answer["diff"]["before"]) == (True, True)
    assert FIRST not in json.dumps(answer)
    assert not call(inventory=host(FIRST), plan_path=str(path))["changed"]


def test_what_is_revealed_is_complete(call):
    answer = call(inventory=host(FIRST), reveal=True)
    assert FIRST in json.dumps(answer["plan"])
    assert FIRST not in json.dumps(answer["report"])
