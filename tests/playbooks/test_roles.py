# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of the roles' tasks, with modules that answer what a test says."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
MODULE = "#!/usr/bin/python3\n# WANT_JSON\nprint({0!r})\n"


@pytest.fixture
def play(tmp_path):
    """Plays tasks of a role on this machine: whether that succeeded, and all that was said."""
    collections = tmp_path / "collections"
    collection = collections / "ansible_collections" / "podshift" / "docker_to_podman"
    (collection / "plugins" / "modules").mkdir(parents=True)
    (collection / "roles").symlink_to(ROOT / "roles")

    def run(role: str, tasks: str, modules: dict[str, Any], check: bool = False, **variables: str) -> tuple[bool, str]:
        for name, answer in modules.items():
            module = collection / "plugins" / "modules" / (name + ".py")
            module.write_text(MODULE.format(json.dumps(answer)))
        include = {"name": "podshift.docker_to_podman." + role, "tasks_from": tasks}
        tasks_of_play = [{"ansible.builtin.include_role": include, "vars": variables}]
        whole = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks_of_play}
        (tmp_path / "play.yml").write_text(json.dumps([whole]))
        argv = ["ansible-playbook", *(["--check"] if check else []), str(tmp_path / "play.yml")]
        environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(collections)}
        done = subprocess.run(
            argv, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False, env=environment
        )
        return not done.returncode, " ".join((done.stdout + done.stderr).split())

    return run


UNITS = [
    Path(folder, name)
    for folder in ("/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")
    for name in ("docker.service", "docker.socket")
]


@pytest.mark.skipif(any(unit.exists() for unit in UNITS), reason="Docker is installed here")
def test_a_docker_without_the_units_of_its_package_is_not_recorded_as_retired(play, tmp_path):
    arguments = {"cutover_plan_path": str(tmp_path / "plan.json")}
    answer = {"docker_residue": {"changed": False, "left": {"firewall": []}}}
    done, said = play("cutover", "retire.yml", answer, check=True, **arguments)
    assert not done
    assert "Docker is not retired, because" in said
    # After remove_docker.yml there are none, and nothing is left to do.
    (tmp_path / "retired.json").write_text('{"format": 1}\n')
    done, said = play("cutover", "retire.yml", answer, check=True, **arguments)
    assert done, said


def assessed(tmp_path: Path, **more: Any) -> dict[str, Any]:
    """What docker_inventory says in check mode of a host that was never assessed, and the copy that it makes."""
    copy = tmp_path / "scratch" / "inventory.json"
    copy.parent.mkdir()
    copy.write_text("{}")
    return {
        "changed": True,
        "inventory_path": str(copy),
        "state_path": str(tmp_path / "state"),
        "retired": False,
        "containers": [],
        "workloads": [],
        "podman": {"installed": "5.4.2", "candidate": None},
        "dockerds": [],
        **more,
    }


def test_an_assessment_that_fails_leaves_no_copy_of_check_mode(play, tmp_path):
    answers = {"docker_inventory": assessed(tmp_path), "migration_plan": {"failed": True, "msg": "oops"}}
    done, said = play("assess", "host.yml", answers, check=True)
    assert not done
    assert "oops" in said
    assert not (tmp_path / "scratch").exists()


def test_an_assessment_that_reads_nothing_says_only_that(play):
    done, said = play("assess", "host.yml", {"docker_inventory": {"failed": True, "msg": "oops"}}, check=True)
    assert not done
    assert "oops" in said
    assert said.count("fatal:") == 1


def test_a_removal_that_refuses_leaves_no_copy_of_check_mode(play, tmp_path):
    answers = {"docker_inventory": assessed(tmp_path), "docker_residue": {"changed": False}}
    done, said = play("docker_removal", "main.yml", answers, check=True)
    assert not done
    assert "it is not retired yet. Run the playbook migrate.yml first. Nothing was removed." in said
    assert not (tmp_path / "scratch").exists()


def test_nothing_is_removed_while_any_dockerd_runs(play, tmp_path):
    mine = ["process 7 in /user.slice/user-1000.slice/user@1000.service/app.slice/docker.service"]
    state = str(tmp_path / "state")
    answer = assessed(tmp_path, retired=True, inventory_path=state + "/inventory.json", dockerds=mine)
    answers = {"docker_inventory": answer, "docker_residue": {"changed": False}}
    done, said = play("docker_removal", "main.yml", answers, check=True)
    assert not done
    assert f"because dockerd runs there: {mine[0]}." in said
    assert "Remove the packages" not in said
