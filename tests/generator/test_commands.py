# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Command lines are read as systemd reads them, and systemd is asked."""

from __future__ import annotations

import re

import pytest

from ansible_collections.podshift.docker_to_podman.tests.generator import commands, oracle

LINES = [
    (r"""a "b c" 'd e' f"g h"i'j k'l""", ["a", "b c", "d e", "fg hij kl"]),
    (r"""'' "" x""", ["", "", "x"]),
    (r""" "a\"b'c" 'd\'e"f' \"\' """, ["a\"b'c", "d'e\"f", "\"'"]),
    (r"\a\b\f\n\r\t\v\\\s| \x41\101 \u00e9\U0001f600 \303\251\xc3\xa9", ["\a\b\f\n\r\t\v\\ |", "AA", "é😀", "éé"]),
    ("é 漢\u00a0字", ["é", "漢\u00a0字"]),
    (r"\; ;a a; ';'", [";", ";a", "a;", ";"]),
    ("%% 50%%N %n %N", ["%", "50%N", "case.service", "case"]),
    ("# *?[x]{a}~!&|<>()^=", ["#", "*?[x]{a}~!&|<>()^="]),
    ("a\\\n   # comment\n  b \\\n c", ["a", "b", "c"]),
    ("a\\\\\\\\", ["a\\\\"]),
    (r"\xff", ["\udcff"]),
]
REFUSED = {
    '"unbalanced': "unbalanced",
    "a'b": "unbalanced",
    r"\d": "unknown escape",
    r"\x4": "unknown escape",
    r"\400": "unknown escape",
    r'"\x00"': "zero byte",
    r"\u0000": "zero byte",
    "a ; b": "second command",
    "%z": "systemd would expand %z",
}


def service(*command_lines: str) -> str:
    return "[Service]\nType=oneshot\n" + "".join(f"ExecStart=/usr/bin/podman {line}\n" for line in command_lines)


def printed(command_line: str) -> list[str]:
    """Words of what systemd prints: a shell's quotes, where ``$`` and the backquote are escaped besides."""
    return commands.words(re.sub(r"\\(\\|[$`])", lambda found: found[1] if found[1] != "\\" else "\\\\", command_line))


@pytest.mark.parametrize(("line", "expected"), LINES)
def test_a_line_is_split_into_words(line, expected):
    assert commands.exec_start(service(line), "case.service") == ["/usr/bin/podman", *expected]


def test_systemd_splits_them_alike():
    said = oracle.command_lines("ExecStart", "case.service", service(*(line for line, _expected in LINES)))
    assert [printed(line)[1:] for line in said] == [expected for _line, expected in LINES]


@pytest.mark.parametrize("line", REFUSED)
def test_what_systemd_would_not_take_literally_is_refused(line):
    with pytest.raises(ValueError, match=REFUSED[line]):
        commands.exec_start(service(line), "case.service")


def test_systemd_does_not_take_them_either():
    units = {f"c{number}.service": service(line) for number, line in enumerate(REFUSED)}
    units = {name: text.replace("Type=oneshot\n", "") for name, text in units.items()}
    said = oracle.verify("trixie", units)
    assert {name for name in units if any(name in message for message in said)} == set(units)


@pytest.mark.parametrize(
    ("word", "literal"), [("$$", "$"), ("$$HOME", "$HOME"), ("a$$$$b", "a$$b"), ("$HOME", ""), ("a${X}", ""), ("$", "")]
)
def test_a_variable_is_refused_and_a_doubled_dollar_is_one(word, literal):
    if literal:
        assert commands.exec_start(service(word), "case.service")[1:] == [literal]
    else:
        with pytest.raises(ValueError, match="would expand"):
            commands.exec_start(service(word), "case.service")


@pytest.mark.parametrize("text", ["[Service]\n", service("a", "b"), "[Service]\nExecStart=-/usr/bin/podman\n"])
def test_a_service_has_one_command_that_is_a_path(text):
    with pytest.raises(ValueError, match="case.service"):
        commands.exec_start(text, "case.service")


def test_options_end_at_the_image():
    vector = ["podman", "run", "--rm", "-d", "--env", "A=1", "--env=B=2", "-v", "a:/b", "image", "--env", "C"]
    options = {"rm": ["true"], "detach": ["true"], "env": ["A=1", "B=2"], "volume": ["a:/b"]}
    assert commands.command(vector) == commands.Command("run", options, ["image", "--env", "C"])
    created = commands.command(["podman", "network", "create", "--ignore", "--subnet=::/64", "web"])
    assert created == commands.Command("network create", {"ignore": ["true"], "subnet": ["::/64"]}, ["web"])
    with pytest.raises(ValueError, match="unknown short flag: -x"):
        commands.command(["podman", "run", "-x", "image"])
    with pytest.raises(ValueError, match="--new took --env=A for its value"):
        commands.command(["podman", "run", "--new", "--env=A", "image"])
