# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Back with what Docker had: what was written on Podman the second time is kept beside it."""

from __future__ import annotations

from ansible_collections.podshift.docker_to_podman.lab.shared import checks


def test_what_podman_had_is_kept_whole(host):
    newest = host.check_output(f"ls -d {checks.STATE_DIR}/*/kept/blog-*").split()[-1]
    assert written(host, f"{newest}/podman") == 2
    assert written(host, "/var/lib/docker/volumes") == 1


def written(host, folder: str) -> int:
    """How many notes written on Podman are in the tables of PostgreSQL."""
    tables = f"find {folder} -path '*/base/*' -type f -print0"
    return int(host.check_output(f"{tables} | xargs -0 grep -ahoF '{checks.WRITTEN_BETWEEN}' | wc -l"))
