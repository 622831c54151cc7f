# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A volume whose folder was moved elsewhere is found before anything is done, with the lines that mend it."""

from __future__ import annotations

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._inventory import volume_links
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.translate import make_plan
from ansible_collections.podshift.docker_to_podman.tests.unit.plugins.documents import (
    container,
    inventory,
    volume_mount,
)


@pytest.mark.parametrize(
    ("link", "real"),
    [("volumes/v/_data", "data"), ("volumes/v", "elsewhere"), ("volumes", "all"), ("", "root"), (None, "")],
)
def test_the_link_is_found_wherever_it_is_but_for_the_data_root(tmp_path, link, real):
    root, there = tmp_path / "docker", tmp_path / real
    if link is None:
        (root / "volumes/v/_data").mkdir(parents=True)
    else:
        (there / "v" / "_data").mkdir(parents=True)
        (root / link).parent.mkdir(parents=True, exist_ok=True)
        (root / link).symlink_to(there)
    folder = str(root / "volumes/v/_data")
    found = volume_links.look([{"Mountpoint": folder}, {"Mountpoint": "/mnt/plugin"}, {}], str(root))
    assert found == ({folder: {"link": str(root / link), "real": str(there)}} if link else {})


def plan(found, rules=None, options=None):
    known = inventory([container(Mounts=[volume_mount("v")]), container("db", Mounts=[volume_mount("v", "/db")])])
    known["volumes"][0]["Options"] = options
    known["host"] = {"volume_links": found}
    return make_plan(known, rules, "5.4.2")


FOLDER = "/var/lib/docker/volumes/v/_data"
LINK = {FOLDER: {"link": "/var/lib/docker/volumes", "real": "/mnt/big disk"}}


@pytest.mark.parametrize("strategy", ["copy", "adopt"])
def test_such_a_volume_is_a_blocker_with_the_lines_to_run(strategy):
    made = plan(LINK, {"strategy": strategy})
    (finding,) = [item for item in made["findings"] if item["code"] == "volume-link"]
    assert (finding["severity"], finding["subject"], made["workloads"]) == ("blocker", "v", [])
    assert "the link /var/lib/docker/volumes, which leads to /mnt/big disk" in finding["message"]
    for line in (
        "stop db, web and Docker",
        "rm /var/lib/docker/volumes && mkdir /var/lib/docker/volumes && mount --bind '/mnt/big disk' /var/lib/docker/volumes,",
        "'/mnt/big\\040disk /var/lib/docker/volumes none bind 0 0'",
    ):
        assert line in finding["remedy"]


@pytest.mark.parametrize(
    ("found", "options"),
    [({}, None), (None, None), ({FOLDER: None}, None), (LINK, {"type": "none", "device": "/srv", "o": "bind"})],
)
def test_others_are_none(found, options):
    assert "volume-link" not in {item["code"] for item in plan(found, options=options)["findings"]}
