# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A shim that a killed dockerd has left keeps Docker from starting its container."""

from __future__ import annotations

import subprocess

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._host import shims

ID = "37759c829919cf4b28dfa98f761b28913d34339a5c4d574c287f15efdfc7e644"


@pytest.fixture
def begin(tmp_path):
    """Begin a program under a name, with these arguments; it has a child or not."""
    begun = []

    def begin(name, *arguments, has_child=False):
        script = tmp_path / name
        script.write_text("#!/bin/bash\necho ready\n" + ("sleep 60; true" if has_child else "read -t 60 <> <(:)"))
        argv = ["bash", "-c", 'exec -a "$0" bash "$1" "${@:2}"', name, str(script), *arguments]
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, start_new_session=True)
        process.stdout.readline()
        begun.append(process)
        return process

    yield begin
    for process in begun:
        subprocess.run(["pkill", "--signal", "KILL", "--session", str(process.pid)], check=False)
        process.wait()


def test_it_is_ended_with_nothing_below_it(begin):
    left = begin("containerd-shim-runc-v2", "-namespace", "moby", "-id", ID)
    assert shims.end_deserted(ID)
    assert left.wait(5) == -9
    assert not shims.end_deserted(ID)


def test_others_are_left_alone(begin):
    others = [
        begin("containerd-shim-runc-v2", "-namespace", "moby", "-id", ID, has_child=True),
        begin("containerd-shim-runc-v2", "-namespace", "moby", "-id", "f" * 64),
        begin("containerd-shim-runc-v2", "-address", ID),
        begin("backup", "-id", ID),
    ]
    assert not shims.end_deserted(ID)
    assert [process.poll() for process in others] == [None] * 4
