# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What did not get ready is explained by its log, which shows no value of an environment."""

from __future__ import annotations

import os
import time

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._common import deadlines
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._common.deadlines import Deadline
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._common.errors import UserError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._podman import units
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._workload import readiness, wait_podman

SECRET = "correct-horse-battery-staple"
PEM = "-----BEGIN KEY-----\nAAAABBBBCCCC\nDDDDEEEEFFFF\n-----END KEY-----"


class Docker:
    def inspect(self, _container):
        return {
            "Config": {
                "Env": [
                    "PASSWORD=" + SECRET,
                    "KEY=" + PEM,
                    "DB_PASSWORD=pass1",
                    "PIN=4711",
                    "LEVEL=info",
                    "EMPTY_TOKEN=",
                ],
                "Cmd": ["serve", "--api-key", "k-17", "--level", "info", "--token=t18"],
                "Labels": {"app.secret": "s-19", "app.tier": "info"},
            }
        }


RECORD = {"containers": [{"id": "a"}], "secrets": [{"container": "web", "env": "PIN"}], "rules": ["LICENCE"]}


@pytest.mark.parametrize(
    "log",
    [
        # Only so many characters of a log are shown: a value must not be cut before it is found.
        "password=" + SECRET + "\n" + "y" * (4000 - len("battery-staple\n")),
        # And only so many lines: of a value of many, perhaps the last ones.
        "DDDDEEEEFFFF\n-----END KEY-----\n" + "z\n" * 47,
    ],
)
def test_no_part_of_a_value_is_shown(monkeypatch, log):
    monkeypatch.setattr(units, "journal_tail", lambda *_service: log.split("\n"))
    lack = readiness.Lack("web.service is failed", "web.service")
    error = wait_podman._not_ready(RECORD, Docker(), [lack], "will not come up", 0)
    assert "staple" not in str(error)
    assert "DDDDEEEEFFFF" not in str(error)


@pytest.mark.parametrize("log", ["\x1b[2Jsaid \x1b]0;x\x07it", "\x1b[31msaid it\x1b[0m"])
def test_a_log_is_shown_as_text(monkeypatch, log):
    monkeypatch.setattr(units, "journal_tail", lambda *_service: [log])
    lack = readiness.Lack("web.service is failed", "web.service")
    error = wait_podman._not_ready(RECORD, Docker(), [lack], "will not come up", 0)
    assert str(error).endswith("web.service:\nsaid it")


def test_a_secret_is_hidden_also_where_a_colour_stands_in_it(monkeypatch):
    coloured = SECRET[:5] + "\x1b[31m" + SECRET[5:]
    monkeypatch.setattr(units, "journal_tail", lambda *_service: [coloured])
    lack = readiness.Lack("web.service is failed", "web.service")
    assert "staple" not in str(wait_podman._not_ready(RECORD, Docker(), [lack], "will not come up", 0))


def test_short_secrets_are_hidden_and_short_values_are_not(monkeypatch):
    """The PIN is one by a rule of the policy."""
    monkeypatch.setattr(units, "journal_tail", lambda *_service: ["info: pass1, 4711, k-17, t18 and s-19 refused"])
    lack = readiness.Lack("web.service is failed", "web.service")
    error = wait_podman._not_ready(RECORD, Docker(), [lack], "will not come up", 0)
    assert "info: ********, ********, ********, ******** and ******** refused" in str(error)


@pytest.mark.parametrize(
    "words",
    [
        {"Cmd": ["postgres://reader:pass-9@db/x"]},
        {"Cmd": ["sh", "-c", "exec serve --password pass-9 --verbose"]},
        {"Cmd": ["sh", "-c", "serve --password='pass-9' --verbose"]},
        {"Cmd": ["sh", "-c", "it's --password=pass-9"]},
        {"Cmd": ["serve", "--licence", "pass-9"]},
        {"Entrypoint": ["serve", "--dsn=postgres://reader:pass-9@db/x"]},
        {"Healthcheck": {"Test": ["CMD-SHELL", "curl http://reader:pass-9@localhost/"]}},
        {"Labels": {"proxy": "http://reader:pass-9@proxy/"}},
    ],
)
def test_what_arguments_say_that_is_secret_is_hidden(monkeypatch, words):
    monkeypatch.setattr(units, "journal_tail", lambda *_service: ["refused for pass-9"])
    monkeypatch.setattr(Docker, "inspect", lambda *_container: {"Config": words})
    lack = readiness.Lack("web.service is failed", "web.service")
    assert "pass-9" not in str(wait_podman._not_ready(RECORD, Docker(), [lack], "will not come up", 0))


@pytest.mark.parametrize(
    ("waited", "looked", "seconds"),
    [
        (0.0, 0.001, 0.03),
        (0.2, 0.02, 0.04),
        (1.0, 0.02, 0.1),
        (10.0, 0.02, 1.0),
        (300.0, 0.02, 2.0),
        # A host that is so busy that looking takes a second.
        (1.0, 1.0, 2.0),
        (1.0, 5.0, 2.0),
    ],
)
def test_the_longer_it_takes_the_less_is_looked(waited, looked, seconds):
    assert wait_podman.pause(waited, looked) == pytest.approx(seconds)


def test_the_deadline_holds_also_while_a_program_that_is_asked_hangs(monkeypatch, tmp_path):
    answer = "Id=web.service\\nLoadState=loaded\\nActiveState=active\\nSubState=running\\nResult=success\\n"
    for name, body in {
        "podman": "sleep 45",
        "systemctl": "printf '{0}'".format(answer),
        "journalctl": "sleep 45",
    }.items():
        program = tmp_path / name
        program.write_text("#!/bin/sh\n{0}\n".format(body))
        program.chmod(0o755)
    monkeypatch.setenv("PATH", "{0}:{1}".format(tmp_path, os.environ["PATH"]))
    monkeypatch.setattr(wait_podman, "_LAST_LOOK", 0.5)
    monkeypatch.setattr(deadlines, "ROWS", [(("journalctl",), Deadline(0.3), ""), *deadlines.ROWS])
    container = {"name": "web", "id": "a", "service": "web.service", "running": True, "restarting": False}
    listening = {"listening": [], "health": False, "healthy": False}
    record = {**RECORD, "containers": [{**container, **listening}], "ports": [], "answered": [], "networks": []}
    record["units"], record["secrets"] = {"web.container": "[Container]\n"}, []
    began = time.monotonic()
    with pytest.raises(UserError, match=r"was not ready within 1 s on Podman: podman did not finish within 1 s"):
        wait_podman.wait(record, None, Docker(), 1.0)
    assert time.monotonic() - began < 4
