# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who comes up at once is seen at once, and who takes long is left in peace."""

from __future__ import annotations

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._pace import pause


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
    assert pause(waited, looked) == pytest.approx(seconds)
