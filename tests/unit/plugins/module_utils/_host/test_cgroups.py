# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Docker is not through with a container when the kernel is."""

from __future__ import annotations

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._host import cgroups
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._host.cgroups import is_deserted

SCOPE = "0::/system.slice/docker-ab12.scope"


@pytest.fixture
def host(tmp_path):
    """A host with a container ab12, whose first process is 7."""
    (tmp_path / "proc" / "7").mkdir(parents=True)
    (tmp_path / "proc" / "7" / "cgroup").write_text(SCOPE + "\n")
    (tmp_path / "proc" / "7" / "stat").write_text("7 (a (b) Z) S 1 7 7 0")
    group = tmp_path / "cgroup" / "system.slice" / "docker-ab12.scope"
    (group / "init.scope").mkdir(parents=True)
    for folder in (group, group / "init.scope"):
        (folder / "cgroup.events").write_text("populated 1\nfrozen 0\n")
    return tmp_path


def watch(host, pid=7, container="ab12"):
    return cgroups.watch(pid, container, str(host / "proc"), str(host / "cgroup"))


def test_its_processes_end_and_its_group_goes(host):
    watched = watch(host)
    assert not is_deserted(watched)
    watched.events.write_text("populated 0\nfrozen 0\n")
    # It still takes along what is in its namespace and in other groups.
    assert not is_deserted(watched)
    watched.stat.write_text("7 (a (b) S) Z 1 7 7 0")
    assert is_deserted(watched)
    watched.stat.unlink()
    watched.events.unlink()
    assert is_deserted(watched)


def test_what_its_siblings_write_counts_when_the_first_process_has_gone_to_a_group_of_its_own(host):
    (host / "proc" / "7" / "cgroup").write_text(SCOPE + "/init.scope\n")
    watched = watch(host)
    (host / "cgroup" / "system.slice" / "docker-ab12.scope" / "init.scope" / "cgroup.events").write_text(
        "populated 0\n"
    )
    watched.stat.unlink()
    assert not is_deserted(watched)
    watched.events.write_text("populated 0\n")
    assert is_deserted(watched)


@pytest.mark.parametrize(
    "cgroup",
    [
        "12:pids:/docker/ab12\n1:name=systemd:/docker/ab12\n0::/docker/ab12\n",
        "0::/\n",
        "",
        "0::/elsewhere/docker-ab12.scope\n",
        # The ID of another process, for a dockerd in another namespace.
        "0::/system.slice\n",
    ],
)
def test_where_the_kernel_does_not_say_nobody_is_taken_for_gone(host, cgroup):
    (host / "cgroup" / "system.slice" / "cgroup.events").write_text("populated 0\n")
    (host / "proc" / "7" / "cgroup").write_text(cgroup)
    assert watch(host) is None
    assert not is_deserted(None)


def test_a_container_that_does_not_run_has_no_group(host):
    assert watch(host, 0) is None


def test_what_cannot_be_read_is_an_error(host):
    watched = watch(host)
    watched.events.unlink()
    watched.events.mkdir()
    with pytest.raises(OSError, match="directory"):
        is_deserted(watched)


@pytest.mark.parametrize("top", ["", "/lab/try"], ids=["host", "machine without a namespace of groups"])
def test_processes_that_are_left_of_a_unit_are_found_wherever_its_group_is(tmp_path, top):
    groups = {
        1: "4:memory:/\n0::{0}/init.scope",
        20: "0::{0}/system.slice/web.service/libpod-payload-ab12",
        21: "4:memory:/\n0::{0}/custom.slice/custom-more.slice/db.service",
        22: "0::{0}/system.slice/web.service.d",
        23: "0::{0}/system.slice/web.service",
        24: "0::{0}/system.slice/other.service",
        # Units of machines and containers on this host.
        25: "0::{0}/lxc.payload.x/system.slice/web.service",
        26: "0::{0}/machine.slice/systemd-nspawn@x.service/payload/system.slice/web.service",
        27: "0::{0}/system.slice/docker-ab12.scope/system.slice/web.service",
        28: "0::/elsewhere/system.slice/web.service",
        29: "4:memory:/system.slice/web.service\n0::{0}/",
    }
    for pid, text in groups.items():
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "cgroup").write_text(text.format(top) + "\n")
        (tmp_path / str(pid) / "stat").write_text("{0} (x) {1} 1".format(pid, "Z" if pid == 23 else "D"))
    (tmp_path / "self").mkdir()
    (tmp_path / "30").mkdir()
    found = cgroups.processes_in(["web.service", "db.service"], str(tmp_path))
    assert found == [(20, "web.service"), (21, "db.service"), (29, "web.service")]
