# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first command: a plain inventory with the group docker_hosts, and nothing else. Each playbook works on that group, as
root, and says so when it is pointed at nobody."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import yaml

FOLDER = Path(__file__).parents[2] / "playbooks"
PLAYBOOKS = sorted(path.stem for path in FOLDER.glob("*.yml"))
HOSTS = """
[docker_hosts]
shop ansible_connection=local

[others]
bystander ansible_connection=local
"""
BECOME = """#!/bin/sh
echo become >> "$0.log"
while [ "${1#-}" != "$1" ]; do
    case $1 in -u) shift ;; esac
    shift
done
exec "$@"
"""
PLANS = ["-e", "assess_socket=/nowhere/docker.sock"]


@pytest.fixture
def play(tmp_path):
    """Run a playbook on the inventory; ``play.became`` tells whether anything became root."""
    (tmp_path / "hosts").write_text(HOSTS)
    become = tmp_path / "become"
    become.write_text(BECOME)
    become.chmod(0o755)
    state = [f"{role}_state_dir={tmp_path / 'state'}" for role in ("assess", "rollback", "docker_removal")]
    extra = [word for variable in state for word in ("-e", variable)]
    settings = {"ANSIBLE_BECOME_EXE": str(become), "ANSIBLE_BECOME_ALLOW_SAME_USER": "1"}

    def run(name: str, *words: str, hosts: Path = tmp_path / "hosts") -> tuple[int, str]:
        argv = ["ansible-playbook", "-i", str(hosts), f"podshift.docker_to_podman.{name}", *PLANS, *extra, *words]
        done = subprocess.run(
            argv, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False, env={**os.environ, **settings}
        )
        run.became = Path(f"{become}.log").exists()
        return done.returncode, " ".join((done.stdout + done.stderr).split())

    return run


@pytest.mark.parametrize("name", PLAYBOOKS)
def test_it_works_on_the_group_and_becomes_root(play, name):
    _code, said = play(name, "--check")
    assert play.became
    recap = said.rpartition("PLAY RECAP")[2]
    assert "shop :" in recap
    assert "bystander" not in recap
    assert "localhost" not in recap


@pytest.mark.parametrize("name", PLAYBOOKS)
def test_it_begins_with_the_look_for_its_hosts(name):
    first, second = yaml.safe_load((FOLDER / f"{name}.yml").read_text())
    assert first["ansible.builtin.import_playbook"] == "internal/require_hosts.yml"
    assert first["vars"]["hosts_wanted"] == second["hosts"]


@pytest.mark.parametrize(
    ("name", "words", "named"),
    [
        ("migrate", ["-e", "target=shpo"], "shpo"),
        ("assess", ["--limit", "bystander"], "docker_hosts within --limit bystander"),
        ("rollback", ["--limit", "bystander", "-e", "target=shop"], "shop within --limit bystander"),
    ],
)
def test_it_fails_when_it_is_pointed_at_nobody(play, name, words, named):
    code, said = play(name, *words)
    assert code != 0
    assert f"No host matches {named}; nothing was done" in said
    assert not play.became


def test_an_inventory_without_the_group_is_told_how_to_name_a_host(play, tmp_path):
    (tmp_path / "plain").write_text("shop ansible_connection=local\n")
    code, said = play("assess", hosts=tmp_path / "plain")
    assert code != 0
    assert "No host matches docker_hosts" in said
    assert "-e target=" in said


def test_a_host_by_its_name_is_enough(play):
    _code, said = play("assess", "-e", "target=bystander")
    recap = said.rpartition("PLAY RECAP")[2]
    assert "bystander :" in recap
    assert "shop :" not in recap
    assert play.became


def test_a_saved_inventory_needs_no_host(play, tmp_path):
    (tmp_path / "saved.json").write_text("[]")
    _code, said = play("assess", "-e", f"assess_inventory_file={tmp_path / 'saved.json'}")
    assert "localhost :" in said.rpartition("PLAY RECAP")[2]
    assert "No host matches" not in said
    assert not play.became
