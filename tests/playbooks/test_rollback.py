# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""On a host with two engines the user says which one is meant."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest


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


def assessed(folder: Path, engine: str, *files: str) -> str:
    """The plan of an engine, which cannot be read, and files beside it."""
    for name in ("plan.json", *files):
        path = folder / "state" / engine / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{")
    return str(folder / "state" / engine / "plan.json")


def test_one_of_two_engines_is_named_by_its_plan(tmp_path):
    plan = assessed(tmp_path, "one", "journal/a.jsonl", "journal/b.jsonl")
    other = assessed(tmp_path, "two", "retired.json", "journal/a.jsonl")
    assessed(tmp_path, "three")
    assert f"set rollback_plan_path to one of {plan}, {other}." in rollback(tmp_path)
    assert f"{plan} is damaged" in rollback(tmp_path, rollback_plan_path=plan)


@pytest.mark.parametrize("moved", ["journal/a.jsonl", "retired.json"])
def test_an_engine_that_was_only_assessed_is_not_meant(tmp_path, moved):
    assessed(tmp_path, "one", "inventory.json", "kept/a.jsonl")
    plan = assessed(tmp_path, "two", "inventory.json", moved)
    assessed(tmp_path, "three")
    assert f"{plan} is damaged" in rollback(tmp_path)


def test_when_nothing_was_moved_any_engine_will_do(tmp_path):
    assert "Nothing was moved on this host" in rollback(tmp_path)
    plan = assessed(tmp_path, "one")
    assert f"{plan} is damaged" in rollback(tmp_path)
    assessed(tmp_path, "two")
    assert f"{plan} is damaged" in rollback(tmp_path)
