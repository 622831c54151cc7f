# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unit files appear and vanish whole, and what systemd says of their services is understood."""

from __future__ import annotations

import os
import stat

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._common.command import Completed
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._podman import units
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._podman.units import Service, UnitError

SHOWN = """\
Result=success
NRestarts=0
ExecMainStatus=0
Id=redis.service
LoadState=loaded
ActiveState=active
SubState=running
FragmentPath=/run/systemd/generator/redis.service

Result=exit-code
NRestarts=3
ExecMainStatus=125
Id=blog-web-1.service
LoadState=loaded
ActiveState=activating
SubState=auto-restart
FragmentPath=/run/systemd/generator/blog-web-1.service
Job=411

Id=gone.service
LoadState=not-found
ActiveState=inactive
SubState=dead
"""


@pytest.fixture
def commands(monkeypatch):
    """Commands that were run, and what they answer: by the first two words."""
    ran, answers = [], {}

    def run(argv, check=True, timeout=None):
        ran.append(" ".join(argv))
        return answers.get(" ".join(argv[:2]), Completed(0, "", ""))

    monkeypatch.setattr(units, "run", run)
    return ran, answers


@pytest.mark.parametrize(
    ("unit", "service"),
    [
        ("redis.container", "redis.service"),
        ("blog.pod", "blog-pod.service"),
        ("blog_default.network", "blog_default-network.service"),
        ("blog_dbdata.volume", "blog_dbdata-volume.service"),
    ],
)
def test_the_name_of_a_service(unit, service):
    assert units.service_of(unit) == service


def test_a_file_that_a_unit_refers_to_lies_beside_it_and_has_no_service(tmp_path, commands):
    files = {"web.container": "[Container]\n", "web.seccomp.json": "{}\n"}
    units.install(files, str(tmp_path))
    assert units.read(files, str(tmp_path)) == files
    assert units.services_of(files) == ["web.service"]
    commands[1]["systemctl show"] = Completed(0, SHOWN.replace("redis", "web"), "")
    units.require_known(list(files))
    units.remove(files, str(tmp_path))
    assert os.listdir(str(tmp_path)) == []


@pytest.mark.parametrize(
    "unit",
    ["../../etc/passwd", "a.service", ".container", "a/b.container", "a.container\n", "-a.pod", "../a.seccomp.json"],
)
def test_a_hostile_name_becomes_no_file(unit, tmp_path, commands):
    with pytest.raises(UnitError, match="not the name of a Quadlet unit"):
        units.install({"good.container": "x", unit: "x"}, str(tmp_path))
    assert os.listdir(str(tmp_path)) == []


def test_units_are_written_for_root_alone_and_removed(tmp_path, commands):
    folder = tmp_path / "systemd"
    units.install({"redis.container": "[Container]\n", "d.volume": "[Volume]\n"}, str(folder))
    assert units.read(["redis.container", "d.volume", "none.pod"], str(folder)) == {
        "redis.container": "[Container]\n",
        "d.volume": "[Volume]\n",
    }
    assert stat.S_IMODE((folder / "redis.container").stat().st_mode) == 0o600
    (folder / "foreign.container").write_text("not ours")
    units.remove(["redis.container", "d.volume", "none.pod"], str(folder))
    assert os.listdir(str(folder)) == ["foreign.container"]
    assert commands[0] == [
        "systemctl daemon-reload",
        "systemctl daemon-reload",
        "systemctl reset-failed -- redis.service d-volume.service none-pod.service",
    ]
    units.remove(["profile.seccomp.json"], str(folder))
    assert commands[0][-1] == "systemctl daemon-reload", "without a name it would forget the failures of all units"


def test_what_systemd_shows():
    redis, web, gone = units.parse_services(SHOWN)
    assert redis.is_active
    assert (web.restarts, web.status, web.job, web.sub) == (3, 125, True, "auto-restart")
    assert (gone.load, gone.job, gone.path) == ("not-found", False, "")


@pytest.mark.parametrize(
    ("active", "sub", "job", "restarts", "status", "hopeless"),
    [
        ("active", "running", False, 0, 0, False),
        ("activating", "start", True, 0, 0, False),
        ("inactive", "dead", True, 0, 0, False),  # waits for another one
        ("inactive", "dead", False, 0, 0, True),  # ended, or its dependency failed
        ("failed", "failed", False, 0, 1, True),
        ("activating", "auto-restart", False, 7, 1, False),  # waits for its database, as under Docker
        ("activating", "auto-restart", False, 1, 125, False),
        ("activating", "auto-restart", False, 2, 125, True),  # Podman cannot run it
        ("activating", "auto-restart-queued", True, 2, 127, True),
    ],
)
def test_when_waiting_does_not_help(active, sub, job, restarts, status, hopeless):
    service = Service("a.service", active=active, sub=sub, job=job, restarts=restarts, status=status)
    assert service.is_hopeless is hopeless


def test_a_unit_that_quadlet_refuses_is_explained_without_its_values(commands):
    _ran, answers = commands
    said = "quadlet-generator[7]: Loading source unit file /etc/containers/systemd/web.container\n"
    said += "quadlet-generator[7]: converting \"web.container\": unsupported key 'Foo'\nother.container: no\n"
    answers["systemctl show"] = Completed(0, "Id=web.service\nLoadState=not-found\n", "")
    answers[units.GENERATOR + " --dryrun"] = Completed(1, 'Environment="PASSWORD=geheim"\n', said)
    with pytest.raises(UnitError) as error:
        units.require_known(["web.container"])
    assert "not-found; quadlet-generator[7]: converting" in str(error.value)
    assert "unsupported key 'Foo'" in str(error.value)
    assert "geheim" not in str(error.value)
    assert "other.container" not in str(error.value)


def test_a_unit_of_the_host_that_stands_before_ours_is_named(commands):
    shown = "Id=nginx.service\nLoadState=loaded\nFragmentPath=/usr/lib/systemd/system/nginx.service\n"
    commands[1]["systemctl show"] = Completed(0, shown, "")
    with pytest.raises(UnitError, match="/usr/lib/systemd/system/nginx.service"):
        units.require_known(["nginx.container"])


def test_a_service_that_does_not_stop_is_an_error(commands):
    commands[1]["systemctl show"] = Completed(0, "Id=web.service\nActiveState=deactivating\nSubState=stop\n", "")
    with pytest.raises(UnitError, match=r"web\.service is deactivating"):
        units.stop(["web.service"])
