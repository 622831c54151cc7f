# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""On Podman, and after every reboot: what was written into containers is there, and the adopted volume is the same one."""

from __future__ import annotations

from ansible_collections.podshift.docker_to_podman.lab.shared import checks


def test_everything_runs_on_podman(host):
    names = host.check_output("podman ps --format {{.Names}}").split()
    assert sorted(names) == ["adopted", "committed", "given", "inline-app-1", "persisted"]
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


def inside(host, container, command):
    return host.check_output("podman exec --user 0 {0} sh -c '{1}'".format(container, command))


def test_files_that_were_put_into_a_container_are_there_with_owner_and_mode(host):
    files = [("given", "/etc/put.conf"), ("inline-app-1", "/etc/app/app.conf"), ("inline-app-1", "/run/secrets/token")]
    found = [inside(host, name, "stat -c %u:%g:%a {0}".format(path)) for name, path in files]
    assert found == host.check_output("cat /root/put.stat").split()
    read = [inside(host, name, "cat " + path) for name, path in files]
    assert read == ["one", "mode = production", "correct-horse-token"]


def test_no_file_that_others_can_read_holds_them(host):
    found = "grep --recursive --files-with-matches correct-horse-token /etc /run/systemd /var/log || true"
    assert host.check_output(found) == ""


def test_an_empty_volume_keeps_its_owner_and_stays_empty(host):
    assert inside(host, "given", 'stat -c "%u:%g:%a" /srv; ls -A /srv') == "0:2000:2770"


def test_programs_see_what_they_saw_under_docker(host):
    effective, bounding = [
        int(inside(host, "given", "grep {0} /proc/1/status".format(key)).split()[1], 16) for key in ("CapEff", "CapBnd")
    ]
    assert (effective, bounding) == (0, 0xA80425FB | 1 << 12), "Docker's default set, and NET_ADMIN"
    environment = host.check_output("podman exec given cat /proc/1/environ").split("\0")
    assert "HOSTNAME=web" in environment
    assert not [entry for entry in environment if entry.startswith("container=")]
    assert inside(host, "given", "hostname; stat -c %a:%s /.dockerenv") == "web\n755:0"
