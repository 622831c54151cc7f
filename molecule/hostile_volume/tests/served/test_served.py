# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The copy is what the container left, and nothing more."""

from __future__ import annotations

COPY = "/var/lib/containers/storage/volumes/hostile/_data/"
COMPARED = "rsync --archive --hard-links --numeric-ids --checksum --delete --dry-run --itemize-changes"


def test_the_copy_is_docker_s(host):
    assert host.check_output(f"{COMPARED} /var/lib/docker/volumes/hostile/_data/ {COPY}") == ""
    assert int(host.check_output(f"find {COPY} | wc -l")) > 150


def test_nothing_of_the_host_is_in_it(host):
    assert host.run(f"grep --recursive --fixed-strings --file=/root/secret/key {COPY}").rc == 1


def test_the_rsyncs_are_those_that_differ(host):
    version = host.check_output("rsync --version").split()[2]
    assert (version < "3.5") == (host.backend.get_hostname() == "debian12")


def test_nothing_runs_on_or_stays_mounted(host):
    assert host.run("pgrep -x rsync").rc == 1
    assert host.run("grep -e hostile -e storage/volumes /proc/self/mountinfo").rc == 1
