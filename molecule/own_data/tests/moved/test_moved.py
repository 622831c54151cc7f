# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""On Podman, and after every reboot: what was written into containers is there, and the adopted volume is the same one."""

from __future__ import annotations

from ansible_collections.podshift.docker_to_podman.lab.shared import checks


def test_everything_runs_on_podman(host):
    names = host.check_output("podman ps --format {{.Names}}").split()
    assert sorted(names) == ["adopted", "committed", "persisted"]
    assert checks.failed_units(host) == ""


def test_a_folder_of_the_container_is_a_volume_with_all_that_was_in_it(host):
    folder = host.check_output("podman volume inspect --format {{.Mountpoint}} persisted_srv-app")
    listing = host.check_output("cd %s && find . -printf '%%P %%y %%m %%U:%%G %%n %%l\\n' | sort", folder).split("\n")
    assert [line.strip() for line in listing][1:] == [
        "file f 4755 12:34 2",
        "link l 777 0:0 1 file",
        "second f 4755 12:34 2",
        "sub d 1770 0:0 2",
    ]
    assert host.check_output("stat --format=%%y %s/sub", folder).startswith("2001-02-03 04:05:06.123456789")
    assert host.check_output("podman exec persisted cat /srv/app/link") == "first"


def test_what_was_written_into_a_container_is_a_layer_of_its_image(host):
    assert host.check_output("podman exec committed cat /opt/tool/made") == "made"
    assert host.run("podman exec committed test -e /etc/debian_version").rc == 1
    image = host.check_output("podman inspect --format {{.Image}} committed")
    assert "correct-horse" not in host.check_output("podman image inspect %s", image)
    assert host.check_output("podman exec committed printenv TOKEN_PASSWORD") == "correct-horse"


def test_an_adopted_volume_is_the_same_folder_and_takes_what_is_written(host):
    assert checks.cached(host, "greeting") == "hello"
    assert host.check_output("stat --format=%i /var/lib/docker_adopted/adopted_data/") == host.check_output(
        "cat /root/inode"
    )
    assert "adopted_data" not in host.check_output("podman volume ls --quiet").split()
