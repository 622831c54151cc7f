# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the text of a service to the argument vector that systemd executes, and to Podman's reading of that.

Stricter than systemd (man systemd.service, systemd.syntax): where it would warn and go on, take a second command, or
put in something from outside the unit, this raises ValueError, since the plan means every character literally.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

_BLANK = " \t\n\r"
_WORD = re.compile(rf"""(?:[^{_BLANK}"'\\]|\\.|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')+""")
_PIECE = re.compile(r"""\\.|"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|[^"'\\]+""")
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|([0-3][0-7]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))|[^\\]+")
_CHARACTERS = dict(zip("abfnrtvs\\\"'", "\a\b\f\n\r\t\v \\\"'", strict=True))


def lines(text: str) -> Iterator[tuple[str, str]]:
    """(key, value) of all sections; a backslash at the end of a line continues it, past comments too."""
    begun = ""
    for line in re.split("[\n\r]", text):
        line = line.lstrip(_BLANK)
        if line.startswith(("#", ";")):
            continue
        whole = begun + line
        if (len(whole) - len(whole.rstrip("\\"))) % 2:
            begun = whole[:-1] + " "
            continue
        begun = ""
        key, separator, value = whole.partition("=")
        if separator and not whole.startswith("["):
            yield key.strip(_BLANK), value.strip(_BLANK)


def words(value: str) -> list[str]:
    """A command line as words without quotes and escapes; specifiers and variables are still in them."""
    found, rest = [], value.lstrip(_BLANK)
    while rest:
        match = _WORD.match(rest)
        if match is None or rest[match.end() : match.end() + 1].strip(_BLANK):
            raise ValueError(f"unbalanced quotes or a lone backslash: {rest}")
        if match.group() == ";":
            raise ValueError(f"a second command begins: {rest}")
        found.append(";" if match.group() == r"\;" else _unquoted(match.group()))
        rest = rest[match.end() :].lstrip(_BLANK)
    return found


def _unquoted(raw: str) -> str:
    # \x and octal escapes are bytes: together they may be one character.
    return b"".join(_bytes(raw)).decode(errors="surrogateescape")


def _bytes(raw: str) -> Iterator[bytes]:
    for escape in _ESCAPE.finditer("".join(_without_quotes(raw))):
        hexadecimal, octal, short, long, letter = escape.groups()
        if letter and letter not in _CHARACTERS:
            raise ValueError(f"unknown escape sequence: {escape.group()}")
        byte, point = int(hexadecimal or octal or "1", 8 if octal else 16), int(short or long or "1", 16)
        if byte == 0 or point == 0:
            raise ValueError(f"a zero byte: {escape.group()}")
        if hexadecimal or octal:
            yield bytes([byte])
        else:
            yield (_CHARACTERS[letter] if letter else chr(point) if short or long else escape.group()).encode()


def _without_quotes(raw: str) -> Iterator[str]:
    """The pieces of a word. Escapes mean the same within quotes and without."""
    for piece in _PIECE.finditer(raw):
        double, single = piece.groups()
        yield piece.group() if double is None and single is None else double or single or ""


def expanded(word: str, service: str) -> str:
    """A word with the specifiers that Quadlet writes, and ``%%``."""
    known = {"%%": "%", "%n": service, "%N": service.rpartition(".")[0], "%t": "/run"}
    return re.sub("%.?", lambda found: _known(known, found.group(), word), word)


def _literal(word: str) -> str:
    return re.sub(r"\$[$]?", lambda found: _known({"$$": "$"}, found.group(), word), word)


def _known(table: Mapping[str, str], found: str, word: str) -> str:
    if found not in table:
        raise ValueError(f"systemd would expand {found} in {word}")
    return table[found]


def exec_start(text: str, service: str, key: str = "ExecStart") -> list[str]:
    """The argument vector of the one ExecStart= (or ExecStartPre=) of a service of that name."""
    values = [value for name, value in lines(text) if name == key]
    if len(values) != 1:
        raise ValueError(f"{service} has {len(values)} {key}=")
    vector = [_literal(expanded(word, service)) for word in words(values[0])]
    if not vector or not vector[0].startswith("/"):
        raise ValueError(f"{service}: {key}= does not begin with a path: {values[0]}")
    return vector


# Podman's flags that take a value only behind `=`, of those that the generators write.
_SWITCHES = {
    *("detach", "disable-dns", "ignore", "init", "internal", "ipv6", "no-healthcheck", "no-hosts", "privileged"),
    *("interactive", "oom-kill-disable", "publish-all", "read-only", "read-only-tmpfs", "replace", "rm", "tty"),
}
_SHORT = {"-d": "detach", "-v": "volume"}
_WITH_ACTION = ("network", "pod", "volume")


@dataclass(frozen=True)
class Command:
    """A call of Podman. verb: run, or like ``pod create``; options: flag without dashes -> its values in their order
    (``true`` for a bare switch); arguments: of run the image and the container's command, else names."""

    verb: str
    options: Mapping[str, Sequence[str]]
    arguments: Sequence[str]


def command(vector: Sequence[str]) -> Command:
    """Podman's reading of an argument vector. Options end at the first word that is none."""
    rest = list(vector[1:])
    verb = rest.pop(0)
    if verb in _WITH_ACTION:
        verb += " " + rest.pop(0)
    options: dict[str, list[str]] = {}
    while rest and rest[0].startswith("-"):
        flag, separator, value = rest.pop(0).partition("=")
        name = _SHORT.get(flag) or flag[2:]
        if not flag.startswith("--") and flag not in _SHORT:
            raise ValueError(f"unknown short flag: {flag}")
        if not separator:
            value = "true" if name in _SWITCHES else rest.pop(0)
        if not separator and value.startswith("--"):
            raise ValueError(f"--{name} took {value} for its value; when it takes none, it belongs to the switches")
        options.setdefault(name, []).append(value)
    return Command(verb, options, rest)


def creation(services: Mapping[str, str], service: str) -> Command:
    """The call that makes what a generated service stands for: its pod, or else its container, network or volume."""
    has_pod = any(key == "ExecStartPre" for key, _value in lines(services[service]))
    return command(exec_start(services[service], service, "ExecStartPre" if has_pod else "ExecStart"))
