# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""On a host with two engines the user says which one is meant."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path


def rollback(folder: Path, **variables: str) -> str:
    play = [
        {
            "hosts": "localhost",
            "connection": "local",
            "gather_facts": False,
            "roles": ["podshift.docker_to_podman.rollback"],
            "vars": {"rollback_state_dir": str(folder / "state"), **variables},
        }
    ]
    (folder / "play.yml").write_text(json.dumps(play))
    argv = ["ansible-playbook", "--check", str(folder / "play.yml")]
    done = subprocess.run(argv, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    assert done.returncode
    return " ".join((done.stdout + done.stderr).split())


def test_one_of_two_engines_is_named_by_its_plan(tmp_path):
    for engine in ("one", "two"):
        (tmp_path / "state" / engine).mkdir(parents=True)
        (tmp_path / "state" / engine / "plan.json").write_text("{")
    plan = str(tmp_path / "state" / "one" / "plan.json")
    assert "set rollback_plan_path to one of" in rollback(tmp_path)
    assert f"{plan} is damaged" in rollback(tmp_path, rollback_plan_path=plan)
