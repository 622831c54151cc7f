# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Docker is not through with a container when the kernel is."""

from __future__ import annotations

import errno

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._control_groups import events_of, is_deserted

V2 = "0::/system.slice/docker-ab12.scope\n"
V1 = "12:pids:/docker/ab12\n1:name=systemd:/docker/ab12\n0::/docker/ab12\n"


@pytest.fixture
def host(tmp_path):
    """A host with one container, whose first process is 7."""
    (tmp_path / "proc" / "7").mkdir(parents=True)
    (tmp_path / "proc" / "7" / "cgroup").write_text(V2)
    group = tmp_path / "cgroup" / "system.slice" / "docker-ab12.scope"
    group.mkdir(parents=True)
    (group / "cgroup.events").write_text("populated 1\nfrozen 0\n")
    return tmp_path


def seen(host, pid=7):
    return events_of(pid, str(host / "proc"), str(host / "cgroup"))


def test_its_processes_end_and_its_group_goes(host):
    events = seen(host)
    assert not is_deserted(events)
    events.write_text("populated 0\nfrozen 0\n")
    assert is_deserted(events)
    events.unlink()
    assert is_deserted(events)


def test_a_group_that_goes_while_it_is_read_has_nobody(host):
    class Going(type(host)):
        def read_text(self, encoding):
            raise OSError(errno.ENODEV, "No such device")

    assert is_deserted(Going(seen(host)))


@pytest.mark.parametrize("cgroup", [V1, "0::/\n", "", "0::/elsewhere\n"])
def test_where_the_kernel_does_not_say_nobody_is_taken_for_gone(host, cgroup):
    (host / "proc" / "7" / "cgroup").write_text(cgroup)
    assert seen(host) is None
    assert not is_deserted(None)


def test_a_container_that_does_not_run_has_no_group(host):
    assert seen(host, 0) is None


def test_what_cannot_be_read_is_an_error(host):
    events = seen(host)
    events.unlink()
    events.mkdir()
    with pytest.raises(OSError, match="directory"):
        is_deserted(events)
