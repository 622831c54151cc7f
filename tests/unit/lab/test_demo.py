# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo ends with a sentence, also when its machine does not come up."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[3] / "lab"))

import demo
from lablib import cache, instance, ssh

MACHINE = {
    "kind": "container",
    "address": "127.0.0.1",
    "port": 22,
    "user": "root",
    "identity_file": "/k",
    "forwards": {},
}


@pytest.fixture
def kinds(tmp_path, monkeypatch):
    """The kinds of machine that were asked for; none comes up."""
    asked = []

    def up(*_machine):
        asked.append(os.environ["PODSHIFT_LAB"])
        raise cache.LabError("No ssh within 600 s.")

    monkeypatch.setenv("PODSHIFT_LAB", "")
    monkeypatch.setenv("PODSHIFT_LAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(instance, "down", lambda _name: None)
    monkeypatch.setattr(instance, "up", up)
    return asked


@pytest.mark.parametrize(("given", "kind"), [("", "fastest"), ("vm", "vm")])
def test_it_takes_the_fastest_machine_and_says_why_none_came_up(kinds, monkeypatch, given, kind):
    monkeypatch.setenv("PODSHIFT_LAB", given)
    with pytest.raises(SystemExit, match=r"^demo: The machine did not come up\. No ssh within 600 s\.$"):
        demo.main()
    assert kinds == [kind]


@pytest.mark.parametrize(
    ("error", "sentence"),
    [(FileNotFoundError(2, "not there", "mmdebstrap"), "mmdebstrap"), (subprocess.CalledProcessError(5, ["cp"]), "cp")],
)
def test_other_errors_are_a_sentence_too(kinds, monkeypatch, error, sentence):
    def up(*_machine):
        raise error

    monkeypatch.setattr(instance, "up", up)
    with pytest.raises(SystemExit, match="^demo: .*" + sentence):
        demo.main()


def test_a_playbook_that_fails_is_named_with_the_way_into_the_machine(kinds, monkeypatch):
    monkeypatch.setattr(instance, "up", lambda *_machine: MACHINE)
    monkeypatch.setattr(ssh, "argv", lambda _port: ["true"])
    monkeypatch.setattr(demo.subprocess, "run", lambda argv, **_options: subprocess.CompletedProcess(argv, 2))
    with pytest.raises(SystemExit, match=r"^demo: The playbook .*prepare.yml failed with 2; (.|\n)*lab.py ssh demo"):
        demo.main()


def test_a_command_on_the_machine_that_fails_ends_the_demo(monkeypatch):
    monkeypatch.setattr(ssh, "argv", lambda _port: ["sh", "-c"])
    with pytest.raises(demo.Failed, match="`exit 3` failed with 3"):
        demo.on_machine(MACHINE, "exit 3")
