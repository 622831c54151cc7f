# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""After Docker and its data were removed: the adopted volume was moved out before."""

from __future__ import annotations


def test_dockers_data_is_gone_and_the_adopted_volume_is_a_folder_of_its_own(host):
    assert not host.file("/var/lib/docker").exists
    adopted = host.file("/var/lib/docker_adopted/adopted_data")
    assert adopted.is_directory
    assert not adopted.is_symlink
