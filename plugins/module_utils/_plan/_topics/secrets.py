# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which environment variables are secret, and the Podman secrets they become (private to the collection).

The services that Quadlet generates can be read by every local user, the environment of a Docker container only by
root and the group docker: what is secret must not stand in a unit.
"""

from __future__ import annotations

import re
import shlex
from typing import Iterator, Sequence

from ..._common.json import Json, dig, mapping, strings, text
from .._documents.containers import name_of
from ..model import INFO, WARNING, Finding, is_carried

RULES = (
    r"PASS(WORD|WD|PHRASE)?S?\d*(_|$)",
    r"SECRET",
    r"TOKEN",
    r"CREDENTIAL",
    r"(API|APP|ACCESS|MASTER|PRIVATE|ENCRYPTION|SIGNING)_?KEY",
    r"(^|_)(AUTH|DSN|PWD)(_|$)",
)
"""Regular expressions, searched for in the upper-cased name of a variable; the policy adds others."""

# Lengths are bounded, or a long value would cost the square of its length.
_CREDENTIALS_IN_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,20}://[^/\s:@]{0,200}:[^/\s@]{1,400}@")
_WORD = re.compile(r"[A-Za-z0-9_.-]+")
_ASSIGNED = re.compile(r"[\"']{0,4}(?:\s{0,4}[=:,]\s{0,4}|\s{1,4})[\"']{0,4}(?=[^\s\"'-])")
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")


def secrets(container: Json, image: Json, rules: Sequence[str]) -> list[Json]:
    """{name, container, env} for each secret variable that the image does not set alike.

    Also for those that no unit can carry: Podman gives a secret to the container byte for byte.
    """
    found: dict[str, Json] = {}
    for env, separator, value in _own(container, image):
        is_wanted = bool(value) and is_secret(env, value, rules)
        if separator and (is_wanted or is_uncarriable(env, value)) and not set(env) & set(",\r\n"):
            name = _UNSAFE.sub("_", f"{name_of(container)}-{env}")
            while name in found and found[name]["env"] != env:
                name += "_"
            found[name] = {"name": name, "container": name_of(container), "env": env}
    return list(found.values())


def is_uncarriable(env: str, value: str) -> bool:
    """True for a variable that Podman would change on its way through a unit: it cuts blanks before a name, and makes
    one line feed of a carriage return and a line feed (tried)."""
    return "\r\n" in value or env != env.strip() or not is_carried(env + value)


def _own(container: Json, image: Json) -> Iterator[tuple[str, str, str]]:
    inherited = set(strings(image.get("Env")))
    return (entry.partition("=") for entry in strings(dig(container, "Config.Env")) if entry not in inherited)


def is_secret(name: str, value: str, rules: Sequence[str]) -> bool:
    """Whether a rule matches the name, or the value holds credentials in a URL."""
    word = re.sub(r"[^A-Z0-9]", "_", name.upper())
    found = any(re.search(rule, word, re.IGNORECASE) for rule in (*RULES, *rules))
    return found or _has_credentials(value)


def mentions_secret(line: str, rules: Sequence[str]) -> bool:
    """Whether a command line gives a value to something with the name of a secret, or holds credentials in a URL."""
    names = (found.group()[-80:] for found in _WORD.finditer(line) if _ASSIGNED.match(line, found.end()))
    return any(is_secret(name, "", rules) for name in set(names)) or _has_credentials(line)


def argument_values(container: Json, rules: Sequence[str]) -> list[str]:
    """The values that arguments, health checks and labels with the name of a secret have, and passwords in their URLs."""
    given = [
        word for key in ("Entrypoint", "Cmd", "Healthcheck.Test") for word in strings(dig(container, "Config." + key))
    ]
    labels = {key: text(value) for key, value in mapping(dig(container, "Config.Labels")).items()}
    # The whole of a shell's program is one word.
    words = [part for word in given for part in dict.fromkeys([word, *_split(word)])]
    pairs = [(name, value) for name, equals, value in (word.partition("=") for word in words) if equals]
    pairs += [(name, value) for name, value in zip(words, words[1:]) if name.startswith("-")]
    named = [value for name, value in [*pairs, *labels.items()] if value and is_secret(name, "", rules)]
    return named + [part for value in [*given, *labels.values()] for part in _passwords(value)]


def _split(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError:
        return line.split()


def _passwords(value: str) -> list[str]:
    """What stands before the @ of URLs, as it is and without the name of the user."""
    found = [match.group().partition("://")[2][:-1] for match in _CREDENTIALS_IN_URL.finditer(value)]
    return found + [credentials.partition(":")[2] for credentials in found]


def _has_credentials(value: str) -> bool:
    return "://" in value and bool(_CREDENTIALS_IN_URL.search(value))


def findings(container: Json, image: Json, rules: Sequence[str]) -> list[Finding]:
    """What everybody on the host can read in the generated service, and could not read before."""
    name = name_of(container)
    hidden = {item["env"] for item in secrets(container, image, rules)}
    found = [
        Finding(
            WARNING,
            "readable-secret",
            name,
            path,
            f"{what} looks like a secret, and every user of the host can read it in the generated service.",
            "Give it to the program by a variable or a file instead, or accept it.",
        )
        for path, what in _readable_secrets(container, image, rules)
    ]
    keys = sorted(variable for variable, _equals, _value in _own(container, image) if variable not in hidden)
    labels = sorted(set(mapping(dig(container, "Config.Labels"))) - set(mapping(image.get("Labels"))))
    arguments = strings(dig(container, "Config.Cmd")) != strings(image.get("Cmd"))
    parts = [("variables " + ", ".join(keys)) if keys else "", "the command" if arguments else ""]
    parts += [("labels " + ", ".join(labels)) if labels else ""]
    if any(parts):
        message = "Every user of the host can read in the generated service: {0}.".format(
            "; ".join(filter(None, parts))
        )
        remedy = "What must stay hidden becomes a secret by a rule for its name in policy.secrets."
        found.append(Finding(INFO, "readable", name, "Config", message, remedy))
    return found


def resource_findings(document: Json, rules: Sequence[str]) -> list[Finding]:
    """Secrets in the options and labels of a network or volume."""
    places = {
        f"{part}[{key}]": f"{key}={text(value)}"
        for part in ("Options", "Labels")
        for key, value in sorted(mapping(document.get(part)).items())
    }
    return [
        Finding(WARNING, "readable-secret", text(document.get("Name")), path, *_READABLE)
        for path, line in places.items()
        if mentions_secret(line, rules)
    ]


_READABLE = (
    "The value looks like a secret, and every user of the host can read it in the generated service.",
    "Take it from a file, for CIFS with credentials=, or accept it.",
)


def _readable_secrets(container: Json, image: Json, rules: Sequence[str]) -> Iterator[tuple[str, str]]:
    for key in ("Entrypoint", "Cmd"):
        words = strings(dig(container, "Config." + key))
        if words != strings(image.get(key)) and mentions_secret(" ".join(words), rules):
            yield "Config." + key, "An argument"
    if mentions_secret(" ".join(strings(dig(container, "Config.Healthcheck.Test"))), rules):
        yield "Config.Healthcheck.Test", "A word of the health check"
    inherited = mapping(image.get("Labels"))
    for key, value in sorted(mapping(dig(container, "Config.Labels")).items()):
        if inherited.get(key) != value and is_secret(key, text(value), rules):
            yield f"Config.Labels[{key}]", "The label"
