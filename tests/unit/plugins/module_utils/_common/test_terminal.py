# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What other programs say reaches a terminal as text, and makes it do nothing."""

from __future__ import annotations

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._common.command import CommandError, run, watch
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._common.terminal import plain


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ready\n\tin 3 s, à bientôt ✓", "ready\n\tin 3 s, à bientôt ✓"),
        ("\x1b[1;31mERROR\x1b[0m no space", "ERROR no space"),
        ("\x1b]0;title\x07text\x1b]8;;http://x\x1b\\link", "textlink"),
        ("\x9b2Jgone", "gone"),
        ("\x1b[?25lhidden\x1b[2J", "hidden"),
        ("10%\r100%\r\ndone", "10%\ufffd100%\ndone"),
        ("a\x00b\x07c\x1bd\x7f", "a\ufffdb\ufffdc\ufffdd\ufffd"),
        ("user\u202etxt.exe", "user\ufffdtxt.exe"),
        ("\x1b]0;never ended", ""),
    ],
)
def test_only_text_is_left(text, shown):
    assert plain(text) == shown


def test_the_complaint_of_a_program_is_text():
    script = "printf '\\033[2Jno \\033]0;x\\007space\\000' >&2; exit 3"
    with pytest.raises(CommandError) as error:
        run(["sh", "-c", script])
    assert "no space" in str(error.value)
    assert "\x1b" not in str(error.value)
    assert "\x1b" not in watch(["sh", "-c", script], print).stderr
