# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Units and crontabs that go by Docker are found before it goes."""

from __future__ import annotations

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._common.command import Completed
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._inventory import dependents

COMPOSE = """\
[Unit]
Requires=docker.service
After=docker.service
[Service]
Type=oneshot
RemainAfterExit=true
ExecStart=/usr/bin/docker compose --project-directory /srv/blog up --detach
ExecStop=/usr/bin/docker compose --project-directory /srv/blog down
[Install]
WantedBy=multi-user.target
"""


@pytest.fixture
def systemd(tmp_path, monkeypatch):
    """Two folders of units; what systemd says of each unit, by name."""
    states = {}

    def run(argv, timeout):
        assert argv[:2] == ["systemctl", "show"]
        shown = (
            "Id={0}\nActiveState={1}\nUnitFileState={2}\nTriggeredBy={3}".format(
                name, *states.get(name, ("inactive", "disabled", ""))
            )
            for name in argv[argv.index("--") + 1 :]
        )
        return Completed(0, "\n\n".join(shown) + "\n", "")

    monkeypatch.setattr(dependents, "run", run)
    folders = [tmp_path / "etc", tmp_path / "usr"]

    def write(path, text, *state):
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        if state:
            states[file.name] = state

    write.states = states
    write.found = lambda: dependents.units([str(folder) for folder in folders])
    return write


ACTIVE, ENABLED, TIMED, OFF = (
    ("active", "disabled", ""),
    ("inactive", "enabled", ""),
    ("inactive", "static", "backup.timer"),
    ("inactive", "disabled", ""),
)


@pytest.mark.parametrize(("state", "is_found"), [(ACTIVE, True), (ENABLED, True), (TIMED, True), (OFF, False)])
def test_a_unit_that_starts_or_removes_containers_is_found_while_anything_starts_it(systemd, state, is_found):
    systemd("etc/compose-blog.service", COMPOSE, *state)
    assert systemd.found() == ([{"name": "compose-blog.service", "calls": True, "is_tied": True}] if is_found else [])


@pytest.mark.parametrize(
    ("text", "calls", "is_tied"),
    [
        ("[Service]\nExecStart=-docker start db\n", True, False),
        ("[Service]\nExecStart=/bin/sh -c 'docker exec db pg_dump > /backup'\n", True, False),
        ("[Service]\nExecStartPre=/bin/true \\\n  && docker-compose up\n", True, False),
        ("[Service]\nExecStart=/usr/bin/agent\n[Unit]\nBindsTo=network.target docker.socket\n", False, True),
    ],
)
def test_in_whatever_way_it_needs_docker(systemd, text, calls, is_tied):
    systemd("etc/one.service", text, *ACTIVE)
    assert systemd.found() == [{"name": "one.service", "calls": calls, "is_tied": is_tied}]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("docker.service", COMPOSE),
        ("docker_to_podman-coexist.service", COMPOSE),
        ("agent.service", "[Unit]\nAfter=docker.service\n[Service]\nExecStart=/opt/docker/bin/agent --docker-socket\n"),
        ("agent.service", "[Unit]\nDescription=what docker run does\n# ExecStart=docker run\n"),
        ("agent.service", "[Service]\nExecStart=podman-docker x\n"),
        ("backup.service", "[Service]\nExecStart=restic backup /etc /srv/docker\nExecStartPre=mkdir -p /etc/docker\n"),
        ("runner.service", "[Service]\nExecStart=/usr/bin/runner --executor docker --name=docker\n"),
    ],
)
def test_what_does_not_is_left_out(systemd, name, text):
    systemd("etc/" + name, text, *ACTIVE)
    assert systemd.found() == []


def test_drop_ins_count_and_the_first_folder_decides(systemd):
    systemd("usr/agent.service", COMPOSE, *ACTIVE)
    systemd("etc/agent.service", "[Service]\nExecStart=/usr/bin/agent\n")
    assert systemd.found() == []
    systemd("usr/agent.service.d/docker.conf", "[Unit]\nRequires=docker.service\n")
    assert systemd.found() == [{"name": "agent.service", "calls": False, "is_tied": True}]


def test_of_a_template_the_instances_that_are_wanted(systemd):
    systemd("etc/compose@.service", COMPOSE)
    assert systemd.found() == []
    systemd("etc/multi-user.target.wants/compose@blog.service", COMPOSE)
    systemd.states["compose@blog.service"] = ENABLED
    assert [unit["name"] for unit in systemd.found()] == ["compose@blog.service"]


def test_an_instance_with_a_file_of_its_own(systemd):
    systemd("etc/compose@blog.service", COMPOSE, *ENABLED)
    assert [unit["name"] for unit in systemd.found()] == ["compose@blog.service"]
    systemd("etc/compose@.service", COMPOSE)
    systemd("etc/multi-user.target.wants/compose@blog.service", COMPOSE)
    systemd("etc/compose@blog.service", "[Service]\nExecStart=/usr/bin/true\n", *ENABLED)
    assert systemd.found() == []


def test_crontabs_that_call_docker(tmp_path):
    for name, text in (
        ("a", "# docker ps\n@daily root /usr/bin/docker exec db pg_dump\n"),
        ("b", "@daily root tar /var/lib/docker-backup && rsync -a /srv/docker host:\n"),
        ("c", "#!/bin/sh\ncd /srv && docker-compose restart\n"),
        ("a b", "@daily root docker ps\n"),
    ):
        (tmp_path / name).write_text(text)
    (tmp_path / "folder").mkdir()
    assert dependents.crontabs([str(tmp_path / "*"), "/nowhere/*"]) == [str(tmp_path / "a"), str(tmp_path / "c")]
