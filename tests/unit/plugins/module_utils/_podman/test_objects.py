# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Podman that fails has not said that there is nothing: what it still has would be left behind."""

from __future__ import annotations

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._common.command import CommandError, Completed
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._common.errors import UserError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._podman import objects

READ_ONLY = Completed(125, "", "Error: open /var/lib/containers/storage/storage.lock: read-only file system")


@pytest.fixture
def podman(monkeypatch):
    """What it answers, by subcommand."""
    answers = {}

    def run(argv, check=True):
        answer = answers[argv[2]]
        if check and answer.rc:
            raise CommandError(answer.stderr)
        return answer

    monkeypatch.setattr(objects, "run", run)
    return answers


@pytest.mark.parametrize(
    ("inspect", "names", "owner"),
    [
        (Completed(0, "c1\n", ""), "", "c1"),
        (Completed(0, "\n", ""), "", ""),
        (Completed(125, "", "no such secret"), "db-PASSWORD2\nother\n", None),
    ],
)
def test_the_owner_of_a_secret(podman, inspect, names, owner):
    podman.update(inspect=inspect, ls=Completed(0, names, ""))
    assert objects.owner_of_secret("db-PASSWORD") == owner


@pytest.mark.parametrize("names", [READ_ONLY, Completed(0, "db-PASSWORD\n", "")], ids=["all fails", "one fails"])
def test_a_podman_that_fails_knows_no_owner(podman, names):
    podman.update(inspect=READ_ONLY, ls=names)
    with pytest.raises(CommandError, match="read-only file system"):
        objects.owner_of_secret("db-PASSWORD")


@pytest.mark.parametrize(("code", "is_there"), [(0, True), (1, False)])
def test_a_network_is_there_or_is_not(podman, code, is_there):
    podman["exists"] = Completed(code, "", "")
    assert objects.exists("network", "blog") is is_there


def test_a_podman_that_fails_does_not_know_its_networks(podman):
    podman["exists"] = READ_ONLY
    with pytest.raises(UserError, match="cannot tell whether there is a network blog: .*read-only file system"):
        objects.exists("network", "blog")
