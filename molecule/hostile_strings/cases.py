# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers full of strings that some quoting on the way gets wrong; pure, the same on every machine for one seed.

Bytes that are not UTF-8 are missing: they cannot come through the JSON of Docker's API.
"""

from __future__ import annotations

import os
import random
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

IMAGE = "blog/app:1"
NETWORK = "hostile"
ROOT = "/srv/hostile"
"""On the machine: one folder for each container, which is its /probe."""

PROBE = ["python3", "/probe/probe"]
CHECK = "/probe/is well"
"""The probe as a health check: a program whose own path has a blank."""
SKIP = 2
"""What stands before the strings in the argument vector of both: the interpreter and the script."""
UNSET = "PYTHONUNBUFFERED"
"""A variable of the image that a container takes away."""

STRINGS: tuple[str, ...] = (
    # What ends a list or a command.
    *("", ";", ";;", "a;b", "a ; touch /pwned", "; touch /pwned", "\\;", "| touch /pwned", "&& touch /pwned"),
    # What systemd, a shell, Go's templates and Jinja expand.
    *("%", "%%", "%n", "100%", "%h/%i", "%{x}", "%%n", "$", "$$", "$HOME", "${HOME}", "$$HOME", "a$", "${HOME:-a b}"),
    *("$(touch /pwned)", "`touch /pwned`", "> /pwned", "~", "*", "?", "[a-z]", "{a,b}", "!vault", "{{.Name}}", "{#"),
    *("{{ lookup('pipe', 'touch /pwned') }}", "{% raw %}"),
    # Quotes and backslashes.
    *("'", "''", "it's", "'a b'", "'a", "a'", '"', '""', '"a b"', '"a', 'a"', 'a"b"c', "'\"'\"'", "\"'", "a 'b \"c"),
    *("\\", "\\\\", "a\\", "\\a", "a\\ b", "\\n", "\\t\\r", "\\x41\\u0042", "\\d+\\.\\$", "C:\\dir\\", '\\"', '"\\'),
    # Line breaks and other control characters.
    *("\n", "a\nb", "\na", "a\n", "\n\n", "\\\n", "a\\\nb", "\t", "a\tb", "\r", "a\r\nb", "a\r", "\x1b[31m", "\x7f"),
    *("".join(map(chr, [*range(1, 32), 127])), "\x9b31m", "\x85", "\u2028\u2029", "\u200b", "\ufeff", "\u00a0"),
    # Letters of many kinds.
    *("é", "e\u0301", "Grüße", "你好", "👩‍👩‍👧‍👦", "🏴\u200d☠️", "\u202eשלום\u202c", "مرحبا", "\ufffd"),
    # Blanks at the ends.
    *(" ", "  ", " a", "a ", " a  b ", "\ta\t", "\u00a0a\u00a0", "\u3000"),
    # Comments, sections and keys of units.
    *("#comment", "a #b", ";comment", "[Service]", "[Container]\nImage=pwned", "Image=pwned", "Exec=touch /pwned"),
    *("PodmanArgs=--privileged", "\nExecStartPost=/bin/touch /pwned"),
    "a\n[Service]\nExecStartPost=/bin/touch /pwned\n",
    # Options, assignments, prefixes of commands in units, other languages.
    *("-", "--", "-a", "--flag-like", "--env=A=b", "--name=pwned", "@a", "+a", "!a", "!!a", ":a", "|a", "<a>&amp;"),
    *("=", "==", "a=b", "=a", "a=", "a=b=c", "a,b", "a,b=c", "a:b", "a:b:ro", "type=bind", "0", "null", "true", "{}"),
    *('["a","b"]', '["CMD","a"]', '{"a": "b\\n"}', "/dev/null", "../../etc/passwd", "postgres://u:p%40@h/"),
)  # fmt: skip

UNFIT = ("\x80", "\ufdd0", "a\uffffb", "\U0010ffff")
"""What no unit can say: of U+0080 Quadlet makes one byte, and systemd ignores a line with a noncharacter.

Arguments, variables and health checks have another way into Podman; labels and paths have none.
"""

_ALPHABET: list[str] = [*map(chr, range(1, 128)), *"\"'\\%$; \n" * 8, *"äß€你👍\u0301\u202e\u00a0\u2028\ufeff"]
_RANDOM = 40
_LARGE = 100_000
_LARGE_MIX = "a %$\"'\\;ü\n\x01"

_WORKING_DIRS = {
    "arguments": 'ends in a quote"',
    "empty": '"quoted"',
    "semicolons": "ends in a backslash\\",
    "entrypoint": " blanks ",
    "environment": "%n $HOME ${HOME} $$ %%",
    "secrets": "a:b,c;d='e' #f",
    "names": "line\nbreak\tand\x01 others",
    "labels": "Grüße 你好 \u00a0",
}
"""By container; they are mounts."""
_HOST_NAMES = {"arguments": "a_b-C.example", "labels": "0", "large": "h" * 63}
"""By container; what an engine takes as the name of a host."""
_MADE_BY_DOCKER = "/made by Docker, 100% $HOME"
"""A working directory that neither the image nor a mount has: Docker makes it."""


@dataclass(frozen=True)
class Case:
    """One string: ``place`` is where it travels, ``key`` which of its kind it is there (an index or a name)."""

    container: str
    place: str
    key: str
    value: str | None


@dataclass
class Container:
    """What is asked of Docker, in the words of its API; ``mounts`` has sources by target; ``checked`` is what the health check is given."""

    name: str
    command: Sequence[str] = ()
    entrypoint: Sequence[str] = ()
    environment: dict[str, str] = field(default_factory=dict)
    unset: Sequence[str] = ()
    labels: dict[str, str] = field(default_factory=dict)
    health: Sequence[str] = ()
    checked: Sequence[str] = ()
    mounts: dict[str, str] = field(default_factory=dict)
    working_dir: str = ""
    hostname: str = ""

    def cases(self) -> Iterator[Case]:
        """One for each string."""
        arguments = [*self.entrypoint, *self.command][len(PROBE) :]
        yield from (Case(self.name, "argument", str(number), value) for number, value in enumerate(arguments))
        yield from (Case(self.name, "variable", key, value) for key, value in self.environment.items())
        yield from (Case(self.name, "variable", key, None) for key in self.unset)
        yield from (Case(self.name, "label", key, value) for key, value in self.labels.items())
        yield from (Case(self.name, "health", str(number), value) for number, value in enumerate(self.checked))
        yield from (Case(self.name, "mount", target, source) for target, source in self.mounts.items())
        if self.working_dir:
            yield Case(self.name, "directory", "", self.working_dir)
        if self.hostname:
            yield Case(self.name, "hostname", "", self.hostname)

    def body(self) -> dict[str, Any]:
        """The body of POST /containers/create."""
        # A colon ends a path in Binds; the others take turns, since Docker describes both ways differently.
        binds = [target for target in list(self.mounts)[::2] if ":" not in target]
        mounts = [target for target in self.mounts if target not in binds]
        health = {"Test": list(self.health), "Interval": 6 * 10**10, "Timeout": 6 * 10**10}
        return {
            "Image": IMAGE,
            "Entrypoint": list(self.entrypoint) or None,
            "Cmd": list(self.command) or None,
            "Env": [*(f"{key}={value}" for key, value in self.environment.items()), *self.unset],
            "Labels": self.labels,
            "WorkingDir": self.working_dir,
            "Hostname": self.hostname,
            "Healthcheck": health if self.health else None,
            # One network makes one workload of all, which moves at once.
            "HostConfig": {
                "NetworkMode": NETWORK,
                "RestartPolicy": {"Name": "always"},
                "Binds": [f"{ROOT}/{self.name}:/probe", *(f"{self.mounts[target]}:{target}" for target in binds)],
                "Mounts": [{"Type": "bind", "Source": self.mounts[target], "Target": target} for target in mounts],
            },
        }


def chosen_seed() -> int:
    """HOSTILE_SEED, or 1."""
    return int(os.environ.get("HOSTILE_SEED") or 1)


def cases(seed: int) -> list[Case]:
    """Every string in every place."""
    return [case for container in containers(seed) for case in container.cases()]


def containers(seed: int) -> list[Container]:
    """Few containers with many strings each: under emulation one takes half a minute."""
    dice = random.Random(seed)
    listable = [value for value in STRINGS if value not in ("", ";")]
    half = len(listable) // 2
    checked = [*STRINGS, *UNFIT]
    made = [
        Container("arguments", command=[*PROBE, *listable, *_random(dice)]),
        Container("empty", command=[*PROBE, "", "a b", "", "", '"', "%n"], labels=_keyed("random.", _random(dice))),
        Container("semicolons", command=[*PROBE, "a", ";", "$HOME", ";", ";", "\\", ";;", "b", ";", ""]),
        Container("entrypoint", entrypoint=[*PROBE, *listable[half:]], command=listable[:half]),
        Container("entrypoint-alone", entrypoint=[*PROBE, *STRINGS, *UNFIT, *_random(dice)]),
        Container("entrypoint-ends-empty", entrypoint=[*PROBE, "a"], command=["b", ";", ""]),
        Container("environment", command=PROBE, environment=_keyed("S", [*STRINGS, *UNFIT, *_random(dice)])),
        Container("secrets", command=PROBE, environment=_secrets(dice)),
        Container("names", command=PROBE, environment=_variables(), unset=[UNSET, "NOWHERE"], labels=_label_names()),
        Container("labels", command=PROBE, labels=_keyed("label.", STRINGS)),
        Container("health", command=PROBE, health=["CMD", CHECK, *checked], checked=checked),
        Container("health-shell", command=PROBE, health=["CMD-SHELL", _shell(checked)], checked=checked),
        Container("health-alone", command=[*PROBE, *UNFIT], health=["CMD", CHECK], working_dir=_MADE_BY_DOCKER),
        Container("mounts", command=PROBE, mounts=_mounts("mounts", _file_names([*STRINGS, *_random(dice)]))),
        _large(),
        Container("large-entrypoint", entrypoint=[*PROBE, "x" * _LARGE, "", "y"]),
    ]
    for container in made:
        container.hostname = _HOST_NAMES.get(container.name, "")
        if container.name in _WORKING_DIRS:
            container.mounts = _mounts(container.name, [_WORKING_DIRS[container.name]])
            container.working_dir = next(iter(container.mounts))
    return made


def _random(dice: random.Random) -> list[str]:
    """Only random() gives the same numbers in every version of Python."""
    return ["".join(_pick(dice) for _at in range(1 + int(dice.random() * 30))) for _number in range(_RANDOM)]


def _pick(dice: random.Random) -> str:
    return _ALPHABET[int(dice.random() * len(_ALPHABET))]


def _keyed(prefix: str, values: Sequence[str]) -> dict[str, str]:
    return {f"{prefix}{number}": value for number, value in enumerate(values)}


def _shell(values: Sequence[str]) -> str:
    return " ".join(shlex.quote(value) for value in [CHECK, *values])


def _secrets(dice: random.Random) -> dict[str, str]:
    """Names and values that the rules call secret; few, since each costs a start of Podman."""
    values = ["a\n", "\n", "\r\n", " a ", "\t", "%n$HOME", "\\", '"a"', "--", "\x01\x7f\x80", "é👍", "x" * _LARGE, ""]
    urls = {"PLACE": "postgres://user:pa%40ss$word'\"@host/db?a=b", "OTHER": "amqp://:\\@h/\n"}
    return {**_keyed("PASSWORD_", [*values, *_random(dice)[:7]]), "API_KEY": "-----BEGIN-----\nA==\n", **urls}


def _variables() -> dict[str, str]:
    """Names that no shell would take, and names that an engine sets itself."""
    names = ["a b", " a", "a ", "a\nb", "a-b", "a.b", "1", "%n", "$HOME", "a%", '"', "'", "a\\", "\\n", "é", "👍"]
    names += ["#a", "a*", "--a", ";"]
    own = {"HOME": "/a b/%h", "HOSTNAME": "not $HOSTNAME", "PATH": "/usr/bin:/bin:/a b:%h", "TERM": "a;b"}
    own["container"] = "x"
    return {**{name: f"value of {name}" for name in names}, **own}


def _label_names() -> dict[str, str]:
    """Without ``=``, which would end the name."""
    names = ["a b", " a", "a ", "%n", "$HOME", '"', "'", "a\\", "a\nb", "é", "#a", "--a", ";", "org.example/a", "a,b"]
    return {name: f"value of {name}" for name in names}


def _file_names(values: Sequence[str]) -> list[str]:
    """The values that can be the name of a folder."""
    return [value for value in values if value not in ("", ".", "..") and "/" not in value]


def _mounts(container: str, names: Sequence[str]) -> dict[str, str]:
    """Outside and inside, the same name."""
    return {f"/mounted/{name}": f"{ROOT}/{container}/{name}" for name in names}


def _large() -> Container:
    """100 kB each, as near as one may come to the kernel's limit for one string (128 KiB)."""
    mix = _LARGE_MIX * (_LARGE // len(_LARGE_MIX.encode()))
    return Container(
        "large", command=[*PROBE, "x" * _LARGE, mix], environment={"LARGE": mix}, labels={"large": "l" * _LARGE}
    )
